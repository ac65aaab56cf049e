#include "process.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * A process for each executor: this program again, or another one, with a variable in its environment that says what
 * it was started for.
 *
 *     parent   posix_spawn --> pidfd, readable after the exit --> waitid
 *     child    leads a process group, which is killed with it, so that what its actors started does not outlive it;
 *              child_setup: is killed when the thread that started it ends, ignores SIGPIPE, is named after its actor,
 *              and holds SIGINT and SIGTERM: these are sent to the parent as well, which ends the whole program in
 *              order. They are held by a handler, so that programs which its actors start do not inherit that.
 */

struct process_self {
    const struct troupe_host *host;
};

/** The handle of a child. */
struct process_child {
    pid_t pid;
    int pid_fd;
};

static enum troupe_err process_init(const struct troupe_host *host, void **out_self)
{
    struct process_self *self = malloc(sizeof(*self));
    if (self == NULL) {
        host->set_error_detail("no memory for the backend 'process'");
        return TROUPE_ERR_NOMEM;
    }
    self->host = host;
    *out_self = self;
    return TROUPE_OK;
}

static enum troupe_err process_explain(
    const void *self, const struct troupe_executor_spec *spec, int error)
{
    char text[256];
    (void)snprintf(
        text,
        sizeof(text),
        "no process for '%s' from %s: %s; %s",
        spec->name,
        spec->program != NULL ? spec->program : "this program",
        strerror(error), // NOLINT(concurrency-mt-unsafe): glibc's is safe for known errors
        error == EAGAIN || error == ENOMEM
            ? "end some, raise the limit of processes, or pool actors with process:N"
            : "the child program must be an executable file");
    ((const struct process_self *)self)->host->set_error_detail(text);
    return error == EAGAIN || error == ENOMEM ? TROUPE_ERR_LIMIT : TROUPE_ERR_SYSTEM;
}

/** @return the environment of this program and one variable more; NULL: no memory. */
static char **process_environment(const char *env)
{
    size_t count = 0;
    while (environ[count] != NULL) {
        count++;
    }
    char **all = calloc(count + 2, sizeof(*all));
    if (all != NULL) {
        memcpy(all, environ, count * sizeof(*all));
        union {
            const char *read_only;
            char *entry;
        } at = {
            .read_only =
                env}; // environ is declared without const; posix_spawn does not write to it
        all[count] = at.entry;
    }
    return all;
}

/** Put the signals that a child holds into a set. */
static void process_fill_held(sigset_t *set)
{
    (void)sigemptyset(set);
    (void)sigaddset(set, SIGINT);
    (void)sigaddset(set, SIGTERM);
}

/** Set what a child starts with: its descriptors, its group; held signals blocked, no signal ignored. */
static int process_prepare(
    const struct troupe_executor_spec *spec,
    posix_spawn_file_actions_t *actions,
    posix_spawnattr_t *attributes)
{
    int error = 0;
    for (uint32_t i = 0; i < spec->fd_count && error == 0; i++) {
        // Onto itself: that clears close-on-exec, in the child only.
        error = posix_spawn_file_actions_adddup2(actions, spec->fds[i], spec->fds[i]);
    }
    if (error == 0 && spec->output_fd >= 0) {
        error = posix_spawn_file_actions_adddup2(actions, spec->output_fd, STDOUT_FILENO);
    }
    if (error == 0 && spec->error_fd >= 0) {
        error = posix_spawn_file_actions_adddup2(actions, spec->error_fd, STDERR_FILENO);
    }
    sigset_t held;
    sigset_t all;
    process_fill_held(&held); // until child_setup has their handler
    (void)sigfillset(&all);
    (void)posix_spawnattr_setsigmask(attributes, &held);
    (void)posix_spawnattr_setsigdefault(attributes, &all);
    (void)posix_spawnattr_setpgroup(attributes, 0);
    (void)posix_spawnattr_setflags(
        attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    return error;
}

/** Find the file of this program: stack traces name it, and tools read its symbols there. */
static void process_find_self(char out_path[PATH_MAX])
{
    ssize_t length = readlink("/proc/self/exe", out_path, PATH_MAX - 1);
    if (length < 0) {
        (void)snprintf(out_path, PATH_MAX, "/proc/self/exe");
    } else {
        out_path[length] = '\0';
    }
}

/** @return an errno, or 0 with *out_pid set. */
static int process_spawn(const struct troupe_executor_spec *spec, pid_t *out_pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    char **environment = process_environment(spec->env);
    if (environment == NULL) {
        return ENOMEM;
    }
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawnattr_init(&attributes);
    int error = process_prepare(spec, &actions, &attributes);
    if (error == 0) {
        char self[PATH_MAX];
        process_find_self(self);
        // Started by the link: the file itself may have been replaced meanwhile.
        const char *path = spec->program != NULL ? spec->program : "/proc/self/exe";
        union {
            const char *read_only[2];
            char *argv[2];
        } arguments = {.read_only = {spec->program != NULL ? spec->program : self, NULL}};
        error = posix_spawn(out_pid, path, &actions, &attributes, arguments.argv, environment);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)posix_spawnattr_destroy(&attributes);
    free(environment);
    return error;
}

static enum troupe_err process_start(
    void *self,
    troupe_executor_t *executor,
    const struct troupe_executor_spec *spec,
    void **out_handle)
{
    (void)executor;
    struct process_child *handle = calloc(1, sizeof(*handle));
    if (handle == NULL) {
        ((const struct process_self *)self)->host->set_error_detail("no memory for a process");
        return TROUPE_ERR_NOMEM;
    }
    int error = process_spawn(spec, &handle->pid);
    if (error == 0) {
        // The child was not waited for yet, so its number cannot have been reused.
        handle->pid_fd = (int)syscall(SYS_pidfd_open, handle->pid, 0);
        if (handle->pid_fd < 0) {
            error = errno;
            (void)kill(handle->pid, SIGKILL);
            (void)waitpid(handle->pid, NULL, 0);
        }
    }
    if (error != 0) {
        free(handle);
        return process_explain(self, spec, error);
    }
    *out_handle = handle;
    return TROUPE_OK;
}

static int process_handle_fd(void *self, void *data)
{
    (void)self;
    return ((const struct process_child *)data)->pid_fd;
}

static void process_kill(void *self, void *data)
{
    (void)self;
    const struct process_child *handle = data;
    (void)syscall(SYS_pidfd_send_signal, handle->pid_fd, SIGKILL, NULL, 0);
}

/** Kill what the actors of a process have started, as far as that left its group alone. */
static void process_kill_group(const struct process_child *handle)
{
    // Not waited for yet, it has its number for itself, and so has its group.
    siginfo_t info = {0};
    if (waitid(P_PIDFD, (id_t)handle->pid_fd, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
        info.si_pid == handle->pid && (info.si_code != CLD_EXITED || info.si_status != 0)) {
        (void)kill(-handle->pid, SIGKILL);
    }
}

/** Convert how a process ended. */
static void process_convert_exit(const siginfo_t *info, struct troupe_exit *out_exit)
{
    *out_exit = (struct troupe_exit){.reason = TROUPE_EXIT_NORMAL, .code = info->si_status};
    if (info->si_code == CLD_EXITED) {
        if (info->si_status != 0) {
            out_exit->reason = TROUPE_EXIT_ERROR;
            (void)snprintf(
                out_exit->text,
                sizeof(out_exit->text),
                "its process ended with status %d",
                info->si_status);
        }
        return;
    }
    out_exit->reason = info->si_status == SIGKILL ? TROUPE_EXIT_KILLED : TROUPE_EXIT_CRASHED;
    (void)snprintf(
        out_exit->text,
        sizeof(out_exit->text),
        "SIG%s%s",
        sigabbrev_np(info->si_status) != NULL ? sigabbrev_np(info->si_status) : "?",
        info->si_code == CLD_DUMPED ? ", core dumped" : "");
}

static void process_reap(void *self, void *data, struct troupe_exit *out_exit)
{
    (void)self;
    struct process_child *handle = data;
    siginfo_t info = {0};
    int result = 0;
    process_kill_group(handle);
    do {
        result = waitid(P_PIDFD, (id_t)handle->pid_fd, &info, WEXITED);
    } while (result != 0 && errno == EINTR);
    if (result == 0) {
        process_convert_exit(&info, out_exit);
    } else {
        *out_exit = (struct troupe_exit){
            .reason = TROUPE_EXIT_UNKNOWN,
            .text = "SIGCHLD is ignored, or another part of the program waits for all children",
        };
    }
    (void)close(handle->pid_fd);
    free(handle);
}

static void process_on_held(int number)
{
    (void)number;
}

static void process_hold_signals(void)
{
    struct sigaction action = {.sa_handler = process_on_held, .sa_flags = SA_RESTART};
    sigset_t held;
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    process_fill_held(&held);
    (void)pthread_sigmask(SIG_UNBLOCK, &held, NULL);
}

static enum troupe_err process_child_setup(const char *name, int32_t parent_pid)
{
    // If the parent exited before the first call, the second shows it.
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent_pid) {
        return TROUPE_ERR_CLOSED;
    }
    (void)prctl(PR_SET_NAME, name);
    (void)signal(SIGPIPE, SIG_IGN);
    process_hold_signals();
    return TROUPE_OK;
}

static void process_fini(void *self)
{
    free(self);
}

const struct troupe_backend_ops trp_backend_process = {
    .version = TROUPE_BACKEND_VERSION,
    .traits = TROUPE_TRAIT_PARALLEL | TROUPE_TRAIT_ISOLATES_CRASHES | TROUPE_TRAIT_PREEMPTS,
    .name = "process",
    .description = "a child process for each actor, or process:N for a pool",
    .init = process_init,
    .start = process_start,
    .kill = process_kill,
    .fini = process_fini,
    .exit_fd = process_handle_fd,
    .reap = process_reap,
    .child_setup = process_child_setup,
};

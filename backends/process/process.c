#include "process.h"

#include <errno.h>
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
 * A process an executor: this program again, or a runner, started with a ticket in its environment.
 *
 *     parent   posix_spawn --> pidfd, readable at the end --> waitid
 *     child    enter: dies with the thread that started it, leaves SIGINT to it, is called after its actor
 *
 * Nothing is ever forked: a copy of a process that runs ZeroMQ's threads would be no use to anyone.
 */

struct process_self {
    const struct troupe_host *host;
};

struct process_carrier {
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
            : "the runner is to be an executable file");
    ((const struct process_self *)self)->host->set_error_detail(text);
    return error == EAGAIN || error == ENOMEM ? TROUPE_ERR_LIMIT : TROUPE_ERR_SYSTEM;
}

/** @return this program's environment and the ticket; NULL: no memory. */
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
        } at = {.read_only = env}; // as environ is declared; nobody writes to it
        all[count] = at.entry;
    }
    return all;
}

/** Say what a child begins with: descriptors, and no signal blocked but SIGINT, none ignored. */
static int process_prepare(
    const struct troupe_executor_spec *spec,
    posix_spawn_file_actions_t *actions,
    posix_spawnattr_t *attributes)
{
    int error = 0;
    for (uint32_t i = 0; i < spec->fd_count && error == 0; i++) {
        // Onto itself: that takes close-on-exec away, in the child only.
        error = posix_spawn_file_actions_adddup2(actions, spec->fds[i], spec->fds[i]);
    }
    if (error == 0 && spec->output_fd >= 0) {
        error = posix_spawn_file_actions_adddup2(actions, spec->output_fd, STDOUT_FILENO);
    }
    if (error == 0 && spec->error_fd >= 0) {
        error = posix_spawn_file_actions_adddup2(actions, spec->error_fd, STDERR_FILENO);
    }
    sigset_t interrupt;
    sigset_t all;
    (void)sigemptyset(&interrupt);
    (void)sigaddset(&interrupt, SIGINT);
    (void)sigfillset(&all);
    (void)posix_spawnattr_setsigmask(attributes, &interrupt);
    (void)posix_spawnattr_setsigdefault(attributes, &all);
    (void)posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    return error;
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
        const char *path = spec->program != NULL ? spec->program : "/proc/self/exe";
        union {
            const char *read_only[2];
            char *words[2];
        } arguments = {.read_only = {spec->program != NULL ? spec->program : spec->name, NULL}};
        error = posix_spawn(out_pid, path, &actions, &attributes, arguments.words, environment);
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
    struct process_carrier *handle = calloc(1, sizeof(*handle));
    if (handle == NULL) {
        ((const struct process_self *)self)->host->set_error_detail("no memory for a process");
        return TROUPE_ERR_NOMEM;
    }
    int error = process_spawn(spec, &handle->pid);
    if (error == 0) {
        // It is our child and not waited for, so its number is its own still.
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

static int process_end_fd(void *self, void *data)
{
    (void)self;
    return ((const struct process_carrier *)data)->pid_fd;
}

static void process_kill(void *self, void *data)
{
    (void)self;
    const struct process_carrier *handle = data;
    (void)syscall(SYS_pidfd_send_signal, handle->pid_fd, SIGKILL, NULL, 0);
}

/** Put into words how a process ended. */
static void process_describe(const siginfo_t *info, struct troupe_exit *out_exit)
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
    struct process_carrier *handle = data;
    siginfo_t info = {0};
    while (waitid(P_PIDFD, (id_t)handle->pid_fd, &info, WEXITED) != 0 && errno == EINTR) {
    }
    process_describe(&info, out_exit);
    (void)close(handle->pid_fd);
    free(handle);
}

static enum troupe_err process_enter(const char *name, int32_t parent_pid)
{
    // Who lost its parent before the first call is told so by the second.
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent_pid) {
        return TROUPE_ERR_CLOSED;
    }
    (void)prctl(PR_SET_NAME, name);
    (void)signal(SIGPIPE, SIG_IGN);
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
    .exit_fd = process_end_fd,
    .reap = process_reap,
    .child_setup = process_enter,
};

#include "child.h"

#include "fixture.h"
#include "measure.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { POLL_MS = 1, STATUS_UNBALANCED = 3 };

/** One of the child's outputs. */
struct child_output {
    int fd; // -1: at its end
    size_t bytes;
    char text[CHILD_OUTPUT_BYTES];
};

struct child {
    pid_t pid;
    int pid_fd;
    uint64_t since_ns;
    struct child_output out;
    struct child_output err;
    char audit[CHILD_OUTPUT_BYTES]; // lines that were taken out of err
};

/* The parent. ---------------------------------------------------------------------------------- */

static void child_pipe(int ends[2])
{
    cr_assert(pipe2(ends, O_CLOEXEC) == 0, "pipe2: %s", strerror(errno));
}

_Noreturn static void child_begin(child_fn *run, void *data, int out, int err)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)signal(SIGINT, SIG_DFL);
    (void)signal(SIGTERM, SIG_DFL);
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (dup2(out, STDOUT_FILENO) < 0 || dup2(err, STDERR_FILENO) < 0) {
        _exit(127);
    }
    int status = run(data);
    (void)fflush(NULL);
    _exit(status);
}

struct child *child_start(child_fn *run, void *data)
{
    struct child *child = calloc(1, sizeof(*child));
    cr_assert(child != NULL, "no memory for a child");
    int out[2];
    int err[2];
    child_pipe(out);
    child_pipe(err);
    (void)fflush(NULL); // else the child prints it, too
    child->since_ns = measure_now_ns();
    child->pid = fork();
    cr_assert(child->pid >= 0, "fork: %s", strerror(errno));
    if (child->pid == 0) {
        child_begin(run, data, out[1], err[1]);
    }
    (void)close(out[1]);
    (void)close(err[1]);
    child->out.fd = out[0];
    child->err.fd = err[0];
    child->pid_fd = (int)syscall(SYS_pidfd_open, child->pid, 0);
    cr_assert(child->pid_fd >= 0, "pidfd_open: %s", strerror(errno));
    return child;
}

/** Read what an output has. */
static void child_read(struct child_output *output)
{
    char lost[256];
    size_t room = sizeof(output->text) - 1 - output->bytes;
    char *at = room > 0 ? output->text + output->bytes : lost;
    ssize_t bytes = read(output->fd, at, room > 0 ? room : sizeof(lost));
    if (bytes <= 0) {
        (void)close(output->fd);
        output->fd = -1;
    } else if (room > 0) {
        output->bytes += (size_t)bytes;
        output->text[output->bytes] = '\0';
    }
}

static void child_fail_late(struct child *child, const char *what)
{
    (void)kill(child->pid, SIGKILL);
    cr_fatal(
        "waited %llu s for a child %s; standard output was '%s', standard error '%s'",
        (unsigned long long)(CHILD_DEADLINE_NS / UINT64_C(1000000000)),
        what,
        child->out.text,
        child->err.text);
}

/** Wait for output or for the exit. @return whether the child has exited */
static bool child_step(struct child *child, uint64_t deadline_ns, const char *what)
{
    struct pollfd fds[] = {
        {.fd = child->out.fd, .events = POLLIN},
        {.fd = child->err.fd, .events = POLLIN},
        {.fd = child->pid_fd, .events = POLLIN},
    };
    uint64_t now_ns = measure_now_ns();
    if (now_ns >= deadline_ns) {
        child_fail_late(child, what);
    }
    (void)poll(fds, 3, (int)((deadline_ns - now_ns) / UINT64_C(1000000)) + 1);
    if (fds[0].revents != 0) {
        child_read(&child->out);
    }
    if (fds[1].revents != 0) {
        child_read(&child->err);
    }
    return fds[2].revents != 0;
}

void child_wait_for(struct child *child, const char *text)
{
    uint64_t deadline_ns = measure_now_ns() + CHILD_DEADLINE_NS;
    while (strstr(child->out.text, text) == NULL) {
        bool ended = child_step(child, deadline_ns, "to get ready");
        if (ended && child->out.fd < 0) {
            cr_fatal(
                "a child ended before it printed '%s'; standard error was '%s'",
                text,
                child->err.text);
        }
    }
}

const char *child_printed(const struct child *child)
{
    return child->out.text;
}

void child_signal(struct child *child, int number)
{
    child->since_ns = measure_now_ns();
    cr_assert(kill(child->pid, number) == 0, "kill: %s", strerror(errno));
}

pid_t child_pid(const struct child *child)
{
    return child->pid;
}

/** @return whether the child catches a signal, according to /proc. */
static bool child_catches(const struct child *child, int number)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)child->pid);
    FILE *file = fopen(path, "r");
    cr_assert(file != NULL, "%s: %s", path, strerror(errno));
    char line[256];
    unsigned long long caught = 0;
    while (fgets(line, sizeof(line), file) != NULL) {
        (void)sscanf(line, "SigCgt: %llx", &caught);
    }
    (void)fclose(file);
    return (caught >> (number - 1) & 1) != 0;
}

void child_wait_until_handled(struct child *child, int number)
{
    uint64_t deadline_ns = measure_now_ns() + CHILD_DEADLINE_NS;
    struct pollfd end = {.fd = child->pid_fd, .events = POLLIN};
    while (child_catches(child, number)) {
        cr_assert(poll(&end, 1, POLL_MS) == 0, "a child ended by its first signal");
        if (measure_now_ns() >= deadline_ns) {
            child_fail_late(child, "to handle its signal");
        }
    }
}

/** @return whether a line is one that troupe_system_audit() prints. */
static bool child_is_audit_line(const char *line)
{
    static const char *const beginnings[] = {
        "dead letters for ",
        "dead letters, ",
        "channel ",
        "other channels ",
        "executor ",
        "other executors ",
        "system ",
        "refused sends ",
        "frames sent ",
        "actors started ",
        "NOT BALANCED: ",
        "the counters ",
    };
    for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++) {
        if (strncmp(line, beginnings[i], strlen(beginnings[i])) == 0) {
            return true;
        }
    }
    return false;
}

/** Separate the audits from what else it printed on standard error. */
static void child_part_audit(struct child *child)
{
    char *err = child->err.text;
    char *audit = child->audit;
    for (const char *line = child->err.text; *line != '\0';) {
        size_t bytes = strcspn(line, "\n");
        bytes += line[bytes] == '\n' ? 1 : 0;
        char **to = child_is_audit_line(line) ? &audit : &err;
        memmove(*to, line, bytes);
        *to += bytes;
        line += bytes;
    }
    *err = '\0';
    *audit = '\0';
}

struct child_end child_end(struct child **child_p)
{
    static struct child ended; // whose texts are handed out
    struct child *child = *child_p;
    uint64_t deadline_ns = measure_now_ns() + CHILD_DEADLINE_NS;
    while (!child_step(child, deadline_ns, "to end")) {
    }
    uint64_t ns = measure_now_ns() - child->since_ns;
    while (child->out.fd >= 0 || child->err.fd >= 0) {
        (void)child_step(child, deadline_ns, "to close its outputs");
    }
    int status = 0;
    cr_assert(waitpid(child->pid, &status, 0) == child->pid, "waitpid: %s", strerror(errno));
    (void)close(child->pid_fd);
    if (strstr(child->err.text, "the counters ") != NULL) {
        child_part_audit(child);
    }
    ended = *child;
    free(child);
    *child_p = NULL;
    int number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    bool is_said = WIFEXITED(status) && WEXITSTATUS(status) == STATUS_UNBALANCED;
    cr_expect(is_said || strstr(ended.audit, "NOT BALANCE") == NULL, "%s", ended.audit);
    return (struct child_end){
        .status = number != 0 ? 128 + number : WEXITSTATUS(status),
        .signal = number,
        .ns = ns,
        .out = ended.out.text,
        .err = ended.err.text,
        .audit = ended.audit,
    };
}

struct child_end child_run(child_fn *run, void *data)
{
    struct child *child = child_start(run, data);
    return child_end(&child);
}

void child_succeeds(child_fn *run, void *data)
{
    struct child_end end = child_run(run, data);
    cr_assert(end.status == 0, "the child ended with status %d: %s", end.status, end.err);
}

/* The child. ----------------------------------------------------------------------------------- */

void child_say(const char *text)
{
    size_t bytes = strlen(text);
    MUST_BE(write(STDOUT_FILENO, text, bytes) == (ssize_t)bytes);
}

int child_troupe_main_unaudited(const char *line, const struct troupe_behaviour *const *behaviours)
{
    enum { WORDS_MAX = 15 };
    char *copy = strdup(line);
    MUST_BE(copy != NULL);
    char *arguments[WORDS_MAX + 1] = {NULL};
    int count = 0;
    char *rest = NULL;
    for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        MUST_BE(count < WORDS_MAX);
        arguments[count++] = word;
    }
    int status = troupe_main(count, arguments, behaviours);
    free(copy);
    return status;
}

int child_troupe_main(const char *line, const struct troupe_behaviour *const *behaviours)
{
    char audited[256];
    int bytes = snprintf(audited, sizeof(audited), "%s --audit", line);
    MUST_BE(bytes > 0 && (size_t)bytes < sizeof(audited));
    return child_troupe_main_unaudited(audited, behaviours);
}

void child_limit(__rlimit_resource_t resource, rlim_t count)
{
    struct rlimit limit;
    MUST_BE(getrlimit(resource, &limit) == 0);
    if (count > limit.rlim_max) {
        count = limit.rlim_max;
    }
    limit = (struct rlimit){.rlim_cur = count, .rlim_max = count};
    MUST_BE(setrlimit(resource, &limit) == 0);
}

void child_limit_softly(__rlimit_resource_t resource, rlim_t count)
{
    struct rlimit limit;
    MUST_BE(getrlimit(resource, &limit) == 0);
    limit.rlim_cur = count < limit.rlim_max ? count : limit.rlim_max;
    MUST_BE(setrlimit(resource, &limit) == 0);
}

void child_drop_root(void)
{
    enum { NOBODY = 65534 };
    if (geteuid() == 0) {
        MUST_BE(setgroups(0, NULL) == 0);
        MUST_BE(setresgid(NOBODY, NOBODY, NOBODY) == 0);
        MUST_BE(setresuid(NOBODY, NOBODY, NOBODY) == 0);
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); // dropping the privileges cleared it
    }
}

void child_hoard_take(struct child_hoard *hoard)
{
    int fd = -1;
    while ((fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0) {
        MUST_BE(hoard->count < sizeof(hoard->fds) / sizeof(hoard->fds[0]));
        hoard->fds[hoard->count++] = fd;
    }
    MUST_BE(errno == EMFILE);
}

void child_hoard_give(struct child_hoard *hoard)
{
    while (hoard->count > 0) {
        (void)close(hoard->fds[--hoard->count]);
    }
}

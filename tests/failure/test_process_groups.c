/*
 * Signals and what actors start: the same on every backend. A process actor leads a group that dies with it, and
 * holds SIGINT and SIGTERM, which the first process handles for all. Its exit is told whoever waits for it.
 */
#include "support/backend_clone.h"
#include "support/child.h"
#include "support/echo_system.h"
#include "support/fixture.h"
#include "support/measure.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(process_groups, .timeout = 60);

enum { RUN = 0x00600001, RAN, PID, START_SLEEPER, CRASH, EXIT };

static pid_t start_sleeper(void)
{
    FILE *pipe = popen("sleep 300 >/dev/null 2>&1 & echo $!", "r"); // NOLINT(cert-env33-c)
    MUST_BE(pipe != NULL);
    int pid = 0;
    MUST_BE(fscanf(pipe, "%d", &pid) == 1); // NOLINT(cert-err34-c): the shell wrote it
    MUST_BE(pclose(pipe) == 0);
    return pid;
}

static void runner_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    int32_t result = 0;
    switch (troupe_message_type(message)) {
    case RUN:                                          // a shell that signals itself
        result = system(troupe_message_body(message)); // NOLINT(cert-env33-c)
        REPORT(ctx, message, RAN, &result);
        break;
    case PID:
        result = getpid();
        REPORT(ctx, message, RAN, &result);
        break;
    case START_SLEEPER:
        result = start_sleeper();
        REPORT(ctx, message, RAN, &result);
        break;
    case CRASH:
        raise(SIGSEGV);
        break;
    case EXIT:
        exit(7); // NOLINT(concurrency-mt-unsafe)
    default:
        break;
    }
}

static const struct troupe_behaviour runner = {.name = "runner", .receive = runner_receive};

static int32_t ask_runner(
    struct fixture *fixture, troupe_ref_t ref, uint32_t type, const char *command)
{
    fixture_ask(fixture, ref, type, command, command == NULL ? 0 : strlen(command) + 1);
    return *FIXTURE_RECEIVE(fixture, RAN, int32_t);
}

/* What an actor starts. ------------------------------------------------------------------------ */

BACKEND_TEST(process_groups, what_an_actor_starts_is_ended_by_signals)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};
    struct fixture *fixture = fixture_open(
        placement, &(struct fixture_options){.behaviours = TROUPE_BEHAVIOURS(&runner)});
    troupe_ref_t ref = fixture_spawn(fixture, &runner);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        char command[64];
        (void)snprintf(command, sizeof(command), "kill -%d $$; exit 3", numbers[i]);

        int status = ask_runner(fixture, ref, RUN, command);

        cr_expect(
            ne(int, WTERMSIG(status), 0), "signal %d: status 0x%x", numbers[i], (unsigned)status);
    }
    (void)fixture_close(&fixture);
}

/** @return whether a process runs: one that nobody has waited for yet does not. */
static bool process_runs(pid_t pid)
{
    char path[64];
    char state = 'Z';
    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    MUST_BE(fscanf(file, "%*d (%*[^)]) %c", &state) == 1);
    (void)fclose(file);
    return state != 'Z' && state != 'X';
}

static void expect_gone(pid_t pid)
{
    uint64_t deadline_ns = measure_now_ns() + ECHO_DEADLINE_NS;
    while (process_runs(pid) && measure_now_ns() < deadline_ns) {
        (void)sched_yield();
    }
    cr_expect(process_runs(pid) == false, "process %d lives on", (int)pid);
}

static void kill_it(troupe_context_t *ctx, void *data)
{
    MUST(troupe_kill(ctx, *(const troupe_ref_t *)data));
}

static void end_runner(struct fixture *fixture, troupe_ref_t ref, int how)
{
    if (how == SIGKILL) {
        MUST_BE(kill(ask_runner(fixture, ref, PID, NULL), SIGKILL) == 0);
    } else if (how == 0) {
        fixture_call(fixture, kill_it, &ref);
    } else {
        fixture_send(fixture, ref, (uint32_t)how, NULL, 0);
    }
}

static const struct fixture_placement in_processes[] = {
    {.name = "process", .place = "process"}, {.name = "process_tcp", .place = "process+tcp"}};

Test(process_groups, what_an_actor_started_does_not_outlive_its_killed_process)
{
    static const int hows[] = {SIGKILL, 0, CRASH, EXIT};
    for (size_t i = 0; i < sizeof(hows) / sizeof(hows[0]); i++) {
        if (hows[i] == CRASH && measure_is_sanitized()) {
            continue; // which would report that crash as its finding
        }
        struct fixture *fixture = fixture_open(
            &in_processes[i % 2],
            &(struct fixture_options){.behaviours = TROUPE_BEHAVIOURS(&runner)});
        troupe_ref_t ref = fixture_spawn(fixture, &runner);
        pid_t sleeper = ask_runner(fixture, ref, START_SLEEPER, NULL);
        cr_expect(process_runs(sleeper));

        end_runner(fixture, ref, hows[i]);

        expect_gone(sleeper);
        (void)fixture_close(&fixture);
    }
}

/* Signals to a whole program. ------------------------------------------------------------------ */

Test(process_groups, a_process_actor_holds_the_signals_that_the_first_process_handles)
{
    struct fixture *fixture = fixture_open(
        &in_processes[0], &(struct fixture_options){.behaviours = TROUPE_BEHAVIOURS(&runner)});
    troupe_ref_t ref = fixture_spawn(fixture, &runner);
    pid_t pid = ask_runner(fixture, ref, PID, NULL);

    MUST_BE(kill(pid, SIGTERM) == 0 && kill(pid, SIGINT) == 0);

    cr_expect(eq(int, ask_runner(fixture, ref, PID, NULL), pid));
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.unknown, 0));
}

/* Exits that another part of the program waited for. ------------------------------------------- */

static void monitor_it(troupe_context_t *ctx, void *data)
{
    MUST(troupe_monitor(ctx, *(const troupe_ref_t *)data, NULL));
}

static struct troupe_exit exit_of_a_runner(int how)
{
    struct fixture *fixture = fixture_open(
        &in_processes[0], &(struct fixture_options){.behaviours = TROUPE_BEHAVIOURS(&runner)});
    troupe_ref_t ref = fixture_spawn(fixture, &runner);
    (void)ask_runner(fixture, ref, PID, NULL);
    fixture_call(fixture, monitor_it, &ref);
    end_runner(fixture, ref, how);
    struct troupe_exit exit =
        FIXTURE_RECEIVE(fixture, TROUPE_MESSAGE_DOWN, struct troupe_down)->exit;
    (void)fixture_close(&fixture);
    return exit;
}

static void expect_exit(int how, enum troupe_exit_reason reason, int code, const char *text)
{
    struct troupe_exit exit = exit_of_a_runner(how);
    cr_expect(eq(int, exit.reason, reason), "%s", exit.text);
    cr_expect(eq(int, exit.code, code), "%s", exit.text);
    cr_expect(strstr(exit.text, text) != NULL, "%s", exit.text);
}

Test(process_groups, exits_are_true_where_children_are_not_waited_for)
{
    (void)signal(SIGCHLD, SIG_IGN);
    expect_exit(EXIT, TROUPE_EXIT_ERROR, 7, "status 7");
    if (!measure_is_sanitized()) { // a sanitizer has handlers of its own
        expect_exit(CRASH, TROUPE_EXIT_CRASHED, SIGSEGV, "SIGSEGV");
    }
    expect_exit(0, TROUPE_EXIT_KILLED, SIGKILL, "");
    expect_exit(SIGKILL, TROUPE_EXIT_UNKNOWN, 0, "SIGCHLD");
}

/* A kill before the start. --------------------------------------------------------------------- */

static enum troupe_err stuck_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)ctx, (void)state, (void)args, (void)args_bytes;
    while (pause() != 0) { // always: its callback never returns
    }
    return TROUPE_OK;
}

static const struct troupe_behaviour stuck = {
    .name = "stuck", .init = stuck_init, .receive = runner_receive};

static void spawn_and_kill(troupe_context_t *ctx, void *data)
{
    (void)data;
    troupe_ref_t ref = TROUPE_REF_NONE;
    const struct troupe_spawn_options options = {.behaviour = &stuck, .place = "process"};
    MUST(troupe_spawn(ctx, &options, &ref));
    MUST(troupe_monitor(ctx, ref, NULL));
    MUST(troupe_kill(ctx, ref));
}

Test(process_groups, a_kill_right_after_the_spawn_ends_a_process_that_never_returns)
{
    for (int i = 0; i < 10; i++) {
        struct fixture *fixture = fixture_open(
            &in_processes[0], &(struct fixture_options){.behaviours = TROUPE_BEHAVIOURS(&stuck)});

        fixture_call(fixture, spawn_and_kill, NULL);

        const struct troupe_down *down =
            FIXTURE_RECEIVE(fixture, TROUPE_MESSAGE_DOWN, struct troupe_down);
        cr_expect(eq(int, down->exit.reason, TROUPE_EXIT_KILLED), "%s", down->exit.text);
        (void)fixture_close(&fixture);
    }
}

SUBJECTS(&runner, &stuck);

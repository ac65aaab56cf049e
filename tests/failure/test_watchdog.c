/*
 * Callbacks that run too long are named, once each; on request their process is killed, and the exit reason says why. A
 * stopped process is not reported.
 */
#include "support/child.h"
#include "support/echo_system.h"
#include "support/fixture.h"
#include "support/measure.h"

#include "node/spawn.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LINGER = 7, LINGERED };

/** What the program of a test does; set before its child is started. */
static struct {
    const char *place;
    uint64_t linger_ms;
    uint64_t rounds;
    bool kills;
    bool is_stopped; // itself, with all its program, in the midst of its callback
} plot;

/** Stay in the callback for so many milliseconds, despite signals. */
static void linger(uint64_t ms)
{
    uint64_t until_ns = measure_now_ns() + ms * MEASURE_MS_NS;
    while (measure_now_ns() < until_ns) {
        (void)poll(NULL, 0, 1);
    }
}

static void slow_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    if (troupe_message_type(message) == LINGER) {
        linger(*TROUPE_BODY(message, uint64_t));
    }
    fixture_ignore(troupe_reply(ctx, message, LINGERED, NULL, 0));
}

static const struct troupe_behaviour slow = {.name = "slow", .receive = slow_receive};

/** Have an actor of a system linger, and wait for it. */
static int run_slow(void *data)
{
    (void)data;
    const struct troupe_system_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&slow),
        .callback_timeout_ns = 100 * MEASURE_MS_NS,
        .callback_timeout_kills = plot.kills,
        .stop_timeout_ns = ECHO_DEADLINE_NS,
    };
    troupe_system_t *system = NULL;
    MUST(troupe_system_new(&options, &system));
    troupe_inbox_t *inbox = echo_inbox_new(system);
    const struct troupe_spawn_options spawn = {
        .behaviour = &slow, .name = "the slow one", .place = plot.place};
    struct troupe_outgoing outgoing = {
        .type = LINGER, .body = &plot.linger_ms, .body_bytes = sizeof(plot.linger_ms)};
    MUST(trp_spawn(troupe_inbox_context(inbox), &spawn, true, &outgoing.to));
    for (uint64_t i = 0; i < plot.rounds; i++) {
        troupe_message_t *reply = NULL;
        MUST(troupe_inbox_ask(inbox, &outgoing, ECHO_DEADLINE_NS, &reply));
        troupe_message_destroy(&reply);
    }
    struct troupe_exit exit = {.reason = TROUPE_EXIT_NORMAL};
    if (plot.kills) {
        troupe_context_t *ctx = troupe_inbox_context(inbox);
        MUST(troupe_send(ctx, outgoing.to, LINGER, outgoing.body, outgoing.body_bytes));
        MUST(troupe_system_run(system)); // it stops with the root actor
        MUST(troupe_system_root_exit(system, &exit));
    }
    (void)printf("exit %s: %s\n", troupe_exit_reason_text(exit.reason), exit.text);
    echo_system_end(&system, &inbox);
    return 0;
}

static size_t count_names(const char *text)
{
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, "has been in a callback")) != NULL; at++) {
        count++;
    }
    return count;
}

static void expect_names(const char *place, uint64_t linger_ms, uint64_t rounds, size_t count)
{
    plot.place = place;
    plot.linger_ms = linger_ms;
    plot.rounds = rounds;
    plot.kills = false;
    struct child_end end = child_run(run_slow, NULL);

    cr_assert(eq(int, end.status, 0), "%s", end.err);
    cr_expect(eq(sz, count_names(end.err), count), "%s", end.err);
    if (count > 0) {
        cr_expect(
            strstr(end.err, "actor 'the slow one' (behaviour 'slow') on executor ") != NULL &&
                strstr(end.err, " has been in a callback (a message of type 7) for at least ") !=
                    NULL,
            "%s",
            end.err);
    }
}

Test(watchdog, a_callback_that_runs_too_long_is_named_once)
{
    expect_names("thread", 600, 1, 1);
}

Test(watchdog, each_callback_that_runs_too_long_is_named)
{
    expect_names("thread", 400, 3, 3);
}

Test(watchdog, a_callback_of_a_process_is_named)
{
    expect_names("process", 600, 1, 1);
}

Test(watchdog, a_short_callback_is_not_named)
{
    expect_names("thread", 1, 300, 0);
}

Test(watchdog, a_process_whose_callback_runs_too_long_is_killed_on_request)
{
    plot.place = "process";
    plot.linger_ms = 15000;
    plot.rounds = 0;
    plot.kills = true;
    struct child_end end = child_run(run_slow, NULL);

    cr_assert(eq(int, end.status, 0), "%s", end.err);
    cr_expect(
        strstr(end.out, "exit killed: its callback ran longer than 100 ms (a message of type 7)") !=
            NULL,
        "%s",
        end.out);
    cr_expect(strstr(end.err, "; its process is killed\n") != NULL, "%s", end.err);
    cr_expect(lt(u64, end.ns, 10 * MEASURE_SECOND_NS));
}

/* Programs of troupe_main(). ------------------------------------------------------------------- */

static enum troupe_err sloth_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)state, (void)args, (void)args_bytes;
    linger(plot.linger_ms);
    if (plot.is_stopped) {
        (void)raise(SIGSTOP);
        linger(plot.linger_ms);
    }
    troupe_stop(ctx);
    return TROUPE_OK;
}

static const struct troupe_behaviour sloth = {
    .name = "sloth", .init = sloth_init, .receive = slow_receive};

static int run_sloth(void *data)
{
    return child_troupe_main(data, TROUPE_BEHAVIOURS(&sloth));
}

Test(watchdog, a_long_init_on_executor_0_is_named_when_the_flag_is_given)
{
    plot.linger_ms = 600;
    char line[] = "program --watchdog 100ms";
    struct child_end end = child_run(run_sloth, line);

    cr_assert(eq(int, end.status, 0), "%s", end.err);
    cr_expect(
        strstr(
            end.err,
            "actor 'sloth' (behaviour 'sloth') on executor 0 'ecs' has been in a callback "
            "(init)") != NULL,
        "%s",
        end.err);
    cr_expect(eq(sz, count_names(end.err), 1), "%s", end.err);
}

Test(watchdog, an_invalid_time_is_refused_with_a_text)
{
    static char lines[][40] = {
        "program --watchdog soon",
        "program --watchdog 0",
        "program --watchdog 2s,stop",
        "program --watchdog 2sx",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct child_end end = child_run(run_sloth, lines[i]);
        cr_expect(eq(int, end.status, 2), "%s: %s", lines[i], end.err);
        cr_expect(strstr(end.err, "expected a time in m, s, ms, us or ns") != NULL, "%s", end.err);
    }
}

Test(watchdog, a_program_that_was_stopped_is_not_reported)
{
    // Before and after it, less than a callback may take; with it, more.
    plot.linger_ms = 300;
    plot.is_stopped = true;
    char line[] = "program --watchdog 1s";
    struct child *child = child_start(run_sloth, line);
    siginfo_t stopped;
    cr_assert(eq(int, waitid(P_PID, (id_t)child_pid(child), &stopped, WSTOPPED), 0));
    linger(1500);
    child_signal(child, SIGCONT);

    struct child_end end = child_end(&child);
    cr_expect(eq(int, end.status, 0), "%s", end.err);
    cr_expect(eq(sz, count_names(end.err), 0), "%s", end.err);
}

SUBJECTS(&echo_behaviour, &slow, &sloth);

/*
 * Ends in order: an actor that sends and stops at once loses no message, over any transport and with any reader; a
 * process runs as long as actors live in it; and no shutdown takes longer than the system may.
 *
 * Each course is run a few times, or as often as TROUPE_EXITS says.
 */
// ctest: timeout 240
#include "support/audit.h"
#include "support/fixture.h"
#include "support/measure.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NUMBER = 1, ALL, HELLO, HERE, WHERE, LEAVE };

enum { MANY = 50000, FEW = 5000, ROUNDS = 3, PROCESSES = 100 };

static unsigned rounds(void)
{
    const char *text = getenv("TROUPE_EXITS");
    return text == NULL ? ROUNDS : (unsigned)strtoul(text, NULL, 10);
}

/* A sender that stops. -------------------------------------------------------------------------- */

struct emitter_args {
    troupe_ref_t to;
    uint64_t count;
    bool stops_system;
};

struct emitter_state {
    struct emitter_args args;
    uint64_t sent;
};

/** Send until all are sent or the mailbox is full; a ROOM continues. */
static void emitter_pour(troupe_context_t *ctx, struct emitter_state *self)
{
    while (self->sent < self->args.count) {
        enum troupe_err err = TROUPE_SEND(ctx, self->args.to, NUMBER, &self->sent);
        if (err == TROUPE_ERR_FULL) {
            return;
        }
        MUST(err);
        self->sent++;
    }
    if (self->args.stops_system) {
        troupe_shutdown(ctx);
    }
    troupe_stop(ctx);
}

static enum troupe_err emitter_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    struct emitter_state *self = state;
    MUST_BE(args_bytes == sizeof(self->args));
    memcpy(&self->args, args, sizeof(self->args));
    emitter_pour(ctx, self);
    return TROUPE_OK;
}

static void emitter_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    MUST_BE(troupe_message_type(message) == TROUPE_MESSAGE_ROOM);
    emitter_pour(ctx, state);
}

static const struct troupe_behaviour emitter = {
    .name = "emitter",
    .state_bytes = sizeof(struct emitter_state),
    .init = emitter_init,
    .receive = emitter_receive,
};

/* A slow reader. -------------------------------------------------------------------------------- */

struct reader_state {
    struct fixture_journal journal;
    uint64_t handled_count;
};

static enum troupe_err reader_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)ctx;
    struct reader_state *self = state;
    MUST_BE(args_bytes == sizeof(self->journal));
    memcpy(&self->journal, args, sizeof(self->journal));
    return TROUPE_OK;
}

static void reader_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)ctx;
    struct reader_state *self = state;
    const uint64_t *number = TROUPE_BODY(message, uint64_t);
    MUST_BE(number != NULL && *number == self->handled_count);
    self->handled_count++;
    if (self->handled_count % 64 == 0) { // about half as fast as they come
        uint64_t until_ns = measure_now_ns() + 100000;
        while (measure_now_ns() < until_ns) {
        }
    }
}

static void reader_fini(troupe_context_t *ctx, void *state, const struct troupe_exit *end)
{
    (void)ctx, (void)end;
    const struct reader_state *self = state;
    char line[32];
    (void)snprintf(line, sizeof(line), "%" PRIu64, self->handled_count);
    fixture_journal_add(&self->journal, line);
}

static const struct troupe_behaviour reader = {
    .name = "reader",
    .state_bytes = sizeof(struct reader_state),
    .init = reader_init,
    .receive = reader_receive,
    .fini = reader_fini,
};

/** Run what there is to do, and let others run for a millisecond. */
static void rest(struct fixture *fixture)
{
    struct pollfd ready = {.fd = troupe_system_fd(fixture_system(fixture)), .events = POLLIN};
    fixture_settle(fixture);
    (void)poll(&ready, 1, 1);
}

/** A course: where both actors live, how much is sent, and what the sender does then. */
struct course {
    const char *reader_place;
    const char *emitter_place;
    uint64_t count;
    uint32_t mailbox_messages; // 0: room for all
    bool stops_system;
};

/** Wait until all that was sent was handled. */
static void await_quiet(struct fixture *fixture, uint64_t count)
{
    uint64_t deadline_ns = measure_now_ns() + FIXTURE_DEADLINE_NS;
    struct troupe_stats stats = {0};
    while (stats.handled < count) {
        rest(fixture);
        troupe_system_stats(fixture_system(fixture), &stats);
        if (measure_now_ns() > deadline_ns) {
            (void)troupe_system_audit(fixture_system(fixture), stderr);
            cr_fatal("%" PRIu64 " of %" PRIu64 " were handled in time", stats.handled, count);
        }
    }
}

static void run_course_once(const struct course *course)
{
    const struct fixture_placement placement = {.name = "reader", .place = course->reader_place};
    char rule[64];
    (void)snprintf(rule, sizeof(rule), "emitter=%s", course->emitter_place);
    const struct fixture_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&reader, &emitter),
        .first_rule = rule,
        .mailbox_messages = course->mailbox_messages != 0 ? course->mailbox_messages : MANY * 2,
    };
    struct fixture_journal journal;
    fixture_journal_open(&journal);
    struct fixture *fixture = fixture_open(&placement, &options);
    const struct troupe_spawn_options reader_options = {
        .behaviour = &reader, .args = &journal, .args_bytes = sizeof(journal)};
    const struct emitter_args args = {
        .to = fixture_spawn_with(fixture, &reader_options),
        .count = course->count,
        .stops_system = course->stops_system,
    };
    const struct troupe_spawn_options emitter_options = {
        .behaviour = &emitter, .args = &args, .args_bytes = sizeof(args)};
    (void)fixture_spawn_with(fixture, &emitter_options);
    if (course->stops_system) {
        fixture_run(fixture);
    } else {
        await_quiet(fixture, course->count);
    }
    struct troupe_stats stats = fixture_close(&fixture);
    cr_assert(eq(u64, stats.dead, 0));
    cr_assert(eq(u64, stats.unknown, 0));
    const char *handled = fixture_journal_close(&journal);
    cr_assert(strtoull(handled, NULL, 10) == course->count, "the reader handled %s", handled);
}

static void run_course(const struct course *course)
{
    for (unsigned round = 0; round < rounds(); round++) {
        run_course_once(course);
    }
}

/** A test of that course by ipc, and by tcp. */
#define COURSE_TEST(test, reader, ...)                                                    \
    Test(exits, test##__ipc, .timeout = 3600)                                             \
    {                                                                                     \
        run_course(&(const struct course){                                                \
            .reader_place = reader "+ipc", .emitter_place = "process+ipc", __VA_ARGS__}); \
    }                                                                                     \
    Test(exits, test##__tcp, .timeout = 3600)                                             \
    {                                                                                     \
        run_course(&(const struct course){                                                \
            .reader_place = reader "+tcp", .emitter_place = "process+tcp", __VA_ARGS__}); \
    }

COURSE_TEST(after_its_last_send_a_sender_that_stops_loses_nothing_to_main, "ecs", .count = MANY)
COURSE_TEST(
    after_its_last_send_a_sender_that_stops_loses_nothing_to_a_thread, "thread", .count = MANY)
COURSE_TEST(
    after_its_last_send_a_sender_that_stops_loses_nothing_to_a_process, "process", .count = MANY)

COURSE_TEST(
    a_sender_that_waits_for_room_loses_nothing_to_main, "ecs", .count = FEW, .mailbox_messages = 32)
COURSE_TEST(
    a_sender_that_waits_for_room_loses_nothing_to_a_thread,
    "thread",
    .count = FEW,
    .mailbox_messages = 32)
COURSE_TEST(
    a_sender_that_waits_for_room_loses_nothing_to_a_process,
    "process",
    .count = FEW,
    .mailbox_messages = 32)

COURSE_TEST(
    a_sender_that_stops_the_system_loses_nothing_to_main, "ecs", .count = FEW, .stops_system = true)
COURSE_TEST(
    a_sender_that_stops_the_system_loses_nothing_to_a_thread,
    "thread",
    .count = FEW,
    .stops_system = true)
COURSE_TEST(
    a_sender_that_stops_the_system_loses_nothing_to_a_process,
    "process",
    .count = FEW,
    .stops_system = true)

/* What lives in a process, and is spawned there. ------------------------------------------------ */

struct leaf_hello {
    troupe_ref_t ref;
    int32_t pid;
};

static enum troupe_err leaf_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)state;
    const struct leaf_hello hello = {.ref = troupe_self(ctx), .pid = getpid()};
    return TROUPE_SEND(ctx, fixture_ref_of(args, args_bytes), HELLO, &hello);
}

static void leaf_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    if (troupe_message_type(message) == LEAVE) {
        troupe_stop(ctx);
        return;
    }
    const int32_t pid = getpid();
    REPORT(ctx, message, HERE, &pid);
}

static const struct troupe_behaviour leaf = {
    .name = "leaf", .init = leaf_init, .receive = leaf_receive};

/** Where a nester's leaves live. */
static const char *const leaf_places[] = {"ecs", "thread", "process", "ecs", "thread"};
enum { LEAVES = sizeof(leaf_places) / sizeof(leaf_places[0]), LEAF_ELSEWHERE = 2 };

static enum troupe_err nester_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)state;
    for (int i = 0; i < LEAVES; i++) {
        const struct troupe_spawn_options options = {
            .behaviour = &leaf,
            .place = leaf_places[i],
            .args = args,
            .args_bytes = args_bytes,
        };
        MUST(troupe_spawn(ctx, &options, NULL));
    }
    return leaf_init(ctx, state, args, args_bytes);
}

static const struct troupe_behaviour nester = {
    .name = "nester", .init = nester_init, .receive = leaf_receive};

/** Wait until a process has exited and its parent has reaped it. */
static void await_gone(struct fixture *fixture, int32_t pid)
{
    uint64_t deadline_ns = measure_now_ns() + FIXTURE_DEADLINE_NS;
    while (kill(pid, 0) == 0) {
        rest(fixture);
        cr_assert(measure_now_ns() < deadline_ns, "process %d is still there", (int)pid);
    }
    cr_expect(eq(int, errno, ESRCH));
}

static void expect_pid(struct fixture *fixture, troupe_ref_t ref, int32_t pid)
{
    fixture_ask(fixture, ref, WHERE, NULL, 0);
    cr_expect(eq(i32, *FIXTURE_RECEIVE(fixture, HERE, int32_t), pid));
}

static void run_nest(void)
{
    const struct fixture_placement placement = {.name = "nest", .place = "ecs"};
    const struct fixture_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&nester, &leaf),
        .first_rule = "nester=process",
        .places_nothing = true,
    };
    struct fixture *fixture = fixture_open(&placement, &options);
    troupe_ref_t ref = fixture_spawn_reporter(fixture, &nester);
    struct leaf_hello leaves[LEAVES];
    int32_t home = 0;
    for (int count = 0; count < LEAVES || home == 0;) {
        struct leaf_hello hello = *FIXTURE_RECEIVE(fixture, HELLO, struct leaf_hello);
        if (troupe_ref_equal(hello.ref, ref)) {
            home = hello.pid;
        } else {
            leaves[count++] = hello;
        }
    }
    int32_t elsewhere = 0;
    for (int i = 0; i < LEAVES; i++) {
        if (leaves[i].pid != home) {
            cr_expect(eq(i32, elsewhere, 0), "one leaf has a process of its own");
            elsewhere = leaves[i].pid;
        }
    }
    cr_expect(elsewhere != 0 && elsewhere != getpid() && home != getpid());

    fixture_send(fixture, ref, LEAVE, NULL, 0);
    fixture_ask(fixture, ref, WHERE, NULL, 0);
    cr_expect(eq(int, fixture_receive(fixture, FIXTURE_NO_REPLY)->err, TROUPE_ERR_NOENT));

    for (int i = 0; i < LEAVES; i++) {
        expect_pid(fixture, leaves[i].ref, leaves[i].pid);
        fixture_send(fixture, leaves[i].ref, LEAVE, NULL, 0);
        cr_expect(i == LEAVES - 1 || kill(home, 0) == 0, "it lasts");
    }
    await_gone(fixture, home);
    await_gone(fixture, elsewhere);
    (void)fixture_close(&fixture);
}

Test(exits, a_process_runs_as_long_as_actors_live_in_it, .timeout = 600)
{
    for (unsigned round = 0; round < rounds(); round++) {
        run_nest();
    }
}

Test(exits, a_nest_is_stopped_with_the_system, .timeout = 600)
{
    const struct fixture_placement placement = {.name = "nest", .place = "ecs"};
    for (unsigned round = 0; round < rounds(); round++) {
        const struct fixture_options options = {
            .behaviours = TROUPE_BEHAVIOURS(&nester, &leaf),
            .first_rule = "nester=process",
            .places_nothing = true,
        };
        struct fixture *fixture = fixture_open(&placement, &options);
        (void)fixture_spawn_reporter(fixture, &nester);
        (void)FIXTURE_RECEIVE(fixture, HELLO, struct leaf_hello);
        struct troupe_stats stats = fixture_close(&fixture);
        cr_expect(eq(u64, stats.unknown, 0));
    }
}

/* Many at once. --------------------------------------------------------------------------------- */

Test(exits, a_hundred_processes_stop_within_the_time_to_stop, .timeout = 120)
{
    const struct fixture_placement placement = {.name = "process", .place = "process"};
    const struct fixture_options options = {.behaviours = TROUPE_BEHAVIOURS(&leaf)};
    struct fixture *fixture = fixture_open(&placement, &options);
    for (int i = 0; i < PROCESSES; i++) {
        (void)fixture_spawn_reporter(fixture, &leaf);
    }
    for (int i = 0; i < PROCESSES; i++) {
        (void)fixture_receive(fixture, HELLO);
    }

    uint64_t start_ns = measure_now_ns();
    struct troupe_stats stats = fixture_close(&fixture);
    uint64_t took_ns = measure_now_ns() - start_ns;

    cr_expect(eq(u64, stats.actors_ended, PROCESSES + 1));
    cr_expect(
        measure_is_sanitized() || took_ns < TROUPE_STOP_TIMEOUT_DEFAULT_NS,
        "it took %" PRIu64 " ms",
        took_ns / MEASURE_MS_NS);
    (void)fprintf(stderr, "100 processes stopped in %" PRIu64 " ms\n", took_ns / MEASURE_MS_NS);
}

/* A callback that never returns. ---------------------------------------------------------------- */

/** Prints its process number, and never returns. */
static enum troupe_err stuck_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    MUST(leaf_init(ctx, state, args, args_bytes));
    troupe_flush(ctx);
    while (pause() != 0) { // always: its callback never returns
    }
    return TROUPE_OK;
}

static const struct troupe_behaviour stuck = {
    .name = "stuck", .init = stuck_init, .receive = leaf_receive};

enum { STUCK_MS = 300 };

/** The first actor of that program: it waits for the message of the stuck one. */
static enum troupe_err keeper_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)args, (void)args_bytes;
    *(int32_t *)state = 0;
    const troupe_ref_t self = troupe_self(ctx);
    const struct troupe_spawn_options options = {
        .behaviour = &stuck, .args = &self, .args_bytes = sizeof(self), .place = "process"};
    return troupe_spawn(ctx, &options, NULL);
}

static int32_t stuck_pid; // the keeper lives in the test's own process

static void keeper_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    stuck_pid = TROUPE_BODY(message, struct leaf_hello)->pid;
    troupe_shutdown(ctx);
}

static const struct troupe_behaviour keeper = {
    .name = "keeper",
    .state_bytes = sizeof(int32_t),
    .init = keeper_init,
    .receive = keeper_receive,
};

Test(exits, a_process_that_never_returns_is_killed, .timeout = 60)
{
    const struct troupe_system_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&keeper, &stuck),
        .stop_timeout_ns = STUCK_MS * MEASURE_MS_NS,
    };
    troupe_system_t *system = NULL;
    cr_assert(eq(int, troupe_system_new(&options, &system), TROUPE_OK));
    const struct troupe_spawn_options spawn = {.behaviour = &keeper};
    cr_assert(eq(int, troupe_spawn(troupe_system_context(system), &spawn, NULL), TROUPE_OK));

    uint64_t start_ns = measure_now_ns();
    enum troupe_err err = troupe_system_run(system);
    uint64_t took_ns = measure_now_ns() - start_ns;

    cr_expect(err == TROUPE_OK, "%s: %s", troupe_strerror(err), troupe_error_detail());
    cr_expect(stuck_pid != 0 && kill(stuck_pid, 0) != 0, "process %d is there", (int)stuck_pid);
    cr_expect(took_ns < 5 * MEASURE_SECOND_NS, "it took %" PRIu64 " ms", took_ns / MEASURE_MS_NS);
    cr_expect(audit_balances(system));
    cr_expect(eq(int, troupe_system_destroy(&system), TROUPE_OK));
}

SUBJECTS(&emitter, &reader, &nester, &leaf, &keeper, &stuck);

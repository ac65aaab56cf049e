/*
 * What was sent by ipc or tcp is kept until it is handled, and no longer: bodies that were given away are freed although
 * nothing more is sent. And a process that is frozen for long loses nothing.
 */
#include "support/echo_system.h"
#include "support/fixture.h"
#include "support/measure.h"

#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(retention, .timeout = 600);

enum { BODY_BYTES = 1 << 20, BODIES = 8, TAKE = 0x00620001, TAKEN, PID };

static atomic_uint freed_count;

static void free_body(void *data, void *free_data)
{
    (void)free_data;
    free(data);
    (void)atomic_fetch_add(&freed_count, 1);
}

/** Counts what it is given, and replies to the last of it. */
static void taker_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    uint32_t *count = state;
    if (troupe_message_type(message) == PID) {
        int32_t pid = getpid();
        REPORT(ctx, message, PID, &pid);
    } else if (++*count == BODIES) {
        REPORT(ctx, message, TAKEN, count);
    }
}

static const struct troupe_behaviour taker = {
    .name = "taker", .state_bytes = sizeof(uint32_t), .receive = taker_receive};

static void give_bodies(troupe_context_t *ctx, void *data)
{
    for (int i = 0; i < BODIES; i++) {
        struct troupe_body body = {
            .data = aligned_alloc(8, BODY_BYTES), .bytes = BODY_BYTES, .free = free_body};
        MUST_BE(body.data != NULL);
        memset(body.data, i, BODY_BYTES);
        MUST(troupe_send_body(ctx, *(const troupe_ref_t *)data, TAKE, &body));
    }
}

BACKEND_TEST(retention, given_bodies_are_freed_once_they_are_handled)
{
    struct fixture *fixture =
        fixture_open(placement, &(struct fixture_options){.behaviours = TROUPE_BEHAVIOURS(&taker)});
    troupe_ref_t ref = fixture_spawn(fixture, &taker);
    atomic_store(&freed_count, 0);

    fixture_call(fixture, give_bodies, &ref);
    (void)fixture_receive(fixture, TAKEN);

    // From here on nothing is sent.
    uint64_t deadline_ns = measure_now_ns() + ECHO_DEADLINE_NS;
    while (atomic_load(&freed_count) < BODIES && measure_now_ns() < deadline_ns) {
        // As a loop of the program's own: only when there is something to do.
        struct pollfd ready = {.fd = troupe_system_fd(fixture_system(fixture)), .events = POLLIN};
        if (poll(&ready, 1, 1000) == 1) {
            fixture_ignore(troupe_system_progress(fixture_system(fixture), NULL));
        }
    }
    cr_expect(eq(u32, atomic_load(&freed_count), BODIES));
    (void)fixture_close(&fixture);
}

/* A freeze. ------------------------------------------------------------------------------------- */

enum { FLOOD_MESSAGES = 20000 };

/** How long the process is frozen: TROUPE_TEST_FREEZE_SECONDS, or one second. */
static unsigned freeze_seconds(void)
{
    const char *text = getenv("TROUPE_TEST_FREEZE_SECONDS"); // NOLINT(concurrency-mt-unsafe)
    return text == NULL ? 1 : (unsigned)strtoul(text, NULL, 10);
}

static void counter_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    uint64_t *next = state;
    if (troupe_message_type(message) == PID) {
        int32_t pid = getpid();
        REPORT(ctx, message, PID, &pid);
        return;
    }
    const uint64_t *number = TROUPE_BODY(message, uint64_t);
    MUST_BE(number != NULL && *number == *next); // in order, none twice, none missing
    if (++*next == FLOOD_MESSAGES) {
        REPORT(ctx, message, TAKEN, next);
    }
}

static const struct troupe_behaviour counter = {
    .name = "counter", .state_bytes = sizeof(uint64_t), .receive = counter_receive};

static void freeze_in_a_flood(const struct fixture_placement *placement)
{
    struct fixture *fixture = fixture_open(
        placement, &(struct fixture_options){.behaviours = TROUPE_BEHAVIOURS(&counter)});
    troupe_ref_t ref = fixture_spawn(fixture, &counter);
    fixture_ask(fixture, ref, PID, NULL, 0);
    pid_t pid = *FIXTURE_RECEIVE(fixture, PID, int32_t);
    for (uint64_t i = 0; i < FLOOD_MESSAGES / 8; i++) {
        fixture_send(fixture, ref, TAKE, &i, sizeof(i));
    }
    MUST_BE(kill(pid, SIGSTOP) == 0);
    uint64_t end_ns = measure_now_ns() + freeze_seconds() * MEASURE_SECOND_NS;
    while (measure_now_ns() < end_ns) { // the first process works all the time
        fixture_settle(fixture);
    }
    MUST_BE(kill(pid, SIGCONT) == 0);
    for (uint64_t i = FLOOD_MESSAGES / 8; i < FLOOD_MESSAGES; i++) {
        fixture_send(fixture, ref, TAKE, &i, sizeof(i));
    }
    cr_expect(eq(u64, *FIXTURE_RECEIVE(fixture, TAKEN, uint64_t), FLOOD_MESSAGES));
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead + stats.unknown, 0));
}

Test(retention, a_process_that_is_frozen_loses_nothing_by_ipc)
{
    freeze_in_a_flood(&(const struct fixture_placement){.name = "ipc", .place = "process+ipc"});
}

Test(retention, a_process_that_is_frozen_loses_nothing_by_tcp)
{
    freeze_in_a_flood(&(const struct fixture_placement){.name = "tcp", .place = "process+tcp"});
}

SUBJECTS(&taker, &counter);

// ctest: serial
/*
 * Flooding a slow receiver: memory stays constant, and each sender that was refused gets one ROOM.
 *
 * One second each in the suite; for longer floods: TROUPE_FLOOD_SECONDS=10 failure_test_flood
 */
#include "support/audit.h"
#include "support/fixture.h"
#include "support/measure.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGE = 1, SAMPLE, DRY };

/** Memory that a mailbox may take beyond its bound: pooled frames, and what malloc keeps. */
#define SLACK_BYTES (UINT64_C(8) << 20)

/** Longest body of a message. */
enum { BODY_BYTES_MAX = 65536 };

/** Shared by the flooders and the test, all in one process. */
static _Atomic uint64_t refusals; // senders that were refused, and wait for a ROOM
static _Atomic uint64_t rooms;
static _Atomic uint64_t unexpected; // ROOMs for which no sender waited
static _Atomic uint64_t received;
static _Atomic uint64_t senders; // that may send one more message, before they see that it is over
static _Atomic bool is_over;

/* The slow receiver. --------------------------------------------------------------------------- */

static void sink_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)ctx, (void)state, (void)message;
    uint64_t until_ns = measure_now_ns() + 3000;
    while (!atomic_load(&is_over) && measure_now_ns() < until_ns) {
    }
    atomic_fetch_add(&received, 1);
}

static const struct troupe_behaviour sink = {.name = "sink", .receive = sink_receive};

/* The flooders. -------------------------------------------------------------------------------- */

struct flooder {
    troupe_ref_t to;
    size_t body_bytes;
    bool waits;
};

/** Send until it is refused. */
static void flooder_send(troupe_context_t *ctx, struct flooder *self)
{
    static const char body[BODY_BYTES_MAX];
    atomic_fetch_add(&senders, 1);
    while (!self->waits && !atomic_load(&is_over)) {
        enum troupe_err err = troupe_send(ctx, self->to, MESSAGE, body, self->body_bytes);
        if (err == TROUPE_ERR_FULL) {
            self->waits = true;
            atomic_fetch_add(&refusals, 1);
        } else {
            MUST(err);
        }
    }
    atomic_fetch_sub(&senders, 1);
}

static enum troupe_err flooder_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    MUST_BE(args_bytes == sizeof(struct flooder));
    memcpy(state, args, args_bytes);
    flooder_send(ctx, state);
    return TROUPE_OK;
}

static void flooder_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct flooder *self = state;
    MUST_BE(troupe_message_type(message) == TROUPE_MESSAGE_ROOM);
    atomic_fetch_add(self->waits ? &rooms : &unexpected, 1);
    self->waits = false;
    flooder_send(ctx, self);
}

static const struct troupe_behaviour flooder = {
    .name = "flooder",
    .state_bytes = sizeof(struct flooder),
    .init = flooder_init,
    .receive = flooder_receive,
};

/* The gauge. ----------------------------------------------------------------------------------- */

/** Samples the memory, ends the flood when the time is over, and the system when all ROOMs have arrived. */
struct gauge {
    uint64_t seconds;
    uint64_t start_ns;
    uint64_t first_bytes;
    uint64_t most_bytes;
};

/** Its result. */
static struct gauge measured;

static enum troupe_err gauge_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    struct gauge *self = state;
    MUST_BE(args_bytes == sizeof(*self));
    memcpy(self, args, args_bytes);
    self->start_ns = measure_now_ns();
    const struct troupe_outgoing sample = {.to = troupe_self(ctx), .type = SAMPLE};
    return troupe_send_every(ctx, 10 * MEASURE_MS_NS, &sample, NULL);
}

static void gauge_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)message;
    struct gauge *self = state;
    uint64_t passed_ns = measure_now_ns() - self->start_ns;
    uint64_t bytes = measure_resident_bytes();
    if (self->first_bytes == 0 && passed_ns > self->seconds * MEASURE_SECOND_NS / 5) {
        self->first_bytes = bytes; // pools are warm by now
    }
    self->most_bytes = bytes > self->most_bytes ? bytes : self->most_bytes;
    measured = *self;
    if (passed_ns > self->seconds * MEASURE_SECOND_NS) {
        atomic_store(&is_over, true);
    }
    bool is_late = passed_ns > (self->seconds + 10) * MEASURE_SECOND_NS;
    bool is_done = atomic_load(&is_over) && atomic_load(&senders) == 0 &&
                   atomic_load(&rooms) == atomic_load(&refusals);
    if (is_late || is_done) {
        troupe_shutdown(ctx);
    }
}

static const struct troupe_behaviour gauge = {
    .name = "gauge",
    .state_bytes = sizeof(struct gauge),
    .init = gauge_init,
    .receive = gauge_receive,
};

/* Floods. -------------------------------------------------------------------------------------- */

/** A flood: placements, and the size of a body. */
struct flood {
    const char *sink_place;
    const char *flooder_places[4]; // NULL-terminated
    size_t body_bytes;
    uint64_t bound_bytes; // bound of the mailbox
};

static uint64_t flood_seconds(void)
{
    const char *text = getenv("TROUPE_FLOOD_SECONDS");
    return text == NULL ? 1 : strtoull(text, NULL, 10);
}

static void flood_spawn(troupe_system_t *system, const struct flood *flood)
{
    troupe_context_t *ctx = troupe_system_context(system);
    struct flooder args = {.body_bytes = flood->body_bytes};
    const struct troupe_spawn_options slow = {.behaviour = &sink, .place = flood->sink_place};
    MUST(troupe_spawn(ctx, &slow, &args.to));
    for (int i = 0; flood->flooder_places[i] != NULL; i++) {
        const struct troupe_spawn_options fast = {
            .behaviour = &flooder,
            .place = flood->flooder_places[i],
            .args = &args,
            .args_bytes = sizeof(args),
        };
        MUST(troupe_spawn(ctx, &fast, NULL));
    }
    const struct gauge gauge_args = {.seconds = flood_seconds()};
    const struct troupe_spawn_options look = {
        .behaviour = &gauge, .args = &gauge_args, .args_bytes = sizeof(gauge_args)};
    MUST(troupe_spawn(ctx, &look, NULL));
}

static void flood_report(const struct troupe_stats *stats)
{
    (void)fprintf(
        stderr,
        "%llu s: %llu received, %llu sends refused, %llu rooms; %llu KiB resident at first, %llu "
        "at "
        "most\n",
        (unsigned long long)measured.seconds,
        (unsigned long long)stats->handled,
        (unsigned long long)stats->refused,
        (unsigned long long)stats->rooms,
        (unsigned long long)(measured.first_bytes >> 10),
        (unsigned long long)(measured.most_bytes >> 10));
}

static void expect_flat(const struct flood *flood)
{
    const struct troupe_system_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&sink, &flooder, &gauge),
        .mailbox_bytes = flood->bound_bytes,
    };
    troupe_system_t *system = NULL;
    MUST(troupe_system_new(&options, &system));
    uint64_t before = measure_resident_bytes();
    flood_spawn(system, flood);

    cr_expect(eq(int, troupe_system_run(system), TROUPE_OK), "%s", troupe_error_detail());

    struct troupe_stats stats;
    troupe_system_stats(system, &stats);
    flood_report(&stats);
    cr_expect(gt(u64, atomic_load(&refusals), 0), "it was a flood");
    cr_expect(
        eq(u64, atomic_load(&rooms), atomic_load(&refusals)), "one ROOM for each refused sender");
    cr_expect(eq(u64, atomic_load(&unexpected), 0));
    cr_expect(eq(u64, stats.refused, atomic_load(&refusals)));
    cr_expect(eq(u64, stats.rooms, stats.refused));
    cr_expect(eq(u64, stats.dead, 0));
    cr_expect(eq(u64, stats.accepted, stats.handled));
    if (!measure_is_sanitized()) {
        uint64_t most = measured.most_bytes;
        cr_expect(most < measured.first_bytes + SLACK_BYTES, "it grew");
        cr_expect(most < before + 2 * flood->bound_bytes + SLACK_BYTES, "it is over its bound");
    }
    audit_and_destroy(&system);
}

Test(flood, of_a_thread_by_one_thread_takes_no_more_memory)
{
    expect_flat(&(const struct flood){"thread", {"thread"}, 64, 1 << 20});
}

Test(flood, of_a_thread_by_threads_and_the_main_thread_takes_no_more_memory)
{
    expect_flat(&(const struct flood){"thread", {"thread", "ecs", "thread"}, 64, 1 << 20});
}

Test(flood, of_a_pool_by_a_pool_takes_no_more_memory)
{
    expect_flat(&(const struct flood){"thread:2", {"thread:2", "thread:2", "ecs"}, 64, 1 << 20});
}

Test(flood, of_the_main_thread_by_threads_takes_no_more_memory)
{
    expect_flat(&(const struct flood){"ecs", {"thread", "thread"}, 64, 1 << 20});
}

Test(flood, of_the_main_thread_by_itself_takes_no_more_memory)
{
    expect_flat(&(const struct flood){"ecs", {"ecs", "ecs"}, 64, 1 << 20});
}

Test(flood, of_large_bodies_takes_no_more_memory)
{
    expect_flat(&(const struct flood){"thread", {"thread", "ecs"}, BODY_BYTES_MAX, 8 << 20});
}

/* Many senders that send little. --------------------------------------------------------------- */

enum { SENDERS = 40, FEW = 20 };

static enum troupe_err trickler_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)state;
    troupe_ref_t to = fixture_ref_of(args, args_bytes);
    for (int i = 0; i < FEW; i++) {
        enum troupe_err err = troupe_send(ctx, to, MESSAGE, NULL, 0);
        if (err != TROUPE_OK) {
            atomic_fetch_add(&refusals, 1);
        }
    }
    return TROUPE_OK;
}

static void trickler_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)ctx, (void)state, (void)message; // a ROOM
}

static const struct troupe_behaviour trickler = {
    .name = "trickler", .init = trickler_init, .receive = trickler_receive};

/** Wait until so many tricklers have sent all of their messages. Their receiver does nothing meanwhile. */
static void wait_for_starts(troupe_system_t *system, uint64_t count)
{
    uint64_t deadline_ns = measure_now_ns() + 10 * MEASURE_SECOND_NS;
    struct troupe_stats stats;
    do {
        troupe_system_stats(system, &stats);
        cr_assert(lt(u64, measure_now_ns(), deadline_ns));
        (void)sched_yield();
    } while (stats.actors_started < count);
}

Test(flood, a_mailbox_with_plenty_of_room_refuses_none_of_many_senders)
{
    const struct troupe_system_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&sink, &trickler)};
    troupe_system_t *system = NULL;
    MUST(troupe_system_new(&options, &system));
    troupe_context_t *ctx = troupe_system_context(system);
    const struct troupe_spawn_options receiver = {.behaviour = &sink, .place = "ecs"};
    troupe_ref_t to = TROUPE_REF_NONE;
    MUST(troupe_spawn(ctx, &receiver, &to));
    const struct troupe_spawn_options sender = {
        .behaviour = &trickler, .place = "thread", .args = &to, .args_bytes = sizeof(to)};

    for (int i = 0; i < SENDERS; i++) {
        MUST(troupe_spawn(ctx, &sender, NULL));
    }
    wait_for_starts(system, SENDERS);

    // 800 wait; the bound is 10,000.
    cr_expect(eq(u64, atomic_load(&refusals), 0));
    atomic_store(&is_over, true);
    troupe_system_stop(system);
    cr_expect(eq(int, troupe_system_run(system), TROUPE_OK));
    audit_and_destroy(&system);
}

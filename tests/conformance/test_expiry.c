/*
 * Times to live: a message that has one is handled in time or not at all, and keeps its order among others. If it is
 * not handled, its sender and the subscribers to dead letters are notified.
 *
 * A nanosecond has passed by the time a message is handled; an hour has not.
 */
#include "support/fixture.h"

#include <stdatomic.h>
#include <string.h>

enum {
    STEP = 1,     // uint64_t, counted from 0
    REPORT_STEPS, // ask: how many steps were handled, and whether in order
    STEPS_REPORT, // struct steps
    QUESTION,     // ask that is never replied to
    LARGE,        // many bytes
    PASS,         // struct pass, and it goes on to another
};

enum { STEPS = 200, LARGE_BYTES = 40000 };

#define MOMENT_NS UINT64_C(1)
#define HOUR_NS   UINT64_C(3600000000000)

struct steps {
    uint64_t count;
    uint64_t last;
    uint64_t disorder;
    uint64_t large_count;
    uint64_t question_count;
    uint64_t pass_count;
};

struct pass {
    troupe_ref_t to;
    uint64_t
        until_ns; // it is held until then and forwarded; 0: sent anew, with a short time to live
};

static void counter_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct steps *steps = state;
    uint64_t step = 0;
    switch (troupe_message_type(message)) {
    case STEP:
        step = *TROUPE_BODY(message, uint64_t);
        steps->disorder += steps->count != 0 && step <= steps->last ? 1 : 0;
        steps->last = step;
        steps->count++;
        break;
    case LARGE:
        MUST_BE(troupe_message_body_bytes(message) == LARGE_BYTES);
        steps->large_count++;
        break;
    case QUESTION:
        steps->question_count++;
        break;
    case PASS:
        steps->pass_count++;
        break;
    default:
        REPORT(ctx, message, STEPS_REPORT, steps);
        break;
    }
}

static const struct troupe_behaviour counter = {
    .name = "counter", .state_bytes = sizeof(struct steps), .receive = counter_receive};

static struct fixture *open_with_counter(
    const struct fixture_placement *placement, troupe_ref_t *out_counter)
{
    struct fixture_options options = {.behaviours = TROUPE_BEHAVIOURS(&counter)};
    struct fixture *fixture = fixture_open(placement, &options);
    *out_counter = fixture_spawn(fixture, &counter);
    return fixture;
}

/** @return what the counter has handled, after all that the scenario sent it before. */
static struct steps ask_steps(struct fixture *fixture, troupe_ref_t counter_ref)
{
    fixture_ask(fixture, counter_ref, REPORT_STEPS, NULL, 0);
    return *FIXTURE_RECEIVE(fixture, STEPS_REPORT, struct steps);
}

static void send_with(
    troupe_context_t *ctx, troupe_ref_t to, uint32_t type, uint64_t number, uint64_t ttl_ns)
{
    const struct troupe_outgoing outgoing = {
        .to = to,
        .type = type,
        .body = &number,
        .body_bytes = sizeof(number),
        .ttl_ns = ttl_ns,
    };
    MUST(troupe_send_message(ctx, &outgoing));
}

/* Sends. --------------------------------------------------------------------------------------- */

static void send_every_second(troupe_context_t *ctx, void *to)
{
    for (uint64_t i = 0; i < STEPS; i++) {
        send_with(ctx, *(troupe_ref_t *)to, STEP, i, i % 2 == 0 ? HOUR_NS : MOMENT_NS);
    }
}

BACKEND_TEST(expiry, an_expired_message_is_never_handled)
{
    troupe_ref_t to;
    struct fixture *fixture = open_with_counter(placement, &to);

    fixture_call(fixture, send_every_second, &to);

    struct steps steps = ask_steps(fixture, to);
    cr_expect(eq(u64, steps.count, STEPS / 2));
    cr_expect(eq(u64, steps.last, STEPS - 2));
    cr_expect(eq(u64, steps.disorder, 0));
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead_by_reason[TROUPE_DEAD_EXPIRED], STEPS / 2));
    cr_expect(eq(u64, stats.dead, STEPS / 2));
}

static void send_with_and_without(troupe_context_t *ctx, void *to)
{
    for (uint64_t i = 0; i < STEPS; i++) {
        send_with(ctx, *(troupe_ref_t *)to, STEP, i, i % 3 == 0 ? HOUR_NS : 0);
    }
}

BACKEND_TEST(expiry, messages_with_a_time_to_live_keep_their_order)
{
    troupe_ref_t to;
    struct fixture *fixture = open_with_counter(placement, &to);

    fixture_call(fixture, send_with_and_without, &to);

    struct steps steps = ask_steps(fixture, to);
    cr_expect(eq(u64, steps.count, STEPS));
    cr_expect(eq(u64, steps.disorder, 0));
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead, 0));
}

static void spawn_and_send(troupe_context_t *ctx, void *out_ref)
{
    const struct troupe_spawn_options options = {.behaviour = &counter};
    MUST(troupe_spawn(ctx, &options, out_ref));
    send_every_second(ctx, out_ref);
}

BACKEND_TEST(expiry, a_message_that_waits_for_its_receivers_start_expires)
{
    struct fixture_options options = {.behaviours = TROUPE_BEHAVIOURS(&counter)};
    struct fixture *fixture = fixture_open(placement, &options);
    troupe_ref_t to = TROUPE_REF_NONE;

    fixture_call(fixture, spawn_and_send, &to);

    cr_expect(eq(u64, ask_steps(fixture, to).count, STEPS / 2));
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead_by_reason[TROUPE_DEAD_EXPIRED], STEPS / 2));
}

static void send_large(troupe_context_t *ctx, void *to)
{
    static const uint8_t bytes[LARGE_BYTES];
    for (int i = 0; i < 4; i++) {
        const struct troupe_outgoing outgoing = {
            .to = *(troupe_ref_t *)to,
            .type = LARGE,
            .body = bytes,
            .body_bytes = sizeof(bytes),
            .ttl_ns = i % 2 == 0 ? HOUR_NS : MOMENT_NS,
        };
        MUST(troupe_send_message(ctx, &outgoing));
    }
}

BACKEND_TEST(expiry, messages_with_large_bodies_expire)
{
    troupe_ref_t to;
    struct fixture *fixture = open_with_counter(placement, &to);

    fixture_call(fixture, send_large, &to);

    cr_expect(eq(u64, ask_steps(fixture, to).large_count, 2));
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead_by_reason[TROUPE_DEAD_EXPIRED], 2));
}

static void flood_late(troupe_context_t *ctx, void *data)
{
    struct fixture_flood *flood = data;
    const struct troupe_outgoing outgoing = {.to = flood->to, .type = STEP, .ttl_ns = MOMENT_NS};
    flood->refused = 0;
    // If another executor empties the mailbox meanwhile, it may never be full.
    for (int i = 0; i < 300 && flood->refused == 0; i++) {
        bool is_accepted = troupe_send_message(ctx, &outgoing) == TROUPE_OK;
        flood->accepted += is_accepted ? 1 : 0;
        flood->refused += is_accepted ? 0 : 1;
    }
}

BACKEND_TEST(expiry, an_expired_message_frees_its_room)
{
    struct fixture_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&counter),
        .mailbox_messages = 100,
    };
    struct fixture *fixture = fixture_open(placement, &options);
    struct fixture_flood flood = {.to = fixture_spawn(fixture, &counter)};

    for (int i = 0; i < 5; i++) {
        fixture_call(fixture, flood_late, &flood);
        if (flood.refused != 0) {
            (void)fixture_receive(fixture, TROUPE_MESSAGE_ROOM);
        }
        cr_expect(eq(u64, ask_steps(fixture, flood.to).count, 0));
    }

    cr_expect(ge(u32, flood.accepted, 100));
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead_by_reason[TROUPE_DEAD_EXPIRED], flood.accepted));
}

/* Asks. ---------------------------------------------------------------------------------------- */

static struct {
    uint32_t calls;
    enum troupe_err err;
    char detail[128];
} replied; // the scenario lives in the test's own process

static void on_reply(
    troupe_context_t *ctx,
    void *state,
    uint64_t tag,
    enum troupe_err err,
    const troupe_message_t *reply)
{
    (void)ctx, (void)state, (void)tag, (void)reply;
    replied.calls++;
    replied.err = err;
    (void)strncpy(replied.detail, troupe_error_detail(), sizeof(replied.detail) - 1);
}

static void ask_late(troupe_context_t *ctx, void *to)
{
    const struct troupe_outgoing outgoing = {
        .to = *(troupe_ref_t *)to,
        .type = QUESTION,
        .ttl_ns = MOMENT_NS,
    };
    memset(&replied, 0, sizeof(replied));
    MUST(troupe_ask(
        ctx,
        &outgoing,
        &(const struct troupe_ask_options){.timeout_ns = HOUR_NS, .on_reply = on_reply}));
}

BACKEND_TEST(expiry, an_ask_that_expired_fails_at_once_and_says_why)
{
    troupe_ref_t to;
    struct fixture *fixture = open_with_counter(placement, &to);

    fixture_call(fixture, ask_late, &to);

    cr_expect(eq(u64, ask_steps(fixture, to).question_count, 0));
    cr_expect(eq(u32, replied.calls, 1)); // its failure came before the reply to the later ask
    cr_expect(eq(int, replied.err, TROUPE_ERR_TIMEDOUT));
    cr_expect(strstr(replied.detail, "type 4") != NULL, "%s", replied.detail);
    cr_expect(strstr(replied.detail, "expired") != NULL, "%s", replied.detail);
    fixture_close(&fixture);
}

/* Passed on. ----------------------------------------------------------------------------------- */

static void passer_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    const struct pass *pass = troupe_message_body_sized(message, sizeof(*pass));
    if (pass == NULL) {
        MUST(troupe_reply(ctx, message, STEPS_REPORT, NULL, 0)); // it has started
        return;
    }
    while (troupe_now(ctx) < pass->until_ns) {
    }
    const struct troupe_outgoing outgoing = {
        .to = pass->to,
        .type = PASS,
        .body = pass,
        .body_bytes = sizeof(*pass),
        .ttl_ns = MOMENT_NS,
        .on_behalf_of = troupe_message_reply_to(message),
    };
    MUST(
        pass->until_ns != 0 ? troupe_forward(ctx, message, pass->to)
                            : troupe_send_message(ctx, &outgoing));
}

static const struct troupe_behaviour passer = {.name = "passer", .receive = passer_receive};

struct passed {
    troupe_ref_t passer;
    struct pass pass;
    uint64_t ttl_ns;
};

static void send_through(troupe_context_t *ctx, void *data)
{
    struct passed *passed = data;
    struct troupe_outgoing outgoing = {
        .to = passed->passer,
        .type = PASS,
        .body = &passed->pass,
        .body_bytes = sizeof(passed->pass),
        .ttl_ns = passed->ttl_ns,
    };
    passed->pass.until_ns = passed->ttl_ns != 0 ? troupe_now(ctx) + passed->ttl_ns : 0;
    MUST(troupe_send_message(ctx, &outgoing));
}

/** Send a message through a passer, and expect that it expired on the way. */
static void expect_expired(const struct fixture_placement *placement, uint64_t ttl_ns)
{
    struct fixture_options options = {.behaviours = TROUPE_BEHAVIOURS(&counter, &passer)};
    struct fixture *fixture = fixture_open(placement, &options);
    struct passed passed = {
        .passer = fixture_spawn(fixture, &passer),
        .pass = {.to = fixture_spawn(fixture, &counter)},
        .ttl_ns = ttl_ns,
    };
    cr_expect(eq(u64, ask_steps(fixture, passed.pass.to).pass_count, 0)); // both have started
    fixture_ask(fixture, passed.passer, REPORT_STEPS, NULL, 0);
    (void)fixture_receive(fixture, STEPS_REPORT);

    fixture_call(fixture, send_through, &passed);

    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead_by_reason[TROUPE_DEAD_EXPIRED], 1));
    cr_expect(eq(u64, stats.dead, 1));
}

BACKEND_TEST(expiry, a_forwarded_message_keeps_its_time_to_live)
{
    expect_expired(
        placement, UINT64_C(100000000)); // received within that time, and held until it is over
}

BACKEND_TEST(expiry, a_delegated_message_has_its_own_time_to_live)
{
    expect_expired(placement, 0);
}

/* Timers. -------------------------------------------------------------------------------------- */

static void send_after_a_moment(troupe_context_t *ctx, void *to)
{
    const uint64_t number = 1;
    struct troupe_outgoing outgoing = {
        .to = *(troupe_ref_t *)to,
        .type = STEP,
        .body = &number,
        .body_bytes = sizeof(number),
        .ttl_ns = MOMENT_NS,
    };
    MUST(troupe_send_after(ctx, 1000, &outgoing, NULL)); // its time to live starts when it fires
    outgoing.to = troupe_self(ctx);
    outgoing.ttl_ns = HOUR_NS;
    MUST(troupe_send_after(ctx, 2000, &outgoing, NULL));
}

BACKEND_TEST(expiry, the_time_to_live_of_a_timers_message_starts_when_the_timer_fires)
{
    troupe_ref_t to;
    struct fixture *fixture = open_with_counter(placement, &to);

    fixture_call(fixture, send_after_a_moment, &to);
    (void)fixture_receive(fixture, STEP);

    cr_expect(eq(u64, ask_steps(fixture, to).count, 0));
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead_by_reason[TROUPE_DEAD_EXPIRED], 1));
}

/* Clocks. -------------------------------------------------------------------------------------- */

static _Atomic uint64_t still_ns;

static uint64_t still_clock(void *unused)
{
    (void)unused;
    return atomic_load(&still_ns);
}

static void send_and_wait(troupe_context_t *ctx, void *to)
{
    send_with(ctx, *(troupe_ref_t *)to, STEP, 1, 10);
    atomic_fetch_add(&still_ns, 10); // before it has left: that is when the callback returns
}

BACKEND_TEST(expiry, a_custom_clock_counts_within_its_process)
{
    struct fixture_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&counter),
        .clock = still_clock,
    };
    atomic_store(&still_ns, 1000);
    struct fixture *fixture = fixture_open(placement, &options);
    troupe_ref_t to = fixture_spawn(fixture, &counter);
    cr_expect(eq(u64, ask_steps(fixture, to).count, 0)); // it has started

    fixture_call(fixture, send_and_wait, &to);

    bool is_far = to.node != fixture_scenario(fixture).node;
    cr_expect(eq(u64, ask_steps(fixture, to).count, is_far ? 1 : 0));
    fixture_close(&fixture);
}

SUBJECTS(&counter, &passer);

/*
 * Promise 6, bounded: a mailbox has a bound in messages and bytes that means the same on every backend and
 * transport. A send beyond it is refused, and each sender that was refused gets one ROOM when it may send again.
 *
 * The floods come from the scenario, and the receiver is held meanwhile; see fixture_hold().
 */
#include "support/fixture.h"

#include <stdlib.h>
#include <string.h>

enum {
    QUERY = 1, // to the asker: troupe_ref_t, the actor to ask
    QUESTION,  // from the asker to the scenario
    ANSWER,    // from the scenario to the asker
    ANSWERED,  // from the asker: uint32_t, an error code
    TICK,      // from a timer to the slow actor
    TOCK,      // from a timer to the scenario
    PRESS,     // to a presser: troupe_ref_t, the judge
    PRESSURE,  // from a presser to the judge
    JUDGE,     // an ask to the judge; its reply is FAIR
    FAIR,      // no body
    ENOUGH,    // from the judge to a presser
    INSIST,    // to a retrier: troupe_ref_t, the receiver
    RETRY,     // from a retrier to itself
    DONE,      // from a retrier to the scenario
};

enum { BOUND = 32 };

static struct fixture *open_bounded(
    const struct fixture_placement *placement, const struct troupe_behaviour *const *behaviours)
{
    struct fixture_options options = {.behaviours = behaviours, .mailbox_messages = BOUND};
    return fixture_open(placement, &options);
}

/** A system with a slow actor that is held. */
static struct fixture *open_with_slow(
    const struct fixture_placement *placement, troupe_ref_t *out_slow, struct fixture_latch *gate)
{
    struct fixture *fixture = open_bounded(placement, TROUPE_BEHAVIOURS(&fixture_slow));
    *out_slow = fixture_spawn(fixture, &fixture_slow);
    fixture_hold(fixture, *out_slow, gate);
    return fixture;
}

BACKEND_TEST(bounds, a_full_mailbox_refuses_before_more_than_the_bound_waits)
{
    troupe_ref_t slow = TROUPE_REF_NONE;
    struct fixture_latch gate;
    struct fixture *fixture = open_with_slow(placement, &slow, &gate);
    struct fixture_flood flood = {.to = slow};

    fixture_call(fixture, fixture_flood, &flood);
    fixture_latch_open(&gate);

    cr_expect(le(u32, flood.accepted, BOUND));
    cr_expect(ge(u32, flood.accepted, BOUND / 2)); // a lone sender may use two thirds of it
    cr_expect(eq(u32, flood.refused, 1));
    (void)fixture_receive(fixture, TROUPE_MESSAGE_ROOM);
    cr_expect(eq(u64, fixture_count(fixture, slow), flood.accepted)); // and none is lost
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead, 0));
}

BACKEND_TEST(bounds, many_refused_sends_are_followed_by_one_room)
{
    troupe_ref_t slow = TROUPE_REF_NONE;
    struct fixture_latch gate;
    struct fixture *fixture = open_with_slow(placement, &slow, &gate);
    struct fixture_flood flood = {.to = slow, .extra = 20};

    fixture_call(fixture, fixture_flood, &flood);
    fixture_latch_open(&gate);

    const struct received *heard = fixture_receive(fixture, TROUPE_MESSAGE_ROOM);
    const struct troupe_room *room = heard->body;
    cr_expect(eq(u32, flood.refused, 21));
    cr_expect(eq(sz, heard->body_bytes, sizeof(*room)));
    cr_expect(troupe_ref_equal(room->to, slow));
    cr_expect(troupe_ref_is_none(heard->from));
    (void)fixture_count(fixture, slow); // any other ROOM has arrived by now
    cr_expect(eq(u32, fixture_pending_count(fixture, TROUPE_MESSAGE_ROOM), 0));
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.rooms, 1));
}

BACKEND_TEST(bounds, a_send_after_a_room_is_accepted)
{
    troupe_ref_t slow = TROUPE_REF_NONE;
    struct fixture_latch gate;
    struct fixture *fixture = open_with_slow(placement, &slow, &gate);
    uint64_t accepted = 0;

    for (int round = 0; round < 5; round++) {
        struct fixture_flood flood = {.to = slow};
        fixture_call(fixture, fixture_flood, &flood);
        fixture_latch_open(&gate);
        (void)fixture_receive(fixture, TROUPE_MESSAGE_ROOM);
        struct fixture_flood next = {.to = slow, .count_max = 1};
        fixture_call(fixture, fixture_flood, &next);
        cr_expect(eq(u32, next.accepted, 1));
        cr_expect(eq(u32, next.refused, 0));
        accepted += flood.accepted + next.accepted;
        cr_expect(eq(u64, fixture_count(fixture, slow), accepted));
        fixture_hold(fixture, slow, &gate);
    }

    fixture_latch_open(&gate);
    fixture_close(&fixture);
}

struct two_floods {
    struct fixture_flood one;
    struct fixture_flood other;
};

static void flood_two(troupe_context_t *ctx, void *data)
{
    struct two_floods *floods = data;
    fixture_flood(ctx, &floods->one);
    fixture_flood(ctx, &floods->other);
}

BACKEND_TEST(bounds, each_receiver_that_refused_sends_one_room)
{
    struct fixture *fixture = open_bounded(placement, TROUPE_BEHAVIOURS(&fixture_slow));
    struct two_floods floods = {
        .one = {.to = fixture_spawn(fixture, &fixture_slow), .extra = 3},
        .other = {.to = fixture_spawn(fixture, &fixture_slow), .extra = 3},
    };
    struct fixture_latch one_gate;
    struct fixture_latch other_gate = {{0}};
    fixture_hold(fixture, floods.one.to, &one_gate);
    if (!fixture_share_executor(floods.one.to, floods.other.to)) {
        fixture_hold(fixture, floods.other.to, &other_gate);
    }

    fixture_call(fixture, flood_two, &floods);
    fixture_latch_open(&one_gate);
    fixture_latch_open(&other_gate);

    troupe_ref_t first = FIXTURE_RECEIVE(fixture, TROUPE_MESSAGE_ROOM, struct troupe_room)->to;
    troupe_ref_t second = FIXTURE_RECEIVE(fixture, TROUPE_MESSAGE_ROOM, struct troupe_room)->to;
    cr_expect(not(troupe_ref_equal(first, second)));
    cr_expect(troupe_ref_equal(first, floods.one.to) || troupe_ref_equal(first, floods.other.to));
    cr_expect(troupe_ref_equal(second, floods.one.to) || troupe_ref_equal(second, floods.other.to));
    (void)fixture_count(fixture, floods.one.to);
    (void)fixture_count(fixture, floods.other.to);
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.rooms, 2));
}

static void flood_then_stop(troupe_context_t *ctx, void *data)
{
    const struct fixture_flood *flood = data;
    fixture_flood(ctx, data);
    cr_assert(eq(int, troupe_stop_actor(ctx, flood->to), TROUPE_OK));
}

BACKEND_TEST(bounds, a_receiver_that_stops_sends_a_room_too)
{
    troupe_ref_t slow = TROUPE_REF_NONE;
    struct fixture_latch gate;
    struct fixture *fixture = open_with_slow(placement, &slow, &gate);
    struct fixture_flood flood = {.to = slow};

    fixture_call(fixture, flood_then_stop, &flood);
    fixture_latch_open(&gate);

    const struct troupe_room *room =
        FIXTURE_RECEIVE(fixture, TROUPE_MESSAGE_ROOM, struct troupe_room);
    cr_expect(troupe_ref_equal(room->to, slow));
    fixture_close(&fixture);
}

/* Bytes. --------------------------------------------------------------------------------------- */

enum { BOUND_BYTES = 65536 };

static struct fixture *open_bounded_in_bytes(
    const struct fixture_placement *placement, troupe_ref_t *out_slow, struct fixture_latch *gate)
{
    struct fixture_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&fixture_slow), .mailbox_bytes = BOUND_BYTES};
    struct fixture *fixture = fixture_open(placement, &options);
    *out_slow = fixture_spawn(fixture, &fixture_slow);
    fixture_hold(fixture, *out_slow, gate);
    return fixture;
}

BACKEND_TEST(bounds, a_mailbox_is_full_of_bytes_before_more_than_the_bound_waits)
{
    troupe_ref_t slow = TROUPE_REF_NONE;
    struct fixture_latch gate;
    struct fixture *fixture = open_bounded_in_bytes(placement, &slow, &gate);
    struct fixture_flood flood = {.to = slow, .body_bytes = 4096};

    fixture_call(fixture, fixture_flood, &flood);
    fixture_latch_open(&gate);

    cr_expect(le(u32, flood.accepted, BOUND_BYTES / 4096));
    cr_expect(ge(u32, flood.accepted, 1));
    (void)fixture_receive(fixture, TROUPE_MESSAGE_ROOM);
    cr_expect(eq(u64, fixture_count(fixture, slow), flood.accepted));
    fixture_close(&fixture);
}

struct oversize {
    troupe_ref_t to;
    size_t bytes;
    enum troupe_err sent;
    enum troupe_err given;
    struct troupe_body body;
};

static void send_oversize(troupe_context_t *ctx, void *data)
{
    struct oversize *oversize = data;
    cr_assert(eq(int, troupe_body_new(oversize->bytes, &oversize->body), TROUPE_OK));
    oversize->sent =
        troupe_send(ctx, oversize->to, FIXTURE_DROP, oversize->body.data, oversize->bytes);
    oversize->given = troupe_send_body(ctx, oversize->to, FIXTURE_DROP, &oversize->body);
}

BACKEND_TEST(bounds, a_body_over_the_bound_is_too_big_and_stays_with_its_sender)
{
    troupe_ref_t slow = TROUPE_REF_NONE;
    struct fixture_latch gate;
    struct fixture *fixture = open_bounded_in_bytes(placement, &slow, &gate);
    struct oversize oversize = {.to = slow, .bytes = BOUND_BYTES + 1};

    fixture_call(fixture, send_oversize, &oversize);
    fixture_latch_open(&gate);

    cr_expect(eq(int, oversize.sent, TROUPE_ERR_TOOBIG));
    cr_expect(eq(int, oversize.given, TROUPE_ERR_TOOBIG));
    cr_expect(eq(sz, oversize.body.bytes, BOUND_BYTES + 1));
    cr_expect(oversize.body.data != NULL);
    troupe_body_free(&oversize.body);
    cr_expect(eq(u64, fixture_count(fixture, slow), 0));
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.refused, 0)); // it would never fit, so there is no ROOM to wait for
}

BACKEND_TEST(bounds, a_body_of_half_the_bound_fits_an_empty_mailbox)
{
    struct fixture_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&fixture_slow), .mailbox_bytes = BOUND_BYTES};
    struct fixture *fixture = fixture_open(placement, &options);
    troupe_ref_t slow = fixture_spawn(fixture, &fixture_slow);
    struct fixture_flood flood = {.to = slow, .body_bytes = BOUND_BYTES / 2, .count_max = 1};

    // It may be refused while other channels hold a little of the credit; then it gets a ROOM.
    for (;;) {
        fixture_call(fixture, fixture_flood, &flood);
        if (flood.accepted == 1) {
            break;
        }
        (void)fixture_receive(fixture, TROUPE_MESSAGE_ROOM);
    }

    cr_expect(eq(u64, fixture_count(fixture, slow), 1));
    fixture_close(&fixture);
}

struct refused_body {
    struct fixture_flood flood;
    struct troupe_body body;
    enum troupe_err err;
};

static void flood_then_send_body(troupe_context_t *ctx, void *data)
{
    struct refused_body *refused = data;
    fixture_flood(ctx, &refused->flood);
    cr_assert(eq(int, troupe_body_new(100, &refused->body), TROUPE_OK));
    refused->err = troupe_send_body(ctx, refused->flood.to, FIXTURE_DROP, &refused->body);
}

BACKEND_TEST(bounds, a_refused_body_stays_with_its_sender)
{
    troupe_ref_t slow = TROUPE_REF_NONE;
    struct fixture_latch gate;
    struct fixture *fixture = open_with_slow(placement, &slow, &gate);
    struct refused_body refused = {.flood = {.to = slow}};

    fixture_call(fixture, flood_then_send_body, &refused);
    fixture_latch_open(&gate);

    cr_expect(eq(int, refused.err, TROUPE_ERR_FULL));
    cr_expect(refused.body.data != NULL);
    cr_expect(eq(sz, refused.body.bytes, 100));
    troupe_body_free(&refused.body);
    (void)fixture_receive(fixture, TROUPE_MESSAGE_ROOM);
    fixture_close(&fixture);
}

/* What a full mailbox does not refuse. --------------------------------------------------------- */

/** The asker asks, can be held, and reports the result. */
struct asker {
    struct troupe_reply_to scenario;
    uint64_t count;
};

static void asker_on_reply(
    troupe_context_t *ctx,
    void *state,
    uint64_t tag,
    enum troupe_err err,
    const troupe_message_t *reply)
{
    (void)tag, (void)reply;
    const struct asker *asker = state;
    uint32_t code = (uint32_t)err;
    MUST(troupe_reply_later(ctx, asker->scenario, ANSWERED, &code, sizeof(code)));
}

static void asker_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct asker *asker = state;
    if (troupe_message_type(message) == QUERY) {
        asker->scenario = troupe_message_reply_to(message);
        struct troupe_outgoing question = {
            .to = *TROUPE_BODY(message, troupe_ref_t), .type = QUESTION};
        MUST(troupe_ask(
            ctx,
            &question,
            &(const struct troupe_ask_options){
                .timeout_ns = 4 * FIXTURE_DEADLINE_NS, .on_reply = asker_on_reply}));
        return;
    }
    fixture_slow.receive(ctx, &asker->count, message);
}

static const struct troupe_behaviour asker = {
    .name = "asker", .state_bytes = sizeof(struct asker), .receive = asker_receive};

struct flood_and_reply {
    struct fixture_flood flood;
    struct troupe_reply_to asker;
    enum troupe_err err;
};

static void flood_then_reply(troupe_context_t *ctx, void *data)
{
    struct flood_and_reply *what = data;
    fixture_flood(ctx, &what->flood);
    what->err = troupe_reply_later(ctx, what->asker, ANSWER, NULL, 0);
}

BACKEND_TEST(bounds, a_reply_is_accepted_by_a_full_mailbox)
{
    struct fixture *fixture = open_bounded(placement, TROUPE_BEHAVIOURS(&asker));
    troupe_ref_t ref = fixture_spawn(fixture, &asker);
    troupe_ref_t scenario = fixture_scenario(fixture);
    fixture_ask(fixture, ref, QUERY, &scenario, sizeof(scenario));
    struct flood_and_reply what = {
        .flood = {.to = ref}, .asker = fixture_receive(fixture, QUESTION)->reply_to};
    struct fixture_latch gate;
    fixture_hold(fixture, ref, &gate);

    fixture_call(fixture, flood_then_reply, &what);
    fixture_latch_open(&gate);

    cr_expect(eq(int, what.err, TROUPE_OK));
    cr_expect(eq(u32, *FIXTURE_RECEIVE(fixture, ANSWERED, uint32_t), TROUPE_OK));
    (void)fixture_receive(fixture, TROUPE_MESSAGE_ROOM);
    fixture_close(&fixture);
}

static void flood_and_set_timers(troupe_context_t *ctx, void *data)
{
    struct fixture_flood *flood = data;
    fixture_flood(ctx, flood);
    struct troupe_outgoing tick = {.to = flood->to, .type = TICK};
    struct troupe_outgoing tock = {.to = troupe_self(ctx), .type = TOCK};
    cr_assert(eq(int, troupe_send_after(ctx, 1000, &tick, NULL), TROUPE_OK));
    cr_assert(eq(int, troupe_send_after(ctx, 1000000, &tock, NULL), TROUPE_OK));
}

BACKEND_TEST(bounds, the_message_of_a_timer_is_accepted_by_a_full_mailbox)
{
    troupe_ref_t slow = TROUPE_REF_NONE;
    struct fixture_latch gate;
    struct fixture *fixture = open_with_slow(placement, &slow, &gate);
    struct fixture_flood flood = {.to = slow};

    fixture_call(fixture, flood_and_set_timers, &flood);
    (void)fixture_receive(fixture, TOCK); // so TICK has fired, too, for it was due before
    fixture_latch_open(&gate);

    (void)fixture_receive(fixture, TROUPE_MESSAGE_ROOM);
    cr_expect(eq(u64, fixture_count(fixture, slow), flood.accepted + 1)); // the drops and TICK
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead, 0));
}

/* Two pressers send to one judge, which stops both when it has received enough of each. -------- */

struct presser {
    troupe_ref_t judge;
    uint32_t has_enough;
};

static void presser_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct presser *presser = state;
    if (troupe_message_type(message) == PRESS) {
        presser->judge = *TROUPE_BODY(message, troupe_ref_t);
    } else if (troupe_message_type(message) == ENOUGH) {
        presser->has_enough = 1;
    }
    while (presser->has_enough == 0) {
        enum troupe_err err = troupe_send(ctx, presser->judge, PRESSURE, NULL, 0);
        if (err == TROUPE_ERR_FULL) {
            return; // until its ROOM
        }
        MUST(err);
    }
}

static const struct troupe_behaviour presser = {
    .name = "presser", .state_bytes = sizeof(struct presser), .receive = presser_receive};

enum { ENOUGH_COUNT = 500 };

struct judge {
    struct troupe_reply_to scenario;
    troupe_ref_t pressers[2];
    uint32_t counts[2];
    uint32_t is_done;
};

static void judge_count(struct judge *judge, troupe_ref_t by)
{
    uint32_t index =
        troupe_ref_equal(judge->pressers[0], by) || troupe_ref_is_none(judge->pressers[0]) ? 0 : 1;
    judge->pressers[index] = by;
    judge->counts[index]++;
}

static void judge_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct judge *judge = state;
    if (troupe_message_type(message) == JUDGE) {
        judge->scenario = troupe_message_reply_to(message);
        return;
    }
    judge_count(judge, troupe_message_sender(message));
    bool is_fair = judge->counts[0] >= ENOUGH_COUNT && judge->counts[1] >= ENOUGH_COUNT;
    if (is_fair && judge->is_done == 0) {
        judge->is_done = 1;
        // By timers, which need no credit: on one executor the pressers' mailbox is the full one.
        for (int i = 0; i < 2; i++) {
            struct troupe_outgoing enough = {.to = judge->pressers[i], .type = ENOUGH};
            MUST(troupe_send_after(ctx, 0, &enough, NULL));
        }
        MUST(troupe_reply_later(ctx, judge->scenario, FAIR, NULL, 0));
    }
}

static const struct troupe_behaviour judge = {
    .name = "judge", .state_bytes = sizeof(struct judge), .receive = judge_receive};

struct press {
    troupe_ref_t judge;
    troupe_ref_t pressers[2];
};

/** Both in one callback: on one executor nothing else is accepted once the first of them presses. */
static void press(troupe_context_t *ctx, void *data)
{
    const struct press *press = data;
    for (int i = 0; i < 2; i++) {
        cr_assert(eq(int, TROUPE_SEND(ctx, press->pressers[i], PRESS, &press->judge), TROUPE_OK));
    }
}

BACKEND_TEST(bounds, two_senders_that_never_pause_both_make_progress)
{
    struct fixture *fixture = open_bounded(placement, TROUPE_BEHAVIOURS(&presser, &judge));
    struct press what = {
        .judge = fixture_spawn(fixture, &judge),
        .pressers = {fixture_spawn(fixture, &presser), fixture_spawn(fixture, &presser)},
    };
    fixture_ask(fixture, what.judge, JUDGE, NULL, 0);

    fixture_call(fixture, press, &what);

    (void)fixture_receive(fixture, FAIR);
    fixture_close(&fixture);
}

/* The retrier ignores ROOMs and tries again and again. ------------------------------------------- */

struct retrier {
    troupe_ref_t scenario;
    troupe_ref_t to;
    uint32_t accepted;
};

enum { INSIST_MESSAGES = 4 * BOUND };

static void retrier_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct retrier *retrier = state;
    if (troupe_message_type(message) == INSIST) {
        retrier->scenario = troupe_message_sender(message);
        retrier->to = *TROUPE_BODY(message, troupe_ref_t);
    } else if (troupe_message_type(message) != RETRY) {
        return;
    }
    enum troupe_err err = TROUPE_OK;
    while (retrier->accepted < INSIST_MESSAGES && err == TROUPE_OK) {
        err = troupe_send(ctx, retrier->to, FIXTURE_DROP, NULL, 0);
        MUST_BE(err == TROUPE_OK || err == TROUPE_ERR_FULL);
        retrier->accepted += err == TROUPE_OK;
    }
    if (retrier->accepted == INSIST_MESSAGES) {
        MUST(troupe_send(ctx, retrier->scenario, DONE, NULL, 0));
    } else if (troupe_send(ctx, troupe_self(ctx), RETRY, NULL, 0) != TROUPE_OK) {
        const struct troupe_outgoing retry = {.to = troupe_self(ctx), .type = RETRY};
        MUST(troupe_send_after(ctx, 1, &retry, NULL)); // its own mailbox is full, too
    }
}

static const struct troupe_behaviour retrier = {
    .name = "retrier", .state_bytes = sizeof(struct retrier), .receive = retrier_receive};

BACKEND_TEST(bounds, a_sender_that_retries_and_ignores_rooms_makes_progress)
{
    struct fixture *fixture = open_bounded(placement, TROUPE_BEHAVIOURS(&fixture_slow, &retrier));
    troupe_ref_t slow = fixture_spawn(fixture, &fixture_slow);
    troupe_ref_t ref = fixture_spawn(fixture, &retrier);

    fixture_send(fixture, ref, INSIST, &slow, sizeof(slow));

    (void)fixture_receive(fixture, DONE);
    while (fixture_count(fixture, slow) < INSIST_MESSAGES) { // the reply may overtake the rest
    }
    fixture_close(&fixture);
}

SUBJECTS(&fixture_slow, &asker, &presser, &judge, &retrier);

/*
 * Promise 3, one at a time: whatever calls an actor (messages of many senders, timers, replies), callbacks of one
 * actor never overlap.
 */
#include "support/fixture.h"

#include <stdatomic.h>

enum {
    START = 1, // to a flooder: struct start
    REQUEST,   // from a flooder to the guard
    TICK,      // from the guard's timer
    QUESTION,  // from the guard to a flooder
    REPLY,     // the reply
    REPORT_ON, // to the guard: uint64_t, how many pokes to wait for
    GUARDED,   // struct guarded
};

enum { FLOODER_COUNT = 4, POKE_COUNT = 2000 };

struct start {
    troupe_ref_t guard;
    uint32_t request_count;
};

struct guarded {
    uint64_t pokes;
    uint64_t ticks;
    uint64_t replies;
    uint64_t overlaps;
};

/* The guard notices when a callback begins before another has ended. --------------------------- */

struct guard {
    struct guarded guarded;
    uint64_t request_count;
    struct troupe_reply_to reply_to; // the receiver when it is done, room or not
    bool is_done;
    atomic_flag is_inside; // atomic, so that an overlap is noticed rather than undefined
    uint64_t torn[2];      // always equal outside of callbacks
};

static void guard_enter(struct guard *guard)
{
    guard->guarded.overlaps += atomic_flag_test_and_set(&guard->is_inside) ? 1 : 0;
    guard->torn[0]++;
}

static void guard_leave(struct guard *guard)
{
    guard->torn[1]++;
    guard->guarded.overlaps += guard->torn[0] != guard->torn[1] ? 1 : 0;
    atomic_flag_clear(&guard->is_inside);
}

static void guard_on_reply(
    troupe_context_t *ctx,
    void *state,
    uint64_t tag,
    enum troupe_err err,
    const troupe_message_t *reply)
{
    (void)ctx, (void)tag, (void)reply;
    struct guard *guard = state;
    guard_enter(guard);
    MUST(err);
    guard->guarded.replies++;
    guard_leave(guard);
}

static void guard_ask(troupe_context_t *ctx, troupe_ref_t flooder)
{
    struct troupe_outgoing outgoing = {.to = flooder, .type = QUESTION};
    // Where flooders share a mailbox with the guard, its turn to ask comes with a ROOM.
    enum troupe_err err =
        troupe_ask(ctx, &outgoing, &(const struct troupe_ask_options){.on_reply = guard_on_reply});
    MUST_BE(err == TROUPE_OK || err == TROUPE_ERR_FULL);
}

static void guard_go_on(troupe_context_t *ctx, const struct troupe_room *room)
{
    MUST_BE(room != NULL);
    guard_ask(ctx, room->to);
}

static void guard_begin(troupe_context_t *ctx, struct guard *guard, const troupe_message_t *message)
{
    guard->reply_to = troupe_message_reply_to(message);
    guard->request_count = *TROUPE_BODY(message, uint64_t);
    struct troupe_outgoing tick = {.to = troupe_self(ctx), .type = TICK};
    MUST(troupe_send_every(ctx, 50000, &tick, NULL));
}

static void guard_on_request(
    troupe_context_t *ctx, struct guard *guard, const troupe_message_t *message)
{
    guard->guarded.pokes++;
    if (guard->guarded.pokes % 16 == 0) {
        guard_ask(ctx, troupe_message_sender(message));
    }
}

static void guard_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct guard *guard = state;
    guard_enter(guard);
    switch (troupe_message_type(message)) {
    case REPORT_ON:
        guard_begin(ctx, guard, message);
        break;
    case REQUEST:
        guard_on_request(ctx, guard, message);
        break;
    case TICK:
        guard->guarded.ticks++;
        break;
    case TROUPE_MESSAGE_ROOM:
        guard_go_on(ctx, TROUPE_BODY(message, struct troupe_room));
        break;
    default:
        break;
    }
    guard_leave(guard);
    const struct guarded *guarded = &guard->guarded;
    bool is_done =
        guarded->pokes == guard->request_count && guarded->ticks > 0 && guarded->replies > 0;
    if (is_done && !guard->is_done) {
        guard->is_done = true;
        MUST(troupe_reply_later(ctx, guard->reply_to, GUARDED, guarded, sizeof(*guarded)));
    }
}

static const struct troupe_behaviour guard = {
    .name = "guard", .state_bytes = sizeof(struct guard), .receive = guard_receive};

/* A flooder pokes the guard as fast as it may. ------------------------------------------------- */

static void flooder_send(troupe_context_t *ctx, struct start *start)
{
    while (start->request_count > 0) {
        enum troupe_err err = troupe_send(ctx, start->guard, REQUEST, NULL, 0);
        if (err == TROUPE_ERR_FULL) {
            return; // continues at ROOM
        }
        MUST(err);
        start->request_count--;
    }
}

static void flooder_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct start *start = state;
    switch (troupe_message_type(message)) {
    case START:
        *start = *TROUPE_BODY(message, struct start);
        flooder_send(ctx, start);
        break;
    case TROUPE_MESSAGE_ROOM:
        flooder_send(ctx, start);
        break;
    case QUESTION:
        MUST(troupe_reply(ctx, message, REPLY, NULL, 0));
        break;
    default:
        break;
    }
}

static const struct troupe_behaviour flooder = {
    .name = "flooder", .state_bytes = sizeof(struct start), .receive = flooder_receive};

static const struct guarded *guard_against_flooders(struct fixture *fixture)
{
    troupe_ref_t guard_ref = fixture_spawn(fixture, &guard);
    struct start start = {.guard = guard_ref, .request_count = POKE_COUNT};
    uint64_t total = (uint64_t)FLOODER_COUNT * POKE_COUNT;
    fixture_ask(fixture, guard_ref, REPORT_ON, &total, sizeof(total));
    for (int i = 0; i < FLOODER_COUNT; i++) {
        troupe_ref_t ref = fixture_spawn(fixture, &flooder);
        fixture_send(fixture, ref, START, &start, sizeof(start));
    }
    return FIXTURE_RECEIVE(fixture, GUARDED, struct guarded);
}

BACKEND_TEST(turns, callbacks_of_one_actor_never_overlap)
{
    struct fixture_options options = {.behaviours = TROUPE_BEHAVIOURS(&guard, &flooder)};
    struct fixture *fixture = fixture_open(placement, &options);

    const struct guarded *guarded = guard_against_flooders(fixture);

    cr_expect(eq(u64, guarded->overlaps, 0));
    cr_expect(eq(u64, guarded->pokes, (uint64_t)FLOODER_COUNT * POKE_COUNT));
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead_by_reason[TROUPE_DEAD_OVERFLOW], 0));
}

BACKEND_TEST(turns, callbacks_never_overlap_through_a_small_mailbox)
{
    struct fixture_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&guard, &flooder), .mailbox_messages = 64};
    struct fixture *fixture = fixture_open(placement, &options);

    const struct guarded *guarded = guard_against_flooders(fixture);

    cr_expect(eq(u64, guarded->overlaps, 0));
    fixture_close(&fixture);
}

/* Two players reply each other. ---------------------------------------------------------------- */

enum { SERVE = 20, BALL, RALLY_DONE };

enum { RALLY_COUNT = 500 };

struct player {
    uint32_t handled;
    uint32_t is_inside;
};

struct ball {
    troupe_ref_t other;
    troupe_ref_t scenario;
};

static void player_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct player *player = state;
    MUST_BE(player->is_inside == 0);
    player->is_inside = 1;
    if (troupe_message_type(message) == SERVE) {
        const struct ball *ball = TROUPE_BODY(message, struct ball);
        MUST(TROUPE_SEND(ctx, ball->other, BALL, ball));
    } else {
        const struct ball *ball = TROUPE_BODY(message, struct ball);
        player->handled++;
        if (player->handled == RALLY_COUNT) {
            MUST(troupe_send(ctx, ball->scenario, RALLY_DONE, NULL, 0));
        } else {
            MUST(TROUPE_SEND(ctx, troupe_message_sender(message), BALL, ball));
        }
    }
    player->is_inside = 0;
}

static const struct troupe_behaviour player = {
    .name = "player", .state_bytes = sizeof(struct player), .receive = player_receive};

BACKEND_TEST(turns, two_actors_that_reply_to_each_other_are_never_reentered)
{
    struct fixture_options options = {.behaviours = TROUPE_BEHAVIOURS(&player)};
    struct fixture *fixture = fixture_open(placement, &options);
    troupe_ref_t left = fixture_spawn(fixture, &player);
    struct ball ball = {
        .other = fixture_spawn(fixture, &player), .scenario = fixture_scenario(fixture)};

    fixture_send(fixture, left, SERVE, &ball, sizeof(ball));

    (void)fixture_receive(fixture, RALLY_DONE);
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead, 0));
}

SUBJECTS(&guard, &flooder, &player);

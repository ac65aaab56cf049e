/*
 * Promise 6, bounded, with many senders: each sender that was refused gets its ROOM, and a blocked sender is not
 * starved by senders that have credit.
 */
#include "support/fixture.h"

#include <string.h>

enum {
    START = 1, // to a requester: troupe_ref_t, the receiver of its requests
    REQUEST,   // from a requester
    SPIN,      // to a spinner: troupe_ref_t, the other one
    TOKEN,     // between spinners
    WAIT,      // to a waiter: troupe_ref_t, the receiver that is to refuse it
    DONE,      // from a waiter, after its last ROOM
};

enum {
    BOUND = 32,
    REQUESTERS = 12,
    REQUESTS = 5,
    ALL_REQUESTS = REQUESTERS * REQUESTS,
    TOKENS = 2 * BOUND,
    FLOODS = 5
};

static struct fixture *open_bounded(
    const struct fixture_placement *placement, const struct troupe_behaviour *const *behaviours)
{
    struct fixture_options options = {.behaviours = behaviours, .mailbox_messages = BOUND};
    return fixture_open(placement, &options);
}

/** Send @p count_p messages, or until one is refused, and subtract those that were accepted. */
static void send_until_refused(
    troupe_context_t *ctx, troupe_ref_t to, uint32_t type, uint32_t *count_p)
{
    enum troupe_err err = TROUPE_OK;
    while (*count_p > 0 && err == TROUPE_OK) {
        err = troupe_send(ctx, to, type, NULL, 0);
        MUST_BE(err == TROUPE_OK || err == TROUPE_ERR_FULL);
        *count_p -= err == TROUPE_OK;
    }
}

/* Many blocked senders. ------------------------------------------------------------------------ */

struct requester {
    troupe_ref_t slow;
    uint32_t owed;
};

static void requester_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct requester *requester = state;
    if (troupe_message_type(message) == START) {
        requester->slow = *TROUPE_BODY(message, troupe_ref_t);
        requester->owed = REQUESTS;
    }
    send_until_refused(ctx, requester->slow, REQUEST, &requester->owed);
}

static const struct troupe_behaviour requester = {
    .name = "requester", .state_bytes = sizeof(struct requester), .receive = requester_receive};

BACKEND_TEST(rooms, many_blocked_senders_all_send_everything_in_the_end)
{
    struct fixture *fixture = open_bounded(placement, TROUPE_BEHAVIOURS(&fixture_slow, &requester));
    troupe_ref_t slow = fixture_spawn(fixture, &fixture_slow);
    troupe_ref_t requesters[REQUESTERS];
    for (int i = 0; i < REQUESTERS; i++) {
        requesters[i] = fixture_spawn(fixture, &requester);
    }

    for (int i = 0; i < REQUESTERS; i++) {
        fixture_send(fixture, requesters[i], START, &slow, sizeof(slow));
    }

    while (fixture_count(fixture, slow) < ALL_REQUESTS) { // the last ones are on their way
    }
    cr_expect(eq(u64, fixture_count(fixture, slow), ALL_REQUESTS));
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead, 0));
}

/* Two actors that never pause. ----------------------------------------------------------------- */

struct spinner {
    troupe_ref_t other;
    uint32_t owed;
};

static void spinner_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct spinner *spinner = state;
    if (troupe_message_type(message) == SPIN) {
        spinner->other = *TROUPE_BODY(message, troupe_ref_t);
        spinner->owed = TOKENS;
    } else if (troupe_message_type(message) == TOKEN) {
        spinner->other = troupe_message_sender(message);
        spinner->owed++;
    }
    if (!troupe_ref_is_none(spinner->other)) {
        send_until_refused(ctx, spinner->other, TOKEN, &spinner->owed);
    }
}

static const struct troupe_behaviour spinner = {
    .name = "spinner", .state_bytes = sizeof(struct spinner), .receive = spinner_receive};

/** Sends until it is refused, and waits for its ROOM, FLOODS times. */
struct waiter {
    troupe_ref_t scenario;
    troupe_ref_t to;
    uint32_t rooms;
    uint32_t owed; // a DONE
};

static enum troupe_err waiter_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)ctx;
    struct waiter *waiter = state;
    MUST_BE(args_bytes == sizeof(waiter->scenario));
    memcpy(&waiter->scenario, args, args_bytes);
    return TROUPE_OK;
}

static void waiter_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct waiter *waiter = state;
    if (troupe_message_type(message) == WAIT) {
        waiter->to = *TROUPE_BODY(message, troupe_ref_t);
    } else if (waiter->rooms < FLOODS) {
        waiter->rooms++;
        waiter->owed = waiter->rooms == FLOODS ? 1 : 0;
    }
    uint32_t more = waiter->rooms < FLOODS ? UINT32_MAX : 0;
    send_until_refused(ctx, waiter->to, FIXTURE_DROP, &more);
    send_until_refused(ctx, waiter->scenario, DONE, &waiter->owed);
}

static const struct troupe_behaviour waiter = {
    .name = "waiter",
    .state_bytes = sizeof(struct waiter),
    .init = waiter_init,
    .receive = waiter_receive,
};

struct actors {
    troupe_ref_t one;
    troupe_ref_t other;
    troupe_ref_t waiter;
};

/** In one callback: once the two spin, senders on other executors are refused there. */
static void begin(troupe_context_t *ctx, void *data)
{
    const struct actors *actors = data;
    MUST(TROUPE_SEND(ctx, actors->one, SPIN, &actors->other));
    MUST(TROUPE_SEND(ctx, actors->waiter, WAIT, &actors->one));
}

BACKEND_TEST(rooms, a_blocked_sender_is_not_starved_by_senders_that_have_credit)
{
    struct fixture *fixture = open_bounded(placement, TROUPE_BEHAVIOURS(&spinner, &waiter));
    struct actors actors = {
        .one = fixture_spawn(fixture, &spinner),
        .other = fixture_spawn(fixture, &spinner),
        .waiter = fixture_spawn_reporter(fixture, &waiter),
    };

    fixture_call(fixture, begin, &actors);

    (void)fixture_receive(fixture, DONE);
    fixture_close(&fixture);
}

SUBJECTS(&fixture_slow, &requester, &spinner, &waiter);

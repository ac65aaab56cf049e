/*
 * Promise 5, for actors: a subscriber is notified of each dead letter, with its reason and its envelope, and the
 * counters agree.
 */
#include "support/fixture.h"

#include <stdio.h>
#include <string.h>

enum {
    SUBSCRIBE = 1, // ask; replied to with DONE
    UNSUBSCRIBE,   // ask; replied to with DONE
    DONE,          // nothing
    NOTICE,        // a struct troupe_dead_letter, forwarded
    STOP,          // stop
    READY,         // ask; replied to with DONE
    TWICE,         // ask; replied to with DONE, and again
    MESSAGE,       // has no receiver
};

/* The subscriber forwards each dead-letter notice to the scenario. ----------------------------- */

static enum troupe_err subscriber_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)ctx;
    *(troupe_ref_t *)state = fixture_ref_of(args, args_bytes);
    return TROUPE_OK;
}

static void subscriber_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    const struct troupe_dead_letter *outgoing = NULL;
    switch (troupe_message_type(message)) {
    case SUBSCRIBE:
        MUST(troupe_dead_letters_subscribe(ctx, true));
        break;
    case UNSUBSCRIBE:
        (void)!troupe_dead_letters_subscribe(ctx, false);
        break;
    case STOP:
        troupe_stop(ctx);
        return;
    case TROUPE_MESSAGE_DEAD_LETTER:
        outgoing = TROUPE_BODY(message, struct troupe_dead_letter);
        MUST_BE(outgoing != NULL && troupe_ref_is_none(troupe_message_sender(message)));
        MUST(TROUPE_SEND(ctx, *(troupe_ref_t *)state, NOTICE, outgoing));
        return;
    case TWICE:
        MUST(troupe_reply(ctx, message, DONE, NULL, 0));
        break;
    default:
        break;
    }
    MUST(troupe_reply(ctx, message, DONE, NULL, 0));
}

static const struct troupe_behaviour subscriber = {
    .name = "subscriber",
    .state_bytes = sizeof(troupe_ref_t),
    .init = subscriber_init,
    .receive = subscriber_receive,
};

static enum troupe_err stillborn_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)ctx, (void)state, (void)args, (void)args_bytes;
    return TROUPE_ERR_INVAL;
}

static const struct troupe_behaviour stillborn = {
    .name = "stillborn",
    .init = stillborn_init,
    .receive = subscriber_receive,
};

/** A subscriber, and the reference of one that has ended. */
struct system {
    troupe_ref_t subscriber;
    troupe_ref_t ended;
};

static void order(struct fixture *fixture, troupe_ref_t reporter, uint32_t what)
{
    fixture_ask(fixture, reporter, what, NULL, 0);
    (void)fixture_receive(fixture, DONE);
}

static struct fixture *open_with_subscriber(
    const struct fixture_placement *placement, struct system *out_system)
{
    struct fixture_options options = {.behaviours = TROUPE_BEHAVIOURS(&subscriber, &stillborn)};
    struct fixture *fixture = fixture_open(placement, &options);
    out_system->subscriber = fixture_spawn_reporter(fixture, &subscriber);
    out_system->ended = fixture_spawn_reporter(fixture, &subscriber);
    fixture_send(fixture, out_system->ended, STOP, NULL, 0);
    fixture_ask(
        fixture, out_system->ended, READY, NULL, 0); // one dead letter before any actor subscribes
    (void)fixture_receive(fixture, FIXTURE_NO_REPLY);
    return fixture;
}

BACKEND_TEST(dead_letters, a_subscriber_gets_the_envelope_and_the_reason)
{
    struct system system;
    struct fixture *fixture = open_with_subscriber(placement, &system);
    order(fixture, system.subscriber, SUBSCRIBE);

    fixture_send(fixture, system.ended, MESSAGE, "twelve bytes", 12);

    const struct troupe_dead_letter *outgoing =
        FIXTURE_RECEIVE(fixture, NOTICE, struct troupe_dead_letter);
    cr_expect(troupe_ref_equal(outgoing->to, system.ended));
    cr_expect(troupe_ref_equal(outgoing->from, fixture_scenario(fixture)));
    cr_expect(eq(u32, outgoing->type, MESSAGE));
    cr_expect(eq(u32, outgoing->reason, TROUPE_DEAD_STOPPED));
    cr_expect(eq(u64, outgoing->body_bytes, 12));
    fixture_close(&fixture);
}

/** The next notice is about one of those messages, with all its fields. */
static void expect_notice(
    struct fixture *fixture,
    enum troupe_dead_reason reason,
    troupe_ref_t to,
    troupe_ref_t from,
    uint32_t type)
{
    const struct troupe_dead_letter *outgoing =
        FIXTURE_RECEIVE(fixture, NOTICE, struct troupe_dead_letter);
    cr_expect(
        outgoing->reason == reason,
        "%s, not %s",
        troupe_dead_reason_text((enum troupe_dead_reason)outgoing->reason),
        troupe_dead_reason_text(reason));
    cr_expect(troupe_ref_equal(outgoing->to, to));
    cr_expect(troupe_ref_equal(outgoing->from, from));
    cr_expect(eq(u32, outgoing->type, type));
    cr_expect(eq(u64, outgoing->count, 1));
}

static void send_too_late(troupe_context_t *ctx, void *to)
{
    const struct troupe_outgoing outgoing = {
        .to = *(troupe_ref_t *)to, .type = MESSAGE, .ttl_ns = 1};
    MUST(troupe_send_message(ctx, &outgoing));
}

BACKEND_TEST(dead_letters, an_expired_message_is_reported_as_expired)
{
    struct system system;
    struct fixture *fixture = open_with_subscriber(placement, &system);
    order(fixture, system.subscriber, SUBSCRIBE);
    troupe_ref_t second = fixture_spawn_reporter(fixture, &subscriber);

    fixture_call(fixture, send_too_late, &second);

    expect_notice(fixture, TROUPE_DEAD_EXPIRED, second, fixture_scenario(fixture), MESSAGE);
    fixture_close(&fixture);
}

BACKEND_TEST(dead_letters, a_late_reply_is_reported_as_late_reply)
{
    struct system system;
    struct fixture *fixture = open_with_subscriber(placement, &system);
    order(fixture, system.subscriber, SUBSCRIBE);
    troupe_ref_t second = fixture_spawn_reporter(fixture, &subscriber);

    order(fixture, second, TWICE);

    expect_notice(fixture, TROUPE_DEAD_LATE_REPLY, fixture_scenario(fixture), second, DONE);
    fixture_close(&fixture);
}

BACKEND_TEST(dead_letters, a_message_to_an_actor_that_could_not_start_is_reported_as_undeliverable)
{
    struct system system;
    struct fixture *fixture = open_with_subscriber(placement, &system);
    order(fixture, system.subscriber, SUBSCRIBE);
    troupe_ref_t never = fixture_spawn(fixture, &stillborn);

    fixture_send(fixture, never, MESSAGE, NULL, 0);

    expect_notice(fixture, TROUPE_DEAD_UNDELIVERABLE, never, fixture_scenario(fixture), MESSAGE);
    fixture_close(&fixture);
}

static char ask_detail[128]; // the scenario lives in the test's own process

static void on_reply(
    troupe_context_t *ctx,
    void *state,
    uint64_t tag,
    enum troupe_err err,
    const troupe_message_t *reply)
{
    (void)ctx, (void)state, (void)tag;
    MUST_BE(err == TROUPE_ERR_NOENT && reply == NULL);
    (void)snprintf(ask_detail, sizeof(ask_detail), "%.100s", troupe_error_detail());
}

static void ask_ended(troupe_context_t *ctx, void *ended)
{
    const struct troupe_outgoing outgoing = {.to = *(troupe_ref_t *)ended, .type = MESSAGE};
    ask_detail[0] = '\0';
    MUST(troupe_ask(ctx, &outgoing, &(const struct troupe_ask_options){.on_reply = on_reply}));
}

BACKEND_TEST(dead_letters, an_ask_that_failed_says_why)
{
    struct system system;
    struct fixture *fixture = open_with_subscriber(placement, &system);

    fixture_call(fixture, ask_ended, &system.ended);
    fixture_ask(fixture, system.ended, READY, NULL, 0); // the same way, and later
    (void)fixture_receive(fixture, FIXTURE_NO_REPLY);

    const char *wanted = "the ask of type 8 had no receiver: stopped";
    cr_expect(strcmp(ask_detail, wanted) == 0, "'%s'", ask_detail);
    fixture_close(&fixture);
}

BACKEND_TEST(dead_letters, each_dead_letter_is_reported_once)
{
    struct system system;
    struct fixture *fixture = open_with_subscriber(placement, &system);
    order(fixture, system.subscriber, SUBSCRIBE);
    order(fixture, system.subscriber, SUBSCRIBE); // twice is once

    for (uint32_t i = 0; i < 50; i++) {
        fixture_send(fixture, system.ended, MESSAGE + i, NULL, 0);
    }

    // In any order: some become dead letters on their receiver's executor, others before they leave their sender's.
    uint32_t notices[50] = {0};
    for (uint32_t i = 0; i < 50; i++) {
        uint32_t type = FIXTURE_RECEIVE(fixture, NOTICE, struct troupe_dead_letter)->type;
        cr_assert(type >= MESSAGE && type < MESSAGE + 50, "a letter of type %u", type);
        notices[type - MESSAGE]++;
    }
    for (uint32_t i = 0; i < 50; i++) {
        cr_expect(eq(u32, notices[i], 1));
    }
    order(fixture, system.subscriber, READY); // all its notices are here by now
    cr_expect(eq(u32, fixture_pending_count(fixture, NOTICE), 0));
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead, 51)); // and one before it subscribed
}

BACKEND_TEST(dead_letters, an_unsubscribed_actor_gets_no_more_notices)
{
    struct system system;
    struct fixture *fixture = open_with_subscriber(placement, &system);
    order(fixture, system.subscriber, SUBSCRIBE);
    fixture_send(fixture, system.ended, MESSAGE, NULL, 0);
    (void)fixture_receive(fixture, NOTICE);

    order(fixture, system.subscriber, UNSUBSCRIBE);
    fixture_send(fixture, system.ended, MESSAGE, NULL, 0);
    fixture_ask(
        fixture, system.ended, READY, NULL, 0); // the message before it is a dead letter by then
    (void)fixture_receive(fixture, FIXTURE_NO_REPLY);
    order(fixture, system.subscriber, READY);

    cr_expect(eq(u32, fixture_pending_count(fixture, NOTICE), 0));
    fixture_close(&fixture);
}

BACKEND_TEST(dead_letters, every_subscriber_gets_a_notice)
{
    struct system system;
    struct fixture *fixture = open_with_subscriber(placement, &system);
    troupe_ref_t second = fixture_spawn_reporter(fixture, &subscriber);
    order(fixture, system.subscriber, SUBSCRIBE);
    order(fixture, second, SUBSCRIBE);

    fixture_send(fixture, system.ended, MESSAGE, NULL, 0);

    troupe_ref_t first_subscriber = fixture_receive(fixture, NOTICE)->from;
    troupe_ref_t second_subscriber = fixture_receive(fixture, NOTICE)->from;
    cr_expect(not(troupe_ref_equal(first_subscriber, second_subscriber)));
    fixture_close(&fixture);
}

BACKEND_TEST(dead_letters, notices_for_a_subscriber_that_ended_are_no_dead_letters)
{
    struct system system;
    struct fixture *fixture = open_with_subscriber(placement, &system);
    order(fixture, system.subscriber, SUBSCRIBE);

    fixture_send(fixture, system.subscriber, STOP, NULL, 0);
    for (int i = 0; i < 20; i++) {
        fixture_send(fixture, system.ended, MESSAGE, NULL, 0);
    }
    fixture_ask(fixture, system.ended, READY, NULL, 0);
    (void)fixture_receive(fixture, FIXTURE_NO_REPLY);

    struct troupe_stats stats = fixture_close(&fixture);
    // The asks before and after, and twenty messages: nothing for the notices of the subscriber.
    // What it forwarded was for the scenario, which still runs.
    cr_expect(eq(u64, stats.dead, 22));
}

BACKEND_TEST(dead_letters, a_message_to_an_unused_reference_is_reported_as_no_such_actor)
{
    struct system system;
    struct fixture *fixture = open_with_subscriber(placement, &system);
    order(fixture, system.subscriber, SUBSCRIBE);
    troupe_ref_t never = system.subscriber;
    never.index = 1234567;

    fixture_send(fixture, never, MESSAGE, NULL, 0);

    const struct troupe_dead_letter *outgoing =
        FIXTURE_RECEIVE(fixture, NOTICE, struct troupe_dead_letter);
    cr_expect(eq(u32, outgoing->reason, TROUPE_DEAD_NO_SUCH_ACTOR));
    cr_expect(troupe_ref_equal(outgoing->to, never));
    fixture_close(&fixture);
}

BACKEND_TEST(dead_letters, a_dead_letter_of_the_main_program_has_no_sender)
{
    struct system system;
    struct fixture *fixture = open_with_subscriber(placement, &system);
    order(fixture, system.subscriber, SUBSCRIBE);
    troupe_context_t *ctx = troupe_system_context(fixture_system(fixture));

    cr_assert(eq(int, troupe_send(ctx, system.ended, MESSAGE, NULL, 0), TROUPE_OK));

    const struct troupe_dead_letter *outgoing =
        FIXTURE_RECEIVE(fixture, NOTICE, struct troupe_dead_letter);
    cr_expect(troupe_ref_is_none(outgoing->from));
    fixture_close(&fixture);
}

SUBJECTS(&subscriber, &stillborn);

/*
 * Promise 5 as far as it is told to actors: who subscribes hears of each dead letter, with its
 * reason and its envelope, and the counters agree.
 */
#include "support/fixture.h"

#include <stdio.h>
#include <string.h>

enum {
    SUBSCRIBE = 1, // ask; answered by DONE
    UNSUBSCRIBE,   // ask; answered by DONE
    DONE,          // nothing
    DEAD,          // a struct troupe_dead_letter that was heard of
    LEAVE,         // stop yourself
    READY,         // ask; answered by DONE
    TWICE,         // ask; answered by DONE, and again
    LETTER,        // what finds nobody
};

/* The watcher passes on what it hears of dead letters. ----------------------------------------- */

static enum troupe_err watcher_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)ctx;
    *(troupe_ref_t *)state = fixture_ref_of(args, args_bytes);
    return TROUPE_OK;
}

static void watcher_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    const struct troupe_dead_letter *letter = NULL;
    switch (troupe_message_type(message)) {
    case SUBSCRIBE:
        MUST(troupe_dead_letters_subscribe(ctx, true));
        break;
    case UNSUBSCRIBE:
        (void)!troupe_dead_letters_subscribe(ctx, false);
        break;
    case LEAVE:
        troupe_stop(ctx);
        return;
    case TROUPE_MESSAGE_DEAD_LETTER:
        letter = TROUPE_BODY(message, struct troupe_dead_letter);
        MUST_BE(letter != NULL && troupe_ref_is_none(troupe_message_sender(message)));
        MUST(TROUPE_SEND(ctx, *(troupe_ref_t *)state, DEAD, letter));
        return;
    case TWICE:
        MUST(troupe_reply(ctx, message, DONE, NULL, 0));
        break;
    default:
        break;
    }
    MUST(troupe_reply(ctx, message, DONE, NULL, 0));
}

static const struct troupe_behaviour watcher = {
    .name = "watcher",
    .state_bytes = sizeof(troupe_ref_t),
    .init = watcher_init,
    .receive = watcher_receive,
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
    .receive = watcher_receive,
};

/** A watcher, and the reference of one that has ended. */
struct cast {
    troupe_ref_t watcher;
    troupe_ref_t gone;
};

static void order(struct fixture *fixture, troupe_ref_t who, uint32_t what)
{
    fixture_ask(fixture, who, what, NULL, 0);
    (void)fixture_hear(fixture, DONE);
}

static struct fixture *open_with_watcher(
    const struct fixture_placement *placement, struct cast *out_cast)
{
    struct fixture_options options = {.behaviours = TROUPE_BEHAVIOURS(&watcher, &stillborn)};
    struct fixture *fixture = fixture_open(placement, &options);
    out_cast->watcher = fixture_spawn_reporter(fixture, &watcher);
    out_cast->gone = fixture_spawn_reporter(fixture, &watcher);
    fixture_tell(fixture, out_cast->gone, LEAVE, NULL, 0);
    fixture_ask(fixture, out_cast->gone, READY, NULL, 0); // one dead letter before anybody watches
    (void)fixture_hear(fixture, FIXTURE_NO_ANSWER);
    return fixture;
}

BACKEND_TEST(dead_letters, a_subscriber_is_told_whose_letter_died_and_why)
{
    struct cast cast;
    struct fixture *fixture = open_with_watcher(placement, &cast);
    order(fixture, cast.watcher, SUBSCRIBE);

    fixture_tell(fixture, cast.gone, LETTER, "twelve bytes", 12);

    const struct troupe_dead_letter *letter =
        FIXTURE_HEAR(fixture, DEAD, struct troupe_dead_letter);
    cr_expect(troupe_ref_equal(letter->to, cast.gone));
    cr_expect(troupe_ref_equal(letter->from, fixture_scenario(fixture)));
    cr_expect(eq(u32, letter->type, LETTER));
    cr_expect(eq(u32, letter->reason, TROUPE_DEAD_STOPPED));
    cr_expect(eq(u64, letter->body_bytes, 12));
    fixture_close(&fixture);
}

/** The next dead letter that is heard of is one of those, whole. */
static void expect_dead(
    struct fixture *fixture,
    enum troupe_dead_reason reason,
    troupe_ref_t to,
    troupe_ref_t from,
    uint32_t type)
{
    const struct troupe_dead_letter *letter =
        FIXTURE_HEAR(fixture, DEAD, struct troupe_dead_letter);
    cr_expect(
        letter->reason == reason,
        "%s, not %s",
        troupe_dead_reason_text((enum troupe_dead_reason)letter->reason),
        troupe_dead_reason_text(reason));
    cr_expect(troupe_ref_equal(letter->to, to));
    cr_expect(troupe_ref_equal(letter->from, from));
    cr_expect(eq(u32, letter->type, type));
    cr_expect(eq(u64, letter->count, 1));
}

static void send_too_late(troupe_context_t *ctx, void *to)
{
    const struct troupe_outgoing letter = {.to = *(troupe_ref_t *)to, .type = LETTER, .ttl_ns = 1};
    MUST(troupe_send_message(ctx, &letter));
}

BACKEND_TEST(dead_letters, what_expired_is_told_as_such)
{
    struct cast cast;
    struct fixture *fixture = open_with_watcher(placement, &cast);
    order(fixture, cast.watcher, SUBSCRIBE);
    troupe_ref_t second = fixture_spawn_reporter(fixture, &watcher);

    fixture_act(fixture, send_too_late, &second);

    expect_dead(fixture, TROUPE_DEAD_EXPIRED, second, fixture_scenario(fixture), LETTER);
    fixture_close(&fixture);
}

BACKEND_TEST(dead_letters, a_late_reply_is_told_as_such)
{
    struct cast cast;
    struct fixture *fixture = open_with_watcher(placement, &cast);
    order(fixture, cast.watcher, SUBSCRIBE);
    troupe_ref_t second = fixture_spawn_reporter(fixture, &watcher);

    order(fixture, second, TWICE);

    expect_dead(fixture, TROUPE_DEAD_LATE_REPLY, fixture_scenario(fixture), second, DONE);
    fixture_close(&fixture);
}

BACKEND_TEST(dead_letters, mail_for_who_could_not_start_is_told_as_refused)
{
    struct cast cast;
    struct fixture *fixture = open_with_watcher(placement, &cast);
    order(fixture, cast.watcher, SUBSCRIBE);
    troupe_ref_t never = fixture_spawn(fixture, &stillborn);

    fixture_tell(fixture, never, LETTER, NULL, 0);

    expect_dead(fixture, TROUPE_DEAD_UNDELIVERABLE, never, fixture_scenario(fixture), LETTER);
    fixture_close(&fixture);
}

static char ask_detail[128]; // the scenario lives in the test's own process

static void on_reply(
    troupe_context_t *ctx,
    void *state,
    uint64_t tag,
    enum troupe_err err,
    const troupe_message_t *answer)
{
    (void)ctx, (void)state, (void)tag;
    MUST_BE(err == TROUPE_ERR_NOENT && answer == NULL);
    (void)snprintf(ask_detail, sizeof(ask_detail), "%.100s", troupe_error_detail());
}

static void ask_gone(troupe_context_t *ctx, void *gone)
{
    const struct troupe_outgoing letter = {.to = *(troupe_ref_t *)gone, .type = LETTER};
    ask_detail[0] = '\0';
    MUST(troupe_ask(ctx, &letter, &(const struct troupe_ask_options){.on_reply = on_reply}));
}

BACKEND_TEST(dead_letters, an_ask_that_failed_says_why)
{
    struct cast cast;
    struct fixture *fixture = open_with_watcher(placement, &cast);

    fixture_act(fixture, ask_gone, &cast.gone);
    fixture_ask(fixture, cast.gone, READY, NULL, 0); // the same way, and later
    (void)fixture_hear(fixture, FIXTURE_NO_ANSWER);

    const char *wanted = "the ask of type 8 had no receiver: stopped";
    cr_expect(strcmp(ask_detail, wanted) == 0, "'%s'", ask_detail);
    fixture_close(&fixture);
}

BACKEND_TEST(dead_letters, each_dead_letter_is_told_once)
{
    struct cast cast;
    struct fixture *fixture = open_with_watcher(placement, &cast);
    order(fixture, cast.watcher, SUBSCRIBE);
    order(fixture, cast.watcher, SUBSCRIBE); // twice is once

    for (uint32_t i = 0; i < 50; i++) {
        fixture_tell(fixture, cast.gone, LETTER + i, NULL, 0);
    }

    // In any order: some die with their receiver's executor, others before they leave their sender's.
    uint32_t told[50] = {0};
    for (uint32_t i = 0; i < 50; i++) {
        uint32_t type = FIXTURE_HEAR(fixture, DEAD, struct troupe_dead_letter)->type;
        cr_assert(type >= LETTER && type < LETTER + 50, "a letter of type %u", type);
        told[type - LETTER]++;
    }
    for (uint32_t i = 0; i < 50; i++) {
        cr_expect(eq(u32, told[i], 1));
    }
    order(fixture, cast.watcher, READY); // what else it was told is here by now
    cr_expect(eq(u32, fixture_unheard(fixture, DEAD), 0));
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead, 51)); // and one before it subscribed
}

BACKEND_TEST(dead_letters, who_unsubscribed_is_told_no_more)
{
    struct cast cast;
    struct fixture *fixture = open_with_watcher(placement, &cast);
    order(fixture, cast.watcher, SUBSCRIBE);
    fixture_tell(fixture, cast.gone, LETTER, NULL, 0);
    (void)fixture_hear(fixture, DEAD);

    order(fixture, cast.watcher, UNSUBSCRIBE);
    fixture_tell(fixture, cast.gone, LETTER, NULL, 0);
    fixture_ask(fixture, cast.gone, READY, NULL, 0); // the letter before it is dead by then
    (void)fixture_hear(fixture, FIXTURE_NO_ANSWER);
    order(fixture, cast.watcher, READY);

    cr_expect(eq(u32, fixture_unheard(fixture, DEAD), 0));
    fixture_close(&fixture);
}

BACKEND_TEST(dead_letters, every_subscriber_is_told)
{
    struct cast cast;
    struct fixture *fixture = open_with_watcher(placement, &cast);
    troupe_ref_t second = fixture_spawn_reporter(fixture, &watcher);
    order(fixture, cast.watcher, SUBSCRIBE);
    order(fixture, second, SUBSCRIBE);

    fixture_tell(fixture, cast.gone, LETTER, NULL, 0);

    troupe_ref_t first_teller = fixture_hear(fixture, DEAD)->from;
    troupe_ref_t second_teller = fixture_hear(fixture, DEAD)->from;
    cr_expect(not(troupe_ref_equal(first_teller, second_teller)));
    fixture_close(&fixture);
}

BACKEND_TEST(dead_letters, notices_for_a_subscriber_that_ended_are_no_dead_letters)
{
    struct cast cast;
    struct fixture *fixture = open_with_watcher(placement, &cast);
    order(fixture, cast.watcher, SUBSCRIBE);

    fixture_tell(fixture, cast.watcher, LEAVE, NULL, 0);
    for (int i = 0; i < 20; i++) {
        fixture_tell(fixture, cast.gone, LETTER, NULL, 0);
    }
    fixture_ask(fixture, cast.gone, READY, NULL, 0);
    (void)fixture_hear(fixture, FIXTURE_NO_ANSWER);

    struct troupe_stats stats = fixture_close(&fixture);
    // The asks before and after, and twenty letters: nothing for what the watcher was to be told.
    // What it passed on itself was for the scenario, which lives.
    cr_expect(eq(u64, stats.dead, 22));
}

BACKEND_TEST(dead_letters, a_reference_that_never_was_is_told_as_such)
{
    struct cast cast;
    struct fixture *fixture = open_with_watcher(placement, &cast);
    order(fixture, cast.watcher, SUBSCRIBE);
    troupe_ref_t never = cast.watcher;
    never.index = 1234567;

    fixture_tell(fixture, never, LETTER, NULL, 0);

    const struct troupe_dead_letter *letter =
        FIXTURE_HEAR(fixture, DEAD, struct troupe_dead_letter);
    cr_expect(eq(u32, letter->reason, TROUPE_DEAD_NO_SUCH_ACTOR));
    cr_expect(troupe_ref_equal(letter->to, never));
    fixture_close(&fixture);
}

BACKEND_TEST(dead_letters, the_main_programs_dead_letters_come_from_nobody)
{
    struct cast cast;
    struct fixture *fixture = open_with_watcher(placement, &cast);
    order(fixture, cast.watcher, SUBSCRIBE);
    troupe_context_t *ctx = troupe_system_context(fixture_system(fixture));

    cr_assert(eq(int, troupe_send(ctx, cast.gone, LETTER, NULL, 0), TROUPE_OK));

    const struct troupe_dead_letter *letter =
        FIXTURE_HEAR(fixture, DEAD, struct troupe_dead_letter);
    cr_expect(troupe_ref_is_none(letter->from));
    fixture_close(&fixture);
}

SUBJECTS(&watcher, &stillborn);

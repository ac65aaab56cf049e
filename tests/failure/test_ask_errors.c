/*
 * Asks that are refused: each with its code and a text that names the remedy, and the actor goes on.
 */
#include "support/echo_system.h"
#include "support/fixture.h"

#include <string.h>

enum {
    TRY = 1,  // ask: struct attempt; replied to with TRIED
    TRIED,    // struct outcome
    QUESTION, // to itself
};

/** What to try. */
enum what {
    ASK_WITHOUT_OPTIONS,
    AWAIT_WITHOUT_OPTIONS,
    ASK_WITHOUT_HANDLER,
    AWAIT_WITHOUT_HANDLER,
    ASK_EXCLUSIVE_TWICE,
    AWAIT_AFTER_EXCLUSIVE,
    ASK_ITSELF_EXCLUSIVE,
    ASK_ON_BEHALF,
    SEND_AFTER_ON_BEHALF,
    SEND_EVERY_ON_BEHALF,
};

struct attempt {
    uint64_t what; // an enum what
    troupe_ref_t peer;
};

struct outcome {
    int32_t err;
    char detail[200];
};

static void subject_on_reply(
    troupe_context_t *ctx,
    void *state,
    uint64_t tag,
    enum troupe_err err,
    const troupe_message_t *reply)
{
    (void)state, (void)ctx, (void)reply;
    MUST_BE(tag == ASK_EXCLUSIVE_TWICE || tag == AWAIT_AFTER_EXCLUSIVE);
    MUST(err);
}

static enum troupe_err subject_try(
    troupe_context_t *ctx, const struct attempt *attempt, struct troupe_reply_to reply_to)
{
    const uint64_t number = 1;
    const struct troupe_outgoing own = {
        .to = attempt->peer, .type = ECHO_REQUEST, .body = &number, .body_bytes = sizeof(number)};
    const struct troupe_outgoing itself = {.to = troupe_self(ctx), .type = QUESTION};
    const struct troupe_ask_options without_handler = {.tag = 1};
    const struct troupe_ask_options exclusive = {
        .on_reply = subject_on_reply, .tag = attempt->what, .exclusive = true};
    struct troupe_outgoing delegated = own;
    delegated.on_behalf_of = reply_to;
    switch ((enum what)attempt->what) {
    case ASK_WITHOUT_OPTIONS:
        return troupe_ask(ctx, &own, NULL);
    case AWAIT_WITHOUT_OPTIONS:
        return troupe_await_name(ctx, "a name", NULL);
    case ASK_WITHOUT_HANDLER:
        return troupe_ask(ctx, &own, &without_handler);
    case AWAIT_WITHOUT_HANDLER:
        return troupe_await_name(ctx, "a name", &without_handler);
    case ASK_EXCLUSIVE_TWICE:
        MUST(troupe_ask(ctx, &own, &exclusive));
        return troupe_ask(ctx, &own, &exclusive);
    case AWAIT_AFTER_EXCLUSIVE:
        MUST(troupe_ask(ctx, &own, &exclusive));
        return troupe_await_name(ctx, "a name", &exclusive);
    case ASK_ITSELF_EXCLUSIVE:
        return troupe_ask(ctx, &itself, &exclusive);
    case ASK_ON_BEHALF:
        return troupe_ask(ctx, &delegated, &exclusive);
    case SEND_AFTER_ON_BEHALF:
        return troupe_send_after(ctx, 1, &delegated, NULL);
    case SEND_EVERY_ON_BEHALF:
        return troupe_send_every(ctx, 1, &delegated, NULL);
    }
    return TROUPE_OK;
}

static void subject_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    const struct attempt *attempt = TROUPE_BODY(message, struct attempt);
    MUST_BE(attempt != NULL);
    struct outcome outcome = {
        .err = (int32_t)subject_try(ctx, attempt, troupe_message_reply_to(message))};
    strncpy(outcome.detail, troupe_error_detail(), sizeof(outcome.detail) - 1);
    REPORT(ctx, message, TRIED, &outcome);
}

static const struct troupe_behaviour subject = {.name = "subject", .receive = subject_receive};

/** Try twice, so that the actor is seen to go on after the first time. */
static void expect_refused(
    const struct fixture_placement *placement,
    enum what what,
    enum troupe_err err,
    const char *text)
{
    struct fixture *fixture = fixture_open(
        placement,
        &(struct fixture_options){.behaviours = TROUPE_BEHAVIOURS(&subject, &echo_behaviour)});
    troupe_ref_t ref = fixture_spawn(fixture, &subject);
    const struct attempt attempt = {.what = what, .peer = fixture_spawn(fixture, &echo_behaviour)};
    for (int i = 0; i < 2; i++) {
        fixture_ask(fixture, ref, TRY, &attempt, sizeof(attempt));
        const struct outcome *outcome = FIXTURE_RECEIVE(fixture, TRIED, struct outcome);
        cr_expect(eq(int, outcome->err, (int)err));
        cr_expect(strstr(outcome->detail, text) != NULL, "no '%s' in: %s", text, outcome->detail);
    }
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead, 0));
}

BACKEND_TEST(ask_failure, an_ask_without_options_is_refused)
{
    expect_refused(placement, ASK_WITHOUT_OPTIONS, TROUPE_ERR_INVAL, "on_reply");
}

BACKEND_TEST(ask_failure, awaiting_a_name_without_options_is_refused)
{
    expect_refused(placement, AWAIT_WITHOUT_OPTIONS, TROUPE_ERR_INVAL, "on_reply");
}

BACKEND_TEST(ask_failure, an_ask_without_a_reply_handler_is_refused)
{
    expect_refused(placement, ASK_WITHOUT_HANDLER, TROUPE_ERR_INVAL, "on_reply");
}

BACKEND_TEST(ask_failure, awaiting_a_name_without_a_reply_handler_is_refused)
{
    expect_refused(placement, AWAIT_WITHOUT_HANDLER, TROUPE_ERR_INVAL, "on_reply");
}

BACKEND_TEST(ask_failure, a_second_exclusive_ask_is_refused_while_the_first_waits)
{
    expect_refused(placement, ASK_EXCLUSIVE_TWICE, TROUPE_ERR_INVAL, "already");
}

BACKEND_TEST(ask_failure, an_exclusive_wait_for_a_name_is_refused_while_an_exclusive_ask_waits)
{
    expect_refused(placement, AWAIT_AFTER_EXCLUSIVE, TROUPE_ERR_INVAL, "already");
}

BACKEND_TEST(ask_failure, an_exclusive_ask_of_an_actor_to_itself_is_a_deadlock)
{
    expect_refused(placement, ASK_ITSELF_EXCLUSIVE, TROUPE_ERR_DEADLOCK, "its own exclusive ask");
}

BACKEND_TEST(ask_failure, an_ask_on_behalf_of_another_sender_is_refused)
{
    expect_refused(placement, ASK_ON_BEHALF, TROUPE_ERR_INVAL, "on_behalf_of");
}

BACKEND_TEST(ask_failure, a_timer_on_behalf_of_another_sender_is_refused)
{
    expect_refused(placement, SEND_AFTER_ON_BEHALF, TROUPE_ERR_INVAL, "on_behalf_of");
}

BACKEND_TEST(ask_failure, a_repeating_timer_on_behalf_of_another_sender_is_refused)
{
    expect_refused(placement, SEND_EVERY_ON_BEHALF, TROUPE_ERR_INVAL, "on_behalf_of");
}

Test(ask_failure, an_ask_of_an_inbox_on_behalf_of_another_sender_is_refused)
{
    troupe_system_t *system = echo_system_new();
    troupe_inbox_t *inbox = echo_inbox_new(system);
    troupe_ref_t echo = TROUPE_REF_NONE;
    cr_assert(eq(int, echo_spawn(troupe_inbox_context(inbox), "thread", &echo), TROUPE_OK));
    const struct troupe_outgoing delegated = {
        .to = echo,
        .type = ECHO_REQUEST,
        .on_behalf_of = {.ref = echo, .ask = 1},
    };
    troupe_message_t *reply = NULL;

    enum troupe_err err = troupe_inbox_ask(inbox, &delegated, ECHO_DEADLINE_NS, &reply);

    cr_expect(eq(int, err, TROUPE_ERR_INVAL));
    cr_expect(strstr(troupe_error_detail(), "on_behalf_of") != NULL, "%s", troupe_error_detail());
    cr_expect(eq(ptr, reply, NULL));
    cr_expect(eq(int, echo_ask(inbox, echo, 1), TROUPE_OK), "the inbox still works");
    echo_system_end(&system, &inbox);
}

SUBJECTS(&subject, &echo_behaviour);

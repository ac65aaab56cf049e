/*
 * A message that is sent on behalf of another sender: that sender gets the reply, and what the delegating
 * actor sends as a reply afterwards is a late reply.
 */
#include "support/fixture.h"

#include <string.h>

enum {
    DELEGATE_TO = 1, // ask of a delegator: troupe_ref_t; replied to with DONE
    QUESTION,        // to a delegator, and from there to a server
    REPLY_YOURSELF,  // ask of a delegator: reply to the QUESTION; replied to with DONE
    DONE,            // nothing
    SERVER_REPLY,    // troupe_ref_t: the sender of the QUESTION, as the server saw it
    DELEGATOR_REPLY, // nothing
};

/* A server replies with the sender that it sees. ----------------------------------------------- */

static void server_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    troupe_ref_t sender = troupe_message_sender(message);
    REPORT(ctx, message, SERVER_REPLY, &sender);
}

static const struct troupe_behaviour server = {.name = "server", .receive = server_receive};

/* A delegator sends each question to the server, on behalf of its sender. ---------------------- */

struct delegator {
    troupe_ref_t to;
    struct troupe_reply_to reply_to; // of the latest question
};

static void delegator_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct delegator *delegator = state;
    switch (troupe_message_type(message)) {
    case DELEGATE_TO:
        delegator->to = *TROUPE_BODY(message, troupe_ref_t);
        break;
    case QUESTION:
        delegator->reply_to = troupe_message_reply_to(message);
        MUST(troupe_send_message(
            ctx,
            &(const struct troupe_outgoing){
                .to = delegator->to,
                .type = QUESTION,
                .on_behalf_of = delegator->reply_to,
            }));
        return;
    case REPLY_YOURSELF:
        MUST(troupe_reply_later(ctx, delegator->reply_to, DELEGATOR_REPLY, NULL, 0));
        break;
    default:
        return;
    }
    MUST(troupe_reply(ctx, message, DONE, NULL, 0));
}

static const struct troupe_behaviour delegator = {
    .name = "delegator", .state_bytes = sizeof(struct delegator), .receive = delegator_receive};

/* The tests. ----------------------------------------------------------------------------------- */

struct delegation {
    struct fixture *fixture;
    troupe_ref_t server;
    troupe_ref_t delegator;
};

static struct delegation delegation_open(const struct fixture_placement *placement)
{
    struct delegation delegation = {
        .fixture = fixture_open(
            placement,
            &(struct fixture_options){.behaviours = TROUPE_BEHAVIOURS(&server, &delegator)})};
    delegation.server = fixture_spawn(delegation.fixture, &server);
    delegation.delegator = fixture_spawn(delegation.fixture, &delegator);
    fixture_ask(
        delegation.fixture,
        delegation.delegator,
        DELEGATE_TO,
        &delegation.server,
        sizeof(delegation.server));
    (void)fixture_receive(delegation.fixture, DONE);
    return delegation;
}

static void expect_reply_of_the_server(const struct delegation *delegation, bool is_ask)
{
    const struct received *received = fixture_receive(delegation->fixture, SERVER_REPLY);
    troupe_ref_t scenario = fixture_scenario(delegation->fixture);
    cr_expect(eq(int, received->is_reply, is_ask));
    cr_expect(troupe_ref_equal(received->from, delegation->server));
    cr_assert(eq(sz, received->body_bytes, sizeof(scenario)));
    cr_expect(
        troupe_ref_equal(*(const troupe_ref_t *)received->body, scenario),
        "the server sees the original sender");
}

BACKEND_TEST(delegation, the_original_sender_of_an_ask_gets_the_reply)
{
    struct delegation delegation = delegation_open(placement);

    fixture_ask(delegation.fixture, delegation.delegator, QUESTION, NULL, 0);

    expect_reply_of_the_server(&delegation, true);
    struct troupe_stats stats = fixture_close(&delegation.fixture);
    cr_expect(eq(u64, stats.dead, 0));
}

BACKEND_TEST(delegation, the_original_sender_of_a_plain_send_gets_the_reply)
{
    struct delegation delegation = delegation_open(placement);

    fixture_send(delegation.fixture, delegation.delegator, QUESTION, NULL, 0);

    expect_reply_of_the_server(&delegation, false);
    struct troupe_stats stats = fixture_close(&delegation.fixture);
    cr_expect(eq(u64, stats.dead, 0));
}

BACKEND_TEST(delegation, a_reply_of_the_delegating_actor_after_that_is_a_late_reply)
{
    struct delegation delegation = delegation_open(placement);
    fixture_ask(delegation.fixture, delegation.delegator, QUESTION, NULL, 0);
    expect_reply_of_the_server(&delegation, true);

    fixture_ask(delegation.fixture, delegation.delegator, REPLY_YOURSELF, NULL, 0);
    (void)fixture_receive(delegation.fixture, DONE);

    cr_expect(eq(u32, fixture_pending_count(delegation.fixture, DELEGATOR_REPLY), 0));
    struct troupe_stats stats = fixture_close(&delegation.fixture);
    cr_expect(eq(u64, stats.dead_by_reason[TROUPE_DEAD_LATE_REPLY], 1));
    cr_expect(eq(u64, stats.dead, 1));
}

SUBJECTS(&server, &delegator);

/*
 * Exclusive asks: other messages are stashed and not lost, and circles of asks are found. Asks that are cancelled,
 * forwarded and delegated.
 */
#include "support/fixture.h"
#include "support/measure.h"

#include <stdlib.h>
#include <string.h>

enum {
    GO = 1,        // to a client: struct order, ask and wait
    NUMBER,        // to a client: uint64_t
    WAITED,        // from a client: struct outcome of its wait
    NUMBERED,      // from a client: the uint64_t of a NUMBER
    QUESTION,      // to a server: replied to at RELEASE
    RELEASE,       // to a server: reply all questions, these and later ones
    SERVER_REPLY,  // from a server: uint64_t
    CANCEL_ASK,    // to a client: cancel what it waits for
    ASK_CANCELLED, // done
    PASS,          // to a delegator: forward each QUESTION to the troupe_ref_t in the body
    PASS_LATER,    // likewise, but delegate it at the next RELEASE
    CIRCLE,        // to a client: an ask that it replies to once its own was
    COUNT,         // to a client: an ask, replied to with COUNT with a uint64_t
    PEER,          // to a client: struct order, the actor to ask when it is asked CIRCLE
};

enum { THE_REPLY = 42, NUMBERS = 50, QUESTIONS_MAX = 64, TEXT_BYTES = 200 };

struct order {
    troupe_ref_t receiver;
    troupe_ref_t report;
    uint64_t timeout_ns;
    uint32_t type;
    uint32_t plain; // by troupe_ask(), without waiting
    uint32_t quiet; // do not report numbers, but count them
};

struct outcome {
    int32_t err;
    uint32_t reply;
    char detail[TEXT_BYTES];
};

/* Clients ask and wait. ------------------------------------------------------------------------ */

struct client {
    struct order order;
    struct troupe_reply_to reply_to; // for the reply to CIRCLE, once its own ask was replied to
    uint64_t count;                  // of numbers
    bool was_asked;
};

static void client_on_reply(
    troupe_context_t *ctx,
    void *state,
    uint64_t tag,
    enum troupe_err err,
    const troupe_message_t *reply)
{
    struct client *client = state;
    MUST_BE(tag == THE_REPLY);
    struct outcome outcome = {.err = (int32_t)err};
    if (err == TROUPE_OK) {
        outcome.reply = (uint32_t)*TROUPE_BODY(reply, uint64_t);
    } else {
        strncpy(outcome.detail, troupe_error_detail(), sizeof(outcome.detail) - 1);
    }
    MUST(TROUPE_SEND(ctx, client->order.report, WAITED, &outcome));
    if (!troupe_ref_is_none(client->reply_to.ref)) {
        uint64_t number = THE_REPLY;
        MUST(troupe_reply_later(ctx, client->reply_to, SERVER_REPLY, &number, sizeof(number)));
        client->reply_to = (struct troupe_reply_to){0};
    }
}

static void client_ask(troupe_context_t *ctx, struct client *client)
{
    const struct troupe_outgoing outgoing = {
        .to = client->order.receiver, .type = client->order.type};
    enum troupe_err err = client->order.plain ? troupe_ask(
                                                    ctx,
                                                    &outgoing,
                                                    &(const struct troupe_ask_options){
                                                        .timeout_ns = client->order.timeout_ns,
                                                        .on_reply = client_on_reply,
                                                        .tag = THE_REPLY})
                                              : troupe_ask(
                                                    ctx,
                                                    &outgoing,
                                                    &(const struct troupe_ask_options){
                                                        .timeout_ns = client->order.timeout_ns,
                                                        .on_reply = client_on_reply,
                                                        .tag = THE_REPLY,
                                                        .exclusive = true});
    if (err != TROUPE_OK) {
        client_on_reply(ctx, client, THE_REPLY, err, NULL);
    }
}

/** Asked for the first time, ask the next one before answering; later reply at once. */
static void client_on_circle(
    troupe_context_t *ctx, struct client *client, const troupe_message_t *message)
{
    uint64_t number = THE_REPLY;
    if (client->was_asked) {
        REPORT(ctx, message, SERVER_REPLY, &number);
        return;
    }
    client->was_asked = true;
    client->reply_to = troupe_message_reply_to(message);
    client_ask(ctx, client);
}

static void client_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct client *client = state;
    switch (troupe_message_type(message)) {
    case GO:
        client->order = *TROUPE_BODY(message, struct order);
        client_ask(ctx, client);
        break;
    case PEER:
        client->order = *TROUPE_BODY(message, struct order);
        MUST(troupe_reply(ctx, message, ASK_CANCELLED, NULL, 0));
        break;
    case CIRCLE:
        client_on_circle(ctx, client, message);
        break;
    case COUNT:
        REPORT(ctx, message, COUNT, &client->count);
        break;
    case NUMBER:
        client->count++;
        if (client->order.quiet) {
            break;
        }
        MUST(TROUPE_SEND(ctx, client->order.report, NUMBERED, TROUPE_BODY(message, uint64_t)));
        break;
    case CANCEL_ASK:
        MUST(troupe_ask_cancel(ctx, THE_REPLY));
        MUST_BE(troupe_ask_cancel(ctx, THE_REPLY) == TROUPE_ERR_NOENT);
        MUST(troupe_reply(ctx, message, ASK_CANCELLED, NULL, 0));
        break;
    default:
        break;
    }
}

static const struct troupe_behaviour client = {
    .name = "client", .state_bytes = sizeof(struct client), .receive = client_receive};

/* Servers reply at RELEASE. -------------------------------------------------------------------- */

struct server {
    struct troupe_reply_to reply_tos[QUESTIONS_MAX]; // of those who wait for its reply
    uint32_t count;
    bool releases;
};

static void server_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct server *server = state;
    const uint64_t reply = THE_REPLY;
    if (troupe_message_type(message) == QUESTION) {
        MUST_BE(server->count < QUESTIONS_MAX);
        server->reply_tos[server->count++] = troupe_message_reply_to(message);
    } else if (troupe_message_type(message) == RELEASE) {
        server->releases = true;
    }
    while (server->releases && server->count > 0) {
        struct troupe_reply_to reply_to = server->reply_tos[--server->count];
        MUST(troupe_reply_later(ctx, reply_to, SERVER_REPLY, &reply, sizeof(reply)));
    }
}

static const struct troupe_behaviour server = {
    .name = "server", .state_bytes = sizeof(struct server), .receive = server_receive};

/* Delegators pass questions on. ---------------------------------------------------------------- */

struct delegator {
    troupe_ref_t to;
    uint32_t how;                    // PASS or PASS_LATER
    struct troupe_reply_to reply_to; // kept until the next message
};

static void delegator_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct delegator *delegator = state;
    const struct troupe_outgoing question = {
        .to = delegator->to,
        .type = QUESTION,
        .on_behalf_of = delegator->reply_to,
    };
    switch (troupe_message_type(message)) {
    case PASS:
    case PASS_LATER:
        delegator->to = *TROUPE_BODY(message, troupe_ref_t);
        delegator->how = troupe_message_type(message);
        MUST(troupe_reply(ctx, message, ASK_CANCELLED, NULL, 0));
        break;
    case QUESTION:
        if (delegator->how == PASS) {
            MUST(troupe_forward(ctx, message, delegator->to));
        } else {
            delegator->reply_to = troupe_message_reply_to(message);
        }
        break;
    case RELEASE:
        MUST(troupe_send_message(ctx, &question));
        break;
    default:
        break;
    }
}

static const struct troupe_behaviour delegator = {
    .name = "delegator", .state_bytes = sizeof(struct delegator), .receive = delegator_receive};

/* What the scenario does. ---------------------------------------------------------------------- */

static struct fixture *asks_open(const struct fixture_placement *placement)
{
    return fixture_open(
        placement,
        &(struct fixture_options){.behaviours = TROUPE_BEHAVIOURS(&client, &server, &delegator)});
}

static struct order order_of(struct fixture *fixture, troupe_ref_t receiver)
{
    return (struct order){
        .receiver = receiver,
        .report = fixture_scenario(fixture),
        .type = QUESTION,
        .timeout_ns = FIXTURE_DEADLINE_NS,
    };
}

static void send_number(struct fixture *fixture, troupe_ref_t to, uint64_t number)
{
    fixture_send(fixture, to, NUMBER, &number, sizeof(number));
}

static void receive_numbers(struct fixture *fixture, uint64_t count)
{
    for (uint64_t n = 0; n < count; n++) {
        const struct received *received = fixture_receive_any(fixture);
        cr_assert(eq(u32, received->type, NUMBERED));
        cr_assert(eq(u64, *(const uint64_t *)received->body, n));
    }
}

static void have_pass_to(
    struct fixture *fixture, troupe_ref_t delegator_ref, troupe_ref_t to, uint32_t how)
{
    fixture_send(fixture, delegator_ref, how, &to, sizeof(to));
    (void)fixture_receive(fixture, ASK_CANCELLED);
}

static void have_peer(struct fixture *fixture, troupe_ref_t target, troupe_ref_t receiver)
{
    struct order order = order_of(fixture, receiver);
    order.type = CIRCLE;
    fixture_send(fixture, target, PEER, &order, sizeof(order));
    (void)fixture_receive(fixture, ASK_CANCELLED);
}

/* Stashed messages. ---------------------------------------------------------------------------- */

BACKEND_TEST(exclusive_asks, messages_are_stashed_in_order_until_the_reply)
{
    struct fixture *fixture = asks_open(placement);
    troupe_ref_t server_ref = fixture_spawn(fixture, &server);
    troupe_ref_t target = fixture_spawn(fixture, &client);
    struct order order = order_of(fixture, server_ref);
    fixture_send(fixture, target, GO, &order, sizeof(order));
    for (uint64_t n = 0; n < NUMBERS; n++) {
        send_number(fixture, target, n);
    }
    fixture_send(fixture, server_ref, RELEASE, NULL, 0);
    const struct received *received = fixture_receive_any(fixture);
    cr_assert(eq(u32, received->type, WAITED));
    cr_expect(eq(int, ((const struct outcome *)received->body)->err, TROUPE_OK));
    receive_numbers(fixture, NUMBERS);
    (void)fixture_close(&fixture);
}

BACKEND_TEST(exclusive_asks, an_exclusive_ask_times_out_and_the_stash_is_handled)
{
    struct fixture *fixture = asks_open(placement);
    troupe_ref_t target = fixture_spawn(fixture, &client);
    struct order order = order_of(fixture, fixture_spawn(fixture, &server));
    order.timeout_ns = 20000000;
    fixture_send(fixture, target, GO, &order, sizeof(order));
    send_number(fixture, target, 0);
    const struct received *received = fixture_receive_any(fixture);
    cr_assert(eq(u32, received->type, WAITED));
    cr_expect(eq(int, ((const struct outcome *)received->body)->err, TROUPE_ERR_TIMEDOUT));
    receive_numbers(fixture, 1);
    (void)fixture_close(&fixture);
}

BACKEND_TEST(exclusive_asks, an_exclusive_ask_to_an_ended_actor_fails_at_once)
{
    struct fixture *fixture = asks_open(placement);
    troupe_ref_t target = fixture_spawn(fixture, &client);
    troupe_ref_t ended = fixture_scenario(fixture);
    ended.index += 1000;
    struct order order = order_of(fixture, ended);
    fixture_send(fixture, target, GO, &order, sizeof(order));
    const struct outcome *outcome = FIXTURE_RECEIVE(fixture, WAITED, struct outcome);
    cr_expect(eq(int, outcome->err, TROUPE_ERR_NOENT));
    (void)fixture_close(&fixture);
}

BACKEND_TEST(exclusive_asks, stashed_messages_of_a_stopped_actor_become_dead_letters)
{
    struct fixture *fixture = fixture_open(
        placement,
        &(struct fixture_options){
            .behaviours = TROUPE_BEHAVIOURS(&client, &server, &delegator),
            .stop_timeout_ns =
                measure_is_sanitized() ? 0 : UINT64_C(1000000000), // half of it to drain
        });
    troupe_ref_t target = fixture_spawn(fixture, &client);
    struct order order = order_of(fixture, fixture_spawn(fixture, &server));
    fixture_send(fixture, target, GO, &order, sizeof(order));
    for (uint64_t n = 0; n < NUMBERS; n++) {
        send_number(fixture, target, n);
    }
    // It still waits when the system stops.
    troupe_system_stop(fixture_system(fixture));
    fixture_run(fixture);
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(ge(u64, stats.dead, NUMBERS));
}

struct flood_order {
    troupe_ref_t to;
    uint32_t accepted;
};

static void act_flood(troupe_context_t *ctx, void *data)
{
    struct flood_order *order = data;
    uint64_t number = 0;
    while (troupe_send(ctx, order->to, NUMBER, &number, sizeof(number)) == TROUPE_OK) {
        order->accepted++;
        number++;
    }
}

BACKEND_TEST(exclusive_asks, stashed_messages_keep_their_room_in_the_mailbox)
{
    struct fixture *fixture = fixture_open(
        placement,
        &(struct fixture_options){
            .behaviours = TROUPE_BEHAVIOURS(&client, &server, &delegator),
            .mailbox_messages = 64,
        });
    troupe_ref_t server_ref = fixture_spawn(fixture, &server);
    troupe_ref_t target = fixture_spawn(fixture, &client);
    struct order order = order_of(fixture, server_ref);
    order.quiet = 1;
    fixture_send(fixture, target, GO, &order, sizeof(order));
    struct flood_order flood = {.to = target};
    fixture_call(fixture, act_flood, &flood);
    cr_expect(le(u32, flood.accepted, 64 + 16));
    fixture_send(fixture, server_ref, RELEASE, NULL, 0);
    (void)fixture_receive(fixture, WAITED);
    fixture_ask(fixture, target, COUNT, NULL, 0);
    cr_expect(eq(u64, *FIXTURE_RECEIVE(fixture, COUNT, uint64_t), flood.accepted));
    (void)fixture_close(&fixture);
}

/* Circles. ------------------------------------------------------------------------------------- */

/** Have actors ask each other in a circle, and receive how their asks ended. @return how many got DEADLOCK. */
static uint32_t run_circle(const struct fixture_placement *placement, uint32_t count)
{
    struct fixture *fixture = asks_open(placement);
    troupe_ref_t circle[8];
    for (uint32_t i = 0; i < count; i++) {
        circle[i] = fixture_spawn(fixture, &client);
    }
    for (uint32_t i = 0; i < count; i++) {
        have_peer(fixture, circle[i], circle[(i + 1) % count]);
    }
    fixture_ask(fixture, circle[0], CIRCLE, NULL, 0);
    uint32_t deadlock_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct outcome *outcome = FIXTURE_RECEIVE(fixture, WAITED, struct outcome);
        if (outcome->err == TROUPE_ERR_DEADLOCK) {
            deadlock_count++;
            cr_expect(strstr(outcome->detail, "'client'") != NULL, "%s", outcome->detail);
            cr_expect(strstr(outcome->detail, " waits for ") != NULL, "%s", outcome->detail);
        } else {
            cr_expect(eq(int, outcome->err, TROUPE_OK));
        }
    }
    // The scenario, which asked from outside of the circle, gets a reply as well.
    (void)fixture_receive(fixture, SERVER_REPLY);
    (void)fixture_close(&fixture);
    return deadlock_count;
}

BACKEND_TEST(exclusive_asks, two_actors_that_ask_each_other_get_a_deadlock)
{
    cr_expect(ge(u32, run_circle(placement, 2), 1));
}

BACKEND_TEST(exclusive_asks, five_actors_that_ask_in_a_circle_get_a_deadlock)
{
    cr_expect(ge(u32, run_circle(placement, 5), 1));
}

BACKEND_TEST(exclusive_asks, a_chain_of_exclusive_asks_is_no_deadlock)
{
    struct fixture *fixture = asks_open(placement);
    troupe_ref_t server_ref = fixture_spawn(fixture, &server);
    troupe_ref_t first = fixture_spawn(fixture, &client);
    troupe_ref_t second = fixture_spawn(fixture, &client);
    have_peer(fixture, first, second);
    struct order order = order_of(fixture, server_ref);
    fixture_send(fixture, second, PEER, &order, sizeof(order));
    (void)fixture_receive(fixture, ASK_CANCELLED);
    fixture_ask(fixture, first, CIRCLE, NULL, 0);
    fixture_send(fixture, server_ref, RELEASE, NULL, 0);
    (void)fixture_receive(fixture, SERVER_REPLY);
    for (int i = 0; i < 2; i++) {
        const struct outcome *outcome = FIXTURE_RECEIVE(fixture, WAITED, struct outcome);
        cr_expect(eq(int, outcome->err, TROUPE_OK));
    }
    (void)fixture_close(&fixture);
}

/* Cancelling, forwarding, delegating. ---------------------------------------------------------- */

static void subscribe(troupe_context_t *ctx, void *data)
{
    (void)data;
    MUST(troupe_dead_letters_subscribe(ctx, true));
}

BACKEND_TEST(exclusive_asks, the_reply_to_a_cancelled_ask_is_a_late_reply)
{
    struct fixture *fixture = asks_open(placement);
    troupe_ref_t server_ref = fixture_spawn(fixture, &server);
    troupe_ref_t target = fixture_spawn(fixture, &client);
    struct order order = order_of(fixture, server_ref);
    order.plain = 1;
    fixture_call(fixture, subscribe, NULL);
    fixture_send(fixture, target, GO, &order, sizeof(order));
    fixture_send(fixture, target, CANCEL_ASK, NULL, 0);
    (void)fixture_receive(fixture, ASK_CANCELLED);

    fixture_send(fixture, server_ref, RELEASE, NULL, 0);

    const struct troupe_dead_letter *late =
        FIXTURE_RECEIVE(fixture, TROUPE_MESSAGE_DEAD_LETTER, struct troupe_dead_letter);
    cr_expect(eq(u32, late->reason, TROUPE_DEAD_LATE_REPLY));
    cr_expect(troupe_ref_equal(late->to, target));
    send_number(fixture, target, 0);
    (void)fixture_receive(fixture, NUMBERED);
    cr_expect(eq(u32, fixture_pending_count(fixture, WAITED), 0));
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead_by_reason[TROUPE_DEAD_LATE_REPLY], 1));
}

/** Ask a delegator, and expect the reply of the server. @param how  PASS or PASS_LATER. */
static void expect_the_servers_reply(const struct fixture_placement *placement, uint32_t how)
{
    struct fixture *fixture = asks_open(placement);
    troupe_ref_t server_ref = fixture_spawn(fixture, &server);
    troupe_ref_t delegator_ref = fixture_spawn(fixture, &delegator);
    have_pass_to(fixture, delegator_ref, server_ref, how);
    fixture_send(fixture, server_ref, RELEASE, NULL, 0);
    fixture_ask(fixture, delegator_ref, QUESTION, NULL, 0);
    if (how == PASS_LATER) {
        fixture_send(fixture, delegator_ref, RELEASE, NULL, 0);
    }
    const struct received *received = fixture_receive(fixture, SERVER_REPLY);
    cr_expect(received->is_reply);
    cr_expect(troupe_ref_equal(received->from, server_ref));
    (void)fixture_close(&fixture);
}

BACKEND_TEST(exclusive_asks, a_forwarded_ask_is_replied_to_its_original_sender)
{
    expect_the_servers_reply(placement, PASS);
}

BACKEND_TEST(exclusive_asks, an_ask_can_be_delegated_in_a_later_callback)
{
    expect_the_servers_reply(placement, PASS_LATER);
}

SUBJECTS(&client, &server, &delegator);

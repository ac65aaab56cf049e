/*
 * Asks: one reply, or one error that says why there is none, exactly once, on the actor that asked.
 */
#include "support/fixture.h"
#include "support/measure.h"

#include <string.h>

enum {
    BEGIN = 1,    // to the client: ask of the scenario, struct begin; replied to with ENDED
    ENDED,        // struct ended
    DOUBLE,       // to the server: uint64_t; it replies with DOUBLED at once
    DOUBLED,      // uint64_t
    KEEP,         // to the server: uint64_t; it replies at REPLY_ALL
    REPLY_ALL,    // to the server: reply what you kept, the latest first; asks for ALL_REPLIED
    ALL_REPLIED,  // uint64_t, how many it had kept
    TWICE,        // to the server: reply twice
    STOP,         // to the server: stop
    IGNORE,       // to the server: no reply at all
    ASK_AND_STOP, // to the client: struct begin; ask, and stop
};

/* The server. ---------------------------------------------------------------------------------- */

enum { KEPT_MAX = 1000 };

struct server {
    uint32_t retained_count;
    struct {
        struct troupe_reply_to client;
        uint64_t number;
    } kept[KEPT_MAX];
};

static void server_keep(struct server *server, const troupe_message_t *message)
{
    MUST_BE(server->retained_count < KEPT_MAX);
    server->kept[server->retained_count].client = troupe_message_reply_to(message);
    server->kept[server->retained_count].number = *TROUPE_BODY(message, uint64_t);
    server->retained_count++;
}

static void server_reply_all(
    troupe_context_t *ctx, struct server *server, const troupe_message_t *message)
{
    uint64_t count = server->retained_count;
    while (server->retained_count > 0) {
        server->retained_count--;
        uint64_t doubled = 2 * server->kept[server->retained_count].number;
        MUST(troupe_reply_later(
            ctx, server->kept[server->retained_count].client, DOUBLED, &doubled, sizeof(doubled)));
    }
    REPORT(ctx, message, ALL_REPLIED, &count);
}

static void server_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct server *server = state;
    uint32_t type = troupe_message_type(message);
    if (type == DOUBLE || type == TWICE) {
        uint64_t doubled = 2 * *TROUPE_BODY(message, uint64_t);
        REPORT(ctx, message, DOUBLED, &doubled);
        if (type == TWICE) {
            REPORT(ctx, message, DOUBLED, &doubled);
        }
    } else if (type == KEEP) {
        server_keep(server, message);
    } else if (type == REPLY_ALL) {
        server_reply_all(ctx, server, message);
    } else if (type == STOP) {
        troupe_stop(ctx);
    }
}

static const struct troupe_behaviour server = {
    .name = "server", .state_bytes = sizeof(struct server), .receive = server_receive};

/* The client asks the server, as the test says, and reports the result. ------------------------ */

struct begin {
    troupe_ref_t server;
    uint32_t type;
    uint32_t count;       // asks at once
    uint32_t rounds;      // each asked from the reply of the one before
    uint32_t stops_first; // send the server STOP before the first ask
    uint64_t timeout_ns;
};

struct ended {
    uint32_t by_err[TROUPE_ERR_EXISTS + 1];
    uint32_t wrong_replies;
    uint32_t wrong_senders;
    uint32_t repeated_tags;
    uint32_t without_message; // calls with an error and no message
    uint32_t without_detail;  // calls for a timeout whose error detail does not say so
    uint64_t elapsed_ns;
};

struct client {
    struct troupe_reply_to scenario;
    struct begin begin;
    struct ended ended;
    uint32_t pending;
    uint64_t start_ns;
    uint8_t has_tag[KEPT_MAX];
};

static void client_ask(troupe_context_t *ctx, struct client *client);

static void client_check(struct client *client, uint64_t tag, const troupe_message_t *reply)
{
    const uint64_t *doubled = TROUPE_BODY(reply, uint64_t);
    bool is_right = troupe_message_type(reply) == DOUBLED && doubled != NULL && *doubled == 2 * tag;
    client->ended.wrong_replies += is_right ? 0 : 1;
    client->ended.wrong_senders +=
        troupe_ref_equal(troupe_message_sender(reply), client->begin.server) ? 0 : 1;
}

static void client_on_reply(
    troupe_context_t *ctx,
    void *state,
    uint64_t tag,
    enum troupe_err err,
    const troupe_message_t *reply)
{
    struct client *client = state;
    MUST_BE(tag < KEPT_MAX);
    client->ended.by_err[err]++;
    client->ended.repeated_tags += client->begin.rounds == 0 && client->has_tag[tag] != 0 ? 1 : 0;
    client->has_tag[tag] = 1;
    client->pending--;
    if (reply != NULL) {
        client_check(client, tag, reply);
    } else {
        client->ended.without_message++;
        bool says_so = strstr(troupe_error_detail(), "no reply in time") != NULL;
        client->ended.without_detail += err != TROUPE_ERR_TIMEDOUT || says_so ? 0 : 1;
    }
    if (client->begin.rounds > 0) {
        client->begin.rounds--;
        client_ask(ctx, client);
    }
    if (client->pending == 0) {
        client->ended.elapsed_ns = troupe_now(ctx) - client->start_ns;
        MUST(troupe_reply_later(
            ctx, client->scenario, ENDED, &client->ended, sizeof(client->ended)));
    }
}

static void client_ask(troupe_context_t *ctx, struct client *client)
{
    for (uint64_t tag = 0; tag < client->begin.count; tag++) {
        struct troupe_outgoing outgoing = {
            .to = client->begin.server,
            .type = client->begin.type,
            .body = &tag,
            .body_bytes = sizeof(tag),
        };
        MUST(troupe_ask(
            ctx,
            &outgoing,
            &(const struct troupe_ask_options){
                .timeout_ns = client->begin.timeout_ns, .on_reply = client_on_reply, .tag = tag}));
        client->pending++;
    }
}

static void client_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct client *client = state;
    client->scenario = troupe_message_reply_to(message);
    client->begin = *TROUPE_BODY(message, struct begin);
    client->start_ns = troupe_now(ctx);
    if (client->begin.stops_first != 0) {
        MUST(troupe_send(ctx, client->begin.server, STOP, NULL, 0));
    }
    client_ask(ctx, client);
    if (troupe_message_type(message) == ASK_AND_STOP) {
        MUST(troupe_reply(ctx, message, ENDED, &client->ended, sizeof(client->ended)));
        troupe_stop(ctx);
    }
}

static const struct troupe_behaviour client = {
    .name = "client", .state_bytes = sizeof(struct client), .receive = client_receive};

/** An hour: an ask that ends before the fixture's deadline did not end by this timeout. */
#define NEVER_NS UINT64_C(3600000000000)

static struct fixture *open_with_server(
    const struct fixture_placement *placement, troupe_ref_t *out_client, troupe_ref_t *out_server)
{
    struct fixture_options options = {.behaviours = TROUPE_BEHAVIOURS(&client, &server)};
    struct fixture *fixture = fixture_open(placement, &options);
    *out_client = fixture_spawn(fixture, &client);
    *out_server = fixture_spawn(fixture, &server);
    return fixture;
}

/** Have the server reply until it has replied to @p count asks, which may still be on their way. */
static void reply_all(struct fixture *fixture, troupe_ref_t server_ref, uint64_t count)
{
    uint64_t deadline_ns = measure_now_ns() + FIXTURE_DEADLINE_NS;
    uint64_t replied = 0;
    while (replied < count) {
        cr_assert(lt(u64, measure_now_ns(), deadline_ns), "the server never got all asks");
        fixture_ask(fixture, server_ref, REPLY_ALL, NULL, 0);
        replied += *FIXTURE_RECEIVE(fixture, ALL_REPLIED, uint64_t);
    }
}

BACKEND_TEST(asks, the_asking_actor_handles_a_reply_exactly_once)
{
    troupe_ref_t client_ref = TROUPE_REF_NONE;
    struct begin begin = {.type = DOUBLE, .count = 1, .timeout_ns = NEVER_NS};
    struct fixture *fixture = open_with_server(placement, &client_ref, &begin.server);

    fixture_ask(fixture, client_ref, BEGIN, &begin, sizeof(begin));

    const struct ended *ended = FIXTURE_RECEIVE(fixture, ENDED, struct ended);
    cr_expect(eq(u32, ended->by_err[TROUPE_OK], 1));
    cr_expect(eq(u32, ended->wrong_replies, 0));
    cr_expect(eq(u32, ended->wrong_senders, 0));
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead, 0));
}

BACKEND_TEST(asks, a_reply_handler_can_send_the_next_ask)
{
    troupe_ref_t client_ref = TROUPE_REF_NONE;
    struct begin begin = {.type = DOUBLE, .count = 1, .rounds = 100, .timeout_ns = NEVER_NS};
    struct fixture *fixture = open_with_server(placement, &client_ref, &begin.server);

    fixture_ask(fixture, client_ref, BEGIN, &begin, sizeof(begin));

    const struct ended *ended = FIXTURE_RECEIVE(fixture, ENDED, struct ended);
    cr_expect(eq(u32, ended->by_err[TROUPE_OK], 101));
    cr_expect(eq(u32, ended->wrong_replies, 0));
    fixture_close(&fixture);
}

BACKEND_TEST(asks, a_thousand_asks_are_distinguished_by_their_tags)
{
    troupe_ref_t client_ref = TROUPE_REF_NONE;
    struct begin begin = {.type = KEEP, .count = 1000, .timeout_ns = NEVER_NS};
    struct fixture *fixture = open_with_server(placement, &client_ref, &begin.server);
    fixture_ask(fixture, client_ref, BEGIN, &begin, sizeof(begin));

    reply_all(fixture, begin.server, begin.count);

    const struct ended *ended = FIXTURE_RECEIVE(fixture, ENDED, struct ended);
    cr_expect(eq(u32, ended->by_err[TROUPE_OK], 1000));
    cr_expect(eq(u32, ended->wrong_replies, 0));
    cr_expect(eq(u32, ended->repeated_tags, 0));
    fixture_close(&fixture);
}

BACKEND_TEST(asks, a_reply_may_come_from_a_later_callback)
{
    troupe_ref_t client_ref = TROUPE_REF_NONE;
    struct begin begin = {.type = KEEP, .count = 1, .timeout_ns = NEVER_NS};
    struct fixture *fixture = open_with_server(placement, &client_ref, &begin.server);
    uint64_t number = 21;
    fixture_ask(fixture, begin.server, KEEP, &number, sizeof(number));

    reply_all(fixture, begin.server, 1);

    const struct received *received = fixture_receive(fixture, DOUBLED);
    cr_expect(received->is_reply);
    cr_expect(eq(u64, *(const uint64_t *)received->body, 42));
    fixture_close(&fixture);
}

BACKEND_TEST(asks, an_ask_without_a_reply_times_out_and_not_early)
{
    troupe_ref_t client_ref = TROUPE_REF_NONE;
    struct begin begin = {.type = IGNORE, .count = 3, .timeout_ns = 5000000};
    struct fixture *fixture = open_with_server(placement, &client_ref, &begin.server);

    fixture_ask(fixture, client_ref, BEGIN, &begin, sizeof(begin));

    const struct ended *ended = FIXTURE_RECEIVE(fixture, ENDED, struct ended);
    cr_expect(eq(u32, ended->by_err[TROUPE_ERR_TIMEDOUT], 3));
    cr_expect(eq(u32, ended->without_message, 3));
    cr_expect(eq(u32, ended->without_detail, 0));
    cr_expect(ge(u64, ended->elapsed_ns, begin.timeout_ns));
    fixture_close(&fixture);
}

BACKEND_TEST(asks, a_late_reply_is_a_dead_letter)
{
    troupe_ref_t client_ref = TROUPE_REF_NONE;
    struct begin begin = {.type = KEEP, .count = 1, .timeout_ns = 2000000};
    struct fixture *fixture = open_with_server(placement, &client_ref, &begin.server);
    fixture_ask(fixture, client_ref, BEGIN, &begin, sizeof(begin));
    (void)fixture_receive(fixture, ENDED);

    reply_all(fixture, begin.server, 1);

    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead_by_reason[TROUPE_DEAD_LATE_REPLY], 1));
    cr_expect(eq(u64, stats.dead, 1));
}

BACKEND_TEST(asks, a_second_reply_is_a_dead_letter)
{
    troupe_ref_t client_ref = TROUPE_REF_NONE;
    struct begin begin = {.type = TWICE, .count = 1, .timeout_ns = NEVER_NS};
    struct fixture *fixture = open_with_server(placement, &client_ref, &begin.server);

    fixture_ask(fixture, client_ref, BEGIN, &begin, sizeof(begin));

    const struct ended *ended = FIXTURE_RECEIVE(fixture, ENDED, struct ended);
    cr_expect(eq(u32, ended->by_err[TROUPE_OK], 1));
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead_by_reason[TROUPE_DEAD_LATE_REPLY], 1));
}

BACKEND_TEST(asks, an_ask_to_an_ended_actor_fails_at_once)
{
    troupe_ref_t client_ref = TROUPE_REF_NONE;
    struct begin begin = {.type = DOUBLE, .count = 1, .timeout_ns = NEVER_NS};
    struct fixture *fixture = open_with_server(placement, &client_ref, &begin.server);
    fixture_send(fixture, begin.server, STOP, NULL, 0);
    fixture_ask(fixture, begin.server, DOUBLE, &begin.timeout_ns, sizeof(begin.timeout_ns));
    cr_expect(eq(int, fixture_receive(fixture, FIXTURE_NO_REPLY)->err, TROUPE_ERR_NOENT));

    fixture_ask(fixture, client_ref, BEGIN, &begin, sizeof(begin));

    const struct ended *ended = FIXTURE_RECEIVE(fixture, ENDED, struct ended);
    cr_expect(eq(u32, ended->by_err[TROUPE_ERR_NOENT], 1));
    cr_expect(eq(u32, ended->without_message, 1));
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead_by_reason[TROUPE_DEAD_STOPPED], 2)); // the two asks
}

BACKEND_TEST(asks, a_pending_ask_fails_when_its_receiver_stops)
{
    troupe_ref_t client_ref = TROUPE_REF_NONE;
    struct begin begin = {.type = DOUBLE, .count = 10, .stops_first = 1, .timeout_ns = NEVER_NS};
    struct fixture *fixture = open_with_server(placement, &client_ref, &begin.server);

    fixture_ask(fixture, client_ref, BEGIN, &begin, sizeof(begin));

    const struct ended *ended = FIXTURE_RECEIVE(fixture, ENDED, struct ended);
    cr_expect(eq(u32, ended->by_err[TROUPE_ERR_NOENT], 10));
    fixture_close(&fixture);
}

BACKEND_TEST(asks, a_reply_to_an_ended_actor_is_a_dead_letter)
{
    troupe_ref_t client_ref = TROUPE_REF_NONE;
    struct begin begin = {.type = KEEP, .count = 5, .timeout_ns = NEVER_NS};
    struct fixture *fixture = open_with_server(placement, &client_ref, &begin.server);
    fixture_ask(fixture, client_ref, ASK_AND_STOP, &begin, sizeof(begin));
    (void)fixture_receive(fixture, ENDED);
    fixture_ask(fixture, client_ref, BEGIN, &begin, sizeof(begin)); // it has ended
    cr_expect(eq(int, fixture_receive(fixture, FIXTURE_NO_REPLY)->err, TROUPE_ERR_NOENT));

    reply_all(fixture, begin.server, begin.count);

    struct troupe_stats stats = fixture_close(&fixture);
    // Five replies, and one ask to an ended actor.
    cr_expect(
        eq(u64,
           stats.dead_by_reason[TROUPE_DEAD_LATE_REPLY] + stats.dead_by_reason[TROUPE_DEAD_STOPPED],
           6));
    cr_expect(eq(u64, stats.dead, 6));
}

BACKEND_TEST(asks, a_plain_send_is_replied_to_as_a_plain_send)
{
    troupe_ref_t client_ref = TROUPE_REF_NONE;
    troupe_ref_t server_ref = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_server(placement, &client_ref, &server_ref);
    uint64_t number = 21;

    fixture_send(fixture, server_ref, DOUBLE, &number, sizeof(number));

    const struct received *received = fixture_receive(fixture, DOUBLED);
    cr_expect(not(received->is_reply));
    cr_expect(eq(u64, *(const uint64_t *)received->body, 42));
    fixture_close(&fixture);
}

BACKEND_TEST(asks, the_main_program_cannot_ask)
{
    troupe_ref_t client_ref = TROUPE_REF_NONE;
    struct troupe_outgoing outgoing = {.type = DOUBLE};
    struct fixture *fixture = open_with_server(placement, &client_ref, &outgoing.to);

    enum troupe_err err = troupe_ask(
        troupe_system_context(fixture_system(fixture)),
        &outgoing,
        &(const struct troupe_ask_options){.on_reply = client_on_reply});

    cr_expect(eq(int, err, TROUPE_ERR_UNSUPPORTED));
    fixture_close(&fixture);
}

SUBJECTS(&client, &server);

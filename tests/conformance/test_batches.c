/*
 * Behaviours that receive batches: the result is that of single messages, wherever the actors live, and a batch has
 * a bound.
 *
 *     scenario --a random stream, in bursts--> players of one behaviour --> what each handled, in order
 *
 * The same stream is sent twice, to players that receive batches and to players that do not.
 */
#include "support/fixture.h"

#include "unit/chance.h"
#include <troupe/backend.h>

#include <string.h>

enum {
    NOTE = 1,     // uint64_t: goes into the digest
    LINE,         // the same, longer: so that it is no run
    ECHO,         // replied to with ECHOED, in order
    STOP,         // the player stops
    FAIL,         // the player fails, with the number as its code
    STOP_IT,      // struct stop_it: the player stops another on its executor, if they share one
    BECOME,       // the player becomes its twin, which digests another way
    WAIT,         // troupe_ref_t: the player asks the server, and waits
    REPORT_TALLY, // ask: struct tally, so far
    ECHOED,       // from a player: uint64_t
    LEFT,         // from a player's fini: struct tally
    QUESTION,     // to the server: replied to with QUESTION_REPLY
    QUESTION_REPLY,
    TALLY,
};

enum { PLAYERS = 7, BURSTS = 12, BURST_MAX = 300, BOUND_MESSAGES = 1000, LINE_BYTES = 40 };

/** What a player did. */
struct tally {
    uint64_t digest;
    uint64_t count;
    uint64_t replies;
    uint64_t exit;       // reason and code
    uint64_t batched;    // messages that came in batches: not compared
    uint64_t batch_most; // likewise
    uint64_t wrong;      // things that no batch may have
};

struct player {
    troupe_ref_t scenario;
    struct tally tally;
};

static void player_digest(struct player *player, uint64_t what)
{
    player->tally.digest = (player->tally.digest ^ what) * UINT64_C(0x100000001B3);
}

static void player_on_reply(
    troupe_context_t *ctx,
    void *state,
    uint64_t tag,
    enum troupe_err err,
    const troupe_message_t *reply)
{
    (void)ctx;
    (void)reply;
    struct player *player = state;
    MUST(err);
    player->tally.replies++;
    player_digest(player, tag << 32);
}

static enum troupe_err player_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)ctx;
    ((struct player *)state)->scenario = fixture_ref_of(args, args_bytes);
    return TROUPE_OK;
}

static void player_fini(troupe_context_t *ctx, void *state, const struct troupe_exit *exit)
{
    struct player *player = state;
    player->tally.exit = (uint64_t)exit->reason << 32 | (uint32_t)exit->code;
    if (exit->reason != TROUPE_EXIT_SHUTDOWN) {
        MUST(TROUPE_SEND(ctx, player->scenario, LEFT, &player->tally));
    }
}

static void player_become(troupe_context_t *ctx);

static void player_wait(troupe_context_t *ctx, const troupe_message_t *message)
{
    const struct troupe_outgoing outgoing = {
        .to = *TROUPE_BODY(message, troupe_ref_t), .type = QUESTION};
    MUST(troupe_ask(
        ctx,
        &outgoing,
        &(const struct troupe_ask_options){
            .on_reply = player_on_reply, .tag = QUESTION_REPLY, .exclusive = true}));
}

/** Handle one message, alone or of a batch. */
static void player_handle(
    troupe_context_t *ctx, struct player *player, const troupe_message_t *message, uint64_t salt)
{
    uint32_t type = troupe_message_type(message);
    uint64_t number = 0;
    if (type == REPORT_TALLY) {
        REPORT(ctx, message, TALLY, &player->tally);
        return;
    }
    if (troupe_message_body_bytes(message) >= sizeof(number)) {
        memcpy(&number, troupe_message_body(message), sizeof(number));
    }
    // A reference differs from one course to the next.
    player_digest(player, (type == WAIT ? 0 : number) ^ (uint64_t)type << 56 ^ salt << 40);
    player->tally.count++;
    switch (type) {
    case ECHO:
        MUST(troupe_reply(ctx, message, ECHOED, &player->tally.count, sizeof(uint64_t)));
        break;
    case STOP:
        troupe_stop(ctx);
        break;
    case FAIL:
        troupe_fail(ctx, (int)(number % 100), "as it was told");
        break;
    case BECOME:
        player_become(ctx);
        break;
    case WAIT:
        player_wait(ctx, message);
        break;
    default:
        break;
    }
}

static void player_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    player_handle(ctx, state, message, 0);
}

static void player_receive_batch(
    troupe_context_t *ctx,
    void *const states[],
    const troupe_message_t *const messages[],
    size_t count)
{
    bool is_bounded = count >= 2 && count <= TROUPE_BATCH_MAX;
    for (size_t i = 0; i < count; i++) {
        if (troupe_batch_select(ctx, i)) {
            struct player *player = states[i];
            player->tally.wrong += is_bounded ? 0 : 1;
            player->tally.batched++;
            player->tally.batch_most =
                count > player->tally.batch_most ? count : player->tally.batch_most;
            player_handle(ctx, player, messages[i], 0);
        }
    }
    MUST_BE(!troupe_batch_select(ctx, count)); // there is none
}

/** The twin has no batches, and digests another way. */
static void twin_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    player_handle(ctx, state, message, 1);
}

#define PLAYER(behaviour_name)                                                           \
    .name = (behaviour_name), .state_bytes = sizeof(struct player), .init = player_init, \
    .fini = player_fini

static const struct troupe_behaviour twin = {PLAYER("twin"), .receive = twin_receive};
static const struct troupe_behaviour single = {PLAYER("single"), .receive = player_receive};
static const struct troupe_behaviour batched = {
    PLAYER("batched"), .receive = player_receive, .receive_batch = player_receive_batch};

static void player_become(troupe_context_t *ctx)
{
    MUST(troupe_become(ctx, &twin));
}

static void server_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    if (troupe_message_type(message) == QUESTION) {
        MUST(troupe_reply(ctx, message, QUESTION_REPLY, NULL, 0));
    }
}

static const struct troupe_behaviour server = {.name = "server", .receive = server_receive};

/* A stream. ------------------------------------------------------------------------------------ */

/** What is sent in one callback of the scenario. */
struct burst {
    struct chance *chance;
    const troupe_ref_t *players;
    troupe_ref_t server;
    uint32_t count;
    uint32_t echoes; // that will come, if no actor ends
};

static void burst_send_body(troupe_context_t *ctx, troupe_ref_t to, uint64_t number)
{
    struct troupe_body body;
    MUST(troupe_body_new(sizeof(number), &body));
    memcpy(body.data, &number, sizeof(number));
    MUST(troupe_send_body(ctx, to, NOTE, &body));
}

static void burst_send_one(troupe_context_t *ctx, const struct burst *burst, troupe_ref_t to)
{
    struct chance *chance = burst->chance;
    uint64_t line[LINE_BYTES / sizeof(uint64_t)] = {chance_bits(chance)};
    const struct troupe_outgoing ending = {
        .to = to,
        .type = NOTE,
        .body = line,
        .body_bytes = sizeof(line[0]),
        .ttl_ns = chance_one_in(chance, 2) ? 1 : UINT64_C(3600000000000),
    };
    uint32_t kind = chance_below(chance, 400);
    if (kind < 8) {
        const uint32_t types[] = {STOP, FAIL, BECOME, WAIT, WAIT, WAIT, WAIT, WAIT};
        bool waits = types[kind] == WAIT;
        const void *body = waits ? (const void *)&burst->server : line;
        size_t bytes = waits ? sizeof(burst->server) : sizeof(line[0]);
        MUST(troupe_send(ctx, to, types[kind], body, bytes));
    } else if (kind < 16) {
        burst_send_body(ctx, to, line[0]);
    } else if (kind < 24) {
        MUST(troupe_send_message(ctx, &ending));
    } else if (kind < 80) {
        MUST(troupe_send(ctx, to, ECHO, line, sizeof(line[0])));
    } else if (kind < 160) {
        MUST(troupe_send(ctx, to, LINE, line, sizeof(line)));
    } else {
        MUST(troupe_send(ctx, to, NOTE, line, sizeof(line[0])));
    }
}

static void burst_send(troupe_context_t *ctx, void *data)
{
    const struct burst *burst = data;
    uint32_t player = 0;
    for (uint32_t i = 0; i < burst->count; i++) {
        if (!chance_one_in(burst->chance, 3)) { // runs for one, and a few for each
            player = chance_below(burst->chance, PLAYERS);
        }
        burst_send_one(ctx, burst, burst->players[player]);
    }
}

/** What came of a stream. */
struct course {
    struct tally tallies[PLAYERS];
    uint64_t echoes[PLAYERS]; // digests
    struct troupe_stats stats;
};

static uint32_t course_index(const troupe_ref_t players[static PLAYERS], troupe_ref_t from)
{
    for (uint32_t i = 0; i < PLAYERS; i++) {
        if (troupe_ref_equal(players[i], from)) {
            return i;
        }
    }
    cr_fatal("no player sent it");
    return 0;
}

/** Receive echoes and final tallies until each player has reported: at its end, or because it was asked. */
static void course_receive(
    struct fixture *fixture, const troupe_ref_t players[static PLAYERS], struct course *course)
{
    bool ended[PLAYERS] = {false};
    bool asked[PLAYERS] = {false};
    for (uint32_t i = 0; i < PLAYERS; i++) {
        fixture_ask(fixture, players[i], REPORT_TALLY, NULL, 0);
    }
    for (uint32_t open = 2 * PLAYERS; open > 0;) {
        const struct received *received = fixture_receive_any(fixture);
        if (received->type == FIXTURE_NO_REPLY) {
            cr_assert(received->err == TROUPE_ERR_NOENT);
            open--; // its LEFT names it
            continue;
        }
        uint32_t index = course_index(players, received->from);
        if (received->type == ECHOED) {
            uint64_t number = *(const uint64_t *)received->body;
            course->echoes[index] = (course->echoes[index] ^ number) * UINT64_C(0x100000001B3);
        } else if (received->type == LEFT || received->type == TALLY) {
            bool is_known = ended[index] || asked[index];
            cr_assert(not(is_known));
            course->tallies[index] = *(const struct tally *)received->body;
            ended[index] = received->type == LEFT;
            asked[index] = received->type == TALLY;
            open -= asked[index] ? 2 : 1;
        }
    }
}

static struct course run_course(
    const struct fixture_placement *placement,
    const struct troupe_behaviour *behaviour,
    uint64_t seed)
{
    struct chance chance = {.state = seed};
    struct course course = {.stats = {0}};
    struct fixture_options options = {.behaviours = subjects};
    struct fixture *fixture = fixture_open(placement, &options);
    troupe_ref_t players[PLAYERS];
    for (uint32_t i = 0; i < PLAYERS; i++) {
        players[i] = fixture_spawn_reporter(fixture, behaviour);
    }
    struct burst burst = {
        .chance = &chance, .players = players, .server = fixture_spawn(fixture, &server)};
    for (uint32_t i = 0; i < BURSTS; i++) {
        burst.count = chance_below(&chance, BURST_MAX);
        fixture_call(fixture, burst_send, &burst);
    }
    course_receive(fixture, players, &course);
    course.stats = fixture_close(&fixture);
    return course;
}

BACKEND_TEST(batches, have_the_same_result_as_single_messages)
{
    struct chance chance = chance_open("batches");
    uint64_t batched_count = 0;
    for (uint32_t round = 0; round < 3; round++) {
        uint64_t seed = chance_bits(&chance);
        struct course one = run_course(placement, &single, seed);
        struct course other = run_course(placement, &batched, seed);
        for (uint32_t i = 0; i < PLAYERS; i++) {
            const struct tally *expected = &one.tallies[i];
            const struct tally *got = &other.tallies[i];
            cr_expect(eq(u64, got->digest, expected->digest), "player %u", i);
            cr_expect(eq(u64, got->count, expected->count), "player %u", i);
            cr_expect(eq(u64, got->replies, expected->replies), "player %u", i);
            cr_expect(eq(u64, got->exit, expected->exit), "player %u", i);
            cr_expect(eq(u64, got->wrong, 0), "player %u", i);
            cr_expect(eq(u64, other.echoes[i], one.echoes[i]), "player %u", i);
            cr_expect(eq(u64, expected->batched, 0));
            batched_count += got->batched;
        }
        cr_expect(eq(u64, other.stats.handled, one.stats.handled));
        cr_expect(eq(u64, other.stats.dead, one.stats.dead));
        cr_expect(eq(u64, other.stats.unknown, 0));
    }
    cr_expect(gt(u64, batched_count, 0), "there were some");
}

/* Bounds. -------------------------------------------------------------------------------------- */

static void send_many(troupe_context_t *ctx, void *data)
{
    const troupe_ref_t *players = data;
    for (uint64_t i = 0; i < BOUND_MESSAGES; i++) {
        MUST(TROUPE_SEND(ctx, players[i % 2], NOTE, &i));
        MUST(TROUPE_SEND(ctx, players[i % 2], NOTE, &i));
    }
}

BACKEND_TEST(batches, are_bounded)
{
    struct fixture_options options = {.behaviours = subjects};
    struct fixture *fixture = fixture_open(placement, &options);
    troupe_ref_t players[2] = {
        fixture_spawn_reporter(fixture, &batched), fixture_spawn_reporter(fixture, &batched)};
    // Messages that were retained until an actor started are handled singly.
    for (uint32_t i = 0; i < 2; i++) {
        fixture_ask(fixture, players[i], REPORT_TALLY, NULL, 0);
        (void)FIXTURE_RECEIVE(fixture, TALLY, struct tally);
    }

    fixture_call(fixture, send_many, players);

    for (uint32_t i = 0; i < 2; i++) {
        fixture_ask(fixture, players[i], REPORT_TALLY, NULL, 0);
        const struct tally *tally = FIXTURE_RECEIVE(fixture, TALLY, struct tally);
        cr_expect(eq(u64, tally->count, BOUND_MESSAGES));
        cr_expect(eq(u64, tally->wrong, 0));
        cr_expect(gt(u64, tally->batched, BOUND_MESSAGES / 2));
        cr_expect(le(u64, tally->batch_most, TROUPE_BATCH_MAX));
        if ((fixture_traits(placement) & TROUPE_TRAIT_PARALLEL) == 0) {
            cr_expect(eq(u64, tally->batch_most, TROUPE_BATCH_MAX), "all was in one frame");
        }
    }
    (void)fixture_close(&fixture);
}

/* Others in the same batch. -------------------------------------------------------------------- */

static void stop_other_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    uint64_t *count = state;
    if (troupe_message_type(message) == REPORT_TALLY) {
        REPORT(ctx, message, TALLY, count);
        return;
    }
    ++*count;
    if (troupe_message_type(message) == STOP_IT) {
        MUST(troupe_stop_actor(ctx, *TROUPE_BODY(message, troupe_ref_t)));
    }
}

static void stop_other_receive_batch(
    troupe_context_t *ctx,
    void *const states[],
    const troupe_message_t *const messages[],
    size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (troupe_batch_select(ctx, i)) {
            stop_other_receive(ctx, states[i], messages[i]);
        }
    }
}

static const struct troupe_behaviour stopper = {
    .name = "stopper",
    .state_bytes = sizeof(uint64_t),
    .receive = stop_other_receive,
    .receive_batch = stop_other_receive_batch,
};

/** Two of them: the first stops the second, which has a message before that and one after it. */
static void send_stop_it(troupe_context_t *ctx, void *data)
{
    const troupe_ref_t *stoppers = data;
    uint64_t number = 0;
    MUST(TROUPE_SEND(ctx, stoppers[1], NOTE, &number));
    MUST(TROUPE_SEND(ctx, stoppers[0], STOP_IT, &stoppers[1]));
    MUST(TROUPE_SEND(ctx, stoppers[1], NOTE, &number));
    MUST(TROUPE_SEND(ctx, stoppers[0], NOTE, &number));
}

Test(
    batches,
    an_actor_stopped_by_another_of_its_batch_gets_no_more_messages,
    .timeout = FIXTURE_TEST_SECONDS)
{
    const struct fixture_placement world = {.name = "ecs", .place = "ecs"};
    struct fixture_options options = {.behaviours = subjects};
    struct fixture *fixture = fixture_open(&world, &options);
    troupe_ref_t stoppers[2] = {fixture_spawn(fixture, &stopper), fixture_spawn(fixture, &stopper)};

    fixture_call(fixture, send_stop_it, stoppers);

    fixture_ask(fixture, stoppers[0], REPORT_TALLY, NULL, 0);
    cr_expect(eq(u64, *FIXTURE_RECEIVE(fixture, TALLY, uint64_t), 2));
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead_by_reason[TROUPE_DEAD_STOPPED], 1));
}

/* Without selecting. --------------------------------------------------------------------------- */

struct summer {
    uint64_t sum;
    uint64_t count;
    uint64_t called; // in batches
};

static void summer_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct summer *summer = state;
    if (troupe_message_type(message) == REPORT_TALLY) {
        REPORT(ctx, message, TALLY, summer);
    } else {
        summer->sum += *TROUPE_BODY(message, uint64_t);
        summer->count++;
    }
}

static void summer_receive_batch(
    troupe_context_t *ctx,
    void *const states[],
    const troupe_message_t *const messages[],
    size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct summer *summer = states[i];
        summer->sum += *TROUPE_BODY(messages[i], uint64_t);
        summer->count++;
        summer->called++;
    }
    // The context is the first one's, which ends now; all messages passed to it count as handled.
    if (*TROUPE_BODY(messages[count - 1], uint64_t) == UINT64_MAX) {
        MUST(troupe_send(ctx, troupe_message_sender(messages[0]), ECHOED, NULL, 0));
        troupe_stop(ctx);
    }
}

static const struct troupe_behaviour summer = {
    .name = "summer",
    .state_bytes = sizeof(struct summer),
    .receive = summer_receive,
    .receive_batch = summer_receive_batch,
};

static void send_sums(troupe_context_t *ctx, void *data)
{
    const troupe_ref_t *summers = data;
    for (uint64_t i = 0; i < 10; i++) {
        uint64_t number = i == 9 ? UINT64_MAX : i;
        MUST(TROUPE_SEND(ctx, summers[i % 2], NOTE, &number));
    }
}

Test(
    batches,
    a_callback_that_does_not_select_acts_as_the_first_actor,
    .timeout = FIXTURE_TEST_SECONDS)
{
    const struct fixture_placement world = {.name = "ecs", .place = "ecs"};
    struct fixture_options options = {.behaviours = subjects};
    struct fixture *fixture = fixture_open(&world, &options);
    troupe_ref_t summers[2] = {fixture_spawn(fixture, &summer), fixture_spawn(fixture, &summer)};

    fixture_call(fixture, send_sums, summers);

    cr_expect(troupe_ref_equal(fixture_receive(fixture, ECHOED)->from, summers[0]));
    fixture_ask(fixture, summers[1], REPORT_TALLY, NULL, 0);
    const struct summer *said = FIXTURE_RECEIVE(fixture, TALLY, struct summer);
    cr_expect(eq(u64, said->count, 5));
    cr_expect(eq(u64, said->called, 5));
    cr_expect(eq(u64, said->sum, 1 + 3 + 5 + 7 + UINT64_MAX));
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead, 0));
}

SUBJECTS(&single, &batched, &twin, &server, &stopper, &summer);

/*
 * The end of a system: whatever its actors do, it stops in order and in time, `fini` of every actor is called once,
 * and every message is accounted for (the audit of fixture_close()).
 *
 * Subjects report into a journal at the very end, since the scenario may have ended by then.
 */
#include "support/fixture.h"
#include "support/measure.h"

#include <stdio.h>
#include <string.h>

enum {
    SERVE = 1, // to a player: struct serve
    BALL,      // between players, for ever
    BUSY,      // from a player after some balls
    FLOOD,     // to a flooder: troupe_ref_t
    FLOODING,  // from the flooder
    BEAT,      // from a timer
    STOP_ALL,  // stop the system
    END,       // fail
    HELLO,     // ask; replied to with HELLO
};

/* Players exchange a ball for ever. ------------------------------------------------------------ */

struct serve {
    troupe_ref_t other;
    troupe_ref_t scenario;
};

struct player {
    struct serve serve;
    uint32_t count;
};

static void player_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct player *player = state;
    player->count++;
    if (troupe_message_type(message) == SERVE) {
        player->serve = *TROUPE_BODY(message, struct serve);
    }
    if (player->count == 100 && !troupe_ref_is_none(player->serve.scenario)) {
        MUST(troupe_send(ctx, player->serve.scenario, BUSY, NULL, 0));
    }
    troupe_ref_t to = troupe_message_type(message) == SERVE ? player->serve.other
                                                            : troupe_message_sender(message);
    // While the system ends, a send may be refused; then the exchange ends.
    fixture_ignore(troupe_send(ctx, to, BALL, NULL, 0));
}

static const struct troupe_behaviour player = {
    .name = "player", .state_bytes = sizeof(struct player), .receive = player_receive};

BACKEND_TEST(stop, a_system_stops_while_its_actors_exchange_messages)
{
    // Players never run out of messages, so half of the time to stop has before they are stopped.
    struct fixture_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&player),
        .stop_timeout_ns = measure_is_sanitized() ? 0 : UINT64_C(2000000000),
    };
    struct fixture *fixture = fixture_open(placement, &options);
    for (int pair = 0; pair < 4; pair++) {
        struct serve serve = {
            .other = fixture_spawn(fixture, &player), .scenario = fixture_scenario(fixture)};
        fixture_send(fixture, fixture_spawn(fixture, &player), SERVE, &serve, sizeof(serve));
    }
    for (int pair = 0; pair < 4; pair++) {
        (void)fixture_receive(fixture, BUSY);
    }

    troupe_system_stop(fixture_system(fixture));
    fixture_run(fixture);

    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.actors_ended, 9));
}

/* Flooders fill a mailbox for ever. ------------------------------------------------------------ */

struct flooder {
    troupe_ref_t scenario;
    troupe_ref_t to;
    uint32_t rooms;
};

static enum troupe_err flooder_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)ctx;
    ((struct flooder *)state)->scenario = fixture_ref_of(args, args_bytes);
    return TROUPE_OK;
}

static void flooder_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct flooder *flooder = state;
    if (troupe_message_type(message) == FLOOD) {
        flooder->to = *TROUPE_BODY(message, troupe_ref_t);
    } else if (++flooder->rooms == 3) {
        // By a timer, which needs no room: on one executor the scenario's mailbox is the full one.
        struct troupe_outgoing busy = {.to = flooder->scenario, .type = BUSY};
        MUST(troupe_send_after(ctx, 0, &busy, NULL));
    }
    for (int i = 0; i < 100; i++) {
        // A send that is refused, by a full mailbox or by the stop, continues at ROOM or never.
        fixture_ignore(troupe_send(ctx, flooder->to, FLOODING, "pressure", 9));
    }
}

static const struct troupe_behaviour flooder = {
    .name = "flooder",
    .state_bytes = sizeof(struct flooder),
    .init = flooder_init,
    .receive = flooder_receive,
};

BACKEND_TEST(stop, a_system_stops_while_its_mailboxes_are_full)
{
    struct fixture_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&flooder, &fixture_slow), .mailbox_messages = 64};
    struct fixture *fixture = fixture_open(placement, &options);
    troupe_context_t *ctx = troupe_system_context(fixture_system(fixture));
    troupe_ref_t slow = fixture_spawn(fixture, &fixture_slow);
    for (int i = 0; i < 3; i++) {
        troupe_ref_t ref = fixture_spawn_reporter(fixture, &flooder);
        cr_assert(eq(int, TROUPE_SEND(ctx, ref, FLOOD, &slow), TROUPE_OK));
    }
    for (int i = 0; i < 3; i++) {
        (void)fixture_receive(fixture, BUSY);
    }

    troupe_system_stop(fixture_system(fixture));
    fixture_run(fixture);

    fixture_close(&fixture);
}

/* Repeating timers. ---------------------------------------------------------------------------- */

struct beater {
    troupe_ref_t scenario;
    uint32_t beats;
};

static void beater_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct beater *beater = state;
    if (troupe_message_type(message) == HELLO) {
        beater->scenario = troupe_message_sender(message);
        struct troupe_outgoing beat = {.to = troupe_self(ctx), .type = BEAT};
        MUST(troupe_send_every(ctx, 100000, &beat, NULL));
        return;
    }
    beater->beats++;
    if (beater->beats == 3) {
        MUST(troupe_send(ctx, beater->scenario, BUSY, NULL, 0));
    }
}

static const struct troupe_behaviour beater = {
    .name = "beater", .state_bytes = sizeof(struct beater), .receive = beater_receive};

BACKEND_TEST(stop, a_system_stops_while_its_timers_repeat)
{
    struct fixture_options options = {.behaviours = TROUPE_BEHAVIOURS(&beater)};
    struct fixture *fixture = fixture_open(placement, &options);
    for (int i = 0; i < 4; i++) {
        fixture_send(fixture, fixture_spawn(fixture, &beater), HELLO, NULL, 0);
    }
    for (int i = 0; i < 4; i++) {
        (void)fixture_receive(fixture, BUSY);
    }

    troupe_system_stop(fixture_system(fixture));
    fixture_run(fixture);

    fixture_close(&fixture);
}

/* The logger writes its exit into the journal. ------------------------------------------------- */

struct log_line {
    struct fixture_journal journal;
    uint32_t number;
};

static enum troupe_err logger_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)ctx;
    MUST_BE(args_bytes == sizeof(struct log_line));
    memcpy(state, args, args_bytes);
    return TROUPE_OK;
}

static void logger_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    if (troupe_message_type(message) == STOP_ALL) {
        troupe_shutdown(ctx);
    } else if (troupe_message_type(message) == END) {
        troupe_fail(ctx, 7, "as told");
    } else {
        MUST(troupe_reply(ctx, message, HELLO, NULL, 0));
    }
}

static void logger_fini(troupe_context_t *ctx, void *state, const struct troupe_exit *end)
{
    const struct log_line *log_line = state;
    char line[128];
    (void)snprintf(
        line,
        sizeof(line),
        "%u %u %u %s",
        (unsigned)troupe_self(ctx).node,
        (unsigned)troupe_self(ctx).executor,
        (unsigned)log_line->number,
        troupe_exit_reason_text(end->reason));
    fixture_journal_add(&log_line->journal, line);
}

static const struct troupe_behaviour logger = {
    .name = "logger",
    .state_bytes = sizeof(struct log_line),
    .init = logger_init,
    .receive = logger_receive,
    .fini = logger_fini,
};

enum { LOGGER_COUNT = 10 };

/** A system with ten loggers, each of which has replied to. @return the last one. */
static struct fixture *open_with_loggers(
    const struct fixture_placement *placement,
    struct fixture_journal *journal,
    troupe_ref_t *out_last)
{
    struct fixture_options options = {.behaviours = TROUPE_BEHAVIOURS(&logger)};
    struct fixture *fixture = fixture_open(placement, &options);
    struct log_line log_line;
    fixture_journal_open(journal);
    log_line.journal = *journal;
    for (log_line.number = 0; log_line.number < LOGGER_COUNT; log_line.number++) {
        *out_last = fixture_spawn_with(
            fixture,
            &(struct troupe_spawn_options){
                .behaviour = &logger,
                .args = &log_line,
                .args_bytes = sizeof(log_line),
            });
        fixture_ask(fixture, *out_last, HELLO, NULL, 0);
        (void)fixture_receive(fixture, HELLO);
    }
    return fixture;
}

struct line {
    unsigned node;
    unsigned executor;
    unsigned number;
    char reason[32];
};

/** Read the next line of a journal and move @p text behind it. @return whether there was one. */
static bool next_line(const char **text, struct line *out_line)
{
    int bytes = 0;
    int count = sscanf(
        *text,
        "%u %u %u %31s\n%n",
        &out_line->node,
        &out_line->executor,
        &out_line->number,
        out_line->reason,
        &bytes);
    *text += count == 4 ? bytes : 0;
    return count == 4;
}

BACKEND_TEST(stop, fini_of_every_actor_is_called_once_with_shutdown)
{
    struct fixture_journal journal;
    troupe_ref_t last = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_loggers(placement, &journal, &last);

    fixture_close(&fixture);

    const char *text = fixture_journal_close(&journal);
    struct line line;
    uint32_t seen[LOGGER_COUNT] = {0};
    while (next_line(&text, &line)) {
        cr_assert(lt(uint, line.number, LOGGER_COUNT));
        seen[line.number]++;
        cr_expect(strcmp(line.reason, "shutdown") == 0, "%u: %s", line.number, line.reason);
    }
    for (uint32_t number = 0; number < LOGGER_COUNT; number++) {
        cr_expect(eq(u32, seen[number], 1));
    }
}

BACKEND_TEST(stop, actors_of_one_executor_end_in_reverse_order_of_their_start)
{
    struct fixture_journal journal;
    troupe_ref_t last = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_loggers(placement, &journal, &last);

    fixture_close(&fixture);

    const char *text = fixture_journal_close(&journal);
    struct line lines[LOGGER_COUNT];
    uint32_t count = 0;
    while (count < LOGGER_COUNT && next_line(&text, &lines[count])) {
        for (uint32_t before = 0; before < count; before++) {
            bool is_shared = lines[before].node == lines[count].node &&
                             lines[before].executor == lines[count].executor;
            if (is_shared) {
                cr_expect(gt(uint, lines[before].number, lines[count].number));
            }
        }
        count++;
    }
    cr_expect(eq(u32, count, LOGGER_COUNT));
}

BACKEND_TEST(stop, an_actor_can_shut_the_system_down)
{
    struct fixture_journal journal;
    troupe_ref_t last = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_loggers(placement, &journal, &last);

    fixture_send(fixture, last, STOP_ALL, NULL, 0);
    fixture_run(fixture);

    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.actors_ended, LOGGER_COUNT + 1));
    (void)fixture_journal_close(&journal);
}

BACKEND_TEST(stop, the_system_stops_when_its_root_actor_ends)
{
    struct fixture_journal journal;
    troupe_ref_t last = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_loggers(placement, &journal, &last);
    struct troupe_exit end;
    troupe_system_set_root(fixture_system(fixture), last);
    cr_expect(eq(int, troupe_system_root_exit(fixture_system(fixture), &end), TROUPE_ERR_NOENT));

    fixture_send(fixture, last, END, NULL, 0);
    fixture_run(fixture);

    cr_assert(eq(int, troupe_system_root_exit(fixture_system(fixture), &end), TROUPE_OK));
    cr_expect(eq(int, end.reason, TROUPE_EXIT_ERROR));
    cr_expect(eq(int, end.code, 7));
    cr_expect(strcmp(end.text, "as told") == 0, "the text is '%s'", end.text);
    fixture_close(&fixture);
    (void)fixture_journal_close(&journal);
}

BACKEND_TEST(stop, stopping_twice_is_the_same_as_once)
{
    struct fixture_journal journal;
    troupe_ref_t last = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_loggers(placement, &journal, &last);
    fixture_send(fixture, last, STOP_ALL, NULL, 0);

    troupe_system_stop(fixture_system(fixture));
    troupe_system_stop(fixture_system(fixture));
    fixture_run(fixture);

    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.actors_ended, LOGGER_COUNT + 1));
    (void)fixture_journal_close(&journal);
}

BACKEND_TEST(stop, progress_reports_that_the_system_was_stopped)
{
    struct fixture_journal journal;
    troupe_ref_t last = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_loggers(placement, &journal, &last);

    troupe_system_stop(fixture_system(fixture));

    cr_expect(eq(int, troupe_system_progress(fixture_system(fixture), NULL), TROUPE_ERR_CLOSED));
    fixture_run(fixture);
    fixture_close(&fixture);
    (void)fixture_journal_close(&journal);
}

/* The late parent spawns in its fini. ---------------------------------------------------------- */

static void late_parent_fini(troupe_context_t *ctx, void *state, const struct troupe_exit *end)
{
    (void)end;
    const struct log_line *log_line = state;
    struct troupe_spawn_options options = {.behaviour = &beater};
    enum troupe_err err = troupe_spawn(ctx, &options, NULL);
    fixture_journal_add(
        &log_line->journal, err == TROUPE_ERR_CLOSED ? "closed" : troupe_strerror(err));
}

static const struct troupe_behaviour late_parent = {
    .name = "late_parent",
    .state_bytes = sizeof(struct log_line),
    .init = logger_init,
    .receive = logger_receive,
    .fini = late_parent_fini,
};

BACKEND_TEST(stop, a_spawn_is_refused_while_the_system_stops)
{
    struct fixture_options options = {.behaviours = TROUPE_BEHAVIOURS(&late_parent, &beater)};
    struct fixture *fixture = fixture_open(placement, &options);
    struct log_line log_line = {.number = 0};
    fixture_journal_open(&log_line.journal);
    troupe_ref_t ref = fixture_spawn_with(
        fixture,
        &(struct troupe_spawn_options){
            .behaviour = &late_parent,
            .args = &log_line,
            .args_bytes = sizeof(log_line),
        });
    fixture_ask(fixture, ref, HELLO, NULL, 0);
    (void)fixture_receive(fixture, HELLO);

    struct troupe_stats stats = fixture_close(&fixture);

    cr_expect(eq(u64, stats.actors_started, 2));
    const char *text = fixture_journal_close(&log_line.journal);
    cr_expect(strcmp(text, "closed\n") == 0, "the spawn returned '%s'", text);
}

/* Systems that never ran. ---------------------------------------------------------------------- */

BACKEND_TEST(stop, a_system_that_never_ran_is_destroyed_with_its_messages)
{
    char text[64];
    const char *const rule[] = {text, NULL};
    (void)snprintf(text, sizeof(text), "*=%s", placement->place);
    struct troupe_system_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&fixture_slow), .place = rule};
    troupe_system_t *system = NULL;
    fixture_register_backends();
    cr_assert(eq(int, troupe_system_new(&options, &system), TROUPE_OK));
    struct troupe_spawn_options spawn_options = {.behaviour = &fixture_slow};
    troupe_ref_t ref = TROUPE_REF_NONE;
    cr_assert(
        eq(int, troupe_spawn(troupe_system_context(system), &spawn_options, &ref), TROUPE_OK));
    for (int i = 0; i < 10; i++) {
        cr_assert(
            eq(int, troupe_send(troupe_system_context(system), ref, BEAT, NULL, 0), TROUPE_OK));
    }

    cr_expect(eq(int, troupe_system_destroy(&system), TROUPE_OK));

    cr_expect(system == NULL);
    cr_expect(eq(int, troupe_system_destroy(&system), TROUPE_OK)); // nothing to do
}

SUBJECTS(&player, &flooder, &beater, &logger, &late_parent, &fixture_slow);

/*
 * Promise 1, same code: what an actor lives through, from its arguments to its end, is the same
 * wherever it is placed.
 */
#include "support/fixture.h"

#include <stdlib.h>
#include <string.h>

enum {
    LOOK = 1,  // asks for LOOKED
    LOOKED,    // struct looked
    STOP,      // stop yourself
    FAIL,      // fail yourself
    STOP_FAIL, // stop, then fail, in one callback
    ENDED,     // struct ended
    BECOME,    // asks for BECAME
    BECAME,    // struct became
    COUNT,     // asks for COUNTED
    COUNTED,   // struct counted
    FAMILY,    // asks for a CHILD from a child
    CHILD,     // nothing
};

/* The looker tells what its init saw. ---------------------------------------------------------- */

struct looked {
    uint64_t init_count;
    uint64_t args_bytes;
    uint64_t args_digest;
    uint64_t is_aligned;
    uint64_t met_before_init;
    troupe_ref_t self;
};

static enum troupe_err looker_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    struct looked *looked = state;
    looked->init_count++;
    looked->args_bytes = args_bytes;
    looked->args_digest = fixture_digest(args, args_bytes);
    looked->is_aligned = (uintptr_t)args % 8 == 0;
    looked->self = troupe_self(ctx);
    return TROUPE_OK;
}

static void looker_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct looked *looked = state;
    looked->met_before_init += looked->init_count == 0;
    REPORT(ctx, message, LOOKED, looked);
}

static const struct troupe_behaviour looker = {
    .name = "looker",
    .state_bytes = sizeof(struct looked),
    .init = looker_init,
    .receive = looker_receive,
};

static struct fixture *open_with(
    const struct fixture_placement *placement, const struct troupe_behaviour *behaviour)
{
    struct fixture_options options = {.behaviours = TROUPE_BEHAVIOURS(behaviour)};
    return fixture_open(placement, &options);
}

/** Spawn a looker with so many bytes of arguments, and check that its init met them. */
static void expect_arguments_arrive(const struct fixture_placement *placement, size_t args_bytes)
{
    struct fixture *fixture = open_with(placement, &looker);
    unsigned char args[32768];
    fixture_fill(args, args_bytes, args_bytes);
    troupe_ref_t ref = fixture_spawn_with(
        fixture,
        &(struct troupe_spawn_options){
            .behaviour = &looker, .args = args, .args_bytes = args_bytes});

    fixture_tell(fixture, ref, LOOK, NULL, 0);

    const struct looked *looked = FIXTURE_HEAR(fixture, LOOKED, struct looked);
    cr_expect(eq(u64, looked->args_bytes, args_bytes));
    cr_expect(eq(u64, looked->args_digest, fixture_digest(args, args_bytes)));
    cr_expect(eq(u64, looked->is_aligned, 1));
    fixture_close(&fixture);
}

BACKEND_TEST(life, an_actor_answers_wherever_it_is_placed)
{
    struct fixture *fixture = open_with(placement, &looker);
    troupe_ref_t ref = fixture_spawn(fixture, &looker);

    fixture_tell(fixture, ref, LOOK, NULL, 0);

    const struct heard *heard = fixture_hear(fixture, LOOKED);
    cr_expect(troupe_ref_equal(heard->from, ref));
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.actors_started, 2)); // and the scenario's
    cr_expect(eq(u64, stats.dead, 0));
}

BACKEND_TEST(life, init_meets_the_spawners_bytes)
{
    expect_arguments_arrive(placement, 37);
}

BACKEND_TEST(life, init_meets_no_bytes_when_none_are_given)
{
    expect_arguments_arrive(placement, 0);
}

BACKEND_TEST(life, init_meets_32_kib_of_bytes)
{
    expect_arguments_arrive(placement, 32768);
}

BACKEND_TEST(life, a_spawn_with_more_than_32_kib_is_refused)
{
    struct fixture *fixture = open_with(placement, &looker);
    static const unsigned char args[32769];
    struct troupe_spawn_options options = {
        .behaviour = &looker, .args = args, .args_bytes = sizeof(args)};
    troupe_ref_t ref = TROUPE_REF_NONE;

    enum troupe_err err =
        troupe_spawn(troupe_system_context(fixture_system(fixture)), &options, &ref);

    cr_expect(eq(int, err, TROUPE_ERR_INVAL));
    cr_expect(troupe_ref_is_none(ref));
    fixture_close(&fixture);
}

BACKEND_TEST(life, a_spawn_of_an_unknown_behaviour_is_refused)
{
    static const struct troupe_behaviour stranger = {.name = "stranger", .receive = looker_receive};
    struct fixture *fixture = open_with(placement, &looker);
    struct troupe_spawn_options options = {.behaviour = &stranger};

    enum troupe_err err =
        troupe_spawn(troupe_system_context(fixture_system(fixture)), &options, NULL);

    cr_expect(eq(int, err, TROUPE_ERR_NOENT));
    cr_expect(ne(sz, strlen(troupe_error_detail()), 0));
    fixture_close(&fixture);
}

struct spawn_and_ask {
    troupe_ref_t ref;
    uint32_t count;
};

static void spawn_and_tell_at_once(troupe_context_t *ctx, void *data)
{
    struct spawn_and_ask *what = data;
    struct troupe_spawn_options options = {.behaviour = &looker};
    for (uint32_t i = 0; i < what->count; i++) {
        cr_assert(eq(int, troupe_spawn(ctx, &options, &what->ref), TROUPE_OK));
        cr_assert(eq(int, troupe_send(ctx, what->ref, LOOK, NULL, 0), TROUPE_OK));
    }
}

BACKEND_TEST(life, init_runs_once_and_before_the_first_message)
{
    struct fixture *fixture = open_with(placement, &looker);
    struct spawn_and_ask what = {.count = fixture_some(placement, 20)};

    fixture_act(fixture, spawn_and_tell_at_once, &what);

    for (uint32_t i = 0; i < what.count; i++) {
        const struct looked *looked = FIXTURE_HEAR(fixture, LOOKED, struct looked);
        cr_expect(eq(u64, looked->met_before_init, 0));
        cr_expect(eq(u64, looked->init_count, 1));
    }
    fixture_close(&fixture);
}

BACKEND_TEST(life, an_actor_is_who_its_spawner_was_told)
{
    struct fixture *fixture = open_with(placement, &looker);
    troupe_ref_t ref = fixture_spawn(fixture, &looker);

    fixture_tell(fixture, ref, LOOK, NULL, 0);

    const struct looked *looked = FIXTURE_HEAR(fixture, LOOKED, struct looked);
    cr_expect(troupe_ref_equal(looked->self, ref));
    fixture_close(&fixture);
}

/* The failer's init fails. --------------------------------------------------------------------- */

static enum troupe_err failer_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)ctx, (void)state, (void)args, (void)args_bytes;
    return TROUPE_ERR_NOENT;
}

static void failer_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)ctx, (void)state, (void)message;
    MUST_BE(!"an actor whose init failed meets no message");
}

static void failer_fini(troupe_context_t *ctx, void *state, const struct troupe_exit *end)
{
    (void)ctx, (void)state, (void)end;
    MUST_BE(!"an init that failed is not followed by a fini");
}

static const struct troupe_behaviour failer = {
    .name = "failer",
    .init = failer_init,
    .receive = failer_receive,
    .fini = failer_fini,
};

BACKEND_TEST(life, mail_for_an_actor_whose_init_failed_is_refused_as_dead_letters)
{
    struct fixture *fixture = open_with(placement, &failer);
    troupe_ref_t ref = fixture_spawn(fixture, &failer);

    fixture_tell(fixture, ref, LOOK, NULL, 0);
    fixture_tell(fixture, ref, LOOK, NULL, 0);
    fixture_ask(fixture, ref, LOOK, NULL, 0);

    cr_expect(eq(int, fixture_hear(fixture, FIXTURE_NO_ANSWER)->err, TROUPE_ERR_NOENT));
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead_by_reason[TROUPE_DEAD_UNDELIVERABLE], 3));
    cr_expect(eq(u64, stats.dead, 3));
}

BACKEND_TEST(life, an_init_that_failed_is_counted_and_not_followed_by_fini)
{
    struct fixture *fixture = open_with(placement, &failer);
    for (int i = 0; i < 5; i++) {
        troupe_ref_t ref = fixture_spawn(fixture, &failer);
        fixture_ask(fixture, ref, LOOK, NULL, 0);
        (void)fixture_hear(fixture, FIXTURE_NO_ANSWER);
    }

    struct troupe_stats stats = fixture_close(&fixture);

    cr_expect(eq(u64, stats.actors_failed, 5));
    cr_expect(eq(u64, stats.actors_started, 1)); // the scenario's
}

/* The mortal tells of its end. ----------------------------------------------------------------- */

struct mortal {
    troupe_ref_t scenario;
    uint32_t fini_count;
};

struct ended {
    uint32_t reason;
    int32_t code;
    uint32_t fini_count;
    char text[TROUPE_EXIT_TEXT_BYTES];
};

static enum troupe_err mortal_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)ctx;
    struct mortal *mortal = state;
    mortal->scenario = fixture_ref_of(args, args_bytes);
    return TROUPE_OK;
}

static void mortal_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    switch (troupe_message_type(message)) {
    case STOP:
        troupe_stop(ctx);
        break;
    case FAIL:
        troupe_fail(ctx, 42, "no more paper");
        break;
    case STOP_FAIL:
        troupe_stop(ctx);
        troupe_fail(ctx, 42, "too late");
        break;
    default:
        break;
    }
}

static void mortal_fini(troupe_context_t *ctx, void *state, const struct troupe_exit *end)
{
    struct mortal *mortal = state;
    mortal->fini_count++;
    struct ended ended = {
        .reason = (uint32_t)end->reason, .code = end->code, .fini_count = mortal->fini_count};
    memcpy(ended.text, end->text, sizeof(ended.text));
    // At the end of the system the scenario may be gone, and the report a dead letter.
    fixture_ignore(TROUPE_SEND(ctx, mortal->scenario, ENDED, &ended));
}

static const struct troupe_behaviour mortal = {
    .name = "mortal",
    .state_bytes = sizeof(struct mortal),
    .init = mortal_init,
    .receive = mortal_receive,
    .fini = mortal_fini,
};

BACKEND_TEST(life, an_actor_that_stops_is_finished_once_as_normal)
{
    struct fixture *fixture = open_with(placement, &mortal);
    troupe_ref_t ref = fixture_spawn_reporter(fixture, &mortal);

    fixture_tell(fixture, ref, STOP, NULL, 0);

    const struct ended *ended = FIXTURE_HEAR(fixture, ENDED, struct ended);
    cr_expect(eq(u32, ended->reason, TROUPE_EXIT_NORMAL));
    cr_expect(eq(u32, ended->fini_count, 1));
    cr_expect(eq(i32, ended->code, 0));
    fixture_ask(fixture, ref, LOOK, NULL, 0); // a second fini would have reported before this ends
    (void)fixture_hear(fixture, FIXTURE_NO_ANSWER);
    cr_expect(eq(u32, fixture_unheard(fixture, ENDED), 0));
    fixture_close(&fixture);
}

BACKEND_TEST(life, an_actor_that_fails_is_finished_with_its_code_and_text)
{
    struct fixture *fixture = open_with(placement, &mortal);
    troupe_ref_t ref = fixture_spawn_reporter(fixture, &mortal);

    fixture_tell(fixture, ref, FAIL, NULL, 0);

    const struct ended *ended = FIXTURE_HEAR(fixture, ENDED, struct ended);
    cr_expect(eq(u32, ended->reason, TROUPE_EXIT_ERROR));
    cr_expect(eq(i32, ended->code, 42));
    cr_expect(strcmp(ended->text, "no more paper") == 0, "the text is '%s'", ended->text);
    fixture_close(&fixture);
}

BACKEND_TEST(life, the_first_of_several_ends_counts)
{
    struct fixture *fixture = open_with(placement, &mortal);
    troupe_ref_t ref = fixture_spawn_reporter(fixture, &mortal);

    fixture_tell(fixture, ref, STOP_FAIL, NULL, 0);

    const struct ended *ended = FIXTURE_HEAR(fixture, ENDED, struct ended);
    cr_expect(eq(u32, ended->reason, TROUPE_EXIT_NORMAL));
    fixture_close(&fixture);
}

static void stop_actor(troupe_context_t *ctx, void *data)
{
    cr_assert(eq(int, troupe_stop_actor(ctx, *(troupe_ref_t *)data), TROUPE_OK));
}

BACKEND_TEST(life, an_actor_that_is_stopped_is_finished_as_shutdown)
{
    struct fixture *fixture = open_with(placement, &mortal);
    troupe_ref_t ref = fixture_spawn_reporter(fixture, &mortal);

    fixture_act(fixture, stop_actor, &ref);

    const struct ended *ended = FIXTURE_HEAR(fixture, ENDED, struct ended);
    cr_expect(eq(u32, ended->reason, TROUPE_EXIT_SHUTDOWN));
    fixture_close(&fixture);
}

BACKEND_TEST(life, stopping_an_actor_that_is_gone_does_nothing)
{
    struct fixture *fixture = open_with(placement, &mortal);
    troupe_ref_t ref = fixture_spawn_reporter(fixture, &mortal);
    fixture_tell(fixture, ref, STOP, NULL, 0);
    (void)fixture_hear(fixture, ENDED);

    fixture_act(fixture, stop_actor, &ref);
    fixture_act(fixture, stop_actor, &ref);

    fixture_ask(fixture, ref, LOOK, NULL, 0);
    cr_expect(eq(int, fixture_hear(fixture, FIXTURE_NO_ANSWER)->err, TROUPE_ERR_NOENT));
    cr_expect(eq(u32, fixture_unheard(fixture, ENDED), 0));
    fixture_close(&fixture);
}

static void tell_stop_and_three_more(troupe_context_t *ctx, void *data)
{
    troupe_ref_t to = *(troupe_ref_t *)data;
    cr_assert(eq(int, troupe_send(ctx, to, STOP, NULL, 0), TROUPE_OK));
    for (int i = 0; i < 3; i++) {
        cr_assert(eq(int, troupe_send(ctx, to, LOOK, NULL, 0), TROUPE_OK));
    }
}

BACKEND_TEST(life, mail_behind_the_last_message_is_a_dead_letter)
{
    struct fixture *fixture = open_with(placement, &mortal);
    troupe_ref_t ref = fixture_spawn_reporter(fixture, &mortal);

    fixture_act(fixture, tell_stop_and_three_more, &ref);

    (void)fixture_hear(fixture, ENDED);
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead_by_reason[TROUPE_DEAD_STOPPED], 3));
}

/* The caterpillar becomes a butterfly. --------------------------------------------------------- */

struct became {
    uint32_t meals;   // met as a caterpillar
    uint32_t flights; // met as a butterfly
    uint32_t init_count;
    uint32_t is_butterfly;
};

struct caterpillar {
    struct became became;
    troupe_ref_t scenario;
};

static enum troupe_err caterpillar_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)ctx;
    struct caterpillar *self = state;
    self->became.init_count++;
    self->scenario = fixture_ref_of(args, args_bytes);
    return TROUPE_OK;
}

static void butterfly_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct caterpillar *self = state;
    self->became.flights++;
    self->became.is_butterfly = 1;
    if (troupe_message_type(message) == STOP) {
        troupe_stop(ctx);
        return;
    }
    REPORT(ctx, message, BECAME, &self->became);
}

static void butterfly_fini(troupe_context_t *ctx, void *state, const struct troupe_exit *end)
{
    struct caterpillar *self = state;
    struct ended ended = {.reason = (uint32_t)end->reason, .text = "butterfly"};
    fixture_ignore(TROUPE_SEND(ctx, self->scenario, ENDED, &ended)); // as in mortal_fini()
}

static const struct troupe_behaviour butterfly = {
    .name = "butterfly",
    .state_bytes = sizeof(struct caterpillar),
    .init = caterpillar_init,
    .receive = butterfly_receive,
    .fini = butterfly_fini,
};

static const struct troupe_behaviour whale = {
    .name = "whale", .state_bytes = 100000, .receive = butterfly_receive};

/** Unknown to every system. */
static const struct troupe_behaviour ghost = {.name = "ghost", .receive = butterfly_receive};

static void caterpillar_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct caterpillar *self = state;
    self->became.meals++;
    if (troupe_message_type(message) == BECOME) {
        MUST_BE(troupe_become(ctx, &whale) == TROUPE_ERR_INVAL);
        MUST_BE(troupe_become(ctx, &ghost) == TROUPE_ERR_NOENT);
        MUST(troupe_become(ctx, &butterfly));
    }
    REPORT(ctx, message, BECAME, &self->became);
}

static void caterpillar_fini(troupe_context_t *ctx, void *state, const struct troupe_exit *end)
{
    (void)ctx, (void)state, (void)end;
    MUST_BE(!"the fini of the behaviour before is not called");
}

static const struct troupe_behaviour caterpillar = {
    .name = "caterpillar",
    .state_bytes = sizeof(struct caterpillar),
    .init = caterpillar_init,
    .receive = caterpillar_receive,
    .fini = caterpillar_fini,
};

static struct fixture *open_with_caterpillar(
    const struct fixture_placement *placement, troupe_ref_t *out_ref)
{
    struct fixture_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&caterpillar, &butterfly, &whale)};
    struct fixture *fixture = fixture_open(placement, &options);
    *out_ref = fixture_spawn_reporter(fixture, &caterpillar);
    return fixture;
}

static void tell_become_and_look(troupe_context_t *ctx, void *data)
{
    troupe_ref_t to = *(troupe_ref_t *)data;
    cr_assert(eq(int, troupe_send(ctx, to, LOOK, NULL, 0), TROUPE_OK));
    cr_assert(eq(int, troupe_send(ctx, to, BECOME, NULL, 0), TROUPE_OK));
    cr_assert(eq(int, troupe_send(ctx, to, LOOK, NULL, 0), TROUPE_OK));
}

BACKEND_TEST(life, become_switches_from_the_next_message_on_and_keeps_the_state)
{
    troupe_ref_t ref = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_caterpillar(placement, &ref);

    fixture_act(fixture, tell_become_and_look, &ref);

    (void)fixture_hear(fixture, BECAME);
    const struct became *within = FIXTURE_HEAR(fixture, BECAME, struct became);
    const struct became *after = FIXTURE_HEAR(fixture, BECAME, struct became);
    cr_expect(eq(u32, within->is_butterfly, 0));
    cr_expect(eq(u32, within->meals, 2));
    cr_expect(eq(u32, after->is_butterfly, 1));
    cr_expect(eq(u32, after->meals, 2));
    cr_expect(eq(u32, after->flights, 1));
    cr_expect(eq(u32, after->init_count, 1)); // the new behaviour's init is not called
    fixture_tell(fixture, ref, STOP, NULL, 0);
    (void)fixture_hear(fixture, ENDED);
    fixture_close(&fixture);
}

BACKEND_TEST(life, the_fini_of_the_latest_behaviour_is_called)
{
    troupe_ref_t ref = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_caterpillar(placement, &ref);
    fixture_tell(fixture, ref, BECOME, NULL, 0);

    fixture_tell(fixture, ref, STOP, NULL, 0);

    const struct ended *ended = FIXTURE_HEAR(fixture, ENDED, struct ended);
    cr_expect(strcmp(ended->text, "butterfly") == 0, "the fini of '%s' was called", ended->text);
    fixture_close(&fixture);
}

/* The keeper keeps its state. ------------------------------------------------------------------ */

enum { KEEPER_BYTES = 1000 };

struct keeper {
    uint64_t address;
    unsigned char bytes[KEEPER_BYTES];
};

struct counted {
    uint64_t dirty_count;  // bytes that were not zero at the start
    uint64_t misalignment; // of the state, from 16
    uint64_t has_moved;
    uint64_t digest;
};

static enum troupe_err keeper_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)ctx, (void)args, (void)args_bytes;
    struct keeper *keeper = state;
    MUST_BE(keeper->address == 0);
    for (size_t i = 0; i < KEEPER_BYTES; i++) {
        MUST_BE(keeper->bytes[i] == 0);
    }
    MUST_BE((uintptr_t)state % 16 == 0);
    keeper->address = (uint64_t)(uintptr_t)state;
    fixture_fill(keeper->bytes, KEEPER_BYTES, 7);
    return TROUPE_OK;
}

static void keeper_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    const struct keeper *keeper = state;
    struct counted counted = {
        .has_moved = keeper->address != (uint64_t)(uintptr_t)state,
        .misalignment = (uintptr_t)state % 16,
        .digest = fixture_digest(keeper->bytes, KEEPER_BYTES),
    };
    REPORT(ctx, message, COUNTED, &counted);
    if (troupe_message_type(message) == STOP) {
        troupe_stop(ctx);
    }
}

static const struct troupe_behaviour keeper = {
    .name = "keeper",
    .state_bytes = sizeof(struct keeper),
    .init = keeper_init,
    .receive = keeper_receive,
};

BACKEND_TEST(life, a_state_starts_zeroed_and_aligned_also_where_others_lived_before)
{
    struct fixture *fixture = open_with(placement, &keeper);
    uint32_t count = fixture_some(placement, 20);
    for (uint32_t tenant = 0; tenant < count; tenant++) {
        // keeper_init() looks at its zeroes, and leaves other bytes behind.
        troupe_ref_t ref = fixture_spawn(fixture, &keeper);
        fixture_tell(fixture, ref, STOP, NULL, 0);
        const struct counted *counted = FIXTURE_HEAR(fixture, COUNTED, struct counted);
        cr_expect(eq(u64, counted->misalignment, 0));
    }
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.actors_started, count + 1)); // and the scenario's
}

BACKEND_TEST(life, a_state_never_moves_while_a_crowd_starts)
{
    struct fixture *fixture = open_with(placement, &keeper);
    troupe_ref_t ref = fixture_spawn(fixture, &keeper);
    static unsigned char expected[KEEPER_BYTES];
    fixture_fill(expected, KEEPER_BYTES, 7);

    troupe_ref_t last = ref;
    for (uint32_t i = 0; i < fixture_crowd(placement); i++) {
        last = fixture_spawn(fixture, &keeper);
    }
    fixture_tell(fixture, last, COUNT, NULL, 0);
    (void)fixture_hear(fixture, COUNTED);
    fixture_tell(fixture, ref, COUNT, NULL, 0);

    const struct counted *counted = FIXTURE_HEAR(fixture, COUNTED, struct counted);
    cr_expect(eq(u64, counted->has_moved, 0));
    cr_expect(eq(u64, counted->digest, fixture_digest(expected, KEEPER_BYTES)));
    fixture_close(&fixture);
}

/* Small things. -------------------------------------------------------------------------------- */

static enum troupe_err bare_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)ctx, (void)args, (void)args_bytes;
    MUST_BE(state == NULL);
    return TROUPE_OK;
}

/** Answers with its name; no state. */
static void bare_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    MUST_BE(state == NULL);
    const char *name = troupe_self_name(ctx);
    MUST(troupe_reply(ctx, message, LOOKED, name, strlen(name) + 1));
}

static const struct troupe_behaviour bare = {
    .name = "bare", .init = bare_init, .receive = bare_receive};

BACKEND_TEST(life, an_actor_without_state_gets_none)
{
    struct fixture *fixture = open_with(placement, &bare);
    troupe_ref_t ref = fixture_spawn(fixture, &bare);

    fixture_tell(fixture, ref, LOOK, NULL, 0);

    (void)fixture_hear(fixture, LOOKED);
    fixture_close(&fixture);
}

BACKEND_TEST(life, an_actor_goes_by_its_own_name_or_its_behaviours)
{
    struct fixture *fixture = open_with(placement, &bare);
    troupe_ref_t plain = fixture_spawn(fixture, &bare);
    troupe_ref_t named = fixture_spawn_with(
        fixture, &(struct troupe_spawn_options){.behaviour = &bare, .name = "anna"});

    fixture_tell(fixture, plain, LOOK, NULL, 0);
    const char *plain_name = fixture_hear(fixture, LOOKED)->body;
    fixture_tell(fixture, named, LOOK, NULL, 0);
    const char *name = fixture_hear(fixture, LOOKED)->body;

    cr_expect(strcmp(plain_name, "bare") == 0, "the plain one goes by '%s'", plain_name);
    cr_expect(strcmp(name, "anna") == 0, "the named one goes by '%s'", name);
    fixture_close(&fixture);
}

static enum troupe_err child_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)state;
    // An init may send, as any callback may.
    MUST(troupe_send(ctx, fixture_ref_of(args, args_bytes), CHILD, NULL, 0));
    return TROUPE_OK;
}

static const struct troupe_behaviour child = {
    .name = "child", .init = child_init, .receive = bare_receive};

static void parent_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    troupe_ref_t sender = troupe_message_sender(message);
    struct troupe_spawn_options options = {
        .behaviour = &child, .args = &sender, .args_bytes = sizeof(sender)};
    for (int i = 0; i < 3; i++) {
        MUST(troupe_spawn(ctx, &options, NULL));
    }
}

static const struct troupe_behaviour parent = {.name = "parent", .receive = parent_receive};

BACKEND_TEST(life, an_actor_spawns_others_from_where_it_lives)
{
    struct fixture_options options = {.behaviours = TROUPE_BEHAVIOURS(&parent, &child)};
    struct fixture *fixture = fixture_open(placement, &options);
    troupe_ref_t ref = fixture_spawn(fixture, &parent);

    fixture_tell(fixture, ref, FAMILY, NULL, 0);

    for (int i = 0; i < 3; i++) {
        (void)fixture_hear(fixture, CHILD);
    }
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.actors_started, 5));
}

SUBJECTS(
    &looker, &failer, &mortal, &caterpillar, &butterfly, &whale, &keeper, &bare, &parent, &child);

/*
 * Promise 1, same code: the life of an actor, from its arguments to its exit, is the same wherever it is placed.
 */
#include "support/fixture.h"

#include <stdlib.h>
#include <string.h>

enum {
    INSPECT = 1, // asks for INSPECTED
    INSPECTED,   // struct looked
    STOP,        // stop
    FAIL,        // fail
    STOP_FAIL,   // stop, then fail, in one callback
    ENDED,       // struct ended
    BECOME,      // asks for BECAME
    BECAME,      // struct became
    COUNT,       // asks for COUNTED
    COUNTED,     // struct counted
    SPAWN_CHILD, // asks for a CHILD from a child
    CHILD,       // nothing
};

/* The inspector reports what its init saw. ----------------------------------------------------- */

struct inspected {
    uint64_t init_count;
    uint64_t args_bytes;
    uint64_t args_digest;
    uint64_t is_aligned;
    uint64_t received_before_init;
    troupe_ref_t self;
};

static enum troupe_err inspector_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    struct inspected *inspected = state;
    inspected->init_count++;
    inspected->args_bytes = args_bytes;
    inspected->args_digest = fixture_digest(args, args_bytes);
    inspected->is_aligned = (uintptr_t)args % 8 == 0;
    inspected->self = troupe_self(ctx);
    return TROUPE_OK;
}

static void inspector_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct inspected *inspected = state;
    inspected->received_before_init += inspected->init_count == 0;
    REPORT(ctx, message, INSPECTED, inspected);
}

static const struct troupe_behaviour inspector = {
    .name = "inspector",
    .state_bytes = sizeof(struct inspected),
    .init = inspector_init,
    .receive = inspector_receive,
};

static struct fixture *open_with(
    const struct fixture_placement *placement, const struct troupe_behaviour *behaviour)
{
    struct fixture_options options = {.behaviours = TROUPE_BEHAVIOURS(behaviour)};
    return fixture_open(placement, &options);
}

/** Spawn an inspector with so many bytes of arguments, and check that its init got them. */
static void expect_arguments_arrive(const struct fixture_placement *placement, size_t args_bytes)
{
    struct fixture *fixture = open_with(placement, &inspector);
    unsigned char args[32768];
    fixture_fill(args, args_bytes, args_bytes);
    troupe_ref_t ref = fixture_spawn_with(
        fixture,
        &(struct troupe_spawn_options){
            .behaviour = &inspector, .args = args, .args_bytes = args_bytes});

    fixture_send(fixture, ref, INSPECT, NULL, 0);

    const struct inspected *inspected = FIXTURE_RECEIVE(fixture, INSPECTED, struct inspected);
    cr_expect(eq(u64, inspected->args_bytes, args_bytes));
    cr_expect(eq(u64, inspected->args_digest, fixture_digest(args, args_bytes)));
    cr_expect(eq(u64, inspected->is_aligned, 1));
    fixture_close(&fixture);
}

BACKEND_TEST(lifecycle, an_actor_replies_on_every_placement)
{
    struct fixture *fixture = open_with(placement, &inspector);
    troupe_ref_t ref = fixture_spawn(fixture, &inspector);

    fixture_send(fixture, ref, INSPECT, NULL, 0);

    const struct received *received = fixture_receive(fixture, INSPECTED);
    cr_expect(troupe_ref_equal(received->from, ref));
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.actors_started, 2)); // and the scenario's
    cr_expect(eq(u64, stats.dead, 0));
}

BACKEND_TEST(lifecycle, init_gets_the_spawners_bytes)
{
    expect_arguments_arrive(placement, 37);
}

BACKEND_TEST(lifecycle, init_gets_no_bytes_when_none_are_given)
{
    expect_arguments_arrive(placement, 0);
}

BACKEND_TEST(lifecycle, init_gets_32_kib_of_bytes)
{
    expect_arguments_arrive(placement, 32768);
}

BACKEND_TEST(lifecycle, a_spawn_with_more_than_32_kib_is_refused)
{
    struct fixture *fixture = open_with(placement, &inspector);
    static const unsigned char args[32769];
    struct troupe_spawn_options options = {
        .behaviour = &inspector, .args = args, .args_bytes = sizeof(args)};
    troupe_ref_t ref = TROUPE_REF_NONE;

    enum troupe_err err =
        troupe_spawn(troupe_system_context(fixture_system(fixture)), &options, &ref);

    cr_expect(eq(int, err, TROUPE_ERR_INVAL));
    cr_expect(troupe_ref_is_none(ref));
    fixture_close(&fixture);
}

BACKEND_TEST(lifecycle, a_spawn_of_an_unknown_behaviour_is_refused)
{
    static const struct troupe_behaviour stranger = {
        .name = "stranger", .receive = inspector_receive};
    struct fixture *fixture = open_with(placement, &inspector);
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

static void spawn_and_send_at_once(troupe_context_t *ctx, void *data)
{
    struct spawn_and_ask *what = data;
    struct troupe_spawn_options options = {.behaviour = &inspector};
    for (uint32_t i = 0; i < what->count; i++) {
        cr_assert(eq(int, troupe_spawn(ctx, &options, &what->ref), TROUPE_OK));
        cr_assert(eq(int, troupe_send(ctx, what->ref, INSPECT, NULL, 0), TROUPE_OK));
    }
}

BACKEND_TEST(lifecycle, init_runs_once_and_before_the_first_message)
{
    struct fixture *fixture = open_with(placement, &inspector);
    struct spawn_and_ask what = {.count = fixture_at_most(placement, 20)};

    fixture_call(fixture, spawn_and_send_at_once, &what);

    for (uint32_t i = 0; i < what.count; i++) {
        const struct inspected *inspected = FIXTURE_RECEIVE(fixture, INSPECTED, struct inspected);
        cr_expect(eq(u64, inspected->received_before_init, 0));
        cr_expect(eq(u64, inspected->init_count, 1));
    }
    fixture_close(&fixture);
}

BACKEND_TEST(lifecycle, an_actor_has_the_reference_that_its_spawner_got)
{
    struct fixture *fixture = open_with(placement, &inspector);
    troupe_ref_t ref = fixture_spawn(fixture, &inspector);

    fixture_send(fixture, ref, INSPECT, NULL, 0);

    const struct inspected *inspected = FIXTURE_RECEIVE(fixture, INSPECTED, struct inspected);
    cr_expect(troupe_ref_equal(inspected->self, ref));
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
    MUST_BE(!"an actor whose init failed handles no message");
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

BACKEND_TEST(lifecycle, messages_to_an_actor_whose_init_failed_become_undeliverable_dead_letters)
{
    struct fixture *fixture = open_with(placement, &failer);
    troupe_ref_t ref = fixture_spawn(fixture, &failer);

    fixture_send(fixture, ref, INSPECT, NULL, 0);
    fixture_send(fixture, ref, INSPECT, NULL, 0);
    fixture_ask(fixture, ref, INSPECT, NULL, 0);

    cr_expect(eq(int, fixture_receive(fixture, FIXTURE_NO_REPLY)->err, TROUPE_ERR_NOENT));
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead_by_reason[TROUPE_DEAD_UNDELIVERABLE], 3));
    cr_expect(eq(u64, stats.dead, 3));
}

BACKEND_TEST(lifecycle, a_failed_init_is_counted_and_not_followed_by_fini)
{
    struct fixture *fixture = open_with(placement, &failer);
    for (int i = 0; i < 5; i++) {
        troupe_ref_t ref = fixture_spawn(fixture, &failer);
        fixture_ask(fixture, ref, INSPECT, NULL, 0);
        (void)fixture_receive(fixture, FIXTURE_NO_REPLY);
    }

    struct troupe_stats stats = fixture_close(&fixture);

    cr_expect(eq(u64, stats.actors_failed, 5));
    cr_expect(eq(u64, stats.actors_started, 1)); // the scenario's
}

/* The stopper reports its exit. ---------------------------------------------------------------- */

struct stopper {
    troupe_ref_t scenario;
    uint32_t fini_count;
};

struct ended {
    uint32_t reason;
    int32_t code;
    uint32_t fini_count;
    char text[TROUPE_EXIT_TEXT_BYTES];
};

static enum troupe_err stopper_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)ctx;
    struct stopper *stopper = state;
    stopper->scenario = fixture_ref_of(args, args_bytes);
    return TROUPE_OK;
}

static void stopper_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
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

static void stopper_fini(troupe_context_t *ctx, void *state, const struct troupe_exit *end)
{
    struct stopper *stopper = state;
    stopper->fini_count++;
    struct ended ended = {
        .reason = (uint32_t)end->reason, .code = end->code, .fini_count = stopper->fini_count};
    memcpy(ended.text, end->text, sizeof(ended.text));
    // When the system stops the scenario may have ended, and the report becomes a dead letter.
    fixture_ignore(TROUPE_SEND(ctx, stopper->scenario, ENDED, &ended));
}

static const struct troupe_behaviour stopper = {
    .name = "stopper",
    .state_bytes = sizeof(struct stopper),
    .init = stopper_init,
    .receive = stopper_receive,
    .fini = stopper_fini,
};

BACKEND_TEST(lifecycle, fini_is_called_once_with_normal_when_an_actor_stops)
{
    struct fixture *fixture = open_with(placement, &stopper);
    troupe_ref_t ref = fixture_spawn_reporter(fixture, &stopper);

    fixture_send(fixture, ref, STOP, NULL, 0);

    const struct ended *ended = FIXTURE_RECEIVE(fixture, ENDED, struct ended);
    cr_expect(eq(u32, ended->reason, TROUPE_EXIT_NORMAL));
    cr_expect(eq(u32, ended->fini_count, 1));
    cr_expect(eq(i32, ended->code, 0));
    fixture_ask(
        fixture, ref, INSPECT, NULL, 0); // a second fini would have reported before this ends
    (void)fixture_receive(fixture, FIXTURE_NO_REPLY);
    cr_expect(eq(u32, fixture_pending_count(fixture, ENDED), 0));
    fixture_close(&fixture);
}

BACKEND_TEST(lifecycle, fini_is_called_with_code_and_text_when_an_actor_fails)
{
    struct fixture *fixture = open_with(placement, &stopper);
    troupe_ref_t ref = fixture_spawn_reporter(fixture, &stopper);

    fixture_send(fixture, ref, FAIL, NULL, 0);

    const struct ended *ended = FIXTURE_RECEIVE(fixture, ENDED, struct ended);
    cr_expect(eq(u32, ended->reason, TROUPE_EXIT_ERROR));
    cr_expect(eq(i32, ended->code, 42));
    cr_expect(strcmp(ended->text, "no more paper") == 0, "the text is '%s'", ended->text);
    fixture_close(&fixture);
}

BACKEND_TEST(lifecycle, the_first_of_several_exits_counts)
{
    struct fixture *fixture = open_with(placement, &stopper);
    troupe_ref_t ref = fixture_spawn_reporter(fixture, &stopper);

    fixture_send(fixture, ref, STOP_FAIL, NULL, 0);

    const struct ended *ended = FIXTURE_RECEIVE(fixture, ENDED, struct ended);
    cr_expect(eq(u32, ended->reason, TROUPE_EXIT_NORMAL));
    fixture_close(&fixture);
}

static void stop_actor(troupe_context_t *ctx, void *data)
{
    cr_assert(eq(int, troupe_stop_actor(ctx, *(troupe_ref_t *)data), TROUPE_OK));
}

BACKEND_TEST(lifecycle, fini_is_called_with_shutdown_when_an_actor_is_stopped)
{
    struct fixture *fixture = open_with(placement, &stopper);
    troupe_ref_t ref = fixture_spawn_reporter(fixture, &stopper);

    fixture_call(fixture, stop_actor, &ref);

    const struct ended *ended = FIXTURE_RECEIVE(fixture, ENDED, struct ended);
    cr_expect(eq(u32, ended->reason, TROUPE_EXIT_SHUTDOWN));
    fixture_close(&fixture);
}

BACKEND_TEST(lifecycle, stopping_an_ended_actor_does_nothing)
{
    struct fixture *fixture = open_with(placement, &stopper);
    troupe_ref_t ref = fixture_spawn_reporter(fixture, &stopper);
    fixture_send(fixture, ref, STOP, NULL, 0);
    (void)fixture_receive(fixture, ENDED);

    fixture_call(fixture, stop_actor, &ref);
    fixture_call(fixture, stop_actor, &ref);

    fixture_ask(fixture, ref, INSPECT, NULL, 0);
    cr_expect(eq(int, fixture_receive(fixture, FIXTURE_NO_REPLY)->err, TROUPE_ERR_NOENT));
    cr_expect(eq(u32, fixture_pending_count(fixture, ENDED), 0));
    fixture_close(&fixture);
}

static void send_stop_and_three_more(troupe_context_t *ctx, void *data)
{
    troupe_ref_t to = *(troupe_ref_t *)data;
    cr_assert(eq(int, troupe_send(ctx, to, STOP, NULL, 0), TROUPE_OK));
    for (int i = 0; i < 3; i++) {
        cr_assert(eq(int, troupe_send(ctx, to, INSPECT, NULL, 0), TROUPE_OK));
    }
}

BACKEND_TEST(lifecycle, a_message_after_the_last_one_is_a_dead_letter)
{
    struct fixture *fixture = open_with(placement, &stopper);
    troupe_ref_t ref = fixture_spawn_reporter(fixture, &stopper);

    fixture_call(fixture, send_stop_and_three_more, &ref);

    (void)fixture_receive(fixture, ENDED);
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead_by_reason[TROUPE_DEAD_STOPPED], 3));
}

/* The first_form becomes a second_form. -------------------------------------------------------- */

struct became {
    uint32_t first_count;  // handled as the first form
    uint32_t second_count; // handled as the second form
    uint32_t init_count;
    uint32_t is_second_form;
};

struct first_form {
    struct became became;
    troupe_ref_t scenario;
};

static enum troupe_err first_form_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)ctx;
    struct first_form *self = state;
    self->became.init_count++;
    self->scenario = fixture_ref_of(args, args_bytes);
    return TROUPE_OK;
}

static void second_form_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct first_form *self = state;
    self->became.second_count++;
    self->became.is_second_form = 1;
    if (troupe_message_type(message) == STOP) {
        troupe_stop(ctx);
        return;
    }
    REPORT(ctx, message, BECAME, &self->became);
}

static void second_form_fini(troupe_context_t *ctx, void *state, const struct troupe_exit *end)
{
    struct first_form *self = state;
    struct ended ended = {.reason = (uint32_t)end->reason, .text = "second_form"};
    fixture_ignore(TROUPE_SEND(ctx, self->scenario, ENDED, &ended)); // as in stopper_fini()
}

static const struct troupe_behaviour second_form = {
    .name = "second_form",
    .state_bytes = sizeof(struct first_form),
    .init = first_form_init,
    .receive = second_form_receive,
    .fini = second_form_fini,
};

static const struct troupe_behaviour whale = {
    .name = "whale", .state_bytes = 100000, .receive = second_form_receive};

/** Unknown to every system. */
static const struct troupe_behaviour ghost = {.name = "ghost", .receive = second_form_receive};

static void first_form_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct first_form *self = state;
    self->became.first_count++;
    if (troupe_message_type(message) == BECOME) {
        MUST_BE(troupe_become(ctx, &whale) == TROUPE_ERR_INVAL);
        MUST_BE(troupe_become(ctx, &ghost) == TROUPE_ERR_NOENT);
        MUST(troupe_become(ctx, &second_form));
    }
    REPORT(ctx, message, BECAME, &self->became);
}

static void first_form_fini(troupe_context_t *ctx, void *state, const struct troupe_exit *end)
{
    (void)ctx, (void)state, (void)end;
    MUST_BE(!"the fini of the behaviour before is not called");
}

static const struct troupe_behaviour first_form = {
    .name = "first_form",
    .state_bytes = sizeof(struct first_form),
    .init = first_form_init,
    .receive = first_form_receive,
    .fini = first_form_fini,
};

static struct fixture *open_with_first_form(
    const struct fixture_placement *placement, troupe_ref_t *out_ref)
{
    struct fixture_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&first_form, &second_form, &whale)};
    struct fixture *fixture = fixture_open(placement, &options);
    *out_ref = fixture_spawn_reporter(fixture, &first_form);
    return fixture;
}

static void send_become_and_inspect(troupe_context_t *ctx, void *data)
{
    troupe_ref_t to = *(troupe_ref_t *)data;
    cr_assert(eq(int, troupe_send(ctx, to, INSPECT, NULL, 0), TROUPE_OK));
    cr_assert(eq(int, troupe_send(ctx, to, BECOME, NULL, 0), TROUPE_OK));
    cr_assert(eq(int, troupe_send(ctx, to, INSPECT, NULL, 0), TROUPE_OK));
}

BACKEND_TEST(lifecycle, become_switches_from_the_next_message_on_and_keeps_the_state)
{
    troupe_ref_t ref = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_first_form(placement, &ref);

    fixture_call(fixture, send_become_and_inspect, &ref);

    (void)fixture_receive(fixture, BECAME);
    const struct became *within = FIXTURE_RECEIVE(fixture, BECAME, struct became);
    const struct became *after = FIXTURE_RECEIVE(fixture, BECAME, struct became);
    cr_expect(eq(u32, within->is_second_form, 0));
    cr_expect(eq(u32, within->first_count, 2));
    cr_expect(eq(u32, after->is_second_form, 1));
    cr_expect(eq(u32, after->first_count, 2));
    cr_expect(eq(u32, after->second_count, 1));
    cr_expect(eq(u32, after->init_count, 1)); // the new behaviour's init is not called
    fixture_send(fixture, ref, STOP, NULL, 0);
    (void)fixture_receive(fixture, ENDED);
    fixture_close(&fixture);
}

BACKEND_TEST(lifecycle, the_fini_of_the_latest_behaviour_is_called)
{
    troupe_ref_t ref = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_first_form(placement, &ref);
    fixture_send(fixture, ref, BECOME, NULL, 0);

    fixture_send(fixture, ref, STOP, NULL, 0);

    const struct ended *ended = FIXTURE_RECEIVE(fixture, ENDED, struct ended);
    cr_expect(strcmp(ended->text, "second_form") == 0, "the fini of '%s' was called", ended->text);
    fixture_close(&fixture);
}

/* The holder keeps its state. ------------------------------------------------------------------ */

enum { HOLDER_BYTES = 1000 };

struct holder {
    uint64_t address;
    unsigned char bytes[HOLDER_BYTES];
};

struct counted {
    uint64_t dirty_count;  // bytes that were not zero at the start
    uint64_t misalignment; // of the state, from 16
    uint64_t has_moved;
    uint64_t digest;
};

static enum troupe_err holder_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)ctx, (void)args, (void)args_bytes;
    struct holder *holder = state;
    MUST_BE(holder->address == 0);
    for (size_t i = 0; i < HOLDER_BYTES; i++) {
        MUST_BE(holder->bytes[i] == 0);
    }
    MUST_BE((uintptr_t)state % 16 == 0);
    holder->address = (uint64_t)(uintptr_t)state;
    fixture_fill(holder->bytes, HOLDER_BYTES, 7);
    return TROUPE_OK;
}

static void holder_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    const struct holder *holder = state;
    struct counted counted = {
        .has_moved = holder->address != (uint64_t)(uintptr_t)state,
        .misalignment = (uintptr_t)state % 16,
        .digest = fixture_digest(holder->bytes, HOLDER_BYTES),
    };
    REPORT(ctx, message, COUNTED, &counted);
    if (troupe_message_type(message) == STOP) {
        troupe_stop(ctx);
    }
}

static const struct troupe_behaviour holder = {
    .name = "holder",
    .state_bytes = sizeof(struct holder),
    .init = holder_init,
    .receive = holder_receive,
};

BACKEND_TEST(lifecycle, a_state_starts_zeroed_and_aligned_even_in_reused_memory)
{
    struct fixture *fixture = open_with(placement, &holder);
    uint32_t count = fixture_at_most(placement, 20);
    for (uint32_t tenant = 0; tenant < count; tenant++) {
        // holder_init() looks at its zeroes, and leaves other bytes behind.
        troupe_ref_t ref = fixture_spawn(fixture, &holder);
        fixture_send(fixture, ref, STOP, NULL, 0);
        const struct counted *counted = FIXTURE_RECEIVE(fixture, COUNTED, struct counted);
        cr_expect(eq(u64, counted->misalignment, 0));
    }
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.actors_started, count + 1)); // and the scenario's
}

BACKEND_TEST(lifecycle, a_state_never_moves_while_many_actors_start)
{
    struct fixture *fixture = open_with(placement, &holder);
    troupe_ref_t ref = fixture_spawn(fixture, &holder);
    static unsigned char expected[HOLDER_BYTES];
    fixture_fill(expected, HOLDER_BYTES, 7);

    troupe_ref_t last = ref;
    for (uint32_t i = 0; i < fixture_many(placement); i++) {
        last = fixture_spawn(fixture, &holder);
    }
    fixture_send(fixture, last, COUNT, NULL, 0);
    (void)fixture_receive(fixture, COUNTED);
    fixture_send(fixture, ref, COUNT, NULL, 0);

    const struct counted *counted = FIXTURE_RECEIVE(fixture, COUNTED, struct counted);
    cr_expect(eq(u64, counted->has_moved, 0));
    cr_expect(eq(u64, counted->digest, fixture_digest(expected, HOLDER_BYTES)));
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
    MUST(troupe_reply(ctx, message, INSPECTED, name, strlen(name) + 1));
}

static const struct troupe_behaviour bare = {
    .name = "bare", .init = bare_init, .receive = bare_receive};

BACKEND_TEST(lifecycle, an_actor_without_state_gets_none)
{
    struct fixture *fixture = open_with(placement, &bare);
    troupe_ref_t ref = fixture_spawn(fixture, &bare);

    fixture_send(fixture, ref, INSPECT, NULL, 0);

    (void)fixture_receive(fixture, INSPECTED);
    fixture_close(&fixture);
}

BACKEND_TEST(lifecycle, an_actor_has_its_own_name_or_that_of_its_behaviour)
{
    struct fixture *fixture = open_with(placement, &bare);
    troupe_ref_t plain = fixture_spawn(fixture, &bare);
    troupe_ref_t named = fixture_spawn_with(
        fixture, &(struct troupe_spawn_options){.behaviour = &bare, .name = "anna"});

    fixture_send(fixture, plain, INSPECT, NULL, 0);
    const char *plain_name = fixture_receive(fixture, INSPECTED)->body;
    fixture_send(fixture, named, INSPECT, NULL, 0);
    const char *name = fixture_receive(fixture, INSPECTED)->body;

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

BACKEND_TEST(lifecycle, an_actor_can_spawn_on_every_placement)
{
    struct fixture_options options = {.behaviours = TROUPE_BEHAVIOURS(&parent, &child)};
    struct fixture *fixture = fixture_open(placement, &options);
    troupe_ref_t ref = fixture_spawn(fixture, &parent);

    fixture_send(fixture, ref, SPAWN_CHILD, NULL, 0);

    for (int i = 0; i < 3; i++) {
        (void)fixture_receive(fixture, CHILD);
    }
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.actors_started, 5));
}

SUBJECTS(
    &inspector,
    &failer,
    &stopper,
    &first_form,
    &second_form,
    &whale,
    &holder,
    &bare,
    &parent,
    &child);

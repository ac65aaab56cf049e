/*
 * Actors that cannot run: unknown behaviours, arguments over the limit, an `init` that fails. The system goes on.
 */
#include "support/child.h"
#include "support/echo_system.h"
#include "support/fixture.h"
#include "support/measure.h"

#include <stdio.h>
#include <string.h>

enum { FAILED = 1, TRY };

static void ignore(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)ctx, (void)state, (void)message;
}

/* Behaviours. ---------------------------------------------------------------------------------- */

/** Unknown to every system. */
static const struct troupe_behaviour stranger = {.name = "stranger", .receive = ignore};

static const struct troupe_behaviour larger = {
    .name = "larger", .state_bytes = 64, .receive = ignore};

/** What a changing actor reports: the result of becoming each of them. */
struct changes {
    enum troupe_err to_stranger;
    enum troupe_err to_none;
    enum troupe_err to_larger;
    uint32_t explained;
};

static void changing_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    struct changes changes = {0};
    changes.to_stranger = troupe_become(ctx, &stranger);
    changes.explained += strstr(troupe_error_detail(), "'stranger'") != NULL ? 1 : 0;
    changes.to_none = troupe_become(ctx, NULL);
    changes.to_larger = troupe_become(ctx, &larger);
    changes.explained += strstr(troupe_error_detail(), "64 bytes") != NULL ? 1 : 0;
    REPORT(ctx, message, FAILED, &changes);
}

static const struct troupe_behaviour changing = {
    .name = "changing", .state_bytes = 8, .receive = changing_receive};

BACKEND_TEST(actor_failure, becoming_an_unknown_behaviour_is_refused_and_changes_nothing)
{
    struct fixture *fixture = fixture_open(
        placement, &(struct fixture_options){.behaviours = TROUPE_BEHAVIOURS(&changing, &larger)});
    troupe_ref_t ref = fixture_spawn(fixture, &changing);

    for (int round = 0; round < 2; round++) { // it replies the second time: it is as it was
        fixture_ask(fixture, ref, TRY, NULL, 0);
        const struct changes *changes = FIXTURE_RECEIVE(fixture, FAILED, struct changes);
        cr_expect(eq(int, changes->to_stranger, TROUPE_ERR_NOENT));
        cr_expect(eq(int, changes->to_none, TROUPE_ERR_NOENT));
        cr_expect(eq(int, changes->to_larger, TROUPE_ERR_INVAL));
        cr_expect(eq(u32, changes->explained, 2));
    }
    fixture_close(&fixture);
}

/** Spawn what cannot be spawned, and then an echo. */
static void spawn_all_wrong(troupe_context_t *ctx, void *data)
{
    troupe_ref_t *echo = data;
    static const char bytes[32769];
    static char name[300];
    memset(name, 'n', sizeof(name) - 1);
    const struct {
        struct troupe_spawn_options options;
        enum troupe_err err;
        const char *detail_text;
    } cases[] = {
        {{.behaviour = &stranger}, TROUPE_ERR_NOENT, "'stranger'"},
        {{.behaviour = NULL}, TROUPE_ERR_INVAL, "set `behaviour`"},
        {{.behaviour = &echo_behaviour, .args = bytes, .args_bytes = sizeof(bytes)},
         TROUPE_ERR_INVAL,
         "32768"},
        {{.behaviour = &echo_behaviour, .name = ""}, TROUPE_ERR_INVAL, "255"},
        {{.behaviour = &echo_behaviour, .name = name}, TROUPE_ERR_INVAL, "255"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        troupe_ref_t ref = TROUPE_REF_NONE;
        enum troupe_err err = troupe_spawn(ctx, &cases[i].options, &ref);
        cr_expect(err == cases[i].err, "case %zu: %s", i, troupe_strerror(err));
        cr_expect(
            strstr(troupe_error_detail(), cases[i].detail_text) != NULL,
            "case %zu: no '%s' in: %s",
            i,
            cases[i].detail_text,
            troupe_error_detail());
        cr_expect(troupe_ref_is_none(ref));
    }
    cr_expect(eq(int, echo_spawn(ctx, NULL, echo), TROUPE_OK));
}

BACKEND_TEST(actor_failure, an_invalid_spawn_is_refused_with_a_text_and_the_next_one_starts)
{
    struct fixture *fixture = fixture_open(
        placement, &(struct fixture_options){.behaviours = TROUPE_BEHAVIOURS(&echo_behaviour)});
    troupe_ref_t echo = TROUPE_REF_NONE;
    uint64_t number = 42;

    fixture_call(fixture, spawn_all_wrong, &echo);

    fixture_ask(fixture, echo, ECHO_REQUEST, &number, sizeof(number));
    cr_expect(eq(u64, *FIXTURE_RECEIVE(fixture, ECHO_REPLY, uint64_t), number));
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.actors_failed, 0));
}

Test(actor_failure, an_invalid_list_of_behaviours_is_refused_when_the_system_is_made)
{
    static const struct troupe_behaviour twin = {.name = "echo", .receive = ignore};
    static const struct troupe_behaviour nameless = {.receive = ignore};
    static const struct troupe_behaviour deaf = {.name = "deaf"};
    const struct {
        const struct troupe_behaviour *const *behaviours;
        const char *detail_text;
    } cases[] = {
        {TROUPE_BEHAVIOURS(&echo_behaviour, &twin), "'echo'"},
        {TROUPE_BEHAVIOURS(&echo_behaviour, &nameless), "behaviour 2"},
        {TROUPE_BEHAVIOURS(&deaf), "'deaf'"},
        {(const struct troupe_behaviour *const[]){NULL}, "behaviours"},
        {NULL, "behaviours"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct troupe_system_options options = {.behaviours = cases[i].behaviours};
        troupe_system_t *system = NULL;
        cr_expect(eq(int, troupe_system_new(&options, &system), TROUPE_ERR_INVAL), "case %zu", i);
        cr_expect(
            strstr(troupe_error_detail(), cases[i].detail_text) != NULL,
            "case %zu: %s",
            i,
            troupe_error_detail());
        cr_expect(eq(ptr, system, NULL));
    }
}

/* An init that fails. -------------------------------------------------------------------------- */

static enum troupe_err stillborn_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)ctx, (void)state, (void)args, (void)args_bytes;
    return TROUPE_ERR_NOMEM;
}

static void stillborn_fini(troupe_context_t *ctx, void *state, const struct troupe_exit *exit)
{
    (void)ctx, (void)state, (void)exit;
    MUST_BE(!"an actor that never started has no fini");
}

static const struct troupe_behaviour stillborn = {
    .name = "stillborn",
    .state_bytes = 32,
    .init = stillborn_init,
    .receive = ignore,
    .fini = stillborn_fini,
};

BACKEND_TEST(actor_failure, a_failed_init_affects_no_other_actor_and_no_later_spawn)
{
    struct fixture *fixture = fixture_open(
        placement,
        &(struct fixture_options){.behaviours = TROUPE_BEHAVIOURS(&echo_behaviour, &stillborn)});
    troupe_ref_t before = fixture_spawn(fixture, &echo_behaviour);

    for (uint64_t round = 1; round <= 10; round++) {
        troupe_ref_t dead = fixture_spawn(fixture, &stillborn);
        fixture_ask(fixture, dead, ECHO_REQUEST, &round, sizeof(round));
        const struct received *received = fixture_receive_any(fixture);
        cr_expect(eq(u32, received->type, FIXTURE_NO_REPLY));
        cr_expect(eq(int, received->err, TROUPE_ERR_NOENT));

        fixture_ask(fixture, before, ECHO_REQUEST, &round, sizeof(round));
        cr_expect(eq(u64, *FIXTURE_RECEIVE(fixture, ECHO_REPLY, uint64_t), round));
        troupe_ref_t after = fixture_spawn(fixture, &echo_behaviour);
        fixture_ask(fixture, after, ECHO_REQUEST, &round, sizeof(round));
        cr_expect(eq(u64, *FIXTURE_RECEIVE(fixture, ECHO_REPLY, uint64_t), round));
    }
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.actors_failed, 10));
    cr_expect(eq(u64, stats.dead_by_reason[TROUPE_DEAD_UNDELIVERABLE], 10));
}

static int run_stillborn(void *data)
{
    const struct fixture_placement *placement = data;
    char line[64];
    (void)snprintf(line, sizeof(line), "stillborn --place *=%s", placement->place);
    fixture_register_backends();
    return child_troupe_main(line, TROUPE_BEHAVIOURS(&stillborn));
}

BACKEND_TEST(actor_failure, a_program_whose_first_init_fails_exits_with_1_and_a_text)
{
    struct fixture_placement copy = *placement;

    struct child_end end = child_run(run_stillborn, &copy);

    cr_expect(eq(int, end.status, 1));
    cr_expect(strstr(end.err, "init_failed") != NULL, "%s", end.err);
    cr_expect(strstr(end.err, troupe_strerror(TROUPE_ERR_NOMEM)) != NULL, "%s", end.err);
}

/* A first actor that ends at once. ------------------------------------------------------------- */

static enum troupe_err quitter_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)state, (void)args, (void)args_bytes;
    troupe_fail(ctx, 7, "gone already");
    return TROUPE_OK;
}

static const struct troupe_behaviour quitter = {
    .name = "quitter", .init = quitter_init, .receive = ignore};

BACKEND_TEST(actor_failure, an_ended_actor_as_root_stops_the_system)
{
    struct fixture *fixture = fixture_open(
        placement, &(struct fixture_options){.behaviours = TROUPE_BEHAVIOURS(&quitter)});
    troupe_system_t *system = fixture_system(fixture);
    troupe_ref_t ref = fixture_spawn(fixture, &quitter);
    uint64_t deadline_ns = measure_now_ns() + FIXTURE_DEADLINE_NS;
    struct troupe_stats stats;
    do {
        fixture_settle(fixture);
        troupe_system_stats(system, &stats);
        cr_assert(lt(u64, measure_now_ns(), deadline_ns));
    } while (stats.actors_ended == 0);

    troupe_system_set_root(system, ref);
    fixture_run(fixture); // fails when it does not stop by itself

    struct troupe_exit exit = {.reason = TROUPE_EXIT_NORMAL};
    cr_expect(eq(int, troupe_system_root_exit(system, &exit), TROUPE_OK));
    // No actor kept how it ended.
    cr_expect(eq(int, exit.reason, TROUPE_EXIT_NORMAL));
    cr_expect(strcmp(exit.text, "ended before it became the root actor") == 0, "%s", exit.text);
    fixture_close(&fixture);
}

static int run_quitter(void *data)
{
    const struct fixture_placement *placement = data;
    char line[64];
    (void)snprintf(line, sizeof(line), "quitter --place *=%s", placement->place);
    fixture_register_backends();
    uint32_t count = fixture_at_most(placement, 100);
    for (uint32_t i = 0; i < count; i++) {
        if (child_troupe_main(line, TROUPE_BEHAVIOURS(&quitter)) != 7) {
            return 1;
        }
    }
    return 0;
}

BACKEND_TEST(actor_failure, a_program_whose_first_actor_ends_at_once_ends)
{
    struct fixture_placement copy = *placement;

    child_succeeds(run_quitter, &copy);
}

SUBJECTS(&echo_behaviour, &changing, &larger, &stillborn, &quitter);

/*
 * Promise 10, you say where: an actor lives where the first matching rule says. Rules of the command line take
 * precedence over the environment, that over the code, and that over the defaults.
 */
#include "support/fixture.h"

#include <troupe/backend.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    WHERE = 1, // asks for HERE
    HERE,      // struct here
};

/** Where an actor lives, as it reports. */
struct here {
    troupe_ref_t self;
    int64_t process;
};

static void subject_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    struct here here = {.self = troupe_self(ctx), .process = getpid()};
    REPORT(ctx, message, HERE, &here);
}

static const struct troupe_behaviour subject = {.name = "subject", .receive = subject_receive};
static const struct troupe_behaviour other_name = {
    .name = "other_name", .receive = subject_receive};

static struct fixture *open_with_rules(
    const struct fixture_placement *placement, const struct fixture_options *rules)
{
    struct fixture_options options = *rules;
    options.behaviours = TROUPE_BEHAVIOURS(&subject, &other_name);
    return fixture_open(placement, &options);
}

/** Spawn, ask it where it lives, and compare that with its reference. */
static struct here spawn_and_locate(
    struct fixture *fixture, const struct troupe_spawn_options *options)
{
    troupe_ref_t ref = fixture_spawn_with(fixture, options);
    fixture_ask(fixture, ref, WHERE, NULL, 0);
    struct here here = *FIXTURE_RECEIVE(fixture, HERE, struct here);
    cr_expect(troupe_ref_equal(here.self, ref));
    return here;
}

static struct here spawn_named_and_locate(struct fixture *fixture, const char *name)
{
    return spawn_and_locate(
        fixture, &(struct troupe_spawn_options){.behaviour = &subject, .name = name});
}

/** @return whether that is the executor of the system's owner, where the scenario lives. */
static bool is_on_executor_0(const struct fixture *fixture, struct here here)
{
    bool is_shared = fixture_share_executor(here.self, fixture_scenario(fixture));
    return is_shared && here.self.executor == 0 && here.process == getpid();
}

/** @return whether actors of the placement may live there. */
static bool is_at_home(
    const struct fixture *fixture, const struct fixture_placement *placement, struct here here)
{
    uint32_t traits = fixture_traits(placement);
    bool is_ecs = (traits & TROUPE_TRAIT_CALLERS_THREAD) != 0;
    bool is_apart = (traits & TROUPE_TRAIT_ISOLATES_CRASHES) != 0;
    return is_on_executor_0(fixture, here) == is_ecs && (here.process != getpid()) == is_apart;
}

/** @return over how many executors they are spread. */
static uint32_t count_executors(const struct here *heres, uint32_t count)
{
    uint32_t different = 0;
    for (uint32_t i = 0; i < count; i++) {
        bool is_new = true;
        for (uint32_t before = 0; before < i; before++) {
            is_new = is_new && !fixture_share_executor(heres[before].self, heres[i].self);
        }
        different += is_new ? 1 : 0;
    }
    return different;
}

BACKEND_TEST(placement, actors_share_as_many_executors_as_the_rule_says)
{
    struct fixture *fixture = open_with_rules(placement, &(struct fixture_options){0});
    struct here heres[12];

    for (uint32_t i = 0; i < 12; i++) {
        heres[i] = spawn_named_and_locate(fixture, NULL);
        cr_expect(is_at_home(fixture, placement, heres[i]));
    }

    uint32_t promised = fixture_executor_count(placement);
    cr_expect(eq(u32, count_executors(heres, 12), promised == 0 ? 12 : promised));
    fixture_close(&fixture);
}

BACKEND_TEST(placement, a_name_always_selects_the_same_executor_of_a_pool)
{
    struct fixture *fixture = open_with_rules(placement, &(struct fixture_options){0});
    if (fixture_executor_count(placement) == 0) {
        fixture_close(&fixture);
        cr_skip("no pool: each actor has an executor of its own");
    }

    troupe_ref_t anna = spawn_named_and_locate(fixture, "anna").self;
    troupe_ref_t bert = spawn_named_and_locate(fixture, "bert").self;

    for (int i = 0; i < 5; i++) {
        cr_expect(fixture_share_executor(spawn_named_and_locate(fixture, "anna").self, anna));
        cr_expect(fixture_share_executor(spawn_named_and_locate(fixture, "bert").self, bert));
    }
    fixture_close(&fixture);
}

BACKEND_TEST(placement, without_any_rule_an_actor_runs_on_the_owners_executor)
{
    struct fixture *fixture =
        open_with_rules(placement, &(struct fixture_options){.places_nothing = true});

    cr_expect(is_on_executor_0(fixture, spawn_named_and_locate(fixture, NULL)));
    fixture_close(&fixture);
}

BACKEND_TEST(placement, the_first_rule_that_matches_wins)
{
    struct fixture *fixture =
        open_with_rules(placement, &(struct fixture_options){.first_rule = "w*=ecs"});

    cr_expect(is_on_executor_0(fixture, spawn_named_and_locate(fixture, "worker")));
    cr_expect(is_at_home(fixture, placement, spawn_named_and_locate(fixture, "answerer")));
    fixture_close(&fixture);
}

BACKEND_TEST(placement, a_rule_matches_the_name_or_the_behaviour)
{
    struct fixture *fixture =
        open_with_rules(placement, &(struct fixture_options){.first_rule = "other_name=ecs"});

    struct troupe_spawn_options options = {.behaviour = &other_name, .name = "ali"};
    cr_expect(is_on_executor_0(fixture, spawn_and_locate(fixture, &options))); // by its behaviour
    cr_expect(
        is_on_executor_0(fixture, spawn_named_and_locate(fixture, "other_name"))); // by its name
    cr_expect(is_at_home(fixture, placement, spawn_named_and_locate(fixture, "ali")));
    fixture_close(&fixture);
}

BACKEND_TEST(placement, the_code_decides_when_no_rule_matches)
{
    struct fixture *fixture =
        open_with_rules(placement, &(struct fixture_options){.places_nothing = true});

    struct troupe_spawn_options options = {.behaviour = &subject, .place = placement->place};
    cr_expect(is_at_home(fixture, placement, spawn_and_locate(fixture, &options)));
    fixture_close(&fixture);
}

BACKEND_TEST(placement, a_rule_outranks_the_code)
{
    struct fixture *fixture =
        open_with_rules(placement, &(struct fixture_options){.first_rule = "w*=ecs"});

    struct troupe_spawn_options to_place = {
        .behaviour = &subject, .name = "worker", .place = placement->place};
    struct troupe_spawn_options to_ecs = {.behaviour = &subject, .place = "ecs"};
    cr_expect(is_on_executor_0(fixture, spawn_and_locate(fixture, &to_place)));
    cr_expect(is_at_home(fixture, placement, spawn_and_locate(fixture, &to_ecs)));
    fixture_close(&fixture);
}

BACKEND_TEST(placement, the_code_outranks_the_programs_defaults)
{
    char rule[64];
    (void)snprintf(rule, sizeof(rule), "*=%s", placement->place);
    const char *const defaults[] = {rule, NULL};
    struct fixture_options rules = {.places_nothing = true, .place_default = defaults};
    struct fixture *fixture = open_with_rules(placement, &rules);

    struct troupe_spawn_options to_ecs = {.behaviour = &subject, .place = "ecs"};
    cr_expect(is_on_executor_0(fixture, spawn_and_locate(fixture, &to_ecs)));
    cr_expect(is_at_home(fixture, placement, spawn_named_and_locate(fixture, NULL)));
    fixture_close(&fixture);
}

/** `TROUPE_PLACE` is for this test's process alone: each test runs in one of its own. */
static void set_environment(const char *rules)
{
    cr_assert(eq(int, setenv("TROUPE_PLACE", rules, 1), 0));
}

BACKEND_TEST(placement, the_environment_outranks_the_code)
{
    char rules[96];
    (void)snprintf(rules, sizeof(rules), "w*=ecs;*=%s", placement->place);
    set_environment(rules);
    struct fixture *fixture =
        open_with_rules(placement, &(struct fixture_options){.places_nothing = true});

    struct troupe_spawn_options to_place = {
        .behaviour = &subject, .name = "worker", .place = placement->place};
    struct troupe_spawn_options to_ecs = {.behaviour = &subject, .place = "ecs"};
    cr_expect(is_on_executor_0(fixture, spawn_and_locate(fixture, &to_place)));
    cr_expect(is_at_home(fixture, placement, spawn_and_locate(fixture, &to_ecs)));
    fixture_close(&fixture);
}

BACKEND_TEST(placement, the_command_line_outranks_the_environment)
{
    char rules[96];
    (void)snprintf(rules, sizeof(rules), "w*=%s;*=ecs", placement->place);
    set_environment(rules);
    struct fixture *fixture =
        open_with_rules(placement, &(struct fixture_options){.first_rule = "w*=ecs"});

    cr_expect(is_on_executor_0(fixture, spawn_named_and_locate(fixture, "worker")));
    cr_expect(is_at_home(fixture, placement, spawn_named_and_locate(fixture, "answerer")));
    fixture_close(&fixture);
}

BACKEND_TEST(placement, a_spawn_with_an_invalid_place_is_refused)
{
    struct fixture *fixture =
        open_with_rules(placement, &(struct fixture_options){.places_nothing = true});
    troupe_context_t *ctx = troupe_system_context(fixture_system(fixture));
    struct troupe_spawn_options no_count = {.behaviour = &subject, .place = "thread:"};
    struct troupe_spawn_options no_backend = {.behaviour = &subject, .place = "martian"};

    cr_expect(eq(int, troupe_spawn(ctx, &no_count, NULL), TROUPE_ERR_INVAL));
    cr_expect(ne(int, troupe_spawn(ctx, &no_backend, NULL), TROUPE_OK));

    cr_expect(strstr(troupe_error_detail(), "martian") != NULL, "%s", troupe_error_detail());
    cr_expect(
        is_on_executor_0(fixture, spawn_named_and_locate(fixture, NULL))); // and no harm was done
    fixture_close(&fixture);
}

/* What a system refuses at its start, wherever actors live. ------------------------------------ */

static enum troupe_err new_with_rule(const char *rule)
{
    const char *const rules[] = {rule, NULL};
    struct troupe_system_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&subject), .place = rules};
    troupe_system_t *system = NULL;
    enum troupe_err err = troupe_system_new(&options, &system);
    (void)troupe_system_destroy(&system);
    return err;
}

Test(placement, a_rule_that_does_not_parse_is_refused_with_a_caret)
{
    static const char *const rules[] = {
        "subject",
        "=ecs",
        "subject=",
        "subject=thread:",
        "subject=thread:0",
        "subject=thread:x",
        "subject=ecs+",
    };
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        cr_expect(new_with_rule(rules[i]) == TROUPE_ERR_INVAL, "'%s' parses", rules[i]);
        cr_expect(strchr(troupe_error_detail(), '^') != NULL, "no caret for '%s'", rules[i]);
    }
}

Test(placement, a_rule_with_an_unknown_backend_is_refused_by_name)
{
    cr_expect(ne(int, new_with_rule("*=martian"), TROUPE_OK));
    cr_expect(strstr(troupe_error_detail(), "martian") != NULL, "%s", troupe_error_detail());
}

SUBJECTS(&subject, &other_name);

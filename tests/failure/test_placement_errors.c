/*
 * Errors in placement rules are reported at their place: rules that do not parse, that name an unknown backend, or that match
 * nothing.
 */
#include "support/audit.h"
#include "support/child.h"
#include "support/echo_system.h"
#include "support/fixture.h"

#include <troupe/backend.h>

#include <stdlib.h>
#include <string.h>

/** Make a system with one rule of the command line. Its detail is good afterwards. */
static enum troupe_err try_rule(const char *rule)
{
    const char *const rules[] = {rule, NULL};
    const struct troupe_system_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&echo_behaviour),
        .place = rules,
    };
    troupe_system_t *system = NULL;
    enum troupe_err err = troupe_system_new(&options, &system);
    cr_expect(err == TROUPE_OK || system == NULL, "a failed new leaves *out_system alone");
    if (err == TROUPE_OK) {
        troupe_system_stop(system);
        audit_and_destroy(&system);
    }
    return err;
}

/** @return over which character of the rule the caret of the detail stands; -1: none does. */
static int caret_of_detail(const char *rule)
{
    const char *detail = troupe_error_detail();
    const char *shown = strstr(detail, rule);
    if (shown == NULL) {
        return -1;
    }
    // The rule is shown on a line of its own; take the last one, for the text may quote it as well.
    for (const char *next = shown; next != NULL; next = strstr(next + 1, rule)) {
        shown = next;
    }
    const char *line = shown;
    while (line > detail && line[-1] != '\n') {
        line--;
    }
    const char *below = strchr(shown, '\n');
    const char *caret = below == NULL ? NULL : strchr(below, '^');
    return caret == NULL ? -1 : (int)((caret - (below + 1)) - (shown - line));
}

Test(placement_failure, a_rule_that_does_not_parse_gets_a_caret_under_the_wrong_character)
{
    static const struct {
        const char *rule;
        int caret;
    } cases[] = {
        {"echo", 4},
        {"=ecs", 0},
        {"echo=", 5},
        {"echo=martian", 5},
        {"echo=:2", 5},
        {"echo=+ipc", 5},
        {"echo=thread:", 12},
        {"echo=thread:0", 12},
        {"echo=thread:x", 12},
        {"echo=thread:-1", 12},
        {"echo=thread:99999999999999999999", 12},
        {"echo=thread:2:3", 13},
        {"echo=thread:2x", 13},
        {"echo=ecs:2", 9},
        {"echo=ecs+", 9},
        {"echo=ecs+carrier", 9},
        {"echo=ecs ", 5},
        {"echo=ECS", 5},
        {"a=b=martian", 4},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *rule = cases[i].rule;
        cr_expect(try_rule(rule) == TROUPE_ERR_INVAL, "'%s' parses", rule);
        cr_expect(
            caret_of_detail(rule) == cases[i].caret,
            "'%s': caret under %d, not under %d: %s",
            rule,
            caret_of_detail(rule),
            cases[i].caret,
            troupe_error_detail());
    }
}

Test(placement_failure, an_unknown_backend_is_refused_with_a_list_of_the_known_ones)
{
    cr_expect(eq(int, try_rule("*=martian"), TROUPE_ERR_INVAL));
    cr_expect(strstr(troupe_error_detail(), "'martian'") != NULL, "%s", troupe_error_detail());
    cr_expect(strstr(troupe_error_detail(), "ecs") != NULL, "%s", troupe_error_detail());
    cr_expect(strstr(troupe_error_detail(), "thread") != NULL, "%s", troupe_error_detail());
}

Test(placement_failure, every_backend_takes_every_transport)
{
    static const char *const rules[] = {
        "echo=ecs+inproc",
        "echo=ecs+ipc",
        "echo=ecs+tcp",
        "echo=thread+inproc",
        "echo=thread+ipc",
        "echo=thread:2+tcp",
        "echo=process",
        "echo=process+inproc",
        "echo=process:2+ipc",
        "echo=process+tcp",
    };
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        cr_expect(try_rule(rules[i]) == TROUPE_OK, "'%s': %s", rules[i], troupe_error_detail());
    }
}

/* A backend that cannot work here. ------------------------------------------------------------- */

static enum troupe_err lame_init(const struct troupe_host *host, void **out_self)
{
    (void)out_self;
    host->set_error_detail("backend 'lame' lacks a leg; place these actors on thread or ecs");
    return TROUPE_ERR_UNSUPPORTED;
}

static enum troupe_err lame_start(
    void *self,
    troupe_executor_t *executor,
    const struct troupe_executor_spec *spec,
    void **out_handle)
{
    (void)self, (void)executor, (void)spec, (void)out_handle;
    cr_fatal("a backend whose init failed starts nothing");
    return TROUPE_ERR_UNSUPPORTED;
}

static void lame_join(void *self, void *handle)
{
    (void)self, (void)handle;
}

static const struct troupe_backend_ops lame = {
    .version = TROUPE_BACKEND_VERSION,
    .traits = TROUPE_TRAIT_PARALLEL,
    .name = "lame",
    .description = "a backend that this machine cannot have",
    .init = lame_init,
    .start = lame_start,
    .join = lame_join,
};

Test(placement_failure, a_rule_for_an_unavailable_backend_is_refused_when_the_system_is_made)
{
    cr_assert(eq(int, troupe_backend_register(&lame), TROUPE_OK));

    // Even when it matches no actor yet: earlier than at the spawn of the first such actor.
    cr_expect(eq(int, try_rule("somebody=lame"), TROUPE_ERR_UNSUPPORTED));
    cr_expect(strstr(troupe_error_detail(), "lacks a leg") != NULL, "%s", troupe_error_detail());
}

Test(
    placement_failure,
    a_rule_of_the_environment_that_does_not_parse_is_refused_and_names_the_variable)
{
    cr_assert(setenv("TROUPE_PLACE", "echo=thread;echo=thread:none", 1) == 0);

    cr_expect(eq(int, try_rule("*=ecs"), TROUPE_ERR_INVAL));
    cr_expect(strstr(troupe_error_detail(), "TROUPE_PLACE") != NULL, "%s", troupe_error_detail());
    cr_expect(eq(int, caret_of_detail("echo=thread:none"), 12));
}

Test(placement_failure, a_spawn_with_a_bad_place_is_refused_and_the_next_one_starts)
{
    static const struct {
        const char *place;
        enum troupe_err err;
    } cases[] = {
        {"martian", TROUPE_ERR_INVAL},
        {"", TROUPE_ERR_INVAL},
        {"thread:0", TROUPE_ERR_INVAL},
        {"*=thread", TROUPE_ERR_INVAL},
        {"thread+pigeon", TROUPE_ERR_INVAL},
        {"process:0", TROUPE_ERR_INVAL},
        {"lame", TROUPE_ERR_UNSUPPORTED},
    };
    cr_assert(eq(int, troupe_backend_register(&lame), TROUPE_OK));
    troupe_system_t *system = echo_system_new();
    troupe_inbox_t *inbox = echo_inbox_new(system);

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        troupe_ref_t ref = {7, 7, 7, 7};
        enum troupe_err err = echo_spawn(troupe_inbox_context(inbox), cases[i].place, &ref);
        cr_expect(
            err == cases[i].err,
            "'%s': %s: %s",
            cases[i].place,
            troupe_strerror(err),
            troupe_error_detail());
        cr_expect(strlen(troupe_error_detail()) > 0, "'%s': no words", cases[i].place);
        cr_expect(eq(u32, ref.node, 7), "a failed spawn leaves *out_ref alone");
    }
    cr_expect(strstr(troupe_error_detail(), "lacks a leg") != NULL, "%s", troupe_error_detail());

    troupe_ref_t ref = TROUPE_REF_NONE;
    cr_assert(eq(int, echo_spawn(troupe_inbox_context(inbox), "thread", &ref), TROUPE_OK));
    cr_expect(eq(int, echo_ask(inbox, ref, 1), TROUPE_OK));
    echo_system_end(&system, &inbox);
}

static void stop_at_once(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)ctx, (void)state, (void)message;
}

static enum troupe_err stop_in_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)state, (void)args, (void)args_bytes;
    troupe_stop(ctx);
    return TROUPE_OK;
}

static const struct troupe_behaviour guest = {
    .name = "guest", .init = stop_in_init, .receive = stop_at_once};

static int run_with_unmatched_rules(void *data)
{
    (void)data;
    return child_troupe_main(
        "guest --place nobody=thread --place g*=ecs", TROUPE_BEHAVIOURS(&guest));
}

Test(placement_failure, a_rule_that_matches_nothing_gets_a_warning_only)
{
    struct child_end end = child_run(run_with_unmatched_rules, NULL);

    cr_expect(eq(int, end.status, 0));
    cr_expect(strstr(end.err, "warning") != NULL, "%s", end.err);
    cr_expect(strstr(end.err, "'nobody=thread'") != NULL, "%s", end.err);
    cr_expect(strstr(end.err, "g*=ecs") == NULL, "%s", end.err);
}

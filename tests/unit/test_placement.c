/*
 * Placement rules: what parses, at which character the rest does not, and which of several rules
 * matches first.
 */
#include "config/placement.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/redirect.h>

#include <string.h>

static struct trp_placement placement;

static void free_placement(void)
{
    trp_placement_fini(&placement);
}

TestSuite(placement, .timeout = 10, .fini = free_placement);

static enum troupe_err add(enum trp_rule_source source, const char *rule)
{
    return trp_placement_add(&placement, (const char *const[]){rule, NULL}, source);
}

static void add_ok(enum trp_rule_source source, const char *rule)
{
    cr_assert(eq(int, add(source, rule), TROUPE_OK), "%s: %s", rule, troupe_error_detail());
}

/** @return the text of the rule that places an actor; "": there is none. */
static const char *match(const char *name, const char *behaviour_name, bool before_spawn)
{
    const struct trp_rule *rule =
        trp_placement_match(&placement, name, behaviour_name, before_spawn);
    return rule == NULL ? "" : rule->text;
}

static void expect_match(const char *name, const char *behaviour_name, const char *rule)
{
    const char *matched = match(name, behaviour_name, true);
    cr_expect(strcmp(matched, rule) == 0, "'%s' rather than '%s'", matched, rule);
}

/** Check that a rule is refused at that character, counted from 1, with a caret under it. */
static void expect_refused(const char *rule, size_t character, const char *what)
{
    char place[64];
    char caret[512];
    (void)snprintf(place, sizeof(place), "character %zu: ", character);
    (void)snprintf(caret, sizeof(caret), "\n    %s\n%*s", rule, (int)(4 + character), "^");

    enum troupe_err err = add(TRP_RULE_COMMAND_LINE, rule);

    const char *detail = troupe_error_detail();
    cr_expect(eq(int, err, TROUPE_ERR_INVAL), "%s", rule);
    cr_expect(strstr(detail, place) != NULL, "%s should say %s", detail, place);
    cr_expect(strstr(detail, what) != NULL, "%s should say %s", detail, what);
    cr_expect(strstr(detail, "command line") != NULL, "%s should say where it stood", detail);
    const char *end = strlen(detail) > strlen(caret) ? detail + strlen(detail) - strlen(caret) : "";
    cr_expect(strcmp(end, caret) == 0, "%s\nshould end with%s", detail, caret);
    cr_expect(eq(ptr, placement.rules, NULL)); // and nothing was added
}

/* What parses. --------------------------------------------------------------------------------- */

Test(placement, reads_backend_count_and_transport)
{
    struct trp_place place;
    cr_assert(eq(int, trp_place_parse("thread", 0, "test", &place), TROUPE_OK));
    cr_expect(strcmp(place.ops->name, "thread") == 0);
    cr_expect(eq(u32, place.count, 0));
    cr_expect(eq(int, place.transport, TRP_TRANSPORT_NEAREST));

    cr_assert(eq(int, trp_place_parse("a*=thread:4+inproc", 3, "test", &place), TROUPE_OK));
    cr_expect(strcmp(place.ops->name, "thread") == 0);
    cr_expect(eq(u32, place.count, 4));
    cr_expect(eq(int, place.transport, TRP_TRANSPORT_INPROC));

    cr_assert(eq(int, trp_place_parse("ecs+inproc", 0, "test", &place), TROUPE_OK));
    cr_expect(strcmp(place.ops->name, "ecs") == 0);
}

Test(placement, reads_a_farther_transport_behind_any_backend)
{
    struct trp_place place;
    cr_assert(eq(int, trp_place_parse("ecs+ipc", 0, "test", &place), TROUPE_OK));
    cr_expect(eq(int, place.transport, TRP_TRANSPORT_IPC));
    cr_assert(eq(int, trp_place_parse("thread:2+tcp", 0, "test", &place), TROUPE_OK));
    cr_expect(eq(int, place.transport, TRP_TRANSPORT_TCP));
    cr_assert(eq(int, trp_place_parse("process:3+ipc", 0, "test", &place), TROUPE_OK));
    cr_expect(strcmp(place.ops->name, "process") == 0);
    cr_expect(eq(u32, place.count, 3));
    cr_expect(eq(int, place.transport, TRP_TRANSPORT_IPC));
}

Test(placement, takes_counts_from_1_to_1024)
{
    struct trp_place place;
    cr_assert(eq(int, trp_place_parse("thread:1", 0, "test", &place), TROUPE_OK));
    cr_expect(eq(u32, place.count, 1));
    cr_assert(eq(int, trp_place_parse("thread:1024", 0, "test", &place), TROUPE_OK));
    cr_expect(eq(u32, place.count, 1024));
    cr_assert(eq(int, trp_place_parse("thread:0007", 0, "test", &place), TROUPE_OK));
    cr_expect(eq(u32, place.count, 7));
}

Test(placement, leaves_the_result_unchanged_when_it_does_not_parse)
{
    struct trp_place place = {.count = 77};
    cr_expect(eq(int, trp_place_parse("thread:x", 0, "test", &place), TROUPE_ERR_INVAL));
    cr_expect(eq(u32, place.count, 77));
    cr_expect(place.ops == NULL);
}

/* What is refused. ----------------------------------------------------------------------------- */

Test(placement, points_where_the_equals_sign_is_missing)
{
    expect_refused("workers", 8, "expected '=' and a backend");
    expect_refused("", 1, "expected '=' and a backend");
}

Test(placement, points_where_the_pattern_is_missing)
{
    expect_refused("=ecs", 1, "expected a pattern of names");
}

Test(placement, points_where_the_backend_is_missing)
{
    expect_refused("w=", 3, "expected the name of a backend");
    expect_refused("w=:4", 3, "expected the name of a backend");
    expect_refused("w=+ipc", 3, "expected the name of a backend");
}

Test(placement, points_at_an_unknown_backend_and_lists_the_known_ones)
{
    expect_refused("worker*=fibre", 9, "unknown backend 'fibre'; known are ecs, thread, process");
    expect_refused("w=Thread", 3, "unknown backend 'Thread'");
    expect_refused("w=threads:4", 3, "unknown backend 'threads'");
    expect_refused("w= thread", 3, "unknown backend ' thread'");
}

Test(placement, points_at_an_invalid_count)
{
    static const char *const rules[] = {
        "w=thread:",
        "w=thread:0",
        "w=thread:x",
        "w=thread:-1",
        "w=thread: 1",
        "w=thread:+inproc",
        "w=thread:1025",
        "w=thread:4294967297",
        "w=thread:99999999999999999999999999",
    };
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        expect_refused(rules[i], 10, "expected a count from 1 to 1024");
    }
}

Test(placement, refuses_a_count_on_a_backend_with_one_executor)
{
    expect_refused("w=ecs:2", 7, "this backend has one executor; remove the count");
    expect_refused("w=ecs:1", 7, "this backend has one executor; remove the count");
}

Test(placement, points_at_text_behind_the_end)
{
    expect_refused("w=thread:2x", 11, "nothing may follow the placement");
    expect_refused("w=thread:2:3", 11, "nothing may follow the placement");
    expect_refused("w=thread:12 ", 12, "nothing may follow the placement");
}

Test(placement, points_at_an_unknown_transport)
{
    static const char *const rules[] = {
        "w=thread+",
        "w=thread+udp",
        "w=thread+IPC",
        "w=thread+inproc:2",
        "w=thread+inproc+tcp",
    };
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        expect_refused(rules[i], 10, "unknown transport; known are inproc, ipc, tcp");
    }
}

Test(placement, refuses_a_very_long_rule)
{
    char rule[4096];
    memset(rule, 'x', sizeof(rule));
    memcpy(rule, "w=", 2);
    rule[sizeof(rule) - 1] = '\0';
    cr_expect(eq(int, add(TRP_RULE_COMMAND_LINE, rule), TROUPE_ERR_INVAL));
    cr_expect(strstr(troupe_error_detail(), "character 3: unknown backend") != NULL);
}

/* Matching. ------------------------------------------------------------------------------------ */

Test(placement, has_no_rule_at_first)
{
    expect_match("anybody", "behaviour", "");
}

Test(placement, matches_rules_in_the_order_they_were_written)
{
    add_ok(TRP_RULE_COMMAND_LINE, "db=thread");
    add_ok(TRP_RULE_COMMAND_LINE, "d*=thread:2");
    add_ok(TRP_RULE_COMMAND_LINE, "*=ecs");
    expect_match("db", "actor", "db=thread");
    expect_match("desk", "actor", "d*=thread:2");
    expect_match("other", "actor", "*=ecs");
}

Test(placement, matches_the_name_or_the_behaviour)
{
    add_ok(TRP_RULE_COMMAND_LINE, "worker=thread");
    expect_match("worker", "other", "worker=thread");
    expect_match("other", "worker", "worker=thread");
    expect_match(NULL, "worker", "worker=thread");
    expect_match("other", "another", "");
    expect_match(NULL, "workers", "");
}

Test(placement, matches_as_the_shell_does)
{
    add_ok(TRP_RULE_COMMAND_LINE, "w?=thread:1");
    add_ok(TRP_RULE_COMMAND_LINE, "[ab]*=thread:2");
    add_ok(TRP_RULE_COMMAND_LINE, "x\\*=thread:3");
    expect_match("w1", "none", "w?=thread:1");
    expect_match("w12", "none", "");
    expect_match("bc", "none", "[ab]*=thread:2");
    expect_match("cb", "none", "");
    expect_match("x*", "none", "x\\*=thread:3");
    expect_match("xy", "none", "");
}

Test(placement, takes_the_last_equals_sign_so_that_names_may_have_one)
{
    add_ok(TRP_RULE_COMMAND_LINE, "a=b=thread");
    expect_match("a=b", "none", "a=b=thread");
    expect_match("a", "b", "");
}

Test(placement, matches_the_command_line_then_the_environment_then_the_program)
{
    add_ok(TRP_RULE_COMMAND_LINE, "a=thread:1");
    add_ok(TRP_RULE_ENVIRONMENT, "[ab]=thread:2");
    add_ok(TRP_RULE_PROGRAM, "[abc]=thread:3");
    cr_expect(strcmp(match("a", "none", true), "a=thread:1") == 0);
    cr_expect(strcmp(match("b", "none", true), "[ab]=thread:2") == 0);
    // The rules of the program are matched after the place that a spawn asks for.
    cr_expect(strcmp(match("c", "none", true), "") == 0);
    cr_expect(strcmp(match("c", "none", false), "[abc]=thread:3") == 0);
    cr_expect(strcmp(match("a", "none", false), "[abc]=thread:3") == 0);
}

/* The environment. ----------------------------------------------------------------------------- */

static enum troupe_err add_text(const char *text)
{
    return trp_placement_add_text(&placement, text, TRP_RULE_ENVIRONMENT);
}

Test(placement, reads_no_rules_from_an_empty_environment)
{
    cr_expect(eq(int, add_text(NULL), TROUPE_OK));
    cr_expect(eq(int, add_text(""), TROUPE_OK));
    cr_expect(eq(int, add_text(";; ;\n;"), TROUPE_OK));
    cr_expect(eq(ptr, placement.rules, NULL));
}

Test(placement, reads_rules_between_semicolons_and_skips_empty_ones)
{
    cr_assert(eq(int, add_text(";; a=thread:1;;\n b=thread:2 ;; ;c=ecs;"), TROUPE_OK));
    expect_match("a", "none", "a=thread:1");
    expect_match("b", "none", "b=thread:2");
    expect_match("c", "none", "c=ecs");
}

Test(placement, names_the_rule_of_the_environment_that_does_not_parse)
{
    cr_expect(eq(int, add_text("a=thread;b=thread:0;c=ecs"), TROUPE_ERR_INVAL));
    cr_expect(
        strstr(
            troupe_error_detail(),
            "placement rule (TROUPE_PLACE), character 10: expected a count from 1 to 1024\n"
            "    b=thread:0\n"
            "             ^") != NULL);
}

/* Places of spawns. ---------------------------------------------------------------------------- */

Test(placement, shares_a_pool_among_spawns_with_equal_text)
{
    struct trp_rule *one = NULL;
    struct trp_rule *same = NULL;
    struct trp_rule *other = NULL;
    cr_assert(eq(int, trp_placement_of_spawn(&placement, "thread:4", &one), TROUPE_OK));
    cr_assert(eq(int, trp_placement_of_spawn(&placement, "thread:4", &same), TROUPE_OK));
    cr_assert(eq(int, trp_placement_of_spawn(&placement, "thread:5", &other), TROUPE_OK));
    cr_expect(eq(ptr, one, same));
    cr_expect(ne(ptr, one, other));
    cr_expect(eq(u32, one->place.count, 4));
    cr_expect(ne(ptr, one->pool, NULL));
    expect_match("anybody", "none", ""); // it is no rule for other actors
}

Test(placement, points_into_the_place_of_a_spawn)
{
    struct trp_rule *rule = NULL;
    cr_expect(eq(int, trp_placement_of_spawn(&placement, "thread:x", &rule), TROUPE_ERR_INVAL));
    cr_expect(strstr(troupe_error_detail(), "(spawn), character 8: expected a count") != NULL);
    cr_expect(eq(ptr, rule, NULL));
}

/* Warnings. ------------------------------------------------------------------------------------ */

Test(placement, warns_of_rules_that_matched_nothing)
{
    add_ok(TRP_RULE_COMMAND_LINE, "db=thread");
    add_ok(TRP_RULE_ENVIRONMENT, "d*=ecs");
    add_ok(TRP_RULE_PROGRAM, "*=thread");
    expect_match("db", "actor", "db=thread");
    cr_redirect_stderr();

    trp_placement_warn(&placement);

    (void)fflush(stderr);
    cr_assert_stderr_eq_str(
        "troupe: warning: placement rule 'd*=ecs' (TROUPE_PLACE) matched no actor\n"
        "troupe: warning: placement rule '*=thread' (program) matched no actor\n");
}

/*
 * Limits: what parses, at which character the rest does not, how they are printed, and which of
 * several rules matches an actor.
 */
#include "chance.h"
#include "config/limits.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/redirect.h>

#include <string.h>

static struct trp_rule *rules;

static void free_rules(void)
{
    trp_rules_fini(&rules);
}

TestSuite(limits, .timeout = 10, .fini = free_rules);

static struct troupe_limits parse(const char *text)
{
    struct troupe_limits limits = {0};
    enum troupe_err err = trp_limits_parse(text, 0, "test", &limits);
    cr_assert(eq(int, err, TROUPE_OK), "%s: %s", text, troupe_error_detail());
    return limits;
}

static bool are_equal(const struct troupe_limits *one, const struct troupe_limits *other)
{
    return one->memory_bytes == other->memory_bytes && one->core_bytes == other->core_bytes &&
           one->cpu_mask == other->cpu_mask && one->cpu_seconds == other->cpu_seconds &&
           one->file_count == other->file_count && one->nice == other->nice;
}

/** Check that @p text, read and printed again, is @p printed. */
static void expect_printed(const char *text, const char *printed)
{
    struct troupe_limits limits = parse(text);
    char again[TRP_LIMITS_BYTES];
    trp_limits_print(&limits, again);
    cr_expect(strcmp(again, printed) == 0, "%s prints as %s, not as %s", text, again, printed);
    struct troupe_limits same = parse(again);
    cr_expect(are_equal(&limits, &same), "%s does not come back", text);
}

/** Check that a rule is refused at that character, counted from 1, with a caret under it. */
static void expect_refused(const char *rule, size_t character, const char *what)
{
    char place[64];
    char caret[512];
    (void)snprintf(place, sizeof(place), "limit rule (command line), character %zu: ", character);
    (void)snprintf(caret, sizeof(caret), "\n    %s\n%*s", rule, (int)(4 + character), "^");

    enum troupe_err err = trp_limit_rules_add(&rules, rule, TRP_RULE_COMMAND_LINE, NULL);

    const char *detail = troupe_error_detail();
    cr_expect(eq(int, err, TROUPE_ERR_INVAL), "%s", rule);
    cr_expect(strstr(detail, place) != NULL, "%s should say %s", detail, place);
    cr_expect(strstr(detail, what) != NULL, "%s should say %s", detail, what);
    cr_expect(strstr(detail, caret) != NULL, "%s should point like %s", detail, caret);
    cr_expect(eq(ptr, rules, NULL));
}

static void add_ok(enum trp_rule_source source, const char *rule)
{
    enum troupe_err err = trp_limit_rules_add(&rules, rule, source, NULL);
    cr_assert(eq(int, err, TROUPE_OK), "%s: %s", rule, troupe_error_detail());
}

static void expect_match(
    const char *name,
    const char *behaviour_name,
    const struct troupe_limits *asked,
    const char *printed)
{
    struct troupe_limits limits;
    char text[TRP_LIMITS_BYTES];
    trp_limit_rules_match(rules, name, behaviour_name, asked, &limits);
    trp_limits_print(&limits, text);
    cr_expect(strcmp(text, printed) == 0, "%s rather than %s", text, printed);
}

/* What parses. --------------------------------------------------------------------------------- */

Test(limits, reads_each_limit)
{
    struct troupe_limits limits = parse("mem:64M,cpu:10s,files:100,core:0,nice:5,cpus:0-1");
    cr_expect(eq(u64, limits.memory_bytes, UINT64_C(64) << 20));
    cr_expect(eq(u32, limits.cpu_seconds, 10));
    cr_expect(eq(u32, limits.file_count, 100));
    cr_expect(eq(u64, limits.core_bytes, TROUPE_CORE_NONE));
    cr_expect(eq(i32, limits.nice, 5));
    cr_expect(eq(u64, limits.cpu_mask, 3));
}

Test(limits, reads_sizes_by_1024)
{
    cr_expect(eq(u64, parse("mem:1").memory_bytes, 1));
    cr_expect(eq(u64, parse("mem:3K").memory_bytes, 3072));
    cr_expect(eq(u64, parse("mem:3G").memory_bytes, UINT64_C(3) << 30));
    cr_expect(eq(u64, parse("core:2M").core_bytes, UINT64_C(2) << 20));
    cr_expect(eq(u64, parse("mem:9223372036854775807").memory_bytes, INT64_MAX));
}

Test(limits, reads_minutes)
{
    cr_expect(eq(u32, parse("cpu:2m").cpu_seconds, 120));
    cr_expect(eq(u32, parse("cpu:4294967295s").cpu_seconds, UINT32_MAX));
}

Test(limits, reads_niceness_both_ways)
{
    cr_expect(eq(i32, parse("nice:39").nice, 39));
    cr_expect(eq(i32, parse("nice:-40").nice, -40));
    cr_expect(eq(i32, parse("nice:0").nice, 0));
}

Test(limits, reads_lists_of_cpus_up_to_the_next_limit)
{
    cr_expect(eq(u64, parse("cpus:0").cpu_mask, 1));
    cr_expect(eq(u64, parse("cpus:63").cpu_mask, UINT64_C(1) << 63));
    cr_expect(eq(u64, parse("cpus:0-63").cpu_mask, UINT64_MAX));
    struct troupe_limits limits = parse("cpus:0,2,4-5,mem:1K");
    cr_expect(eq(u64, limits.cpu_mask, 0x35));
    cr_expect(eq(u64, limits.memory_bytes, 1024));
}

Test(limits, prints_in_one_order_and_with_the_largest_units)
{
    expect_printed(
        "cpus:0,1,2,5,nice:-2,core:0,files:7,cpu:120s,mem:65536K",
        "mem:64M,cpu:2m,files:7,core:0,nice:-2,cpus:0-2,5");
    expect_printed("mem:1025", "mem:1025");
    expect_printed("cpu:90s", "cpu:90s");
    expect_printed("nice:0", "none");
    expect_printed("none", "none");
}

Test(limits, prints_the_longest_into_its_buffer)
{
    const struct troupe_limits limits = {
        .memory_bytes = INT64_MAX,
        .core_bytes = INT64_MAX,
        .cpu_mask = UINT64_C(0x5555555555555555),
        .cpu_seconds = UINT32_MAX,
        .file_count = INT32_MAX,
        .nice = -40,
    };
    char text[TRP_LIMITS_BYTES];
    trp_limits_print(&limits, text);
    struct troupe_limits same = parse(text);
    cr_expect(are_equal(&limits, &same), "%s", text);
}

Test(limits, are_read_back_as_they_were_printed)
{
    struct chance chance = chance_open("limits");
    for (int i = 0; i < 10000; i++) {
        struct troupe_limits limits = {
            .memory_bytes = chance_bits(&chance) >> (1 + chance_below(&chance, 63)),
            .core_bytes = chance_bits(&chance) >> (1 + chance_below(&chance, 63)),
            .cpu_mask = chance_bits(&chance),
            .cpu_seconds = chance_below(&chance, UINT32_MAX),
            .file_count = chance_below(&chance, INT32_MAX),
            .nice = (int32_t)chance_below(&chance, 80) - 40,
        };
        limits.cpu_mask &= chance_bits(&chance); // runs and gaps of any length
        char text[TRP_LIMITS_BYTES];
        trp_limits_print(&limits, text);
        struct troupe_limits same = parse(text);
        cr_assert(are_equal(&limits, &same), "%s", text);
    }
}

/* What is refused. ----------------------------------------------------------------------------- */

Test(limits, points_where_a_part_of_a_rule_is_missing)
{
    expect_refused("plugin", 7, "expected '=' and limits, as in '*=mem:64M'");
    expect_refused("=mem:1K", 1, "expected a pattern of names");
    expect_refused("w=", 3, "expected a limit: mem:SIZE");
    expect_refused("w=mem:1K,", 10, "expected a limit");
    expect_refused("w=mem", 3, "expected a limit");
    expect_refused("w=mem,cpu:1s", 3, "expected a limit");
}

Test(limits, points_at_an_unknown_limit)
{
    expect_refused("w=memory:1K", 3, "expected a limit");
    expect_refused("w=mem:1K,stack:1K", 10, "expected a limit");
    expect_refused("w=MEM:1K", 3, "expected a limit");
    expect_refused("w=none,mem:1K", 3, "expected a limit");
    expect_refused("w= mem:1K", 3, "expected a limit");
}

Test(limits, points_at_invalid_sizes)
{
    static const char *const texts[] = {
        "w=mem:",
        "w=mem:0",
        "w=mem:0K",
        "w=mem:x",
        "w=mem:-1",
        "w=mem: 1",
        "w=mem:9223372036854775808",
        "w=mem:8589934592G",
        "w=mem:99999999999999999999999999",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        expect_refused(texts[i], 7, "expected a size from 1 byte, as in mem:64M");
    }
    expect_refused("w=core:x", 8, "expected a size, as in core:64M, or core:0 for none");
}

Test(limits, points_at_invalid_times)
{
    static const char *const texts[] = {
        "w=cpu:", "w=cpu:0s", "w=cpu:10", "w=cpu:10h", "w=cpu:4294967296s", "w=cpu:71582789m"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        expect_refused(texts[i], 7, "expected a time in s or m, from 1s");
    }
}

Test(limits, points_at_invalid_numbers)
{
    expect_refused("w=files:0", 9, "expected a count from 1");
    expect_refused("w=files:2147483648", 9, "expected a count from 1");
    expect_refused("w=nice:40", 8, "expected a number from -40 to 39");
    expect_refused("w=nice:-41", 8, "expected a number from -40 to 39");
    expect_refused("w=nice:-", 8, "expected a number from -40 to 39");
    expect_refused("w=cpus:64", 8, "expected a CPU from 0 to 63");
    expect_refused("w=cpus:", 8, "expected a CPU from 0 to 63");
    expect_refused("w=cpus:1-", 10, "expected a CPU from 0 to 63");
    expect_refused("w=cpus:0,1,99", 12, "expected a CPU from 0 to 63");
    expect_refused("w=cpus:3-1", 10, "a range of CPUs must ascend");
}

Test(limits, points_at_text_behind_the_end)
{
    expect_refused("w=mem:1KB", 9, "expected ',' and another limit, or the end");
    expect_refused("w=mem:1.5M", 8, "expected ',' and another limit, or the end");
    expect_refused("w=cpu:1s ", 9, "expected ',' and another limit, or the end");
    expect_refused("w=cpus:0-1-2", 11, "expected ',' and another limit, or the end");
}

Test(limits, points_at_a_limit_that_is_given_twice)
{
    expect_refused("w=mem:1K,cpu:1s,mem:2K", 17, "mem is given twice");
}

Test(limits, leaves_the_result_unchanged_when_they_do_not_parse)
{
    struct troupe_limits limits = {.nice = 7};
    cr_expect(eq(int, trp_limits_parse("cpus:0,mem:x", 0, "test", &limits), TROUPE_ERR_INVAL));
    cr_expect(eq(i32, limits.nice, 7));
    cr_expect(eq(u64, limits.cpu_mask, 0));
}

/* Matching. ------------------------------------------------------------------------------------ */

Test(limits, are_those_of_the_first_rule_that_matches)
{
    add_ok(TRP_RULE_COMMAND_LINE, "db=none");
    add_ok(TRP_RULE_ENVIRONMENT, "d*=mem:1K");
    add_ok(TRP_RULE_LAUNCH, "*=mem:2K");
    expect_match("db", "actor", NULL, "none");
    expect_match("desk", "actor", NULL, "mem:1K");
    expect_match(NULL, "desk", NULL, "mem:1K");
    expect_match("other", "actor", NULL, "mem:2K");
}

Test(limits, are_none_without_a_rule)
{
    expect_match("anybody", "actor", NULL, "none");
    expect_match("anybody", "actor", &(struct troupe_limits){0}, "none");
}

Test(limits, that_a_spawn_asks_for_are_matched_between_the_launch_file_and_the_program)
{
    const struct troupe_limits asked = {.nice = 1};
    add_ok(TRP_RULE_LAUNCH, "a=nice:2");
    add_ok(TRP_RULE_PROGRAM, "*=nice:3");
    expect_match("a", "actor", &asked, "nice:2");
    expect_match("b", "actor", &asked, "nice:1");
    expect_match("b", "actor", NULL, "nice:3");
    expect_match("b", "actor", &(struct troupe_limits){0}, "nice:3");
}

Test(limits, of_one_actor_are_for_its_name_and_behaviour)
{
    enum troupe_err err =
        trp_rules_add_actor(&rules, &trp_limits_kind, "w*", "worker", "nice:1", "a.zpl:3");
    cr_assert(eq(int, err, TROUPE_OK));
    expect_match("w*", "worker", NULL, "nice:1");
    expect_match("w1", "worker", NULL, "none");
    expect_match("w*", "other", NULL, "none");
    expect_match(NULL, "worker", NULL, "none");
    expect_match("worker", "worker", NULL, "none");
}

Test(limits, are_read_from_the_environment_between_semicolons)
{
    enum troupe_err err = trp_rules_add_text(
        &rules, &trp_limits_kind, " a=nice:1;; b=cpus:0,1 ;", TRP_RULE_ENVIRONMENT);
    cr_assert(eq(int, err, TROUPE_OK));
    expect_match("b", "actor", NULL, "cpus:0-1");

    err = trp_rules_add_text(&rules, &trp_limits_kind, "a=nice:x", TRP_RULE_ENVIRONMENT);
    cr_expect(eq(int, err, TROUPE_ERR_INVAL));
    cr_expect(strstr(troupe_error_detail(), "limit rule (TROUPE_LIMIT), character 8: ") != NULL);
}

static struct trp_rule *rule_at(struct trp_rule *first, size_t index)
{
    for (; index > 0 && first != NULL; index--) {
        first = first->next;
    }
    return first;
}

Test(limits, are_the_same_in_another_process)
{
    struct trp_rule *others = NULL;
    char bytes[96];
    size_t written = 0;
    size_t read = 0;
    add_ok(TRP_RULE_ENVIRONMENT, "d*=nice:2");
    cr_assert(
        eq(int,
           trp_rules_add_actor(&rules, &trp_limits_kind, "w", "worker", "nice:1", "a.zpl:3"),
           TROUPE_OK));
    add_ok(TRP_RULE_PROGRAM, "*=none");

    cr_assert(trp_rules_write(rules, bytes, sizeof(bytes), &written));
    cr_assert(eq(int, trp_rules_read(&others, &trp_limits_kind, bytes, &read), TROUPE_OK));

    cr_expect(eq(sz, read, written));
    const struct trp_rule *rule = rules;
    const struct trp_rule *other = others;
    for (; rule != NULL && other != NULL; rule = rule->next, other = other->next) {
        cr_expect(strcmp(rule->text, other->text) == 0);
        cr_expect(strcmp(rule->glob, other->glob) == 0);
        cr_expect(eq(int, rule->behaviour != NULL, other->behaviour != NULL));
        cr_expect(eq(int, rule->source, other->source));
    }
    bool both_ended = rule == NULL && other == NULL;
    cr_expect(both_ended);
    cr_expect(eq(ptr, trp_rules_match(others, "none", "other", false), (void *)rule_at(others, 2)));
    cr_redirect_stderr();
    trp_rules_warn(rules, &trp_limits_kind); // not of the rule that matched there
    (void)fflush(stderr);
    cr_assert_stderr_eq_str(
        "troupe: warning: limit rule 'd*=nice:2' (TROUPE_LIMIT) matched no actor\n");
    trp_rules_fini(&others);
    for (size_t room = 0; room < written; room++) {
        size_t at = 0;
        cr_expect(not(trp_rules_write(rules, bytes, room, &at)), "%zu", room);
    }
}

Test(limits, that_matched_nothing_cause_a_warning)
{
    add_ok(TRP_RULE_COMMAND_LINE, "db=nice:1");
    add_ok(TRP_RULE_ENVIRONMENT, "d*=nice:2");
    expect_match("db", "actor", NULL, "nice:1");
    cr_redirect_stderr();

    trp_rules_warn(rules, &trp_limits_kind);

    (void)fflush(stderr);
    cr_assert_stderr_eq_str(
        "troupe: warning: limit rule 'd*=nice:2' (TROUPE_LIMIT) matched no actor\n");
}

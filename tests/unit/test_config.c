/*
 * Configurations: which of command line, environment, launch file and program takes precedence; and
 * a printed configuration, read again, is the same.
 */
#include "chance.h"
#include "config/config.h"
#include "config/limits.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct troupe_behaviour worker = {.name = "worker"};
static const struct troupe_behaviour *const behaviours[] = {&worker, NULL};

static struct troupe_system_options options;
static struct trp_config config;
static struct trp_shell_words no_words;
static char path[] = "/tmp/troupe-config-XXXXXX";

/** Write a launch file, and name it in the options. */
static void write_file(const char *text)
{
    FILE *file = fopen(path, "w");
    cr_assert(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
    options.launch_file = path;
}

static void set_up(void)
{
    (void)unsetenv("TROUPE_PLACE");
    (void)unsetenv("TROUPE_LIMIT");
    (void)unsetenv("TROUPE_LAUNCH");
    options = (struct troupe_system_options){.behaviours = behaviours};
    int fd = mkstemp(path);
    cr_assert(fd >= 0);
    (void)close(fd);
}

static void tear_down(void)
{
    (void)unlink(path);
    trp_config_fini(&config);
}

TestSuite(config, .timeout = 30, .init = set_up, .fini = tear_down);

static void make(void)
{
    trp_config_fini(&config);
    cr_assert(eq(int, trp_config_make(&options, &config), TROUPE_OK), "%s", troupe_error_detail());
}

/** @return the text of the rule that places an actor; "": there is none. */
static const char *place_of(const char *name, bool before_spawn)
{
    const struct trp_rule *rule =
        trp_placement_match(&config.placement, name, "worker", before_spawn);
    return rule == NULL ? "" : rule->text;
}

static void expect_place(const char *name, bool before_spawn, const char *rule)
{
    const char *found = place_of(name, before_spawn);
    cr_expect(strcmp(found, rule) == 0, "%s: '%s' rather than '%s'", name, found, rule);
}

/** @return the printed configuration. The caller frees it. */
static char *dump(const struct trp_shell_words *words)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *file = open_memstream(&text, &bytes);
    enum troupe_err err = trp_config_dump(&config, words, file);
    cr_assert(eq(int, err, TROUPE_OK), "%s", troupe_error_detail());
    (void)fclose(file);
    return text;
}

/** Remove comments from a text in which no value has a '#'. */
static void cut_comments(char *text)
{
    char *out = text;
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        size_t bytes = strcspn(line, "#");
        while (bytes > 0 && line[bytes - 1] == ' ') {
            bytes--;
        }
        if (bytes > 0) {
            memmove(out, line, bytes);
            out += bytes;
            *out++ = '\n';
        }
    }
    *out = '\0';
}

/* Precedence. ---------------------------------------------------------------------------------- */

Test(config, has_defaults_where_nothing_is_set)
{
    make();
    cr_expect(eq(u64, config.seed.value, 0));
    cr_expect(eq(u64, config.mailbox_messages.value, TROUPE_MAILBOX_MESSAGES_DEFAULT));
    cr_expect(eq(u64, config.mailbox_bytes.value, TROUPE_MAILBOX_BYTES_DEFAULT));
    cr_expect(eq(u64, config.stop_timeout_ns.value, TROUPE_STOP_TIMEOUT_DEFAULT_NS));
    expect_place("a", true, "");
}

Test(config, prefers_the_command_line_to_the_launch_file)
{
    write_file("options\n    seed = 1\n    mailbox = 2\n");
    options.seed = 5;
    make();
    cr_expect(eq(u64, config.seed.value, 5));
    cr_expect(eq(u64, config.mailbox_messages.value, 2));
    cr_expect(eq(u32, config.mailbox_messages.line, 3));
}

Test(config, matches_rules_from_the_command_line_down_to_the_program)
{
    options.place = (const char *const[]){"a=thread:1", NULL};
    (void)setenv("TROUPE_PLACE", "[ab]=thread:2", 1);
    write_file("place\n    rule = [abc]=thread:3\n    default = [abcd]=thread:4\n");
    options.place_default = (const char *const[]){"*=thread:5", NULL};
    make();
    expect_place("a", true, "a=thread:1");
    expect_place("b", true, "[ab]=thread:2");
    expect_place("c", true, "[abc]=thread:3");
    expect_place("d", true, "");
    expect_place("d", false, "[abcd]=thread:4");
    expect_place("e", false, "*=thread:5");
}

Test(config, matches_limits_in_the_same_order)
{
    options.limit = (const char *const[]){"a=nice:1", NULL};
    (void)setenv("TROUPE_LIMIT", "[ab]=nice:2", 1);
    write_file("limit\n    rule = [abc]=nice:3\n");
    options.limit_default = (const char *const[]){"*=nice:4", NULL};
    make();
    const char *names[] = {"a", "b", "c", "d"};
    for (int32_t i = 0; i < 4; i++) {
        struct troupe_limits limits;
        trp_limit_rules_match(config.limits, names[i], "worker", NULL, &limits);
        cr_expect(eq(i32, limits.nice, i + 1));
    }
}

Test(config, matches_an_actors_own_place_before_the_files_rules_and_after_the_others)
{
    write_file("place\n    rule = *=ecs\n"
               "actors\n    a\n        behaviour = worker\n        place = thread\n");
    make();
    expect_place("a", true, "thread");
    expect_place("b", true, "*=ecs");

    options.place = (const char *const[]){"a=thread:2", NULL};
    make();
    expect_place("a", true, "a=thread:2");
}

Test(config, reads_the_file_that_the_environment_names)
{
    write_file("options\n    seed = 9\n");
    options.launch_file = NULL;
    (void)setenv("TROUPE_LAUNCH", path, 1);
    make();
    cr_expect(eq(u64, config.seed.value, 9));
    (void)setenv("TROUPE_LAUNCH", "", 1);
    make();
    cr_expect(eq(u64, config.seed.value, 0));
}

Test(config, says_where_a_rule_or_a_behaviour_is_wrong)
{
    options.limit = (const char *const[]){"a=nice:x", NULL};
    cr_expect(eq(int, trp_config_make(&options, &config), TROUPE_ERR_INVAL));
    cr_expect(strstr(troupe_error_detail(), "limit rule (command line), character 8: ") != NULL);

    options.limit = NULL;
    write_file("actors\n    a\n        behaviour = wroker\n");
    cr_expect(eq(int, trp_config_make(&options, &config), TROUPE_ERR_INVAL));
    cr_expect(strstr(troupe_error_detail(), "line 3, column 21: unknown behaviour") != NULL);
}

/* Printing. ------------------------------------------------------------------------------------ */

Test(config, is_printed_with_the_origin_of_each_value)
{
    write_file("options\n    seed = 7\nplace\n    rule = *=ecs\nactors\n    a\n"
               "        behaviour = worker\n        args = x \"y z\"\n");
    options.mailbox_messages = 3;
    options.place = (const char *const[]){"b=thread", NULL};
    (void)setenv("TROUPE_LIMIT", "c=nice:1", 1);
    (void)snprintf(config.launch.name, sizeof(config.launch.name), "%s", path);
    make();
    (void)snprintf(config.launch.name, sizeof(config.launch.name), "a.zpl");

    char words[] = "one\0two";
    char *text = dump(&(struct trp_shell_words){.bytes = words, .byte_count = sizeof(words)});

    // clang-format off
    static const char expected[] =
        "options\n"
        "    seed = 7                                # a.zpl:2\n"
        "    mailbox = 3                             # command line\n"
        "    mailbox-bytes = 64M                     # default\n"
        "    stop-timeout = 1500ms                   # default\n"
        "    args = 'one two'                        # command line\n"
        "place\n"
        "    rule = b=thread                         # command line\n"
        "    rule = *=ecs                            # PATH:4\n"
        "limit\n"
        "    rule = c=nice:1                         # environment TROUPE_LIMIT\n"
        "actors\n"
        "    a                                       # a.zpl:6\n"
        "        behaviour = worker                  # a.zpl:7\n"
        "        args = 'x \"y z\"'                    # a.zpl:8\n";
    // clang-format on
    char *at = strstr(text, path); // the origin of a rule is kept with the rule
    cr_assert(at != NULL);
    memmove(at + 4, at + strlen(path), strlen(at + strlen(path)) + 1);
    memcpy(at, "PATH", 4);
    cr_expect(strcmp(text, expected) == 0, "%s", text);
    free(text);
}

Test(config, leaves_out_an_actors_own_place_when_another_rule_precedes_it)
{
    write_file("actors\n    a\n        behaviour = worker\n        place = thread\n"
               "        limits = nice:1\n");
    options.place = (const char *const[]){"*=ecs", NULL};
    make();

    char *text = dump(&no_words);
    write_file(text);
    options.place = NULL;
    make();

    expect_place("a", true, "*=ecs");
    cr_expect(strstr(text, "# place: a rule precedes that of ") != NULL, "%s", text);
    cr_expect(strstr(text, "        limits = nice:1 ") != NULL, "%s", text);
    free(text);
}

Test(config, that_zpl_cannot_express_is_refused_and_not_printed)
{
    static const char *const rules[] = {"'\"#=ecs", "\"'=ecs", "a\nb=ecs", " '\"=ecs"};
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        options.place = (const char *const[]){rules[i], NULL};
        make();
        FILE *nothing = fopen("/dev/full", "w"); // writing to it fails with another error
        cr_expect(eq(int, trp_config_dump(&config, &no_words, nothing), TROUPE_ERR_INVAL));
        cr_expect(
            strstr(troupe_error_detail(), "cannot express this rule (command line)") != NULL,
            "%s",
            troupe_error_detail());
        (void)fclose(nothing);
    }
}

Test(config, reports_that_it_cannot_be_written)
{
    make();
    FILE *full = fopen("/dev/full", "w");
    cr_expect(eq(int, trp_config_dump(&config, &no_words, full), TROUPE_ERR_SYSTEM));
    (void)fclose(full);
}

/** Make a rule whose glob has unusual characters, which ZPL can express. */
static void make_rule(struct chance *chance, char *text, size_t bytes)
{
    static const char odd[] = "abc*?[]#' =.,:;~\\/\t";
    size_t at = 0;
    text[at++] = 'x';
    for (uint32_t i = chance_below(chance, 12); i > 0; i--) {
        text[at++] = odd[chance_below(chance, sizeof(odd) - 1)];
    }
    (void)snprintf(text + at, bytes - at, "=%s", chance_one_in(chance, 2) ? "ecs" : "thread:4");
}

Test(config, is_read_back_as_it_was_printed)
{
    struct chance chance = chance_open("config");
    for (int i = 0; i < 300; i++) {
        char rules[4][48];
        for (size_t j = 0; j < 4; j++) {
            make_rule(&chance, rules[j], sizeof(rules[j]));
        }
        char words[2000];
        chance_fill(&chance, words, sizeof(words));
        for (size_t at = 199; at < sizeof(words); at += 200) {
            words[at] = '\0'; // a word must fit into a line
        }
        options.place = (const char *const[]){rules[0], rules[1], NULL};
        options.place_default = (const char *const[]){rules[2], rules[3], NULL};
        options.seed = chance_bits(&chance);
        options.mailbox_bytes = chance_bits(&chance) >> (2 + chance_below(&chance, 60));
        options.stop_timeout_ns = chance_bits(&chance) >> (2 + chance_below(&chance, 60));
        options.callback_timeout_ns = chance_bits(&chance) >> (2 + chance_below(&chance, 62));
        options.callback_timeout_kills = chance_one_in(&chance, 2);
        options.launch_file = NULL;
        make();
        char *text = dump(&(struct trp_shell_words){.bytes = words, .byte_count = sizeof(words)});

        write_file(text);
        struct trp_config before = config;
        config = (struct trp_config){0};
        options = (struct troupe_system_options){.behaviours = behaviours, .launch_file = path};
        make();

        cr_assert(eq(u64, config.seed.value, before.seed.value));
        cr_assert(eq(u64, config.mailbox_bytes.value, before.mailbox_bytes.value));
        cr_assert(eq(u64, config.stop_timeout_ns.value, before.stop_timeout_ns.value));
        cr_assert(eq(u64, config.watchdog.value, before.watchdog.value));
        cr_assert(config.watchdog.value == 0 || config.watchdog_kills == before.watchdog_kills);
        cr_assert(eq(sz, config.launch.args.words.byte_count, sizeof(words)));
        cr_assert(memcmp(config.launch.args.words.bytes, words, sizeof(words)) == 0);
        const struct trp_rule *rule = before.placement.rules;
        const struct trp_rule *again = config.placement.rules;
        for (; rule != NULL && again != NULL; rule = rule->next, again = again->next) {
            cr_assert(strcmp(rule->text, again->text) == 0, "'%s' '%s'", rule->text, again->text);
            cr_assert(eq(int, rule->source < TRP_RULE_SPAWN, again->source < TRP_RULE_SPAWN));
        }
        bool both_ended = rule == NULL && again == NULL;
        cr_assert(both_ended);
        trp_config_fini(&before);
        free(text);
    }
}

Test(config, printed_twice_differs_in_its_comments_only)
{
    write_file("options\n    seed = 7\n    args = a b\nplace\n    rule = x*=thread:2\n"
               "    default = *=ecs\nlimit\n    rule = *=mem:65536K\nactors\n    a\n"
               "        behaviour = worker\n        limits = cpu:60s\n");
    options.place = (const char *const[]){"y=thread", NULL};
    make();
    char *first = dump(&no_words);
    write_file(first);
    options.place = NULL;
    make();
    char *second = dump(&no_words);
    cut_comments(first);
    cut_comments(second);
    cr_expect(strcmp(first, second) == 0, "%s\n%s", first, second);
    free(first);
    free(second);
}

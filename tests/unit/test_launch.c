/*
 * Launch files: what they may have, and at which character a wrong one is refused.
 */
#include "chance.h"
#include "config/launch_file.h"
#include "config/launch_scan.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/redirect.h>

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static struct trp_launch launch;

static void free_launch(void)
{
    trp_launch_fini(&launch);
}

TestSuite(launch, .timeout = 20, .fini = free_launch);

static void parse(const char *text)
{
    enum troupe_err err = trp_launch_parse(text, strlen(text), "a.zpl", &launch);
    cr_assert(eq(int, err, TROUPE_OK), "%s: %s", text, troupe_error_detail());
}

/** Check that @p text is refused at that line and column, with a caret under the character. */
static void expect_refused(const char *text, unsigned line, unsigned column, const char *what)
{
    char place[64];
    char caret[1400];
    (void)snprintf(place, sizeof(place), "launch file a.zpl, line %u, column %u: ", line, column);
    (void)snprintf(caret, sizeof(caret), "\n%*s", (int)(4 + column), "^");

    enum troupe_err err = trp_launch_parse(text, strlen(text), "a.zpl", &launch);

    const char *detail = troupe_error_detail();
    cr_expect(eq(int, err, TROUPE_ERR_INVAL), "%s", text);
    cr_expect(strncmp(detail, place, strlen(place)) == 0, "%s should begin %s", detail, place);
    cr_expect(strstr(detail, what) != NULL, "%s should say %s", detail, what);
    cr_expect(
        column > 160 || strstr(detail, caret) != NULL,
        "%s should have a caret at %u",
        detail,
        column);
    cr_expect(eq(sz, launch.actor_count + launch.rule_count, 0));
}

static void expect_text(const struct trp_launch_text *text, const char *expected, unsigned line)
{
    cr_assert(text->text != NULL);
    cr_expect(strcmp(text->text, expected) == 0, "'%s' rather than '%s'", text->text, expected);
    cr_expect(eq(u32, text->line, line), "%s", expected);
}

static void expect_words(const struct trp_shell_words *words, const char *expected, size_t bytes)
{
    cr_expect(words->byte_count == bytes && memcmp(words->bytes, expected, bytes) == 0);
}

/* What is accepted. ---------------------------------------------------------------------------- */

Test(launch, may_be_empty)
{
    static const char *const texts[] = {
        "", "\n", "# a comment\n", "  \n\t\n    # x", "options", "actors\nplace\n"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        parse(texts[i]);
        cr_expect(eq(sz, launch.actor_count + launch.rule_count, 0));
    }
}

Test(launch, has_options)
{
    parse("options\n"
          "    seed = 18446744073709551615\n"
          "    mailbox = 10\n"
          "    mailbox-bytes = 64M   # of bodies\n"
          "    stop-timeout = \"1500ms\"\n"
          "    args = --top 10 'a b'\n"
          "    args = '\"# c\"'\n");
    cr_expect(eq(u64, launch.seed.value, UINT64_MAX));
    cr_expect(eq(u32, launch.seed.line, 2));
    cr_expect(eq(u64, launch.mailbox_messages.value, 10));
    cr_expect(eq(u64, launch.mailbox_bytes.value, UINT64_C(64) << 20));
    cr_expect(eq(u64, launch.stop_timeout_ns.value, UINT64_C(1500000000)));
    cr_expect(eq(u32, launch.stop_timeout_ns.line, 5));
    expect_words(
        &launch.args.words,
        "--top\0"
        "10\0a b\0# c",
        sizeof("--top\0"
               "10\0a b\0# c"));
    cr_expect(eq(u32, launch.args.line, 6));
}

Test(launch, keeps_the_order_of_rules)
{
    parse("place\n"
          "    rule = w*=thread:4 # workers\n"
          "    default = *=ecs\n"
          "limit\n"
          "    rule = '[#]=mem:64M,cpus:0,1'\n"
          "place\n"
          "    rule = db=thread\n");
    cr_assert(eq(sz, launch.rule_count, 4));
    expect_text(&launch.rules[0].rule, "w*=thread:4", 2);
    cr_expect(not(launch.rules[0].is_default));
    expect_text(&launch.rules[1].rule, "*=ecs", 3);
    cr_expect(launch.rules[1].is_default);
    expect_text(&launch.rules[2].rule, "[#]=mem:64M,cpus:0,1", 5);
    expect_text(&launch.rules[3].rule, "db=thread", 7);
}

Test(launch, has_actors)
{
    parse("actors\r\n"
          "    tally\r\n"
          "        behaviour = counter\r\n"
          "        args = one 'two three'\r\n"
          "        place = thread\r\n"
          "        limits = mem:64M\r\n"
          "    bare.1\r\n"
          "        behaviour = 'counter'\r\n");
    cr_assert(eq(sz, launch.actor_count, 2));
    const struct trp_launch_actor *tally = &launch.actors[0];
    expect_text(&tally->name, "tally", 2);
    expect_text(&tally->behaviour, "counter", 3);
    expect_words(&tally->args.words, "one\0two three", sizeof("one\0two three"));
    expect_text(&tally->place, "thread", 5);
    expect_text(&tally->limits, "mem:64M", 6);
    expect_text(&launch.actors[1].name, "bare.1", 7);
    cr_expect(eq(u32, launch.actors[1].place.line, 0));
    cr_expect(eq(sz, launch.actors[1].args.words.byte_count, 0));
}

Test(launch, may_have_the_maximum_of_entries)
{
    static char text[TRP_LAUNCH_ITEM_COUNT_MAX * 32];
    size_t at = (size_t)snprintf(text, sizeof(text), "actors\n");
    for (unsigned i = 1; i + 2 <= TRP_LAUNCH_ITEM_COUNT_MAX; i += 2) {
        at += (size_t)snprintf(text + at, sizeof(text) - at, "    a%u\n        behaviour = b\n", i);
    }
    parse(text);
    cr_expect(eq(sz, launch.actor_count, TRP_LAUNCH_ITEM_COUNT_MAX / 2 - 1));
    trp_launch_fini(&launch);

    (void)snprintf(text + at, sizeof(text) - at, "place\n    rule = a=ecs\n");
    expect_refused(text, 4097, 5, "at most 4096 entries");
}

/* What is refused. ----------------------------------------------------------------------------- */

Test(launch, is_refused_where_it_is_no_zpl)
{
    expect_refused("  place\n", 1, 3, "indent by four blanks a level");
    expect_refused("place\n   # half way\n", 2, 4, "indent by four blanks a level");
    expect_refused("place\n\trule = a=ecs\n", 2, 1, "not by tabs");
    expect_refused("place\n        rule = a=ecs\n", 2, 9, "no entry above it");
    expect_refused("    rule = a=ecs\n", 1, 5, "no entry above it");
    expect_refused("place\n    rule a=ecs\n", 2, 10, "'=', or the end of the line");
    expect_refused("place\n    w* = ecs\n", 2, 6, "'=', or the end of the line");
    expect_refused("place\n    = ecs\n", 2, 5, "expected a name");
    expect_refused("*\n", 1, 1, "expected a name");
    expect_refused("\xef\xbb\xbfplace\n", 1, 1, "expected a name");
    expect_refused("/place\n", 1, 1, "must neither begin nor end with '/'");
    expect_refused("place/\n", 1, 1, "must neither begin nor end with '/'");
    expect_refused("place\n    rule = 'a=ecs\n", 2, 12, "this quote is not closed");
    expect_refused("place\n    rule = 'a'=ecs\n", 2, 15, "nothing may follow the closing quote");
    expect_refused("place\n    rule = # none\n", 2, 12, "expected a value");
    expect_refused("place\n    rule =", 2, 11, "expected a value");
    expect_refused("place\n    rule = a\x01=ecs\n", 2, 13, "control character 0x01");
    expect_refused("place\r    rule\n", 1, 6, "control character 0x0d");
}

Test(launch, is_refused_if_it_has_a_nul)
{
    static const char text[] = "place\n    rule = a\0=ecs\n";
    enum troupe_err err = trp_launch_parse(text, sizeof(text) - 1, "a.zpl", &launch);
    cr_expect(eq(int, err, TROUPE_ERR_INVAL));
    cr_expect(strstr(troupe_error_detail(), "line 2, column 13: control character 0x00") != NULL);
}

Test(launch, is_refused_where_a_line_is_too_long)
{
    char text[2100] = "place\n    rule = ";
    memset(text + strlen(text), 'a', 1024 - 11);
    text[6 + 1024] = '\0';
    expect_refused(text, 2, 1025, "expected '=' and a backend"); // at the end of the rule
    memset(text + 6 + 1024, 'a', 1000);
    expect_refused(text, 2, 1025, "at most 1024 bytes");
}

Test(launch, is_refused_if_it_is_over_a_mebibyte)
{
    static char text[TRP_LAUNCH_BYTES_MAX + 1];
    memset(text, '\n', sizeof(text));
    cr_expect(eq(int, trp_launch_parse(text, sizeof(text) - 1, "a.zpl", &launch), TROUPE_OK));
    cr_expect(eq(int, trp_launch_parse(text, sizeof(text), "a.zpl", &launch), TROUPE_ERR_INVAL));
    cr_expect(strstr(troupe_error_detail(), "launch file a.zpl: ") != NULL);
    cr_expect(strstr(troupe_error_detail(), "at most 1 MiB") != NULL);
}

Test(launch, is_refused_where_a_section_or_key_is_unknown)
{
    expect_refused(
        "plaec\n", 1, 1, "unknown section 'plaec'; known here are options, place, limit, actors");
    expect_refused(
        "options\n    sead = 1\n", 2, 5, "unknown key 'sead'; known here are seed, mailbox,");
    expect_refused("place\n    db = ecs\n", 2, 5, "unknown key 'db'; known here are rule, default");
    expect_refused(
        "actors\n    a\n        behavior = b\n",
        3,
        9,
        "unknown key 'behavior'; known here are behaviour, args, place, limits");
}

Test(launch, is_refused_where_a_section_has_a_value_or_a_key_has_none)
{
    expect_refused("place = ecs\n", 1, 9, "a section has no value");
    expect_refused("options\n    seed\n", 2, 9, "expected '=' and a value");
    expect_refused("actors\n    a = b\n", 2, 9, "the name of an actor has no value");
    expect_refused("options\n    seed = 1\n        mailbox = 2\n", 3, 9, "indented too far");
}

Test(launch, is_refused_where_something_is_given_twice)
{
    expect_refused(
        "options\n    seed = 1\nplace\n    rule = *=ecs\noptions\n    seed = 2\n",
        6,
        5,
        "this key is given twice, first on line 2");
    expect_refused(
        "actors\n    a\n        behaviour = b\n        behaviour = b\n", 4, 9, "first on line 3");
    expect_refused(
        "actors\n    a\n        behaviour = b\n    a\n",
        4,
        5,
        "an actor of this name stands on line 2 already");
}

Test(launch, is_refused_where_a_number_is_none)
{
    expect_refused("options\n    seed = 0\n", 2, 12, "a whole number from 1");
    expect_refused("options\n    seed = \"18446744073709551616\"\n", 2, 13, "a whole number");
    expect_refused("options\n    mailbox = 4294967296\n", 2, 15, "a number of messages");
    expect_refused("options\n    mailbox-bytes = 64MB\n", 2, 21, "as in 64M");
    expect_refused("options\n    stop-timeout = soon\n", 2, 20, "as in 1500ms");
    expect_refused("options\n    stop-timeout = 1h\n", 2, 20, "as in 1500ms");
    expect_refused("options\n    watchdog = soon\n", 2, 16, "as in 2s,kill");
    expect_refused("options\n    watchdog = 2s,stop\n", 2, 16, "as in 2s,kill");
}

Test(launch, has_a_watchdog)
{
    parse("options\n    watchdog = 2s,kill\n");
    cr_expect(eq(u64, launch.watchdog_ns.value, UINT64_C(2000000000)));
    cr_expect(eq(u32, launch.watchdog_ns.line, 2));
    cr_expect(launch.watchdog_kills);

    parse("options\n    watchdog = 350ms\n");
    cr_expect(eq(u64, launch.watchdog_ns.value, UINT64_C(350000000)));
    cr_expect(not(launch.watchdog_kills));
}

Test(launch, is_refused_within_a_rule)
{
    expect_refused(
        "place\n    rule = w*=fibre:4 # x\n",
        2,
        15,
        "unknown backend 'fibre'; known are ecs, thread, process\n        rule = w*=fibre:4 # x\n");
    expect_refused("place\n    rule = 'w*=thread:0'\n", 2, 23, "a count from 1 to 1024");
    expect_refused("place\n    default = thread\n", 2, 21, "expected '=' and a backend");
    expect_refused("place\n    rule = ''\n", 2, 13, "expected '=' and a backend");
    expect_refused("limit\n    rule = *=mem:64M,cpus:\n", 2, 27, "a CPU from 0 to 63");
}

Test(launch, is_refused_within_an_actor)
{
    const char *const lines[][3] = {
        {"place = fibre", "17", "unknown backend 'fibre'"},
        {"place = thread:many", "24", "a count from 1 to 1024"},
        {"limits = mem:many", "22", "a size from 1 byte"},
        {"args = a 'b", "18", "this quote is not closed"},
        {"args = a\\q", "17", "unknown escape"},
        {"behaviour = ''", "22", "expected the name of a behaviour"},
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        char text[256];
        (void)snprintf(text, sizeof(text), "actors\n    a\n        %s\n", lines[i][0]);
        expect_refused(text, 3, (unsigned)strtoul(lines[i][1], NULL, 10), lines[i][2]);
    }
    expect_refused("actors\n    a\n        place = ecs\n    b\n", 2, 5, "has no behaviour");
}

Test(launch, is_refused_if_the_args_are_too_long)
{
    static char text[40 * 1024];
    int at = snprintf(text, sizeof(text), "options\n");
    for (int i = 0; i < 34; i++) {
        at += snprintf(text + at, sizeof(text) - (size_t)at, "    args = %01000d\n", 7);
    }
    expect_refused(text, 34, 12, "at most 32 KiB of args");
}

Test(launch, knows_the_behaviours_of_its_program)
{
    static const struct troupe_behaviour one = {.name = "one"};
    static const struct troupe_behaviour two = {.name = "two"};
    const struct troupe_behaviour *const both[] = {&one, &two, NULL};
    parse("actors\n    a\n        behaviour = two\n");
    cr_expect(eq(int, trp_launch_check_behaviours(&launch, both), TROUPE_OK));
    trp_launch_fini(&launch);

    parse("actors\n    a\n        behaviour = tow\n");
    cr_expect(eq(int, trp_launch_check_behaviours(&launch, both), TROUPE_ERR_INVAL));
    cr_expect(
        strcmp(
            troupe_error_detail(),
            "launch file a.zpl, line 3, column 21: unknown behaviour 'tow'; this program has one, "
            "two") == 0,
        "%s",
        troupe_error_detail());
}

/* Files. --------------------------------------------------------------------------------------- */

Test(launch, that_cannot_be_read_is_refused_with_the_reason)
{
    cr_expect(eq(int, trp_launch_load("/nowhere/a.zpl", &launch), TROUPE_ERR_INVAL));
    cr_expect(
        strcmp(
            troupe_error_detail(),
            "launch file /nowhere/a.zpl cannot be read: No such file or directory") == 0);
    cr_expect(eq(int, trp_launch_load("/", &launch), TROUPE_ERR_INVAL));
    cr_expect(strstr(troupe_error_detail(), "Is a directory") != NULL);
    cr_expect(eq(int, trp_launch_load("/dev/zero", &launch), TROUPE_ERR_INVAL));
    cr_expect(strstr(troupe_error_detail(), "at most 1 MiB") != NULL);
    cr_expect(eq(int, trp_launch_load("/dev/null", &launch), TROUPE_OK));
}

Test(launch, is_read_from_a_pipe)
{
    int ends[2];
    char path[64];
    static const char text[] = "options\n    seed = 3\n";
    cr_assert(eq(int, pipe(ends), 0));
    cr_assert(write(ends[1], text, sizeof(text) - 1) == (ssize_t)sizeof(text) - 1);
    (void)close(ends[1]);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[0]);
    cr_assert(eq(int, trp_launch_load(path, &launch), TROUPE_OK));
    cr_expect(eq(u64, launch.seed.value, 3));
    (void)close(ends[0]);
}

Test(launch, is_named_by_the_end_of_a_long_name_without_control_characters)
{
    char name[600];
    memset(name, 'x', sizeof(name));
    memcpy(name + sizeof(name) - 8, "\n/a.zpl", 8);
    cr_expect(eq(int, trp_launch_parse("x", 1, name, &launch), TROUPE_ERR_INVAL));
    cr_expect(strncmp(troupe_error_detail(), "launch file ...xxx", 18) == 0);
    cr_expect(strstr(troupe_error_detail(), "xx?/a.zpl, line 1, column 1: ") != NULL);
}

/* What czmq must not do. ----------------------------------------------------------------------- */

Test(launch, leaves_signals_limits_and_descriptors_alone)
{
    struct sigaction before[2];
    struct sigaction after[2];
    struct rlimit files_before;
    struct rlimit files_after;
    (void)sigaction(SIGINT, NULL, &before[0]);
    (void)sigaction(SIGTERM, NULL, &before[1]);
    (void)getrlimit(RLIMIT_NOFILE, &files_before);
    int next = dup(0);
    (void)close(next);

    parse("options\n    seed = 1\nactors\n    a\n        behaviour = b\n");

    (void)sigaction(SIGINT, NULL, &after[0]);
    (void)sigaction(SIGTERM, NULL, &after[1]);
    (void)getrlimit(RLIMIT_NOFILE, &files_after);
    cr_expect(before[0].sa_handler == after[0].sa_handler);
    cr_expect(before[1].sa_handler == after[1].sa_handler);
    cr_expect(files_before.rlim_cur == files_after.rlim_cur);
    int next_after = dup(0);
    cr_expect(eq(int, next_after, next));
    (void)close(next_after);
}

/* Random texts. -------------------------------------------------------------------------------- */

static const char sound[] = "# all of it\n"
                            "options\n"
                            "    seed = 7\n"
                            "    mailbox-bytes = 64M\n"
                            "    args = --top \"a b\" # x\n"
                            "place\n"
                            "    rule = w*=thread:4\n"
                            "limit\n"
                            "    rule = '*=mem:64M,cpus:0-1'\n"
                            "actors\n"
                            "    a\n"
                            "        behaviour = b\n"
                            "        place = thread:2\n"
                            "    c\n"
                            "        behaviour = b\n";

/** Insert something at a random offset of @p text. */
static void spoil(struct chance *chance, char *text, size_t *bytes)
{
    static const char likely[] = "\n    ='\"#\\/*\t\0\rax0";
    size_t at = chance_below(chance, (uint32_t)*bytes);
    switch (chance_below(chance, 4)) {
    case 0:
        text[at] = (char)chance_bits(chance);
        break;
    case 1:
        text[at] = likely[chance_below(chance, sizeof(likely))];
        break;
    case 2:
        memmove(text + at, text + at + 1, *bytes - at - 1);
        (*bytes)--;
        break;
    default:
        memmove(text + at + 1, text + at, *bytes - at);
        text[at] = likely[chance_below(chance, sizeof(likely))];
        (*bytes)++;
        break;
    }
}

Test(launch, is_read_or_refused_with_a_detail_whatever_its_bytes_are)
{
    struct chance chance = chance_open("launch");
    cr_redirect_stdout();
    for (int i = 0; i < 30000; i++) {
        // Allocated with its exact size, so that a sanitizer sees a read beyond it.
        char *text = malloc(sizeof(sound) + 8);
        size_t bytes = sizeof(sound) - 1;
        memcpy(text, sound, bytes);
        for (uint32_t times = chance_below(&chance, 8); times > 0; times--) {
            spoil(&chance, text, &bytes);
        }
        text = realloc(text, bytes);
        enum troupe_err err = trp_launch_parse(text, bytes, "a.zpl", &launch);
        if (err != TROUPE_OK) {
            cr_assert(strstr(troupe_error_detail(), "launch file a.zpl, line ") != NULL);
        }
        trp_launch_fini(&launch);
        free(text);
    }
    // zconfig prints to standard output what it refuses itself.
    (void)fflush(stdout);
    cr_assert_stdout_eq_str("");
}

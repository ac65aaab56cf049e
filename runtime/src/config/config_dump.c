/*
 * Print a configuration as a launch file. It is printed to memory first: a file that was cut off
 * would still be a valid launch file.
 */
#include "base/units.h"
#include "config/config.h"
#include "config/launch_scan.h"
#include "config/limits.h"
#include "config/watchdog_option.h"
#include "troupe/main.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    ORIGIN_COLUMN = 44,         // of the comments with origins, if the value leaves room
    WORDS_BYTES_PER_LINE = 800, // so that a line with quotes and a comment is short enough
};

struct dump {
    const struct trp_config *config;
    FILE *memory;
    enum troupe_err err; // the first error
};

/** Write a value in ZPL, quoted if it must be. @return false: ZPL cannot express it. */
static bool dump_quote(const char *value, char *text, size_t bytes)
{
    bool is_plain = *value != '\0';
    bool is_written = true;
    for (const char *at = value; *at != '\0'; at++) {
        unsigned char character = (unsigned char)*at;
        is_plain = is_plain && (isalnum(character) || strchr("_@%+=:;,./-*?![]^~", *at) != NULL);
        is_written = is_written && (character >= ' ' || character == '\t') && character != 0x7f;
    }
    const char *quote = "";
    if (!is_plain && strchr(value, '\'') == NULL) {
        quote = "'";
    } else if (!is_plain && strchr(value, '"') == NULL) {
        quote = "\"";
    } else if (!is_plain) {
        // With both kinds of quotes it can only stand unquoted, where no special character may
        // change it.
        size_t count = strlen(value);
        is_written =
            is_written && strchr(value, '#') == NULL && !isspace((unsigned char)value[0]) &&
            !isspace((unsigned char)value[count - 1]) && value[0] != '"' && value[0] != '\'';
    }
    int count = snprintf(text, bytes, "%s%s%s", quote, value, quote);
    return is_written && count >= 0 && (size_t)count < bytes;
}

/** Print `KEY = VALUE  # ORIGIN` at a level. */
static void dump_entry(
    struct dump *dump, int level, const char *key, const char *value, const char *origin)
{
    char quoted[TRP_LAUNCH_LINE_BYTES_MAX + 1];
    char line[TRP_LAUNCH_LINE_BYTES_MAX + 1];
    int indent = level * 4;
    int bytes = TRP_LAUNCH_LINE_BYTES_MAX + 1;
    if (dump_quote(value, quoted, sizeof(quoted))) {
        bytes = snprintf(line, sizeof(line), "%*s%s = %s", indent, "", key, quoted);
    }
    if (bytes > TRP_LAUNCH_LINE_BYTES_MAX) {
        if (dump->err == TROUPE_OK) {
            dump->err = TRP_EXPLAIN(
                TROUPE_ERR_INVAL,
                "a launch file cannot express this %s (%s): it has both kinds of quotes, or a "
                "control character, or is too long\n    %.200s",
                key,
                origin,
                value);
        }
    } else if ((size_t)bytes + strlen(origin) + 3 > TRP_LAUNCH_LINE_BYTES_MAX) {
        (void)fprintf(dump->memory, "%*s# %s\n%s\n", indent, "", origin, line);
    } else {
        (void)fprintf(dump->memory, "%-*s # %s\n", ORIGIN_COLUMN - 1, line, origin);
    }
}

/** Print an entry whose origin is the launch file. */
static void dump_launch_entry(
    struct dump *dump, int level, const char *key, const char *value, uint32_t line)
{
    char origin[TRP_LAUNCH_NAME_BYTES + 16];
    (void)snprintf(origin, sizeof(origin), "%s:%u", dump->config->launch.name, line);
    dump_entry(dump, level, key, value, origin);
}

static void dump_number(
    struct dump *dump, const char *key, const struct trp_config_number *number, const char *value)
{
    if (number->line != 0) {
        dump_launch_entry(dump, 1, key, value, number->line);
    } else {
        dump_entry(dump, 1, key, value, number->is_default ? "default" : "command line");
    }
}

/**
 * Print words, in as many entries as they need. @p line: in the launch file; 0: of the command
 * line.
 */
static void dump_words(
    struct dump *dump, int level, const struct trp_shell_words *words, uint32_t line)
{
    char *text = malloc(words->byte_count * (TRP_WORD_STRETCH + 3) + 1);
    if (text == NULL) {
        dump->err = TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for a launch file");
        return;
    }
    const char *word = troupe_args_next(words->bytes, words->byte_count, NULL);
    while (word != NULL) {
        size_t bytes = trp_shell_word_print(word, text);
        word = troupe_args_next(words->bytes, words->byte_count, word);
        while (word != NULL && bytes < WORDS_BYTES_PER_LINE &&
               bytes + TRP_WORD_STRETCH * strlen(word) < WORDS_BYTES_PER_LINE) {
            text[bytes++] = ' ';
            bytes += trp_shell_word_print(word, text + bytes);
            word = troupe_args_next(words->bytes, words->byte_count, word);
        }
        if (line != 0) {
            dump_launch_entry(dump, level, "args", text, line);
        } else {
            dump_entry(dump, level, "args", text, "command line");
        }
    }
    free(text);
}

static void dump_options(struct dump *dump, const struct trp_shell_words *words)
{
    const struct trp_config *config = dump->config;
    char text[TRP_UNITS_BYTES];
    (void)fputs("options\n", dump->memory);
    if (config->seed.value == 0) {
        (void)fputs("    # seed: from the operating system\n", dump->memory);
    } else {
        (void)snprintf(text, sizeof(text), "%" PRIu64, config->seed.value);
        dump_number(dump, "seed", &config->seed, text);
    }
    (void)snprintf(text, sizeof(text), "%" PRIu64, config->mailbox_messages.value);
    dump_number(dump, "mailbox", &config->mailbox_messages, text);
    trp_size_print(config->mailbox_bytes.value, text);
    dump_number(dump, "mailbox-bytes", &config->mailbox_bytes, text);
    trp_time_print(config->stop_timeout_ns.value, text);
    dump_number(dump, "stop-timeout", &config->stop_timeout_ns, text);
    if (config->watchdog.value != 0) {
        char watchdog[TRP_WATCHDOG_BYTES];
        trp_watchdog_print(config->watchdog.value, config->watchdog_kills, watchdog);
        dump_number(dump, "watchdog", &config->watchdog, watchdog);
    }
    const struct trp_launch_words *args = &config->launch.args;
    bool from_line = words->byte_count > 0;
    dump_words(dump, 1, from_line ? words : &args->words, from_line ? 0 : args->line);
}

/** Print the rules of a kind. Rules for single actors are left out: dump_own() prints them. */
static void dump_rules(
    struct dump *dump,
    const char *section,
    const struct trp_rule_kind *kind,
    const struct trp_rule *rules)
{
    bool is_open = false;
    for (const struct trp_rule *rule = rules; rule != NULL; rule = rule->next) {
        if (rule->behaviour != NULL) {
            continue;
        }
        if (!is_open) {
            (void)fprintf(dump->memory, "%s\n", section);
            is_open = true;
        }
        char origin[TRP_LAUNCH_NAME_BYTES + 16];
        (void)snprintf(
            origin,
            sizeof(origin),
            "%s%s",
            rule->source == TRP_RULE_ENVIRONMENT ? "environment " : "",
            trp_rule_origin(kind, rule));
        bool is_default = rule->source == TRP_RULE_PROGRAM;
        dump_entry(dump, 1, is_default ? "default" : "rule", rule->text, origin);
    }
}

/** Print an actor's own place or limits, unless another rule precedes it. */
static void dump_own(
    struct dump *dump,
    const char *key,
    struct trp_rule *rules,
    const struct trp_launch_actor *actor,
    const struct trp_launch_text *own)
{
    if (own->line == 0) {
        return;
    }
    const struct trp_rule *rule =
        trp_rules_match(rules, actor->name.text, actor->behaviour.text, true);
    if (rule != NULL && rule->behaviour == NULL) {
        const char *name = dump->config->launch.name;
        (void)fprintf(
            dump->memory, "        # %s: a rule precedes that of %s:%u\n", key, name, own->line);
        return;
    }
    dump_launch_entry(dump, 2, key, own->text, own->line);
}

static void dump_actors(struct dump *dump)
{
    const struct trp_launch *launch = &dump->config->launch;
    for (size_t i = 0; i < launch->actor_count; i++) {
        const struct trp_launch_actor *actor = &launch->actors[i];
        (void)fprintf(
            dump->memory,
            "%s    %-*s # %s:%u\n",
            i == 0 ? "actors\n" : "",
            ORIGIN_COLUMN - 5,
            actor->name.text,
            launch->name,
            actor->name.line);
        dump_launch_entry(dump, 2, "behaviour", actor->behaviour.text, actor->behaviour.line);
        dump_words(dump, 2, &actor->args.words, actor->args.line);
        dump_own(dump, "place", dump->config->placement.rules, actor, &actor->place);
        dump_own(dump, "limits", dump->config->limits, actor, &actor->limits);
    }
}

enum troupe_err trp_config_dump(
    const struct trp_config *config, const struct trp_shell_words *words, FILE *file)
{
    char *text = NULL;
    size_t bytes = 0;
    struct dump dump = {.config = config, .memory = open_memstream(&text, &bytes)};
    if (dump.memory == NULL) {
        return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for a launch file");
    }
    dump_options(&dump, words);
    dump_rules(&dump, "place", &trp_placement_kind, config->placement.rules);
    dump_rules(&dump, "limit", &trp_limits_kind, config->limits);
    dump_actors(&dump);
    if (fclose(dump.memory) != 0 && dump.err == TROUPE_OK) {
        dump.err = TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for a launch file");
    }
    if (dump.err == TROUPE_OK && (fwrite(text, 1, bytes, file) != bytes || fflush(file) != 0)) {
        dump.err =
            TRP_EXPLAIN(TROUPE_ERR_SYSTEM, "cannot write the launch file to standard output");
    }
    free(text);
    return dump.err;
}

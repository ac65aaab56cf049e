#include "main/main_line.h"

#include "base/check.h"
#include "base/shell_words.h"
#include "config/watchdog_option.h"
#include "troupe/backend.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool trp_main_line_init(struct trp_main_line *line, int argc, char **argv, const char *program)
{
    size_t bytes = 1;
    for (int i = 1; i < argc; i++) {
        bytes += strlen(argv[i]) + 1;
    }
    *line = (struct trp_main_line){
        .program = program,
        .place = calloc((size_t)argc + 1, sizeof(*line->place)),
        .limit = calloc((size_t)argc + 1, sizeof(*line->limit)),
        .words = {.bytes = malloc(bytes)},
    };
    if (line->place == NULL || line->limit == NULL || line->words.bytes == NULL) {
        trp_main_line_fini(line);
        return false;
    }
    return true;
}

void trp_main_line_fini(struct trp_main_line *line)
{
    free(line->place);
    free(line->limit);
    trp_shell_words_fini(&line->words);
}

/** Parse a number from 1 to @p most. @return false: it is none. */
static bool main_line_parse_number(const char *text, uint64_t most, uint64_t *out_number)
{
    char *end = NULL;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || number == 0 ||
        number > most) {
        return false;
    }
    *out_number = number;
    return true;
}

/**
 * @return the value of `--name value` or `--name=value`, and advance *at over it; NULL: the
 *         argument at *at is not that flag, or has no value, as *missing says.
 */
static const char *main_line_flag_value(
    int argc, char **argv, int *at, const char *name, bool *missing)
{
    const char *word = argv[*at];
    size_t bytes = strlen(name);
    TRP_CHECK(word != NULL); // *at is below argc
    if (strncmp(word, name, bytes) != 0 || (word[bytes] != '\0' && word[bytes] != '=')) {
        return NULL;
    }
    if (word[bytes] == '=') {
        return word + bytes + 1;
    }
    if (*at + 1 == argc) {
        *missing = true;
        return NULL;
    }
    return argv[++*at];
}

/** Read the value of a flag as a number. @return false: it is none; standard error says so. */
static bool main_line_take_number(
    const struct trp_main_line *line,
    const char *flag,
    const char *value,
    uint64_t most,
    uint64_t *out_number)
{
    if (main_line_parse_number(value, most, out_number)) {
        return true;
    }
    (void)fprintf(
        stderr, "%s: %s '%s': expected a whole number from 1\n", line->program, flag, value);
    return false;
}

/** Read the value of --watchdog. @return false: it is wrong; standard error says so. */
static bool main_line_take_watchdog(struct trp_main_line *line, const char *value)
{
    if (trp_watchdog_parse(value, &line->watchdog_ns, &line->watchdog_kills)) {
        return true;
    }
    (void)fprintf(
        stderr, "%s: --watchdog '%s': expected " TRP_WATCHDOG_SYNTAX "\n", line->program, value);
    return false;
}

enum main_line_flag {
    FLAG_PLACE,
    FLAG_LIMIT,
    FLAG_LAUNCH,
    FLAG_SEED,
    FLAG_MAILBOX,
    FLAG_DEAD_LETTERS,
    FLAG_WATCHDOG,
    FLAG_COUNT
};

static const char *const main_line_flag_names[FLAG_COUNT] = {
    [FLAG_PLACE] = "--place",
    [FLAG_LIMIT] = "--limit",
    [FLAG_LAUNCH] = "--launch",
    [FLAG_SEED] = "--seed",
    [FLAG_MAILBOX] = "--mailbox",
    [FLAG_DEAD_LETTERS] = "--dead-letters",
    [FLAG_WATCHDOG] = "--watchdog",
};

/** Read the value of --dead-letters. @return false: it is wrong; standard error says so. */
static bool main_line_take_dead_letters(struct trp_main_line *line, const char *value)
{
    line->no_dead_letters = strcmp(value, "silent") == 0;
    if (line->no_dead_letters || strcmp(value, "log") == 0) {
        return true;
    }
    (void)fprintf(
        stderr, "%s: --dead-letters '%s': expected 'log' or 'silent'\n", line->program, value);
    return false;
}

/** Keep the value of a flag. @return false: it is wrong; standard error says so. */
static bool main_line_keep_value(
    struct trp_main_line *line, enum main_line_flag flag, const char *value)
{
    switch (flag) {
    case FLAG_PLACE:
        line->place[line->place_count++] = value;
        return true;
    case FLAG_LIMIT:
        line->limit[line->limit_count++] = value;
        return true;
    case FLAG_LAUNCH:
        line->launch_file = value;
        return true;
    case FLAG_SEED:
        return main_line_take_number(
            line, main_line_flag_names[flag], value, UINT64_MAX, &line->seed);
    case FLAG_MAILBOX:
        return main_line_take_number(
            line, main_line_flag_names[flag], value, UINT32_MAX, &line->mailbox_messages);
    case FLAG_DEAD_LETTERS:
        return main_line_take_dead_letters(line, value);
    case FLAG_WATCHDOG:
        return main_line_take_watchdog(line, value);
    case FLAG_COUNT:
        break;
    }
    return false;
}

/** Read a flag that has a value. @return false: the argument at *at is none. */
static bool main_line_take_value(
    struct trp_main_line *line, int argc, char **argv, int *at, bool *wrong)
{
    for (unsigned flag = 0; flag < FLAG_COUNT; flag++) {
        bool missing = false;
        const char *name = main_line_flag_names[flag];
        const char *value = main_line_flag_value(argc, argv, at, name, &missing);
        if (missing) {
            (void)fprintf(stderr, "%s: %s needs a value; see --help\n", line->program, name);
            *wrong = true;
            return true;
        }
        if (value != NULL) {
            *wrong = !main_line_keep_value(line, (enum main_line_flag)flag, value);
            return true;
        }
    }
    return false;
}

/** Read a flag. @return false: the argument at *at is none, but a word for the first actor. */
static bool main_line_take_flag(
    struct trp_main_line *line, int argc, char **argv, int *at, bool *wrong)
{
    const char *word = argv[*at];
    if (strcmp(word, "--stats") == 0) {
        line->stats = true;
    } else if (strcmp(word, "--audit") == 0) {
        line->audit = true;
    } else if (strcmp(word, "--help") == 0) {
        line->help = true;
    } else if (strcmp(word, "--dump-launch") == 0) {
        line->dump_launch = true;
    } else if (strcmp(word, "--") != 0) {
        return main_line_take_value(line, argc, argv, at, wrong);
    }
    return true;
}

static void main_line_take_word(struct trp_main_line *line, const char *word)
{
    size_t bytes = strlen(word) + 1;
    memcpy(line->words.bytes + line->words.byte_count, word, bytes);
    line->words.byte_count += bytes;
}

bool trp_main_line_parse(struct trp_main_line *line, int argc, char **argv)
{
    bool wrong = false;
    bool all_words = false;
    for (int at = 1; at < argc && !wrong; at++) {
        const char *word = argv[at];
        if (all_words || !main_line_take_flag(line, argc, argv, &at, &wrong)) {
            main_line_take_word(line, word);
        } else {
            all_words = strcmp(word, "--") == 0;
        }
    }
    return !wrong;
}

struct troupe_system_options trp_main_line_options(
    const struct trp_main_line *line, const struct troupe_behaviour *const *behaviours)
{
    return (struct troupe_system_options){
        .behaviours = behaviours,
        .place = line->place,
        .limit = line->limit,
        .launch_file = line->launch_file,
        .seed = line->seed,
        .mailbox_messages = (uint32_t)line->mailbox_messages,
        .dead_letter_log = !line->no_dead_letters,
        .callback_timeout_ns = line->watchdog_ns,
        .callback_timeout_kills = line->watchdog_kills,
    };
}

void trp_main_line_print_usage(
    FILE *file, const char *program, const struct troupe_behaviour *first)
{
    (void)fprintf(
        file,
        "usage: %s [--place 'GLOB=BACKEND[:COUNT][+TRANSPORT]']... [--limit 'GLOB=LIMITS']...\n"
        "       [--launch FILE] [--dump-launch] [--seed N] [--mailbox MESSAGES]\n"
        "       [--dead-letters log|silent] [--watchdog TIME[,kill]] [--stats] [--audit] [--help]"
        "%s%s\n\n"
        "  --place        where actors run; the first rule that matches a name wins\n"
        "  --limit        resource limits of processes, as in "
        "'plugin=mem:64M,cpu:10s,files:100,core:0'\n"
        "  --launch       a file with options, rules and more actors to start\n"
        "  --dump-launch  print the configuration as such a file, with the origin of each value, "
        "and exit\n"
        "  --seed         seed of the random generators\n"
        "  --mailbox      capacity of a mailbox, in messages\n"
        "  --dead-letters whether each undelivered message is logged on standard error\n"
        "  --watchdog     report callbacks that run longer, and kill their processes with ',kill'\n"
        "  --stats        print the message counters at the end, on standard error\n"
        "  --audit        the same for each channel, and fail if a message is unaccounted for\n\n"
        "backends:\n",
        program,
        first->usage != NULL ? "\n       " : "",
        first->usage != NULL ? first->usage : "");
    const struct troupe_backend_ops *ops = NULL;
    for (uint32_t i = 0; (ops = troupe_backend_get(i)) != NULL; i++) {
        (void)fprintf(file, "  %-9s  %s\n", ops->name, ops->description);
    }
}

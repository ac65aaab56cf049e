#include "troupe/main.h"

#include "base/error.h"
#include "node/spawn.h"
#include "observe/crash.h"
#include "observe/watchdog.h"
#include "troupe/backend.h"
#include "troupe/system.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    STATUS_FAILED = 1,
    STATUS_USAGE = 2,
    STATUS_LAW = 3,
    STATUS_CODE_MAX = 125,
    STATUS_SIGNAL = 128
};

/** What the command line says. */
struct main_line {
    const char *program;
    const char **place; // ended by NULL
    size_t place_count;
    const char **limit; // ended by NULL
    size_t limit_count;
    const char *launch_file;
    struct trp_shell_words words; // for the first actor
    uint64_t seed;
    uint64_t mailbox_messages;
    uint64_t watchdog_ns;
    bool watchdog_kills;
    bool dump_launch;
    bool stats;
    bool audit;
    bool no_dead_letters; // in the log
    bool help;
};

static troupe_system_t *main_system;      // for the signal handler
static volatile sig_atomic_t main_signal; // the first that came; 0: none

static void main_on_signal(int number)
{
    main_signal = number;
    // A second one, of either kind, ends the program at once.
    (void)signal(SIGINT, SIG_DFL);
    (void)signal(SIGTERM, SIG_DFL);
    troupe_system_stop(main_system);
}

static void main_install_handlers(void)
{
    struct sigaction action = {.sa_handler = main_on_signal};
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

static void main_print_usage(FILE *file, const char *program, const struct troupe_behaviour *first)
{
    (void)fprintf(
        file,
        "usage: %s [--place 'GLOB=BACKEND[:COUNT][+TRANSPORT]']... [--limit 'GLOB=LIMITS']...\n"
        "       [--launch FILE] [--dump-launch] [--seed N] [--mailbox MESSAGES]\n"
        "       [--dead-letters log|silent] [--watchdog TIME[,kill]] [--stats] [--audit] [--help]"
        "%s%s\n\n"
        "  --place        where actors live; the first rule that matches a name wins\n"
        "  --limit        what processes may take, as in "
        "'plugin=mem:64M,cpu:10s,files:100,core:0'\n"
        "  --launch       a file of options, rules and more actors to start\n"
        "  --dump-launch  print all that as such a file, with where it was said, and end\n"
        "  --seed         starts the random generators\n"
        "  --mailbox      most messages that may wait in a mailbox\n"
        "  --dead-letters whether messages that found nobody have a line each on standard error\n"
        "  --watchdog     name callbacks that run longer, and kill their processes if it says so\n"
        "  --stats        print what became of all messages, at the end, on standard error\n"
        "  --audit        the same, link by link, and fail if one of them is unaccounted for\n\n"
        "backends:\n",
        program,
        first->usage != NULL ? "\n       " : "",
        first->usage != NULL ? first->usage : "");
    const struct troupe_backend_ops *ops = NULL;
    for (uint32_t i = 0; (ops = troupe_backend_get(i)) != NULL; i++) {
        (void)fprintf(file, "  %-9s  %s\n", ops->name, ops->description);
    }
}

/** Parse a number from 1 to @p most. @return false: it is none. */
static bool main_parse_number(const char *text, uint64_t most, uint64_t *out_number)
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

/** @return the value of `--name value` or `--name=value` at *at, which moves along; NULL: not it. */
static const char *main_flag_value(int argc, char **argv, int *at, const char *name, bool *missing)
{
    const char *word = argv[*at];
    size_t bytes = strlen(name);
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

/** Take the value of a flag that wants a number. @return false: it is wrong, and was said so. */
static bool main_take_number(
    const struct main_line *line,
    const char *flag,
    const char *value,
    uint64_t most,
    uint64_t *out_number)
{
    if (main_parse_number(value, most, out_number)) {
        return true;
    }
    (void)fprintf(
        stderr, "%s: %s '%s': a whole number from 1 belongs there\n", line->program, flag, value);
    return false;
}

/** Take the time of a watchdog. @return false: it is wrong, and was said so. */
static bool main_take_watchdog(struct main_line *line, const char *value)
{
    if (trp_watchdog_parse(value, &line->watchdog_ns, &line->watchdog_kills)) {
        return true;
    }
    (void)fprintf(
        stderr,
        "%s: --watchdog '%s': " TRP_WATCHDOG_SYNTAX " belongs there\n",
        line->program,
        value);
    return false;
}

enum main_flag {
    MAIN_PLACE,
    MAIN_LIMIT,
    MAIN_LAUNCH,
    MAIN_SEED,
    MAIN_MAILBOX,
    MAIN_DEAD_LETTERS,
    MAIN_WATCHDOG,
    MAIN_FLAG_COUNT
};

static const char *const main_flag_names[MAIN_FLAG_COUNT] = {
    [MAIN_PLACE] = "--place",
    [MAIN_LIMIT] = "--limit",
    [MAIN_LAUNCH] = "--launch",
    [MAIN_SEED] = "--seed",
    [MAIN_MAILBOX] = "--mailbox",
    [MAIN_DEAD_LETTERS] = "--dead-letters",
    [MAIN_WATCHDOG] = "--watchdog",
};

/** Take whether dead letters are logged. @return false: it is neither, and was said so. */
static bool main_take_dead_letters(struct main_line *line, const char *value)
{
    line->no_dead_letters = strcmp(value, "silent") == 0;
    if (line->no_dead_letters || strcmp(value, "log") == 0) {
        return true;
    }
    (void)fprintf(
        stderr, "%s: --dead-letters '%s': 'log' or 'silent' belongs there\n", line->program, value);
    return false;
}

/** Keep the value of a flag. @return false: it is wrong, and was said so. */
static bool main_keep_value(struct main_line *line, enum main_flag flag, const char *value)
{
    switch (flag) {
    case MAIN_PLACE:
        line->place[line->place_count++] = value;
        return true;
    case MAIN_LIMIT:
        line->limit[line->limit_count++] = value;
        return true;
    case MAIN_LAUNCH:
        line->launch_file = value;
        return true;
    case MAIN_SEED:
        return main_take_number(line, main_flag_names[flag], value, UINT64_MAX, &line->seed);
    case MAIN_MAILBOX:
        return main_take_number(
            line, main_flag_names[flag], value, UINT32_MAX, &line->mailbox_messages);
    case MAIN_DEAD_LETTERS:
        return main_take_dead_letters(line, value);
    case MAIN_WATCHDOG:
        return main_take_watchdog(line, value);
    case MAIN_FLAG_COUNT:
        break;
    }
    return false;
}

/** Take a flag with a value. @return false: the word is none of these. */
static bool main_take_value(struct main_line *line, int argc, char **argv, int *at, bool *wrong)
{
    for (unsigned flag = 0; flag < MAIN_FLAG_COUNT; flag++) {
        bool missing = false;
        const char *name = main_flag_names[flag];
        const char *value = main_flag_value(argc, argv, at, name, &missing);
        if (missing) {
            (void)fprintf(stderr, "%s: %s needs a value; see --help\n", line->program, name);
            *wrong = true;
            return true;
        }
        if (value != NULL) {
            *wrong = !main_keep_value(line, (enum main_flag)flag, value);
            return true;
        }
    }
    return false;
}

/** Take a flag of ours. @return false: the word is none. */
static bool main_take_flag(struct main_line *line, int argc, char **argv, int *at, bool *wrong)
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
        return main_take_value(line, argc, argv, at, wrong);
    }
    return true;
}

static void main_take_word(struct main_line *line, const char *word)
{
    size_t bytes = strlen(word) + 1;
    memcpy(line->words.bytes + line->words.byte_count, word, bytes);
    line->words.byte_count += bytes;
}

/** Read the command line. @return false: it is wrong, and was said so. */
static bool main_parse(struct main_line *line, int argc, char **argv)
{
    bool wrong = false;
    bool all_words = false;
    for (int at = 1; at < argc && !wrong; at++) {
        const char *word = argv[at];
        if (all_words || !main_take_flag(line, argc, argv, &at, &wrong)) {
            main_take_word(line, word);
        } else {
            all_words = strcmp(word, "--") == 0;
        }
    }
    return !wrong;
}

static struct troupe_system_options main_options(
    const struct main_line *line, const struct troupe_behaviour *const *behaviours)
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

/** Choose the words of the first actor: those of the command line, else those of the launch file. */
static enum troupe_err main_choose_words(
    const struct main_line *line,
    const struct trp_launch *launch,
    const struct troupe_behaviour *first,
    struct trp_shell_words *out_words)
{
    *out_words = line->words.byte_count > 0 ? line->words : launch->args.words;
    if (out_words->byte_count == 0 || first->usage != NULL) {
        return TROUPE_OK;
    }
    return TRP_EXPLAIN(
        TROUPE_ERR_INVAL,
        "launch file %s, line %u: this program takes no args",
        launch->name,
        launch->args.line);
}

/** Make the system and its first actor. */
static enum troupe_err main_start(
    const struct main_line *line, const struct troupe_behaviour *const *behaviours)
{
    const struct troupe_system_options options = main_options(line, behaviours);
    enum troupe_err err = troupe_system_new(&options, &main_system);
    if (err != TROUPE_OK) {
        return err;
    }
    main_install_handlers();
    trp_crash_install(main_system->executor);
    trp_crash_enter(main_system->executor);
    struct trp_shell_words words = {0};
    err = main_choose_words(line, &main_system->config.launch, behaviours[0], &words);
    if (err != TROUPE_OK) {
        return err;
    }
    const struct troupe_spawn_options spawn = {
        .behaviour = behaviours[0],
        .args = words.bytes,
        .args_bytes = words.byte_count,
    };
    return trp_spawn(troupe_system_context(main_system), &spawn, true, NULL);
}

/** @return the exit status that the first actor's end means. */
static int main_status(const struct main_line *line)
{
    struct troupe_exit exit = {0};
    if (main_signal != 0) {
        return STATUS_SIGNAL + (int)main_signal;
    }
    if (troupe_system_root_exit(main_system, &exit) != TROUPE_OK ||
        exit.reason == TROUPE_EXIT_NORMAL || exit.reason == TROUPE_EXIT_SHUTDOWN) {
        return 0;
    }
    (void)fprintf(
        stderr,
        "%s: the first actor ended: %s%s%s\n",
        line->program,
        troupe_exit_reason_text(exit.reason),
        exit.text[0] != '\0' ? ": " : "",
        exit.text);
    bool code_is_status = exit.reason == TROUPE_EXIT_ERROR && exit.code > 0;
    if (!code_is_status) {
        return STATUS_FAILED;
    }
    return exit.code > STATUS_CODE_MAX ? STATUS_CODE_MAX : exit.code;
}

/** Say what is wrong. @return the exit status that it means. */
static int main_refuse(const struct main_line *line, enum troupe_err err)
{
    (void)fprintf(stderr, "%s: %s\n", line->program, troupe_error_detail());
    return err == TROUPE_ERR_INVAL || err == TROUPE_ERR_UNSUPPORTED ? STATUS_USAGE : STATUS_FAILED;
}

/** Print the launch that command line, environment and launch file make together. */
static int main_dump(const struct main_line *line, const struct troupe_behaviour *const *behaviours)
{
    const struct troupe_system_options options = main_options(line, behaviours);
    struct trp_config config = {0};
    struct trp_shell_words words = {0};
    enum troupe_err err = trp_config_make(&options, &config);
    if (err == TROUPE_OK) {
        err = main_choose_words(line, &config.launch, behaviours[0], &words);
    }
    if (err == TROUPE_OK) {
        err = trp_config_dump(&config, &line->words, stdout);
    }
    int status = err == TROUPE_OK ? 0 : main_refuse(line, err);
    trp_config_fini(&config);
    return status;
}

static int main_run(const struct main_line *line, const struct troupe_behaviour *const *behaviours)
{
    enum troupe_err err = main_start(line, behaviours);
    if (err != TROUPE_OK) {
        int refused = main_refuse(line, err);
        trp_crash_leave();
        (void)troupe_system_destroy(&main_system);
        return refused;
    }
    if (troupe_system_run(main_system) != TROUPE_OK) {
        (void)fprintf(stderr, "%s: %s\n", line->program, troupe_error_detail());
        (void)fflush(NULL);
        _exit(STATUS_FAILED); // a thread that cannot be ended would use what is freed
    }
    trp_crash_set_overdue(main_system->executor, 0);
    trp_crash_leave();
    int status = main_status(line);
    if (line->stats && !line->audit) {
        troupe_system_print_stats(main_system, stderr);
    }
    if (line->audit && !troupe_system_audit(main_system, stderr) && status == 0) {
        status = STATUS_LAW;
    }
    (void)troupe_system_destroy(&main_system);
    return status;
}

int troupe_main(int argc, char **argv, const struct troupe_behaviour *const *behaviours)
{
    troupe_run_if_child(behaviours);
    size_t bytes = 1;
    for (int i = 1; i < argc; i++) {
        bytes += strlen(argv[i]) + 1;
    }
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    struct main_line line = {
        .program = slash != NULL ? slash + 1 : behaviours[0]->name,
        .place = calloc((size_t)argc + 1, sizeof(*line.place)),
        .limit = calloc((size_t)argc + 1, sizeof(*line.limit)),
        .words = {.bytes = malloc(bytes)},
    };
    int status = STATUS_USAGE;
    if (line.place == NULL || line.limit == NULL || line.words.bytes == NULL) {
        (void)fprintf(stderr, "%s: no memory for the command line\n", line.program);
        status = STATUS_FAILED;
    } else if (!main_parse(&line, argc, argv)) {
        status = STATUS_USAGE;
    } else if (line.help) {
        main_print_usage(stdout, line.program, behaviours[0]);
        status = 0;
    } else if (line.words.byte_count > 0 && behaviours[0]->usage == NULL) {
        (void)fprintf(
            stderr, "%s: unknown word '%s'; see --help\n", line.program, line.words.bytes);
    } else if (line.dump_launch) {
        status = main_dump(&line, behaviours);
    } else {
        status = main_run(&line, behaviours);
    }
    free(line.place);
    free(line.limit);
    trp_shell_words_fini(&line.words);
    return status;
}

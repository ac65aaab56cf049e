/*
 * troupe-bench: the command line of the benchmark program.
 *
 *     arguments --> options and a list of workloads --> a case each --> runs --> a row or a line each
 *
 * The flags are read by hand: getopt() would print "unrecognized option" instead of what is wrong and
 * what to write instead.
 */
#include "bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/** How often a case is run, unless the command line says. */
#define MAIN_RUNS_DEFAULT 5

/** A command line, taken apart. */
struct command {
    struct bench_options options;
    uint32_t *workloads; // indices, in the order of the arguments
    uint32_t workload_count;
    size_t place_count;
    bool wants_help;
};

/* Help. ---------------------------------------------------------------------------------------- */

static const char help_head[] =
    "usage: troupe-bench [WORKLOAD...] [FLAG...]\n"
    "\n"
    "Measure what messages between actors cost. Workloads, all when none is named:\n"
    "\n";

static const char help_tail[] =
    "\n"
    "  --place 'GLOB=BACKEND[:COUNT][+TRANSPORT]'\n"
    "                 where actors live; may be repeated, the first match wins;\n"
    "                 --place '*=thread' puts each actor on a pthread of its own,\n"
    "                 --place '*=process+tcp' into a process of its own, reached by tcp\n"
    "  --messages N   messages of a run (spawn and start: actors)\n"
    "  --actors N     actors of ring, big, spawn and start; the many side of fan_in and fan_out;\n"
    "                 entities of query and component\n"
    "  --size BYTES   size of each body, from 8; default 8\n"
    "  --give         give bodies away instead of copying them\n"
    "  --batch        counting and the fans: actors that only receive take messages in batches\n"
    "  --runs N       runs that are counted, after one to warm up; default 5\n"
    "  --floor        run the same on raw libzmq too, in turn; ratio = floor / ours\n"
    "  --json         a line of JSON a case on standard output, instead of a table\n"
    "  --pin          a core to each thread or process, dealt out in turn, the floor alike\n"
    "                 (where just two actors talk, that is so without it, but for processes\n"
    "                 in ping_pong)\n"
    "  --no-pin       pin nothing\n"
    "  --help         print this\n";

static void print_help(void)
{
    (void)fputs(help_head, stdout);
    const struct bench_workload *workload = NULL;
    for (uint32_t i = 0; (workload = bench_workload_get(i)) != NULL; i++) {
        (void)printf("  %-10s %s\n", workload->name, workload->question);
    }
    (void)fputs(help_tail, stdout);
}

/* Arguments. ----------------------------------------------------------------------------------- */

static bool read_workload(struct command *command, const char *word)
{
    const struct bench_workload *workload = NULL;
    for (uint32_t i = 0; (workload = bench_workload_get(i)) != NULL; i++) {
        if (strcmp(word, workload->name) == 0) {
            command->workloads[command->workload_count++] = i;
            return true;
        }
    }
    (void)fprintf(stderr, "troupe-bench: '%s' is no workload; name some of:", word);
    for (uint32_t i = 0; (workload = bench_workload_get(i)) != NULL; i++) {
        (void)fprintf(stderr, " %s", workload->name);
    }
    (void)fputc('\n', stderr);
    return false;
}

/** Read a whole number between @p least and @p most. @return whether it is one. */
static bool read_number(
    const char *flag, const char *text, uint64_t least, uint64_t most, uint64_t *out_number)
{
    char *end = NULL;
    errno = 0;
    uint64_t number = strtoull(text, &end, 10);
    // strtoull() would take " 7" and "-7" too.
    bool is_number = text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0;
    if (!is_number || number < least || number > most) {
        (void)fprintf(
            stderr,
            "troupe-bench: %s '%s': write a whole number from %llu to %llu, as in %s %llu\n",
            flag,
            text,
            (unsigned long long)least,
            (unsigned long long)most,
            flag,
            (unsigned long long)(least < 1000 && most > 1000 ? 1000 : least));
        return false;
    }
    *out_number = number;
    return true;
}

static bool read_place(struct command *command, const char *rule)
{
    const char *equals = strchr(rule, '=');
    if (equals == NULL || equals == rule || equals[1] == '\0') {
        (void)fprintf(
            stderr,
            "troupe-bench: --place '%s': write GLOB=BACKEND, as in --place '*=thread'\n",
            rule);
        return false;
    }
    command->options.place[command->place_count++] = rule;
    return true;
}

/** Take a flag that stands alone. @return whether it is one. */
static bool take_switch(struct command *command, const char *flag)
{
    struct bench_options *options = &command->options;
    const struct {
        const char *flag;
        bool *is_set;
    } switches[] = {
        {"--floor", &options->has_floor},
        {"--json", &options->is_json},
        {"--give", &options->sends_bodies},
        {"--batch", &options->is_batching},
        {"--pin", &options->pins_all},
        {"--no-pin", &options->pins_none},
        {"--help", &command->wants_help},
    };
    for (size_t i = 0; i < sizeof(switches) / sizeof(switches[0]); i++) {
        if (strcmp(flag, switches[i].flag) == 0) {
            *switches[i].is_set = true;
            return true;
        }
    }
    return false;
}

/** @return whether @p flag is followed by a value. */
static bool has_value(const char *flag)
{
    static const char *const flags[] = {"--place", "--messages", "--actors", "--size", "--runs"};
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        if (strcmp(flag, flags[i]) == 0) {
            return true;
        }
    }
    return false;
}

/** Read the value of a flag that has one. @return whether it is good. */
static bool read_value(struct command *command, const char *flag, const char *value)
{
    struct bench_options *options = &command->options;
    if (strcmp(flag, "--place") == 0) {
        return read_place(command, value);
    }
    if (strcmp(flag, "--messages") == 0) {
        return read_number(flag, value, 1, BENCH_MESSAGES_MAX, &options->messages);
    }
    if (strcmp(flag, "--actors") == 0) {
        return read_number(flag, value, 1, BENCH_MESSAGES_MAX, &options->actors);
    }
    if (strcmp(flag, "--size") == 0) {
        return read_number(
            flag, value, BENCH_SIZE_BYTES_MIN, BENCH_SIZE_BYTES_MAX, &options->size_bytes);
    }
    uint64_t runs = 0;
    bool is_good = read_number(flag, value, 1, BENCH_RUNS_MAX, &runs);
    options->runs = (uint32_t)runs;
    return is_good;
}

/** Read argument @p *index, and the next when it is its value. @return whether it is valid. */
static bool read_argument(struct command *command, int argc, char **argv, int *index)
{
    const char *word = argv[*index];
    if (word[0] != '-') {
        return read_workload(command, word);
    }
    if (take_switch(command, word)) {
        return true;
    }
    char flag[32];
    const char *equals = strchr(word, '=');
    size_t flag_bytes = equals == NULL ? strlen(word) : (size_t)(equals - word);
    (void)snprintf(flag, sizeof(flag), "%.*s", (int)flag_bytes, word);
    if (!has_value(flag)) {
        (void)fprintf(
            stderr, "troupe-bench: unknown flag '%s'; troupe-bench --help lists all\n", word);
        return false;
    }
    if (equals != NULL) {
        return read_value(command, flag, equals + 1);
    }
    if (*index + 1 == argc) {
        (void)fprintf(
            stderr, "troupe-bench: %s needs a value after it; see troupe-bench --help\n", flag);
        return false;
    }
    *index += 1;
    return read_value(command, flag, argv[*index]);
}

/* The command. --------------------------------------------------------------------------------- */

static void command_fini(struct command *command)
{
    free(command->options.place);
    free(command->options.place_is_used);
    free(command->workloads);
}

/** Read the command line. @return whether it is good. */
static bool command_read(struct command *command, int argc, char **argv)
{
    // As many as there are arguments, or workloads when none is named.
    size_t argument_count = (size_t)argc + 32;
    struct bench_options *options = &command->options;
    options->place = calloc(argument_count, sizeof(*options->place));
    options->place_is_used = calloc(argument_count, sizeof(*options->place_is_used));
    command->workloads = calloc(argument_count, sizeof(*command->workloads));
    if (options->place == NULL || options->place_is_used == NULL || command->workloads == NULL) {
        (void)fputs("troupe-bench: no memory for the command line\n", stderr);
        return false;
    }
    options->size_bytes = BENCH_SIZE_BYTES_MIN;
    options->runs = MAIN_RUNS_DEFAULT;
    for (int i = 1; i < argc; i++) {
        if (!read_argument(command, argc, argv, &i)) {
            return false;
        }
    }
    if (options->pins_all && options->pins_none) {
        (void)fputs("troupe-bench: --pin and --no-pin: leave one of them out\n", stderr);
        return false;
    }
    bool names_none = command->workload_count == 0;
    for (uint32_t i = 0; names_none && bench_workload_get(i) != NULL; i++) {
        const struct bench_workload *workload = bench_workload_get(i);
        bool is_placed = !workload->is_entities || command->place_count == 0;
        if (is_placed && (!options->is_batching || workload->batched != NULL)) {
            command->workloads[command->workload_count++] = i;
        }
    }
    return true;
}

/** Name the rules that no case used: most often a slip in a name. */
static void command_warn(const struct command *command)
{
    for (size_t i = 0; i < command->place_count; i++) {
        if (!command->options.place_is_used[i]) {
            (void)fprintf(
                stderr,
                "troupe-bench: --place '%s' matched no actor of these workloads, or an earlier "
                "rule came before it\n",
                command->options.place[i]);
        }
    }
}

static enum bench_outcome command_run_one(const struct command *command, uint32_t index)
{
    const struct bench_options *options = &command->options;
    struct bench_case one = {0};
    if (!bench_case_init(&one, command->workloads[index], options)) {
        return BENCH_USAGE;
    }
    struct bench_result result = {0};
    enum bench_outcome outcome = bench_case_run(&one, &result);
    if (outcome == BENCH_DONE && !options->is_json) {
        if (index == 0) {
            bench_report_heading(stdout, options->has_floor);
        }
        bench_report_row(stdout, &one, &result);
    } else if (outcome == BENCH_DONE && !bench_report_json(stdout, &one, &result)) {
        (void)fputs("troupe-bench: --json: standard output takes no more\n", stderr);
        outcome = BENCH_FAILED;
    }
    bench_result_free(&result);
    bench_case_free(&one);
    return outcome;
}

int main(int argc, char **argv)
{
    troupe_run_if_child(
        bench_behaviours()); // does not return where this process is to carry actors
    if (argc == 2 && strcmp(argv[1], BENCH_FLOOR_PART) == 0) {
        return bench_floor_part();
    }
    struct command command = {0};
    enum bench_outcome outcome = BENCH_DONE;
    if (!command_read(&command, argc, argv)) {
        outcome = BENCH_USAGE;
    } else if (command.wants_help) {
        print_help();
    } else {
        for (uint32_t i = 0; i < command.workload_count && outcome == BENCH_DONE; i++) {
            outcome = command_run_one(&command, i);
        }
        if (outcome == BENCH_DONE) {
            command_warn(&command);
        }
    }
    command_fini(&command);
    return (int)outcome;
}

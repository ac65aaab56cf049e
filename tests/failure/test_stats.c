/*
 * The printed counters: each line balances, the lines of the executors add up to the system's, and each executor is
 * printed with its name.
 */
#include "support/audit.h"
#include "support/echo_system.h"
#include "support/fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** A printed line of counters. */
struct counters {
    unsigned long long accepted;
    unsigned long long handled;
    unsigned long long dead;
    unsigned long long unknown;
    unsigned long long waiting;
};

/** @return whether @p line is a line of counters. */
static bool counters_parse(const char *line, struct counters *out_counters)
{
    const char *at = strstr(line, "accepted ");
    return at != NULL &&
           sscanf(
               at,
               "accepted %llu = handled %llu + dead %llu + unknown %llu + waiting %llu",
               &out_counters->accepted,
               &out_counters->handled,
               &out_counters->dead,
               &out_counters->unknown,
               &out_counters->waiting) == 5;
}

/** @return the counters as printed; to be freed */
static char *print_stats(troupe_system_t *system)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *file = open_memstream(&text, &bytes);
    cr_assert(file != NULL);
    troupe_system_print_stats(system, file);
    (void)fclose(file);
    return text;
}

/** Have echoes in three places handle some messages, some too late, and run the system to its end. */
static troupe_system_t *run_some_traffic(void)
{
    troupe_system_t *system = echo_system_new();
    troupe_inbox_t *inbox = echo_inbox_new(system);
    troupe_context_t *ctx = troupe_inbox_context(inbox);
    static const char *const names[] = {"alto", "tenor", "bass"};
    troupe_ref_t refs[3];
    for (int i = 0; i < 3; i++) {
        const struct troupe_spawn_options options = {
            .behaviour = &echo_behaviour, .name = names[i], .place = i < 2 ? "thread" : "thread:2"};
        MUST(troupe_spawn(ctx, &options, &refs[i]));
    }
    for (uint64_t i = 0; i < 30; i++) {
        MUST(echo_ask(inbox, refs[i % 3], i));
    }
    MUST(troupe_send(ctx, refs[0], ECHO_STOP, NULL, 0));
    fixture_ignore(echo_ask(inbox, refs[0], 1)); // too late
    MUST(troupe_send(ctx, refs[1], 77, NULL, 0));
    MUST(troupe_inbox_destroy(&inbox));
    troupe_system_stop(system);
    MUST(troupe_system_run(system));
    return system;
}

Test(stats, balance_on_every_printed_line)
{
    troupe_system_t *system = run_some_traffic();
    char *text = print_stats(system);
    struct counters sum = {0};
    struct counters whole = {0};
    int lines = 0;

    char *rest = NULL;
    char *copy = strdup(text);
    for (char *line = strtok_r(copy, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        struct counters counters;
        if (!counters_parse(line, &counters)) {
            continue;
        }
        lines++;
        cr_expect(
            counters.accepted ==
                counters.handled + counters.dead + counters.unknown + counters.waiting,
            "%s",
            line);
        cr_expect(counters.waiting == 0, "%s", line);
        if (strncmp(line, "system", strlen("system")) == 0) {
            whole = counters;
        } else if (strncmp(line, "executor", strlen("executor")) == 0) {
            sum.accepted += counters.accepted;
            sum.handled += counters.handled;
            sum.dead += counters.dead;
        }
    }
    cr_expect(lines >= 6, "a line for each executor, and the system's: %s", text);
    cr_expect(whole.accepted == 63, "30 questions and answers, and three more: %s", text);
    cr_expect(sum.accepted == whole.accepted, "%s", text);
    cr_expect(sum.handled == whole.handled, "%s", text);
    cr_expect(sum.dead == whole.dead, "%s", text);
    cr_expect(strstr(text, "NOT CLOSE") == NULL, "%s", text);
    audit_and_destroy(&system);
    free(copy);
    free(text);
}

Test(stats, name_each_executor_and_each_reason)
{
    troupe_system_t *system = run_some_traffic();
    char *text = print_stats(system);

    static const char *const tail[] = {
        "(ecs)", "(alto)", "(tenor)", "(bass)", "(inbox)", "stopped", "refused"};
    for (size_t i = 0; i < sizeof(tail) / sizeof(tail[0]); i++) {
        cr_expect(strstr(text, tail[i]) != NULL, "no '%s' in: %s", tail[i], text);
    }
    audit_and_destroy(&system);
    free(text);
}

Test(stats, name_executors_that_still_run)
{
    troupe_system_t *system = echo_system_new();
    troupe_inbox_t *inbox = echo_inbox_new(system);
    const struct troupe_spawn_options options = {
        .behaviour = &echo_behaviour, .name = "alto", .place = "thread"};
    troupe_ref_t alto = TROUPE_REF_NONE;
    MUST(troupe_spawn(troupe_inbox_context(inbox), &options, &alto));
    MUST(echo_ask(inbox, alto, 1));

    char *text = print_stats(system);

    cr_expect(strstr(text, "alto") != NULL, "%s", text);
    free(text);
    echo_system_end(&system, &inbox);
}

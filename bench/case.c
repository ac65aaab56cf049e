/*
 * A case: the numbers of a run, and where its actors will live as far as the rules tell.
 *
 * The system gets only those rules of the command line that an actor of the case handles first. A
 * rule for another workload's actors would make it warn at the end of each run; the command line
 * warns once about a rule that no case used.
 */
#include "bench.h"

#include <fnmatch.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

/** Behaviours of one workload, with room to spare. */
#define CASE_BEHAVIOUR_COUNT_MAX 8

/** @return whether some of its actors are in processes of their own or of a pool. */
static bool case_has_processes(const struct bench_case *self)
{
    return strstr(self->backend, "process") != NULL;
}

/** @return whether @p rule, `GLOB=PLACE`, is about an actor of that name. */
static bool rule_matches(const char *rule, const char *name)
{
    char glob[256];
    const char *equals = strchr(rule, '=');
    if (equals == NULL || (size_t)(equals - rule) >= sizeof(glob)) {
        return true; // let the system say what is wrong with it
    }
    size_t glob_bytes = (size_t)(equals - rule);
    memcpy(glob, rule, glob_bytes);
    glob[glob_bytes] = '\0';
    return fnmatch(glob, name, 0) == 0;
}

/** @return the first rule of `TROUPE_PLACE` that matches @p name, or NULL; ends at ';' or NUL. */
static const char *environment_rule(const char *name)
{
    // No other thread runs yet, or none that changes the environment.
    const char *rules = getenv("TROUPE_PLACE"); // NOLINT(concurrency-mt-unsafe)
    while (rules != NULL && *rules != '\0') {
        char rule[256] = {0};
        size_t rule_bytes = strcspn(rules, ";");
        if (rule_bytes < sizeof(rule) && memchr(rules, '=', rule_bytes) != NULL) {
            memcpy(rule, rules, rule_bytes);
            if (rule_matches(rule, name)) {
                return rules;
            }
        }
        rules += rule_bytes + (rules[rule_bytes] == ';' ? 1 : 0);
    }
    return NULL;
}

/** Add @p word to the `/`-separated words of @p text, unless it is one of them. */
static void add_part(char *text, size_t text_bytes, const char *word, size_t part_bytes)
{
    for (const char *at = text; *at != '\0'; at += strspn(at, "/")) {
        size_t bytes = strcspn(at, "/");
        if (bytes == part_bytes && memcmp(at, word, bytes) == 0) {
            return;
        }
        at += bytes;
    }
    size_t used = strlen(text);
    (void)snprintf(
        text + used, text_bytes - used, "%s%.*s", used > 0 ? "/" : "", (int)part_bytes, word);
}

/** The rules that match the measured actors, each NULL where the default holds. */
struct case_rules {
    const char *rules[CASE_BEHAVIOUR_COUNT_MAX];
    size_t count;
};

/** @return where the rule says to, its right side. */
static const char *rule_place(const char *rule)
{
    const char *equals = rule == NULL ? NULL : strchr(rule, '=');
    return equals == NULL ? "ecs" : equals + 1;
}

/** Note what the rules say about backends and transports. */
static void case_note_places(struct bench_case *self, const struct case_rules *matched)
{
    for (size_t i = 0; i < matched->count; i++) {
        const char *place = rule_place(matched->rules[i]);
        add_part(self->backend, sizeof(self->backend), place, strcspn(place, "+; "));
    }
    // Unless a rule says: the nearest by which they all can be reached.
    const char *nearest = case_has_processes(self) ? "ipc" : "inproc";
    for (size_t i = 0; i < matched->count; i++) {
        const char *place = rule_place(matched->rules[i]);
        place += strcspn(place, "+; ");
        const char *transport = *place == '+' ? place + 1 : nearest;
        add_part(self->transport, sizeof(self->transport), transport, strcspn(transport, "; "));
    }
}

/** Find the rule that an actor called @p name handles, and keep it. @return it, or NULL. */
static const char *case_place(const struct bench_options *options, bool *is_kept, const char *name)
{
    for (size_t i = 0; options->place[i] != NULL; i++) {
        if (rule_matches(options->place[i], name)) {
            is_kept[i] = true;
            options->place_is_used[i] = true;
            return options->place[i];
        }
    }
    return environment_rule(name);
}

static bool case_place_all(struct bench_case *self, const struct bench_options *options)
{
    size_t rule_count = 0;
    while (options->place[rule_count] != NULL) {
        rule_count++;
    }
    bool *is_kept = calloc(rule_count + 1, sizeof(*is_kept));
    self->place = calloc(rule_count + 1, sizeof(*self->place));
    if (is_kept == NULL || self->place == NULL) {
        free(is_kept);
        (void)fprintf(stderr, "troupe-bench: no memory for %zu rules\n", rule_count);
        return false;
    }
    struct case_rules matched = {0};
    const struct troupe_behaviour *behaviour = NULL;
    while ((behaviour = self->workload->behaviours[matched.count]) != NULL) {
        matched.rules[matched.count++] = case_place(options, is_kept, behaviour->name);
    }
    case_note_places(self, &matched);
    (void)case_place(options, is_kept, bench_root.name); // it is not measured

    size_t kept_count = 0;
    for (size_t i = 0; i < rule_count; i++) {
        if (is_kept[i]) {
            self->place[kept_count++] = options->place[i];
        }
    }
    free(is_kept);
    return true;
}

/** @return the CPUs this process may use, of the first 64. */
static uint64_t cpus_allowed(void)
{
    cpu_set_t cpus;
    uint64_t cpu_mask = 0;
    if (sched_getaffinity(0, sizeof(cpus), &cpus) != 0) {
        return 0;
    }
    for (size_t cpu = 0; cpu < 64; cpu++) {
        if (CPU_ISSET(cpu, &cpus)) {
            cpu_mask |= UINT64_C(1) << cpu;
        }
    }
    return cpu_mask;
}

/**
 * @return the CPUs to deal out: two actors that talk get a core each, more only when asked.
 *
 * Processes that hand a number to and fro do not: each has an I/O thread beside its own, and the
 * floor is a third faster where that one may run on the other core.
 */
static uint64_t case_cpus(const struct bench_case *self, const struct bench_options *options)
{
    // In a pool a thread or a process is not an actor's own.
    bool is_process = strcmp(self->backend, "process") == 0;
    bool is_alone = is_process || strcmp(self->backend, "thread") == 0;
    bool is_pair = !self->workload->counts_actors && bench_part_count(&self->plan) == 2 &&
                   !(is_process && self->workload->floor == BENCH_FLOOR_ROUND);
    uint64_t cpu_mask = cpus_allowed();
    if (!is_alone || options->pins_none || __builtin_popcountll(cpu_mask) < 2) {
        return 0;
    }
    return is_pair || options->pins_all ? cpu_mask : 0;
}

/** @return whether its actors live where they can do what they do. */
static bool case_is_possible(const struct bench_case *self)
{
    if (self->plan.is_batching != 0 && self->workload->batched == NULL) {
        (void)fprintf(
            stderr,
            "troupe-bench: --batch: no actor of %s takes batches; name counting, fan_in or "
            "fan_out\n",
            self->workload->name);
        return false;
    }
    if (!self->workload->is_entities || strcmp(self->backend, "ecs") == 0) {
        return true;
    }
    (void)fprintf(
        stderr,
        "troupe-bench: %s is about the entities of the world: place '%s' on ecs, not on %s\n",
        self->workload->name,
        self->workload->behaviours[0]->name,
        self->backend);
    return false;
}

/** Fill in how many of what. @return whether the workload can do that many. */
static bool case_count(struct bench_case *self, const struct bench_options *options)
{
    const struct bench_workload *workload = self->workload;
    bool is_entities = strcmp(self->backend, "ecs") == 0;
    uint64_t messages = is_entities ? workload->messages_ecs : workload->messages_apart;
    if (case_has_processes(self)) {
        messages = workload->messages_process;
    }
    if (options->messages != 0) {
        messages = options->messages;
    }
    if (workload->counts_actors && options->actors != 0) {
        messages = options->actors;
    }
    self->plan.messages = messages + (workload->rounds_up ? messages % 2 : 0);
    self->plan.actors = workload->actors;
    if (options->actors == 0 || workload->counts_actors ||
        workload->actors_min == workload->actors_max) {
        return true;
    }
    if (options->actors < workload->actors_min || options->actors > workload->actors_max) {
        (void)fprintf(
            stderr,
            "troupe-bench: --actors %llu: %s takes %u to %u\n",
            (unsigned long long)options->actors,
            workload->name,
            workload->actors_min,
            workload->actors_max);
        return false;
    }
    self->plan.actors = (uint32_t)options->actors;
    return true;
}

/** @return whether each of its actors is in another process than the others. */
static bool case_is_all_processes(const struct bench_case *self)
{
    if (strcmp(self->backend, "process") == 0) {
        return true;
    }
    // Of two, one may be anywhere else.
    bool is_pair = bench_part_count(&self->plan) == 2;
    const char *slash = strchr(self->backend, '/');
    return is_pair && slash != NULL &&
           (strcmp(slash, "/process") == 0 || strncmp(self->backend, "process/", 8) == 0);
}

/** @return how raw libzmq does the same where the case's actors live. */
static struct bench_floor case_floor(const struct bench_case *self)
{
    static const char *const transports[] = {
        [BENCH_TRANSPORT_INPROC] = "inproc",
        [BENCH_TRANSPORT_IPC] = "ipc",
        [BENCH_TRANSPORT_TCP] = "tcp",
    };
    struct bench_floor floor = {.kind = self->workload->floor};
    while (strcmp(self->transport, transports[floor.transport]) != 0) {
        if (floor.transport == BENCH_TRANSPORT_TCP) {
            return (struct bench_floor){BENCH_FLOOR_NONE, BENCH_TRANSPORT_INPROC}; // a mixture
        }
        floor.transport++;
    }
    bool is_here = floor.transport == BENCH_TRANSPORT_INPROC;
    if (self->workload->counts_actors ||
        (is_here ? case_has_processes(self) : !case_is_all_processes(self))) {
        floor.kind = BENCH_FLOOR_NONE;
    } else if (strcmp(self->backend, "ecs") == 0) {
        floor.kind = BENCH_FLOOR_IN_TURN;
    }
    return floor;
}

bool bench_case_init(
    struct bench_case *out_case, uint32_t workload_index, const struct bench_options *options)
{
    *out_case = (struct bench_case){
        .workload = bench_workload_get(workload_index),
        .plan =
            {
                .workload_index = workload_index,
                .size_bytes = options->size_bytes,
                .sends_bodies = options->sends_bodies ? 1 : 0,
                .is_batching = options->is_batching ? 1 : 0,
            },
        .runs = options->runs,
        .has_floor = options->has_floor,
    };
    if (!case_place_all(out_case, options) || !case_is_possible(out_case) ||
        !case_count(out_case, options)) {
        bench_case_free(out_case);
        return false;
    }
    out_case->plan.cpu_mask = case_cpus(out_case, options);
    if (options->has_floor) {
        out_case->floor = case_floor(out_case);
    }
    return true;
}

void bench_case_free(struct bench_case *self)
{
    free(self->place);
    self->place = NULL;
}

// ctest: serial
// ctest: timeout 180
/*
 * Many actors at once: a million entities in a world, a thousand threads. Each starts, answers and
 * stops, and an entity costs at most 128 bytes beside its state.
 */
#include "support/audit.h"
#include "support/cast.h"
#include "support/fixture.h"
#include "support/measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CITIZENS = 1000000, BATCH = 5000, CALL = 1, HERE };

/** The world, where the test can see it: all of it runs on the test's own thread. */
static troupe_ref_t *citizens;
static uint64_t answers;

static void citizen_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    unsigned char *first = state;
    if (first != NULL) {
        MUST_BE(*first == 0); // its state is zeroed
        *first = 1;
    }
    MUST(troupe_reply(ctx, message, HERE, NULL, 0));
    troupe_stop(ctx);
}

static const struct troupe_behaviour citizen_without_state = {
    .name = "citizen_without_state", .receive = citizen_receive};

static const struct troupe_behaviour citizen_of_64_bytes = {
    .name = "citizen_of_64_bytes", .state_bytes = 64, .receive = citizen_receive};

/** Calls a batch of citizens, and counts who is there. */
static void census_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    if (troupe_message_type(message) == HERE) {
        answers++;
        return;
    }
    uint32_t first = *TROUPE_BODY(message, uint32_t);
    for (uint32_t i = first; i < first + BATCH; i++) {
        MUST(troupe_send(ctx, citizens[i], CALL, NULL, 0));
    }
}

static const struct troupe_behaviour census = {.name = "census", .receive = census_receive};

/** Do all that is at hand. */
static void settle(troupe_system_t *system)
{
    do {
        MUST(troupe_system_progress(system, NULL));
    } while (troupe_system_timeout_ns(system) == 0);
}

/** Spawn them all. @return bytes each takes, its state among them. */
static uint64_t populate(troupe_system_t *system, const struct troupe_behaviour *behaviour)
{
    const struct troupe_spawn_options options = {.behaviour = behaviour};
    uint64_t before = measure_resident_bytes();
    for (uint32_t i = 0; i < CITIZENS; i++) {
        MUST(troupe_spawn(troupe_system_context(system), &options, &citizens[i]));
        if (i % BATCH == BATCH - 1) {
            settle(system);
        }
    }
    struct troupe_stats stats;
    troupe_system_stats(system, &stats);
    cr_expect(eq(u64, stats.actors_started, CITIZENS + 1)); // and the census
    return (measure_resident_bytes() - before) / CITIZENS;
}

static void call_all(troupe_system_t *system, troupe_ref_t census_ref)
{
    for (uint32_t first = 0; first < CITIZENS; first += BATCH) {
        MUST(TROUPE_SEND(troupe_system_context(system), census_ref, CALL, &first));
        settle(system);
    }
}

static void expect_a_million(const struct troupe_behaviour *behaviour)
{
    answers = 0;
    citizens = malloc(CITIZENS * sizeof(*citizens));
    cr_assert(citizens != NULL);
    memset(citizens, 0xFF, CITIZENS * sizeof(*citizens)); // in memory before it is measured
    const struct troupe_behaviour *const behaviours[] = {behaviour, &census, NULL};
    const struct troupe_system_options options = {
        .behaviours = behaviours, .mailbox_messages = 20000};
    troupe_system_t *system = NULL;
    MUST(troupe_system_new(&options, &system));
    const struct troupe_spawn_options spawn = {.behaviour = &census};
    troupe_ref_t census_ref = TROUPE_REF_NONE;
    MUST(troupe_spawn(troupe_system_context(system), &spawn, &census_ref));
    settle(system);

    uint64_t start_ns = measure_now_ns();
    uint64_t bytes = populate(system, behaviour);
    uint64_t started_ns = measure_now_ns();
    call_all(system, census_ref);
    uint64_t called_ns = measure_now_ns();

    (void)fprintf(
        stderr,
        "%d actors of %zu bytes: %llu bytes each; started in %llu ms, answered and stopped in %llu "
        "ms\n",
        CITIZENS,
        behaviour->state_bytes,
        (unsigned long long)bytes,
        (unsigned long long)((started_ns - start_ns) / MEASURE_MS_NS),
        (unsigned long long)((called_ns - started_ns) / MEASURE_MS_NS));
    cr_expect(eq(u64, answers, CITIZENS));
    if (!measure_is_sanitized()) {
        cr_expect(le(u64, bytes, behaviour->state_bytes + 128));
    }
    struct troupe_stats stats;
    troupe_system_stats(system, &stats);
    cr_expect(eq(u64, stats.actors_ended, CITIZENS));
    cr_expect(eq(u64, stats.dead, 0));
    audit_and_destroy(&system);
    free(citizens);
}

Test(scale, a_million_entities_without_state_start_answer_and_stop)
{
    expect_a_million(&citizen_without_state);
}

Test(scale, a_million_entities_of_64_bytes_start_answer_and_stop)
{
    expect_a_million(&citizen_of_64_bytes);
}

/* Threads. ------------------------------------------------------------------------------------- */

enum { THREADS = 1000, DESCRIPTORS_EACH = 5 };

Test(scale, a_thousand_threads_start_answer_and_stop)
{
    if (measure_descriptors_max() < THREADS * DESCRIPTORS_EACH + 300) {
        cr_skip("the hard limit of open files is too low; raise it to 5300");
    }
    static troupe_ref_t refs[THREADS];
    troupe_system_t *system = cast_new();
    troupe_inbox_t *port = cast_port(system);

    uint64_t start_ns = measure_now_ns();
    for (uint64_t i = 0; i < THREADS; i++) {
        enum troupe_err err = cast_spawn(troupe_inbox_context(port), "thread", &refs[i]);
        cr_assert(err == TROUPE_OK, "after %llu: %s", (unsigned long long)i, troupe_error_detail());
    }
    for (uint64_t i = 0; i < THREADS; i++) {
        cr_assert(eq(int, cast_ask(port, refs[i], i), TROUPE_OK));
    }
    struct troupe_stats stats;
    troupe_system_stats(system, &stats);
    cr_expect(eq(u64, stats.actors_started, THREADS));
    cr_expect(eq(u64, stats.actors_ended, 0)); // all of them at once
    for (uint64_t i = 0; i < THREADS; i++) {
        cr_assert(eq(
            int, troupe_send(troupe_inbox_context(port), refs[i], CAST_LEAVE, NULL, 0), TROUPE_OK));
    }
    cast_wait_for_ends(system, port, THREADS);

    (void)fprintf(
        stderr,
        "%d threads started, answered and stopped in %llu ms\n",
        THREADS,
        (unsigned long long)((measure_now_ns() - start_ns) / MEASURE_MS_NS));
    cast_end(&system, &port);
}

Test(scale, a_system_of_a_thousand_threads_ends_in_time)
{
    if (measure_descriptors_max() < THREADS * DESCRIPTORS_EACH + 300) {
        cr_skip("the hard limit of open files is too low; raise it to 5300");
    }
    const struct troupe_system_options options = {.behaviours = TROUPE_BEHAVIOURS(&cast_echo)};
    troupe_system_t *system = NULL;
    MUST(troupe_system_new(&options, &system));
    for (int i = 0; i < THREADS; i++) {
        MUST(cast_spawn(troupe_system_context(system), "thread", NULL));
    }

    troupe_system_stop(system);
    uint64_t start_ns = measure_now_ns();
    cr_expect(eq(int, troupe_system_run(system), TROUPE_OK), "%s", troupe_error_detail());

    (void)fprintf(
        stderr,
        "%d threads ended in %llu ms\n",
        THREADS,
        (unsigned long long)((measure_now_ns() - start_ns) / MEASURE_MS_NS));
    audit_and_destroy(&system);
}

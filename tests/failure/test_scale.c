// ctest: serial
// ctest: timeout 180
/*
 * Many actors at once: a million entities on one executor, a thousand threads. Each starts, replies and stops, and an
 * entity costs at most 128 bytes beside its state.
 */
#include "support/audit.h"
#include "support/echo_system.h"
#include "support/fixture.h"
#include "support/measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SUBJECTS_COUNT = 1000000, BATCH = 5000, CALL = 1, HERE };

/** The states, where the test can see them: all actors run on the test's own thread. */
static troupe_ref_t *subject_states;
static uint64_t replies;

static void subject_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    unsigned char *first = state;
    if (first != NULL) {
        MUST_BE(*first == 0); // its state is zeroed
        *first = 1;
    }
    MUST(troupe_reply(ctx, message, HERE, NULL, 0));
    troupe_stop(ctx);
}

static const struct troupe_behaviour subject_without_state = {
    .name = "subject_without_state", .receive = subject_receive};

static const struct troupe_behaviour subject_of_64_bytes = {
    .name = "subject_of_64_bytes", .state_bytes = 64, .receive = subject_receive};

/** Sends to a number of actors, and counts the replies. */
static void counter_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    if (troupe_message_type(message) == HERE) {
        replies++;
        return;
    }
    uint32_t first = *TROUPE_BODY(message, uint32_t);
    for (uint32_t i = first; i < first + BATCH; i++) {
        MUST(troupe_send(ctx, subject_states[i], CALL, NULL, 0));
    }
}

static const struct troupe_behaviour counter = {.name = "counter", .receive = counter_receive};

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
    for (uint32_t i = 0; i < SUBJECTS_COUNT; i++) {
        MUST(troupe_spawn(troupe_system_context(system), &options, &subject_states[i]));
        if (i % BATCH == BATCH - 1) {
            settle(system);
        }
    }
    struct troupe_stats stats;
    troupe_system_stats(system, &stats);
    cr_expect(eq(u64, stats.actors_started, SUBJECTS_COUNT + 1)); // and the counter
    return (measure_resident_bytes() - before) / SUBJECTS_COUNT;
}

static void call_all(troupe_system_t *system, troupe_ref_t counter_ref)
{
    for (uint32_t first = 0; first < SUBJECTS_COUNT; first += BATCH) {
        MUST(TROUPE_SEND(troupe_system_context(system), counter_ref, CALL, &first));
        settle(system);
    }
}

static void expect_a_million(const struct troupe_behaviour *behaviour)
{
    replies = 0;
    subject_states = malloc(SUBJECTS_COUNT * sizeof(*subject_states));
    cr_assert(subject_states != NULL);
    memset(
        subject_states,
        0xFF,
        SUBJECTS_COUNT * sizeof(*subject_states)); // in memory before it is measured
    const struct troupe_behaviour *const behaviours[] = {behaviour, &counter, NULL};
    const struct troupe_system_options options = {
        .behaviours = behaviours, .mailbox_messages = 20000};
    troupe_system_t *system = NULL;
    MUST(troupe_system_new(&options, &system));
    const struct troupe_spawn_options spawn = {.behaviour = &counter};
    troupe_ref_t counter_ref = TROUPE_REF_NONE;
    MUST(troupe_spawn(troupe_system_context(system), &spawn, &counter_ref));
    settle(system);

    uint64_t start_ns = measure_now_ns();
    uint64_t bytes = populate(system, behaviour);
    uint64_t started_ns = measure_now_ns();
    call_all(system, counter_ref);
    uint64_t called_ns = measure_now_ns();

    (void)fprintf(
        stderr,
        "%d actors of %zu bytes: %llu bytes each; started in %llu ms, answered and stopped in %llu "
        "ms\n",
        SUBJECTS_COUNT,
        behaviour->state_bytes,
        (unsigned long long)bytes,
        (unsigned long long)((started_ns - start_ns) / MEASURE_MS_NS),
        (unsigned long long)((called_ns - started_ns) / MEASURE_MS_NS));
    cr_expect(eq(u64, replies, SUBJECTS_COUNT));
    if (!measure_is_sanitized()) {
        cr_expect(le(u64, bytes, behaviour->state_bytes + 128));
    }
    struct troupe_stats stats;
    troupe_system_stats(system, &stats);
    cr_expect(eq(u64, stats.actors_ended, SUBJECTS_COUNT));
    cr_expect(eq(u64, stats.dead, 0));
    audit_and_destroy(&system);
    free(subject_states);
}

Test(scale, a_million_entities_without_state_start_reply_and_stop)
{
    expect_a_million(&subject_without_state);
}

Test(scale, a_million_entities_of_64_bytes_start_reply_and_stop)
{
    expect_a_million(&subject_of_64_bytes);
}

/* Threads. ------------------------------------------------------------------------------------- */

enum { THREADS = 1000, DESCRIPTORS_EACH = 5 };

Test(scale, a_thousand_threads_start_reply_and_stop)
{
    if (measure_descriptors_max() < THREADS * DESCRIPTORS_EACH + 300) {
        cr_skip("the hard limit of open files is too low; raise it to 5300");
    }
    static troupe_ref_t refs[THREADS];
    troupe_system_t *system = echo_system_new();
    troupe_inbox_t *inbox = echo_inbox_new(system);

    uint64_t start_ns = measure_now_ns();
    for (uint64_t i = 0; i < THREADS; i++) {
        enum troupe_err err = echo_spawn(troupe_inbox_context(inbox), "thread", &refs[i]);
        cr_assert(err == TROUPE_OK, "after %llu: %s", (unsigned long long)i, troupe_error_detail());
    }
    for (uint64_t i = 0; i < THREADS; i++) {
        cr_assert(eq(int, echo_ask(inbox, refs[i], i), TROUPE_OK));
    }
    struct troupe_stats stats;
    troupe_system_stats(system, &stats);
    cr_expect(eq(u64, stats.actors_started, THREADS));
    cr_expect(eq(u64, stats.actors_ended, 0)); // all of them at once
    for (uint64_t i = 0; i < THREADS; i++) {
        cr_assert(eq(
            int, troupe_send(troupe_inbox_context(inbox), refs[i], ECHO_STOP, NULL, 0), TROUPE_OK));
    }
    echo_wait_for_exits(system, inbox, THREADS);

    (void)fprintf(
        stderr,
        "%d threads started, answered and stopped in %llu ms\n",
        THREADS,
        (unsigned long long)((measure_now_ns() - start_ns) / MEASURE_MS_NS));
    echo_system_end(&system, &inbox);
}

Test(scale, a_system_of_a_thousand_threads_ends_in_time)
{
    if (measure_descriptors_max() < THREADS * DESCRIPTORS_EACH + 300) {
        cr_skip("the hard limit of open files is too low; raise it to 5300");
    }
    const struct troupe_system_options options = {.behaviours = TROUPE_BEHAVIOURS(&echo_behaviour)};
    troupe_system_t *system = NULL;
    MUST(troupe_system_new(&options, &system));
    for (int i = 0; i < THREADS; i++) {
        MUST(echo_spawn(troupe_system_context(system), "thread", NULL));
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

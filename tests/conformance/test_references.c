/*
 * Promise 7, a reference never reaches the next actor in its row: it names one actor while that runs, and makes a
 * dead letter afterwards.
 */
#include "support/fixture.h"

#include <stdlib.h>
#include <string.h>

enum {
    VISIT = 1, // asks for VISITED
    VISITED,   // uint32_t, how many visits this subject had
    STOP,      // stop
    ENDED,     // from fini
    FORWARD,   // to the forwarder: struct forward
};

/* A subject counts its visits, and reports when it ends. --------------------------------------- */

struct subject {
    troupe_ref_t scenario;
    uint32_t visits;
};

static enum troupe_err subject_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)ctx;
    ((struct subject *)state)->scenario = fixture_ref_of(args, args_bytes);
    return TROUPE_OK;
}

static void subject_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct subject *subject = state;
    if (troupe_message_type(message) == STOP) {
        troupe_stop(ctx);
        return;
    }
    subject->visits++;
    REPORT(ctx, message, VISITED, &subject->visits);
}

static void subject_fini(troupe_context_t *ctx, void *state, const struct troupe_exit *end)
{
    (void)end;
    // At the end of the system the scenario may have ended, and this becomes a dead letter.
    fixture_ignore(troupe_send(ctx, ((struct subject *)state)->scenario, ENDED, NULL, 0));
}

static const struct troupe_behaviour subject = {
    .name = "subject",
    .state_bytes = sizeof(struct subject),
    .init = subject_init,
    .receive = subject_receive,
    .fini = subject_fini,
};

static struct fixture *open_with_subjects(const struct fixture_placement *placement)
{
    struct fixture_options options = {.behaviours = TROUPE_BEHAVIOURS(&subject)};
    return fixture_open(placement, &options);
}

static void stop(struct fixture *fixture, troupe_ref_t ref)
{
    fixture_send(fixture, ref, STOP, NULL, 0);
    (void)fixture_receive(fixture, ENDED);
}

/** Spawn a subject and let it leave again. @return the reference it leaves behind. */
static troupe_ref_t spawn_and_stop(struct fixture *fixture)
{
    troupe_ref_t ref = fixture_spawn_reporter(fixture, &subject);
    stop(fixture, ref);
    return ref;
}

BACKEND_TEST(references, a_stale_reference_makes_a_dead_outgoing)
{
    struct fixture *fixture = open_with_subjects(placement);
    troupe_ref_t stale = spawn_and_stop(fixture);

    fixture_send(fixture, stale, VISIT, NULL, 0);
    fixture_send(fixture, stale, VISIT, NULL, 0);

    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead_by_reason[TROUPE_DEAD_STOPPED], 2));
}

static int compare_refs(const void *a, const void *b)
{
    return troupe_ref_compare(*(const troupe_ref_t *)a, *(const troupe_ref_t *)b);
}

BACKEND_TEST(references, a_stale_reference_never_reaches_the_next_actor_in_its_row)
{
    struct fixture *fixture = open_with_subjects(placement);
    uint32_t count = fixture_many(placement);
    troupe_ref_t *stale = calloc(count, sizeof(*stale));
    for (uint32_t i = 0; i < count; i++) {
        stale[i] = spawn_and_stop(fixture);
    }
    troupe_ref_t last = fixture_spawn_reporter(fixture, &subject);

    for (uint32_t i = 0; i < count; i++) {
        fixture_send(fixture, stale[i], VISIT, NULL, 0);
    }
    fixture_send(fixture, last, VISIT, NULL, 0);

    cr_expect(eq(u32, *FIXTURE_RECEIVE(fixture, VISITED, uint32_t), 1));
    stop(fixture, last);
    qsort(stale, count, sizeof(*stale), compare_refs);
    for (uint32_t i = 1; i < count; i++) {
        cr_expect(not(troupe_ref_equal(stale[i - 1], stale[i])));
        cr_expect(not(troupe_ref_equal(stale[i], last)));
    }
    free(stale);
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead_by_reason[TROUPE_DEAD_STOPPED], count));
}

static void spawn_and_stop_many(troupe_context_t *ctx, void *data)
{
    const uint32_t *count = data;
    troupe_ref_t scenario = troupe_self(ctx);
    struct troupe_spawn_options options = {
        .behaviour = &subject, .args = &scenario, .args_bytes = sizeof(scenario)};
    for (uint32_t i = 0; i < *count; i++) {
        troupe_ref_t ref = TROUPE_REF_NONE;
        cr_assert(eq(int, troupe_spawn(ctx, &options, &ref), TROUPE_OK));
        cr_assert(eq(int, troupe_stop_actor(ctx, ref), TROUPE_OK));
        cr_assert(eq(int, troupe_send(ctx, ref, VISIT, NULL, 0), TROUPE_OK));
    }
}

BACKEND_TEST(references, an_actor_stopped_before_its_start_leaves_nothing_behind)
{
    struct fixture *fixture = open_with_subjects(placement);
    uint32_t count = fixture_at_most(placement, 20);

    fixture_call(fixture, spawn_and_stop_many, &count);

    for (uint32_t i = 0; i < count; i++) {
        (void)fixture_receive(fixture, ENDED);
    }
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead, count));
    cr_expect(eq(u64, stats.actors_started, count + 1)); // and the scenario's
}

/* References that never were. ------------------------------------------------------------------ */

struct wrong {
    troupe_ref_t refs[4];
};

static void send_to_the_wrong(troupe_context_t *ctx, void *data)
{
    const struct wrong *wrong = data;
    for (int i = 0; i < 4; i++) {
        cr_expect(eq(int, troupe_send(ctx, wrong->refs[i], VISIT, "hello", 6), TROUPE_OK));
    }
}

BACKEND_TEST(references, an_unused_reference_makes_a_dead_letter)
{
    struct fixture *fixture = open_with_subjects(placement);
    troupe_ref_t real = fixture_spawn_reporter(fixture, &subject);
    struct wrong wrong = {.refs = {real, real, real, real}};
    wrong.refs[0].index = 77777777;
    wrong.refs[1].generation += 1000;
    wrong.refs[2].executor = 60000;
    wrong.refs[3].node = 99999;

    fixture_call(fixture, send_to_the_wrong, &wrong);
    fixture_send(fixture, real, VISIT, NULL, 0);

    (void)fixture_receive(fixture, VISITED);
    stop(fixture, real);
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead_by_reason[TROUPE_DEAD_NO_SUCH_ACTOR], 4));
    cr_expect(eq(u64, stats.dead, 4));
}

static void on_no_reply(
    troupe_context_t *ctx,
    void *state,
    uint64_t tag,
    enum troupe_err err,
    const troupe_message_t *reply)
{
    (void)ctx, (void)state, (void)tag, (void)err, (void)reply;
    cr_fatal("an ask that was refused has no answer");
}

static void try_no_reference(troupe_context_t *ctx, void *data)
{
    (void)data;
    struct troupe_body body = {0};
    struct troupe_outgoing outgoing = {.to = TROUPE_REF_NONE, .type = VISIT};
    cr_expect(eq(int, troupe_send(ctx, TROUPE_REF_NONE, VISIT, NULL, 0), TROUPE_ERR_INVAL));
    cr_expect(eq(int, troupe_send_body(ctx, TROUPE_REF_NONE, VISIT, &body), TROUPE_ERR_INVAL));
    cr_expect(
        eq(int,
           troupe_ask(ctx, &outgoing, &(const struct troupe_ask_options){.on_reply = on_no_reply}),
           TROUPE_ERR_INVAL));
    cr_expect(eq(int, troupe_send_after(ctx, 1, &outgoing, NULL), TROUPE_ERR_INVAL));
    cr_expect(eq(int, troupe_stop_actor(ctx, TROUPE_REF_NONE), TROUPE_ERR_INVAL));
}

BACKEND_TEST(references, a_send_to_no_reference_is_refused_at_once)
{
    struct fixture *fixture = open_with_subjects(placement);

    fixture_call(fixture, try_no_reference, NULL);

    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead, 0));
}

/* References as values. ------------------------------------------------------------------------ */

struct forward {
    troupe_ref_t to;
};

/** Visits the actor in its message, and returns the reply. */
static void forwarder_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    troupe_ref_t *scenario = state;
    if (troupe_message_type(message) == FORWARD) {
        *scenario = troupe_message_sender(message);
        MUST(troupe_send(ctx, TROUPE_BODY(message, struct forward)->to, VISIT, NULL, 0));
        return;
    }
    MUST(troupe_send(
        ctx,
        *scenario,
        troupe_message_type(message),
        troupe_message_body(message),
        troupe_message_body_bytes(message)));
}

static const struct troupe_behaviour forwarder = {
    .name = "forwarder", .state_bytes = sizeof(troupe_ref_t), .receive = forwarder_receive};

BACKEND_TEST(references, a_reference_in_a_message_names_the_same_actor)
{
    struct fixture_options options = {.behaviours = TROUPE_BEHAVIOURS(&subject, &forwarder)};
    struct fixture *fixture = fixture_open(placement, &options);
    struct forward forward = {.to = fixture_spawn_reporter(fixture, &subject)};
    troupe_ref_t ref = fixture_spawn(fixture, &forwarder);

    fixture_send(fixture, ref, FORWARD, &forward, sizeof(forward));

    cr_expect(eq(u32, *FIXTURE_RECEIVE(fixture, VISITED, uint32_t), 1));
    fixture_send(fixture, forward.to, VISIT, NULL, 0);
    cr_expect(eq(u32, *FIXTURE_RECEIVE(fixture, VISITED, uint32_t), 2));
    fixture_close(&fixture);
}

BACKEND_TEST(references, a_reference_printed_and_parsed_reaches_its_actor)
{
    struct fixture *fixture = open_with_subjects(placement);
    troupe_ref_t ref = fixture_spawn_reporter(fixture, &subject);
    char text[TROUPE_REF_TEXT_BYTES];
    troupe_ref_t parsed = TROUPE_REF_NONE;

    cr_assert(eq(int, troupe_ref_parse(troupe_ref_print(ref, text), &parsed), TROUPE_OK));

    cr_expect(troupe_ref_equal(parsed, ref), "'%s'", text);
    fixture_send(fixture, parsed, VISIT, NULL, 0);
    (void)fixture_receive(fixture, VISITED);
    fixture_close(&fixture);
}

SUBJECTS(&subject, &forwarder);

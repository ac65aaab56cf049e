// ctest: serial
/*
 * Many of one sort: names, watchers, waits, asks. What each costs does not grow with their number: a square of these numbers
 * would take minutes, and the end of the system would miss its deadline.
 */
#include "support/audit.h"
#include "support/backend_clone.h"
#include "support/fixture.h"
#include "support/measure.h"

#include <stdio.h>
#include <stdlib.h>

TestSuite(crowds, .timeout = 60);

enum { GO = 0x00630001, DONE };

/** How many; a sanitized program is slower. */
static uint32_t crowd_count(void)
{
    return measure_is_sanitized() ? 20000 : 100000;
}

/** The only place is executor 0's or one other: what they share is what is tested. */
static const struct fixture_placement places[] = {
    {.name = "ecs", .place = "ecs"}, {.name = "thread_2", .place = "thread:2"}};

static struct fixture *crowd_open(
    const struct fixture_placement *place, const struct troupe_behaviour *const *behaviours)
{
    return fixture_open(
        place,
        &(struct fixture_options){
            .behaviours = behaviours, .stop_timeout_ns = 20 * MEASURE_SECOND_NS});
}

/* Names. ---------------------------------------------------------------------------------------- */

static enum troupe_err named_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)state, (void)args_bytes;
    char name[24];
    (void)snprintf(name, sizeof(name), "actor-%u", *(const uint32_t *)args);
    return troupe_register(ctx, name);
}

static void nothing_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)ctx, (void)state, (void)message;
}

static const struct troupe_behaviour named = {
    .name = "named", .init = named_init, .receive = nothing_receive};

static void spawn_named(troupe_context_t *ctx, void *data)
{
    (void)data;
    for (uint32_t i = 0; i < crowd_count(); i++) {
        const struct troupe_spawn_options options = {
            .behaviour = &named, .args = &i, .args_bytes = sizeof(i)};
        MUST(troupe_spawn(ctx, &options, NULL));
    }
}

Test(crowds, of_named_actors_end_in_time)
{
    for (size_t i = 0; i < 2; i++) {
        struct fixture *fixture = crowd_open(&places[i], TROUPE_BEHAVIOURS(&named));
        fixture_call(fixture, spawn_named, NULL);
        fixture_settle(fixture);
        uint64_t start_ns = measure_now_ns();

        struct troupe_stats stats = fixture_close(&fixture);

        cr_expect(i == 1 || stats.actors_failed == 0); // elsewhere some had not started yet
        cr_expect(lt(u64, measure_now_ns() - start_ns, 10 * MEASURE_SECOND_NS));
    }
}

/* Watchers. ------------------------------------------------------------------------------------- */

struct watcher {
    troupe_ref_t watched;
    troupe_ref_t told;
};

static enum troupe_err watcher_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)args_bytes;
    *(struct watcher *)state = *(const struct watcher *)args;
    return troupe_monitor(ctx, ((const struct watcher *)args)->watched, NULL);
}

static void watcher_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    const struct watcher *self = state;
    MUST_BE(troupe_message_type(message) == TROUPE_MESSAGE_DOWN);
    fixture_ignore(troupe_send(ctx, self->told, GO, NULL, 0));
}

static const struct troupe_behaviour watcher = {
    .name = "watcher",
    .state_bytes = sizeof(struct watcher),
    .init = watcher_init,
    .receive = watcher_receive,
};

/** Counts to the number of the crowd, and reports that. */
struct teller {
    troupe_ref_t scenario;
    uint32_t count;
};

static enum troupe_err teller_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)ctx;
    ((struct teller *)state)->scenario = fixture_ref_of(args, args_bytes);
    return TROUPE_OK;
}

static void teller_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)message;
    struct teller *self = state;
    if (++self->count == crowd_count()) {
        MUST(troupe_send(ctx, self->scenario, DONE, NULL, 0));
    }
}

static const struct troupe_behaviour teller = {
    .name = "teller",
    .state_bytes = sizeof(struct teller),
    .init = teller_init,
    .receive = teller_receive,
};

static void spawn_watchers(troupe_context_t *ctx, void *data)
{
    const struct watcher *args = data;
    for (uint32_t i = 0; i < crowd_count(); i++) {
        const struct troupe_spawn_options options = {
            .behaviour = &watcher, .args = args, .args_bytes = sizeof(*args)};
        MUST(troupe_spawn(ctx, &options, NULL));
    }
    MUST(troupe_stop_actor(ctx, args->watched)); // behind them
}

Test(crowds, of_watchers_all_hear_of_an_end)
{
    for (size_t i = 0; i < 2; i++) {
        struct fixture *fixture = fixture_open(
            &places[i],
            &(struct fixture_options){
                .behaviours = TROUPE_BEHAVIOURS(&named, &watcher, &teller),
                .mailbox_messages = UINT32_MAX,
                .stop_timeout_ns = 20 * MEASURE_SECOND_NS});
        uint32_t number = 0;
        const struct troupe_spawn_options options = {
            .behaviour = &named, .args = &number, .args_bytes = sizeof(number)};
        struct watcher args = {
            .watched = fixture_spawn_with(fixture, &options),
            .told = fixture_spawn_reporter(fixture, &teller),
        };

        fixture_call(fixture, spawn_watchers, &args);

        (void)fixture_receive(fixture, DONE);
        (void)fixture_close(&fixture);
    }
}

/* Waits and asks. ------------------------------------------------------------------------------- */

static uint32_t timeout_count;

static void on_no_reply(
    troupe_context_t *ctx,
    void *state,
    uint64_t tag,
    enum troupe_err err,
    const troupe_message_t *reply)
{
    (void)ctx, (void)state, (void)tag, (void)reply;
    MUST_BE(err == TROUPE_ERR_TIMEDOUT);
    timeout_count++;
}

static void await_many(troupe_context_t *ctx, void *data)
{
    const uint64_t *timeout_ns = data;
    for (uint32_t i = 0; i < crowd_count(); i++) {
        char name[24];
        (void)snprintf(name, sizeof(name), "nobody-%u", i);
        const struct troupe_ask_options options = {
            .on_reply = on_no_reply, .timeout_ns = *timeout_ns, .tag = i};
        MUST(troupe_await_name(ctx, name, &options));
    }
}

Test(crowds, of_waits_for_names_end_at_their_deadline)
{
    uint64_t timeout_ns = 10 * MEASURE_MS_NS;
    timeout_count = 0;
    struct fixture *fixture = crowd_open(&places[0], TROUPE_BEHAVIOURS(&named));

    fixture_call(fixture, await_many, &timeout_ns);

    uint64_t deadline_ns = measure_now_ns() + 20 * MEASURE_SECOND_NS;
    while (timeout_count < crowd_count() && measure_now_ns() < deadline_ns) {
        fixture_ignore(troupe_system_progress(fixture_system(fixture), NULL));
    }
    cr_expect(eq(u32, timeout_count, crowd_count()));
    (void)fixture_close(&fixture);
}

static void cancel_many(troupe_context_t *ctx, void *data)
{
    (void)data;
    for (uint32_t i = 0; i < crowd_count(); i++) {
        MUST(troupe_ask_cancel(ctx, i));
    }
}

Test(crowds, of_waits_are_cancelled_one_by_one)
{
    uint64_t timeout_ns = 1000 * MEASURE_SECOND_NS;
    struct fixture *fixture = crowd_open(&places[0], TROUPE_BEHAVIOURS(&named));

    for (int round = 0; round < 3; round++) { // more than there is room for at a time
        fixture_call(fixture, await_many, &timeout_ns);
        fixture_call(fixture, cancel_many, NULL);
    }

    (void)fixture_close(&fixture);
}

/** Waits for as many names as it is told, and ends. */
static void waiting_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    uint64_t timeout_ns = 1000 * MEASURE_SECOND_NS;
    await_many(ctx, &timeout_ns);
    const struct troupe_outgoing never = {.to = troupe_self(ctx), .type = GO};
    for (uint32_t i = 0; i < crowd_count(); i++) {
        MUST(troupe_send_after(ctx, timeout_ns, &never, NULL));
    }
    MUST(troupe_reply(ctx, message, DONE, NULL, 0));
    troupe_stop(ctx);
}

static const struct troupe_behaviour waiting = {.name = "waiting", .receive = waiting_receive};

BACKEND_TEST(crowds, what_an_actor_waited_for_ends_with_it)
{
    struct fixture *fixture = crowd_open(placement, TROUPE_BEHAVIOURS(&waiting));
    for (int round = 0; round < 3; round++) { // more than there is room for at a time
        troupe_ref_t ref = fixture_spawn(fixture, &waiting);
        fixture_ask(fixture, ref, GO, NULL, 0);
        (void)fixture_receive(fixture, DONE);
        fixture_settle(fixture);
    }
    (void)fixture_close(&fixture);
}

SUBJECTS(&named, &watcher, &teller, &waiting);

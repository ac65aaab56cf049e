/*
 * Tables of a system that are full: 256 subscribers to dead letters, 131,072 names. What does not fit is
 * refused with an error, and there is room again when something was removed.
 */
#include "support/fixture.h"

#include <stdio.h>
#include <string.h>

enum { SUBSCRIBERS_MAX = 256, NAMES_MAX = 131072 };

static const struct fixture_placement on_ecs = {.name = "ecs", .place = "ecs"};

/* Subscribers. --------------------------------------------------------------------------------- */

enum {
    SUBSCRIBE = 1, // ask: replied to with RESULT
    UNSUBSCRIBE,   // ask: replied to with RESULT
    RESULT,        // uint32_t, an error code
};

static void subscriber_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    bool on = troupe_message_type(message) == SUBSCRIBE;
    uint32_t result = (uint32_t)troupe_dead_letters_subscribe(ctx, on);
    REPORT(ctx, message, RESULT, &result);
}

static const struct troupe_behaviour subscriber = {
    .name = "subscriber", .receive = subscriber_receive};

static enum troupe_err ask_subscriber(struct fixture *fixture, troupe_ref_t ref, uint32_t type)
{
    fixture_ask(fixture, ref, type, NULL, 0);
    return (enum troupe_err) * FIXTURE_RECEIVE(fixture, RESULT, uint32_t);
}

Test(table_limits, the_257th_subscriber_is_refused_until_another_unsubscribes)
{
    struct fixture *fixture = fixture_open(
        &on_ecs, &(struct fixture_options){.behaviours = TROUPE_BEHAVIOURS(&subscriber)});
    troupe_ref_t refs[SUBSCRIBERS_MAX + 1];
    for (uint32_t i = 0; i <= SUBSCRIBERS_MAX; i++) {
        refs[i] = fixture_spawn(fixture, &subscriber);
    }
    for (uint32_t i = 0; i < SUBSCRIBERS_MAX; i++) {
        cr_assert(eq(int, ask_subscriber(fixture, refs[i], SUBSCRIBE), TROUPE_OK));
    }
    troupe_ref_t late = refs[SUBSCRIBERS_MAX];

    cr_expect(eq(int, ask_subscriber(fixture, late, SUBSCRIBE), TROUPE_ERR_LIMIT));

    cr_expect(eq(int, ask_subscriber(fixture, refs[0], SUBSCRIBE), TROUPE_OK), "twice is once");
    cr_expect(eq(int, ask_subscriber(fixture, late, UNSUBSCRIBE), TROUPE_OK), "it was not there");
    cr_expect(eq(int, ask_subscriber(fixture, late, SUBSCRIBE), TROUPE_ERR_LIMIT));
    cr_expect(eq(int, ask_subscriber(fixture, refs[7], UNSUBSCRIBE), TROUPE_OK));
    cr_expect(eq(int, ask_subscriber(fixture, late, SUBSCRIBE), TROUPE_OK));
    (void)fixture_close(&fixture);
}

/* Names. --------------------------------------------------------------------------------------- */

static void name_print(char name[16], uint32_t index)
{
    (void)snprintf(name, 16, "name-%u", index);
}

static void on_name(
    troupe_context_t *ctx,
    void *state,
    uint64_t tag,
    enum troupe_err err,
    const troupe_message_t *reply)
{
    (void)ctx, (void)state, (void)tag, (void)reply;
    cr_expect(eq(int, err, TROUPE_OK));
}

static void register_all(troupe_context_t *ctx, void *data)
{
    (void)data;
    char name[16];
    for (uint32_t i = 0; i < NAMES_MAX; i++) {
        name_print(name, i);
        cr_assert(eq(int, troupe_register(ctx, name), TROUPE_OK), "%s", name);
    }
}

static void try_one_more(troupe_context_t *ctx, void *data)
{
    (void)data;
    const struct troupe_ask_options options = {.on_reply = on_name};

    cr_expect(eq(int, troupe_register(ctx, "one more"), TROUPE_ERR_LIMIT));
    cr_expect(strstr(troupe_error_detail(), "one more") != NULL, "%s", troupe_error_detail());
    cr_expect(eq(int, troupe_await_name(ctx, "another", &options), TROUPE_ERR_LIMIT));
    cr_expect(strstr(troupe_error_detail(), "another") != NULL, "%s", troupe_error_detail());

    cr_expect(eq(int, troupe_register(ctx, "name-7"), TROUPE_OK), "it has that name already");
    cr_expect(eq(int, troupe_await_name(ctx, "name-7", &options), TROUPE_OK));
    cr_expect(eq(int, troupe_unregister(ctx, "name-8"), TROUPE_OK));
    cr_expect(eq(int, troupe_register(ctx, "one more"), TROUPE_OK));
    cr_expect(eq(int, troupe_register(ctx, "name-8"), TROUPE_ERR_LIMIT));
}

Test(table_limits, a_name_over_131072_is_refused_until_another_is_unregistered)
{
    struct fixture *fixture = fixture_open(
        &on_ecs, &(struct fixture_options){.behaviours = TROUPE_BEHAVIOURS(&subscriber)});
    fixture_call(fixture, register_all, NULL);

    fixture_call(fixture, try_one_more, NULL);

    (void)fixture_close(&fixture);
}

SUBJECTS(&subscriber);

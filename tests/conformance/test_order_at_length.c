// ctest: timeout 120
/*
 * Promise 4, order, at length: several tell several, for each placement, and from each placement to each
 * other. TROUPE_ORDER_MESSAGES says how many messages there are in all of these tests together.
 */
#include "support/fixture.h"
#include "support/measure.h"

#include <stdlib.h>
#include <string.h>

enum {
    TELL = 1, // to a teller: struct tell
    NUMBER,   // from a teller to a hearer: struct number
    STEP,     // from a hearer, now and then: it goes on
    TOLD,     // from a hearer: struct told
};

enum {
    MESSAGES_DEFAULT = 10000000, // and a tenth of it under a sanitizer
    STEP_MESSAGES = 1 << 17,
    CAST = 3, // tellers, and hearers, of one placement
    CAST_MAX = 14,
};

#define ONE_MORE(suite, test, id, rule)  +1
#define ONE_PLACE(suite, test, id, rule) rule,

/** Tests that share the messages: one for each placement, and the last. */
enum { TESTS = 1 FIXTURE_PLACEMENTS(ONE_MORE, , ) };

/** All ways and places; `clone` is a backend of tests alone, and as a thread. */
static const char *const places[] = {FIXTURE_PLACEMENTS(ONE_PLACE, , )};

enum { PLACES = sizeof(places) / sizeof(places[0]) };

_Static_assert(sizeof(places) / sizeof(places[0]) <= (size_t)CAST_MAX, "raise CAST_MAX");

struct tell {
    uint32_t teller;
    uint32_t count; // for each hearer
    uint32_t hearer_count;
    troupe_ref_t hearers[CAST_MAX];
};

struct number {
    uint32_t teller;
    uint32_t number;
};

struct told {
    uint64_t count;
    uint64_t disordered;
};

/* Tellers and hearers. ------------------------------------------------------------------------- */

struct teller {
    struct tell tell;
    uint32_t next; // number
    uint32_t hearer;
};

static void teller_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct teller *teller = state;
    if (troupe_message_type(message) == TELL) {
        teller->tell = *TROUPE_BODY(message, struct tell);
    }
    while (teller->next < teller->tell.count) {
        const struct number number = {teller->tell.teller, teller->next};
        enum troupe_err err =
            TROUPE_SEND(ctx, teller->tell.hearers[teller->hearer], NUMBER, &number);
        if (err == TROUPE_ERR_FULL) {
            return; // goes on at ROOM
        }
        MUST(err);
        teller->hearer = (teller->hearer + 1) % teller->tell.hearer_count;
        teller->next += teller->hearer == 0;
    }
}

static const struct troupe_behaviour teller = {
    .name = "teller", .state_bytes = sizeof(struct teller), .receive = teller_receive};

struct hearer_args {
    troupe_ref_t scenario;
    uint64_t count; // of messages in all
};

struct hearer {
    struct hearer_args args;
    struct told told;
    uint32_t next[CAST_MAX];
};

static enum troupe_err hearer_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)ctx;
    struct hearer *hearer = state;
    MUST_BE(args_bytes == sizeof(hearer->args));
    memcpy(&hearer->args, args, args_bytes);
    return TROUPE_OK;
}

static void hearer_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct hearer *hearer = state;
    if (troupe_message_type(message) != NUMBER) {
        return;
    }
    const struct number *number = TROUPE_BODY(message, struct number);
    uint32_t *next = &hearer->next[number->teller % CAST_MAX];
    hearer->told.disordered += number->number != *next;
    *next = number->number + 1;
    hearer->told.count++;
    if (hearer->told.count == hearer->args.count) {
        MUST(TROUPE_SEND(ctx, hearer->args.scenario, TOLD, &hearer->told));
    } else if (hearer->told.count % STEP_MESSAGES == 0) {
        fixture_ignore(troupe_send(ctx, hearer->args.scenario, STEP, NULL, 0));
    }
}

static const struct troupe_behaviour hearer = {
    .name = "hearer",
    .state_bytes = sizeof(struct hearer),
    .init = hearer_init,
    .receive = hearer_receive,
};

/* The tests. ----------------------------------------------------------------------------------- */

/** @return how many messages each of @p pairs pairs is to have. */
static uint32_t count_of_each(uint32_t pairs)
{
    const char *text = getenv("TROUPE_ORDER_MESSAGES");
    uint64_t all = text != NULL ? strtoull(text, NULL, 10) : MESSAGES_DEFAULT;
    if (text == NULL && measure_is_sanitized()) {
        all /= 10;
    }
    return (uint32_t)(all / TESTS / pairs) + 1;
}

static troupe_ref_t spawn_at(
    struct fixture *fixture,
    const struct troupe_behaviour *behaviour,
    const char *place,
    const struct hearer_args *args)
{
    const struct troupe_spawn_options options = {
        .behaviour = behaviour,
        .place = place, // goes behind the rule of the test's placement, where there is one
        .args = args,
        .args_bytes = args != NULL ? sizeof(*args) : 0,
    };
    return fixture_spawn_with(fixture, &options);
}

/** Have @p cast tellers tell as many hearers, all at once. */
static void expect_order(struct fixture *fixture, uint32_t cast, const char *const *cast_places)
{
    struct tell tell = {.count = count_of_each(cast * cast), .hearer_count = cast};
    const struct hearer_args args = {
        .scenario = fixture_scenario(fixture), .count = (uint64_t)tell.count * cast};
    troupe_ref_t tellers[CAST_MAX];
    for (uint32_t i = 0; i < cast; i++) {
        tell.hearers[i] = spawn_at(fixture, &hearer, cast_places[i], &args);
        tellers[i] = spawn_at(fixture, &teller, cast_places[i], NULL);
    }

    for (; tell.teller < cast; tell.teller++) {
        fixture_tell(fixture, tellers[tell.teller], TELL, &tell, sizeof(tell));
    }

    for (uint32_t told_count = 0; told_count < cast;) {
        const struct heard *heard = fixture_hear_any(fixture);
        if (heard->type == TOLD) {
            const struct told *told = heard->body;
            cr_expect(eq(u64, told->count, args.count));
            cr_expect(eq(u64, told->disordered, 0));
            told_count++;
        }
    }
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead, 0));
    cr_expect(ge(u64, stats.handled, args.count * cast));
}

BACKEND_TEST(order_at_length, several_tell_several)
{
    static const char *const anywhere[CAST] = {NULL};
    struct fixture_options options = {.behaviours = TROUPE_BEHAVIOURS(&teller, &hearer)};
    expect_order(fixture_open(placement, &options), CAST, anywhere);
}

Test(order_at_length, each_placement_tells_each, .timeout = FIXTURE_TEST_SECONDS)
{
    const struct fixture_placement nowhere = {.name = "each", .place = "ecs"};
    struct fixture_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&teller, &hearer), .places_nothing = true};
    expect_order(fixture_open(&nowhere, &options), PLACES, places);
}

SUBJECTS(&teller, &hearer);

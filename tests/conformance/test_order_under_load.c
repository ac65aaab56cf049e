// ctest: timeout 120
/*
 * Promise 4, order, in many messages: several producers and several consumers, within each placement and between all
 * pairs of placements. TROUPE_ORDER_MESSAGES is the number of messages of all these tests together.
 */
#include "support/fixture.h"
#include "support/measure.h"

#include <stdlib.h>
#include <string.h>

enum {
    PRODUCE = 1, // to a producer: struct production
    NUMBER,      // from a producer to a consumer: struct number
    STEP,        // from a consumer, now and then: it goes on
    RECEIVED,    // from a consumer: struct summary
};

enum {
    MESSAGES_DEFAULT = 10000000, // and a tenth of it under a sanitizer
    STEP_MESSAGES = 1 << 17,
    ACTORS = 3, // producers, and consumers, of one placement
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

struct production {
    uint32_t producer;
    uint32_t count; // for each consumer
    uint32_t consumer_count;
    troupe_ref_t consumers[CAST_MAX];
};

struct number {
    uint32_t producer;
    uint32_t number;
};

struct summary {
    uint64_t count;
    uint64_t disordered;
};

/* Producers and consumers. --------------------------------------------------------------------- */

struct producer {
    struct production production;
    uint32_t next; // number
    uint32_t consumer;
};

static void producer_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct producer *producer = state;
    if (troupe_message_type(message) == PRODUCE) {
        producer->production = *TROUPE_BODY(message, struct production);
    }
    while (producer->next < producer->production.count) {
        const struct number number = {producer->production.producer, producer->next};
        enum troupe_err err =
            TROUPE_SEND(ctx, producer->production.consumers[producer->consumer], NUMBER, &number);
        if (err == TROUPE_ERR_FULL) {
            return; // continues at ROOM
        }
        MUST(err);
        producer->consumer = (producer->consumer + 1) % producer->production.consumer_count;
        producer->next += producer->consumer == 0;
    }
}

static const struct troupe_behaviour producer = {
    .name = "producer", .state_bytes = sizeof(struct producer), .receive = producer_receive};

struct consumer_args {
    troupe_ref_t scenario;
    uint64_t count; // of messages in all
};

struct consumer {
    struct consumer_args args;
    struct summary summary;
    uint32_t next[CAST_MAX];
};

static enum troupe_err consumer_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)ctx;
    struct consumer *consumer = state;
    MUST_BE(args_bytes == sizeof(consumer->args));
    memcpy(&consumer->args, args, args_bytes);
    return TROUPE_OK;
}

static void consumer_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct consumer *consumer = state;
    if (troupe_message_type(message) != NUMBER) {
        return;
    }
    const struct number *number = TROUPE_BODY(message, struct number);
    uint32_t *next = &consumer->next[number->producer % CAST_MAX];
    consumer->summary.disordered += number->number != *next;
    *next = number->number + 1;
    consumer->summary.count++;
    if (consumer->summary.count == consumer->args.count) {
        MUST(TROUPE_SEND(ctx, consumer->args.scenario, RECEIVED, &consumer->summary));
    } else if (consumer->summary.count % STEP_MESSAGES == 0) {
        fixture_ignore(troupe_send(ctx, consumer->args.scenario, STEP, NULL, 0));
    }
}

static const struct troupe_behaviour consumer = {
    .name = "consumer",
    .state_bytes = sizeof(struct consumer),
    .init = consumer_init,
    .receive = consumer_receive,
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
    const struct consumer_args *args)
{
    const struct troupe_spawn_options options = {
        .behaviour = behaviour,
        .place = place, // goes behind the rule of the test's placement, where there is one
        .args = args,
        .args_bytes = args != NULL ? sizeof(*args) : 0,
    };
    return fixture_spawn_with(fixture, &options);
}

/** Have @p actor_count producers send to as many consumers, all at once. */
static void expect_order(
    struct fixture *fixture, uint32_t actor_count, const char *const *cast_places)
{
    struct production production = {
        .count = count_of_each(actor_count * actor_count), .consumer_count = actor_count};
    const struct consumer_args args = {
        .scenario = fixture_scenario(fixture), .count = (uint64_t)production.count * actor_count};
    troupe_ref_t producers[CAST_MAX];
    for (uint32_t i = 0; i < actor_count; i++) {
        production.consumers[i] = spawn_at(fixture, &consumer, cast_places[i], &args);
        producers[i] = spawn_at(fixture, &producer, cast_places[i], NULL);
    }

    for (; production.producer < actor_count; production.producer++) {
        fixture_send(
            fixture, producers[production.producer], PRODUCE, &production, sizeof(production));
    }

    for (uint32_t summary_count = 0; summary_count < actor_count;) {
        const struct received *received = fixture_receive_any(fixture);
        if (received->type == RECEIVED) {
            const struct summary *summary = received->body;
            cr_expect(eq(u64, summary->count, args.count));
            cr_expect(eq(u64, summary->disordered, 0));
            summary_count++;
        }
    }
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead, 0));
    cr_expect(ge(u64, stats.handled, args.count * actor_count));
}

BACKEND_TEST(order_under_load, holds_between_several_senders_and_several_receivers)
{
    static const char *const anywhere[ACTORS] = {NULL};
    struct fixture_options options = {.behaviours = TROUPE_BEHAVIOURS(&producer, &consumer)};
    expect_order(fixture_open(placement, &options), ACTORS, anywhere);
}

Test(order_under_load, holds_between_all_pairs_of_placements, .timeout = FIXTURE_TEST_SECONDS)
{
    const struct fixture_placement nowhere = {.name = "each", .place = "ecs"};
    struct fixture_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&producer, &consumer), .places_nothing = true};
    expect_order(fixture_open(&nowhere, &options), PLACES, places);
}

SUBJECTS(&producer, &consumer);

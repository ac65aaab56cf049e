/*
 * Promise 4, order: messages of one actor to another are handled in the order in which they were sent, whatever their
 * size and way of sending, even when a full mailbox interrupts the sender.
 */
#include "support/fixture.h"

#include <stdlib.h>
#include <string.h>

enum {
    PRODUCE = 1, // to a producer: struct production
    NUMBER,      // from a producer to the consumer: struct number, and more bytes
    EXPECT,   // ask of the consumer: struct expect; replied to with RECEIVED when all was handled
    RECEIVED, // struct summary
    START,    // asks the replier for messages before, its reply, and messages after
    SEQUENCE, // uint32_t
    SPAWN_CHILD,  // to the parent: struct spawn_child
    ASK_GREETING, // from the parent to the courier: struct introduction
    HELLO,        // from the courier to the child: troupe_ref_t, the receiver
    GREETED,      // struct greeted
    LAST,         // to the closing one
};

enum { PRODUCER_MAX = 16 };

/* The producer numbers its messages and continues at ROOM. ------------------------------------- */

struct production {
    troupe_ref_t to;
    uint32_t producer; // index among the producers
    uint32_t count;
    uint32_t is_mixed; // sizes and ways change from one message to the next
};

struct number {
    uint32_t producer;
    uint32_t number;
};

struct producer {
    struct production production;
    uint32_t next;
};

/**
 * @return how many bytes follow the number, so that runs, padding, pages and handles take turns.
 */
static size_t bytes_behind(const struct production *production, uint32_t number)
{
    static const size_t sizes_bytes[] = {0, 1, 7, 8, 9, 100, 0, 0, 4096, 0, 40960, 3};
    return production->is_mixed == 0
               ? 0
               : sizes_bytes[number % (sizeof(sizes_bytes) / sizeof(sizes_bytes[0]))];
}

static enum troupe_err producer_send_body(
    troupe_context_t *ctx, const struct producer *producer, size_t bytes)
{
    struct troupe_body body;
    MUST(troupe_body_new(bytes, &body));
    *(struct number *)body.data = (struct number){producer->production.producer, producer->next};
    enum troupe_err err = troupe_send_body(ctx, producer->production.to, NUMBER, &body);
    troupe_body_free(&body); // ours still only if it was refused
    return err;
}

static enum troupe_err producer_send(troupe_context_t *ctx, const struct producer *producer)
{
    static const unsigned char zeroes[sizeof(struct number) + 40960];
    size_t bytes = sizeof(struct number) + bytes_behind(&producer->production, producer->next);
    if (producer->production.is_mixed != 0 && producer->next % 5 == 0) {
        return producer_send_body(ctx, producer, bytes);
    }
    unsigned char *body = malloc(sizeof(zeroes));
    MUST_BE(body != NULL);
    memcpy(body, zeroes, bytes);
    struct number number = {producer->production.producer, producer->next};
    memcpy(body, &number, sizeof(number));
    enum troupe_err err = troupe_send(ctx, producer->production.to, NUMBER, body, bytes);
    free(body);
    return err;
}

static void producer_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct producer *producer = state;
    if (troupe_message_type(message) == PRODUCE) {
        producer->production = *TROUPE_BODY(message, struct production);
    }
    while (producer->next < producer->production.count) {
        enum troupe_err err = producer_send(ctx, producer);
        if (err == TROUPE_ERR_FULL) {
            return; // continues at ROOM
        }
        MUST(err);
        producer->next++;
    }
}

static const struct troupe_behaviour producer = {
    .name = "producer", .state_bytes = sizeof(struct producer), .receive = producer_receive};

/* The consumer checks the numbers of each producer. -------------------------------------------- */

struct expect {
    uint64_t count; // of messages in all
};

struct summary {
    uint64_t count;
    uint64_t disordered;
    uint64_t wrong_sizes;
};

struct consumer {
    struct troupe_reply_to reply_to;
    struct summary summary;
    struct expect expect;
    uint32_t next[PRODUCER_MAX];
    struct production production; // sizes and ways of sending of the producers
};

static void consumer_check(struct consumer *consumer, const troupe_message_t *message)
{
    struct number number;
    MUST_BE(troupe_message_body_bytes(message) >= sizeof(number));
    memcpy(&number, troupe_message_body(message), sizeof(number));
    MUST_BE(number.producer < PRODUCER_MAX);
    consumer->summary.count++;
    consumer->summary.disordered += number.number != consumer->next[number.producer];
    consumer->next[number.producer] = number.number + 1;
    size_t bytes = sizeof(number) + bytes_behind(&consumer->production, number.number);
    consumer->summary.wrong_sizes += troupe_message_body_bytes(message) != bytes;
}

static void consumer_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct consumer *consumer = state;
    if (troupe_message_type(message) == EXPECT) {
        consumer->reply_to = troupe_message_reply_to(message);
        consumer->expect = *TROUPE_BODY(message, struct expect);
    } else {
        consumer_check(consumer, message);
    }
    if (consumer->expect.count != 0 && consumer->summary.count == consumer->expect.count) {
        MUST(troupe_reply_later(
            ctx, consumer->reply_to, RECEIVED, &consumer->summary, sizeof(consumer->summary)));
        consumer->expect.count = 0;
    }
}

static enum troupe_err consumer_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)ctx;
    struct consumer *consumer = state;
    MUST_BE(args_bytes == sizeof(consumer->production));
    memcpy(&consumer->production, args, args_bytes);
    return TROUPE_OK;
}

static const struct troupe_behaviour consumer = {
    .name = "consumer",
    .state_bytes = sizeof(struct consumer),
    .init = consumer_init,
    .receive = consumer_receive,
};

/** What a test waits for. */
struct tale {
    uint32_t producer_count;
    uint32_t count; // a producer
    bool is_mixed;
    uint32_t mailbox_messages;
};

static void expect_order(const struct fixture_placement *placement, const struct tale *tale)
{
    struct fixture_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&producer, &consumer),
        .mailbox_messages = tale->mailbox_messages,
    };
    struct fixture *fixture = fixture_open(placement, &options);
    struct production production = {.count = tale->count, .is_mixed = tale->is_mixed};
    production.to = fixture_spawn_with(
        fixture,
        &(struct troupe_spawn_options){
            .behaviour = &consumer, .args = &production, .args_bytes = sizeof(production)});
    struct expect expect = {.count = (uint64_t)tale->producer_count * tale->count};
    fixture_ask(fixture, production.to, EXPECT, &expect, sizeof(expect));
    troupe_ref_t producers[PRODUCER_MAX];
    for (uint32_t i = 0; i < tale->producer_count; i++) {
        producers[i] = fixture_spawn(fixture, &producer);
    }

    for (; production.producer < tale->producer_count; production.producer++) {
        fixture_send(
            fixture, producers[production.producer], PRODUCE, &production, sizeof(production));
    }

    const struct summary *summary = FIXTURE_RECEIVE(fixture, RECEIVED, struct summary);
    cr_expect(eq(u64, summary->count, expect.count));
    cr_expect(eq(u64, summary->disordered, 0));
    cr_expect(eq(u64, summary->wrong_sizes, 0));
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead, 0));
}

BACKEND_TEST(order, messages_of_one_sender_arrive_in_order)
{
    expect_order(placement, &(struct tale){.producer_count = 1, .count = 10000});
}

BACKEND_TEST(order, messages_of_all_sizes_and_ways_of_sending_arrive_in_order)
{
    expect_order(placement, &(struct tale){.producer_count = 1, .count = 3000, .is_mixed = true});
}

BACKEND_TEST(order, messages_of_each_of_several_senders_arrive_in_order)
{
    expect_order(placement, &(struct tale){.producer_count = 8, .count = 1000});
}

BACKEND_TEST(order, order_holds_when_full_mailboxes_interrupt_the_sender)
{
    expect_order(
        placement, &(struct tale){.producer_count = 1, .count = 10000, .mailbox_messages = 32});
}

BACKEND_TEST(order, order_holds_when_several_senders_flood_a_small_mailbox)
{
    struct tale tale = {
        .producer_count = 4, .count = 1000, .is_mixed = true, .mailbox_messages = 32};
    expect_order(placement, &tale);
}

/* The replier sends before and after it replies. ----------------------------------------------- */

static void replier_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    troupe_ref_t to = troupe_message_sender(message);
    for (uint32_t word = 0; word < 7; word++) {
        if (word == 3) {
            REPORT(ctx, message, SEQUENCE, &word);
        } else {
            MUST(TROUPE_SEND(ctx, to, SEQUENCE, &word));
        }
    }
}

static const struct troupe_behaviour replier = {.name = "replier", .receive = replier_receive};

BACKEND_TEST(order, a_reply_keeps_its_order_among_messages)
{
    struct fixture_options options = {.behaviours = TROUPE_BEHAVIOURS(&replier)};
    struct fixture *fixture = fixture_open(placement, &options);
    troupe_ref_t ref = fixture_spawn(fixture, &replier);

    fixture_ask(fixture, ref, START, NULL, 0);

    for (uint32_t word = 0; word < 7; word++) {
        const struct received *received = fixture_receive_any(fixture);
        cr_assert(eq(sz, received->body_bytes, sizeof(word)));
        cr_expect(eq(u32, *(const uint32_t *)received->body, word));
        cr_expect(received->is_reply == (word == 3), "word %u", word);
    }
    fixture_close(&fixture);
}

/* A parent brings up a child, and a courier is the first to greet it. -------------------------- */

struct spawn_child {
    troupe_ref_t courier;
    uint32_t count;
};

struct introduction {
    troupe_ref_t child;
    troupe_ref_t scenario;
};

struct greeted {
    uint64_t was_grown; // whether init had run
};

static enum troupe_err child_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)args, (void)args_bytes;
    // Slow on purpose: the greeting is on its way long before this is done.
    uint64_t start_ns = troupe_now(ctx);
    while (troupe_now(ctx) - start_ns < 200000) {
    }
    ((struct greeted *)state)->was_grown = 1;
    return TROUPE_OK;
}

static void child_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct greeted *greeted = state;
    MUST(TROUPE_SEND(ctx, *TROUPE_BODY(message, troupe_ref_t), GREETED, greeted));
}

static const struct troupe_behaviour child = {
    .name = "child",
    .state_bytes = sizeof(struct greeted),
    .init = child_init,
    .receive = child_receive,
};

static void parent_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    struct spawn_child spawn_child = *TROUPE_BODY(message, struct spawn_child);
    struct troupe_spawn_options options = {.behaviour = &child};
    struct introduction introduction = {.scenario = troupe_message_sender(message)};
    for (uint32_t i = 0; i < spawn_child.count; i++) {
        MUST(troupe_spawn(ctx, &options, &introduction.child));
        MUST(TROUPE_SEND(ctx, spawn_child.courier, ASK_GREETING, &introduction));
        troupe_flush(ctx); // the courier may well be faster than the child's start
    }
}

static const struct troupe_behaviour parent = {.name = "parent", .receive = parent_receive};

static void courier_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    const struct introduction *introduction = TROUPE_BODY(message, struct introduction);
    MUST(TROUPE_SEND(ctx, introduction->child, HELLO, &introduction->scenario));
    troupe_flush(ctx);
}

static const struct troupe_behaviour courier = {.name = "courier", .receive = courier_receive};

BACKEND_TEST(order, a_third_partys_message_is_handled_after_init)
{
    struct fixture_options options = {.behaviours = TROUPE_BEHAVIOURS(&parent, &courier, &child)};
    struct fixture *fixture = fixture_open(placement, &options);
    troupe_ref_t parent_ref = fixture_spawn(fixture, &parent);
    struct spawn_child spawn_child = {
        .courier = fixture_spawn(fixture, &courier),
        .count = fixture_at_most(placement, 20),
    };

    fixture_send(fixture, parent_ref, SPAWN_CHILD, &spawn_child, sizeof(spawn_child));

    for (uint32_t i = 0; i < spawn_child.count; i++) {
        const struct greeted *greeted = FIXTURE_RECEIVE(fixture, GREETED, struct greeted);
        cr_expect(eq(u64, greeted->was_grown, 1));
    }
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead, 0));
}

/* The closing actor sends its last messages in fini. ------------------------------------------- */

static void closing_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    troupe_ref_t *scenario = state;
    *scenario = troupe_message_sender(message);
    for (uint32_t word = 0; word < 10; word++) {
        MUST(TROUPE_SEND(ctx, *scenario, SEQUENCE, &word));
    }
    troupe_stop(ctx);
    uint32_t last = 10;
    MUST(TROUPE_SEND(ctx, *scenario, SEQUENCE, &last)); // it ends after the callback, not within
}

static void closing_fini(troupe_context_t *ctx, void *state, const struct troupe_exit *end)
{
    (void)end;
    for (uint32_t word = 11; word < 20; word++) {
        MUST(TROUPE_SEND(ctx, *(troupe_ref_t *)state, SEQUENCE, &word));
    }
}

static const struct troupe_behaviour closing = {
    .name = "closing",
    .state_bytes = sizeof(troupe_ref_t),
    .receive = closing_receive,
    .fini = closing_fini,
};

BACKEND_TEST(order, messages_sent_in_fini_arrive_after_all_earlier_ones)
{
    struct fixture_options options = {.behaviours = TROUPE_BEHAVIOURS(&closing)};
    struct fixture *fixture = fixture_open(placement, &options);
    troupe_ref_t ref = fixture_spawn(fixture, &closing);

    fixture_send(fixture, ref, LAST, NULL, 0);

    for (uint32_t word = 0; word < 20; word++) {
        cr_expect(eq(u32, *FIXTURE_RECEIVE(fixture, SEQUENCE, uint32_t), word));
    }
    fixture_close(&fixture);
}

/* Stop overtakes. ------------------------------------------------------------------------------ */

static void flood_then_stop(troupe_context_t *ctx, void *data)
{
    const struct fixture_flood *flood = data;
    fixture_flood(ctx, data);
    cr_assert(eq(int, troupe_stop_actor(ctx, flood->to), TROUPE_OK));
}

BACKEND_TEST(order, stop_actor_overtakes_waiting_messages)
{
    struct fixture_options options = {.behaviours = TROUPE_BEHAVIOURS(&fixture_slow)};
    struct fixture *fixture = fixture_open(placement, &options);
    troupe_ref_t ref = fixture_spawn(fixture, &fixture_slow);
    struct fixture_latch latch;
    fixture_hold(fixture, ref, &latch);
    // Many frames' worth, so that the stop has something to overtake behind the first of them.
    struct fixture_flood flood = {.to = ref, .body_bytes = 1024, .count_max = 1000};

    fixture_call(fixture, flood_then_stop, &flood);
    fixture_latch_open(&latch);

    fixture_ask(fixture, ref, FIXTURE_COUNT, NULL, 0);
    cr_expect(eq(int, fixture_receive(fixture, FIXTURE_NO_REPLY)->err, TROUPE_ERR_NOENT));
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(ge(u64, stats.dead_by_reason[TROUPE_DEAD_STOPPED], 500));
}

SUBJECTS(&producer, &consumer, &replier, &parent, &courier, &child, &closing, &fixture_slow);

/*
 * Promise 4, order: what one actor sends another is met in the order it was sent, whatever its size
 * and its way, also where a full mailbox interrupts the sender.
 */
#include "support/fixture.h"

#include <stdlib.h>
#include <string.h>

enum {
    TELL = 1, // to a teller: struct tell
    NUMBER,   // from a teller to the hearer: struct number, and more bytes
    EXPECT,   // ask of the hearer: struct expect; answered by TOLD when all was met
    TOLD,     // struct told
    TALK,     // asks the talker for words before, its answer, and words after
    WORD,     // uint32_t
    BRING_UP, // to the parent: struct bring_up
    MEET,     // from the parent to the courier: struct meet
    HELLO,    // from the courier to the child: troupe_ref_t, whom to tell
    GREETED,  // struct greeted
    LAST,     // to the dying one
};

enum { TELLER_MAX = 16 };

/* The teller numbers its messages and goes on at ROOM. ----------------------------------------- */

struct tell {
    troupe_ref_t to;
    uint32_t teller; // index among the tellers
    uint32_t count;
    uint32_t is_mixed; // sizes and ways change from one message to the next
};

struct number {
    uint32_t teller;
    uint32_t number;
};

struct teller {
    struct tell tell;
    uint32_t next;
};

/**
 * @return how many bytes follow the number, so that runs, padding, pages and handles take turns.
 */
static size_t bytes_behind(const struct tell *tell, uint32_t number)
{
    static const size_t sizes_bytes[] = {0, 1, 7, 8, 9, 100, 0, 0, 4096, 0, 40960, 3};
    return tell->is_mixed == 0
               ? 0
               : sizes_bytes[number % (sizeof(sizes_bytes) / sizeof(sizes_bytes[0]))];
}

static enum troupe_err teller_give(troupe_context_t *ctx, const struct teller *teller, size_t bytes)
{
    struct troupe_body body;
    MUST(troupe_body_new(bytes, &body));
    *(struct number *)body.data = (struct number){teller->tell.teller, teller->next};
    enum troupe_err err = troupe_send_body(ctx, teller->tell.to, NUMBER, &body);
    troupe_body_free(&body); // ours still only if it was refused
    return err;
}

static enum troupe_err teller_send(troupe_context_t *ctx, const struct teller *teller)
{
    static const unsigned char zeroes[sizeof(struct number) + 40960];
    size_t bytes = sizeof(struct number) + bytes_behind(&teller->tell, teller->next);
    if (teller->tell.is_mixed != 0 && teller->next % 5 == 0) {
        return teller_give(ctx, teller, bytes);
    }
    unsigned char *body = malloc(sizeof(zeroes));
    MUST_BE(body != NULL);
    memcpy(body, zeroes, bytes);
    struct number number = {teller->tell.teller, teller->next};
    memcpy(body, &number, sizeof(number));
    enum troupe_err err = troupe_send(ctx, teller->tell.to, NUMBER, body, bytes);
    free(body);
    return err;
}

static void teller_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct teller *teller = state;
    if (troupe_message_type(message) == TELL) {
        teller->tell = *TROUPE_BODY(message, struct tell);
    }
    while (teller->next < teller->tell.count) {
        enum troupe_err err = teller_send(ctx, teller);
        if (err == TROUPE_ERR_FULL) {
            return; // goes on at ROOM
        }
        MUST(err);
        teller->next++;
    }
}

static const struct troupe_behaviour teller = {
    .name = "teller", .state_bytes = sizeof(struct teller), .receive = teller_receive};

/* The hearer checks the numbers of each teller. ------------------------------------------------ */

struct expect {
    uint64_t count; // of messages in all
};

struct told {
    uint64_t count;
    uint64_t disordered;
    uint64_t wrong_sizes;
};

struct hearer {
    struct troupe_reply_to asker;
    struct told told;
    struct expect expect;
    uint32_t next[TELLER_MAX];
    struct tell tell; // how the tellers tell, as far as sizes go
};

static void hearer_hear(struct hearer *hearer, const troupe_message_t *message)
{
    struct number number;
    MUST_BE(troupe_message_body_bytes(message) >= sizeof(number));
    memcpy(&number, troupe_message_body(message), sizeof(number));
    MUST_BE(number.teller < TELLER_MAX);
    hearer->told.count++;
    hearer->told.disordered += number.number != hearer->next[number.teller];
    hearer->next[number.teller] = number.number + 1;
    size_t bytes = sizeof(number) + bytes_behind(&hearer->tell, number.number);
    hearer->told.wrong_sizes += troupe_message_body_bytes(message) != bytes;
}

static void hearer_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct hearer *hearer = state;
    if (troupe_message_type(message) == EXPECT) {
        hearer->asker = troupe_message_reply_to(message);
        hearer->expect = *TROUPE_BODY(message, struct expect);
    } else {
        hearer_hear(hearer, message);
    }
    if (hearer->expect.count != 0 && hearer->told.count == hearer->expect.count) {
        MUST(troupe_reply_later(ctx, hearer->asker, TOLD, &hearer->told, sizeof(hearer->told)));
        hearer->expect.count = 0;
    }
}

static enum troupe_err hearer_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)ctx;
    struct hearer *hearer = state;
    MUST_BE(args_bytes == sizeof(hearer->tell));
    memcpy(&hearer->tell, args, args_bytes);
    return TROUPE_OK;
}

static const struct troupe_behaviour hearer = {
    .name = "hearer",
    .state_bytes = sizeof(struct hearer),
    .init = hearer_init,
    .receive = hearer_receive,
};

/** What a test wants to be told. */
struct tale {
    uint32_t teller_count;
    uint32_t count; // a teller
    bool is_mixed;
    uint32_t mailbox_messages;
};

static void expect_order(const struct fixture_placement *placement, const struct tale *tale)
{
    struct fixture_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&teller, &hearer),
        .mailbox_messages = tale->mailbox_messages,
    };
    struct fixture *fixture = fixture_open(placement, &options);
    struct tell tell = {.count = tale->count, .is_mixed = tale->is_mixed};
    tell.to = fixture_spawn_with(
        fixture,
        &(struct troupe_spawn_options){
            .behaviour = &hearer, .args = &tell, .args_bytes = sizeof(tell)});
    struct expect expect = {.count = (uint64_t)tale->teller_count * tale->count};
    fixture_ask(fixture, tell.to, EXPECT, &expect, sizeof(expect));
    troupe_ref_t tellers[TELLER_MAX];
    for (uint32_t i = 0; i < tale->teller_count; i++) {
        tellers[i] = fixture_spawn(fixture, &teller);
    }

    for (; tell.teller < tale->teller_count; tell.teller++) {
        fixture_tell(fixture, tellers[tell.teller], TELL, &tell, sizeof(tell));
    }

    const struct told *told = FIXTURE_HEAR(fixture, TOLD, struct told);
    cr_expect(eq(u64, told->count, expect.count));
    cr_expect(eq(u64, told->disordered, 0));
    cr_expect(eq(u64, told->wrong_sizes, 0));
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead, 0));
}

BACKEND_TEST(order, one_sender_is_heard_in_order)
{
    expect_order(placement, &(struct tale){.teller_count = 1, .count = 10000});
}

BACKEND_TEST(order, messages_of_all_sizes_and_given_bodies_are_heard_in_order)
{
    expect_order(placement, &(struct tale){.teller_count = 1, .count = 3000, .is_mixed = true});
}

BACKEND_TEST(order, each_of_several_senders_is_heard_in_order)
{
    expect_order(placement, &(struct tale){.teller_count = 8, .count = 1000});
}

BACKEND_TEST(order, order_holds_where_full_mailboxes_interrupt_the_sender)
{
    expect_order(
        placement, &(struct tale){.teller_count = 1, .count = 10000, .mailbox_messages = 32});
}

BACKEND_TEST(order, order_holds_where_several_senders_press_into_a_small_mailbox)
{
    struct tale tale = {.teller_count = 4, .count = 1000, .is_mixed = true, .mailbox_messages = 32};
    expect_order(placement, &tale);
}

/* The talker speaks before and after it answers. ----------------------------------------------- */

static void talker_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    troupe_ref_t to = troupe_message_sender(message);
    for (uint32_t word = 0; word < 7; word++) {
        if (word == 3) {
            REPORT(ctx, message, WORD, &word);
        } else {
            MUST(TROUPE_SEND(ctx, to, WORD, &word));
        }
    }
}

static const struct troupe_behaviour talker = {.name = "talker", .receive = talker_receive};

BACKEND_TEST(order, an_answer_keeps_its_place_among_messages)
{
    struct fixture_options options = {.behaviours = TROUPE_BEHAVIOURS(&talker)};
    struct fixture *fixture = fixture_open(placement, &options);
    troupe_ref_t ref = fixture_spawn(fixture, &talker);

    fixture_ask(fixture, ref, TALK, NULL, 0);

    for (uint32_t word = 0; word < 7; word++) {
        const struct heard *heard = fixture_hear_any(fixture);
        cr_assert(eq(sz, heard->body_bytes, sizeof(word)));
        cr_expect(eq(u32, *(const uint32_t *)heard->body, word));
        cr_expect(heard->is_reply == (word == 3), "word %u", word);
    }
    fixture_close(&fixture);
}

/* A parent brings up a child, and a courier is the first to greet it. -------------------------- */

struct bring_up {
    troupe_ref_t courier;
    uint32_t count;
};

struct meet {
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
    struct bring_up bring_up = *TROUPE_BODY(message, struct bring_up);
    struct troupe_spawn_options options = {.behaviour = &child};
    struct meet meet = {.scenario = troupe_message_sender(message)};
    for (uint32_t i = 0; i < bring_up.count; i++) {
        MUST(troupe_spawn(ctx, &options, &meet.child));
        MUST(TROUPE_SEND(ctx, bring_up.courier, MEET, &meet));
        troupe_flush(ctx); // the courier may well be faster than the child's start
    }
}

static const struct troupe_behaviour parent = {.name = "parent", .receive = parent_receive};

static void courier_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    const struct meet *meet = TROUPE_BODY(message, struct meet);
    MUST(TROUPE_SEND(ctx, meet->child, HELLO, &meet->scenario));
    troupe_flush(ctx);
}

static const struct troupe_behaviour courier = {.name = "courier", .receive = courier_receive};

BACKEND_TEST(order, a_third_partys_message_is_met_after_init)
{
    struct fixture_options options = {.behaviours = TROUPE_BEHAVIOURS(&parent, &courier, &child)};
    struct fixture *fixture = fixture_open(placement, &options);
    troupe_ref_t parent_ref = fixture_spawn(fixture, &parent);
    struct bring_up bring_up = {
        .courier = fixture_spawn(fixture, &courier),
        .count = fixture_some(placement, 20),
    };

    fixture_tell(fixture, parent_ref, BRING_UP, &bring_up, sizeof(bring_up));

    for (uint32_t i = 0; i < bring_up.count; i++) {
        const struct greeted *greeted = FIXTURE_HEAR(fixture, GREETED, struct greeted);
        cr_expect(eq(u64, greeted->was_grown, 1));
    }
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead, 0));
}

/* The dying one says its last words in fini. --------------------------------------------------- */

static void dying_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    troupe_ref_t *scenario = state;
    *scenario = troupe_message_sender(message);
    for (uint32_t word = 0; word < 10; word++) {
        MUST(TROUPE_SEND(ctx, *scenario, WORD, &word));
    }
    troupe_stop(ctx);
    uint32_t last = 10;
    MUST(TROUPE_SEND(ctx, *scenario, WORD, &last)); // it ends after the callback, not within
}

static void dying_fini(troupe_context_t *ctx, void *state, const struct troupe_exit *end)
{
    (void)end;
    for (uint32_t word = 11; word < 20; word++) {
        MUST(TROUPE_SEND(ctx, *(troupe_ref_t *)state, WORD, &word));
    }
}

static const struct troupe_behaviour dying = {
    .name = "dying",
    .state_bytes = sizeof(troupe_ref_t),
    .receive = dying_receive,
    .fini = dying_fini,
};

BACKEND_TEST(order, what_fini_sends_comes_behind_all_that_was_sent_before)
{
    struct fixture_options options = {.behaviours = TROUPE_BEHAVIOURS(&dying)};
    struct fixture *fixture = fixture_open(placement, &options);
    troupe_ref_t ref = fixture_spawn(fixture, &dying);

    fixture_tell(fixture, ref, LAST, NULL, 0);

    for (uint32_t word = 0; word < 20; word++) {
        cr_expect(eq(u32, *FIXTURE_HEAR(fixture, WORD, uint32_t), word));
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

BACKEND_TEST(order, stop_actor_overtakes_the_mail_that_waits)
{
    struct fixture_options options = {.behaviours = TROUPE_BEHAVIOURS(&fixture_slow)};
    struct fixture *fixture = fixture_open(placement, &options);
    troupe_ref_t ref = fixture_spawn(fixture, &fixture_slow);
    struct fixture_gate gate;
    fixture_hold(fixture, ref, &gate);
    // Many frames' worth, so that the stop has something to overtake behind the first of them.
    struct fixture_flood flood = {.to = ref, .body_bytes = 1024, .count_max = 1000};

    fixture_act(fixture, flood_then_stop, &flood);
    fixture_gate_open(&gate);

    fixture_ask(fixture, ref, FIXTURE_COUNT, NULL, 0);
    cr_expect(eq(int, fixture_hear(fixture, FIXTURE_NO_ANSWER)->err, TROUPE_ERR_NOENT));
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(ge(u64, stats.dead_by_reason[TROUPE_DEAD_STOPPED], 500));
}

SUBJECTS(&teller, &hearer, &talker, &parent, &courier, &child, &dying, &fixture_slow);

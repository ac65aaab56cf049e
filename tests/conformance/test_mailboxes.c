/*
 * Promise 2, only mailboxes: a message is received later, in a callback of its own, byte for byte, and a body that
 * changes owner is freed exactly once.
 */
#include "support/fixture.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    ECHO = 1,  // asks for the same body back
    WEIGH,     // asks for WEIGHED
    WEIGHED,   // struct weighed
    PASS_ON,   // to a relay: take the body and send it on as a WEIGH
    SELF,      // to a self-sender: send INNERs to itself, and report with NESTED
    INNER,     // from a self-sender to itself
    NESTED,    // struct nested
    ANSWER,    // no body
    PAIR,      // struct pair
    PAIR_READ, // struct pair_read
};

static const size_t sizes_bytes[] = {0, 1, 7, 8, 9, 100, 4096, 40960, (size_t)1 << 20};
enum { SIZE_COUNT = sizeof(sizes_bytes) / sizeof(sizes_bytes[0]) };

/* The scale weighs bodies, or sends them back. ------------------------------------------------- */

struct weighed {
    uint64_t body_bytes;
    uint64_t digest;
    uint64_t misalignment; // of the body, from 8
    uint64_t bytes_left;   // after the body was taken
    troupe_ref_t sender;
};

static struct weighed weigh(const troupe_message_t *message)
{
    const void *body = troupe_message_body(message);
    return (struct weighed){
        .body_bytes = troupe_message_body_bytes(message),
        .digest = fixture_digest(body, troupe_message_body_bytes(message)),
        .misalignment = (uintptr_t)body % 8,
        .sender = troupe_message_sender(message),
    };
}

static void scale_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    if (troupe_message_type(message) == WEIGH) {
        struct weighed weighed = weigh(message);
        REPORT(ctx, message, WEIGHED, &weighed);
        return;
    }
    MUST(troupe_reply(
        ctx,
        message,
        troupe_message_type(message),
        troupe_message_body(message),
        troupe_message_body_bytes(message)));
}

static const struct troupe_behaviour scale = {.name = "scale", .receive = scale_receive};

static struct fixture *open_with_scale(
    const struct fixture_placement *placement, troupe_ref_t *out_ref)
{
    struct fixture_options options = {.behaviours = TROUPE_BEHAVIOURS(&scale)};
    struct fixture *fixture = fixture_open(placement, &options);
    *out_ref = fixture_spawn(fixture, &scale);
    return fixture;
}

static unsigned char *pattern_new(size_t bytes)
{
    unsigned char *pattern = malloc(bytes + 1);
    cr_assert(pattern != NULL, "no memory for %zu bytes", bytes);
    fixture_fill(pattern, bytes, bytes);
    return pattern;
}

BACKEND_TEST(mailboxes, a_body_arrives_byte_for_byte)
{
    troupe_ref_t ref = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_scale(placement, &ref);

    for (size_t i = 0; i < SIZE_COUNT; i++) {
        unsigned char *pattern = pattern_new(sizes_bytes[i]);
        fixture_send(fixture, ref, WEIGH, pattern, sizes_bytes[i]);
        const struct weighed *weighed = FIXTURE_RECEIVE(fixture, WEIGHED, struct weighed);
        cr_expect(eq(u64, weighed->body_bytes, sizes_bytes[i]));
        cr_expect(eq(u64, weighed->digest, fixture_digest(pattern, sizes_bytes[i])));
        free(pattern);
    }

    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead, 0));
}

BACKEND_TEST(mailboxes, a_body_comes_back_byte_for_byte)
{
    troupe_ref_t ref = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_scale(placement, &ref);

    for (size_t i = 0; i < SIZE_COUNT; i++) {
        unsigned char *pattern = pattern_new(sizes_bytes[i]);
        fixture_send(fixture, ref, ECHO, pattern, sizes_bytes[i]);
        const void *body = fixture_receive_body(fixture, ECHO, sizes_bytes[i]);
        cr_expect(memcmp(body, pattern, sizes_bytes[i]) == 0, "of %zu bytes", sizes_bytes[i]);
        free(pattern);
    }

    fixture_close(&fixture);
}

static void send_all_small_sizes(troupe_context_t *ctx, void *data)
{
    unsigned char pattern[80];
    fixture_fill(pattern, sizeof(pattern), 1);
    for (size_t bytes = 1; bytes <= sizeof(pattern); bytes++) {
        cr_assert(
            eq(int, troupe_send(ctx, *(troupe_ref_t *)data, WEIGH, pattern, bytes), TROUPE_OK));
    }
}

BACKEND_TEST(mailboxes, a_body_is_aligned_to_8_whatever_came_before_it)
{
    troupe_ref_t ref = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_scale(placement, &ref);

    fixture_call(fixture, send_all_small_sizes, &ref);

    for (uint64_t bytes = 1; bytes <= 80; bytes++) {
        const struct weighed *weighed = FIXTURE_RECEIVE(fixture, WEIGHED, struct weighed);
        cr_expect(eq(u64, weighed->body_bytes, bytes));
        cr_expect(eq(u64, weighed->misalignment, 0));
    }
    fixture_close(&fixture);
}

BACKEND_TEST(mailboxes, a_message_names_its_sender)
{
    troupe_ref_t ref = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_scale(placement, &ref);

    fixture_send(fixture, ref, WEIGH, NULL, 0);

    const struct received *heard = fixture_receive(fixture, WEIGHED);
    const struct weighed *weighed = heard->body;
    cr_expect(troupe_ref_equal(weighed->sender, fixture_scenario(fixture)));
    cr_expect(troupe_ref_equal(heard->from, ref));
    fixture_close(&fixture);
}

/* The witness reports each message to the scenario. --------------------------------------------- */

static enum troupe_err witness_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)ctx;
    *(troupe_ref_t *)state = fixture_ref_of(args, args_bytes);
    return TROUPE_OK;
}

static void witness_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct weighed weighed = weigh(message);
    if (troupe_ref_is_none(weighed.sender)) {
        MUST_BE(troupe_reply(ctx, message, ANSWER, NULL, 0) == TROUPE_ERR_NOENT);
    }
    MUST(TROUPE_SEND(ctx, *(troupe_ref_t *)state, WEIGHED, &weighed));
}

static const struct troupe_behaviour witness = {
    .name = "witness",
    .state_bytes = sizeof(troupe_ref_t),
    .init = witness_init,
    .receive = witness_receive,
};

BACKEND_TEST(mailboxes, a_message_of_the_main_program_has_no_sender)
{
    struct fixture_options options = {.behaviours = TROUPE_BEHAVIOURS(&witness)};
    struct fixture *fixture = fixture_open(placement, &options);
    troupe_ref_t ref = fixture_spawn_reporter(fixture, &witness);

    enum troupe_err err =
        troupe_send(troupe_system_context(fixture_system(fixture)), ref, WEIGH, "word", 5);

    cr_assert(eq(int, err, TROUPE_OK));
    const struct weighed *weighed = FIXTURE_RECEIVE(fixture, WEIGHED, struct weighed);
    cr_expect(eq(u64, weighed->body_bytes, 5));
    cr_expect(troupe_ref_is_none(weighed->sender));
    fixture_close(&fixture);
}

static void send_odd_types(troupe_context_t *ctx, void *data)
{
    troupe_ref_t to = *(troupe_ref_t *)data;
    cr_expect(eq(int, troupe_send(ctx, to, TROUPE_MESSAGE_RESERVED, NULL, 0), TROUPE_ERR_INVAL));
    cr_expect(eq(int, troupe_send(ctx, to, UINT32_MAX, NULL, 0), TROUPE_ERR_INVAL));
    cr_expect(eq(int, troupe_send(ctx, to, TROUPE_MESSAGE_ROOM, NULL, 0), TROUPE_ERR_INVAL));
    cr_expect(eq(int, troupe_send(ctx, to, TROUPE_MESSAGE_RESERVED - 1, NULL, 0), TROUPE_OK));
    cr_expect(eq(int, troupe_send(ctx, to, 0, NULL, 0), TROUPE_OK));
}

BACKEND_TEST(mailboxes, a_user_may_send_every_type_below_the_reserved_ones)
{
    troupe_ref_t ref = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_scale(placement, &ref);

    fixture_call(fixture, send_odd_types, &ref);

    cr_expect(eq(u32, fixture_receive_any(fixture)->type, TROUPE_MESSAGE_RESERVED - 1));
    cr_expect(eq(u32, fixture_receive_any(fixture)->type, 0));
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead, 0));
}

/* The self-sender. ----------------------------------------------------------------------------- */

struct nested {
    uint32_t depth; // callbacks one within another
    uint32_t depth_max;
    uint32_t received_in_a_send; // of its own messages, before the send returned
    uint32_t received;
    troupe_ref_t requester;
};

enum { SELF_COUNT = 100 };

static void self_sender_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct nested *nested = state;
    nested->depth++;
    nested->depth_max = nested->depth > nested->depth_max ? nested->depth : nested->depth_max;
    if (troupe_message_type(message) == SELF) {
        nested->requester = troupe_message_sender(message);
        for (uint32_t i = 0; i < SELF_COUNT; i++) {
            MUST(troupe_send(ctx, troupe_self(ctx), INNER, &i, sizeof(i)));
            troupe_flush(ctx);
        }
        nested->received_in_a_send = nested->received;
    } else {
        MUST_BE(*TROUPE_BODY(message, uint32_t) == nested->received);
        nested->received++;
    }
    nested->depth--;
    if (nested->received == SELF_COUNT) {
        MUST(TROUPE_SEND(ctx, nested->requester, NESTED, nested));
    }
}

static const struct troupe_behaviour self_sender = {
    .name = "self_sender", .state_bytes = sizeof(struct nested), .receive = self_sender_receive};

BACKEND_TEST(mailboxes, a_message_to_itself_is_received_in_a_later_callback)
{
    struct fixture_options options = {.behaviours = TROUPE_BEHAVIOURS(&self_sender)};
    struct fixture *fixture = fixture_open(placement, &options);
    troupe_ref_t ref = fixture_spawn(fixture, &self_sender);

    fixture_send(fixture, ref, SELF, NULL, 0);

    const struct nested *nested = FIXTURE_RECEIVE(fixture, NESTED, struct nested);
    cr_expect(eq(u32, nested->received_in_a_send, 0));
    cr_expect(eq(u32, nested->depth_max, 1));
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(ge(u64, stats.frames_sent, 1)); // through a mailbox, also on one executor
}

/* Bodies that change owner. -------------------------------------------------------------------- */

// The sender is the scenario, so its free function runs in the test's process, on any thread, also if the receiver
// is in another process, where it gets a copy of the bytes.
static atomic_uint freed_count;
static int freed_mark;

static void count_and_free(void *data, void *free_data)
{
    MUST_BE(free_data == &freed_mark);
    free(data);
    atomic_fetch_add(&freed_count, 1);
}

struct given {
    troupe_ref_t to;
    uint32_t type;
    size_t bytes;
    enum troupe_err err;      // out
    struct troupe_body after; // out: the body after the call
};

static void send_given(troupe_context_t *ctx, void *data)
{
    struct given *given = data;
    struct troupe_body body = {
        .data = pattern_new(given->bytes),
        .bytes = given->bytes,
        .free = count_and_free,
        .free_data = &freed_mark,
    };
    given->err = troupe_send_body(ctx, given->to, given->type, &body);
    given->after = body;
}

BACKEND_TEST(mailboxes, a_given_body_arrives_byte_for_byte_and_is_freed_once)
{
    troupe_ref_t ref = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_scale(placement, &ref);

    for (size_t i = 0; i < SIZE_COUNT; i++) {
        struct given given = {.to = ref, .type = WEIGH, .bytes = sizes_bytes[i]};
        fixture_call(fixture, send_given, &given);
        cr_assert(eq(int, given.err, TROUPE_OK));
        const struct weighed *weighed = FIXTURE_RECEIVE(fixture, WEIGHED, struct weighed);
        unsigned char *pattern = pattern_new(sizes_bytes[i]);
        cr_expect(eq(u64, weighed->body_bytes, sizes_bytes[i]));
        cr_expect(eq(u64, weighed->digest, fixture_digest(pattern, sizes_bytes[i])));
        cr_expect(eq(u64, weighed->misalignment, 0));
        free(pattern);
    }

    fixture_close(&fixture);
    cr_expect(eq(u32, atomic_load(&freed_count), SIZE_COUNT));
}

BACKEND_TEST(mailboxes, a_given_body_no_longer_belongs_to_its_sender)
{
    troupe_ref_t ref = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_scale(placement, &ref);
    struct given given = {.to = ref, .type = WEIGH, .bytes = 5000};

    fixture_call(fixture, send_given, &given);

    cr_expect(given.after.data == NULL);
    cr_expect(eq(sz, given.after.bytes, 0));
    cr_expect(given.after.free == NULL);
    fixture_close(&fixture);
    cr_expect(eq(u32, atomic_load(&freed_count), 1));
}

BACKEND_TEST(mailboxes, a_body_given_to_no_receiver_stays_with_its_sender)
{
    troupe_ref_t ref = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_scale(placement, &ref);
    struct given given = {.to = TROUPE_REF_NONE, .type = WEIGH, .bytes = 5000};

    fixture_call(fixture, send_given, &given);

    cr_expect(eq(int, given.err, TROUPE_ERR_INVAL));
    cr_expect(eq(sz, given.after.bytes, 5000));
    cr_expect(eq(u32, atomic_load(&freed_count), 0));
    troupe_body_free(&given.after);
    cr_expect(eq(u32, atomic_load(&freed_count), 1));
    cr_expect(given.after.data == NULL);
    fixture_close(&fixture);
    cr_expect(eq(u32, atomic_load(&freed_count), 1));
}

/* The quitter stops on its first message. */
static void quitter_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state, (void)message;
    troupe_stop(ctx);
}

static const struct troupe_behaviour quitter = {.name = "quitter", .receive = quitter_receive};

BACKEND_TEST(mailboxes, a_body_given_to_an_ended_actor_is_freed_once)
{
    struct fixture_options options = {.behaviours = TROUPE_BEHAVIOURS(&quitter)};
    struct fixture *fixture = fixture_open(placement, &options);
    troupe_ref_t ref = fixture_spawn(fixture, &quitter);
    fixture_send(fixture, ref, ECHO, NULL, 0);
    struct given given = {.to = ref, .type = WEIGH, .bytes = 5000};

    fixture_call(fixture, send_given, &given);
    given.bytes = 5;
    fixture_call(fixture, send_given, &given);

    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead_by_reason[TROUPE_DEAD_STOPPED], 2));
    cr_expect(eq(u32, atomic_load(&freed_count), 2));
}

/* The relay takes the bodies of its messages and sends them on. --------------------------------- */

static void relay_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    troupe_ref_t to = *(troupe_ref_t *)state;
    struct troupe_body body;
    MUST(troupe_message_take_body(message, &body));
    MUST_BE(troupe_message_body_bytes(message) == 0);
    MUST(troupe_send_body(ctx, to, WEIGH, &body));
    MUST_BE(body.data == NULL);
}

static const struct troupe_behaviour relay = {
    .name = "relay",
    .state_bytes = sizeof(troupe_ref_t),
    .init = witness_init,
    .receive = relay_receive,
};

/** A chain: relay -> relay -> witness -> scenario. */
static struct fixture *open_with_relays(
    const struct fixture_placement *placement, troupe_ref_t *out_first)
{
    struct fixture_options options = {.behaviours = TROUPE_BEHAVIOURS(&witness, &relay)};
    struct fixture *fixture = fixture_open(placement, &options);
    troupe_ref_t next = fixture_spawn_reporter(fixture, &witness);
    for (int i = 0; i < 2; i++) {
        struct troupe_spawn_options relay_options = {
            .behaviour = &relay, .args = &next, .args_bytes = sizeof(next)};
        next = fixture_spawn_with(fixture, &relay_options);
    }
    *out_first = next;
    return fixture;
}

BACKEND_TEST(mailboxes, a_given_body_can_be_taken_and_sent_on)
{
    troupe_ref_t first = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_relays(placement, &first);

    for (size_t i = 0; i < SIZE_COUNT; i++) {
        struct given given = {.to = first, .type = PASS_ON, .bytes = sizes_bytes[i]};
        fixture_call(fixture, send_given, &given);
        const struct weighed *weighed = FIXTURE_RECEIVE(fixture, WEIGHED, struct weighed);
        unsigned char *pattern = pattern_new(sizes_bytes[i]);
        cr_expect(eq(u64, weighed->body_bytes, sizes_bytes[i]));
        cr_expect(eq(u64, weighed->digest, fixture_digest(pattern, sizes_bytes[i])));
        free(pattern);
    }

    fixture_close(&fixture);
    cr_expect(eq(u32, atomic_load(&freed_count), SIZE_COUNT));
}

BACKEND_TEST(mailboxes, a_copied_body_can_be_taken_too)
{
    troupe_ref_t first = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_relays(placement, &first);

    for (size_t i = 0; i < SIZE_COUNT; i++) {
        unsigned char *pattern = pattern_new(sizes_bytes[i]);
        fixture_send(fixture, first, PASS_ON, pattern, sizes_bytes[i]);
        const struct weighed *weighed = FIXTURE_RECEIVE(fixture, WEIGHED, struct weighed);
        cr_expect(eq(u64, weighed->body_bytes, sizes_bytes[i]));
        cr_expect(eq(u64, weighed->digest, fixture_digest(pattern, sizes_bytes[i])));
        free(pattern);
    }

    fixture_close(&fixture);
}

static void send_fifty_numbers(troupe_context_t *ctx, void *data)
{
    for (uint64_t number = 0; number < 50; number++) {
        cr_assert(eq(int, TROUPE_SEND(ctx, *(troupe_ref_t *)data, PASS_ON, &number), TROUPE_OK));
    }
}

BACKEND_TEST(mailboxes, taking_one_body_leaves_the_bodies_behind_it_whole)
{
    troupe_ref_t first = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_relays(placement, &first);

    fixture_call(fixture, send_fifty_numbers, &first); // alike, so that they make one run

    for (uint64_t number = 0; number < 50; number++) {
        const struct weighed *weighed = FIXTURE_RECEIVE(fixture, WEIGHED, struct weighed);
        cr_expect(eq(u64, weighed->digest, fixture_digest(&number, sizeof(number))));
    }
    fixture_close(&fixture);
}

/* Structs as bodies. --------------------------------------------------------------------------- */

struct pair {
    uint64_t left;
    uint32_t right;
};

struct pair_read {
    uint64_t sum;
    uint32_t other_size_is_null;
    uint32_t empty_is_null;
};

static void reader_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct pair_read *read = state;
    if (troupe_message_body_bytes(message) == 0) {
        read->empty_is_null = troupe_message_body(message) == NULL;
        return;
    }
    const struct pair *pair = TROUPE_BODY(message, struct pair);
    MUST_BE(pair != NULL);
    read->sum = pair->left + pair->right;
    read->other_size_is_null = TROUPE_BODY(message, struct weighed) == NULL;
    REPORT(ctx, message, PAIR_READ, read);
}

static const struct troupe_behaviour reader = {
    .name = "reader", .state_bytes = sizeof(struct pair_read), .receive = reader_receive};

BACKEND_TEST(mailboxes, a_struct_is_read_in_place_and_only_at_its_size)
{
    struct fixture_options options = {.behaviours = TROUPE_BEHAVIOURS(&reader)};
    struct fixture *fixture = fixture_open(placement, &options);
    troupe_ref_t ref = fixture_spawn(fixture, &reader);
    struct pair pair = {.left = UINT64_C(1) << 40, .right = 7};

    fixture_send(fixture, ref, PAIR, NULL, 0);
    fixture_send(fixture, ref, PAIR, &pair, sizeof(pair));

    const struct pair_read *read = FIXTURE_RECEIVE(fixture, PAIR_READ, struct pair_read);
    cr_expect(eq(u64, read->sum, pair.left + pair.right));
    cr_expect(eq(u32, read->other_size_is_null, 1));
    cr_expect(eq(u32, read->empty_is_null, 1));
    fixture_close(&fixture);
}

SUBJECTS(&scale, &witness, &self_sender, &quitter, &relay, &reader);

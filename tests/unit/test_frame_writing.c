/*
 * Writing frames: what is read from a frame is what was written, in the same order; equal
 * neighbours join in runs; and no byte of the memory that it is written to is left in it.
 */
#include "chance.h"
#include "frames.h"

TestSuite(frame_writing, .timeout = 30);

enum { DIRT = 0x5A, POSTS_MAX = 512, BODY_MAX = 300 };

static struct frame_room room;

/** A message that was written. */
struct posted {
    struct trp_outgoing outgoing;
    struct trp_given given;
    _Alignas(8) uint8_t body[BODY_MAX + 4];
};

static struct posted posted[POSTS_MAX];

static struct trp_outframe begin(void)
{
    memset(&room, DIRT, sizeof(room));
    return frames_begin(&room);
}

static uint32_t bytes_of(const struct trp_outframe *frame)
{
    return frame->used - frame->base;
}

/** @return a cursor at the first envelope of the frame. */
static struct trp_cursor cursor_of(const struct trp_outframe *frame)
{
    return (struct trp_cursor){
        .at = frame->bytes + frame->base,
        .end = frame->bytes + (frame->used == 0 ? frame->base : frame->used),
        .local = true,
    };
}

static void expect_all_zero(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        cr_assert(eq(u8, bytes[i], 0), "byte %zu of %zu", i, size);
    }
}

/* One message. --------------------------------------------------------------------------------- */

Test(frame_writing, begins_after_the_header)
{
    struct trp_outframe frame = begin();
    frames_put(&frame, TRP_KIND_USER, 0, 8, 1);
    cr_expect(eq(u32, frame.last, sizeof(struct trp_header)));
    cr_expect(eq(u32, frame.used, sizeof(struct trp_header) + sizeof(struct trp_envelope) + 8));
}

Test(frame_writing, pads_every_size_with_zeros)
{
    for (uint32_t size = 0; size <= BODY_MAX; size++) {
        for (uint32_t flags = 0; flags <= TRP_FLAG_ASK; flags += TRP_FLAG_ASK) {
            struct trp_outframe frame = begin();
            frames_put(&frame, TRP_KIND_USER, flags, size, 0xFF);

            struct trp_cursor cursor = cursor_of(&frame);
            struct trp_item item;
            cr_assert(eq(int, trp_frame_next(&cursor, &item), TRP_FAULT_NONE));
            cr_assert(eq(u32, item.body_bytes, size));
            expect_all_zero(item.body + size, trp_pad8(size) - size);
            cr_assert(trp_frame_at_end(&cursor));
        }
    }
}

Test(frame_writing, writes_bodies_up_to_the_largest)
{
    static uint8_t body[TRP_BODY_BYTES_MAX];
    memset(body, 0xC3, sizeof(body));
    const struct trp_outgoing outgoing = {
        .kind = TRP_KIND_START,
        .flags = TRP_FLAG_UNMETERED,
        .body = body,
        .body_bytes = sizeof(body),
    };
    struct trp_outframe frame = begin();

    cr_assert(trp_outframe_put(&frame, &outgoing));

    struct trp_cursor cursor = cursor_of(&frame);
    struct trp_item item;
    cr_assert(eq(int, trp_frame_next(&cursor, &item), TRP_FAULT_NONE));
    cr_expect(eq(u32, item.body_bytes, sizeof(body)));
    cr_expect(memcmp(item.body, body, sizeof(body)) == 0);
}

Test(frame_writing, counts_messages_and_replies_alone)
{
    struct trp_outframe frame = begin();
    frames_put(&frame, TRP_KIND_USER, 0, 8, 1);
    frames_put(&frame, TRP_KIND_REPLY, TRP_FLAG_UNMETERED, 8, 1);
    frames_put(&frame, TRP_KIND_NOTICE, TRP_FLAG_UNMETERED, 8, 1);
    frames_put(&frame, TRP_KIND_STOP, 0, 0, 1);
    cr_expect(eq(u32, trp_outframe_counted(&frame), 2));
    cr_expect(eq(u32, frame.messages, 4));
}

/* Runs. ---------------------------------------------------------------------------------------- */

Test(frame_writing, joins_equal_neighbours_in_one_run)
{
    struct trp_outframe frame = begin();
    for (uint8_t i = 0; i < 10; i++) {
        frames_put(&frame, TRP_KIND_USER, 0, 8, i);
    }

    struct trp_cursor cursor = cursor_of(&frame);
    struct trp_item item;
    cr_assert(eq(int, trp_frame_next(&cursor, &item), TRP_FAULT_NONE));
    cr_expect(eq(u32, item.count, 10));
    cr_expect(trp_frame_at_end(&cursor));
    cr_expect(eq(u32, bytes_of(&frame), sizeof(struct trp_envelope) + 8 + 10 * 8));
    for (uint8_t i = 0; i < 10; i++) {
        cr_expect(eq(u8, item.body[i * 8], i));
    }
    cr_expect(eq(u32, trp_outframe_counted(&frame), 10));
}

/** Write a plain message with that envelope, whose tag is its size. */
static bool put_plain(struct trp_outframe *frame, const struct trp_envelope *like, const void *body)
{
    uint64_t to = trp_actor_key(like->to_index, like->to_generation);
    uint64_t from = trp_actor_key(like->from_index, like->from_generation);
    return trp_outframe_put_plain(frame, to, from, like->type, body, like->tag);
}

/** @return how many items two messages become, of which the second is @p other. */
static uint32_t items_with(const struct trp_envelope *other)
{
    const struct trp_envelope one = {1, 2, 3, 4, 5, 8};
    const uint64_t body[2] = {0, 0};
    struct trp_outframe frame = begin();
    cr_assert(put_plain(&frame, &one, body));
    cr_assert(put_plain(&frame, other, body));
    struct trp_cursor cursor = cursor_of(&frame);
    return frames_read_items(&cursor).items;
}

Test(frame_writing, joins_only_equal_messages)
{
    cr_expect(eq(u32, items_with(&(struct trp_envelope){1, 2, 3, 4, 5, 8}), 1));
    cr_expect(eq(u32, items_with(&(struct trp_envelope){9, 2, 3, 4, 5, 8}), 2)); // another receiver
    cr_expect(eq(u32, items_with(&(struct trp_envelope){1, 9, 3, 4, 5, 8}), 2)); // its generation
    cr_expect(eq(u32, items_with(&(struct trp_envelope){1, 2, 9, 4, 5, 8}), 2)); // another sender
    cr_expect(eq(u32, items_with(&(struct trp_envelope){1, 2, 3, 9, 5, 8}), 2)); // its generation
    cr_expect(eq(u32, items_with(&(struct trp_envelope){1, 2, 3, 4, 9, 8}), 2)); // another type
    cr_expect(eq(u32, items_with(&(struct trp_envelope){1, 2, 3, 4, 5, 9}), 2)); // another size
    cr_expect(
        eq(u32,
           items_with(&(struct trp_envelope){1, 2, 3, 4, 5, 7}),
           2)); // padded to the same
}

Test(frame_writing, joins_nothing_across_another_envelope)
{
    struct trp_outframe frame = begin();
    frames_put(&frame, TRP_KIND_USER, 0, 8, 1);
    frames_put(&frame, TRP_KIND_USER, TRP_FLAG_ASK, 8, 2);
    frames_put(&frame, TRP_KIND_USER, 0, 8, 3);
    struct trp_cursor cursor = cursor_of(&frame);
    cr_expect(eq(u32, frames_read_items(&cursor).items, 3));
}

Test(frame_writing, joins_nothing_that_expires)
{
    struct trp_outframe frame = begin();
    frames_put(&frame, TRP_KIND_USER, TRP_FLAG_EXPIRES, 8, 1);
    frames_put(&frame, TRP_KIND_USER, TRP_FLAG_EXPIRES, 8, 2);
    frames_put(&frame, TRP_KIND_USER, 0, 8, 3);
    frames_put(&frame, TRP_KIND_USER, 0, 8, 4);
    struct trp_cursor cursor = cursor_of(&frame);
    struct frames_reading reading = frames_read_items(&cursor);
    cr_expect(eq(u32, reading.items, 3));
    cr_expect(eq(u64, reading.messages, 4));
}

Test(frame_writing, pads_each_body_of_a_run)
{
    struct trp_outframe frame = begin();
    for (uint8_t i = 0; i < 5; i++) {
        frames_put(&frame, TRP_KIND_USER, 0, 13, 0xFF);
    }

    struct trp_cursor cursor = cursor_of(&frame);
    struct trp_item item;
    cr_assert(eq(int, trp_frame_next(&cursor, &item), TRP_FAULT_NONE));
    cr_assert(eq(u32, item.count, 5));
    for (size_t i = 0; i < 5; i++) {
        expect_all_zero(item.body + i * 16 + 13, 3);
    }
}

Test(frame_writing, joins_empty_bodies)
{
    struct trp_outframe frame = begin();
    for (uint32_t i = 0; i < 1000; i++) {
        frames_put(&frame, TRP_KIND_USER, 0, 0, 0);
    }
    struct trp_cursor cursor = cursor_of(&frame);
    struct frames_reading reading = frames_read_items(&cursor);
    cr_expect(eq(int, reading.fault, TRP_FAULT_NONE));
    cr_expect(eq(u32, reading.items, 1));
    cr_expect(eq(u64, reading.messages, 1000));
}

Test(frame_writing, never_writes_a_run_that_cannot_be_read)
{
    const struct trp_envelope like = {1, 2, 3, 4, 5, 0};
    struct trp_outframe frame = begin();
    static const uint8_t no_body[8];
    uint64_t put = 0;

    // Empty bodies take no room, so the maximum of a run must end it.
    while (put < 4 * TRP_FRAME_BYTES_MAX && put_plain(&frame, &like, no_body)) {
        put++;
    }

    struct trp_cursor cursor = cursor_of(&frame);
    struct frames_reading reading = frames_read_items(&cursor);
    cr_expect(eq(int, reading.fault, TRP_FAULT_NONE));
    cr_expect(eq(u64, reading.messages, put));
}

/* A full frame. -------------------------------------------------------------------------------- */

Test(frame_writing, returns_false_without_room_and_leaves_the_frame_unchanged)
{
    for (uint32_t size = 0; size <= BODY_MAX; size += 20) {
        for (uint32_t flags = 0; flags <= TRP_FLAG_ASK; flags += TRP_FLAG_ASK) {
            struct trp_outframe frame = begin();
            frame.capacity = 600;
            struct posted *one = &posted[0];
            *one = (struct posted){
                .outgoing = {.kind = TRP_KIND_USER, .flags = flags, .body_bytes = size}};
            one->outgoing.body = one->body;
            uint32_t put = 0;
            struct trp_outframe before = frame;
            for (; put < 64 && trp_outframe_put(&frame, &one->outgoing); put++) {
                one->outgoing.type++; // no run, so that each takes room
                before = frame;
            }

            cr_assert(lt(u32, put, 64));
            cr_assert(memcmp(&frame, &before, sizeof(frame)) == 0);
            cr_assert(le(u32, frame.used, frame.capacity));
            expect_all_zero((uint8_t[]){(uint8_t)(room.bytes[600] ^ DIRT)}, 1);
            struct trp_cursor cursor = cursor_of(&frame);
            cr_assert(eq(u64, frames_read_items(&cursor).messages, put));
        }
    }
}

/* Random frames. ------------------------------------------------------------------------------- */

/** Make a message of any kind, often like the one before, so that there are runs. */
static void random_post(struct chance *chance, struct posted *out, const struct posted *before)
{
    static const uint32_t flags[] = {
        TRP_FLAG_ASK,
        TRP_FLAG_UNMETERED,
        TRP_FLAG_GIVEN,
        TRP_FLAG_ASK | TRP_FLAG_UNMETERED | TRP_FLAG_FAILED,
        TRP_FLAG_PROVISIONAL,
        TRP_FLAG_GIVEN | TRP_FLAG_ASK,
        TRP_FLAG_EXPIRES, // from here on: with kind USER only
        TRP_FLAG_EXPIRES | TRP_FLAG_ASK,
        TRP_FLAG_EXPIRES | TRP_FLAG_GIVEN,
    };
    *out = before != NULL && chance_one_in(chance, 2) ? *before : (struct posted){0};
    if (before == NULL || out->outgoing.body_bytes == 0) {
        bool plain = chance_one_in(chance, 2);
        uint32_t with = plain ? 0 : flags[chance_below(chance, 9)];
        uint32_t size = (with & TRP_FLAG_GIVEN) != 0 ? 0 : chance_below(chance, BODY_MAX + 1);
        bool user = plain || (with & TRP_FLAG_EXPIRES) != 0;
        enum trp_kind kind = user ? TRP_KIND_USER : (enum trp_kind)chance_below(chance, 4);
        out->outgoing = (struct trp_outgoing){
            .to = {.index = chance_below(chance, 3), .generation = 1},
            .from_index = chance_below(chance, 3),
            .from_generation = 1,
            .type = chance_below(chance, 3),
            .kind = kind,
            .flags = with,
            .body_bytes = size,
            .ask = chance_bits(chance),
            .expires_ns = chance_bits(chance),
        };
    }
    chance_fill(chance, out->body, (uint32_t)out->outgoing.body_bytes);
    out->given.bytes = chance_bits(chance);
    out->outgoing.body = out->body;
    out->outgoing.handle = &out->given;
}

/** Check that the @p which-th message of an item is what was written. */
static void expect_message(const struct trp_item *item, uint32_t which, const struct posted *put)
{
    const struct trp_envelope *envelope = item->envelope;
    uint32_t flags = put->outgoing.flags;
    cr_assert(eq(u32, envelope->to_index, put->outgoing.to.index));
    cr_assert(eq(u32, envelope->to_generation, put->outgoing.to.generation));
    cr_assert(eq(u32, envelope->from_index, put->outgoing.from_index));
    cr_assert(eq(u32, envelope->from_generation, put->outgoing.from_generation));
    cr_assert(eq(u32, envelope->type, put->outgoing.type));
    cr_assert(eq(u32, item->kind, (uint32_t)put->outgoing.kind));
    cr_assert(eq(u32, item->flags & ~(uint32_t)TRP_FLAG_RUN, flags));
    cr_assert(eq(u64, item->ask, (flags & TRP_FLAG_ASK) != 0 ? put->outgoing.ask : 0));
    bool expires = (flags & TRP_FLAG_EXPIRES) != 0;
    cr_assert(eq(u64, item->expires_ns, expires ? put->outgoing.expires_ns : 0));
    if ((flags & TRP_FLAG_GIVEN) != 0) {
        cr_assert(eq(u64, item->given->bytes, put->given.bytes));
        return;
    }
    uint32_t size = (uint32_t)put->outgoing.body_bytes;
    const uint8_t *body = item->body + which * trp_pad8(size);
    cr_assert(eq(u32, item->body_bytes, size));
    cr_assert(memcmp(body, put->body, size) == 0);
    expect_all_zero(body + size, trp_pad8(size) - size);
}

/** Fill a frame with random messages. @return how many it has. */
static uint32_t fill(struct chance *chance, struct trp_outframe *frame)
{
    frame->capacity = 64 + chance_below(chance, 8192) / 8 * 8;
    uint32_t put = 0;
    while (put < POSTS_MAX) {
        random_post(chance, &posted[put], put > 0 ? &posted[put - 1] : NULL);
        if (!trp_outframe_put(frame, &posted[put].outgoing)) {
            break;
        }
        put++;
    }
    return put;
}

Test(frame_writing, reads_back_what_was_written)
{
    struct chance chance = chance_open("frames written");
    uint64_t runs = 0;

    for (uint32_t round = 0; round < 2000; round++) {
        struct trp_outframe frame = begin();
        uint32_t put = fill(&chance, &frame);
        cr_assert(le(u32, frame.used, frame.capacity));
        struct trp_cursor cursor = cursor_of(&frame);
        uint32_t read = 0;
        while (!trp_frame_at_end(&cursor)) {
            struct trp_item item;
            cr_assert(eq(int, trp_frame_next(&cursor, &item), TRP_FAULT_NONE));
            for (uint32_t i = 0; i < item.count; i++) {
                cr_assert(lt(u32, read, put));
                expect_message(&item, i, &posted[read++]);
            }
            runs += item.count > 1 ? 1 : 0;
        }
        cr_assert(eq(u32, read, put));
        cr_assert(eq(u32, frame.messages, put));
    }

    cr_expect(gt(u64, runs, 100));
}

Test(frame_writing, put_word_writes_the_same_bytes_as_put_plain)
{
    struct chance chance = chance_open("words");
    static struct frame_room other_room;
    uint32_t words = 0;

    for (uint32_t round = 0; round < 500; round++) {
        struct trp_outframe frame = begin();
        memset(&other_room, DIRT, sizeof(other_room));
        struct trp_outframe other = frames_begin(&other_room);
        for (uint32_t i = 0; i < 200; i++) {
            // Few receivers and senders, so that many messages join; some of another size.
            uint64_t to = trp_actor_key(chance_below(&chance, 2), 1);
            uint64_t from = trp_actor_key(chance_below(&chance, 2), 1);
            uint32_t type = chance_below(&chance, 2);
            uint64_t body[2] = {chance_bits(&chance), chance_bits(&chance)};
            uint32_t size = chance_one_in(&chance, 8) ? sizeof(body) : sizeof(body[0]);
            cr_assert(trp_outframe_put_plain(&frame, to, from, type, body, size));
            if (size == sizeof(body[0]) && other.used >= other.base) {
                trp_outframe_put_word(&other, to, from, type, body);
                words++;
            } else {
                cr_assert(trp_outframe_put_plain(&other, to, from, type, body, size));
            }
            cr_assert(eq(u32, other.used, frame.used));
            cr_assert(eq(u32, other.last, frame.last));
            cr_assert(eq(u32, other.messages, frame.messages));
        }
        cr_assert(memcmp(other_room.bytes, room.bytes, sizeof(room.bytes)) == 0, "round %u", round);
    }

    cr_expect(gt(u32, words, 10000));
}

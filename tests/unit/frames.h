/**
 * @file frames.h
 * @brief Write and read whole frames, for the tests of frame_read.h and frame_write.h.
 */
#ifndef TROUPE_TESTS_FRAMES_H
#define TROUPE_TESTS_FRAMES_H

#include "wire/frame_read.h"
#include "wire/frame_write.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <stdlib.h>

/** The cookie of the frames that these helpers write. */
#define FRAMES_COOKIE UINT64_C(0x1122334455667788)

/** The time of messages that expire. */
#define FRAMES_EXPIRES_NS UINT64_C(0x5A5A5A5A5A)

/** Room for a frame, aligned to 8. */
struct frame_room {
    _Alignas(8) uint8_t bytes[TRP_FRAME_BYTES_MAX];
};

/** @return an empty frame in @p room, which leaves space for a header. */
static inline struct trp_outframe frames_begin(struct frame_room *room)
{
    return (struct trp_outframe){
        .bytes = room->bytes,
        .capacity = sizeof(room->bytes),
        .base = sizeof(struct trp_header),
        .last = TRP_LAST_NONE,
    };
}

/** Write the header. @return the size of the whole frame. */
static inline size_t frames_end(struct trp_outframe *frame)
{
    const struct trp_header header = {
        .version = TRP_FRAME_VERSION,
        .lane = TRP_LANE_USER,
        .count = trp_outframe_counted(frame),
        .cookie = FRAMES_COOKIE,
        .node = 1,
        .executor = 7,
    };
    memcpy(frame->bytes, &header, sizeof(header));
    return frame->used == 0 ? sizeof(header) : frame->used;
}

/** Write a message whose body has bytes of @p fill. */
static inline void frames_put(
    struct trp_outframe *frame, enum trp_kind kind, uint32_t flags, uint32_t size, uint8_t fill)
{
    _Alignas(8) uint8_t body[TRP_INLINE_BYTES_MAX];
    const struct trp_given given = {.data = body, .bytes = 3};
    cr_assert(le(u32, size, sizeof(body)));
    memset(body, fill, size);
    const struct trp_outgoing outgoing = {
        .to = {.index = 1, .generation = 2},
        .from_index = 3,
        .from_generation = 4,
        .type = 5,
        .kind = kind,
        .flags = flags,
        .body = body,
        .body_bytes = size,
        .ask = UINT64_C(0xA5A5A5A5),
        .expires_ns = FRAMES_EXPIRES_NS,
        .handle = (flags & TRP_FLAG_GIVEN) != 0 ? &given : NULL,
    };
    cr_assert(trp_outframe_put(frame, &outgoing));
}

/** Write an envelope of every kind that executors send to each other. @return the size. */
static inline size_t frames_write_all(struct frame_room *room, bool with_given)
{
    struct trp_outframe frame = frames_begin(room);
    frames_put(&frame, TRP_KIND_USER, 0, 0, 0);
    frames_put(&frame, TRP_KIND_USER, 0, 13, 0xEE);
    frames_put(&frame, TRP_KIND_USER, 0, 8, 0xEE); // these become a run
    frames_put(&frame, TRP_KIND_USER, 0, 8, 0xDD);
    frames_put(&frame, TRP_KIND_USER, 0, 8, 0xCC);
    frames_put(&frame, TRP_KIND_USER, TRP_FLAG_ASK, 5, 0xBB);
    frames_put(&frame, TRP_KIND_USER, TRP_FLAG_EXPIRES | TRP_FLAG_ASK, 5, 0xBA);
    frames_put(&frame, TRP_KIND_USER, TRP_FLAG_UNMETERED | TRP_FLAG_PROVISIONAL, 300, 0xAA);
    frames_put(&frame, TRP_KIND_REPLY, TRP_FLAG_ASK | TRP_FLAG_UNMETERED, 24, 0x99);
    frames_put(&frame, TRP_KIND_NOTICE, TRP_FLAG_UNMETERED, 16, 0x88);
    frames_put(&frame, TRP_KIND_STOP, 0, 0, 0);
    frames_put(&frame, TRP_KIND_CREDIT_GRANT, 0, 16, 0x77);
    if (with_given) {
        frames_put(&frame, TRP_KIND_USER, TRP_FLAG_GIVEN, 0, 0);
        frames_put(&frame, TRP_KIND_USER, TRP_FLAG_GIVEN | TRP_FLAG_ASK, 0, 0);
    }
    return frames_end(&frame);
}

/** The result of reading a whole frame. */
struct frames_reading {
    enum trp_fault fault;
    uint32_t items;
    uint64_t messages;
};

/** Check that an item lies between @p begin and the cursor, and that it is valid. */
static inline void frames_check_item(
    const struct trp_item *item, const uint8_t *begin, const struct trp_cursor *cursor)
{
    const uint8_t *at = (const void *)item->envelope;
    size_t stride = item->given != NULL ? sizeof(*item->given) : trp_pad8(item->body_bytes);
    cr_assert(at >= begin);
    cr_assert(cursor->at <= cursor->end);
    cr_assert(item->body >= at + sizeof(*item->envelope));
    cr_assert(eq(sz, (size_t)(cursor->at - item->body), stride * item->count));
    cr_assert(eq(sz, (uintptr_t)item->body % 8, 0));
    cr_assert(eq(sz, (uintptr_t)cursor->at % 8, 0));
    cr_assert(lt(u32, item->kind, TRP_KIND_COUNT));
    cr_assert(ge(u32, item->count, 1));
    cr_assert(le(u32, item->body_bytes, TRP_BODY_BYTES_MAX));
    bool is_given = (item->flags & TRP_FLAG_GIVEN) != 0;
    cr_assert(is_given == (item->given != NULL));
    cr_assert(item->given == NULL || (cursor->local && item->body_bytes == 0 && item->count == 1));
    cr_assert(item->count == 1 || item->kind == TRP_KIND_USER);
    bool expires = (item->flags & TRP_FLAG_EXPIRES) != 0;
    cr_assert(expires ? item->kind == TRP_KIND_USER && item->count == 1 : item->expires_ns == 0);
}

/** Read what follows the header, looking ahead as the runtime does. */
static inline struct frames_reading frames_read_items(struct trp_cursor *cursor)
{
    const uint8_t *begin = cursor->at;
    struct frames_reading reading = {0};
    while (!trp_frame_at_end(cursor)) {
        size_t plain = trp_frame_peek_plain(cursor);
        const uint8_t *before = cursor->at;
        struct trp_item item;
        reading.fault = trp_frame_next(cursor, &item);
        if (reading.fault != TRP_FAULT_NONE) {
            cr_assert(plain == 0);
            cr_assert(cursor->at == before); // a fault leaves the cursor unchanged
            break;
        }
        frames_check_item(&item, begin, cursor);
        bool is_plain = item.kind == TRP_KIND_USER && item.flags == 0;
        cr_assert(plain == (is_plain ? (size_t)(cursor->at - before) : 0));
        reading.items++;
        reading.messages += item.count;
    }
    return reading;
}

/**
 * Read a frame to its end or its first fault, from a copy of exactly its size, so that
 * AddressSanitizer sees a read beyond it.
 */
static inline struct frames_reading frames_read(
    const uint8_t *bytes, size_t size, const uint64_t *cookie, bool local)
{
    uint8_t *copy = malloc(size);
    cr_assert(copy != NULL || size == 0);
    if (size != 0) {
        memcpy(copy, bytes, size);
    }
    struct trp_header header;
    struct trp_cursor cursor;
    struct frames_reading reading = {.fault = trp_frame_open(copy, size, cookie, &header, &cursor)};
    if (reading.fault == TRP_FAULT_NONE) {
        cursor.local = local;
        reading = frames_read_items(&cursor);
    }
    free(copy);
    return reading;
}

#endif

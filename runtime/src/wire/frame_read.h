/**
 * @file frame_read.h
 * @brief Read a frame, item by item.
 *
 *     struct trp_cursor cursor;
 *     enum trp_fault fault = trp_frame_open(bytes, size, &cookie, &header, &cursor);
 *     while (fault == TRP_FAULT_NONE && !trp_frame_at_end(&cursor)) {
 *         fault = trp_frame_next(&cursor, &item);
 *         ...
 *     }
 *
 * Reading is a pure function of the bytes: whatever they are, it yields an item or a fault, and
 * reads nothing behind their end. It copies nothing, so an item points into its frame.
 */
#ifndef TRP_FRAME_READ_H
#define TRP_FRAME_READ_H

#include "base/check.h"
#include "wire/format.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/** What can be wrong with a frame. */
enum trp_fault {
    TRP_FAULT_NONE = 0,
    TRP_FAULT_TRUNCATED,  // ends within a header, an envelope or a body
    TRP_FAULT_OVERSIZED,  // larger than any frame or body may be
    TRP_FAULT_MISALIGNED, // its address or size is no multiple of 8
    TRP_FAULT_VERSION,    // another version of this format
    TRP_FAULT_COOKIE,     // not of this channel
    TRP_FAULT_KIND,       // an unknown kind, lane or flag, or one that is not allowed there
    TRP_FAULT_COUNT,      // holds more or fewer messages than it says, or out of sequence
    TRP_FAULT_KINDS,
};

/** @return a static name such as "truncated". */
const char *trp_fault_text(enum trp_fault fault);

/** One envelope with its bodies: one message, or a run of them. */
struct trp_item {
    const struct trp_envelope *envelope;
    const uint8_t *body; // of the first message
    uint32_t body_bytes; // of each message
    uint32_t count;      // of messages: 1, or the length of the run
    enum trp_kind kind;
    uint32_t flags;
    uint64_t ask;        // 0: none
    uint64_t expires_ns; // by the clock of the system; 0: never
    uint32_t sender_node;
    uint32_t sender_executor;
    const struct trp_given *given; // NULL: the body is part of the frame
};

/** A reader's position in a frame, and what it knows of the frame. */
struct trp_cursor {
    const uint8_t *at;
    const uint8_t *end;
    uint32_t node; // of the sending executor
    uint32_t executor;
    enum trp_lane lane;
    bool local; // it came by inproc: a given body is an address
    // How many parts followed the frame, by ipc or tcp: a given body is the number of one.
    uint32_t part_count;
};

/**
 * Check the header of a frame, and place the cursor behind it.
 *
 * @param bytes   The frame, at any address.
 * @param cookie  The cookie that the header must have; NULL: do not check it. The caller that finds
 *                the cookie by the header's sender calls twice, at first with NULL.
 */
enum trp_fault trp_frame_open(
    const uint8_t *bytes,
    size_t size,
    const uint64_t *cookie,
    struct trp_header *out_header,
    struct trp_cursor *out_cursor);

/**
 * Read an envelope with a kind other than USER, or with flags.
 *
 * @return ::TRP_FAULT_NONE with *out_item set, or a fault, which leaves the cursor where it is.
 */
enum trp_fault trp_frame_next_flagged(struct trp_cursor *cursor, struct trp_item *out_item);

static inline bool trp_frame_at_end(const struct trp_cursor *cursor)
{
    return cursor->at == cursor->end;
}

/**
 * @return how many bytes the next envelope takes, if it is a USER without flags, complete; else 0.
 */
static inline size_t trp_frame_peek_plain(const struct trp_cursor *cursor)
{
    size_t left = (size_t)(cursor->end - cursor->at);
    const struct trp_envelope *envelope = (const void *)cursor->at;
    if (left < sizeof(*envelope) || TRP_UNLIKELY(envelope->tag > TRP_BODY_BYTES_MAX)) {
        return 0;
    }
    size_t bytes = sizeof(*envelope) + trp_pad8(envelope->tag);
    return left >= bytes ? bytes : 0;
}

/**
 * Read the next envelope.
 *
 * @return ::TRP_FAULT_NONE with *out_item set, or a fault, which leaves the cursor where it is.
 */
static inline enum trp_fault trp_frame_next(struct trp_cursor *cursor, struct trp_item *out_item)
{
    size_t left = (size_t)(cursor->end - cursor->at);
    if (TRP_UNLIKELY(left < sizeof(struct trp_envelope))) {
        return TRP_FAULT_TRUNCATED;
    }
    const struct trp_envelope *envelope = (const void *)cursor->at;
    // A plain message has kind USER, which is 0, and no flags: its tag is its size.
    if (TRP_UNLIKELY(envelope->tag > TRP_BODY_BYTES_MAX)) {
        return trp_frame_next_flagged(cursor, out_item);
    }
    size_t need = sizeof(*envelope) + trp_pad8(envelope->tag);
    if (TRP_UNLIKELY(left < need)) {
        return TRP_FAULT_TRUNCATED;
    }
    *out_item = (struct trp_item){
        .envelope = envelope,
        .body = cursor->at + sizeof(*envelope),
        .body_bytes = envelope->tag,
        .count = 1,
        .kind = TRP_KIND_USER,
        .sender_node = cursor->node,
        .sender_executor = cursor->executor,
    };
    cursor->at += need;
    return TRP_FAULT_NONE;
}

/** @return the sender of an item's messages; ::TROUPE_REF_NONE if no actor sent them. */
static inline troupe_ref_t trp_item_sender(const struct trp_item *item)
{
    if (item->envelope->from_generation == 0) {
        return TROUPE_REF_NONE;
    }
    return (troupe_ref_t){
        item->sender_node,
        item->sender_executor,
        item->envelope->from_index,
        item->envelope->from_generation,
    };
}

/** @return the size in bytes of each body of an item. */
static inline uint64_t trp_item_bytes(const struct trp_item *item)
{
    return item->given != NULL ? item->given->bytes : item->body_bytes;
}

/** @return the body of the @p which-th message of an item. */
static inline struct troupe_body trp_item_body(const struct trp_item *item, uint32_t which)
{
    if (TRP_UNLIKELY(item->given != NULL)) {
        return (struct troupe_body){
            item->given->data, item->given->bytes, item->given->free, item->given->free_data};
    }
    // struct troupe_body has no const: it must not be written through, as the frame owns the bytes.
    union {
        const uint8_t *read_only;
        void *data;
    } at = {.read_only = item->body + which * trp_pad8(item->body_bytes)};
    return (struct troupe_body){
        .data = item->body_bytes != 0 ? at.data : NULL,
        .bytes = item->body_bytes,
    };
}

/**
 * @return the body of a NOTICE that fails an ask; its reason is out of range if the item has
 *         another.
 */
static inline struct trp_ask_failure trp_item_failure(const struct trp_item *item)
{
    struct trp_ask_failure failure = {.reason = TROUPE_DEAD_REASON_COUNT};
    if (item->body_bytes == sizeof(failure)) {
        memcpy(&failure, item->body, sizeof(failure));
    }
    return failure;
}

#endif

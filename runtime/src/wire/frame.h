/**
 * @file frame.h
 * @brief What goes over a ZeroMQ socket: envelopes, and the header of frames between executors.
 *
 *     loopback frame          envelope, envelope, ...
 *     frame between executors header, envelope, envelope, ...
 *
 *     envelope, 24 bytes      to_index:4 to_generation:4 from_index:4 from_generation:4
 *                             type:4 kind:4bit flags:8bit size:20bit
 *     then, as flagged        sender 8 | ask 8 | expiry 8 | run count 8 | given body 32
 *     then                    the body, padded to 8; a run has as many bodies as it counts
 *
 * All numbers are little-endian. Everything starts at a multiple of 8. Whose executors `to` and `from`
 * are is known from the frame: the receiver's own, and the one in the header.
 *
 * Reading is a pure function of the bytes: whatever they are, it yields an item or a fault.
 */
#ifndef TRP_FRAME_H
#define TRP_FRAME_H

#include "base/check.h"
#include "troupe/message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

_Static_assert(
    __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "frames are written as this machine stores numbers");

/** A frame is sent on when it holds this many bytes. */
#define TRP_FRAME_BYTES_MAX_LOCAL 65536u

/** A frame between executors is sent on when it holds this many messages. */
#define TRP_FRAME_MESSAGES_MAX 1024u

/** By ipc or tcp it takes more to make a frame worth its system calls. No frame has more bytes. */
#define TRP_FRAME_BYTES_MAX           131072u
#define TRP_FRAME_MESSAGES_MAX_REMOTE 2048u

/** Larger bodies travel as given bodies. */
#define TRP_INLINE_BYTES_MAX 16384u

/** No envelope's body is larger, not even that of a START. */
#define TRP_BODY_BYTES_MAX 49152u

/** Longest run. Without a body, a message in one needs no room. */
#define TRP_RUN_COUNT_MAX 65536u

#define TRP_FRAME_VERSION 1u

/** What an envelope is. Numbers are part of the wire format. */
enum trp_kind {
    TRP_KIND_USER = 0,           // a message for an actor
    TRP_KIND_REPLY = 1,          // the answer to an ask
    TRP_KIND_NOTICE = 2,         // the runtime's message for an actor; not counted
    TRP_KIND_START = 3,          // start an actor in a reserved row
    TRP_KIND_STOP = 4,           // ask an actor to stop
    TRP_KIND_CREDIT_REQUEST = 5, // the sending channel is out of credit
    TRP_KIND_CREDIT_GRANT = 6,   // the receiving channel gets credit
    TRP_KIND_WAKE = 7,           // credit came back: look whether somebody wants it
    TRP_KIND_STOP_EXECUTOR = 8,  // end the executor
    TRP_KIND_CLOSE_REQUEST = 9,  // the sender takes no more mail: close your channel to it
    TRP_KIND_FIN = 10,           // the last frame on this lane of this channel
    TRP_KIND_CHECK_ALIVE = 11,   // is this actor still there? It is watched
    TRP_KIND_MONITOR = 12,       // about ends, from actor to actor, behind their mail; see ends.c
    TRP_KIND_COUNT = 13,
};

enum trp_flag {
    TRP_FLAG_SENDER = 1 << 0,      // `from` is on another executor than the frame's: node, executor
    TRP_FLAG_ASK = 1 << 1,         // carries the number of an ask
    TRP_FLAG_RUN = 1 << 2,         // carries a count, and that many bodies
    TRP_FLAG_GIVEN = 1 << 3,       // the body is a struct trp_given
    TRP_FLAG_UNMETERED = 1 << 4,   // took no credit: a reply, a timer
    TRP_FLAG_PROVISIONAL = 1 << 5, // took its credit from the reserve
    TRP_FLAG_FAILED = 1 << 6,      // a reply that says the ask failed; type is the troupe_err
    TRP_FLAG_EXPIRES = 1 << 7,     // carries the time from which on it is not to be met
};

struct trp_envelope {
    uint32_t to_index;
    uint32_t to_generation;
    uint32_t from_index;
    uint32_t from_generation;
    uint32_t type;
    uint32_t tag; // kind, flags, size: trp_tag()
};
_Static_assert(sizeof(struct trp_envelope) == 24, "the envelope has 24 bytes");

/** A body that changes owner without a copy; between processes, one that follows the frame. */
struct trp_given {
    void *data; // the bytes; in a frame that goes by ipc or tcp, the number of the part
    uint64_t bytes;
    troupe_free_fn *free;
    void *free_data;
};
_Static_assert(sizeof(struct trp_given) == 32, "a given body is named by 32 bytes");

/** Which of the two pipes of a channel a frame took. */
enum trp_lane { TRP_LANE_USER = 0, TRP_LANE_COMMAND = 1 };

/** What else a header says of its frame. */
enum trp_mark {
    TRP_MARK_RUNG = 1 << 0, // the receiver's doorbell is rung for it
    TRP_MARK_COUNTED =
        1 << 1, // a command that the doorbell counts: it goes before mail received later
};

struct trp_header {
    uint8_t version;
    uint8_t lane;
    uint16_t marks;           // of enum trp_mark
    uint32_t count;           // counted messages in the frame
    uint64_t cookie;          // of the channel, in this direction
    uint64_t first_sequence;  // counted messages sent on the channel before this frame
    uint64_t acknowledged;    // counted messages of the other direction that are done with
    uint32_t credit_messages; // granted to the other direction
    uint32_t credit_bytes;
    uint32_t node; // the sender's
    uint32_t executor;
};
_Static_assert(sizeof(struct trp_header) == 48, "the header has 48 bytes");

static inline uint32_t trp_tag(enum trp_kind kind, uint32_t flags, uint32_t size)
{
    return (uint32_t)kind << 28 | flags << 20 | size;
}

static inline enum trp_kind trp_tag_kind(uint32_t tag)
{
    return (enum trp_kind)(tag >> 28);
}

static inline uint32_t trp_tag_flags(uint32_t tag)
{
    return tag >> 20 & 0xFF;
}

static inline uint32_t trp_tag_size(uint32_t tag)
{
    return tag & 0xFFFFF;
}

static inline size_t trp_pad8(size_t bytes)
{
    return (bytes + 7) & ~(size_t)7;
}

/** @return whether the law counts it: accepted, then handled or dead. */
static inline bool trp_kind_is_counted(enum trp_kind kind)
{
    return kind == TRP_KIND_USER || kind == TRP_KIND_REPLY;
}

/* Reading. ------------------------------------------------------------------------------------- */

/** What can be wrong with a frame. */
enum trp_fault {
    TRP_FAULT_NONE = 0,
    TRP_FAULT_TRUNCATED,  // ends within a header, an envelope or a body
    TRP_FAULT_OVERSIZED,  // larger than any frame or body may be
    TRP_FAULT_MISALIGNED, // not at, or not of, a multiple of 8
    TRP_FAULT_VERSION,    // another version of this format
    TRP_FAULT_COOKIE,     // not of this channel
    TRP_FAULT_KIND,       // no such kind, lane or flag, or not allowed there
    TRP_FAULT_COUNT,      // holds more or fewer messages than it says, or out of sequence
    TRP_FAULT_KINDS,
};

/** @return a static name such as "truncated". */
const char *trp_fault_text(enum trp_fault fault);

/** One envelope, or one run, as it lies in a frame. */
struct trp_item {
    const struct trp_envelope *envelope;
    const uint8_t *body; // of the first message
    uint32_t body_bytes; // of each
    uint32_t count;      // 1, or as many as the run has
    enum trp_kind kind;
    uint32_t flags;
    uint64_t ask;        // 0: none
    uint64_t expires_ns; // by the clock of the system; 0: never
    uint32_t sender_node;
    uint32_t sender_executor;
    const struct trp_given *given; // NULL: the body lies in the frame
};

/** Where a reader is in a frame, and whose frame it is. */
struct trp_cursor {
    const uint8_t *at;
    const uint8_t *end;
    uint32_t node;
    uint32_t executor;
    enum trp_lane lane;
    bool local; // by inproc: a given body is an address
    uint32_t
        part_count; // by ipc or tcp: a given body is one of so many parts that follow the frame
};

/**
 * Check the header of a frame and set up the cursor behind it.
 *
 * @param bytes   The frame, at any address.
 * @param cookie  What the header's cookie must be, for its sender; looked up by the caller after a
 *                first call that was given NULL, which skips that check.
 */
enum trp_fault trp_frame_open(
    const uint8_t *bytes,
    size_t size,
    const uint64_t *cookie,
    struct trp_header *out_header,
    struct trp_cursor *out_cursor);

/** Read an envelope that carries more than a body. @return a fault, or NONE with *out_item set. */
enum trp_fault trp_frame_next_flagged(struct trp_cursor *cursor, struct trp_item *out_item);

/** @return whether the frame is at its end. */
static inline bool trp_frame_at_end(const struct trp_cursor *cursor)
{
    return cursor->at == cursor->end;
}

/** @return how many bytes the next envelope takes, if it is a plain message and all there, else 0. */
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

/** Read the next envelope. @return a fault, or NONE with *out_item set. */
static inline enum trp_fault trp_frame_next(struct trp_cursor *cursor, struct trp_item *out_item)
{
    size_t left = (size_t)(cursor->end - cursor->at);
    if (TRP_UNLIKELY(left < sizeof(struct trp_envelope))) {
        return TRP_FAULT_TRUNCATED;
    }
    const struct trp_envelope *envelope = (const void *)cursor->at;
    // The common envelope has kind USER and no flags: its tag is its size.
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

/* Writing. ------------------------------------------------------------------------------------- */

/** What to write as one envelope. */
struct trp_post {
    uint32_t to_index;
    uint32_t to_generation;
    uint32_t from_index;
    uint32_t from_generation;
    uint32_t type;
    uint32_t tag; // its size is that of `body`
    const void *body;
    uint32_t sender_node; // written when TRP_FLAG_SENDER
    uint32_t sender_executor;
    uint64_t ask;                  // written when TRP_FLAG_ASK
    uint64_t expires_ns;           // written when TRP_FLAG_EXPIRES
    const struct trp_given *given; // written when TRP_FLAG_GIVEN; then size is 0
};

/** No envelope starts a run behind it. */
#define TRP_LAST_NONE UINT32_MAX

/** Bodies up to this size are written inline, and join in runs. */
#define TRP_RUN_BODY_BYTES_MAX 256u

/** A frame that is being written. `last` is ::TRP_LAST_NONE and `used` is 0 while it is empty. */
struct trp_outframe {
    uint8_t *bytes;
    uint32_t capacity;
    uint32_t used;      // 0, or `base` and what follows it
    uint32_t base;      // room for a header in front
    uint32_t last;      // where the last envelope starts, if it can become a run
    uint32_t messages;  // all envelopes' messages in it
    uint32_t uncounted; // of them, those that the law does not count
};

/** @return an actor's row and generation as one number, as they lie in an envelope. */
static inline uint64_t trp_actor_key(uint32_t index, uint32_t generation)
{
    return (uint64_t)generation << 32 | index;
}

/** @return how many messages of a frame the law counts. */
static inline uint32_t trp_outframe_counted(const struct trp_outframe *frame)
{
    return frame->messages - frame->uncounted;
}

/** Write a post of any kind. @return false: no room. */
bool trp_outframe_put(struct trp_outframe *frame, const struct trp_post *post);

/** Copy a small body to where the frame is, and pad it. */
void trp_outframe_copy_odd(uint8_t *at, const void *body, uint32_t size);

/** As above, quickly where it has 8 bytes. */
static inline void trp_outframe_copy(uint8_t *at, const void *body, uint32_t size)
{
    if (TRP_LIKELY(size == 8)) {
        memcpy(at, body, 8);
    } else if (size != 0) {
        trp_outframe_copy_odd(at, body, size);
    }
}

/** Make a run of the last envelope: a count goes in front of its body. */
void trp_outframe_begin_run(struct trp_outframe *frame);

/** Write a body behind those of the last envelope, which is or becomes a run. @return false: it cannot. */
static inline bool trp_outframe_join_run(
    struct trp_outframe *frame, const void *body, uint32_t size)
{
    const struct trp_envelope *last = (const void *)(frame->bytes + frame->last);
    uint64_t *count = (void *)(frame->bytes + frame->last + sizeof(*last));
    uint32_t stride = (uint32_t)trp_pad8(size);
    bool is_run = (trp_tag_flags(last->tag) & TRP_FLAG_RUN) != 0;
    if (frame->used + stride + 8 > frame->capacity || (is_run && *count == TRP_RUN_COUNT_MAX)) {
        return false;
    }
    if (TRP_UNLIKELY(!is_run)) {
        trp_outframe_begin_run(frame);
    }
    ++*count;
    trp_outframe_copy(frame->bytes + frame->used, body, size);
    frame->used += stride;
    frame->messages++;
    return true;
}

/** @return the @p which-th 8 bytes of an envelope. */
static inline uint64_t trp_envelope_word(const uint8_t *envelope, uint32_t which)
{
    uint64_t word;
    memcpy(&word, envelope + which * sizeof(word), sizeof(word));
    return word;
}

/**
 * Write a plain message: kind USER, no flags, a small body.
 *
 * @param to    Whom it is for, as trp_actor_key().
 * @param from  Who sends it, likewise.
 * @return      false: no room; flush or grow, and try again.
 */
static inline bool trp_outframe_put_plain(
    struct trp_outframe *frame,
    uint64_t to,
    uint64_t from,
    uint32_t type,
    const void *body,
    uint32_t size)
{
    // An envelope is three of these: held against another, and written, in three steps.
    const uint64_t run = (uint64_t)TRP_FLAG_RUN << 52;
    const uint64_t shape = (uint64_t)size << 32 | type;
    if (frame->last != TRP_LAST_NONE) {
        const uint8_t *last = frame->bytes + frame->last;
        if (trp_envelope_word(last, 0) == to && trp_envelope_word(last, 1) == from &&
            (trp_envelope_word(last, 2) & ~run) == shape &&
            trp_outframe_join_run(frame, body, size)) {
            return true;
        }
    }
    uint32_t at = frame->used == 0 ? frame->base : frame->used;
    uint32_t need = (uint32_t)(sizeof(struct trp_envelope) + trp_pad8(size));
    if (at + need > frame->capacity) {
        return false;
    }
    uint8_t *envelope = frame->bytes + at;
    memcpy(envelope, &to, sizeof(to));
    memcpy(envelope + 8, &from, sizeof(from));
    memcpy(envelope + 16, &shape, sizeof(shape));
    trp_outframe_copy(envelope + sizeof(struct trp_envelope), body, size);
    frame->last = at;
    frame->used = at + need;
    frame->messages++;
    return true;
}

/** What trp_outframe_put_word() may need. */
#define TRP_WORD_BYTES (sizeof(struct trp_envelope) + 8)

_Static_assert(
    TRP_FRAME_BYTES_MAX / 8 < TRP_RUN_COUNT_MAX, "a frame is full before a run of words is");

/** As trp_outframe_put_plain() with a body of 8 bytes, into a frame that has room for it, and for its header. */
TRP_INLINE void trp_outframe_put_word(
    struct trp_outframe *frame, uint64_t to, uint64_t from, uint32_t type, const void *body)
{
    const uint64_t shape = UINT64_C(8) << 32 | type;
    const uint64_t run_shape = shape | (uint64_t)TRP_FLAG_RUN << 52;
    uint64_t word;
    memcpy(&word, body, sizeof(word));
    TRP_DCHECK(frame->used >= frame->base && frame->used + TRP_WORD_BYTES <= frame->capacity);
    uint8_t *end = frame->bytes + frame->used;
    frame->messages++;
    if (frame->last != TRP_LAST_NONE) {
        uint8_t *last = frame->bytes + frame->last;
        uint64_t *tail = (void *)(last + sizeof(struct trp_envelope));
        bool joins = trp_envelope_word(last, 0) == to && trp_envelope_word(last, 1) == from;
        if (joins && trp_envelope_word(last, 2) == run_shape) {
            ++*tail;
            memcpy(end, &word, sizeof(word));
            frame->used += 8;
            return;
        }
        if (joins && trp_envelope_word(last, 2) == shape) {
            memcpy(last + 16, &run_shape, sizeof(run_shape));
            tail[1] = tail[0]; // a count goes in front of it
            tail[0] = 2;
            tail[2] = word;
            frame->used += 16;
            return;
        }
    }
    memcpy(end, &to, sizeof(to));
    memcpy(end + 8, &from, sizeof(from));
    memcpy(end + 16, &shape, sizeof(shape));
    memcpy(end + 24, &word, sizeof(word));
    frame->last = frame->used;
    frame->used += (uint32_t)TRP_WORD_BYTES;
}

#endif

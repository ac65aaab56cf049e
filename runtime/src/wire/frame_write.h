/**
 * @file frame_write.h
 * @brief Write envelopes into a frame.
 *
 * Messages of one sender to one receiver that follow each other, with the same type and size of
 * body, become a run: one envelope with a count, and their bodies.
 *
 * What is written most often has a function of its own, and each falls back on the next:
 * trp_outframe_put_word() (a body of 8 bytes, room is known), trp_outframe_put_plain() (a small
 * body, no flags), trp_outframe_put() (everything).
 */
#ifndef TRP_FRAME_WRITE_H
#define TRP_FRAME_WRITE_H

#include "base/check.h"
#include "troupe/message.h"
#include "troupe/ref.h"
#include "wire/format.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/** A message to send: what a sender says of it, and what is written of it. Zero-initialise. */
struct trp_outgoing {
    troupe_ref_t to;
    uint32_t from_index;
    uint32_t from_generation;
    uint32_t type;
    enum trp_kind kind;
    uint32_t flags; // TRP_FLAG_GIVEN and TRP_FLAG_RUN excepted, which are set as it is written
    const void *body;
    size_t body_bytes;
    uint64_t ask; // with TRP_FLAG_ASK
    uint32_t
        from_node; // with TRP_FLAG_SENDER: the sender's, and its executor. 0: those of the frame
    uint32_t from_executor;
    uint64_t expires_ns; // with TRP_FLAG_EXPIRES
    struct troupe_body
        *given; // owns the body, and is emptied once it is accepted; NULL: the body is copied
    const struct trp_given *handle; // with TRP_FLAG_GIVEN: written in the place of the body
};

/** For `last`: the last envelope cannot become a run. */
#define TRP_LAST_NONE UINT32_MAX

/** Largest body in a run. */
#define TRP_RUN_BODY_BYTES_MAX 256u

/** A frame that is being written. While it is empty, `last` is ::TRP_LAST_NONE and `used` is 0. */
struct trp_outframe {
    uint8_t *bytes;
    uint32_t capacity;
    uint32_t used;      // 0, or `base` and what follows it
    uint32_t base;      // bytes that are left free in front, for a header
    uint32_t last;      // offset of the last envelope, if it is a run or can become one
    uint32_t messages;  // in all envelopes
    uint32_t uncounted; // of them, those for which trp_kind_is_counted() is false
};

/** @return how many messages of a frame the ledger counts. */
static inline uint32_t trp_outframe_counted(const struct trp_outframe *frame)
{
    return frame->messages - frame->uncounted;
}

/** Write an envelope of any kind. @return false: no room; nothing is written. */
bool trp_outframe_put(struct trp_outframe *frame, const struct trp_outgoing *outgoing);

/** Copy a body of any size but 0, and pad it with zeros. */
void trp_outframe_copy_odd(uint8_t *at, const void *body, uint32_t size);

/** Copy a body and pad it with zeros; fastest for one of 8 bytes. */
static inline void trp_outframe_copy(uint8_t *at, const void *body, uint32_t size)
{
    if (TRP_LIKELY(size == 8)) {
        memcpy(at, body, 8);
    } else if (size != 0) {
        trp_outframe_copy_odd(at, body, size);
    }
}

/** Make the last envelope a run of one message: insert a count in front of its body. */
void trp_outframe_begin_run(struct trp_outframe *frame);

/**
 * Append a body to the last envelope, which is or becomes a run.
 *
 * @return false: no room, or it is full.
 */
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

/** @return the @p which-th 8 bytes of an envelope, as one number. */
static inline uint64_t trp_envelope_word(const uint8_t *envelope, uint32_t which)
{
    uint64_t word;
    memcpy(&word, envelope + which * sizeof(word), sizeof(word));
    return word;
}

/**
 * Write a plain message: kind USER, no flags, a body of at most ::TRP_RUN_BODY_BYTES_MAX bytes.
 *
 * @param to    The receiver, as trp_actor_key().
 * @param from  The sender, likewise.
 * @return      false: no room; flush or grow the frame, and try again.
 */
static inline bool trp_outframe_put_plain(
    struct trp_outframe *frame,
    uint64_t to,
    uint64_t from,
    uint32_t type,
    const void *body,
    uint32_t size)
{
    // An envelope is three numbers of 8 bytes: three comparisons, and three stores.
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

/** Most bytes that trp_outframe_put_word() writes. */
#define TRP_WORD_BYTES (sizeof(struct trp_envelope) + 8)

_Static_assert(
    TRP_FRAME_BYTES_MAX / 8 < TRP_RUN_COUNT_MAX,
    "a frame is full before a run of 8-byte bodies is");

/**
 * As trp_outframe_put_plain() with a body of 8 bytes. The frame has ::TRP_WORD_BYTES left, and
 * `used` is at least `base`.
 */
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
            tail[1] = tail[0]; // makes room for the count
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

/**
 * @file post.h
 * @brief The first steps of a message on its road, for most of them all there are until it is met.
 */
#ifndef TRP_POST_H
#define TRP_POST_H

#include "actor/executor.h"
#include "channel/channel.h"

/** Something was written for a peer: see to it that it leaves. */
void trp_post_mark(struct troupe_executor *executor, struct trp_link *link);

/** Account for a message that was written. */
static inline void trp_post_account(struct trp_link *link)
{
    trp_count(&link->ledger->accepted, 1);
    link->was_used = true;
}

/**
 * Post a small message of the running actor to where the last one went, which has credit for it: what
 * most sends are.
 *
 * @return false: it is not that simple; nothing was done.
 */
bool trp_post_plain(
    struct troupe_executor *executor,
    troupe_ref_t to,
    uint32_t type,
    const void *body,
    size_t body_bytes);

/**
 * As trp_post_plain(), of 8 bytes, where there is room for it behind others: without a call, so that it takes
 * few registers.
 */
TRP_INLINE bool trp_post_word(
    struct troupe_executor *executor, troupe_ref_t to, uint32_t type, const void *body)
{
    uint64_t from = executor->context.place;
    struct trp_link *link = executor->last_out;
    // The first of a frame has more to do, and so has the last.
    if (from == 0 || trp_home(to.node, to.executor) != executor->last_home ||
        link->credit_messages <= 0 || link->credit_bytes < 8 ||
        link->frame.capacity - link->frame.used < TRP_WORD_BYTES ||
        link->frame.used < link->frame.base ||
        link->frame.messages + 1 >= link->frame_messages_max) {
        return false;
    }
    trp_outframe_put_word(&link->frame, trp_place(to.index, to.generation), from, type, body);
    link->credit_messages--;
    link->credit_bytes -= 8;
    trp_post_account(link);
    return true;
}

#endif

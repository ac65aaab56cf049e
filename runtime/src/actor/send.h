/**
 * @file post.h
 * @brief The first steps of a message on its road, for most of them all there are until it is met.
 */
#ifndef TRP_SEND_H
#define TRP_SEND_H

#include "actor/executor.h"
#include "channel/channel.h"

/** Something was written for a peer: see to it that it leaves. */
void trp_send_mark(struct troupe_executor *executor, struct trp_channel *channel);

/** Account for a message that was written. */
static inline void trp_send_account(struct trp_channel *channel)
{
    trp_count(&channel->ledger->accepted, 1);
    channel->was_used = true;
}

/**
 * Post a small message of the running actor to where the last one went, which has credit for it: what
 * most sends are.
 *
 * @return false: it is not that simple; nothing was done.
 */
bool trp_send_plain(
    struct troupe_executor *executor,
    troupe_ref_t to,
    uint32_t type,
    const void *body,
    size_t body_bytes);

/**
 * As trp_send_plain(), of 8 bytes, where there is room for it behind others: without a call, so that it takes
 * few registers.
 */
TRP_INLINE bool trp_send_word(
    struct troupe_executor *executor, troupe_ref_t to, uint32_t type, const void *body)
{
    uint64_t from = executor->context.place;
    struct trp_channel *channel = executor->channels.last_out;
    // The first of a frame has more to do, and so has the last.
    if (from == 0 || trp_address_key(to.node, to.executor) != executor->channels.last_address_key ||
        channel->credit_messages <= 0 || channel->credit_bytes < 8 ||
        channel->frame.capacity - channel->frame.used < TRP_WORD_BYTES ||
        channel->frame.used < channel->frame.base ||
        channel->frame.messages + 1 >= channel->frame_messages_max) {
        return false;
    }
    trp_outframe_put_word(
        &channel->frame, trp_actor_key(to.index, to.generation), from, type, body);
    channel->credit_messages--;
    channel->credit_bytes -= 8;
    trp_send_account(channel);
    return true;
}

#endif

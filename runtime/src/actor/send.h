/**
 * @file send.h
 * @brief Sending a message: from the context of a callback into the open frame of a channel.
 *
 * The common case is done by trp_send_word() and trp_send_plain(): a small body, from the running actor, to the same
 * executor as the message before, with credit left. trp_send_message() does everything else.
 */
#ifndef TRP_SEND_H
#define TRP_SEND_H

#include "actor/executor.h"
#include "channel/channel.h"
#include "wire/frame_write.h"

/** Open the channel of an executor to itself. @return TROUPE_ERR_LIMIT, explained, when no descriptor is free. */
enum troupe_err trp_send_open_loop(struct troupe_executor *executor);

/** Set the time to live, @p ttl_ns from now on; 0: no limit. */
void trp_outgoing_set_ttl(
    const struct troupe_executor *executor, uint64_t ttl_ns, struct trp_outgoing *outgoing);

/** Set the time at which a message expires, by the clock of the system; 0: never. */
void trp_outgoing_set_expiry(
    const struct troupe_executor *executor, uint64_t expires_ns, struct trp_outgoing *outgoing);

/** Send a message, and add flags of its envelope to it; errors as troupe_send(). */
enum troupe_err trp_send_message(struct troupe_executor *executor, struct trp_outgoing *outgoing);

/** Send a notice to an actor, or put it into the inbox that sends it. @return false: no memory, or no descriptor. */
bool trp_send_notice(
    struct troupe_executor *executor,
    troupe_ref_t to,
    uint32_t type,
    const void *body,
    size_t body_bytes);

/**
 * Append a small message of the running actor to the open frame of the most recently used channel.
 *
 * @return false: it is for another channel, or has no credit or too large a body; nothing was done.
 */
bool trp_send_plain(
    struct troupe_executor *executor,
    troupe_ref_t to,
    uint32_t type,
    const void *body,
    size_t body_bytes);

/**
 * As trp_send_plain(), of 8 bytes, if it is neither the first nor the last of its frame. It makes no call, so it needs
 * few registers.
 */
TRP_INLINE bool trp_send_word(
    struct troupe_executor *executor, troupe_ref_t to, uint32_t type, const void *body)
{
    uint64_t from = executor->context.actor_key;
    struct trp_channel *channel = executor->channels.last_out;
    // The first message of a frame also marks the channel, and the last one flushes it.
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
    trp_channel_count_accepted(channel);
    return true;
}

#endif

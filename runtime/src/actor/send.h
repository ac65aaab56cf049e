/**
 * @file send.h
 * @brief Sending a message: from the context of a callback into the open frame of a channel.
 *
 * What most sends are is done by trp_send_word() and trp_send_plain(): a small body, from the running actor, to
 * the executor that the last one went to, with credit at hand. trp_send_message() does everything else.
 */
#ifndef TRP_SEND_H
#define TRP_SEND_H

#include "actor/executor.h"
#include "channel/channel.h"

/** What is to be sent, before it is known which frame it goes into. */
struct trp_outgoing {
    troupe_ref_t to;
    uint32_t from_index;
    uint32_t from_generation;
    uint32_t type;
    enum trp_kind kind;
    uint32_t flags;
    const void *body;
    size_t body_bytes;
    uint64_t ask;
    uint32_t from_node;        // 0: from here; else whose executor the sender is on
    uint32_t from_executor;    // likewise
    uint64_t expires_ns;       // with TRP_FLAG_EXPIRES: see trp_outgoing_set_ttl()
    struct troupe_body *given; // taken when posted; NULL: copy `body`
};

/** Open the channel of an executor to itself, if there are descriptors for it. */
enum troupe_err trp_send_open_loop(struct troupe_executor *executor);

/** Set the time to live, @p ttl_ns from now on; 0: no limit. */
void trp_outgoing_set_ttl(
    const struct troupe_executor *executor, uint64_t ttl_ns, struct trp_outgoing *outgoing);

/** Set the time at which a message expires, by the system's clock; 0: never. */
void trp_outgoing_set_expiry(
    const struct troupe_executor *executor, uint64_t expires_ns, struct trp_outgoing *outgoing);

/** Send a message, as troupe_send() says. */
enum troupe_err trp_send_message(
    struct troupe_executor *executor, const struct trp_outgoing *outgoing);

/** Send a notice to an actor. @return false: no memory; since notices are not counted, that is all. */
bool trp_send_notice(
    struct troupe_executor *executor,
    troupe_ref_t to,
    uint32_t type,
    const void *body,
    size_t body_bytes);

/** A message was appended to the open frame of a channel to a peer: make sure that it leaves. */
void trp_send_mark(struct troupe_executor *executor, struct trp_channel *channel);

/** Count a message that was appended. */
static inline void trp_send_account(struct trp_channel *channel)
{
    trp_count(&channel->ledger->accepted, 1);
    channel->was_used = true;
}

/**
 * Append a small message of the running actor to the open frame of the channel that was used last, if that has
 * credit: the common case.
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
    uint64_t from = executor->context.actor_key;
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

/*
 * The path of a message from a callback to the open frame of a channel.
 *
 *     find the channel --> take credit --> append to the open frame --> (full? flush)
 *        | peer is gone     | none
 *        v                  v
 *     dead letter        TROUPE_ERR_FULL; the sender will get a ROOM
 */
#include "actor/send.h"

#include "actor/executor.h"
#include "actor/inbox_mail.h"
#include "actor/open_frame.h"
#include "base/counter.h"
#include "base/descriptors.h"
#include "base/error.h"
#include "base/saturate.h"
#include "channel/channel.h"
#include "channel/channels.h"
#include "channel/credit.h"
#include "channel/mailbox.h"
#include "channel/writable.h"
#include "shared/slot.h"
#include "wire/format.h"
#include "wire/frame_read.h"
#include "wire/frame_write.h"

#include <stdlib.h>

static troupe_ref_t send_sender(
    const struct troupe_executor *executor, const struct trp_outgoing *outgoing)
{
    troupe_ref_t sender = trp_actor_ref(executor, outgoing->from_index, outgoing->from_generation);
    if (outgoing->from_node != 0) {
        sender.node = outgoing->from_node;
        sender.executor = outgoing->from_executor;
    }
    return sender;
}

/** Accept a message whose receiver's executor is gone: it becomes a dead letter at once. */
static enum troupe_err send_dead(
    struct troupe_executor *executor,
    const struct trp_outgoing *outgoing,
    enum troupe_dead_reason reason)
{
    if (!trp_kind_is_counted(outgoing->kind)) {
        return TROUPE_OK; // a notice or command that has no receiver is not counted
    }
    // There is no channel to count it, so the sender's channel to itself does.
    trp_count(&executor->channels.loop->ledger->accepted, 1);
    const struct trp_dead dead = {
        .ledger = executor->channels.loop->ledger,
        .to = outgoing->to,
        .from = send_sender(executor, outgoing),
        .type = outgoing->type,
        .reason = reason,
        .body_bytes = outgoing->body_bytes,
        .ask = outgoing->kind == TRP_KIND_USER ? outgoing->ask : 0,
    };
    executor->channels.events->dead(&executor->channels, &dead);
    if (outgoing->given != NULL) {
        troupe_body_free(outgoing->given);
    }
    return TROUPE_OK;
}

enum troupe_err trp_send_open_loop(struct troupe_executor *executor)
{
    if (executor->mailbox.loop_in == NULL && !trp_descriptors_are_free(0)) {
        return TRP_EXPLAIN(
            TROUPE_ERR_LIMIT,
            "fewer than %d descriptors are free: executor %u could not send to itself; close some, "
            "or raise the limit of open files",
            TRP_DESCRIPTORS_FREE_MIN,
            executor->id);
    }
    return trp_mailbox_open_loop(&executor->mailbox);
}

static enum troupe_err send_find_loop(
    struct troupe_executor *executor, struct trp_channel **out_channel)
{
    if (executor->channels.closed_out) {
        return TROUPE_ERR_NOENT;
    }
    *out_channel = executor->channels.loop;
    return trp_send_open_loop(executor);
}

/** Find the channel to the receiver's executor, or open it. */
static enum troupe_err send_find_channel(
    struct troupe_executor *executor, troupe_ref_t to, struct trp_channel **out_channel)
{
    bool own = to.executor == executor->id && !trp_channels_use_remote_loop(&executor->channels);
    enum troupe_err err = own ? send_find_loop(executor, out_channel)
                              : trp_channel_open(&executor->channels, to.executor, out_channel);
    if (err == TROUPE_OK) {
        trp_channels_set_last(&executor->channels, *out_channel);
    }
    return err;
}

/** Note that the running actor, or the inbox, is to get a ROOM. @return false: no memory. */
static bool send_block(
    struct troupe_executor *executor, struct trp_channel *channel, troupe_ref_t to, int64_t bytes)
{
    struct trp_actor *actor = executor->context.actor;
    bool is_inbox = executor->mode == TRP_MODE_INBOX;
    const struct trp_blocked_sender sender = {
        .index = actor != NULL ? trp_context_index(&executor->context) : 0,
        .generation = actor != NULL ? actor->generation : 1,
        .to = to,
        .bytes = bytes,
    };
    bool may_be_noted = is_inbox || (actor != NULL && (actor->flags & TRP_ACTOR_WAS_BLOCKED) != 0);
    if (actor != NULL) {
        actor->flags |= TRP_ACTOR_WAS_BLOCKED;
    }
    // The main program has no callback that could get a ROOM: it tries again by itself.
    bool is_notified = actor != NULL || is_inbox;
    return trp_channel_block(
        &executor->channels, channel, is_notified ? &sender : NULL, may_be_noted, bytes);
}

static void send_use_credit(struct trp_channel *channel, size_t bytes)
{
    channel->credit_messages--;
    channel->credit_bytes -= (int64_t)bytes;
}

/** As send_take_credit(), where the channel has not enough: from the receiver's pool, or from its reserve. */
static enum troupe_err send_take_more_credit(
    struct troupe_executor *executor, struct trp_channel *channel, struct trp_outgoing *outgoing)
{
    size_t bytes = outgoing->body_bytes;
    if (bytes > (uint64_t)channel->slot->pool.bound_bytes) {
        return TRP_EXPLAIN(
            TROUPE_ERR_TOOBIG,
            "a body of %zu bytes is over the mailbox's bound of %lld bytes; split it, or send the "
            "name "
            "of a file",
            bytes,
            (long long)channel->slot->pool.bound_bytes);
    }
    if (trp_channel_refill(&executor->channels, channel, bytes)) {
        send_use_credit(channel, bytes);
        return TROUPE_OK;
    }
    if (trp_channel_take_provisional(channel, bytes)) {
        outgoing->flags |= TRP_FLAG_PROVISIONAL;
        return TROUPE_OK;
    }
    trp_count(&executor->counters->refused, 1);
    if (!send_block(executor, channel, outgoing->to, (int64_t)bytes)) {
        return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory to wait for room in a full mailbox");
    }
    bool is_notified = executor->context.actor != NULL || executor->mode == TRP_MODE_INBOX;
    return trp_error_full(outgoing->to.executor, is_notified);
}

/**
 * Take credit for a message.
 *
 * @param outgoing  Gets TRP_FLAG_PROVISIONAL when the credit came from the reserve.
 *
 * @retval TROUPE_OK          taken.
 * @retval TROUPE_ERR_FULL    none; the sender will get a ROOM.
 * @retval TROUPE_ERR_TOOBIG  the body is over the bound.
 * @retval TROUPE_ERR_NOMEM   none, and no memory to note that the sender waits.
 */
static enum troupe_err send_take_credit(
    struct troupe_executor *executor, struct trp_channel *channel, struct trp_outgoing *outgoing)
{
    size_t bytes = outgoing->body_bytes;
    if (TRP_LIKELY(channel->credit_messages > 0 && channel->credit_bytes >= (int64_t)bytes)) {
        send_use_credit(channel, bytes);
        return TROUPE_OK;
    }
    return send_take_more_credit(executor, channel, outgoing);
}

static void send_return_credit(struct trp_channel *channel, size_t bytes, uint32_t flags)
{
    if ((flags & TRP_FLAG_PROVISIONAL) != 0) {
        atomic_fetch_add_explicit(&channel->slot->pool.reserve_messages, 1, memory_order_relaxed);
        atomic_fetch_sub_explicit(&channel->ledger->reserve_messages, 1, memory_order_relaxed);
        channel->provisional_count--;
    } else {
        channel->credit_messages++;
        channel->credit_bytes += (int64_t)bytes;
    }
}

static bool send_is_metered(const struct trp_outgoing *outgoing)
{
    return outgoing->kind == TRP_KIND_USER && (outgoing->flags & TRP_FLAG_UNMETERED) == 0;
}

bool trp_send_plain(
    struct troupe_executor *executor,
    troupe_ref_t to,
    uint32_t type,
    const void *body,
    size_t body_bytes)
{
    const struct troupe_context *ctx = &executor->context;
    if (ctx->actor_key == 0) {
        return false; // an inbox among them: its channels are used under its lock only
    }
    struct trp_channel *channel = executor->channels.last_out;
    if (channel == NULL || channel->peer_id != to.executor || channel->peer_node != to.node ||
        body_bytes > TRP_RUN_BODY_BYTES_MAX || channel->credit_messages <= 0 ||
        channel->credit_bytes < (int64_t)body_bytes ||
        TRP_UNLIKELY(!trp_outframe_put_plain(
            &channel->frame,
            trp_actor_key(to.index, to.generation),
            ctx->actor_key,
            type,
            body,
            (uint32_t)body_bytes))) {
        return false;
    }
    channel->credit_messages--;
    channel->credit_bytes -= (int64_t)body_bytes;
    trp_channel_count_accepted(channel);
    if (!channel->is_loop) {
        trp_open_frame_mark(executor, channel);
    }
    return true;
}

/** Find the channel of a message. @param out_channel  Set to NULL if it became a dead letter instead. */
static enum troupe_err send_route(
    struct troupe_executor *executor,
    const struct trp_outgoing *outgoing,
    struct trp_channel **out_channel)
{
    struct trp_channel *channel = executor->channels.last_out;
    *out_channel = NULL;
    if (TRP_UNLIKELY(channel == NULL || channel->peer_id != outgoing->to.executor)) {
        enum troupe_err err = send_find_channel(executor, outgoing->to, &channel);
        if (err == TROUPE_ERR_NOENT) {
            return send_dead(
                executor,
                outgoing,
                trp_slot_why_dead(executor->runtime->shared, outgoing->to.executor));
        }
        if (err != TROUPE_OK) {
            return err;
        }
    }
    if (TRP_UNLIKELY(outgoing->to.node != channel->peer_node)) {
        return send_dead(executor, outgoing, TROUPE_DEAD_NO_SUCH_ACTOR);
    }
    *out_channel = channel;
    return TROUPE_OK;
}

static enum troupe_err send_message(struct troupe_executor *executor, struct trp_outgoing *outgoing)
{
    struct trp_channel *channel = NULL;
    enum troupe_err err = send_route(executor, outgoing, &channel);
    if (TRP_UNLIKELY(channel == NULL)) {
        return err;
    }
    size_t bytes = outgoing->body_bytes;
    outgoing->flags |= outgoing->from_node != 0 ? TRP_FLAG_SENDER : 0;
    bool is_metered = send_is_metered(outgoing);
    if (is_metered) {
        err = send_take_credit(executor, channel, outgoing);
        if (err != TROUPE_OK) {
            return err;
        }
    }
    if (TRP_UNLIKELY(!trp_open_frame_append(executor, channel, outgoing))) {
        if (is_metered) {
            send_return_credit(channel, bytes, outgoing->flags);
        }
        return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for a message of %zu bytes", bytes);
    }
    return TROUPE_OK;
}

void trp_outgoing_set_expiry(
    const struct troupe_executor *executor, uint64_t expires_ns, struct trp_outgoing *outgoing)
{
    // A clock of the program's own means nothing in other processes: there the message would never expire, or at once.
    bool is_far = outgoing->to.node != executor->node && !executor->runtime->clock_is_real;
    if (expires_ns != 0 && !is_far) {
        outgoing->flags |= TRP_FLAG_EXPIRES;
        outgoing->expires_ns = expires_ns;
    }
}

void trp_outgoing_set_ttl(
    const struct troupe_executor *executor, uint64_t ttl_ns, struct trp_outgoing *outgoing)
{
    if (ttl_ns != 0) {
        trp_outgoing_set_expiry(
            executor, trp_add_saturated(trp_executor_now(executor), ttl_ns), outgoing);
    }
}

enum troupe_err trp_send_message(struct troupe_executor *executor, struct trp_outgoing *outgoing)
{
    if (TRP_LIKELY(executor->inbox == NULL)) {
        return send_message(executor, outgoing);
    }
    trp_inbox_lock(executor->inbox);
    enum troupe_err err = send_message(executor, outgoing);
    trp_inbox_unlock(executor->inbox);
    return err;
}

bool trp_send_notice(
    struct troupe_executor *executor,
    troupe_ref_t to,
    uint32_t type,
    const void *body,
    size_t body_bytes)
{
    if (executor->mode == TRP_MODE_INBOX && to.executor == executor->id) {
        return trp_inbox_notice(executor, type, body, body_bytes);
    }
    struct trp_outgoing outgoing = {
        .to = to,
        .type = type,
        .kind = TRP_KIND_NOTICE,
        .flags = TRP_FLAG_UNMETERED,
        .body = body,
        .body_bytes = body_bytes,
    };
    return trp_send_message(executor, &outgoing) == TROUPE_OK;
}

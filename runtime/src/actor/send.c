/*
 * The road of a message, from a callback to the open frame.
 *
 *     find the channel --> have credit --> append to the open frame --> (full? flush)
 *        | peer is gone     | none
 *        v                  v
 *     dead letter        refuse, and note who waits for room
 */
#include "actor/send.h"

#include "actor/dead_letter.h"
#include "actor/executor.h"
#include "actor/inbox_mail.h"
#include "actor/runtime.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/descriptors.h"
#include "base/error.h"
#include "channel/channel.h"
#include "channel/channel_send.h"
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

/** Accept a message whose receiver's executor is gone: a dead letter at once. */
static enum troupe_err send_dead(
    struct troupe_executor *executor,
    const struct trp_outgoing *outgoing,
    enum troupe_dead_reason reason)
{
    if (!trp_kind_is_counted(outgoing->kind)) {
        return TROUPE_OK; // notices and commands for the gone are nobody's loss
    }
    // It never gets a channel: the one of the sender to itself counts it.
    trp_count(&executor->channels.loop->ledger->accepted, 1);
    const struct trp_dead dead = {
        .ledger = executor->channels.loop->ledger,
        .to = outgoing->to,
        .from = send_sender(executor, outgoing),
        .type = outgoing->type,
        .reason = reason,
        .body_bytes = outgoing->given != NULL ? outgoing->given->bytes : outgoing->body_bytes,
        .ask = outgoing->kind == TRP_KIND_USER ? outgoing->ask : 0,
    };
    trp_dead_letter(executor, &dead);
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
            "or "
            "raise the limit of open files",
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

/** Note that the running actor, or the inbox, is to be told when there is room. @return false: no memory. */
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
    bool maybe_noted = is_inbox || (actor != NULL && (actor->flags & TRP_ACTOR_WAS_BLOCKED) != 0);
    if (actor != NULL) {
        actor->flags |= TRP_ACTOR_WAS_BLOCKED;
    }
    // The main program asks again by itself: there is nobody to notify.
    bool is_told = actor != NULL || is_inbox;
    return trp_channel_block(
        &executor->channels, channel, is_told ? &sender : NULL, maybe_noted, bytes);
}

/**
 * Get credit for a letter: from the channel, from the pool, from the reserve.
 *
 * @return TROUPE_OK, with the flag to post in *flags; or TROUPE_ERR_FULL, noted; or no memory.
 */
static enum troupe_err send_take_credit(
    struct troupe_executor *executor,
    struct trp_channel *channel,
    troupe_ref_t to,
    size_t bytes,
    uint32_t *flags)
{
    if ((int64_t)bytes > channel->slot->pool.bound_bytes) {
        return TRP_EXPLAIN(
            TROUPE_ERR_TOOBIG,
            "a body of %zu bytes is over the mailbox's bound of %lld; split it, or send the name "
            "of a file",
            bytes,
            (long long)channel->slot->pool.bound_bytes);
    }
    if (trp_channel_refill(&executor->channels, channel, bytes)) {
        channel->credit_messages--;
        channel->credit_bytes -= (int64_t)bytes;
        return TROUPE_OK;
    }
    if (trp_channel_take_provisional(channel, bytes)) {
        *flags |= TRP_FLAG_PROVISIONAL;
        return TROUPE_OK;
    }
    trp_count(&executor->counters->refused, 1);
    if (!send_block(executor, channel, to, (int64_t)bytes)) {
        return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory to wait for room in a full mailbox");
    }
    return trp_error_full(to.executor);
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

void trp_send_mark(struct troupe_executor *executor, struct trp_channel *channel)
{
    if (!channel->dirty) {
        channel->dirty = true;
        channel->next_dirty = executor->channels.dirty;
        executor->channels.dirty = channel;
        channel->frame_cycles = trp_cycles();
    }
    if (channel->frame.messages >= channel->frame_messages_max ||
        channel->given_bytes >= TRP_FRAME_BYTES_MAX_LOCAL) {
        trp_channel_flush(&executor->channels, channel);
    }
    if (TRP_UNLIKELY(!executor->in_turn)) {
        trp_channels_flush(&executor->channels); // no turn's end will
    }
}

/** Put a post into the open frame, and that frame on its way when it is time. */
static bool send_append(
    struct troupe_executor *executor, struct trp_channel *channel, const struct trp_post *post)
{
    if (!trp_outframe_put(&channel->frame, post)) {
        // Envelope, sender, ask, expiry, and what a body or a given body needs: at least what the post needs.
        size_t need = sizeof(struct trp_envelope) + 24 + sizeof(struct trp_given) +
                      trp_pad8(trp_tag_size(post->tag));
        if (!trp_channel_make_room(&executor->channels, channel, (uint32_t)need) ||
            !trp_outframe_put(&channel->frame, post)) {
            return false;
        }
    }
    if (trp_kind_is_counted(trp_tag_kind(post->tag))) {
        trp_send_account(channel);
    }
    if (!channel->is_loop) {
        trp_send_mark(executor, channel);
    } else if (!executor->in_turn) {
        trp_runtime_wake_foreign_loop(
            executor->runtime); // the main program's: a foreign loop has to come round
    }
    return true;
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
        return false; // and a inbox's channels are looked at under its lock only
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
    trp_send_account(channel);
    if (!channel->is_loop) {
        trp_send_mark(executor, channel);
    }
    return true;
}

/** Get the body that travels without a copy; copy first one that is only large. */
static bool send_take_body(const struct trp_outgoing *outgoing, struct troupe_body *out_body)
{
    if (outgoing->given != NULL) {
        *out_body = *outgoing->given;
        return true;
    }
    if (troupe_body_new(outgoing->body_bytes, out_body) != TROUPE_OK) {
        return false;
    }
    memcpy(out_body->data, outgoing->body, outgoing->body_bytes);
    return true;
}

/** Put a body on the list of those that follow the open frame by ipc or tcp. */
static bool send_add_part(
    struct troupe_executor *executor,
    struct trp_channel *channel,
    const struct troupe_body *body,
    struct trp_given *given)
{
    // Room first: the number of the part is that in the frame which takes the envelope.
    const uint32_t need = sizeof(struct trp_envelope) + 24 + sizeof(struct trp_given);
    if (channel->given_count == TRP_PARTS_MAX) {
        trp_channel_flush(&executor->channels, channel);
    }
    if (channel->given_count == TRP_PARTS_MAX ||
        !trp_channel_make_room(&executor->channels, channel, need)) {
        return false;
    }
    if (channel->given == NULL) {
        channel->given = calloc(TRP_PARTS_MAX, sizeof(*channel->given));
        if (channel->given == NULL) {
            return false;
        }
    }
    union {
        uintptr_t number;
        void *data;
    } part = {.number = channel->given_count};
    *given = (struct trp_given){.data = part.data, .bytes = body->bytes};
    channel->given[channel->given_count++] = *body;
    channel->given_bytes += body->bytes;
    return true;
}

/** Post with a body that has an owner of its own. */
static bool send_append_given(
    struct troupe_executor *executor,
    struct trp_channel *channel,
    const struct trp_outgoing *outgoing,
    const struct trp_post *post)
{
    struct troupe_body body;
    if (!send_take_body(outgoing, &body)) {
        return false;
    }
    struct trp_given given = {body.data, body.bytes, body.free, body.free_data};
    struct trp_post with_owner = *post;
    with_owner.given = &given;
    with_owner.tag |= (uint32_t)TRP_FLAG_GIVEN << 20;
    bool added = !channel->is_remote || send_add_part(executor, channel, &body, &given);
    if (added && send_append(executor, channel, &with_owner)) {
        if (outgoing->given != NULL) {
            *outgoing->given = (struct troupe_body){0};
        }
        return true;
    }
    if (channel->is_remote && added) {
        channel->given_count--;
        channel->given_bytes -= body.bytes;
    }
    if (outgoing->given == NULL) {
        troupe_body_free(&body);
    }
    return false;
}

/** @return whether the body of a letter travels by itself, and not within the frame. */
static bool send_has_owner(const struct trp_channel *channel, const struct trp_outgoing *outgoing)
{
    if (outgoing->given != NULL) {
        return !channel->is_remote || outgoing->given->bytes > TRP_INLINE_BYTES_MAX;
    }
    return outgoing->body_bytes > TRP_INLINE_BYTES_MAX && outgoing->kind != TRP_KIND_START;
}

static enum troupe_err send_message(
    struct troupe_executor *executor, const struct trp_outgoing *outgoing)
{
    struct trp_channel *channel = executor->channels.last_out;
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
    size_t bytes = outgoing->given != NULL ? outgoing->given->bytes : outgoing->body_bytes;
    uint32_t flags = outgoing->flags | (outgoing->from_node != 0 ? TRP_FLAG_SENDER : 0);
    bool metered = send_is_metered(outgoing);
    if (metered) {
        if (TRP_LIKELY(channel->credit_messages > 0 && channel->credit_bytes >= (int64_t)bytes)) {
            channel->credit_messages--;
            channel->credit_bytes -= (int64_t)bytes;
        } else {
            enum troupe_err err = send_take_credit(executor, channel, outgoing->to, bytes, &flags);
            if (err != TROUPE_OK) {
                return err;
            }
        }
    }
    bool has_owner = send_has_owner(channel, outgoing);
    struct trp_post post = {
        .to_index = outgoing->to.index,
        .to_generation = outgoing->to.generation,
        .from_index = outgoing->from_index,
        .from_generation = outgoing->from_generation,
        .type = outgoing->type,
        .tag = trp_tag(outgoing->kind, flags, has_owner ? 0 : (uint32_t)bytes),
        .body = outgoing->given != NULL ? outgoing->given->data : outgoing->body,
        .sender_node = outgoing->from_node,
        .sender_executor = outgoing->from_executor,
        .ask = outgoing->ask,
        .expires_ns = outgoing->expires_ns,
    };
    bool posted = TRP_UNLIKELY(has_owner) ? send_append_given(executor, channel, outgoing, &post)
                                          : send_append(executor, channel, &post);
    if (TRP_UNLIKELY(!posted)) {
        if (metered) {
            send_return_credit(channel, bytes, flags);
        }
        return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for a message of %zu bytes", bytes);
    }
    if (TRP_UNLIKELY(outgoing->given != NULL && !has_owner)) {
        troupe_body_free(outgoing->given); // it was copied
    }
    return TROUPE_OK;
}

void trp_outgoing_set_expiry(
    const struct troupe_executor *executor, uint64_t expires_ns, struct trp_outgoing *outgoing)
{
    // A clock of the program's own means nothing to other processes: there it would never expire, or
    // at once.
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
        uint64_t now_ns = trp_executor_now(executor);
        uint64_t expires_ns = ttl_ns < UINT64_MAX - now_ns ? now_ns + ttl_ns : UINT64_MAX;
        trp_outgoing_set_expiry(executor, expires_ns, outgoing);
    }
}

enum troupe_err trp_send_message(
    struct troupe_executor *executor, const struct trp_outgoing *outgoing)
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
    const struct trp_outgoing outgoing = {
        .to = to,
        .type = type,
        .kind = TRP_KIND_NOTICE,
        .flags = TRP_FLAG_UNMETERED,
        .body = body,
        .body_bytes = body_bytes,
    };
    return trp_send_message(executor, &outgoing) == TROUPE_OK;
}

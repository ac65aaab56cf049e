/*
 * Credit on the receiver's side.
 *
 *     message handled --> owed --> settle, each turn: back to the credit pool
 *                                                     CREDIT_GRANT to peers that wait, first come first served
 *
 * A peer that waits is granted credit when its share is worth a wake-up, or when the executor is idle.
 */
#include "channel/grant.h"

#include "channel/channel.h"
#include "channel/channel_command.h"
#include "channel/credit.h"
#include "channel/credit_requests.h"
#include "channel/writable.h"
#include "shared/credit_pool.h"
#include "wire/frame_read.h"

enum {
    RESUME_SHARE = 8,        // a peer that waits is granted credit when it may have this share
    RESUME_SHARE_REMOTE = 4, // likewise by ipc and tcp, where a request costs more
};

void trp_channel_owe_later(
    struct trp_channels *channels, struct trp_channel *channel, int64_t messages, int64_t bytes)
{
    channel->owed_messages += messages;
    channel->owed_bytes += bytes;
    channels->owed_messages += messages;
    channels->owed_bytes += bytes;
    if (!channel->owes) {
        channel->owes = true;
        channel->next_owed = channels->owed;
        channels->owed = channel;
    }
}

void trp_channel_return_credit(
    struct trp_channels *channels,
    struct trp_channel *channel,
    const struct trp_item *item,
    uint32_t count)
{
    if ((item->flags & TRP_FLAG_PROVISIONAL) != 0) {
        atomic_fetch_add_explicit(
            &channels->slot->pool.reserve_messages, (int32_t)count, memory_order_relaxed);
        atomic_fetch_sub_explicit(
            &channel->in_ledger->reserve_messages, (int32_t)count, memory_order_relaxed);
    } else if ((item->flags & TRP_FLAG_UNMETERED) == 0 && item->kind == TRP_KIND_USER) {
        int64_t bytes = (int64_t)count * (int64_t)trp_item_bytes(item);
        trp_channel_owe(channels, channel, count, bytes);
    }
}

void trp_channel_reclaim(struct trp_channels *channels, struct trp_channel *channel)
{
    const struct trp_ledger *ledger = channel->in_ledger;
    trp_credit_pool_give(
        &channels->slot->pool,
        trp_credit_outstanding(&ledger->taken_messages, &ledger->returned_messages),
        trp_credit_outstanding(&ledger->taken_bytes, &ledger->returned_bytes));
    atomic_fetch_add_explicit(
        &channels->slot->pool.reserve_messages,
        atomic_load_explicit(&ledger->reserve_messages, memory_order_relaxed),
        memory_order_relaxed);
    if (!channel->has_request && atomic_load_explicit(&ledger->is_waiting, memory_order_relaxed)) {
        atomic_fetch_sub_explicit(&channels->slot->pool.waiting_count, 1, memory_order_relaxed);
    }
}

/** Give back the credit of the loop above its share, or all of it while a peer waits. */
static void grant_settle_loop(struct trp_channels *channels)
{
    struct trp_channel *loop = channels->loop;
    bool is_requested = channels->waiting_first != NULL;
    int64_t keep_messages =
        is_requested
            ? 0
            : trp_credit_share(channels->slot->pool.bound_messages, TRP_CREDIT_GRANT_SHARE);
    int64_t keep_bytes =
        is_requested ? 0
                     : trp_credit_share(channels->slot->pool.bound_bytes, TRP_CREDIT_GRANT_SHARE);
    int64_t messages = loop->credit_messages - keep_messages;
    int64_t bytes = loop->credit_bytes - keep_bytes;
    if (messages > 0 || bytes > 0) {
        trp_channel_give_back(loop, messages > 0 ? messages : 0, bytes > 0 ? bytes : 0);
    }
}

/** Take credit for a channel that waits. @return false: not enough is free for it yet. */
static bool grant_take(
    struct trp_channels *channels,
    const struct trp_channel *channel,
    bool idle,
    struct trp_credit_grant *out_credit)
{
    struct trp_credit_pool *pool = &channels->slot->pool;
    const struct trp_credit_request *request = &channel->request;
    const struct trp_ledger *ledger = channel->in_ledger;
    int64_t held_messages =
        trp_credit_outstanding(&ledger->taken_messages, &ledger->returned_messages);
    int64_t held_bytes = trp_credit_outstanding(&ledger->taken_bytes, &ledger->returned_bytes);
    int64_t share = ledger->is_remote ? RESUME_SHARE_REMOTE : RESUME_SHARE;
    int64_t least = idle ? 1 : trp_credit_share(pool->bound_messages, share);
    if (least > request->messages) {
        least = request->messages;
    }
    struct trp_credit_grant credit = {0};
    credit.messages =
        trp_credit_pool_take(&pool->free_messages, held_messages, least, request->messages);
    if (credit.messages < least) {
        trp_credit_pool_give(pool, credit.messages, 0);
        return false;
    }
    int64_t chunk = trp_credit_share(pool->bound_bytes, TRP_CREDIT_CHUNK_SHARE);
    int64_t wish = chunk > request->bytes ? chunk : request->bytes;
    credit.bytes = trp_credit_pool_take(&pool->free_bytes, held_bytes, request->bytes, wish);
    if (credit.bytes < request->bytes) {
        trp_credit_pool_give(pool, credit.messages, credit.bytes);
        return false;
    }
    // Count it as taken by the channel from here on, so that it is returned if the process of the peer exits.
    atomic_fetch_add_explicit(
        &channel->in_ledger->taken_messages, credit.messages, memory_order_relaxed);
    atomic_fetch_add_explicit(&channel->in_ledger->taken_bytes, credit.bytes, memory_order_relaxed);
    *out_credit = credit;
    return true;
}

/** Undo grant_take(). */
static void grant_undo(
    struct trp_channels *channels,
    const struct trp_channel *channel,
    const struct trp_credit_grant *credit)
{
    atomic_fetch_sub_explicit(
        &channel->in_ledger->taken_messages, credit->messages, memory_order_relaxed);
    atomic_fetch_sub_explicit(
        &channel->in_ledger->taken_bytes, credit->bytes, memory_order_relaxed);
    trp_credit_pool_give(&channels->slot->pool, credit->messages, credit->bytes);
}

/** Grant credit to a channel that waits. @return false: it has to wait longer. */
static bool grant_to(struct trp_channels *channels, struct trp_channel *channel, bool idle)
{
    struct trp_credit_grant credit;
    if (!grant_take(channels, channel, idle, &credit)) {
        return false;
    }
    if (channel->is_loop) {
        trp_channel_forget_credit_request(channels, channel);
        trp_channel_handle_credit_grant(channels, channel, &credit);
        return true;
    }
    struct trp_channel *back = NULL;
    if (trp_channel_open(channels, channel->peer_id, &back) != TROUPE_OK) {
        grant_undo(channels, channel, &credit);
        return false;
    }
    // First: a peer that has the credit may spend it and wait again before this returns.
    trp_channel_forget_credit_request(channels, channel);
    if (trp_channel_command(channels, back, TRP_KIND_CREDIT_GRANT, &credit, sizeof(credit)) !=
        TROUPE_OK) {
        grant_undo(channels, channel, &credit);
        trp_channel_renew_credit_request(channels, channel);
        return false;
    }
    return true;
}

void trp_channels_settle(struct trp_channels *channels, bool idle)
{
    if (TRP_UNLIKELY(channels->rooms_delayed)) {
        trp_channels_retry_rooms(channels);
    }
    while (channels->owed != NULL) {
        struct trp_channel *channel = channels->owed;
        channels->owed = channel->next_owed;
        channel->owes = false;
        atomic_fetch_add_explicit(
            &channel->in_ledger->returned_messages, channel->owed_messages, memory_order_relaxed);
        atomic_fetch_add_explicit(
            &channel->in_ledger->returned_bytes, channel->owed_bytes, memory_order_relaxed);
        trp_credit_pool_give(&channels->slot->pool, channel->owed_messages, channel->owed_bytes);
        channel->owed_messages = 0;
        channel->owed_bytes = 0;
    }
    channels->owed_messages = 0;
    channels->owed_bytes = 0;
    grant_settle_loop(channels);
    while (channels->waiting_first != NULL && grant_to(channels, channels->waiting_first, idle)) {
    }
}

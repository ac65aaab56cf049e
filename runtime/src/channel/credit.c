/*
 * Credit on the sender's side: a channel takes some from the peer's credit pool before it sends, and gives
 * back what it does not spend.
 *
 *     channel has credit       spend it: actor/send.c
 *     none left                refill from the pool, a chunk at a time
 *     none free in the pool    a new channel takes from the reserve; any other is refused: see writable.c
 */
#include "channel/credit.h"

#include "base/counter.h"
#include "channel/blocked.h"
#include "channel/channel_command.h"
#include "shared/credit_pool.h"
#include "shared/ledger.h"

enum {
    FIRST_CHUNK_MESSAGES = 16,
    CHUNK_BODY_BYTES =
        1024, // taken with the credit of a message, whether its body needs them or not
};

/**
 * Messages that a channel takes credit for at a time: as many as it ever sent, for otherwise many channels that
 * send little would hold most of a mailbox between them. An inbox takes one: it has no loop that would give back
 * what it does not spend.
 */
static int64_t credit_chunk(const struct trp_channels *channels, const struct trp_channel *channel)
{
    if (channels->is_inbox) {
        return 1;
    }
    int64_t most = trp_credit_share(channel->slot->pool.bound_messages, TRP_CREDIT_CHUNK_SHARE);
    int64_t sent = (int64_t)trp_counted(&channel->ledger->accepted) + FIRST_CHUNK_MESSAGES;
    return sent < most ? sent : most;
}

static bool credit_refill_messages(struct trp_channels *channels, struct trp_channel *channel)
{
    struct trp_credit_pool *pool = &channel->slot->pool;
    int64_t outstanding = trp_credit_outstanding(
        &channel->ledger->taken_messages, &channel->ledger->returned_messages);
    int64_t taken =
        trp_credit_pool_take(&pool->free_messages, outstanding, 1, credit_chunk(channels, channel));
    channel->credit_messages += taken;
    atomic_fetch_add_explicit(&channel->ledger->taken_messages, taken, memory_order_relaxed);
    return taken > 0;
}

static bool credit_refill_bytes(
    struct trp_channels *channels, struct trp_channel *channel, int64_t need)
{
    struct trp_credit_pool *pool = &channel->slot->pool;
    int64_t outstanding =
        trp_credit_outstanding(&channel->ledger->taken_bytes, &channel->ledger->returned_bytes);
    int64_t chunk = credit_chunk(channels, channel) * CHUNK_BODY_BYTES;
    int64_t most = trp_credit_share(pool->bound_bytes, TRP_CREDIT_CHUNK_SHARE);
    chunk = chunk < most ? chunk : most;
    int64_t taken =
        trp_credit_pool_take(&pool->free_bytes, outstanding, need, chunk > need ? chunk : need);
    channel->credit_bytes += taken;
    atomic_fetch_add_explicit(&channel->ledger->taken_bytes, taken, memory_order_relaxed);
    return taken >= need;
}

bool trp_channel_refill(
    struct trp_channels *channels, struct trp_channel *channel, size_t body_bytes)
{
    // A new sender does not overtake blocked ones.
    if (channel->is_waiting || trp_blocked_notified_count(&channel->blocked) > 0 ||
        atomic_load_explicit(&channel->slot->pool.waiting_count, memory_order_relaxed) > 0) {
        return false;
    }
    if (channel->credit_messages < 1 && !credit_refill_messages(channels, channel)) {
        return false;
    }
    int64_t need = (int64_t)body_bytes - channel->credit_bytes;
    if (need > 0 && !credit_refill_bytes(channels, channel, need)) {
        return false;
    }
    channel->was_granted = true;
    return true;
}

bool trp_channel_take_provisional(struct trp_channel *channel, size_t body_bytes)
{
    if (channel->was_granted || channel->provisional_count == TRP_PROVISIONAL_MESSAGES ||
        body_bytes > TRP_PROVISIONAL_BYTES_MAX ||
        !trp_credit_pool_take_reserve(&channel->slot->pool)) {
        return false;
    }
    channel->provisional_count++;
    atomic_fetch_add_explicit(&channel->ledger->reserve_messages, 1, memory_order_relaxed);
    return true;
}

void trp_channel_give_back(struct trp_channel *channel, int64_t messages, int64_t bytes)
{
    channel->credit_messages -= messages;
    channel->credit_bytes -= bytes;
    atomic_fetch_add_explicit(&channel->ledger->returned_messages, messages, memory_order_relaxed);
    atomic_fetch_add_explicit(&channel->ledger->returned_bytes, bytes, memory_order_relaxed);
    trp_credit_pool_give(&channel->slot->pool, messages, bytes);
}

void trp_channel_give_all_back(struct trp_channels *channels, struct trp_channel *channel)
{
    if (channel->credit_messages == 0 && channel->credit_bytes == 0) {
        return;
    }
    trp_channel_give_back(channel, channel->credit_messages, channel->credit_bytes);
    if (!channel->is_loop &&
        atomic_load_explicit(&channel->slot->pool.waiting_count, memory_order_relaxed) > 0) {
        (void)trp_channel_command(channels, channel, TRP_KIND_WAKE, NULL, 0);
    }
}

void trp_channel_return_all(struct trp_channel *channel)
{
    channel->credit_messages += channel->reserved_messages;
    channel->credit_bytes += channel->reserved_bytes;
    channel->reserved_messages = 0;
    channel->reserved_bytes = 0;
    trp_channel_give_back(channel, channel->credit_messages, channel->credit_bytes);
}

/** @return the open channel in a slot of the table, if it holds unspent credit of its peer; or NULL. */
static struct trp_channel *credit_unspent(const struct trp_channels *channels, uint32_t slot)
{
    struct trp_channel *channel = channels->by_peer.slots[slot].value;
    bool unspent = channel != NULL && channel->out_open && !channel->is_loop &&
                   (channel->credit_messages != 0 || channel->credit_bytes != 0);
    return unspent ? channel : NULL;
}

void trp_channels_return_credit(struct trp_channels *channels)
{
    for (uint32_t i = 0; i < channels->by_peer.slot_count; i++) {
        struct trp_channel *channel = credit_unspent(channels, i);
        if (channel != NULL && !channel->was_used) {
            trp_channel_give_all_back(channels, channel);
        } else if (channel != NULL) {
            channel->was_used = false;
        }
    }
}

bool trp_channels_have_unspent(const struct trp_channels *channels)
{
    for (uint32_t i = 0; i < channels->by_peer.slot_count; i++) {
        if (credit_unspent(channels, i) != NULL) {
            return true;
        }
    }
    return false;
}

/*
 * Blocked senders: each sender that was refused gets one ROOM when it may send again.
 *
 *     refused          queued as a blocked sender, and a CREDIT_REQUEST is sent to the receiver
 *     CREDIT_GRANT     its credit is reserved for blocked senders; the first of them gets a ROOM
 *     ROOM delivered   the sender may spend the credit, from trp_channel_begin_room() to _end_room()
 *     then             what is left is for the next one; if too little, a CREDIT_REQUEST for more
 *
 * Senders that do not spend all of it are notified several at a time: twice as many after each round in which none
 * was refused again.
 */
#include "channel/writable.h"

#include "base/counter.h"
#include "base/descriptors.h"
#include "base/memory.h"
#include "channel/blocked.h"
#include "channel/channel.h"
#include "channel/channel_command.h"
#include "channel/credit.h"
#include "channel/credit_requests.h"

enum {
    GRANT_SHARE_REMOTE = 2, // as TRP_CREDIT_GRANT_SHARE by ipc and tcp, where a request costs more
    ROOMS_BITS_MAX = 10,    // at most two to the power of this many senders are notified at once
};

/** Queue a sender that is to get a ROOM, once for each receiver. @return false: no memory. */
static bool writable_add(
    struct trp_channel *channel, const struct trp_blocked_sender *sender, bool maybe_queued)
{
    // Otherwise a sender that tries again while its ROOM is on its way would get another one, and one that goes on
    // only after that one, endlessly.
    return (maybe_queued && trp_blocked_contains(&channel->blocked, sender)) ||
           trp_blocked_add(&channel->blocked, sender);
}

/**
 * Set how many messages of a loop may be sent in the place of handled ones, in the same turn: while a sender is
 * blocked, as many as the bound. With more, actors that pass messages in a circle would starve the blocked sender;
 * with none, actors that reply would be refused because of one that sent too much.
 */
static void writable_set_allowance(struct trp_channel *channel)
{
    if (channel->is_loop) {
        bool is_blocked = channel->is_waiting || trp_blocked_notified_count(&channel->blocked) > 0;
        channel->loop_allowance = is_blocked ? channel->slot->pool.bound_messages : INT64_MAX;
    }
}

/** Send a CREDIT_REQUEST, unless one is on its way. @return false: no memory. */
static bool writable_request_credit(
    struct trp_channels *channels, struct trp_channel *channel, int64_t body_bytes)
{
    if (channel->is_waiting) {
        return true;
    }
    // What is left is too little for the sender that was refused, and will be granted again with more.
    trp_channel_give_back(channel, channel->credit_messages, channel->credit_bytes);
    int64_t most = trp_credit_share(
        channel->slot->pool.bound_messages,
        channel->is_remote ? GRANT_SHARE_REMOTE : TRP_CREDIT_GRANT_SHARE);
    const struct trp_credit_request request = {
        .messages = channels->is_inbox ? 1 : most,
        .bytes = body_bytes,
    };
    atomic_store_explicit(&channel->ledger->is_waiting, true, memory_order_relaxed);
    atomic_fetch_add_explicit(&channel->slot->pool.waiting_count, 1, memory_order_relaxed);
    channel->is_waiting = true;
    writable_set_allowance(channel);
    if (channel->is_loop) {
        trp_channel_handle_credit_request(channels, channel, &request);
    } else if (
        trp_channel_command(
            channels, channel, TRP_KIND_CREDIT_REQUEST, &request, sizeof(request)) != TROUPE_OK) {
        atomic_fetch_sub_explicit(&channel->slot->pool.waiting_count, 1, memory_order_relaxed);
        atomic_store_explicit(&channel->ledger->is_waiting, false, memory_order_relaxed);
        channel->is_waiting = false;
        return false;
    }
    return true;
}

bool trp_channel_block(
    struct trp_channels *channels,
    struct trp_channel *channel,
    const struct trp_blocked_sender *sender,
    bool maybe_queued,
    int64_t body_bytes)
{
    if (sender != NULL && !writable_add(channel, sender, maybe_queued)) {
        return false;
    }
    if (channel->in_room) {
        // The notified sender spends all it gets: notify one at a time, or the others would get too little.
        channel->in_room = false;
        channel->rooms_bits = 0;
    }
    // While senders before it have ROOMs on their way, its turn comes without a request.
    return trp_blocked_notified_count(&channel->blocked) > 0 ||
           writable_request_credit(channels, channel, body_bytes);
}

/** Send the next blocked sender its ROOM. @return false: there is none to send to. */
static bool writable_send_room(struct trp_channels *channels, struct trp_channel *channel)
{
    const struct trp_blocked_sender *next = NULL;
    while ((next = trp_blocked_next(&channel->blocked)) != NULL) {
        enum trp_writable result = channels->events->writable(channels, next);
        if (result == TRP_WRITABLE_SENT) {
            trp_count(&channels->slot->counters.rooms, 1);
            return true;
        }
        if (result == TRP_WRITABLE_LATER) {
            channels->rooms_delayed = true;
            return false;
        }
        trp_blocked_drop(&channel->blocked);
    }
    return false;
}

/**
 * Notify blocked senders while the reserved credit covers what each of them was refused; the first may spend all
 * the rest. Notify only one, unless those before it did not spend all they got.
 *
 * @return false: no sender is notified.
 */
static bool writable_notify_some(struct trp_channels *channels, struct trp_channel *channel)
{
    struct trp_blocked *blocked = &channel->blocked;
    uint32_t most = 1u << channel->rooms_bits;
    while (trp_blocked_notified_count(blocked) < most && writable_send_room(channels, channel)) {
        trp_blocked_mark_notified(blocked);
        const struct trp_blocked_sender *next = trp_blocked_next(blocked);
        if (next == NULL || trp_blocked_notified_count(blocked) >= channel->reserved_messages ||
            blocked->notified_bytes + next->bytes > channel->reserved_bytes) {
            break;
        }
    }
    return trp_blocked_notified_count(blocked) > 0;
}

/** Make reserved credit free to spend, except what notified senders need and those that sent nothing yet. */
static void writable_unreserve(struct trp_channel *channel)
{
    int64_t messages =
        (int64_t)trp_blocked_notified_count(&channel->blocked) + channel->rooms_unspent;
    int64_t bytes = channel->blocked.notified_bytes;
    messages = messages < channel->reserved_messages ? messages : channel->reserved_messages;
    bytes = bytes < channel->reserved_bytes ? bytes : channel->reserved_bytes;
    channel->credit_messages += channel->reserved_messages - messages;
    channel->credit_bytes += channel->reserved_bytes - bytes;
    channel->reserved_messages = messages;
    channel->reserved_bytes = bytes;
}

/** Reserve what is left for blocked senders. */
static void writable_reserve(struct trp_channel *channel)
{
    channel->reserved_messages += channel->credit_messages;
    channel->reserved_bytes += channel->credit_bytes;
    channel->credit_messages = 0;
    channel->credit_bytes = 0;
}

void trp_channel_send_rooms(struct trp_channels *channels, struct trp_channel *channel)
{
    while (writable_send_room(channels, channel)) {
        trp_blocked_drop(&channel->blocked);
    }
}

void trp_channel_send_last_rooms(struct trp_channels *channels, struct trp_channel *channel)
{
    trp_channel_send_rooms(channels, channel);
    uint64_t since_ns = 0;
    while (trp_blocked_has_waiting(&channel->blocked) && trp_descriptors_are_free(0)) {
        trp_memory_wait(&since_ns);
        trp_channel_send_rooms(channels, channel);
    }
}

/** Go on with the reserved credit: send the next ROOM, request more, or make it free for every sender. */
static void writable_serve(struct trp_channels *channels, struct trp_channel *channel)
{
    bool waiting = trp_blocked_has_waiting(&channel->blocked);
    if (waiting && channel->reserved_messages <= 0) {
        channels->rooms_delayed |= !writable_request_credit(channels, channel, 0);
        return;
    }
    if (!channels->is_inbox && waiting && writable_notify_some(channels, channel)) {
        return;
    }
    // The ROOMs of an inbox are sent all at once: it has no callback in which the credit could be spent.
    trp_channel_send_rooms(channels, channel);
    writable_unreserve(channel);
}

/** Serve the blocked senders of a channel that could not be served for want of memory. */
static void writable_retry(struct trp_channels *channels, struct trp_channel *channel)
{
    if (trp_blocked_notified_count(&channel->blocked) == 0 && !channel->is_waiting) {
        writable_serve(channels, channel);
    }
}

void trp_channels_retry_rooms(struct trp_channels *channels)
{
    channels->rooms_delayed = false;
    if (trp_blocked_has_waiting(&channels->loop->blocked)) {
        writable_retry(channels, channels->loop);
    }
    for (uint32_t i = 0; i < channels->by_peer.slot_count; i++) {
        struct trp_channel *channel = channels->by_peer.slots[i].value;
        if (channel != NULL && channel->out_open && trp_blocked_has_waiting(&channel->blocked)) {
            writable_retry(channels, channel);
        }
    }
}

void trp_channel_handle_credit_grant(
    struct trp_channels *channels,
    struct trp_channel *channel,
    const struct trp_credit_grant *credit)
{
    writable_reserve(channel);
    channel->reserved_messages += credit->messages;
    channel->reserved_bytes += credit->bytes;
    channel->is_waiting = false;
    channel->was_granted = true;
    channel->was_used = true; // the notified sender has 10 ms to spend it
    if (trp_blocked_notified_count(&channel->blocked) == 0) {
        writable_serve(channels, channel);
    }
    writable_set_allowance(channel);
}

void trp_channel_begin_room(struct trp_channels *channels, uint32_t peer_id)
{
    struct trp_channel *channel = trp_channel_to(channels, peer_id);
    if (channel != NULL && trp_blocked_notified_count(&channel->blocked) > 0) {
        trp_blocked_take_notified(&channel->blocked);
        writable_unreserve(channel);
        channel->room_credit = channel->credit_messages;
        channel->in_room = true;
    }
}

/** All ROOMs that were sent are delivered: go on with the next blocked senders. */
static void writable_end_rooms(
    struct trp_channels *channels, struct trp_channel *channel, bool unspent)
{
    writable_unreserve(channel);
    if (!trp_blocked_has_waiting(&channel->blocked)) {
        return;
    }
    if (channel->is_waiting) {
        // Its CREDIT_REQUEST will be granted with more.
        trp_channel_give_all_back(channels, channel);
    } else if (unspent) {
        // A sender that sends later than on its ROOM would otherwise find the credit reserved for the next one, and
        // so would that one, endlessly.
        trp_channel_send_rooms(channels, channel);
    } else {
        writable_reserve(channel);
        writable_serve(channels, channel);
    }
}

void trp_channel_end_room(struct trp_channels *channels, uint32_t peer_id)
{
    struct trp_channel *channel = trp_channel_to(channels, peer_id);
    if (channel == NULL || !channel->out_open) {
        return;
    }
    bool was_satisfied = channel->in_room;
    channel->in_room = false;
    channel->rooms_unspent += channel->credit_messages == channel->room_credit;
    if (trp_blocked_notified_count(&channel->blocked) > 0) {
        writable_reserve(channel); // for the senders that are notified, too
        return;
    }
    if (was_satisfied && channel->rooms_bits < ROOMS_BITS_MAX) {
        channel->rooms_bits++;
    }
    bool unspent = channel->rooms_unspent > 0;
    channel->rooms_unspent = 0;
    writable_end_rooms(channels, channel, unspent);
    writable_set_allowance(channel);
}

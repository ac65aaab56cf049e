/*
 * Closing a channel in order.
 *
 *     sender     trp_channel_finish: flush, return credit, FIN. By inproc nothing of the peer is touched after it;
 *                by ipc and tcp the pipes stay until the receiver has closed the ledger
 *     receiver   trp_channel_handle_fin: compare the counts, close the ledger, and maybe end
 *
 * An executor that ends sets `gone` in the ledgers of its peers, and requests them to finish their channels to it:
 * by a CLOSE_REQUEST, or by a wake-up where none can be sent.
 */
#include "channel/channel_close.h"

#include "base/check.h"
#include "base/counter.h"
#include "base/idmap.h"
#include "base/memory.h"
#include "channel/blocked.h"
#include "channel/channel.h"
#include "channel/channel_command.h"
#include "channel/channel_send.h"
#include "channel/channels.h"
#include "channel/credit.h"
#include "channel/credit_requests.h"
#include "channel/grant.h"
#include "channel/retained.h"
#include "channel/writable.h"
#include "shared/ledger.h"
#include "shared/records.h"
#include "shared/slot.h"
#include "wire/zmq.h"

#include <stdlib.h>

void trp_channel_remove_dirty(struct trp_channels *channels, struct trp_channel *channel)
{
    struct trp_channel **at = &channels->dirty;
    while (channel->dirty && *at != channel) {
        at = &(*at)->next_dirty;
    }
    if (channel->dirty) {
        *at = channel->next_dirty;
        channel->dirty = false;
    }
}

void trp_channel_close_out(struct trp_channels *channels, struct trp_channel *channel)
{
    trp_channel_drop_retained(channels, channel);
    trp_zmq_close(&channel->command_push);
    trp_zmq_close(&channel->push);
    channels->finished_count -= channel->finished ? 1 : 0;
    channel->finished = false;
    channel->ledger = NULL;
    channel->slot = NULL;
    trp_channels_clear_last(channels, channel);
}

void trp_channel_finish(struct trp_channels *channels, struct trp_channel *channel)
{
    if (!channel->out_open || channel->is_loop) {
        return;
    }
    uint64_t since_ns = 0;
    trp_channel_flush(channels, channel);
    while (channel->frame.used != 0) {
        trp_memory_wait(&since_ns);
        trp_channel_flush(channels, channel);
    }
    trp_channel_remove_dirty(channels, channel);
    trp_channel_return_all(channel);
    if (channel->command_push != NULL) {
        trp_channel_send_fin(channels, channel, TRP_LANE_COMMAND);
    }
    trp_channel_send_fin(channels, channel, TRP_LANE_USER);
    channel->out_open = false;
    trp_channels_clear_last(channels, channel);
    if (channel->is_remote) {
        // ZeroMQ loses what it has not sent when a pipe closes: the pipes stay until the peer received it all.
        channel->finished = true;
        channels->finished_count++;
    } else {
        trp_channel_close_out(channels, channel);
    }
    // The next send of each blocked sender tells it that the receiver is gone.
    trp_channel_send_last_rooms(channels, channel);
    trp_channel_release(channels, channel);
}

bool trp_channel_is_closed(const struct trp_channel *channel)
{
    // Once closed, the ledger may belong to another channel, which has another cookie.
    const struct trp_ledger *ledger = channel->ledger;
    return atomic_load_explicit(&ledger->state, memory_order_acquire) != TRP_LEDGER_OPEN ||
           ledger->cookie != channel->cookie;
}

bool trp_channels_reap(struct trp_channels *channels)
{
    // Releasing a channel may change the table: begin again after each.
    bool found = channels->finished_count > 0;
    while (found) {
        found = false;
        for (uint32_t i = 0; i < channels->by_peer.slot_count && !found; i++) {
            struct trp_channel *channel = channels->by_peer.slots[i].value;
            found = channel != NULL && channel->finished && trp_channel_is_closed(channel);
            if (found) {
                trp_channel_close_out(channels, channel);
                trp_channel_release(channels, channel);
            }
        }
    }
    return channels->finished_count > 0;
}

void trp_channels_await_finished(struct trp_channels *channels, uint64_t timeout_ns)
{
    for (uint32_t i = 0; i < channels->by_peer.slot_count; i++) {
        const struct trp_channel *channel = channels->by_peer.slots[i].value;
        if (channel != NULL && channel->finished) {
            trp_ledger_await_closed(channel->ledger, timeout_ns);
            return;
        }
    }
}

void trp_channel_request_close(struct trp_channels *channels, uint32_t peer_id, bool is_remote)
{
    struct trp_channel *channel = trp_idmap_find(&channels->by_peer, peer_id);
    bool is_open = (channel != NULL && channel->out_open) ||
                   (is_remote && trp_channel_open(channels, peer_id, &channel) == TROUPE_OK);
    if (!is_open ||
        trp_channel_command(channels, channel, TRP_KIND_CLOSE_REQUEST, NULL, 0) != TROUPE_OK) {
        // A wake-up costs no descriptor, and reaches a peer that opens no channels because it is ending, too:
        // in a ring of such executors none would finish first.
        channels->events->wake(channels, peer_id, is_remote);
    }
}

void trp_channels_finish_gone(struct trp_channels *channels)
{
    bool found = true;
    while (found) {
        found = false;
        for (uint32_t i = 0; i < channels->by_peer.slot_count && !found; i++) {
            struct trp_channel *channel = channels->by_peer.slots[i].value;
            if (channel != NULL && channel->out_open &&
                atomic_load_explicit(&channel->ledger->gone, memory_order_acquire)) {
                found = true;
                trp_channel_finish(channels, channel); // this may change the table: begin again
            }
        }
    }
}

void trp_channel_close_in(struct trp_channels *channels, struct trp_channel *channel)
{
    if (channel->has_request) {
        trp_channel_forget_credit_request(channels, channel);
    }
    trp_records_close_ledger(channels->shared, channels->records, channel->in_ledger);
    channel->in_ledger = NULL;
    channel->in_slot = NULL;
    channel->in_open = false;
    trp_channel_release(channels, channel);
}

void trp_channel_handle_fin(
    struct trp_channels *channels, struct trp_channel *channel, const struct trp_fin *fin)
{
    if (++channel->in_fins < fin->lane_count) {
        return;
    }
    trp_channels_settle(channels, false);
    if (fin->accepted_count != channel->received_count) {
        trp_count(&channels->slot->counters.sequence_gaps, 1);
    }
    const struct trp_slot *slot = channel->in_slot;
    if (trp_slot_state(slot) != TRP_SLOT_OPEN) {
        // It notified of all its exits before, except those for which it had no memory.
        const struct troupe_exit exit = {.reason = TROUPE_EXIT_UNKNOWN};
        channels->events->peer_ended(
            channels, channel->peer_id, slot->has_exit ? &slot->exit : &exit);
    }
    trp_channel_close_in(channels, channel);
}

void trp_channels_fini(struct trp_channels *channels)
{
    for (uint32_t i = 0; i < channels->by_peer.slot_count; i++) {
        struct trp_channel *channel = channels->by_peer.slots[i].value;
        if (channel != NULL) { // both directions are closed, or the peer never handled the FIN
            TRP_CHECK(!channel->out_open && !channel->in_open);
            trp_channel_close_out(channels, channel);
            trp_channel_drop_frame(channels, &channel->frame);
            trp_blocked_fini(&channel->blocked);
            free(channel->given);
            free(channel);
        }
    }
    if (channels->loop != NULL) {
        trp_channel_drop_frame(channels, &channels->loop->frame);
        trp_blocked_fini(&channels->loop->blocked);
        free(channels->loop);
    }
    trp_idmap_fini(&channels->by_peer);
}

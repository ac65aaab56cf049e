/*
 * The end of a channel, in order or by a death.
 *
 *     trp_channel_finish   the last frame is a FIN; by inproc nothing of the peer is touched after it,
 *                       by ipc and tcp the pipes stay until the ledger says that it was met
 *     the peer          meets the FIN, compares the counts, closes the ledger, and may go
 */
#include "actor/send.h"
#include "base/idmap.h"
#include "base/memory.h"
#include "channel/blocked.h"
#include "channel/channel.h"
#include "channel/channels.h"
#include "channel/mailbox.h"
#include "shared/shared.h"
#include "wire/format.h"
#include "wire/frame_read.h"
#include "wire/frame_write.h"
#include "wire/zmq.h"

#include <stdlib.h>

static void channel_remove_dirty(struct trp_channels *channels, struct trp_channel *channel)
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

/** Close the way out. What was sent is with the receiver, or the receiver is no more. */
static void channel_close_out(struct trp_channels *channels, struct trp_channel *channel)
{
    trp_channel_drop_retained(channel);
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
    channel_remove_dirty(channels, channel);
    trp_channel_return_all(channel);
    if (channel->command_push != NULL) {
        trp_channel_send_fin(channels, channel, TRP_LANE_COMMAND);
    }
    trp_channel_send_fin(channels, channel, TRP_LANE_USER);
    channel->out_open = false;
    channel->gate = NULL;
    trp_channels_clear_last(channels, channel);
    if (channel->is_remote) {
        // ZeroMQ would lose what it has not sent: the pipes stay until the peer has met it all.
        channel->finished = true;
        channels->finished_count++;
    } else {
        channel_close_out(channels, channel);
    }
    // Who waits for room there learns by the next send what became of it.
    trp_channel_send_last_rooms(channels, channel);
    trp_channel_release(channels, channel);
}

/** @return whether the receiver has met all of a finished channel. */
static bool channel_is_closed(const struct trp_channel *channel)
{
    // The ledger may be another channel's by now: then it has another cookie.
    const struct trp_ledger *ledger = channel->ledger;
    return atomic_load_explicit(&ledger->state, memory_order_acquire) != TRP_LEDGER_OPEN ||
           ledger->cookie != channel->cookie;
}

bool trp_channels_reap(struct trp_channels *channels)
{
    // Reaping may free the channel and so change the table: begin again after each.
    bool found = channels->finished_count > 0;
    while (found) {
        found = false;
        for (uint32_t i = 0; i < channels->by_peer.slot_count && !found; i++) {
            struct trp_channel *channel = channels->by_peer.slots[i].value;
            found = channel != NULL && channel->finished && channel_is_closed(channel);
            if (found) {
                channel_close_out(channels, channel);
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
            trp_shared_await_closed(channel->ledger, timeout_ns);
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
        // A word costs no descriptor, and reaches who takes no new channels because it is going itself:
        // in a ring of such nobody would finish first.
        channels->events->wake(channels, peer_id, is_remote);
    }
}

/** Finish the channels whose receivers take no more mail. */
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
                trp_channel_finish(channels, channel); // and the table may be another
            }
        }
    }
}

/** Close the way in: each of its messages has an outcome. */
static void channel_close_in(struct trp_channels *channels, struct trp_channel *channel)
{
    if (channel->has_request) {
        trp_channel_forget_credit_request(channels, channel);
    }
    trp_system_close_ledger(channels->system, channel->in_ledger);
    channel->in_ledger = NULL;
    channel->in_slot = NULL;
    channel->in_open = false;
    trp_channel_release(channels, channel);
}

/* Deaths. --------------------------------------------------------------------------------------- */

void trp_channels_lose(
    struct trp_channels *channels,
    struct trp_ledger *ledger,
    enum troupe_dead_reason reason,
    uint64_t count)
{
    if (count == 0) {
        return;
    }
    struct trp_shared *shared = channels->shared;
    trp_shared_lock(shared);
    const struct trp_slot *from = trp_shared_find_slot(shared, ledger->from);
    const struct trp_slot *to = trp_shared_find_slot(shared, ledger->to);
    const struct trp_dead dead = {
        .ledger = ledger,
        .to = {.node = to == NULL ? 0 : to->node, .executor = ledger->to},
        .from = {.node = from == NULL ? 0 : from->node, .executor = ledger->from},
        .reason = reason,
        .lost = count,
    };
    trp_shared_unlock(shared);
    channels->events->dead(channels, &dead);
}

static bool channel_is_slot_dead(const struct trp_slot *slot, uint32_t id)
{
    return slot != NULL && slot->id == id && trp_slot_state(slot) == TRP_SLOT_DEAD;
}

/** The sender's process died: what it accepted and nobody received from it is dead. */
static void channel_handle_dead_sender(struct trp_channels *channels, struct trp_channel *channel)
{
    struct trp_ledger *ledger = channel->in_ledger;
    trp_channels_settle(channels, false);
    uint64_t accepted = trp_counted(&ledger->accepted);
    trp_channels_lose(
        channels, ledger, TROUPE_DEAD_SENDER_DOWN, accepted - trp_ledger_done(ledger));
    trp_channel_reclaim(channels, channel);
    // Commands that were counted, and never came, are not waited for.
    uint64_t missing = trp_counted(&ledger->commands) - channel->command_count;
    channels->mailbox->command_count += missing;
    channels->events->peer_ended(channels, channel->peer_id, &channel->in_slot->exit);
    channel_close_in(channels, channel);
}

/** What is known of the messages of an item that nobody will receive. */
static struct trp_dead channel_dead_of(
    const struct trp_channel *channel, const struct trp_item *item)
{
    const struct trp_envelope *envelope = item->envelope;
    return (struct trp_dead){
        .ledger = channel->ledger,
        .to = {channel->slot->node, channel->peer_id, envelope->to_index, envelope->to_generation},
        .from = trp_item_sender(item),
        .type = envelope->type,
        .reason = channel->slot->failed ? TROUPE_DEAD_UNDELIVERABLE : TROUPE_DEAD_PEER_DOWN,
        .body_bytes = trp_item_bytes(item),
        .ask = item->kind == TRP_KIND_USER ? item->ask : 0,
    };
}

/** How far a receiver came that died. */
struct channel_progress {
    uint64_t done;        // messages of the channel
    uint64_t in_progress; // the last so many of them were begun, and what became of them is unknown
};

/**
 * Make dead letters of the messages of a frame that were not done with. One that was in hand is none, but
 * nobody will answer it.
 */
static void channel_dead_letter_frame(
    struct trp_channels *channels,
    struct trp_channel *channel,
    const uint8_t *bytes,
    size_t size,
    uint64_t first_sequence,
    const struct channel_progress *progress)
{
    struct trp_header header;
    struct trp_cursor cursor;
    struct trp_item item;
    if (trp_frame_open(bytes, size, NULL, &header, &cursor) != TRP_FAULT_NONE) {
        return;
    }
    cursor.local = true; // what is given is not looked at
    uint64_t sequence = first_sequence;
    while (!trp_frame_at_end(&cursor) && trp_frame_next(&cursor, &item) == TRP_FAULT_NONE) {
        if (!trp_kind_is_counted(item.kind)) {
            continue;
        }
        struct trp_dead dead = channel_dead_of(channel, &item);
        for (uint32_t i = 0; i < item.count; i++, sequence++) {
            if (sequence >= progress->done) {
                channels->events->dead(channels, &dead);
            } else if (sequence + progress->in_progress >= progress->done && dead.ask != 0) {
                dead.in_progress = true;
                channels->events->dead(channels, &dead);
                dead.in_progress = false;
            }
        }
    }
}

/** The receiver's process died: what it had not begun is dead, what it had in hand is unknown. */
static void channel_handle_dead_receiver(struct trp_channels *channels, struct trp_channel *channel)
{
    struct trp_ledger *ledger = channel->ledger;
    struct channel_progress progress = {.in_progress = trp_ledger_in_progress(ledger)};
    trp_count(&ledger->unknown, progress.in_progress);
    progress.done = trp_ledger_done(ledger);
    channel->out_open = false; // dead letters that are posted meanwhile find it gone
    channel_remove_dirty(channels, channel);
    trp_channels_clear_last(channels, channel);
    for (struct trp_retained *retained = channel->retained_first; retained != NULL;
         retained = retained->next) {
        size_t size = 0;
        const uint8_t *bytes = trp_zmsg_bytes(&retained->frame, &size);
        channel_dead_letter_frame(
            channels, channel, bytes, size, retained->first_sequence, &progress);
    }
    struct trp_outframe *frame = &channel->frame;
    if (frame->used != 0) {
        trp_channel_write_header(channels, channel, TRP_LANE_USER, 0, frame);
        uint64_t first = trp_counted(&ledger->accepted) - trp_outframe_counted(frame);
        channel_dead_letter_frame(channels, channel, frame->bytes, frame->used, first, &progress);
        trp_channel_clear_frame(frame);
    }
    while (channel->given_count > 0) {
        troupe_body_free(&channel->given[--channel->given_count]);
    }
    uint64_t rest = trp_counted(&ledger->accepted) - trp_ledger_done(ledger);
    trp_channels_lose(channels, ledger, TROUPE_DEAD_PEER_DOWN, rest);
    channel->gate = NULL;
    if (!channel->in_open) {
        channels->events->peer_ended(
            channels, channel->peer_id, &channel->slot->exit); // else behind what it sent
    }
    trp_channel_close_ledger(channels, ledger);
    channel_close_out(channels, channel);
    trp_channel_send_last_rooms(channels, channel);
    trp_channel_release(channels, channel);
}

/** Settle with one peer that died. @return false: there is none. */
bool trp_channels_handle_process_exit(struct trp_channels *channels)
{
    for (uint32_t i = 0; i < channels->by_peer.slot_count; i++) {
        struct trp_channel *channel = channels->by_peer.slots[i].value;
        if (channel == NULL) {
            continue;
        }
        if ((channel->out_open || channel->finished) &&
            channel_is_slot_dead(channel->slot, channel->peer_id) &&
            !(channel->finished && channel_is_closed(channel))) {
            channel_handle_dead_receiver(channels, channel);
            return true;
        }
        if (channel->in_open && channel_is_slot_dead(channel->in_slot, channel->peer_id)) {
            channel_handle_dead_sender(channels, channel);
            return true;
        }
    }
    return false;
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
        // It told all ends before, but those for which it had no memory.
        const struct troupe_exit exit = {.reason = TROUPE_EXIT_UNKNOWN};
        channels->events->peer_ended(
            channels, channel->peer_id, slot->has_exit ? &slot->exit : &exit);
    }
    channel_close_in(channels, channel);
}

void trp_channels_fini(struct trp_channels *channels)
{
    for (uint32_t i = 0; i < channels->by_peer.slot_count; i++) {
        struct trp_channel *channel = channels->by_peer.slots[i].value;
        if (channel != NULL) { // both ways are closed, or the peer never met the FIN
            TRP_CHECK(!channel->out_open && !channel->in_open);
            channel_close_out(channels, channel);
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

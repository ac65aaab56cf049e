/*
 * Closing the channels of a peer whose process exited.
 *
 *     it received from us   not started: dead letters, from the retained frames and the open frame;
 *                           in progress: unknown, as the ledger says, and the asks among them fail
 *     it sent to us         accepted and not received: dead, of which only the count is known
 *
 * The ledgers lie in shared memory and outlive the process, so what they count is what it did.
 */
#include "channel/channel_death.h"

#include "base/counter.h"
#include "channel/channel.h"
#include "channel/channel_close.h"
#include "channel/channel_send.h"
#include "channel/grant.h"
#include "channel/mailbox.h"
#include "channel/retained.h"
#include "channel/writable.h"
#include "shared/ledger.h"
#include "shared/shared.h"
#include "shared/slot.h"
#include "wire/format.h"
#include "wire/frame_read.h"
#include "wire/frame_write.h"
#include "wire/zmq.h"

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

static bool death_is_slot_dead(const struct trp_slot *slot, uint32_t id)
{
    return slot != NULL && slot->id == id && trp_slot_state(slot) == TRP_SLOT_DEAD;
}

/** The sender's process exited: messages that it accepted and that were not received are dead. */
static void death_handle_sender(struct trp_channels *channels, struct trp_channel *channel)
{
    struct trp_ledger *ledger = channel->in_ledger;
    trp_channels_settle(channels, false);
    uint64_t accepted = trp_counted(&ledger->accepted);
    trp_channels_lose(
        channels, ledger, TROUPE_DEAD_SENDER_DOWN, accepted - trp_ledger_done(ledger));
    trp_channel_reclaim(channels, channel);
    // Do not wait for commands that were counted and were never sent.
    uint64_t missing = trp_counted(&ledger->commands) - channel->command_count;
    channels->mailbox->command_count += missing;
    channels->events->peer_ended(channels, channel->peer_id, &channel->in_slot->exit);
    trp_channel_close_in(channels, channel);
}

/** @return what is known of the messages of an item that will not be received. */
static struct trp_dead death_of_item(const struct trp_channel *channel, const struct trp_item *item)
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

/** How far a receiver came whose process exited. */
struct death_progress {
    uint64_t done;        // messages of the channel
    uint64_t in_progress; // the last so many of them were started, and their outcome is unknown
};

/**
 * Make dead letters of the messages of a frame that were not started. A message in progress makes no dead letter,
 * but its ask fails, for there will be no reply.
 */
static void death_dead_letter_frame(
    struct trp_channels *channels,
    struct trp_channel *channel,
    const uint8_t *bytes,
    size_t size,
    uint64_t first_sequence,
    const struct death_progress *progress)
{
    struct trp_header header;
    struct trp_cursor cursor;
    struct trp_item item;
    if (trp_frame_open(bytes, size, NULL, &header, &cursor) != TRP_FAULT_NONE) {
        return;
    }
    cursor.local = true; // given bodies are not read
    uint64_t sequence = first_sequence;
    while (!trp_frame_at_end(&cursor) && trp_frame_next(&cursor, &item) == TRP_FAULT_NONE) {
        if (!trp_kind_is_counted(item.kind)) {
            continue;
        }
        struct trp_dead dead = death_of_item(channel, &item);
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

/** The receiver's process exited: messages not started are dead, those in progress are unknown. */
static void death_handle_receiver(struct trp_channels *channels, struct trp_channel *channel)
{
    struct trp_ledger *ledger = channel->ledger;
    struct death_progress progress = {.in_progress = trp_ledger_in_progress(ledger)};
    trp_count(&ledger->unknown, progress.in_progress);
    progress.done = trp_ledger_done(ledger);
    channel->out_open = false; // messages sent while the dead letters are made find it closed
    trp_channel_remove_dirty(channels, channel);
    trp_channels_clear_last(channels, channel);
    for (struct trp_retained *retained = channel->retained_first; retained != NULL;
         retained = retained->next) {
        size_t size = 0;
        const uint8_t *bytes = trp_zmsg_bytes(&retained->frame, &size);
        death_dead_letter_frame(
            channels, channel, bytes, size, retained->first_sequence, &progress);
    }
    struct trp_outframe *frame = &channel->frame;
    if (frame->used != 0) {
        trp_channel_write_header(channels, channel, TRP_LANE_USER, 0, frame);
        uint64_t first = trp_counted(&ledger->accepted) - trp_outframe_counted(frame);
        death_dead_letter_frame(channels, channel, frame->bytes, frame->used, first, &progress);
        trp_channel_clear_frame(frame);
    }
    while (channel->given_count > 0) {
        troupe_body_free(&channel->given[--channel->given_count]);
    }
    uint64_t rest = trp_counted(&ledger->accepted) - trp_ledger_done(ledger);
    trp_channels_lose(channels, ledger, TROUPE_DEAD_PEER_DOWN, rest);
    if (!channel->in_open) {
        // Otherwise the exit is reported once everything that the peer sent was received.
        channels->events->peer_ended(channels, channel->peer_id, &channel->slot->exit);
    }
    trp_channel_close_ledger(channels, ledger);
    trp_channel_close_out(channels, channel);
    trp_channel_send_last_rooms(channels, channel);
    trp_channel_release(channels, channel);
}

bool trp_channels_handle_process_exit(struct trp_channels *channels)
{
    for (uint32_t i = 0; i < channels->by_peer.slot_count; i++) {
        struct trp_channel *channel = channels->by_peer.slots[i].value;
        if (channel == NULL) {
            continue;
        }
        if ((channel->out_open || channel->finished) &&
            death_is_slot_dead(channel->slot, channel->peer_id) &&
            !(channel->finished && trp_channel_is_closed(channel))) {
            death_handle_receiver(channels, channel);
            return true;
        }
        if (channel->in_open && death_is_slot_dead(channel->in_slot, channel->peer_id)) {
            death_handle_sender(channels, channel);
            return true;
        }
    }
    return false;
}

/*
 * The end of a channel, in order or by a death.
 *
 *     trp_channel_finish   the last frame is a FIN; by inproc nothing of the peer is touched after it,
 *                       by ipc and tcp the pipes stay until the ledger says that it was met
 *     the peer          meets the FIN, compares the counts, closes the ledger, and may go
 */
#include "actor/executor.h"
#include "actor/monitor.h"
#include "base/memory.h"
#include "channel/channel.h"
#include "node/process_manager.h"
#include "node/signals.h"
#include "node/system.h"

#include <stdlib.h>

static void channel_remove_dirty(struct troupe_executor *executor, struct trp_channel *channel)
{
    struct trp_channel **at = &executor->dirty;
    while (channel->dirty && *at != channel) {
        at = &(*at)->next_dirty;
    }
    if (channel->dirty) {
        *at = channel->next_dirty;
        channel->dirty = false;
    }
}

/** Close the way out. What was sent is with the receiver, or the receiver is no more. */
static void channel_close_out(struct troupe_executor *executor, struct trp_channel *channel)
{
    trp_channel_drop_retained(channel);
    trp_zmq_close(&channel->command_push);
    trp_zmq_close(&channel->push);
    executor->finished_count -= channel->finished ? 1 : 0;
    channel->finished = false;
    channel->ledger = NULL;
    channel->slot = NULL;
    trp_executor_clear_last_channel(executor, channel);
}

void trp_channel_finish(struct troupe_executor *executor, struct trp_channel *channel)
{
    if (!channel->out_open || channel->is_loop) {
        return;
    }
    uint64_t since_ns = 0;
    trp_channel_flush(executor, channel);
    while (channel->frame.used != 0) {
        trp_memory_wait(&since_ns);
        trp_channel_flush(executor, channel);
    }
    channel_remove_dirty(executor, channel);
    trp_channel_return_all(channel);
    if (channel->command_push != NULL) {
        trp_channel_send_fin(executor, channel, TRP_LANE_COMMAND);
    }
    trp_channel_send_fin(executor, channel, TRP_LANE_USER);
    channel->out_open = false;
    trp_executor_clear_last_channel(executor, channel);
    if (channel->is_remote) {
        // ZeroMQ would lose what it has not sent: the pipes stay until the peer has met it all.
        channel->finished = true;
        executor->finished_count++;
    } else {
        channel_close_out(executor, channel);
    }
    // Who waits for room there learns by the next send what became of it.
    trp_channel_send_last_rooms(executor, channel);
    trp_channel_release(executor, channel);
}

/** @return whether the receiver has met all of a finished channel. */
static bool channel_is_closed(const struct trp_channel *channel)
{
    // The ledger may be another channel's by now: then it has another cookie.
    const struct trp_ledger *ledger = channel->ledger;
    return atomic_load_explicit(&ledger->state, memory_order_acquire) != TRP_LEDGER_OPEN ||
           ledger->cookie != channel->cookie;
}

bool trp_channels_reap(struct troupe_executor *executor)
{
    // Reaping may free the channel and so change the table: begin again after each.
    bool found = executor->finished_count > 0;
    while (found) {
        found = false;
        for (uint32_t i = 0; i < executor->channels.slot_count && !found; i++) {
            struct trp_channel *channel = executor->channels.slots[i].value;
            found = channel != NULL && channel->finished && channel_is_closed(channel);
            if (found) {
                channel_close_out(executor, channel);
                trp_channel_release(executor, channel);
            }
        }
    }
    return executor->finished_count > 0;
}

void trp_channels_await_finished(struct troupe_executor *executor, uint64_t timeout_ns)
{
    for (uint32_t i = 0; i < executor->channels.slot_count; i++) {
        const struct trp_channel *channel = executor->channels.slots[i].value;
        if (channel != NULL && channel->finished) {
            trp_ledger_await_closed(channel->ledger, timeout_ns);
            return;
        }
    }
}

/** Leave word with a peer to which no channel can be opened, or no command sent. */
static void channel_set_close_flag(
    struct troupe_executor *executor, uint32_t peer_id, bool is_remote)
{
    if (is_remote) {
        struct trp_shared *shared = executor->system->shared;
        trp_shared_lock(shared);
        const struct trp_slot *slot = trp_shared_find_slot(shared, peer_id);
        uint32_t node = slot == NULL ? executor->node : slot->node;
        trp_shared_unlock(shared);
        trp_process_manager_refresh(executor->system, node);
        return;
    }
    (void)pthread_mutex_lock(&executor->system->lock);
    struct troupe_executor *peer = trp_idmap_find(&executor->system->executors, peer_id);
    if (peer != NULL) {
        atomic_store_explicit(&peer->attention, true, memory_order_release);
        trp_executor_wake(peer);
    }
    (void)pthread_mutex_unlock(&executor->system->lock);
}

void trp_channel_request_close(struct troupe_executor *executor, uint32_t peer_id, bool is_remote)
{
    struct trp_channel *channel = trp_idmap_find(&executor->channels, peer_id);
    bool is_open = (channel != NULL && channel->out_open) ||
                   (is_remote && trp_channel_open(executor, peer_id, &channel) == TROUPE_OK);
    if (!is_open ||
        trp_channel_command(executor, channel, TRP_KIND_CLOSE_REQUEST, NULL, 0) != TROUPE_OK) {
        // A word costs no descriptor, and reaches who takes no new channels because it is going itself:
        // in a ring of such nobody would finish first.
        channel_set_close_flag(executor, peer_id, is_remote);
    }
}

/** Finish the channels whose receivers take no more mail. */
static void channel_finish_gone(struct troupe_executor *executor)
{
    bool found = true;
    while (found) {
        found = false;
        for (uint32_t i = 0; i < executor->channels.slot_count && !found; i++) {
            struct trp_channel *channel = executor->channels.slots[i].value;
            if (channel != NULL && channel->out_open &&
                atomic_load_explicit(&channel->ledger->gone, memory_order_acquire)) {
                found = true;
                trp_channel_finish(executor, channel); // and the table may be another
            }
        }
    }
}

/** Close the way in: each of its messages has an outcome. */
static void channel_close_in(struct troupe_executor *executor, struct trp_channel *channel)
{
    if (channel->has_request) {
        trp_channel_forget_credit_request(executor, channel);
    }
    trp_records_close_ledger(
        executor->system->shared, trp_system_records(executor->system), channel->in_ledger);
    channel->in_ledger = NULL;
    channel->in_slot = NULL;
    channel->in_open = false;
    trp_channel_release(executor, channel);
}

/* Deaths. --------------------------------------------------------------------------------------- */

static bool channel_is_slot_dead(const struct trp_slot *slot, uint32_t id)
{
    return slot != NULL && slot->id == id && trp_slot_state(slot) == TRP_SLOT_DEAD;
}

/** The sender's process died: what it accepted and nobody received from it is dead. */
static void channel_handle_dead_sender(
    struct troupe_executor *executor, struct trp_channel *channel)
{
    struct trp_ledger *ledger = channel->in_ledger;
    trp_channels_settle(executor, false);
    uint64_t accepted = trp_counted(&ledger->accepted);
    trp_dead_letters_lost(
        executor, ledger, TROUPE_DEAD_SENDER_DOWN, accepted - trp_ledger_done(ledger));
    trp_channel_reclaim(executor, channel);
    // Commands that were counted, and never came, are not waited for.
    uint64_t missing = trp_counted(&ledger->commands) - channel->command_count;
    executor->mailbox.command_count += missing;
    trp_monitor_lose_process(executor, channel->peer_id, &channel->in_slot->exit);
    channel_close_in(executor, channel);
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
    struct troupe_executor *executor,
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
        const struct trp_dead dead = channel_dead_of(channel, &item);
        for (uint32_t i = 0; i < item.count; i++, sequence++) {
            if (sequence >= progress->done) {
                trp_dead_letter(executor, &dead);
            } else if (sequence + progress->in_progress >= progress->done && dead.ask != 0) {
                trp_dead_letter_fail_ask(executor, &dead);
            }
        }
    }
}

/** The receiver's process died: what it had not begun is dead, what it had in hand is unknown. */
static void channel_handle_dead_receiver(
    struct troupe_executor *executor, struct trp_channel *channel)
{
    struct trp_ledger *ledger = channel->ledger;
    struct channel_progress progress = {.in_progress = trp_ledger_in_progress(ledger)};
    trp_count(&ledger->unknown, progress.in_progress);
    progress.done = trp_ledger_done(ledger);
    channel->out_open = false; // dead letters that are posted meanwhile find it gone
    channel_remove_dirty(executor, channel);
    trp_executor_clear_last_channel(executor, channel);
    for (struct trp_retained *retained = channel->retained_first; retained != NULL;
         retained = retained->next) {
        size_t size = 0;
        const uint8_t *bytes = trp_zmsg_bytes(&retained->frame, &size);
        channel_dead_letter_frame(
            executor, channel, bytes, size, retained->first_sequence, &progress);
    }
    struct trp_outframe *frame = &channel->frame;
    if (frame->used != 0) {
        trp_channel_write_header(executor, channel, TRP_LANE_USER, 0, frame);
        uint64_t first = trp_counted(&ledger->accepted) - trp_outframe_counted(frame);
        channel_dead_letter_frame(executor, channel, frame->bytes, frame->used, first, &progress);
        trp_channel_clear_frame(frame);
    }
    while (channel->given_count > 0) {
        troupe_body_free(&channel->given[--channel->given_count]);
    }
    uint64_t rest = trp_counted(&ledger->accepted) - trp_ledger_done(ledger);
    trp_dead_letters_lost(executor, ledger, TROUPE_DEAD_PEER_DOWN, rest);
    if (!channel->in_open) {
        trp_monitor_lose_process(
            executor, channel->peer_id, &channel->slot->exit); // else behind what it sent
    }
    trp_channel_close_ledger(executor, ledger);
    channel_close_out(executor, channel);
    trp_channel_send_last_rooms(executor, channel);
    trp_channel_release(executor, channel);
}

/** Settle with one peer that died. @return false: there is none. */
static bool channel_handle_process_exit(struct troupe_executor *executor)
{
    for (uint32_t i = 0; i < executor->channels.slot_count; i++) {
        struct trp_channel *channel = executor->channels.slots[i].value;
        if (channel == NULL) {
            continue;
        }
        if ((channel->out_open || channel->finished) &&
            channel_is_slot_dead(channel->slot, channel->peer_id) &&
            !(channel->finished && channel_is_closed(channel))) {
            channel_handle_dead_receiver(executor, channel);
            return true;
        }
        if (channel->in_open && channel_is_slot_dead(channel->in_slot, channel->peer_id)) {
            channel_handle_dead_sender(executor, channel);
            return true;
        }
    }
    return false;
}

void trp_channels_handle_process_exits(struct troupe_executor *executor)
{
    uint32_t process_exit_count =
        atomic_load_explicit(&executor->system->shared->process_exit_count, memory_order_acquire);
    if (TRP_LIKELY(process_exit_count == executor->process_exits_seen)) {
        return;
    }
    executor->process_exits_seen = process_exit_count;
    trp_executor_claim_all(executor);
    while (channel_handle_process_exit(executor)) {
    }
}

void trp_channels_handle_flags(struct troupe_executor *executor)
{
    if (atomic_exchange_explicit(&executor->attention, false, memory_order_acquire)) {
        channel_finish_gone(executor);
        trp_signals_notify(executor);
    }
    if (atomic_load_explicit(&executor->slot->stop_requested, memory_order_relaxed)) {
        executor->ending = true;
    }
    trp_channels_handle_process_exits(executor);
    (void)trp_channels_reap(executor);
}

void trp_channel_handle_fin(
    struct troupe_executor *executor, struct trp_channel *channel, const struct trp_fin *fin)
{
    if (++channel->in_fins < fin->lane_count) {
        return;
    }
    trp_channels_settle(executor, false);
    if (fin->accepted_count != channel->received_count) {
        trp_count(&executor->counters->sequence_gaps, 1);
    }
    const struct trp_slot *slot = channel->in_slot;
    if (trp_slot_state(slot) != TRP_SLOT_OPEN && executor->monitors.count > 0) {
        // It told all ends before, but those for which it had no memory.
        const struct troupe_exit exit = {.reason = TROUPE_EXIT_UNKNOWN};
        trp_monitor_lose_process(executor, channel->peer_id, slot->has_exit ? &slot->exit : &exit);
    }
    channel_close_in(executor, channel);
}

void trp_channels_fini(struct troupe_executor *executor)
{
    for (uint32_t i = 0; i < executor->channels.slot_count; i++) {
        struct trp_channel *channel = executor->channels.slots[i].value;
        if (channel != NULL) { // both ways are closed, or the peer never met the FIN
            TRP_CHECK(!channel->out_open && !channel->in_open);
            channel_close_out(executor, channel);
            trp_channel_drop_frame(executor, &channel->frame);
            trp_blocked_fini(&channel->blocked);
            free(channel->given);
            free(channel);
        }
    }
    if (executor->loop != NULL) {
        trp_channel_drop_frame(executor, &executor->loop->frame);
        trp_blocked_fini(&executor->loop->blocked);
        free(executor->loop);
    }
    trp_idmap_fini(&executor->channels);
}

/*
 * The end of a link, in order or by a death.
 *
 *     trp_link_finish   the last frame is a FIN; by inproc nothing of the peer is touched after it,
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

static void link_remove_dirty(struct troupe_executor *executor, struct trp_link *link)
{
    struct trp_link **at = &executor->dirty;
    while (link->dirty && *at != link) {
        at = &(*at)->next_dirty;
    }
    if (link->dirty) {
        *at = link->next_dirty;
        link->dirty = false;
    }
}

/** Close the way out. What was sent is with the receiver, or the receiver is no more. */
static void link_close_out(struct troupe_executor *executor, struct trp_link *link)
{
    trp_link_drop_kept(link);
    trp_wire_close(&link->command_push);
    trp_wire_close(&link->push);
    executor->finished_count -= link->finished ? 1 : 0;
    link->finished = false;
    link->ledger = NULL;
    link->seat = NULL;
    trp_executor_unaim(executor, link);
}

void trp_link_finish(struct troupe_executor *executor, struct trp_link *link)
{
    if (!link->out_open || link->is_loop) {
        return;
    }
    uint64_t since_ns = 0;
    trp_link_flush(executor, link);
    while (link->frame.used != 0) {
        trp_memory_wait(&since_ns);
        trp_link_flush(executor, link);
    }
    link_remove_dirty(executor, link);
    trp_link_return_all(link);
    if (link->command_push != NULL) {
        trp_link_send_fin(executor, link, TRP_LANE_COMMAND);
    }
    trp_link_send_fin(executor, link, TRP_LANE_USER);
    link->out_open = false;
    link->gate = NULL;
    trp_executor_unaim(executor, link);
    if (link->is_remote) {
        // ZeroMQ would lose what it has not sent: the pipes stay until the peer has met it all.
        link->finished = true;
        executor->finished_count++;
    } else {
        link_close_out(executor, link);
    }
    // Who waits for room there learns by the next send what became of it.
    trp_link_send_last_rooms(executor, link);
    trp_link_release(executor, link);
}

/** @return whether the receiver has met all of a finished link. */
static bool link_is_closed(const struct trp_link *link)
{
    // The ledger may be another link's by now: then it has another cookie.
    const struct trp_ledger *ledger = link->ledger;
    return atomic_load_explicit(&ledger->state, memory_order_acquire) != TRP_LEDGER_OPEN ||
           ledger->cookie != link->cookie;
}

bool trp_links_reap(struct troupe_executor *executor)
{
    // Reaping may free the link and so change the table: begin again after each.
    bool found = executor->finished_count > 0;
    while (found) {
        found = false;
        for (uint32_t i = 0; i < executor->links.slot_count && !found; i++) {
            struct trp_link *link = executor->links.slots[i].value;
            found = link != NULL && link->finished && link_is_closed(link);
            if (found) {
                link_close_out(executor, link);
                trp_link_release(executor, link);
            }
        }
    }
    return executor->finished_count > 0;
}

void trp_links_await_finished(struct troupe_executor *executor, uint64_t timeout_ns)
{
    for (uint32_t i = 0; i < executor->links.slot_count; i++) {
        const struct trp_link *link = executor->links.slots[i].value;
        if (link != NULL && link->finished) {
            trp_board_await_closed(link->ledger, timeout_ns);
            return;
        }
    }
}

/** Leave word with a peer to which no link can be opened, or no command sent. */
static void link_leave_word(struct troupe_executor *executor, uint32_t peer_id, bool is_remote)
{
    if (is_remote) {
        struct trp_board *board = executor->system->board;
        trp_board_lock(board);
        const struct trp_seat *seat = trp_board_find_seat(board, peer_id);
        uint32_t node = seat == NULL ? executor->node : seat->node;
        trp_board_unlock(board);
        trp_warden_poke(executor->system, node);
        return;
    }
    (void)pthread_mutex_lock(&executor->system->lock);
    struct troupe_executor *peer = trp_idmap_find(&executor->system->executors, peer_id);
    if (peer != NULL) {
        atomic_store_explicit(&peer->has_word, true, memory_order_release);
        trp_executor_wake(peer);
    }
    (void)pthread_mutex_unlock(&executor->system->lock);
}

void trp_link_say_gone(struct troupe_executor *executor, uint32_t peer_id, bool is_remote)
{
    struct trp_link *link = trp_idmap_find(&executor->links, peer_id);
    bool is_open = (link != NULL && link->out_open) ||
                   (is_remote && trp_link_open(executor, peer_id, &link) == TROUPE_OK);
    if (!is_open || trp_link_command(executor, link, TRP_KIND_GONE, NULL, 0) != TROUPE_OK) {
        // A word costs no descriptor, and reaches who takes no new links because it is going itself:
        // in a ring of such nobody would finish first.
        link_leave_word(executor, peer_id, is_remote);
    }
}

/** Finish the links whose receivers take no more mail. */
static void link_finish_gone(struct troupe_executor *executor)
{
    bool found = true;
    while (found) {
        found = false;
        for (uint32_t i = 0; i < executor->links.slot_count && !found; i++) {
            struct trp_link *link = executor->links.slots[i].value;
            if (link != NULL && link->out_open &&
                atomic_load_explicit(&link->ledger->gone, memory_order_acquire)) {
                found = true;
                trp_link_finish(executor, link); // and the table may be another
            }
        }
    }
}

/** Close the way in: each of its messages has an outcome. */
static void link_close_in(struct troupe_executor *executor, struct trp_link *link)
{
    if (link->wants) {
        trp_link_forget_want(executor, link);
    }
    trp_system_close_ledger(executor->system, link->in_ledger);
    link->in_ledger = NULL;
    link->in_seat = NULL;
    link->in_open = false;
    trp_link_release(executor, link);
}

/* Deaths. --------------------------------------------------------------------------------------- */

static bool link_is_seat_dead(const struct trp_seat *seat, uint32_t id)
{
    return seat != NULL && seat->id == id && trp_seat_state(seat) == TRP_SEAT_DEAD;
}

/** The sender's process died: what it accepted and nobody received from it is dead. */
static void link_meet_dead_sender(struct troupe_executor *executor, struct trp_link *link)
{
    struct trp_ledger *ledger = link->in_ledger;
    trp_links_settle(executor, false);
    uint64_t accepted = trp_counted(&ledger->accepted);
    trp_dead_letters_lost(
        executor, ledger, TROUPE_DEAD_SENDER_DOWN, accepted - trp_ledger_done(ledger));
    trp_link_reclaim(executor, link);
    // Commands that were counted, and never came, are not waited for.
    uint64_t missing = trp_counted(&ledger->commands) - link->command_count;
    executor->mailbox.command_count += missing;
    trp_ends_lose(executor, link->peer_id, &link->in_seat->exit);
    link_close_in(executor, link);
}

/** What is known of the messages of an item that nobody will receive. */
static struct trp_dead link_dead_of(const struct trp_link *link, const struct trp_item *item)
{
    const struct trp_envelope *envelope = item->envelope;
    return (struct trp_dead){
        .ledger = link->ledger,
        .to = {link->seat->node, link->peer_id, envelope->to_index, envelope->to_generation},
        .from = trp_item_sender(item),
        .type = envelope->type,
        .reason = link->seat->failed ? TROUPE_DEAD_REFUSED : TROUPE_DEAD_PEER_DOWN,
        .body_bytes = trp_item_bytes(item),
        .ask = item->kind == TRP_KIND_USER ? item->ask : 0,
    };
}

/** How far a receiver came that died. */
struct link_progress {
    uint64_t done;    // messages of the link
    uint64_t in_hand; // the last so many of them were begun, and what became of them is unknown
};

/**
 * Make dead letters of the messages of a frame that were not done with. One that was in hand is none, but
 * nobody will answer it.
 */
static void link_bury_frame(
    struct troupe_executor *executor,
    struct trp_link *link,
    const uint8_t *bytes,
    size_t size,
    uint64_t first_sequence,
    const struct link_progress *progress)
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
        const struct trp_dead dead = link_dead_of(link, &item);
        for (uint32_t i = 0; i < item.count; i++, sequence++) {
            if (sequence >= progress->done) {
                trp_dead_letter(executor, &dead);
            } else if (sequence + progress->in_hand >= progress->done && dead.ask != 0) {
                trp_dead_letter_fail_ask(executor, &dead);
            }
        }
    }
}

/** The receiver's process died: what it had not begun is dead, what it had in hand is unknown. */
static void link_meet_dead_receiver(struct troupe_executor *executor, struct trp_link *link)
{
    struct trp_ledger *ledger = link->ledger;
    struct link_progress progress = {.in_hand = trp_ledger_in_hand(ledger)};
    trp_count(&ledger->unknown, progress.in_hand);
    progress.done = trp_ledger_done(ledger);
    link->out_open = false; // dead letters that are posted meanwhile find it gone
    link_remove_dirty(executor, link);
    trp_executor_unaim(executor, link);
    for (struct trp_kept *kept = link->kept_first; kept != NULL; kept = kept->next) {
        size_t size = 0;
        const uint8_t *bytes = trp_parcel_bytes(&kept->frame, &size);
        link_bury_frame(executor, link, bytes, size, kept->first_sequence, &progress);
    }
    struct trp_outframe *frame = &link->frame;
    if (frame->used != 0) {
        trp_link_write_header(executor, link, TRP_LANE_USER, 0, frame);
        uint64_t first = trp_counted(&ledger->accepted) - trp_outframe_counted(frame);
        link_bury_frame(executor, link, frame->bytes, frame->used, first, &progress);
        trp_link_clear_frame(frame);
    }
    while (link->given_count > 0) {
        troupe_body_free(&link->given[--link->given_count]);
    }
    uint64_t rest = trp_counted(&ledger->accepted) - trp_ledger_done(ledger);
    trp_dead_letters_lost(executor, ledger, TROUPE_DEAD_PEER_DOWN, rest);
    link->gate = NULL;
    if (!link->in_open) {
        trp_ends_lose(executor, link->peer_id, &link->seat->exit); // else behind what it sent
    }
    trp_link_close_ledger(executor, ledger);
    link_close_out(executor, link);
    trp_link_send_last_rooms(executor, link);
    trp_link_release(executor, link);
}

/** Settle with one peer that died. @return false: there is none. */
static bool link_meet_death(struct troupe_executor *executor)
{
    for (uint32_t i = 0; i < executor->links.slot_count; i++) {
        struct trp_link *link = executor->links.slots[i].value;
        if (link == NULL) {
            continue;
        }
        if ((link->out_open || link->finished) && link_is_seat_dead(link->seat, link->peer_id) &&
            !(link->finished && link_is_closed(link))) {
            link_meet_dead_receiver(executor, link);
            return true;
        }
        if (link->in_open && link_is_seat_dead(link->in_seat, link->peer_id)) {
            link_meet_dead_sender(executor, link);
            return true;
        }
    }
    return false;
}

void trp_links_meet_deaths(struct troupe_executor *executor)
{
    uint32_t deaths = atomic_load_explicit(&executor->system->board->deaths, memory_order_acquire);
    if (TRP_LIKELY(deaths == executor->deaths_seen)) {
        return;
    }
    executor->deaths_seen = deaths;
    trp_executor_claim_all(executor);
    while (link_meet_death(executor)) {
    }
}

void trp_links_meet_words(struct troupe_executor *executor)
{
    if (atomic_exchange_explicit(&executor->has_word, false, memory_order_acquire)) {
        link_finish_gone(executor);
        trp_signals_tell(executor);
    }
    if (atomic_load_explicit(&executor->seat->stop_word, memory_order_relaxed)) {
        executor->ending = true;
    }
    trp_links_meet_deaths(executor);
    (void)trp_links_reap(executor);
}

void trp_link_meet_fin(
    struct troupe_executor *executor, struct trp_link *link, const struct trp_fin *fin)
{
    if (++link->in_fins < fin->lane_count) {
        return;
    }
    trp_links_settle(executor, false);
    if (fin->accepted_count != link->received_count) {
        trp_count(&executor->counters->ledger_gaps, 1);
    }
    const struct trp_seat *seat = link->in_seat;
    if (trp_seat_state(seat) != TRP_SEAT_OPEN && executor->watches.count > 0) {
        // It told all ends before, but those for which it had no memory.
        const struct troupe_exit exit = {.reason = TROUPE_EXIT_UNKNOWN};
        trp_ends_lose(executor, link->peer_id, seat->has_exit ? &seat->exit : &exit);
    }
    link_close_in(executor, link);
}

void trp_links_fini(struct troupe_executor *executor)
{
    for (uint32_t i = 0; i < executor->links.slot_count; i++) {
        struct trp_link *link = executor->links.slots[i].value;
        if (link != NULL) { // both ways are closed, or the peer never met the FIN
            TRP_CHECK(!link->out_open && !link->in_open);
            link_close_out(executor, link);
            trp_link_drop_frame(executor, &link->frame);
            trp_refusals_fini(&link->refusals);
            free(link->given);
            free(link);
        }
    }
    if (executor->loop != NULL) {
        trp_link_drop_frame(executor, &executor->loop->frame);
        trp_refusals_fini(&executor->loop->refusals);
        free(executor->loop);
    }
    trp_idmap_fini(&executor->links);
}

#include "node/process_exit.h"

#include "node/signals.h"
#include "node/system.h"
#include "wire/endpoint.h"

#include <stdio.h>

/** @return whether an executor will do nothing more with its mail. */
static bool deaths_is_over(const struct trp_seat *seat)
{
    return seat == NULL || trp_seat_state(seat) == TRP_SEAT_DEAD ||
           trp_seat_state(seat) == TRP_SEAT_ENDED || trp_seat_state(seat) == TRP_SEAT_FREE;
}

/** Forget a process that was never asked for, since its asker died first. */
static void deaths_free_node(struct trp_board *board, uint32_t id)
{
    struct trp_node *node = trp_board_find_node(board, id);
    if (node != NULL &&
        atomic_load_explicit(&node->state, memory_order_relaxed) == TRP_NODE_ASKED) {
        atomic_store_explicit(&node->state, TRP_NODE_FREE, memory_order_release);
    }
}

/** No pool has that executor any more. */
static void deaths_clear_slots(struct trp_board *board, uint32_t executor)
{
    for (uint32_t i = 0; i < board->pool_slot_count; i++) {
        if (board->pool_slots[i] == executor) {
            board->pool_slots[i] = 0;
        }
    }
}

/**
 * Mark the executors of a process as dead, and those it was about to have a process started for.
 *
 * @return whether there were any.
 */
static bool deaths_mark(
    struct trp_board *board, uint32_t node, bool never_ran, const struct troupe_exit *exit)
{
    bool died = false;
    uint32_t high = atomic_load_explicit(&board->seat_high, memory_order_acquire);
    for (uint32_t i = 0; i < high; i++) {
        struct trp_seat *seat = &board->seats[i];
        enum trp_seat_state state = trp_seat_state(seat);
        bool asked_in_vain = seat->asker == node;
        if ((seat->node != node && !asked_in_vain) || state == TRP_SEAT_FREE) {
            continue;
        }
        bool has_open = atomic_load_explicit(&seat->in_open_count, memory_order_relaxed) != 0 ||
                        atomic_load_explicit(&seat->out_open_count, memory_order_relaxed) != 0;
        if (state == TRP_SEAT_ENDED && !has_open) {
            continue;
        }
        died = true;
        seat->failed |= never_ran || asked_in_vain;
        seat->asker = 0;
        if (asked_in_vain) {
            deaths_free_node(board, seat->node);
            deaths_clear_slots(board, seat->id);
        }
        trp_count(
            &seat->counters.actors_ended,
            trp_counted(&seat->counters.actors_started) -
                trp_counted(&seat->counters.actors_ended));
        seat->exit = *exit;
        seat->has_exit = true;
        atomic_store_explicit(&seat->state, TRP_SEAT_DEAD, memory_order_release);
        trp_names_remove_all(board, seat);
        trp_listener_remove(board->rundir, seat);
    }
    return died;
}

static void deaths_add_neighbour(
    struct trp_deaths *deaths, const struct trp_seat *seat, uint32_t node)
{
    if (seat == NULL || seat->node == node) {
        return;
    }
    for (uint32_t i = 0; i < deaths->neighbour_count; i++) {
        if (deaths->neighbours[i] == seat->node) {
            return;
        }
    }
    if (deaths->neighbour_count < TRP_NEIGHBOURS_MAX) {
        deaths->neighbours[deaths->neighbour_count++] = seat->node;
    }
}

/** Count what was lost among the dead; nobody is left to tell of it. @threads holding the board's lock */
static void deaths_add_toll(
    struct trp_board *board,
    const struct trp_seat *to,
    enum troupe_dead_reason reason,
    uint64_t count)
{
    if (to == NULL || count == 0) {
        return;
    }
    bool is_new = false;
    const troupe_ref_t ref = {.node = to->node, .executor = to->id};
    struct trp_toll_entry *entry = trp_toll_seek(&board->toll, ref, &is_new);
    if (is_new) {
        (void)snprintf(entry->name, sizeof(entry->name), " on '%s'", to->name);
        trp_toll_publish(entry);
    }
    trp_toll_count(&board->toll, entry, reason, count);
}

/** Give each message of a ledger whose two ends are over its outcome. @threads holding the board's lock */
static void deaths_settle_ledger(
    struct trp_board *board, struct trp_ledger *ledger, struct trp_seat *from, struct trp_seat *to)
{
    if (to != NULL) {
        trp_count(&ledger->unknown, trp_ledger_in_hand(ledger));
    }
    uint64_t rest = trp_counted(&ledger->accepted) - trp_ledger_done(ledger);
    bool failed = to != NULL && to->failed;
    enum troupe_dead_reason reason = failed ? TROUPE_DEAD_REFUSED : TROUPE_DEAD_PEER_DOWN;
    trp_count(&ledger->dead[reason], rest);
    deaths_add_toll(board, to, reason, rest);
    if (from != NULL && !ledger->is_loop) {
        atomic_fetch_sub_explicit(&from->out_open_count, 1, memory_order_relaxed);
    }
    if (to != NULL && !ledger->is_loop) {
        atomic_fetch_sub_explicit(&to->in_open_count, 1, memory_order_relaxed);
    }
    atomic_store_explicit(&ledger->state, TRP_LEDGER_CLOSED, memory_order_release);
}

/** Go through the mail from and to a process that died. @threads holding the board's lock */
static void deaths_settle_ledgers(struct trp_board *board, uint32_t node, struct trp_deaths *deaths)
{
    uint32_t high = atomic_load_explicit(&board->ledger_high, memory_order_acquire);
    for (uint32_t i = 0; i < high; i++) {
        struct trp_ledger *ledger = &board->ledgers[i];
        if (atomic_load_explicit(&ledger->state, memory_order_acquire) != TRP_LEDGER_OPEN) {
            continue;
        }
        struct trp_seat *from = trp_board_find_seat(board, ledger->from);
        struct trp_seat *to = trp_board_find_seat(board, ledger->to);
        if ((from == NULL || from->node != node) && (to == NULL || to->node != node)) {
            continue;
        }
        if (deaths_is_over(from) && deaths_is_over(to)) {
            deaths_settle_ledger(board, ledger, from, to);
        } else {
            deaths_add_neighbour(deaths, from, node);
            deaths_add_neighbour(deaths, to, node);
        }
    }
}

/** Nobody in that process hears of dead letters any more, or carries a pool. */
static void deaths_forget(struct trp_board *board, const struct trp_node *node)
{
    uint32_t count = atomic_load_explicit(&board->subscriber_count, memory_order_relaxed);
    for (uint32_t i = 0; i < count;) {
        if (board->subscribers[i].node == node->id) {
            board->subscribers[i] = board->subscribers[--count];
        } else {
            i++;
        }
    }
    atomic_store_explicit(&board->subscriber_count, count, memory_order_relaxed);
    trp_signals_remove_node(board, node->id);
    deaths_clear_slots(board, node->executor);
}

void trp_deaths_settle(
    struct troupe_system *system,
    const struct trp_node *node,
    const struct troupe_exit *exit,
    struct trp_deaths *out_deaths)
{
    struct trp_board *board = system->board;
    *out_deaths = (struct trp_deaths){0};
    bool watched = false;
    trp_board_lock(board);
    bool never_ran = atomic_load_explicit(&node->state, memory_order_acquire) == TRP_NODE_ASKED;
    out_deaths->died = deaths_mark(board, node->id, never_ran, exit);
    deaths_forget(board, node);
    if (out_deaths->died) {
        deaths_settle_ledgers(board, node->id, out_deaths);
        watched = board->watched.node == node->id && !board->watched_ended;
        if (watched) {
            board->watched_exit = *exit;
            board->watched_ended = true;
        }
        atomic_fetch_add_explicit(&board->deaths, 1, memory_order_release);
    }
    trp_board_unlock(board);
    if (watched) {
        troupe_system_stop(system);
    }
}

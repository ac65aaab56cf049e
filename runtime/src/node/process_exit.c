#include "node/process_exit.h"

#include "actor/send.h"
#include "base/counter.h"
#include "shared/dead_counts.h"
#include "shared/ledger.h"
#include "shared/process.h"
#include "shared/process_pool.h"
#include "shared/root.h"
#include "shared/shared.h"
#include "shared/shared_table.h"
#include "shared/slot.h"
#include "shared/slot_endpoint.h"
#include "shared/subscribers.h"

#include <stdio.h>

/*
 *     slots      its executors are DEAD, with its exit
 *     names      free
 *     channels   both ends dead: each message is `unknown` or a dead letter; one end dead: the living end settles
 *                it (see channel.c), and its process is a neighbour that is to be notified
 *     root       if the root actor was on it, the system stops
 */

/** @return whether an executor has ended or died, so that it does nothing more with its mail. */
static bool process_exit_is_over(const struct trp_slot *slot)
{
    return slot == NULL || trp_slot_state(slot) == TRP_SLOT_DEAD ||
           trp_slot_state(slot) == TRP_SLOT_ENDED || trp_slot_state(slot) == TRP_SLOT_FREE;
}

/** Free a process that was not requested yet when the process that wanted it died. */
static void process_exit_free_process(struct trp_shared *shared, uint32_t id)
{
    struct trp_process *process = trp_process_find(shared, id);
    if (process != NULL &&
        atomic_load_explicit(&process->state, memory_order_relaxed) == TRP_PROCESS_REQUESTED) {
        atomic_store_explicit(&process->state, TRP_PROCESS_FREE, memory_order_release);
    }
}

/** Mark an executor as dead, with the exit of its process. @threads holding shared memory's lock */
static void process_exit_mark_slot(
    struct trp_shared *shared, struct trp_slot *slot, const struct troupe_exit *exit)
{
    uint64_t living =
        trp_counted(&slot->counters.actors_started) - trp_counted(&slot->counters.actors_ended);
    trp_count(&slot->counters.actors_ended, living);
    slot->exit = *exit;
    slot->has_exit = true;
    slot->died = true;
    atomic_store_explicit(&slot->state, TRP_SLOT_DEAD, memory_order_release);
    trp_slot_remove_endpoint(shared, slot);
}

/**
 * Mark the executors of a process as dead, and those for which it was about to have a process started.
 *
 * @return  whether there were any that had not ended in order.
 * @threads holding shared memory's lock
 */
static bool process_exit_mark(
    struct trp_shared *shared, uint32_t node, bool never_ran, const struct troupe_exit *exit)
{
    bool died = false;
    uint32_t high = trp_shared_slot_count(shared);
    for (uint32_t i = 0; i < high; i++) {
        struct trp_slot *slot = &shared->slots[i];
        enum trp_slot_state state = trp_slot_state(slot);
        bool was_pending = slot->reply_to == node;
        if ((slot->node != node && !was_pending) || state == TRP_SLOT_FREE) {
            continue;
        }
        bool has_open = atomic_load_explicit(&slot->in_open_count, memory_order_relaxed) != 0 ||
                        atomic_load_explicit(&slot->out_open_count, memory_order_relaxed) != 0;
        if (state == TRP_SLOT_ENDED && !has_open) {
            continue;
        }
        died = true;
        slot->failed |= never_ran || was_pending;
        slot->reply_to = 0;
        if (was_pending) {
            process_exit_free_process(shared, slot->node);
            trp_process_pools_remove(shared, slot->id);
        }
        process_exit_mark_slot(shared, slot, exit);
    }
    return died;
}

/** Add the process of an executor, unless it is @p node itself, or the first, which always looks. */
static void process_exit_add_neighbour(
    struct trp_shared *shared,
    struct trp_process_exit *out_settled,
    const struct trp_slot *slot,
    uint32_t node)
{
    if (slot == NULL || slot->node == node || slot->node == TRP_NODE_FIRST) {
        return;
    }
    const struct trp_process *process = trp_process_find(shared, slot->node);
    if (process != NULL) {
        trp_process_set_add(&out_settled->neighbours, trp_process_index(shared, process));
    }
}

/** Count dead letters between dead executors: there is no executor that would report them. @threads holding shared memory's lock */
static void process_exit_add_dead_counts(
    struct trp_shared *shared,
    const struct trp_slot *to,
    enum troupe_dead_reason reason,
    uint64_t count)
{
    if (to == NULL || count == 0) {
        return;
    }
    bool is_new = false;
    const troupe_ref_t ref = {.node = to->node, .executor = to->id};
    struct trp_dead_counts_entry *entry = trp_dead_counts_seek(&shared->dead_counts, ref, &is_new);
    if (is_new) {
        (void)snprintf(entry->name, sizeof(entry->name), " on '%s'", to->name);
        trp_dead_counts_publish(entry);
    }
    trp_dead_counts_add(&shared->dead_counts, entry, reason, count);
}

/** Count an outcome for each message of a channel both of whose executors are over. @threads holding shared memory's lock */
static void process_exit_settle_ledger(
    struct trp_shared *shared,
    struct trp_ledger *ledger,
    struct trp_slot *from,
    struct trp_slot *to)
{
    if (to != NULL) {
        trp_count(&ledger->unknown, trp_ledger_in_progress(ledger));
    }
    uint64_t rest = trp_counted(&ledger->accepted) - trp_ledger_done(ledger);
    bool failed = to != NULL && to->failed;
    enum troupe_dead_reason reason = failed ? TROUPE_DEAD_UNDELIVERABLE : TROUPE_DEAD_PEER_DOWN;
    trp_count(&ledger->dead[reason], rest);
    process_exit_add_dead_counts(shared, to, reason, rest);
    if (from != NULL && !ledger->is_loop) {
        atomic_fetch_sub_explicit(&from->out_open_count, 1, memory_order_relaxed);
    }
    if (to != NULL && !ledger->is_loop) {
        atomic_fetch_sub_explicit(&to->in_open_count, 1, memory_order_relaxed);
    }
    atomic_store_explicit(&ledger->state, TRP_LEDGER_CLOSED, memory_order_release);
}

/** Settle the channels from and to a process that died, or note whose part it is. @threads holding shared memory's lock */
static void process_exit_settle_ledgers(
    struct trp_shared *shared, uint32_t node, struct trp_process_exit *out_settled)
{
    uint32_t high = trp_shared_ledger_count(shared);
    for (uint32_t i = 0; i < high; i++) {
        struct trp_ledger *ledger = &shared->ledgers[i];
        if (atomic_load_explicit(&ledger->state, memory_order_acquire) != TRP_LEDGER_OPEN) {
            continue;
        }
        struct trp_slot *from = trp_shared_find_slot(shared, ledger->from);
        struct trp_slot *to = trp_shared_find_slot(shared, ledger->to);
        if ((from == NULL || from->node != node) && (to == NULL || to->node != node)) {
            continue;
        }
        if (process_exit_is_over(from) && process_exit_is_over(to)) {
            process_exit_settle_ledger(shared, ledger, from, to);
        } else {
            process_exit_add_neighbour(shared, out_settled, from, node);
            process_exit_add_neighbour(shared, out_settled, to, node);
        }
    }
}

void trp_process_exit_settle(
    troupe_system_t *system,
    const struct trp_process *process,
    const struct troupe_exit *exit,
    struct trp_process_exit *out_settled)
{
    struct trp_shared *shared = system->runtime.shared;
    *out_settled = (struct trp_process_exit){0};
    bool root = false;
    trp_shared_lock(shared);
    bool never_ran =
        atomic_load_explicit(&process->state, memory_order_acquire) == TRP_PROCESS_REQUESTED;
    out_settled->died = process_exit_mark(shared, process->id, never_ran, exit);
    trp_subscribers_remove_process(shared, process->id);
    trp_names_remove_process(shared, process->id);
    trp_reservations_forget(shared);
    trp_process_pools_remove(shared, process->executor);
    if (out_settled->died) {
        process_exit_settle_ledgers(shared, process->id, out_settled);
        root = trp_root_note_process_exit(shared, process->id, exit);
        atomic_fetch_add_explicit(&shared->process_exit_count, 1, memory_order_release);
    }
    trp_shared_unlock(shared);
    if (root) {
        troupe_system_stop(system);
    }
}

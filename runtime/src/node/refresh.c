#include "node/refresh.h"

#include "actor/executor.h"
#include "actor/runtime.h"
#include "base/idmap.h"
#include "node/child_list.h"
#include "node/control_socket.h"
#include "node/inboxes.h"
#include "node/process_manager.h"
#include "node/signals.h"
#include "node/stop.h"
#include "node/system.h"
#include "shared/shared.h"
#include "shared/shared_table.h"

#include <stdlib.h>
#include <unistd.h>

enum { REFRESH_AT_ONCE = 64 }; // channels that are found under one lock

/** Have an executor of this process look at its flags. @threads holding the runtime's `lock` */
static void refresh_wake(struct troupe_executor *executor)
{
    atomic_store_explicit(&executor->attention, true, memory_order_release);
    trp_executor_wake(executor);
}

static void refresh_wake_executors(troupe_system_t *system)
{
    (void)pthread_mutex_lock(&system->runtime.lock);
    for (uint32_t i = 0; i < system->runtime.executors.slot_count; i++) {
        struct troupe_executor *executor = system->runtime.executors.slots[i].value;
        if (executor != NULL) {
            refresh_wake(executor);
        }
    }
    (void)pthread_mutex_unlock(&system->runtime.lock);
}

/** @return whether a ledger is of an inbox of this process, whose receiver asked for the channel to be closed. */
static bool refresh_is_to_close(const troupe_system_t *system, const struct trp_ledger *ledger)
{
    if (atomic_load_explicit(&ledger->state, memory_order_relaxed) != TRP_LEDGER_OPEN ||
        !atomic_load_explicit(&ledger->gone, memory_order_relaxed)) {
        return false;
    }
    const struct trp_slot *from = trp_shared_find_slot(system->runtime.shared, ledger->from);
    return from != NULL && from->is_inbox && from->node == system->runtime.node;
}

/**
 * Find channels of inboxes to receivers that take no more mail.
 *
 * @param at  Index of the ledger to begin with; then of the one behind the last one that was looked at.
 * @return    how many there are in @p pairs: from, to.
 */
static uint32_t refresh_find_to_close(
    const troupe_system_t *system, uint32_t *at, uint32_t pairs[static REFRESH_AT_ONCE][2])
{
    struct trp_shared *shared = system->runtime.shared;
    uint32_t count = 0;
    trp_shared_lock(shared);
    uint32_t high = trp_shared_ledger_count(shared);
    for (; *at < high && count < REFRESH_AT_ONCE; ++*at) {
        const struct trp_ledger *ledger = &shared->ledgers[*at];
        if (refresh_is_to_close(system, ledger)) {
            pairs[count][0] = ledger->from;
            pairs[count++][1] = ledger->to;
        }
    }
    trp_shared_unlock(shared);
    return count;
}

/** Close the channels of inboxes to receivers that take no more mail: an inbox runs no loop that would do it. */
static void refresh_detach_inboxes(troupe_system_t *system)
{
    uint32_t pairs[REFRESH_AT_ONCE][2];
    uint32_t count = 0;
    uint32_t at = 0;
    do {
        count = refresh_find_to_close(system, &at, pairs);
        for (uint32_t i = 0; i < count; i++) {
            (void)trp_inboxes_detach(system, pairs[i][0], pairs[i][1]);
        }
    } while (count == REFRESH_AT_ONCE);
}

/** @return whether a ledger is into an inbox of this process, from an executor that ends or has ended. */
static bool refresh_is_to_receive(const troupe_system_t *system, const struct trp_ledger *ledger)
{
    if (atomic_load_explicit(&ledger->state, memory_order_relaxed) != TRP_LEDGER_OPEN ||
        ledger->is_loop) {
        return false;
    }
    const struct trp_slot *to = trp_shared_find_slot(system->runtime.shared, ledger->to);
    if (to == NULL || !to->is_inbox || to->node != system->runtime.node) {
        return false;
    }
    const struct trp_slot *from = trp_shared_find_slot(system->runtime.shared, ledger->from);
    return from == NULL || trp_slot_state(from) != TRP_SLOT_OPEN;
}

/** As refresh_find_to_close(): find inboxes that have something to receive. One may be found more than once. */
static uint32_t refresh_find_to_receive(
    const troupe_system_t *system, uint32_t *at, uint32_t ids[static REFRESH_AT_ONCE])
{
    struct trp_shared *shared = system->runtime.shared;
    uint32_t count = 0;
    trp_shared_lock(shared);
    uint32_t high = trp_shared_ledger_count(shared);
    for (; *at < high && count < REFRESH_AT_ONCE; ++*at) {
        const struct trp_ledger *ledger = &shared->ledgers[*at];
        if (refresh_is_to_receive(system, ledger)) {
            ids[count++] = ledger->to;
        }
    }
    trp_shared_unlock(shared);
    return count;
}

/** Have idle inboxes receive the last frames of executors that end, and settle with those that died. */
static void refresh_attend_inboxes(troupe_system_t *system)
{
    uint32_t ids[REFRESH_AT_ONCE];
    uint32_t count = 0;
    uint32_t at = 0;
    do {
        count = refresh_find_to_receive(system, &at, ids);
        for (uint32_t i = 0; i < count; i++) {
            trp_inboxes_attend(system, ids[i]);
        }
    } while (count == REFRESH_AT_ONCE);
}

void trp_refresh_own(troupe_system_t *system)
{
    if (atomic_load_explicit(&system->runtime.shared->stop_asked, memory_order_acquire)) {
        trp_stop_note(system);
    }
    if (trp_system_is_first(system)) {
        trp_signals_refresh(system);
    }
    refresh_wake_executors(system);
    refresh_detach_inboxes(system);
    refresh_attend_inboxes(system);
    trp_runtime_wake(&system->runtime);
}

void trp_refresh_process(troupe_system_t *system, uint32_t node)
{
    if (node == system->runtime.node) {
        trp_refresh_own(system);
    } else if (trp_system_is_first(system)) {
        trp_child_list_refresh(system, node);
    } else {
        trp_control_send(system->control_fd, TRP_CONTROL_REFRESH, node, -1);
    }
}

/** Read what the first process sent; however much it is, one look does for all of it. */
static void refresh_control_ready(troupe_system_t *system, void *data)
{
    (void)data;
    struct trp_control_message message;
    int listener_fd = -1;
    bool closed = false;
    while (trp_control_receive(system->control_fd, &message, &listener_fd, &closed)) {
    }
    if (closed) {
        _exit(EXIT_FAILURE);
    }
    trp_refresh_own(system);
}

void trp_refresh_on_control(troupe_system_t *system)
{
    struct trp_event_source *control = &system->process_manager->control;
    *control = (struct trp_event_source){.ready = refresh_control_ready, .fd = system->control_fd};
    trp_process_manager_watch(system, control);
}

void trp_refresh_stop_executor(troupe_system_t *system, uint32_t id)
{
    trp_shared_lock(system->runtime.shared);
    struct trp_slot *slot = trp_shared_find_slot(system->runtime.shared, id);
    uint32_t node = slot == NULL ? 0 : slot->node;
    if (slot != NULL) {
        atomic_store_explicit(&slot->stop_requested, true, memory_order_relaxed);
    }
    trp_shared_unlock(system->runtime.shared);
    if (node != system->runtime.node) {
        trp_refresh_process(system, node);
        return;
    }
    (void)pthread_mutex_lock(&system->runtime.lock);
    struct troupe_executor *executor = trp_idmap_find(&system->runtime.executors, id);
    if (executor != NULL) {
        refresh_wake(executor);
        if (executor->ops->stop != NULL) {
            executor->ops->stop(executor->backend_self, executor->handle);
        }
    }
    (void)pthread_mutex_unlock(&system->runtime.lock);
}

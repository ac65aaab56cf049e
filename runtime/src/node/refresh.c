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

#include <stdlib.h>
#include <unistd.h>

enum { REFRESH_CHANNELS = 64 }; // closed in one go; the next refresh closes more

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

/** Close the channels of inboxes to receivers that take no more mail: an inbox runs no loop that would do it. */
static void refresh_detach_inboxes(troupe_system_t *system)
{
    struct trp_shared *shared = system->runtime.shared;
    uint32_t pairs[REFRESH_CHANNELS][2];
    uint32_t count = 0;
    trp_shared_lock(shared);
    uint32_t high = atomic_load_explicit(&shared->ledger_high, memory_order_acquire);
    for (uint32_t i = 0; i < high && count < REFRESH_CHANNELS; i++) {
        const struct trp_ledger *ledger = &shared->ledgers[i];
        if (refresh_is_to_close(system, ledger)) {
            pairs[count][0] = ledger->from;
            pairs[count++][1] = ledger->to;
        }
    }
    trp_shared_unlock(shared);
    for (uint32_t i = 0; i < count; i++) {
        (void)trp_inboxes_detach(system, pairs[i][0], pairs[i][1]);
    }
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

#include "node/executors.h"

#include "actor/executor.h"
#include "actor/runtime.h"
#include "base/idmap.h"
#include "loop/executor_new.h"
#include "loop/loop.h"
#include "node/system.h"
#include "shared/records.h"
#include "shared/shared.h"
#include "shared/slot.h"
#include "shared/slot_endpoint.h"
#include "wire/run_dir.h"

#include <stdio.h>

void trp_executors_discard_slot(struct trp_shared *shared, struct trp_slot *slot)
{
    trp_shared_lock(shared);
    shared->sums.executors_started--;
    trp_slot_free(shared, slot);
    trp_shared_unlock(shared);
}

/** Close the ledger of an executor's channel to itself. */
static void executors_close_loop(troupe_system_t *system, struct troupe_executor *executor)
{
    if (executor->channels.loop != NULL && executor->channels.loop->ledger != NULL) {
        trp_records_close_ledger(
            system->runtime.shared, system->runtime.records, executor->channels.loop->ledger);
        executor->channels.loop->ledger = NULL;
        executor->channels.loop->in_ledger = NULL;
    }
}

/** Have an executor listen from its next turn on. @threads holding the runtime's `lock` */
static enum troupe_err executors_make_listener(
    troupe_system_t *system, struct troupe_executor *executor)
{
    if (executor->slot->listens) {
        return TROUPE_OK;
    }
    int fd = -1;
    enum troupe_err err = trp_slot_listen(system->runtime.shared, executor->slot, &fd);
    if (err == TROUPE_OK) {
        executor->listener_fd = fd;
        atomic_store_explicit(&executor->attention, true, memory_order_relaxed);
        trp_executor_wake(executor);
    }
    return err;
}

enum troupe_err trp_executors_go_remote(troupe_system_t *system)
{
    enum troupe_err err = TROUPE_OK;
    (void)pthread_mutex_lock(&system->runtime.lock);
    if (!system->is_remote && system->run_dir.lock_fd < 0 && trp_system_is_first(system)) {
        err = trp_run_dir_open(&system->run_dir);
        if (err == TROUPE_OK) {
            (void)snprintf(
                system->runtime.shared->run_dir,
                sizeof(system->runtime.shared->run_dir),
                "%s",
                system->run_dir.path);
        }
    }
    if (err == TROUPE_OK && system->runtime.guard == NULL) {
        err = trp_guard_new(
            system->runtime.context, system->runtime.shared->secret, &system->runtime.guard);
    }
    if (err == TROUPE_OK && !system->is_remote) {
        for (uint32_t i = 0; i < system->runtime.executors.slot_count && err == TROUPE_OK; i++) {
            struct troupe_executor *executor = system->runtime.executors.slots[i].value;
            err = executor == NULL ? TROUPE_OK : executors_make_listener(system, executor);
        }
        system->is_remote = err == TROUPE_OK; // if not, the next call goes on from here
    }
    (void)pthread_mutex_unlock(&system->runtime.lock);
    return err;
}

enum troupe_err trp_executors_add_slot(
    troupe_system_t *system,
    enum trp_executor_mode mode,
    struct trp_slot *slot,
    const char *name,
    struct troupe_executor **out_executor)
{
    struct troupe_executor *executor = NULL;
    enum troupe_err err = TROUPE_OK;
    if (slot->transport > TRP_TRANSPORT_INPROC) {
        err = trp_executors_go_remote(system);
    }
    if (err == TROUPE_OK) {
        err = trp_executor_new(&system->runtime, slot, mode, name, &executor);
    }
    if (err != TROUPE_OK) {
        return err;
    }
    (void)pthread_mutex_lock(&system->runtime.lock);
    if (system->is_remote) {
        err = executors_make_listener(system, executor);
    }
    if (err == TROUPE_OK && !trp_idmap_put(&system->runtime.executors, slot->id, executor)) {
        err = TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for an executor");
    }
    (void)pthread_mutex_unlock(&system->runtime.lock);
    if (err == TROUPE_OK) {
        trp_executor_listen(executor);
    } else {
        executors_close_loop(system, executor);
        trp_slot_remove_endpoint(system->runtime.shared, slot);
        trp_executor_free(&executor);
    }
    *out_executor = executor;
    return err;
}

bool trp_executors_is_alone(troupe_system_t *system, const struct troupe_executor *executor)
{
    if (executor != system->executor) {
        return true; // its process does not end with it
    }
    (void)pthread_mutex_lock(&system->runtime.lock);
    bool alone = system->carried_count == 0 && system->inbox_count == 0;
    (void)pthread_mutex_unlock(&system->runtime.lock);
    return alone;
}

enum troupe_err trp_executors_add(
    troupe_system_t *system,
    enum trp_executor_mode mode,
    enum trp_transport transport,
    const char *name,
    struct troupe_executor **out_executor)
{
    struct trp_shared *shared = system->runtime.shared;
    struct trp_slot *slot =
        trp_slot_take_next(shared, system->runtime.node, system->runtime.node, name);
    if (slot == NULL) {
        return TRP_EXPLAIN(
            TROUPE_ERR_LIMIT,
            "a system has at most %d executors and inboxes at a time; end some",
            TRP_SHARED_SLOTS);
    }
    trp_shared_lock(shared); // others can find the slot already
    slot->transport = (uint8_t)transport;
    slot->is_inbox = mode == TRP_MODE_INBOX;
    trp_shared_unlock(shared);
    enum troupe_err err = trp_executors_add_slot(system, mode, slot, name, out_executor);
    if (err != TROUPE_OK) {
        trp_executors_discard_slot(shared, slot);
    }
    return err;
}

enum troupe_err trp_executors_add_inbox(
    troupe_system_t *system, struct troupe_inbox *inbox, struct troupe_executor **out_executor)
{
    struct troupe_executor *executor = NULL;
    enum troupe_err err =
        trp_executors_add(system, TRP_MODE_INBOX, TRP_TRANSPORT_NEAREST, "inbox", &executor);
    if (err == TROUPE_OK) {
        (void)pthread_mutex_lock(&system->runtime.lock);
        executor->inbox = inbox;
        system->inbox_count++;
        (void)pthread_mutex_unlock(&system->runtime.lock);
        *out_executor = executor;
    }
    return err;
}

void trp_executors_remove_inbox(troupe_system_t *system, struct troupe_executor *executor)
{
    trp_executors_remove(system, executor);
    (void)pthread_mutex_lock(&system->runtime.lock);
    system->inbox_count--;
    (void)pthread_mutex_unlock(&system->runtime.lock);
}

void trp_executors_remove(troupe_system_t *system, struct troupe_executor *executor)
{
    (void)pthread_mutex_lock(&system->runtime.lock);
    trp_idmap_remove(&system->runtime.executors, executor->id);
    (void)pthread_mutex_unlock(&system->runtime.lock);
    executors_close_loop(system, executor);
    trp_slot_remove_endpoint(system->runtime.shared, executor->slot);
    trp_records_end_slot(system->runtime.shared, system->runtime.records, executor->slot);
    trp_runtime_wake(&system->runtime);
}

void trp_executors_set_backend(struct trp_shared *shared, struct trp_slot *slot, const char *name)
{
    trp_shared_lock(shared);
    (void)snprintf(slot->backend, sizeof(slot->backend), "%s", name);
    trp_shared_unlock(shared);
}

enum troupe_err trp_executors_start(
    troupe_system_t *system, struct troupe_executor *executor, uint64_t cpu_mask)
{
    const struct troupe_executor_spec spec = {
        .name = executor->name,
        .id = executor->id,
        .cpu_mask = cpu_mask,
    };
    trp_executors_set_backend(system->runtime.shared, executor->slot, executor->ops->name);
    (void)pthread_mutex_lock(&system->runtime.lock);
    system->carried_count++;
    (void)pthread_mutex_unlock(&system->runtime.lock);
    // Under a lock of its own, because a backend is promised one start at a time.
    (void)pthread_mutex_lock(&system->start_lock);
    enum troupe_err err =
        executor->ops->start(executor->backend_self, executor, &spec, &executor->handle);
    (void)pthread_mutex_unlock(&system->start_lock);
    if (err != TROUPE_OK) {
        (void)pthread_mutex_lock(&system->runtime.lock);
        system->carried_count--;
        (void)pthread_mutex_unlock(&system->runtime.lock);
    }
    return err;
}

void trp_executors_discard(troupe_system_t *system, struct troupe_executor *executor)
{
    (void)pthread_mutex_lock(&system->runtime.lock);
    trp_idmap_remove(&system->runtime.executors, executor->id);
    (void)pthread_mutex_unlock(&system->runtime.lock);
    executors_close_loop(system, executor);
    trp_slot_remove_endpoint(system->runtime.shared, executor->slot);
    trp_executors_discard_slot(system->runtime.shared, executor->slot);
    trp_executor_free(&executor);
}

void trp_executors_reap(troupe_system_t *system)
{
    (void)pthread_mutex_lock(&system->runtime.lock);
    struct troupe_executor *executor = system->finished;
    system->finished = NULL;
    (void)pthread_mutex_unlock(&system->runtime.lock);
    while (executor != NULL) {
        struct troupe_executor *next = executor->next_finished;
        executor->ops->join(executor->backend_self, executor->handle);
        trp_executor_free(&executor);
        executor = next;
    }
}

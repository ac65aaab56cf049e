#include "node/spawn_process.h"

#include "base/descriptors.h"
#include "config/limits.h"
#include "node/children.h"
#include "node/executors.h"
#include "node/process_manager.h"
#include "node/spawn_executor.h"
#include "shared/process.h"
#include "shared/shared.h"
#include "shared/slot.h"
#include "shared/slot_endpoint.h"

#include <stdio.h>
#include <unistd.h>

/** Describe a process for the child that reads it. */
static void spawn_process_describe(
    const troupe_system_t *system,
    const struct troupe_spawn_options *options,
    const struct trp_rule *rule,
    struct trp_process *process)
{
    const char *behaviour_name = options->behaviour->name;
    struct troupe_limits limits;
    trp_spawn_limits(system, options, &limits);
    trp_limits_print(&limits, process->limits);
    (void)snprintf(
        process->name,
        sizeof(process->name),
        "%s",
        options->name != NULL ? options->name : behaviour_name);
    (void)snprintf(process->backend, sizeof(process->backend), "%s", rule->place.ops->name);
    process->dedicated = rule->place.count == 0;
}

/** Free the slot and the process of a process that was never requested; either may be NULL. */
static void spawn_process_free(
    struct trp_shared *shared, struct trp_process *process, struct trp_slot *slot)
{
    if (process != NULL) {
        trp_process_free(shared, process);
    }
    if (slot != NULL) {
        trp_executors_discard_slot(shared, slot);
    }
}

enum troupe_err trp_spawn_process_prepare(
    troupe_system_t *system,
    const struct troupe_spawn_options *options,
    const struct trp_rule *rule,
    struct trp_spawn_process *out_prepared)
{
    struct trp_shared *shared = system->runtime.shared;
    enum troupe_err err = trp_executors_go_remote(system);
    if (err == TROUPE_OK) {
        err = trp_process_manager_start(system);
    }
    if (err != TROUPE_OK) {
        return err;
    }
    const char *name = options->name != NULL ? options->name : options->behaviour->name;
    if (!trp_descriptors_promise(TRP_DESCRIPTORS_FOR_CHANNELS, TRP_SPAWN_PROCESS_DESCRIPTORS)) {
        return TRP_EXPLAIN(
            TROUPE_ERR_LIMIT,
            "fewer than %d descriptors are free, those promised to processes that start left out: "
            "no "
            "process for '%s'; end some actors, pool them by process:N, or raise the limit of open "
            "files",
            TRP_DESCRIPTORS_FREE_MIN + TRP_DESCRIPTORS_FOR_CHANNELS,
            name);
    }
    uint32_t node = atomic_fetch_add_explicit(&shared->next_node, 1, memory_order_relaxed);
    struct trp_slot *slot = trp_slot_take_next(shared, node, system->runtime.node, name);
    struct trp_process *process = slot == NULL ? NULL : trp_process_take(shared, slot);
    if (process != NULL) {
        slot->transport = (uint8_t)rule->place.transport;
        spawn_process_describe(system, options, rule, process);
        err = trp_slot_listen(shared, slot, &out_prepared->listener_fd);
    } else {
        err = TRP_EXPLAIN(
            TROUPE_ERR_LIMIT, "a system has at most %d processes at a time", TRP_SHARED_PROCESSES);
    }
    if (err != TROUPE_OK) {
        trp_descriptors_keep_promise(TRP_SPAWN_PROCESS_DESCRIPTORS);
        spawn_process_free(shared, process, slot);
        return err;
    }
    out_prepared->executor_id = slot->id;
    out_prepared->process = process;
    return TROUPE_OK;
}

void trp_spawn_process_launch(troupe_system_t *system, struct trp_spawn_process *prepared)
{
    uint32_t index = (uint32_t)(prepared->process - system->runtime.shared->processes);
    trp_children_spawn(system, index, prepared->listener_fd);
    prepared->process = NULL;
}

void trp_spawn_process_discard(troupe_system_t *system, struct trp_spawn_process *prepared)
{
    struct trp_shared *shared = system->runtime.shared;
    (void)close(prepared->listener_fd);
    trp_descriptors_keep_promise(TRP_SPAWN_PROCESS_DESCRIPTORS);
    trp_shared_lock(shared);
    struct trp_slot *slot = trp_shared_find_slot(shared, prepared->executor_id);
    trp_shared_unlock(shared);
    TRP_CHECK(slot != NULL);
    trp_slot_remove_endpoint(shared, slot);
    spawn_process_free(shared, prepared->process, slot);
    prepared->process = NULL;
}

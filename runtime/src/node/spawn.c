#include "node/spawn.h"

#include "actor/actor_table.h"
#include "actor/executor.h"
#include "actor/inbox_mail.h"
#include "actor/send.h"
#include "actor/start.h"
#include "base/idmap.h"
#include "channel/channel.h"
#include "config/placement.h"
#include "node/refresh.h"
#include "node/root_actor.h"
#include "node/spawn_executor.h"
#include "node/spawn_pool.h"
#include "node/spawn_process.h"
#include "node/system.h"
#include "shared/reservations.h"
#include "shared/shared.h"
#include "shared/slot.h"
#include "wire/format.h"
#include "wire/frame_read.h"

#include <string.h>

/*
 *     placement --> executor: found, or started --> row: added here, or reserved there --> START
 *
 * A spawn reports local errors only. Once the START is sent, the actor's own exit reason says what failed.
 */

enum {
    ARGS_BYTES_MAX = 32768,
    ACTOR_NAME_BYTES_MAX = 255,
    START_BYTES_MAX =
        sizeof(struct trp_start) + 256 + TRP_BEHAVIOUR_NAME_BYTES_MAX + ARGS_BYTES_MAX,
};
_Static_assert(START_BYTES_MAX <= TRP_BODY_BYTES_MAX, "a START fits into a frame");

/** Where an actor goes: to an executor that runs, or to one that is started for it alone. */
struct spawn_target {
    uint32_t executor_id;
    struct troupe_executor *fresh;     // to be started in this process; NULL: none
    struct trp_spawn_process prepared; // to be started as a process; `process` NULL: none
    bool is_started;                   // it was started for this actor, and ends with it
    uint32_t reservation;              // of the row, on an executor of another process: its place
};

/** @return the index of a behaviour among the system's; their count when it is not one of them. */
static uint32_t spawn_find_behaviour(
    struct troupe_executor *spawner, const struct troupe_behaviour *behaviour)
{
    const troupe_system_t *system = trp_system_of(spawner);
    uint32_t index = spawner->spawned_behaviour; // most spawn the same one again
    if (index < system->runtime.behaviour_count && system->runtime.behaviours[index] == behaviour) {
        return index;
    }
    index = 0;
    while (index < system->runtime.behaviour_count &&
           system->runtime.behaviours[index] != behaviour) {
        index++;
    }
    spawner->spawned_behaviour = index;
    return index;
}

/** Check what can be checked before an executor is chosen. */
static enum troupe_err spawn_check(
    struct troupe_executor *spawner,
    const struct troupe_spawn_options *options,
    uint32_t *out_behaviour_index)
{
    const troupe_system_t *system = trp_system_of(spawner);
    const struct troupe_behaviour *behaviour = options == NULL ? NULL : options->behaviour;
    if (behaviour == NULL) {
        return TRP_EXPLAIN(
            TROUPE_ERR_INVAL, "no behaviour to spawn: set `behaviour` in the options");
    }
    if (spawner->channels.ending ||
        atomic_load_explicit(&system->runtime.stop_asked, memory_order_relaxed)) {
        return TRP_EXPLAIN(TROUPE_ERR_CLOSED, "the system is stopping and starts no more actors");
    }
    const uint32_t index = spawn_find_behaviour(spawner, behaviour);
    if (index == system->runtime.behaviour_count) {
        return TRP_EXPLAIN(
            TROUPE_ERR_NOENT,
            "behaviour '%s' is not one of the system's; add it to TROUPE_BEHAVIOURS",
            behaviour->name == NULL ? "" : behaviour->name);
    }
    if (options->args_bytes > ARGS_BYTES_MAX) {
        return TRP_EXPLAIN(
            TROUPE_ERR_INVAL,
            "%zu bytes of arguments for '%s': at most %d; send the rest as a message",
            options->args_bytes,
            behaviour->name,
            ARGS_BYTES_MAX);
    }
    if (options->name != NULL &&
        (options->name[0] == '\0' || strlen(options->name) > ACTOR_NAME_BYTES_MAX)) {
        return TRP_EXPLAIN(
            TROUPE_ERR_INVAL, "the name of an actor has 1 to %d bytes", ACTOR_NAME_BYTES_MAX);
    }
    *out_behaviour_index = index;
    return TROUPE_OK;
}

/** Find the rule that says where the actor goes; *out_rule is NULL when none does. */
static enum troupe_err spawn_find_rule(
    troupe_system_t *system, const struct troupe_spawn_options *options, struct trp_rule **out_rule)
{
    struct trp_placement *placement = &system->config.placement;
    const char *behaviour_name = options->behaviour->name;
    *out_rule = trp_placement_match(placement, options->name, behaviour_name, true);
    if (*out_rule == NULL && options->place != NULL) {
        (void)pthread_mutex_lock(&system->runtime.lock);
        enum troupe_err err = trp_placement_of_spawn(placement, options->place, out_rule);
        (void)pthread_mutex_unlock(&system->runtime.lock);
        return err;
    }
    if (*out_rule == NULL) {
        *out_rule = trp_placement_match(placement, options->name, behaviour_name, false);
    }
    return TROUPE_OK;
}

/** Find the executor where the actor goes, or make one. */
static enum troupe_err spawn_place(
    struct troupe_executor *spawner,
    const struct troupe_spawn_options *options,
    struct spawn_target *target)
{
    troupe_system_t *system = trp_system_of(spawner);
    struct trp_rule *rule = NULL;
    enum troupe_err err = spawn_find_rule(system, options, &rule);
    if (err != TROUPE_OK) {
        return err;
    }
    if (rule == NULL || (rule->place.ops->traits & TROUPE_TRAIT_CALLERS_THREAD) != 0) {
        target->executor_id = system->executor->id;
        return TROUPE_OK;
    }
    bool isolates = (rule->place.ops->traits & TROUPE_TRAIT_ISOLATES_CRASHES) != 0;
    if (rule->place.count > 0) {
        return isolates ? trp_spawn_pool_process(system, options, rule, &target->executor_id)
                        : trp_spawn_pool_executor(system, options, rule, &target->executor_id);
    }
    if (isolates) {
        err = trp_spawn_process_prepare(system, options, rule, &target->prepared);
        target->executor_id = target->prepared.executor_id;
        return err;
    }
    err = trp_spawn_executor_new(system, options, &rule->place, &target->fresh);
    if (err == TROUPE_OK) {
        target->fresh->dedicated = true;
        target->executor_id = target->fresh->id;
    }
    return err;
}

/**
 * Reserve a row on an executor of another process, one that no actor had before.
 *
 * @param out_reservation  Receives the place of the reservation; 0: there is no room for one.
 * @return                 false when the executor takes no more actors.
 */
static bool spawn_reserve_remote(
    struct trp_shared *shared, uint32_t spawner_id, troupe_ref_t *ref, uint32_t *out_reservation)
{
    trp_shared_lock(shared);
    struct trp_slot *slot = trp_shared_find_slot(shared, ref->executor);
    bool open = slot != NULL && trp_slot_state(slot) == TRP_SLOT_OPEN;
    if (open) {
        ref->node = slot->node;
        ref->index = atomic_fetch_add_explicit(&slot->row_count, 1, memory_order_relaxed);
        ref->generation = 1;
        *out_reservation = trp_reservation_take(shared, spawner_id, ref->executor, ref->index);
    }
    trp_shared_unlock(shared);
    return open;
}

/** Add a row for the actor on this executor, or reserve one on another. */
static enum troupe_err spawn_get_row(
    struct troupe_executor *spawner, struct spawn_target *target, troupe_ref_t *out_ref)
{
    uint32_t executor_id = target->executor_id;
    troupe_ref_t ref = {.node = spawner->node, .executor = executor_id};
    bool got = false;
    if (executor_id == spawner->id) {
        const struct trp_actor *actor = trp_actor_table_add(&spawner->actors, &ref.index);
        got = actor != NULL;
        ref.generation = got ? actor->generation : 0;
    } else {
        troupe_system_t *system = trp_system_of(spawner);
        bool open = false;
        (void)pthread_mutex_lock(&system->runtime.lock);
        struct troupe_executor *executor = trp_idmap_find(&system->runtime.executors, executor_id);
        if (executor != NULL) {
            open = trp_slot_state(executor->slot) == TRP_SLOT_OPEN;
            got = open && trp_actor_table_reserve(&executor->actors, &ref.index, &ref.generation);
        } else {
            open = spawn_reserve_remote(
                system->runtime.shared, spawner->id, &ref, &target->reservation);
            got = target->reservation != 0;
        }
        (void)pthread_mutex_unlock(&system->runtime.lock);
        if (!open) {
            return TRP_EXPLAIN(TROUPE_ERR_CLOSED, "executor %u is stopping", executor_id);
        }
    }
    if (!got) {
        return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for one more actor");
    }
    *out_ref = ref;
    return TROUPE_OK;
}

/** Append bytes to a START, padded where more may follow. @return where the next ones go */
static size_t spawn_append(uint8_t *bytes, size_t at, const void *data, uint32_t size)
{
    if (size != 0) {
        memset(bytes + at, 0, trp_pad8(size));
        memcpy(bytes + at, data, size);
    }
    return at + trp_pad8(size);
}

/** Send a START: a struct trp_start, the actor's name, its behaviour's name where indexes may differ, arguments. */
static enum troupe_err spawn_send_start(
    struct troupe_executor *spawner,
    const struct troupe_spawn_options *options,
    uint32_t behaviour_index,
    const struct spawn_target *target,
    troupe_ref_t ref)
{
    _Alignas(8) uint8_t bytes[START_BYTES_MAX];
    const char *behaviour_name = options->behaviour->name;
    const struct trp_start start = {
        .behaviour_index = behaviour_index,
        .name_bytes = options->name != NULL ? (uint32_t)strlen(options->name) : 0,
        .args_bytes = (uint32_t)options->args_bytes,
        .behaviour_bytes = ref.node != spawner->node ? (uint32_t)strlen(behaviour_name) : 0,
        .reservation = target->reservation,
    };
    size_t at = spawn_append(bytes, 0, &start, sizeof(start));
    at = spawn_append(bytes, at, options->name, start.name_bytes);
    at = spawn_append(bytes, at, behaviour_name, start.behaviour_bytes);
    if (start.args_bytes != 0) {
        memcpy(bytes + at, options->args, start.args_bytes);
    }
    struct trp_outgoing outgoing = {
        .to = ref,
        .kind = TRP_KIND_START,
        .flags = TRP_FLAG_UNMETERED,
        .body = bytes,
        .body_bytes = at + start.args_bytes,
    };
    return trp_send_message(spawner, &outgoing);
}

/** Remove the row of an actor whose START could not be sent. */
static void spawn_undo(
    struct troupe_executor *spawner, const struct spawn_target *target, troupe_ref_t ref)
{
    trp_reservation_end(spawner->runtime->shared, target->reservation, ref.executor, ref.index);
    if (ref.executor == spawner->id) {
        struct trp_actor *actor = trp_actor_table_find(&spawner->actors, ref.index, ref.generation);
        trp_actor_table_remove(&spawner->actors, actor, ref.index);
    } // a row reserved on another executor stays reserved and empty
}

/**
 * Open the channel that a START will take to a process, reserve its row, and only then have the process launched;
 * or discard it.
 */
static enum troupe_err spawn_launch(
    struct troupe_executor *spawner,
    struct spawn_target *target,
    bool is_root,
    troupe_ref_t *out_ref)
{
    troupe_system_t *system = trp_system_of(spawner);
    if (spawner->inbox != NULL) {
        trp_inbox_lock(spawner->inbox);
    }
    struct trp_channel *channel = NULL;
    enum troupe_err err = trp_channel_open(&spawner->channels, target->executor_id, &channel);
    if (err == TROUPE_OK) {
        err = spawn_get_row(spawner, target, out_ref);
        if (err != TROUPE_OK) {
            trp_channel_abandon(&spawner->channels, channel);
        } else if (is_root) {
            trp_root_actor_set(system, *out_ref);
        }
    }
    if (spawner->inbox != NULL) {
        trp_inbox_unlock(spawner->inbox);
    }
    if (err != TROUPE_OK) {
        trp_spawn_process_discard(system, &target->prepared);
        return err;
    }
    channel->promised_count = TRP_SPAWN_PROCESS_DESCRIPTORS; // its own from here on
    trp_spawn_process_launch(system, &target->prepared);
    target->is_started = true;
    return TROUPE_OK;
}

/** Start the executor of a target where it is new, and get the actor's row. */
static enum troupe_err spawn_reserve(
    struct troupe_executor *spawner,
    const struct troupe_spawn_options *options,
    struct spawn_target *target,
    bool is_root,
    troupe_ref_t *out_ref)
{
    if (target->prepared.process != NULL) {
        return spawn_launch(spawner, target, is_root, out_ref);
    }
    enum troupe_err err = TROUPE_OK;
    if (target->fresh != NULL) {
        uint64_t cpu_mask = trp_spawn_cpu_mask(trp_system_of(spawner), options);
        err = trp_spawn_executor_start(spawner, target->fresh, cpu_mask);
        target->is_started = err == TROUPE_OK;
    }
    if (err == TROUPE_OK) {
        err = spawn_get_row(spawner, target, out_ref);
    }
    if (err == TROUPE_OK && is_root) {
        trp_root_actor_set(trp_system_of(spawner), *out_ref);
    }
    return err;
}

enum troupe_err trp_spawn(
    troupe_context_t *ctx,
    const struct troupe_spawn_options *options,
    bool is_root,
    troupe_ref_t *out_ref)
{
    struct troupe_executor *spawner = trp_executor_of(ctx);
    uint32_t behaviour_index = 0;
    enum troupe_err err = trp_check_context(ctx);
    if (err == TROUPE_OK) {
        err = spawn_check(spawner, options, &behaviour_index);
    }
    struct spawn_target target = {0};
    if (err == TROUPE_OK) {
        err = spawn_place(spawner, options, &target);
    }
    if (err != TROUPE_OK) {
        return err;
    }
    troupe_ref_t ref = TROUPE_REF_NONE;
    err = spawn_reserve(spawner, options, &target, is_root, &ref);
    if (err == TROUPE_OK) {
        err = spawn_send_start(spawner, options, behaviour_index, &target, ref);
        if (err != TROUPE_OK) {
            spawn_undo(spawner, &target, ref);
        }
    }
    if (err != TROUPE_OK &&
        target.is_started) { // it would wait for its actor; our channel keeps it
        trp_refresh_stop_executor(trp_system_of(spawner), target.executor_id);
    }
    if (err == TROUPE_OK && out_ref != NULL) {
        *out_ref = ref;
    }
    return err;
}

enum troupe_err troupe_spawn(
    troupe_context_t *ctx, const struct troupe_spawn_options *options, troupe_ref_t *out_ref)
{
    return trp_spawn(ctx, options, false, out_ref);
}

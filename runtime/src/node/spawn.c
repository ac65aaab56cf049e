/*
 * Spawning: where an actor goes, and its START.
 *
 *     placement --> executor (found, or started) --> row (added, or reserved) --> START
 */
#include "actor/actor_table.h"
#include "actor/executor.h"
#include "actor/inbox_mail.h"
#include "actor/send.h"
#include "base/descriptors.h"
#include "base/idmap.h"
#include "channel/channel.h"
#include "config/limits.h"
#include "config/placement.h"
#include "node/process_manager.h"
#include "node/system.h"
#include "shared/process.h"
#include "shared/process_pool.h"
#include "shared/shared.h"
#include "shared/slot.h"
#include "shared/slot_endpoint.h"
#include "wire/format.h"
#include "wire/frame_read.h"
#include "wire/frame_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    ARGS_BYTES_MAX = 32768,
    ACTOR_NAME_BYTES_MAX = 255,
    BEHAVIOUR_NAME_BYTES_MAX = 256,
    START_BYTES_MAX = sizeof(struct trp_start) + 256 + BEHAVIOUR_NAME_BYTES_MAX + ARGS_BYTES_MAX,
};
_Static_assert(START_BYTES_MAX <= TRP_BODY_BYTES_MAX, "a START fits into a frame");

/** Where an actor goes. */
struct spawn_target {
    uint32_t executor_id;
    uint32_t node;                 // of the executor
    struct troupe_executor *fresh; // started with this actor only; NULL: it runs already
    struct trp_process *process;   // likewise; it is a process of its own
    int listener_fd;               // of that
};

/** @return which of the system's a behaviour is; as many as there are: none. */
static uint32_t spawn_find_behaviour(
    struct troupe_executor *spawner, const struct troupe_behaviour *behaviour)
{
    const troupe_system_t *system = trp_system_of(spawner);
    uint32_t index = spawner->spawned_behaviour; // who spawns many spawns the same again and again
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

static enum troupe_err spawn_check(
    struct troupe_executor *spawner,
    const struct troupe_spawn_options *options,
    uint32_t *out_behaviour_index)
{
    const troupe_system_t *system = trp_system_of(spawner);
    const struct troupe_behaviour *behaviour = options->behaviour;
    const uint32_t index = spawn_find_behaviour(spawner, behaviour);
    if (index == system->runtime.behaviour_count) {
        return TRP_EXPLAIN(
            TROUPE_ERR_NOENT,
            "behaviour '%s' is not one of the system's; add it to TROUPE_BEHAVIOURS",
            behaviour == NULL || behaviour->name == NULL ? "" : behaviour->name);
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

/** Find the rule that says where the actor goes; NULL: none does. */
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

/** Make and start an executor. */
static enum troupe_err spawn_new_executor(
    troupe_system_t *system,
    const struct troupe_spawn_options *options,
    const struct trp_place *place,
    struct troupe_executor **out_executor)
{
    const struct troupe_backend_ops *ops = place->ops;
    trp_system_reap(system); // first: what those had who are gone is free with it
    if (!trp_descriptors_are_free(TRP_DESCRIPTORS_FOR_CHANNELS)) {
        return TRP_EXPLAIN(
            TROUPE_ERR_LIMIT,
            "fewer than %d descriptors are free: no executor for '%s'; end some actors, pool them "
            "by %s:N, or raise the limit of open files",
            TRP_DESCRIPTORS_FREE_MIN + TRP_DESCRIPTORS_FOR_CHANNELS,
            options->name != NULL ? options->name : options->behaviour->name,
            ops->name);
    }
    (void)pthread_mutex_lock(&system->runtime.lock);
    void *self = NULL;
    enum troupe_err err = trp_system_backend(system, ops, &self);
    (void)pthread_mutex_unlock(&system->runtime.lock);
    if (err != TROUPE_OK) {
        return err;
    }
    const char *name = options->name != NULL ? options->name : options->behaviour->name;
    struct troupe_executor *executor = NULL;
    err = trp_system_add_executor(system, TRP_MODE_LOOP, place->transport, name, &executor);
    if (err == TROUPE_OK) {
        executor->ops = ops;
        executor->backend_self = self;
        *out_executor = executor;
    }
    return err;
}

/** @return which executor of a pool an actor goes to. @threads holding the lock of @p turn */
static uint32_t spawn_pool_slot(uint32_t *turn, uint32_t count, const char *name)
{
    if (name == NULL) {
        return (*turn)++ % count;
    }
    uint64_t hash = UINT64_C(14695981039346656037); // FNV-1a
    for (const char *at = name; *at != '\0'; at++) {
        hash = (hash ^ (unsigned char)*at) * UINT64_C(1099511628211);
    }
    return (uint32_t)(hash % count);
}

/** Find the pool's executor for an actor, or make it. */
static enum troupe_err spawn_pool_executor(
    troupe_system_t *system,
    const struct troupe_spawn_options *options,
    struct trp_rule *rule,
    struct spawn_target *target)
{
    // One at a time makes an executor of the pool, so that no slot gets two.
    (void)pthread_mutex_lock(&system->pool_lock);
    (void)pthread_mutex_lock(&system->runtime.lock);
    uint32_t slot = spawn_pool_slot(&rule->pool_turn, rule->place.count, options->name);
    target->executor_id = rule->pool[slot];
    (void)pthread_mutex_unlock(&system->runtime.lock);
    enum troupe_err err = TROUPE_OK;
    if (target->executor_id == 0) {
        struct troupe_executor *executor = NULL;
        err = spawn_new_executor(system, options, &rule->place, &executor);
        if (err == TROUPE_OK) {
            uint32_t id = executor->id;
            err = trp_system_start_executor(system, executor, options->cpu_mask);
            if (err != TROUPE_OK) {
                trp_system_discard_executor(system, executor);
            }
            if (err == TROUPE_OK) {
                (void)pthread_mutex_lock(&system->runtime.lock);
                rule->pool[slot] = id;
                (void)pthread_mutex_unlock(&system->runtime.lock);
                target->executor_id = id;
            }
        }
    }
    (void)pthread_mutex_unlock(&system->pool_lock);
    return err;
}

/** Say what a process is to be: everything but starting it. */
static enum troupe_err spawn_prepare_process(
    troupe_system_t *system,
    const struct troupe_spawn_options *options,
    const struct trp_rule *rule,
    struct spawn_target *target)
{
    struct trp_shared *shared = system->runtime.shared;
    const char *name = options->name != NULL ? options->name : options->behaviour->name;
    enum troupe_err err = trp_system_go_remote(system);
    if (err == TROUPE_OK) {
        err = trp_process_manager_start(system);
    }
    if (err != TROUPE_OK) {
        return err;
    }
    uint32_t id = atomic_fetch_add_explicit(&shared->next_executor, 1, memory_order_relaxed);
    uint32_t node = atomic_fetch_add_explicit(&shared->next_node, 1, memory_order_relaxed);
    struct trp_slot *slot = trp_slot_take(shared, id, node, system->runtime.node, name);
    struct trp_process *process = slot == NULL ? NULL : trp_process_take(shared, slot);
    if (process != NULL) {
        slot->transport = (uint8_t)rule->place.transport;
        process->dedicated = rule->place.count == 0;
        struct troupe_limits limits;
        trp_limit_rules_match(
            system->config.limits,
            options->name,
            options->behaviour->name,
            &options->limits,
            &limits);
        limits.cpu_mask = limits.cpu_mask != 0 ? limits.cpu_mask : options->cpu_mask;
        trp_limits_print(&limits, process->limits);
        (void)snprintf(process->name, sizeof(process->name), "%s", name);
        (void)snprintf(process->backend, sizeof(process->backend), "%s", rule->place.ops->name);
        err = trp_slot_listen(shared, slot, &target->listener_fd);
    } else {
        err = TRP_EXPLAIN(
            TROUPE_ERR_LIMIT, "a system has at most %d processes at a time", TRP_SHARED_PROCESSES);
    }
    if (err != TROUPE_OK) {
        trp_system_discard_process(system, process, slot);
        return err;
    }
    target->executor_id = id;
    target->node = node;
    target->process = process;
    return TROUPE_OK;
}

/** Give up a process that was prepared. */
static void spawn_discard_process(troupe_system_t *system, struct spawn_target *target)
{
    (void)close(target->listener_fd);
    trp_shared_lock(system->runtime.shared);
    struct trp_slot *slot = trp_shared_find_slot(system->runtime.shared, target->executor_id);
    trp_shared_unlock(system->runtime.shared);
    TRP_CHECK(slot != NULL);
    trp_slot_remove_endpoint(system->runtime.shared, slot);
    trp_system_discard_process(system, target->process, slot);
    target->process = NULL;
}

/** Have a process that was prepared started. */
static void spawn_launch_process(troupe_system_t *system, struct spawn_target *target)
{
    uint32_t index = (uint32_t)(target->process - system->runtime.shared->processes);
    trp_process_manager_spawn(system, index, target->listener_fd);
    target->process = NULL;
}

/** Find the pool's process for an actor, or start it. The pool is the whole system's. */
static enum troupe_err spawn_pool_process(
    troupe_system_t *system,
    const struct troupe_spawn_options *options,
    struct trp_rule *rule,
    struct spawn_target *target)
{
    struct trp_shared *shared = system->runtime.shared;
    struct trp_process_pool *pool = trp_process_pool_find(shared, rule->text, rule->place.count);
    if (pool == NULL) {
        return TRP_EXPLAIN(
            TROUPE_ERR_LIMIT, "too many pools of processes; no room for '%s'", rule->text);
    }
    uint32_t slot = 0;
    trp_shared_lock(shared);
    slot = spawn_pool_slot(&pool->turn, rule->place.count, options->name);
    trp_shared_unlock(shared);
    target->executor_id = trp_process_pool_claim(shared, pool, slot, 0);
    if (target->executor_id != 0) {
        return TROUPE_OK;
    }
    enum troupe_err err = spawn_prepare_process(system, options, rule, target);
    if (err != TROUPE_OK) {
        return err;
    }
    uint32_t id = trp_process_pool_claim(shared, pool, slot, target->executor_id);
    if (id == target->executor_id) {
        spawn_launch_process(system, target);
    } else { // another was faster
        spawn_discard_process(system, target);
        target->executor_id = id;
    }
    return TROUPE_OK;
}

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
        return isolates ? spawn_pool_process(system, options, rule, target)
                        : spawn_pool_executor(system, options, rule, target);
    }
    if (isolates) {
        return spawn_prepare_process(system, options, rule, target);
    }
    err = spawn_new_executor(system, options, &rule->place, &target->fresh);
    if (err == TROUPE_OK) {
        target->fresh->dedicated = true;
        target->executor_id = target->fresh->id;
    }
    return err;
}

/** Reserve a row on an executor of another process; it is one that nobody had. @return false: it takes none. */
static bool spawn_reserve_elsewhere(struct trp_shared *shared, troupe_ref_t *ref)
{
    trp_shared_lock(shared);
    struct trp_slot *slot = trp_shared_find_slot(shared, ref->executor);
    bool open = slot != NULL && trp_slot_state(slot) == TRP_SLOT_OPEN;
    if (open) {
        ref->node = slot->node;
        ref->index = atomic_fetch_add_explicit(&slot->row_count, 1, memory_order_relaxed);
        ref->generation = 1;
    }
    trp_shared_unlock(shared);
    return open;
}

/** Get the actor a row on its executor. */
static enum troupe_err spawn_get_row(
    struct troupe_executor *spawner, uint32_t executor_id, troupe_ref_t *out_ref)
{
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
            got = open = spawn_reserve_elsewhere(system->runtime.shared, &ref);
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

static enum troupe_err spawn_post_start(
    struct troupe_executor *spawner,
    const struct troupe_spawn_options *options,
    uint32_t behaviour_index,
    troupe_ref_t ref)
{
    _Alignas(8) uint8_t bytes[START_BYTES_MAX];
    struct trp_start start = {
        .behaviour_index = behaviour_index,
        .name_bytes = options->name != NULL ? (uint32_t)strlen(options->name) : 0,
        .args_bytes = (uint32_t)options->args_bytes,
        .behaviour_bytes =
            ref.node != spawner->node ? (uint32_t)strlen(options->behaviour->name) : 0,
    };
    size_t at = sizeof(start);
    memcpy(bytes, &start, sizeof(start));
    if (start.name_bytes != 0) {
        memset(bytes + at, 0, trp_pad8(start.name_bytes));
        memcpy(bytes + at, options->name, start.name_bytes);
        at += trp_pad8(start.name_bytes);
    }
    if (start.behaviour_bytes != 0) {
        memset(bytes + at, 0, trp_pad8(start.behaviour_bytes));
        memcpy(bytes + at, options->behaviour->name, start.behaviour_bytes);
        at += trp_pad8(start.behaviour_bytes);
    }
    if (start.args_bytes != 0) {
        memcpy(bytes + at, options->args, start.args_bytes);
        at += start.args_bytes;
    }
    const struct trp_outgoing outgoing = {
        .to = ref,
        .kind = TRP_KIND_START,
        .flags = TRP_FLAG_UNMETERED,
        .body = bytes,
        .body_bytes = at,
    };
    return trp_send_message(spawner, &outgoing);
}

/** Give up an actor whose START could not be posted. */
static void spawn_undo(struct troupe_executor *spawner, troupe_ref_t ref)
{
    if (ref.executor == spawner->id) {
        struct trp_actor *actor = trp_actor_table_find(&spawner->actors, ref.index, ref.generation);
        trp_actor_table_remove(&spawner->actors, actor, ref.index);
    } // a row reserved elsewhere is lost: nobody will ever claim it
}

/** Start an executor of an actor's own, with the channels between it and us; or neither. */
static enum troupe_err spawn_start_fresh(
    struct troupe_executor *spawner, struct troupe_executor *fresh, uint64_t cpu_mask)
{
    if (spawner->inbox != NULL) {
        trp_inbox_lock(spawner->inbox);
    }
    // The channel first: a thread that nobody can talk to would never end.
    struct trp_channel *channel = NULL;
    enum troupe_err err = trp_channel_open(&spawner->channels, fresh->id, &channel);
    if (err == TROUPE_OK) {
        // The way back as well, while it is still ours: a thread that is new takes three times as long for
        // it, and would wake us for nothing. If there is none now, its first message to us looks again.
        struct trp_channel *back = NULL;
        bool has_back = trp_channel_open(&fresh->channels, spawner->id, &back) == TROUPE_OK;
        err = trp_system_start_executor(trp_system_of(spawner), fresh, cpu_mask);
        if (err != TROUPE_OK) {
            if (has_back) {
                trp_channel_abandon(&fresh->channels, back);
            }
            trp_channel_abandon(&spawner->channels, channel);
        }
    }
    if (err != TROUPE_OK) {
        trp_system_discard_executor(trp_system_of(spawner), fresh);
    }
    if (spawner->inbox != NULL) {
        trp_inbox_unlock(spawner->inbox);
    }
    return err;
}

/** Open the channel that a START will take, and get its row, for a process that is launched next; or give it up. */
static enum troupe_err spawn_prepare_start(
    struct troupe_executor *spawner, struct spawn_target *target, bool root, troupe_ref_t *out_ref)
{
    if (spawner->inbox != NULL) {
        trp_inbox_lock(spawner->inbox);
    }
    struct trp_channel *channel = NULL;
    enum troupe_err err = trp_channel_open(&spawner->channels, target->executor_id, &channel);
    if (err == TROUPE_OK) {
        // All before the start: the process may be dead a moment after it.
        err = spawn_get_row(spawner, target->executor_id, out_ref);
        if (err == TROUPE_OK && root) {
            trp_system_set_root(trp_system_of(spawner), *out_ref);
        }
        if (err != TROUPE_OK) {
            trp_channel_abandon(&spawner->channels, channel);
        }
    }
    if (spawner->inbox != NULL) {
        trp_inbox_unlock(spawner->inbox);
    }
    if (err != TROUPE_OK) {
        spawn_discard_process(trp_system_of(spawner), target);
    }
    return err;
}

enum troupe_err trp_spawn(
    troupe_context_t *ctx,
    const struct troupe_spawn_options *options,
    bool root,
    troupe_ref_t *out_ref)
{
    struct troupe_executor *spawner = trp_executor_of(ctx);
    uint32_t behaviour_index = 0;
    enum troupe_err err = trp_check_thread(ctx);
    if (err == TROUPE_OK &&
        (spawner->channels.ending ||
         atomic_load_explicit(&spawner->runtime->stop_asked, memory_order_relaxed))) {
        err = TRP_EXPLAIN(TROUPE_ERR_CLOSED, "the system is stopping and starts no more actors");
    }
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
    if (target.fresh != NULL) {
        err = spawn_start_fresh(spawner, target.fresh, options->cpu_mask);
    }
    troupe_ref_t ref = TROUPE_REF_NONE;
    bool is_process = target.process != NULL;
    if (is_process) {
        err = spawn_prepare_start(spawner, &target, root, &ref);
    }
    bool started = err == TROUPE_OK &&
                   (target.fresh != NULL || is_process); // and it stays while our channel is open
    if (err == TROUPE_OK && !is_process) {
        err = spawn_get_row(spawner, target.executor_id, &ref);
    }
    if (err == TROUPE_OK && root && !is_process) {
        trp_system_set_root(trp_system_of(spawner), ref);
    }
    if (target.process != NULL) {
        // Only now: it may be dead before this thread goes on, and that is no error of the spawn.
        spawn_launch_process(trp_system_of(spawner), &target);
    }
    if (err == TROUPE_OK) {
        err = spawn_post_start(spawner, options, behaviour_index, ref);
        if (err != TROUPE_OK) {
            spawn_undo(spawner, ref);
        }
    }
    if (err != TROUPE_OK && started) {
        trp_system_ask_to_end(trp_system_of(spawner), target.executor_id);
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

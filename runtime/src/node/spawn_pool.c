#include "node/spawn_pool.h"

#include "base/descriptors.h"
#include "node/executors.h"
#include "node/spawn_executor.h"
#include "node/spawn_process.h"
#include "shared/process_pool.h"
#include "shared/shared.h"

/** @return the index in a pool where an actor goes. @threads holding what guards @p turn */
static uint32_t spawn_pool_index(uint32_t *turn, uint32_t count, const char *name)
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

/** Make and start an executor of a pool. */
static enum troupe_err spawn_pool_add(
    troupe_system_t *system,
    const struct troupe_spawn_options *options,
    const struct trp_rule *rule,
    uint32_t *out_executor_id)
{
    struct troupe_executor *executor = NULL;
    enum troupe_err err = trp_spawn_executor_new(system, options, &rule->place, &executor);
    if (err != TROUPE_OK) {
        return err;
    }
    *out_executor_id = executor->id; // before the start: it may end at once
    err = trp_executors_start(system, executor, trp_spawn_cpu_mask(system, options));
    if (err != TROUPE_OK) {
        trp_executors_discard(system, executor);
    }
    return err;
}

enum troupe_err trp_spawn_pool_executor(
    troupe_system_t *system,
    const struct troupe_spawn_options *options,
    struct trp_rule *rule,
    uint32_t *out_executor_id)
{
    // Held while an executor is made, so that two spawners do not make one for the same index.
    (void)pthread_mutex_lock(&system->pool_lock);
    (void)pthread_mutex_lock(&system->runtime.lock);
    uint32_t index = spawn_pool_index(&rule->pool_turn, rule->place.count, options->name);
    uint32_t id = rule->pool[index];
    (void)pthread_mutex_unlock(&system->runtime.lock);
    enum troupe_err err = TROUPE_OK;
    if (id == 0) {
        err = spawn_pool_add(system, options, rule, &id);
        if (err == TROUPE_OK) {
            (void)pthread_mutex_lock(&system->runtime.lock);
            rule->pool[index] = id;
            (void)pthread_mutex_unlock(&system->runtime.lock);
        }
    }
    (void)pthread_mutex_unlock(&system->pool_lock);
    *out_executor_id = id;
    return err;
}

/** @return the executor at an index of a pool of processes; 0: none. @param id  Put there if it is free; 0: none. */
static uint32_t spawn_pool_claim(
    struct trp_shared *shared, const struct trp_process_pool *pool, uint32_t index, uint32_t id)
{
    trp_shared_lock(shared);
    uint32_t *at = &shared->pool_slots[pool->first + index];
    if (*at == 0) {
        *at = id;
    }
    uint32_t claimed = *at;
    trp_shared_unlock(shared);
    return claimed;
}

enum troupe_err trp_spawn_pool_process(
    troupe_system_t *system,
    const struct troupe_spawn_options *options,
    const struct trp_rule *rule,
    uint32_t *out_executor_id)
{
    struct trp_shared *shared = system->runtime.shared;
    struct trp_process_pool *pool = trp_process_pool_find(shared, rule->text, rule->place.count);
    if (pool == NULL) {
        return TRP_EXPLAIN(
            TROUPE_ERR_LIMIT, "too many pools of processes; no room for '%s'", rule->text);
    }
    trp_shared_lock(shared);
    uint32_t index = spawn_pool_index(&pool->turn, rule->place.count, options->name);
    trp_shared_unlock(shared);
    *out_executor_id = spawn_pool_claim(shared, pool, index, 0);
    if (*out_executor_id != 0) {
        return TROUPE_OK;
    }
    struct trp_spawn_process prepared;
    enum troupe_err err = trp_spawn_process_prepare(system, options, rule, &prepared);
    if (err != TROUPE_OK) {
        return err;
    }
    *out_executor_id = spawn_pool_claim(shared, pool, index, prepared.executor_id);
    if (*out_executor_id == prepared.executor_id) {
        trp_spawn_process_launch(system, &prepared);
        trp_descriptors_keep_promise(TRP_SPAWN_PROCESS_DESCRIPTORS); // no pool is a burst
    } else {                                                         // another spawner was faster
        trp_spawn_process_discard(system, &prepared);
    }
    return TROUPE_OK;
}

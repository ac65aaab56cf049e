#include "shared/process_pool.h"

#include "shared/shared.h"
#include "shared/shared_table.h"

#include <string.h>

/** @return a new pool, or NULL: there is no room. @threads holding shared memory's lock */
static struct trp_process_pool *process_pool_add(
    struct trp_shared *shared, const char *text, uint32_t count)
{
    struct trp_process_pool *pool = &shared->pools[shared->pool_count % TRP_SHARED_POOLS];
    if (shared->pool_count >= TRP_SHARED_POOLS ||
        shared->pool_slot_count + count > TRP_SHARED_POOL_SLOTS ||
        strlen(text) >= sizeof(pool->text)) {
        return NULL;
    }
    memcpy(pool->text, text, strlen(text) + 1);
    pool->first = shared->pool_slot_count;
    pool->count = count;
    shared->pool_slot_count += count;
    shared->pool_count++;
    return pool;
}

struct trp_process_pool *trp_process_pool_find(
    struct trp_shared *shared, const char *text, uint32_t count)
{
    struct trp_process_pool *pool = NULL;
    trp_shared_lock(shared);
    uint32_t pool_count =
        trp_damage_check(shared, "the number of pools", shared->pool_count, TRP_SHARED_POOLS);
    for (uint32_t i = 0; i < pool_count && pool == NULL; i++) {
        pool = strcmp(shared->pools[i].text, text) == 0 ? &shared->pools[i] : NULL;
    }
    if (pool == NULL) {
        pool = process_pool_add(shared, text, count);
    }
    trp_shared_unlock(shared);
    return pool;
}

uint32_t trp_process_pool_claim(
    struct trp_shared *shared, const struct trp_process_pool *pool, uint32_t place, uint32_t id)
{
    trp_shared_lock(shared);
    uint32_t *at = &shared->pool_slots[pool->first + place];
    if (*at == 0) {
        *at = id;
    }
    uint32_t taken = *at;
    trp_shared_unlock(shared);
    return taken;
}

void trp_process_pools_remove(struct trp_shared *shared, uint32_t executor)
{
    uint32_t count = trp_damage_check(
        shared, "the number of places of pools", shared->pool_slot_count, TRP_SHARED_POOL_SLOTS);
    for (uint32_t i = 0; i < count; i++) {
        if (shared->pool_slots[i] == executor) {
            shared->pool_slots[i] = 0;
        }
    }
}

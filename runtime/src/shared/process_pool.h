/**
 * @file process_pool.h
 * @brief The pool of a rule such as `process:4`: its executors, which all processes of the system share.
 */
#ifndef TRP_PROCESS_POOL_H
#define TRP_PROCESS_POOL_H

#include <stdint.h>

struct trp_shared;

/** Guarded by shared memory's lock, as are its places. */
struct trp_process_pool {
    char text[96]; // the rule, or the placement of a spawn
    uint32_t
        first; // of its places in `pool_slots`; each has an executor's id, or 0 until one is needed
    uint32_t count;
    uint32_t turn; // the place that the next actor without a name goes to
};

/** Find the pool of a rule, or make it. @return NULL: there is no room for one more. */
struct trp_process_pool *trp_process_pool_find(
    struct trp_shared *shared, const char *text, uint32_t count);

/**
 * Look up the executor in a place of a pool. If the place is empty, put @p id there; 0 leaves it empty.
 *
 * @return the executor that has the place now; 0: none.
 */
uint32_t trp_process_pool_claim(
    struct trp_shared *shared, const struct trp_process_pool *pool, uint32_t place, uint32_t id);

/** Empty the places that an executor has in any pool. @threads holding shared memory's lock */
void trp_process_pools_remove(struct trp_shared *shared, uint32_t executor);

#endif

/**
 * @file spawn_pool.h
 * @brief Pools: the executors that the actors of one rule share, as in `thread:4`.
 *
 * A pool of threads is its process's; a pool of processes is the whole system's, in shared memory. An actor with a
 * name goes where the hash of its name says, one without goes to the next in turn. Executors are made when the
 * first actor goes there.
 */
#ifndef TRP_SPAWN_POOL_H
#define TRP_SPAWN_POOL_H

#include "config/rules.h"
#include "node/system.h"

#include <stdint.h>

/** Find the executor of a pool for an actor, or start it, in this process. */
enum troupe_err trp_spawn_pool_executor(
    troupe_system_t *system,
    const struct troupe_spawn_options *options,
    struct trp_rule *rule,
    uint32_t *out_executor_id);

/** Find the process of a pool for an actor, or have it started. */
enum troupe_err trp_spawn_pool_process(
    troupe_system_t *system,
    const struct troupe_spawn_options *options,
    const struct trp_rule *rule,
    uint32_t *out_executor_id);

#endif

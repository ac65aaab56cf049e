/**
 * @file world.h
 * @brief The state of a world, and the check that each public function begins with.
 *
 * The files of this folder in layers. Each includes and calls only what stands before it here:
 *
 *     array, queue              plain containers
 *     record, registry, table   where an entity is; what is registered; a table's rows
 *     match, graph              which tables a query matches; all tables
 *     world                     all of these together, for one executor
 *     iter, observer            what a callback is passed; calling observers
 *     change, deferred          changes that are applied at once, and those that wait
 *     component, entity, query, actors, system, pipeline
 *                               what users call
 *     ecs                       the backend: it makes the world, and ends it
 *
 * All of it belongs to the thread that made the system.
 */
#ifndef TRP_ECS_WORLD_H
#define TRP_ECS_WORLD_H

#include "base/check.h"
#include "graph.h"
#include "queue.h"
#include "record.h"
#include "registry.h"
#include "troupe/backend.h"
#include "troupe/ecs.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct ecs_system;

/** What must not change while changes are applied at once; see deferred.h. */
struct ecs_defer {
    struct ecs_queue queue;
    uint32_t begin_count;    // of troupe_ecs_defer_begin(), and of systems without terms that run
    uint32_t iter_count;     // open iterations
    uint32_t observer_depth; // observers that run
    bool is_applying;        // the queue
};

/** Systems, and the time they run by; see system.c and pipeline.c. */
struct ecs_pipeline {
    struct ecs_system *systems; // in the order in which they were made
    uint32_t system_count;      // without those that were deleted
    uint32_t last_id;
    bool is_ticking;
    bool has_ticked;
    uint64_t period_ns;
    uint64_t fixed_delta_ns; // 0: ticks are as long as the clock says
    uint64_t time_ns;        // the world's time: the sum of all ticks
    uint64_t ticked_ns;      // the latest tick, by the system's clock
    uint64_t due_ns;         // the next tick, by the system's clock
};

struct troupe_ecs {
    const struct troupe_host *host;
    troupe_executor_t *executor;
    pthread_t owner;

    struct ecs_records records;
    struct ecs_registry registry;
    struct ecs_graph graph;
    struct ecs_defer defer;
    struct ecs_pipeline pipeline;

    uint64_t epoch; // from 1; counts how often open iterations were ended by force
    uint32_t observer_last_id;

    troupe_ecs_entity_t *actors; // by their rows in the executor; 0: no entity yet
    uint32_t actor_capacity;
};

/** Set the error detail for a world that cannot be used here. @return the error. */
enum troupe_err trp_ecs_refuse(const troupe_ecs_t *ecs);

/** @return TROUPE_OK on the world's own thread; else the error, explained. */
static inline enum troupe_err trp_ecs_check(const troupe_ecs_t *ecs)
{
    return TRP_LIKELY(ecs != NULL && pthread_equal(ecs->owner, pthread_self()))
               ? TROUPE_OK
               : trp_ecs_refuse(ecs);
}

/** @return the context that systems, observers and iterations get. */
static inline troupe_context_t *trp_ecs_context(const troupe_ecs_t *ecs)
{
    return ecs->host->context(ecs->executor);
}

#endif

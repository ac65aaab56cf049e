/**
 * @file system.h
 * @brief The systems of a world: what each is, and what the pipeline needs to run it.
 */
#ifndef TRP_ECS_SYSTEM_H
#define TRP_ECS_SYSTEM_H

#include "world.h"

#include <stdbool.h>
#include <stdint.h>

/** A system. */
struct ecs_system {
    struct ecs_system *next;
    troupe_ecs_system_t id;
    const char *name; // owned by the registry; NULL: it was deleted
    enum troupe_ecs_phase phase;
    troupe_ecs_query_t *query;    // NULL: it has no terms
    troupe_ecs_iter_fn *callback; // NULL: it was deleted while systems ran
    void *data;
    uint64_t interval_ns;
    uint64_t ran_ns; // when it ran last, by the world's time
    bool is_enabled;
    uint64_t run_count;
    uint64_t entity_count; // of the last run
    uint64_t run_ns_last;
    uint64_t run_ns_max;
    uint64_t run_ns_sum;
};

/** Free the systems that were deleted while systems ran. */
void trp_ecs_systems_sweep(troupe_ecs_t *ecs);

/** Delete all systems. */
void trp_ecs_systems_fini(troupe_ecs_t *ecs);

#endif

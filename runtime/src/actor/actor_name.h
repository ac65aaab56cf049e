/**
 * @file actor_name.h
 * @brief Names of actors for texts about them.
 */
#ifndef TRP_ACTOR_NAME_H
#define TRP_ACTOR_NAME_H

#include "actor/executor.h"
#include "shared/dead_counts.h"

/** @return the name that an actor was spawned with, or that of its behaviour. */
static inline const char *trp_actor_name(const struct trp_actor *actor)
{
    return actor->name != NULL ? actor->name : actor->behaviour->name;
}

/**
 * Print the name of an actor of any process with a blank in front: " 'ping'"; or " on 'ecs'" where only the name of its
 * executor is known; or "".
 */
void trp_actor_name_print(
    struct troupe_executor *executor,
    troupe_ref_t ref,
    char name[static TRP_DEAD_COUNTS_NAME_BYTES]);

#endif

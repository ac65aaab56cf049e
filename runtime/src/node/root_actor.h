/**
 * @file root_actor.h
 * @brief The root actor of a system: when it ends, the system stops.
 */
#ifndef TRP_ROOT_ACTOR_H
#define TRP_ROOT_ACTOR_H

#include "node/system.h"

/** As troupe_system_set_root(), for an actor whose START has not been sent yet. @threads any */
void trp_root_actor_set(troupe_system_t *system, troupe_ref_t actor);

/** An actor has ended: if it is the root, keep its exit and stop the system. @threads any */
void trp_root_actor_ended(
    troupe_system_t *system, troupe_ref_t actor, const struct troupe_exit *exit);

#endif

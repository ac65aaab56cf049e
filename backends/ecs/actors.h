/**
 * @file actors.h
 * @brief Actors as entities.
 */
#ifndef TRP_ECS_ACTORS_H
#define TRP_ECS_ACTORS_H

#include "world.h"

#include <stdint.h>

/** Delete the entity of the actor in that row, which has exited. It may have none. */
void trp_ecs_actor_exited(troupe_ecs_t *ecs, uint32_t row);

#endif

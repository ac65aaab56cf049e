/**
 * @file pipeline.h
 * @brief The tick of a world.
 */
#ifndef TRP_ECS_PIPELINE_H
#define TRP_ECS_PIPELINE_H

#include "world.h"

#include <stdbool.h>
#include <stdint.h>

/**
 * Run the systems, if a tick is due.
 *
 * @param now  A tick is due, whatever the clock says.
 * @return     nanoseconds until the next one; UINT64_MAX: none is planned.
 */
uint64_t trp_ecs_tick(troupe_ecs_t *ecs, bool now);

#endif

/**
 * @file query.h
 * @brief What a world asks of its queries.
 */
#ifndef TRP_ECS_QUERY_H
#define TRP_ECS_QUERY_H

#include "world.h"

/** End all open iterations. They find out when they go on. */
void trp_ecs_close_iterations(troupe_ecs_t *ecs);

/** Free all queries. */
void trp_ecs_queries_fini(troupe_ecs_t *ecs);

#endif

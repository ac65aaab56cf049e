/**
 * @file graph.h
 * @brief All tables of a world, and the edges between them.
 */
#ifndef TRP_ECS_GRAPH_H
#define TRP_ECS_GRAPH_H

#include "match.h"
#include "table.h"

#include <stdbool.h>
#include <stdint.h>

/** The tables of a world. A table stays until the world ends. */
struct ecs_graph {
    struct ecs_table *empty; // the table of no components, which keeps no rows
    struct ecs_table **tables;
    uint32_t table_count;
    uint32_t table_capacity;
    struct ecs_table **slots; // the same tables, hashed by their components, with linear probing
    uint32_t slot_count;      // a power of 2
    troupe_ecs_query_t *queries;
};

/** Make the table of no components. @return false: no memory. */
bool trp_ecs_graph_init(struct ecs_graph *graph, const struct ecs_registry *registry);

/** Free all tables. */
void trp_ecs_graph_fini(struct ecs_graph *graph);

/** Find or make the table with one component more than @p table. @return NULL: no memory. */
struct ecs_table *trp_ecs_graph_with(
    struct ecs_graph *graph,
    const struct ecs_registry *registry,
    struct ecs_table *table,
    troupe_ecs_component_t component);

/** Find or make the table with one component less than @p table. @return NULL: no memory. */
struct ecs_table *trp_ecs_graph_without(
    struct ecs_graph *graph,
    const struct ecs_registry *registry,
    struct ecs_table *table,
    troupe_ecs_component_t component);

#endif

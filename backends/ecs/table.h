/**
 * @file table.h
 * @brief One table: all entities with the same set of components, a column for each component.
 *
 * Rows are dense: a row that leaves is filled with the last one, so rows and values move with each change.
 */
#ifndef TRP_ECS_TABLE_H
#define TRP_ECS_TABLE_H

#include "record.h"
#include "registry.h"

#include <stdbool.h>
#include <stdint.h>

/** The values of one component in a table. */
struct ecs_column {
    troupe_ecs_component_t component;
    uint32_t bytes;
    uint8_t *data; // NULL: a tag
};

/** Where the change of one component leads from a table; NULL: not known yet. */
struct ecs_edge {
    struct ecs_table *with;
    struct ecs_table *without;
};

/** All entities with the same set of components. */
struct ecs_table {
    struct ecs_column *columns; // by component, ascending
    uint32_t column_count;
    uint32_t index_count;
    uint16_t *column_indexes; // by component: the index of its column + 1; 0: it has none
    uint32_t edge_count;
    struct ecs_edge *edges;        // by component; see graph.c
    troupe_ecs_entity_t *entities; // of each row
    uint32_t count;
    uint32_t capacity;
    uint32_t hash; // of its components
};

/** @return the index of a component's column; -1: the table does not have it. */
static inline int32_t trp_ecs_column(
    const struct ecs_table *table, troupe_ecs_component_t component)
{
    return component < table->index_count ? (int32_t)table->column_indexes[component] - 1 : -1;
}

/**
 * Make a table without rows.
 *
 * @param type  Its components, ascending.
 * @return      NULL: no memory.
 */
struct ecs_table *trp_ecs_table_new(
    const struct ecs_registry *registry, const troupe_ecs_component_t *type, uint32_t count);

/** Free a table. */
void trp_ecs_table_destroy(struct ecs_table *table);

/**
 * Make room for one more row.
 *
 * @param value_p  A value that may lie in the table, and moves with it; it may point to NULL.
 * @return         false: no memory.
 */
bool trp_ecs_table_reserve(struct ecs_table *table, const void **value_p);

/**
 * Move an entity to a table that has room. A component that its old table did not have becomes zero, or @p value.
 *
 * @param component  The component that gets @p value.
 * @param value      It may lie in either table, and is read before a row moves. NULL: zero.
 */
void trp_ecs_table_move(
    struct ecs_records *records,
    troupe_ecs_entity_t entity,
    struct ecs_table *to,
    troupe_ecs_component_t component,
    const void *value);

/** Remove a row. */
void trp_ecs_table_drop(struct ecs_records *records, struct ecs_table *table, uint32_t row);

#endif

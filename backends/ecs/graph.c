/*
 * An edge leads from a table to the one with one component more, or one less:
 *
 *     {}  --position-->  {position}  --velocity-->  {position, velocity}
 *         <--                        <--
 *
 * It is looked up once and kept. So adding or removing a component is to follow a pointer, copy a row to the
 * end of one table, and fill its place in the other with the last row there.
 *
 * Tables and edges are those of flecs: S. Mertens, "Building an ECS #2: Archetypes and Vectorization".
 */
#include "graph.h"

#include "array.h"

#include <stdlib.h>
#include <string.h>

enum { GRAPH_SLOTS_FIRST = 64, GRAPH_EDGES_SPARE = 8 };

/* Finding and making. --------------------------------------------------------------------------- */

static uint32_t graph_hash(const troupe_ecs_component_t *type, uint32_t count)
{
    uint64_t hash = UINT64_C(14695981039346656037); // FNV-1a, a component at a time
    for (uint32_t i = 0; i < count; i++) {
        hash = (hash ^ type[i]) * UINT64_C(1099511628211);
    }
    return (uint32_t)(hash ^ hash >> 32);
}

static bool graph_is_type(
    const struct ecs_table *table, const troupe_ecs_component_t *type, uint32_t count)
{
    bool is_same = table->column_count == count;
    for (uint32_t i = 0; is_same && i < count; i++) {
        is_same = table->columns[i].component == type[i];
    }
    return is_same;
}

static struct ecs_table *graph_find(
    const struct ecs_graph *graph, const troupe_ecs_component_t *type, uint32_t count)
{
    uint32_t at = graph_hash(type, count);
    struct ecs_table *table = NULL;
    while ((table = graph->slots[at & (graph->slot_count - 1)]) != NULL &&
           !graph_is_type(table, type, count)) {
        at++;
    }
    return table;
}

static void graph_put(struct ecs_table **slots, uint32_t slot_count, struct ecs_table *table)
{
    uint32_t at = table->hash;
    while (slots[at & (slot_count - 1)] != NULL) {
        at++;
    }
    slots[at & (slot_count - 1)] = table;
}

/** Make room for one more table, and keep half of the slots free. @return false: no memory. */
static bool graph_reserve(struct ecs_graph *graph)
{
    struct ecs_table **tables = trp_ecs_array_grow(
        graph->tables, &graph->table_capacity, graph->table_count + 1, sizeof(struct ecs_table *));
    if (tables == NULL) {
        return false;
    }
    graph->tables = tables;
    if (graph->slot_count > graph->table_count * 2) {
        return true;
    }
    uint32_t slot_count = graph->slot_count == 0 ? GRAPH_SLOTS_FIRST : graph->slot_count * 2;
    struct ecs_table **slots = calloc(slot_count, sizeof(struct ecs_table *));
    if (slots == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < graph->table_count; i++) {
        graph_put(slots, slot_count, tables[i]);
    }
    free(graph->slots);
    graph->slots = slots;
    graph->slot_count = slot_count;
    return true;
}

static struct ecs_table *graph_make(
    struct ecs_graph *graph,
    const struct ecs_registry *registry,
    const troupe_ecs_component_t *type,
    uint32_t count)
{
    if (!graph_reserve(graph)) {
        return NULL;
    }
    struct ecs_table *table = trp_ecs_table_new(registry, type, count);
    if (table == NULL) {
        return NULL;
    }
    if (!trp_ecs_match_add_all(graph->queries, table)) {
        trp_ecs_table_destroy(table);
        return NULL;
    }
    table->hash = graph_hash(type, count);
    graph->tables[graph->table_count++] = table;
    graph_put(graph->slots, graph->slot_count, table);
    return table;
}

bool trp_ecs_graph_init(struct ecs_graph *graph, const struct ecs_registry *registry)
{
    graph->empty = graph_make(graph, registry, NULL, 0);
    return graph->empty != NULL;
}

void trp_ecs_graph_fini(struct ecs_graph *graph)
{
    for (uint32_t i = 0; i < graph->table_count; i++) {
        trp_ecs_table_destroy(graph->tables[i]);
    }
    free(graph->tables);
    free(graph->slots);
}

/* Edges. ---------------------------------------------------------------------------------------- */

/** @return the edge of a component; NULL: no memory. */
static struct ecs_edge *graph_edge(struct ecs_table *table, troupe_ecs_component_t component)
{
    if (TRP_UNLIKELY(component >= table->edge_count)) {
        uint32_t count = component + GRAPH_EDGES_SPARE;
        struct ecs_edge *edges = realloc(table->edges, count * sizeof(*edges));
        if (edges == NULL) {
            return NULL;
        }
        memset(edges + table->edge_count, 0, (count - table->edge_count) * sizeof(*edges));
        table->edges = edges;
        table->edge_count = count;
    }
    return &table->edges[component];
}

/** Write the components of a table and @p added, which it does not have. @return how many. */
static uint32_t graph_type_with(
    const struct ecs_table *table, troupe_ecs_component_t added, troupe_ecs_component_t *out_type)
{
    uint32_t count = 0;
    uint32_t i = 0;
    for (; i < table->column_count && table->columns[i].component < added; i++) {
        out_type[count++] = table->columns[i].component;
    }
    out_type[count++] = added;
    for (; i < table->column_count; i++) {
        out_type[count++] = table->columns[i].component;
    }
    return count;
}

/** Write the components of a table but @p removed. @return how many. */
static uint32_t graph_type_without(
    const struct ecs_table *table, troupe_ecs_component_t removed, troupe_ecs_component_t *out_type)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (table->columns[i].component != removed) {
            out_type[count++] = table->columns[i].component;
        }
    }
    return count;
}

static struct ecs_table *graph_find_or_make(
    struct ecs_graph *graph,
    const struct ecs_registry *registry,
    const troupe_ecs_component_t *type,
    uint32_t count)
{
    struct ecs_table *table = graph_find(graph, type, count);
    return table != NULL ? table : graph_make(graph, registry, type, count);
}

static struct ecs_table *graph_find_with(
    struct ecs_graph *graph,
    const struct ecs_registry *registry,
    const struct ecs_table *table,
    troupe_ecs_component_t added)
{
    troupe_ecs_component_t type[TROUPE_ECS_COMPONENTS_MAX];
    const uint32_t count = graph_type_with(table, added, type);
    return graph_find_or_make(graph, registry, type, count);
}

static struct ecs_table *graph_find_without(
    struct ecs_graph *graph,
    const struct ecs_registry *registry,
    const struct ecs_table *table,
    troupe_ecs_component_t removed)
{
    troupe_ecs_component_t type[TROUPE_ECS_COMPONENTS_MAX];
    const uint32_t count = graph_type_without(table, removed, type);
    return graph_find_or_make(graph, registry, type, count);
}

struct ecs_table *trp_ecs_graph_with(
    struct ecs_graph *graph,
    const struct ecs_registry *registry,
    struct ecs_table *table,
    troupe_ecs_component_t component)
{
    struct ecs_edge *edge = graph_edge(table, component);
    if (edge == NULL) {
        return NULL;
    }
    if (TRP_UNLIKELY(edge->with == NULL)) {
        edge->with = graph_find_with(graph, registry, table, component);
    }
    return edge->with;
}

struct ecs_table *trp_ecs_graph_without(
    struct ecs_graph *graph,
    const struct ecs_registry *registry,
    struct ecs_table *table,
    troupe_ecs_component_t component)
{
    struct ecs_edge *edge = graph_edge(table, component);
    if (edge == NULL) {
        return NULL;
    }
    if (TRP_UNLIKELY(edge->without == NULL)) {
        edge->without = graph_find_without(graph, registry, table, component);
    }
    return edge->without;
}

/*
 * Tables: entities with the same components, and the way from one table to the next.
 *
 *     {}  --position-->  {position}  --velocity-->  {position, velocity}
 *         <--                        <--
 *
 * An edge is looked up once and kept, so to add or remove a component is to follow a pointer, copy a row to
 * the end of one table and fill its place in the other with the last row there.
 */
#include "store.h"

#include <stdlib.h>
#include <string.h>

enum { TABLE_ROWS_FIRST = 16, TABLE_SLOTS_FIRST = 64 };

/* Finding and making. --------------------------------------------------------------------------- */

static uint32_t table_hash(const troupe_ecs_component_t *type, uint32_t count)
{
    uint64_t hash = UINT64_C(14695981039346656037); // FNV-1a, a component at a time
    for (uint32_t i = 0; i < count; i++) {
        hash = (hash ^ type[i]) * UINT64_C(1099511628211);
    }
    return (uint32_t)(hash ^ hash >> 32);
}

static bool table_is(
    const struct ecs_table *table, const troupe_ecs_component_t *type, uint32_t count)
{
    bool same = table->column_count == count;
    for (uint32_t i = 0; same && i < count; i++) {
        same = table->columns[i].component == type[i];
    }
    return same;
}

static struct ecs_table *table_find(
    const troupe_ecs_t *ecs, const troupe_ecs_component_t *type, uint32_t count)
{
    uint32_t at = table_hash(type, count);
    struct ecs_table *table = NULL;
    while ((table = ecs->slots[at & (ecs->slot_count - 1)]) != NULL &&
           !table_is(table, type, count)) {
        at++;
    }
    return table;
}

static void table_put(struct ecs_table **slots, uint32_t slot_count, struct ecs_table *table)
{
    troupe_ecs_component_t type[TROUPE_ECS_COMPONENTS_MAX];
    for (uint32_t i = 0; i < table->column_count; i++) {
        type[i] = table->columns[i].component;
    }
    uint32_t at = table_hash(type, table->column_count);
    while (slots[at & (slot_count - 1)] != NULL) {
        at++;
    }
    slots[at & (slot_count - 1)] = table;
}

/** Keep the hashed half empty. @return false: no memory. */
static bool table_grow_slots(troupe_ecs_t *ecs)
{
    if (ecs->slot_count > ecs->table_count * 2) {
        return true;
    }
    uint32_t slot_count = ecs->slot_count == 0 ? TABLE_SLOTS_FIRST : ecs->slot_count * 2;
    struct ecs_table **slots = calloc(slot_count, sizeof(struct ecs_table *));
    if (slots == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < ecs->table_count; i++) {
        table_put(slots, slot_count, ecs->tables[i]);
    }
    free(ecs->slots);
    ecs->slots = slots;
    ecs->slot_count = slot_count;
    return true;
}

static void table_free(struct ecs_table *table)
{
    for (uint32_t i = 0; table->columns != NULL && i < table->column_count; i++) {
        free(table->columns[i].data);
    }
    free(table->columns);
    free(table->places);
    free(table->edges);
    free(table->entities);
    free(table);
}

/** @return a table that nobody knows yet; NULL: no memory. */
static struct ecs_table *table_alloc(
    const troupe_ecs_t *ecs, const troupe_ecs_component_t *type, uint32_t count)
{
    struct ecs_table *table = calloc(1, sizeof(*table));
    if (table == NULL) {
        return NULL;
    }
    table->column_count = count;
    table->place_count = count == 0 ? 0 : type[count - 1] + 1;
    table->columns = calloc((size_t)count + 1, sizeof(*table->columns));
    table->places = calloc((size_t)table->place_count + 1, sizeof(*table->places));
    if (table->columns == NULL || table->places == NULL) {
        table_free(table);
        return NULL;
    }
    for (uint32_t i = 0; i < count; i++) {
        table->columns[i].component = type[i];
        table->columns[i].bytes = ecs->components[type[i] - 1].bytes;
        table->places[type[i]] = (uint16_t)(i + 1);
    }
    return table;
}

static struct ecs_table *table_make(
    troupe_ecs_t *ecs, const troupe_ecs_component_t *type, uint32_t count)
{
    void *tables = ecs->tables;
    if (!table_grow_slots(ecs) ||
        !trp_ecs_grow(&tables, &ecs->table_capacity, ecs->table_count + 1, sizeof(*ecs->tables))) {
        return NULL;
    }
    ecs->tables = tables;
    struct ecs_table *table = table_alloc(ecs, type, count);
    if (table != NULL && !trp_ecs_queries_meet(ecs, table)) {
        table_free(table);
        table = NULL;
    }
    if (table != NULL) {
        ecs->tables[ecs->table_count++] = table;
        table_put(ecs->slots, ecs->slot_count, table);
    }
    return table;
}

bool trp_ecs_tables_init(troupe_ecs_t *ecs)
{
    ecs->empty = table_make(ecs, NULL, 0);
    return ecs->empty != NULL;
}

void trp_ecs_tables_fini(troupe_ecs_t *ecs)
{
    for (uint32_t i = 0; i < ecs->table_count; i++) {
        table_free(ecs->tables[i]);
    }
    free(ecs->tables);
    free(ecs->slots);
}

/* The way from one to the next. ----------------------------------------------------------------- */

/** Write the components of a table, with or without one. @return how many. */
static uint32_t table_type_step(
    const struct ecs_table *table,
    troupe_ecs_component_t component,
    bool with,
    troupe_ecs_component_t *type)
{
    uint32_t count = 0;
    bool is_in = !with;
    for (uint32_t i = 0; i < table->column_count; i++) {
        troupe_ecs_component_t at = table->columns[i].component;
        if (!is_in && at > component) {
            type[count++] = component;
            is_in = true;
        }
        if (at != component) {
            type[count++] = at;
        }
    }
    if (!is_in) {
        type[count++] = component;
    }
    return count;
}

/** @return the edge of a component; NULL: no memory. */
static struct ecs_edge *table_edge(struct ecs_table *table, troupe_ecs_component_t component)
{
    if (TRP_UNLIKELY(component >= table->edge_count)) {
        uint32_t count = component + 8;
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

struct ecs_table *trp_ecs_table_step(
    troupe_ecs_t *ecs, struct ecs_table *table, troupe_ecs_component_t component, bool with)
{
    struct ecs_edge *edge = table_edge(table, component);
    if (edge == NULL) {
        return NULL;
    }
    struct ecs_table **to = with ? &edge->with : &edge->without;
    if (TRP_UNLIKELY(*to == NULL)) {
        troupe_ecs_component_t type[TROUPE_ECS_COMPONENTS_MAX];
        uint32_t count = table_type_step(table, component, with, type);
        *to = table_find(ecs, type, count);
        if (*to == NULL) {
            *to = table_make(ecs, type, count);
        }
    }
    return *to;
}

/* Rows. ----------------------------------------------------------------------------------------- */

bool trp_ecs_table_reserve(struct ecs_table *table)
{
    if (TRP_LIKELY(table->count < table->capacity || table->column_count == 0)) {
        return true;
    }
    uint32_t capacity = table->capacity == 0 ? TABLE_ROWS_FIRST : table->capacity * 2;
    for (uint32_t i = 0; i < table->column_count; i++) {
        struct ecs_column *column = &table->columns[i];
        if (column->bytes != 0) {
            uint8_t *data = realloc(column->data, (size_t)capacity * column->bytes);
            if (data == NULL) {
                return false; // those that have grown are larger than they need to be, that is all
            }
            column->data = data;
        }
    }
    troupe_ecs_entity_t *entities = realloc(table->entities, capacity * sizeof(*entities));
    if (entities == NULL) {
        return false;
    }
    table->entities = entities;
    table->capacity = capacity;
    return true;
}

/** Copy one value: most are of few sizes, and a call costs more than the copy. */
static inline void table_copy(uint8_t *to, const uint8_t *from, uint32_t bytes)
{
    switch (bytes) {
    case 4:
        memcpy(to, from, 4);
        break;
    case 8:
        memcpy(to, from, 8);
        break;
    case 12:
        memcpy(to, from, 12);
        break;
    case 16:
        memcpy(to, from, 16);
        break;
    default:
        memcpy(to, from, bytes);
        break;
    }
}

void trp_ecs_table_drop(troupe_ecs_t *ecs, struct ecs_table *table, uint32_t row)
{
    uint32_t last = --table->count;
    if (row == last) {
        return;
    }
    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct ecs_column *column = &table->columns[i];
        if (column->bytes != 0) {
            uint8_t *data = column->data;
            table_copy(
                data + (size_t)row * column->bytes,
                data + (size_t)last * column->bytes,
                column->bytes);
        }
    }
    troupe_ecs_entity_t moved = table->entities[last];
    table->entities[row] = moved;
    ecs->records[(uint32_t)moved].row = row;
}

/** Copy what two tables have in common from a row to the last; zero what is new. */
static void table_copy_row(const struct ecs_table *from, uint32_t row, const struct ecs_table *to)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < to->column_count; i++) {
        const struct ecs_column *column = &to->columns[i];
        while (at < from->column_count && from->columns[at].component < column->component) {
            at++;
        }
        if (column->bytes == 0) {
            continue;
        }
        uint8_t *value = column->data + (size_t)to->count * column->bytes;
        if (at < from->column_count && from->columns[at].component == column->component) {
            table_copy(value, from->columns[at].data + (size_t)row * column->bytes, column->bytes);
        } else {
            memset(value, 0, column->bytes);
        }
    }
}

void trp_ecs_table_move(troupe_ecs_t *ecs, troupe_ecs_entity_t entity, struct ecs_table *to)
{
    struct ecs_record *record = &ecs->records[(uint32_t)entity];
    struct ecs_table *from = record->table;
    uint32_t row = record->row;
    uint32_t to_row = 0;
    if (to->column_count != 0) {
        TRP_DCHECK(to->count < to->capacity);
        table_copy_row(from, row, to);
        to_row = to->count++;
        to->entities[to_row] = entity;
    }
    if (from->column_count != 0) {
        trp_ecs_table_drop(ecs, from, row);
    }
    record->table = to;
    record->row = to_row;
}

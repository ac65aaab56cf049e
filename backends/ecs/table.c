#include "table.h"

#include <stdlib.h>
#include <string.h>

enum { TABLE_ROWS_FIRST = 16 };

void trp_ecs_table_destroy(struct ecs_table *table)
{
    for (uint32_t i = 0; table->columns != NULL && i < table->column_count; i++) {
        free(table->columns[i].data);
    }
    free(table->columns);
    free(table->column_indexes);
    free(table->edges);
    free(table->entities);
    free(table);
}

struct ecs_table *trp_ecs_table_new(
    const struct ecs_registry *registry, const troupe_ecs_component_t *type, uint32_t count)
{
    struct ecs_table *table = calloc(1, sizeof(*table));
    if (table == NULL) {
        return NULL;
    }
    table->column_count = count;
    table->index_count = count == 0 ? 0 : type[count - 1] + 1;
    table->columns = calloc((size_t)count + 1, sizeof(*table->columns));
    table->column_indexes = calloc((size_t)table->index_count + 1, sizeof(*table->column_indexes));
    if (table->columns == NULL || table->column_indexes == NULL) {
        trp_ecs_table_destroy(table);
        return NULL;
    }
    for (uint32_t i = 0; i < count; i++) {
        table->columns[i].component = type[i];
        table->columns[i].bytes = trp_ecs_component(registry, type[i])->bytes;
        table->column_indexes[type[i]] = (uint16_t)(i + 1);
    }
    return table;
}

/** Grow an array of a table, and have a value that lies in it point to where it is then. @return NULL: no memory. */
static void *table_grow(void *array, size_t old_bytes, size_t bytes, const void **value_p)
{
    // Compared as numbers: once it has grown, the old array must not even be compared with.
    uintptr_t offset = (uintptr_t)*value_p - (uintptr_t)array;
    uint8_t *grown = realloc(array, bytes);
    if (grown != NULL && *value_p != NULL && offset < old_bytes) {
        *value_p = grown + offset;
    }
    return grown;
}

bool trp_ecs_table_reserve(struct ecs_table *table, const void **value_p)
{
    if (TRP_LIKELY(table->count < table->capacity || table->column_count == 0)) {
        return true;
    }
    uint32_t capacity = table->capacity == 0 ? TABLE_ROWS_FIRST : table->capacity * 2;
    for (uint32_t i = 0; i < table->column_count; i++) {
        struct ecs_column *column = &table->columns[i];
        if (column->bytes != 0) {
            uint8_t *data = table_grow(
                column->data,
                (size_t)table->capacity * column->bytes,
                (size_t)capacity * column->bytes,
                value_p);
            if (data == NULL) {
                return false; // the columns that have grown stay larger than their table needs
            }
            column->data = data;
        }
    }
    troupe_ecs_entity_t *entities = table_grow(
        table->entities,
        table->capacity * sizeof(*entities),
        capacity * sizeof(*entities),
        value_p);
    if (entities == NULL) {
        return false;
    }
    table->entities = entities;
    table->capacity = capacity;
    return true;
}

/** Copy one value. Most have one of few sizes, and a call of memcpy() costs more than the copy. */
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

void trp_ecs_table_drop(struct ecs_records *records, struct ecs_table *table, uint32_t row)
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
    records->array[(uint32_t)moved].row = row;
}

/** Copy the components that two tables share from a row to the next free one; set the others to zero. */
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

/** Write a value of the next free row. */
static void table_write(
    const struct ecs_table *table, troupe_ecs_component_t component, const void *value)
{
    const struct ecs_column *column = &table->columns[trp_ecs_column(table, component)];
    if (column->bytes != 0) {
        memcpy(column->data + (size_t)table->count * column->bytes, value, column->bytes);
    }
}

void trp_ecs_table_move(
    struct ecs_records *records,
    troupe_ecs_entity_t entity,
    struct ecs_table *to,
    troupe_ecs_component_t component,
    const void *value)
{
    struct ecs_record *record = &records->array[(uint32_t)entity];
    struct ecs_table *from = record->table;
    uint32_t row = record->row;
    uint32_t to_row = 0;
    if (to->column_count != 0) {
        TRP_DCHECK(to->count < to->capacity);
        table_copy_row(from, row, to);
        if (value != NULL) {
            table_write(to, component, value);
        }
        to_row = to->count++;
        to->entities[to_row] = entity;
    }
    if (from->column_count != 0) {
        trp_ecs_table_drop(records, from, row);
    }
    record->table = to;
    record->row = to_row;
}

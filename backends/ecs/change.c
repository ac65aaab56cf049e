#include "change.h"

#include "base/error.h"
#include "observer.h"

#include <string.h>

/**
 * Make room in the table that an entity is to move to. @p to NULL: there is no memory for that table.
 *
 * @param value_p  A value that may lie in that table; it may point to NULL.
 */
static enum troupe_err change_reserve(
    struct ecs_table *to, troupe_ecs_entity_t entity, const void **value_p)
{
    if (TRP_UNLIKELY(to == NULL || !trp_ecs_table_reserve(to, value_p))) {
        return TRP_EXPLAIN(
            TROUPE_ERR_NOMEM, "no memory to change the components of entity %u", (uint32_t)entity);
    }
    return TROUPE_OK;
}

static void change_write(
    const struct ecs_record *record, troupe_ecs_component_t component, const void *value)
{
    const struct ecs_column *column =
        &record->table->columns[trp_ecs_column(record->table, component)];
    if (column->bytes != 0) {
        // Both may be the same.
        memmove(column->data + (size_t)record->row * column->bytes, value, column->bytes);
    }
}

enum troupe_err trp_ecs_set_now(
    troupe_ecs_t *ecs,
    troupe_ecs_entity_t entity,
    troupe_ecs_component_t component,
    const void *value)
{
    struct ecs_record *record = trp_ecs_record_find(&ecs->records, entity);
    if (record == NULL) {
        return TROUPE_OK;
    }
    bool is_new = trp_ecs_column(record->table, component) < 0;
    if (is_new) {
        struct ecs_table *to =
            trp_ecs_graph_with(&ecs->graph, &ecs->registry, record->table, component);
        enum troupe_err err = change_reserve(to, entity, &value);
        if (TRP_UNLIKELY(err != TROUPE_OK)) {
            return err;
        }
        trp_ecs_table_move(&ecs->records, entity, to, component, value);
        trp_ecs_notify(ecs, entity, component, TROUPE_ECS_ON_ADD);
    } else if (value != NULL) {
        change_write(record, component, value);
    }
    return TROUPE_OK;
}

enum troupe_err trp_ecs_remove_now(
    troupe_ecs_t *ecs, troupe_ecs_entity_t entity, troupe_ecs_component_t component)
{
    const struct ecs_record *record = trp_ecs_record_find(&ecs->records, entity);
    if (record == NULL || trp_ecs_column(record->table, component) < 0) {
        return TROUPE_OK;
    }
    // Room first: observers are notified only of what then happens.
    struct ecs_table *to =
        trp_ecs_graph_without(&ecs->graph, &ecs->registry, record->table, component);
    const void *no_value = NULL;
    enum troupe_err err = change_reserve(to, entity, &no_value);
    if (TRP_UNLIKELY(err != TROUPE_OK)) {
        return err;
    }
    trp_ecs_notify(ecs, entity, component, TROUPE_ECS_ON_REMOVE);
    trp_ecs_table_move(&ecs->records, entity, to, component, NULL);
    return TROUPE_OK;
}

void trp_ecs_delete_now(troupe_ecs_t *ecs, troupe_ecs_entity_t entity)
{
    struct ecs_record *record = trp_ecs_record_find(&ecs->records, entity);
    if (record == NULL) {
        return;
    }
    struct ecs_table *table = record->table;
    for (uint32_t i = 0; i < table->column_count; i++) {
        trp_ecs_notify(ecs, entity, table->columns[i].component, TROUPE_ECS_ON_REMOVE);
    }
    record = trp_ecs_record_find(&ecs->records, entity); // an observer may have moved the records
    TRP_CHECK(record != NULL && record->table == table);
    if (table != ecs->graph.empty) {
        trp_ecs_table_drop(&ecs->records, table, record->row);
    }
    trp_ecs_record_delete(&ecs->records, record);
}

/*
 * Entities: records that are taken and freed, and used again under another generation.
 */
#include "store.h"

enum troupe_err trp_ecs_explain_entity(troupe_ecs_entity_t entity)
{
    return TRP_EXPLAIN(
        TROUPE_ERR_NOENT,
        "there is no entity %u, generation %u: it was deleted; look with troupe_ecs_is_alive()",
        (uint32_t)entity,
        (uint32_t)(entity >> 32));
}

enum troupe_err trp_ecs_make(troupe_ecs_t *ecs, troupe_ecs_entity_t *out_entity)
{
    uint32_t index = 0;
    if (ecs->free_record != 0) {
        index = ecs->free_record - 1;
        ecs->free_record = ecs->records[index].row;
    } else {
        index = ecs->record_count;
        void *records = ecs->records;
        if (index == UINT32_MAX ||
            !trp_ecs_grow(&records, &ecs->record_capacity, index + 1, sizeof(*ecs->records))) {
            return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for one more entity");
        }
        ecs->records = records;
        ecs->record_count++;
        ecs->records[index].generation = 0;
    }
    struct ecs_record *record = &ecs->records[index];
    record->generation++;
    record->table = ecs->empty;
    record->row = 0;
    *out_entity = (troupe_ecs_entity_t)record->generation << 32 | index;
    return TROUPE_OK;
}

enum troupe_err troupe_ecs_new(troupe_ecs_t *ecs, troupe_ecs_entity_t *out_entity)
{
    enum troupe_err err = trp_ecs_check(ecs);
    return err == TROUPE_OK ? trp_ecs_make(ecs, out_entity) : err;
}

bool troupe_ecs_is_alive(const troupe_ecs_t *ecs, troupe_ecs_entity_t entity)
{
    return trp_ecs_check(ecs) == TROUPE_OK && trp_ecs_find(ecs, entity) != NULL;
}

void trp_ecs_delete_now(troupe_ecs_t *ecs, troupe_ecs_entity_t entity)
{
    struct ecs_record *record = trp_ecs_find(ecs, entity);
    if (record == NULL) {
        return;
    }
    struct ecs_table *table = record->table;
    for (uint32_t i = 0; i < table->column_count; i++) {
        trp_ecs_tell(ecs, entity, table->columns[i].component, TROUPE_ECS_ON_REMOVE);
    }
    record = trp_ecs_find(ecs, entity); // an observer may have made entities
    TRP_CHECK(record != NULL && record->table == table);
    if (table != ecs->empty) {
        trp_ecs_table_drop(ecs, table, record->row);
    }
    record->table = NULL;
    if (record->generation == UINT32_MAX) {
        return; // retired, rather than be taken for the next
    }
    record->row = ecs->free_record;
    ecs->free_record = (uint32_t)entity + 1;
}

enum troupe_err troupe_ecs_delete(troupe_ecs_t *ecs, troupe_ecs_entity_t entity)
{
    enum troupe_err err = trp_ecs_check(ecs);
    if (err != TROUPE_OK) {
        return err;
    }
    const struct ecs_record *record = trp_ecs_find(ecs, entity);
    if (record == NULL) {
        return trp_ecs_explain_entity(entity);
    }
    if (trp_ecs_column(record->table, TROUPE_ECS_ACTOR) >= 0) {
        return TRP_EXPLAIN(
            TROUPE_ERR_INVAL,
            "entity %u is an actor, and goes with it: use troupe_stop_actor()",
            (uint32_t)entity);
    }
    if (trp_ecs_defers(ecs)) {
        return trp_ecs_defer(ecs, ECS_COMMAND_DELETE, entity, 0, NULL);
    }
    err = trp_ecs_catch_up(ecs);
    if (err == TROUPE_OK) {
        trp_ecs_delete_now(ecs, entity);
        (void)trp_ecs_apply(ecs); // what observers asked for; without memory for it, it is kept
    }
    return err;
}

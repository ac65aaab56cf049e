/*
 * Changing what entities have: at once where nobody iterates, else deferred.
 */
#include "store.h"

#include <string.h>

/* At once. -------------------------------------------------------------------------------------- */

/** Move an entity to the table with, or without, a component. */
static enum troupe_err change_move(
    troupe_ecs_t *ecs, troupe_ecs_entity_t entity, struct ecs_table *to)
{
    if (TRP_UNLIKELY(to == NULL || !trp_ecs_table_reserve(to))) {
        return TRP_EXPLAIN(
            TROUPE_ERR_NOMEM, "no memory to change the components of entity %u", (uint32_t)entity);
    }
    trp_ecs_table_move(ecs, entity, to);
    return TROUPE_OK;
}

static void change_write(
    const struct ecs_record *record, troupe_ecs_component_t component, const void *value)
{
    const struct ecs_column *column =
        &record->table->columns[trp_ecs_column(record->table, component)];
    if (column->bytes != 0) {
        memcpy(column->data + (size_t)record->row * column->bytes, value, column->bytes);
    }
}

enum troupe_err trp_ecs_set_now(
    troupe_ecs_t *ecs,
    troupe_ecs_entity_t entity,
    troupe_ecs_component_t component,
    const void *value)
{
    struct ecs_record *record = trp_ecs_find(ecs, entity);
    if (record == NULL) {
        return TROUPE_OK; // deleted before its turn came
    }
    bool is_new = trp_ecs_column(record->table, component) < 0;
    if (is_new) {
        enum troupe_err err =
            change_move(ecs, entity, trp_ecs_table_step(ecs, record->table, component, true));
        if (err != TROUPE_OK) {
            return err;
        }
    }
    if (value != NULL) {
        change_write(record, component, value);
    }
    if (is_new) {
        trp_ecs_tell(ecs, entity, component, TROUPE_ECS_ON_ADD);
    }
    return TROUPE_OK;
}

enum troupe_err trp_ecs_remove_now(
    troupe_ecs_t *ecs, troupe_ecs_entity_t entity, troupe_ecs_component_t component)
{
    const struct ecs_record *record = trp_ecs_find(ecs, entity);
    if (record == NULL || trp_ecs_column(record->table, component) < 0) {
        return TROUPE_OK; // deleted or removed before its turn came
    }
    // Room first: observers are told of what does happen.
    struct ecs_table *to = trp_ecs_table_step(ecs, record->table, component, false);
    if (TRP_UNLIKELY(to == NULL || !trp_ecs_table_reserve(to))) {
        return TRP_EXPLAIN(
            TROUPE_ERR_NOMEM, "no memory to change the components of entity %u", (uint32_t)entity);
    }
    trp_ecs_tell(ecs, entity, component, TROUPE_ECS_ON_REMOVE);
    trp_ecs_table_move(ecs, entity, to);
    return TROUPE_OK;
}

/* Asked for. ------------------------------------------------------------------------------------ */

/** Look whether a change can be asked for. */
static enum troupe_err change_check(
    const troupe_ecs_t *ecs, troupe_ecs_entity_t entity, troupe_ecs_component_t component)
{
    enum troupe_err err = trp_ecs_check(ecs);
    if (TRP_UNLIKELY(err != TROUPE_OK)) {
        return err;
    }
    if (TRP_UNLIKELY(!trp_ecs_knows(ecs, component))) {
        return trp_ecs_explain_component(ecs, component);
    }
    if (TRP_UNLIKELY(component == TROUPE_ECS_ACTOR)) {
        return TRP_EXPLAIN(
            TROUPE_ERR_INVAL, "the component 'actor' comes and goes with its actor, not by a call");
    }
    return TRP_LIKELY(trp_ecs_find(ecs, entity) != NULL) ? TROUPE_OK
                                                         : trp_ecs_explain_entity(entity);
}

/** Do a change that was looked at, now or later. */
static enum troupe_err change_set(
    troupe_ecs_t *ecs,
    troupe_ecs_entity_t entity,
    troupe_ecs_component_t component,
    const void *value)
{
    if (trp_ecs_defers(ecs)) {
        return trp_ecs_defer(
            ecs, value != NULL ? ECS_COMMAND_SET : ECS_COMMAND_ADD, entity, component, value);
    }
    enum troupe_err err = trp_ecs_catch_up(ecs);
    if (TRP_LIKELY(err == TROUPE_OK)) {
        err = trp_ecs_set_now(ecs, entity, component, value);
        (void)trp_ecs_catch_up(ecs); // what observers asked for; without memory it is kept
    }
    return err;
}

enum troupe_err troupe_ecs_add(
    troupe_ecs_t *ecs, troupe_ecs_entity_t entity, troupe_ecs_component_t component)
{
    enum troupe_err err = change_check(ecs, entity, component);
    return TRP_LIKELY(err == TROUPE_OK) ? change_set(ecs, entity, component, NULL) : err;
}

/** Say that a size is not the component's. */
static enum troupe_err change_explain_size(const struct ecs_component *component, size_t bytes)
{
    return TRP_EXPLAIN(
        TROUPE_ERR_INVAL,
        "component '%s' has %u bytes, not %zu; is it the struct it was registered with?",
        component->name,
        component->bytes,
        bytes);
}

enum troupe_err troupe_ecs_set(
    troupe_ecs_t *ecs,
    troupe_ecs_entity_t entity,
    troupe_ecs_component_t component,
    const void *value,
    size_t bytes)
{
    enum troupe_err err = change_check(ecs, entity, component);
    if (TRP_LIKELY(err == TROUPE_OK) &&
        TRP_UNLIKELY(bytes != ecs->components[component - 1].bytes)) {
        err = change_explain_size(&ecs->components[component - 1], bytes);
    } else if (TRP_LIKELY(err == TROUPE_OK) && TRP_UNLIKELY(value == NULL && bytes != 0)) {
        err = TRP_EXPLAIN(TROUPE_ERR_INVAL, "no value to set; troupe_ecs_add() adds one of zeros");
    }
    return TRP_LIKELY(err == TROUPE_OK) ? change_set(ecs, entity, component, value) : err;
}

enum troupe_err troupe_ecs_remove(
    troupe_ecs_t *ecs, troupe_ecs_entity_t entity, troupe_ecs_component_t component)
{
    enum troupe_err err = change_check(ecs, entity, component);
    if (TRP_UNLIKELY(err != TROUPE_OK)) {
        return err;
    }
    if (trp_ecs_defers(ecs)) {
        return trp_ecs_defer(ecs, ECS_COMMAND_REMOVE, entity, component, NULL);
    }
    err = trp_ecs_catch_up(ecs);
    if (TRP_UNLIKELY(err != TROUPE_OK)) {
        return err;
    }
    const struct ecs_record *record = trp_ecs_find(ecs, entity);
    if (record == NULL || trp_ecs_column(record->table, component) < 0) {
        return TRP_EXPLAIN(
            TROUPE_ERR_NOENT,
            "entity %u has no component '%s' to remove",
            (uint32_t)entity,
            ecs->components[component - 1].name);
    }
    err = trp_ecs_remove_now(ecs, entity, component);
    (void)trp_ecs_catch_up(ecs); // as above
    return err;
}

/* Looked at. ------------------------------------------------------------------------------------ */

bool troupe_ecs_has(
    const troupe_ecs_t *ecs, troupe_ecs_entity_t entity, troupe_ecs_component_t component)
{
    if (trp_ecs_check(ecs) != TROUPE_OK) {
        return false;
    }
    const struct ecs_record *record = trp_ecs_find(ecs, entity);
    return record != NULL && trp_ecs_column(record->table, component) >= 0;
}

void *troupe_ecs_get(
    troupe_ecs_t *ecs, troupe_ecs_entity_t entity, troupe_ecs_component_t component, size_t bytes)
{
    if (TRP_UNLIKELY(trp_ecs_check(ecs) != TROUPE_OK)) {
        return NULL;
    }
    const struct ecs_record *record = trp_ecs_find(ecs, entity);
    if (TRP_UNLIKELY(record == NULL || !trp_ecs_knows(ecs, component))) {
        (void)(record == NULL ? trp_ecs_explain_entity(entity) : trp_ecs_explain_component(ecs, component));
        return NULL;
    }
    if (TRP_UNLIKELY(bytes != ecs->components[component - 1].bytes)) {
        (void)change_explain_size(&ecs->components[component - 1], bytes);
        return NULL;
    }
    int32_t place = trp_ecs_column(record->table, component);
    if (place < 0) {
        trp_error_set_detail(
            "entity %u has no component '%s'",
            (uint32_t)entity,
            ecs->components[component - 1].name);
        return NULL;
    }
    const struct ecs_column *column = &record->table->columns[place];
    return column->data == NULL ? NULL : column->data + (size_t)record->row * column->bytes;
}

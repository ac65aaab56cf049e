#include "base/error.h"
#include "change.h"
#include "deferred.h"
#include "world.h"

#include <stdlib.h>
#include <string.h>

/* Registering. ---------------------------------------------------------------------------------- */

/** Set the error detail for a size that is not the component's. */
static enum troupe_err component_explain_size(const struct ecs_component *component, size_t bytes)
{
    return TRP_EXPLAIN(
        TROUPE_ERR_INVAL,
        "component '%s' has %u bytes, not %zu; pass the struct it was registered with",
        component->name,
        component->bytes,
        bytes);
}

/** Return the component that is registered under the name and size; another size is an error. */
static enum troupe_err component_again(
    const struct ecs_registry *registry,
    troupe_ecs_component_t id,
    size_t bytes,
    troupe_ecs_component_t *out_component)
{
    const struct ecs_component *component = trp_ecs_component(registry, id);
    if (component->bytes == bytes) {
        *out_component = id;
        return TROUPE_OK;
    }
    return TRP_EXPLAIN(
        TROUPE_ERR_EXISTS,
        "component '%s' has %u bytes already, not %zu; give this one another name",
        component->name,
        component->bytes,
        bytes);
}

enum troupe_err troupe_ecs_component_new(
    troupe_ecs_t *ecs,
    const struct troupe_ecs_component_options *options,
    troupe_ecs_component_t *out_component)
{
    enum troupe_err err = trp_ecs_check(ecs);
    if (err != TROUPE_OK) {
        return err;
    }
    struct ecs_registry *registry = &ecs->registry;
    if (options->bytes > TROUPE_ECS_COMPONENT_BYTES_MAX) {
        return TRP_EXPLAIN(
            TROUPE_ERR_INVAL,
            "a component of %zu bytes is over the limit of %d; store a pointer in it",
            options->bytes,
            TROUPE_ECS_COMPONENT_BYTES_MAX);
    }
    troupe_ecs_component_t known =
        options->name == NULL ? 0 : trp_ecs_registry_find(registry, options->name);
    if (known > TROUPE_ECS_ACTOR) {
        return component_again(registry, known, options->bytes, out_component);
    }
    err = trp_ecs_registry_check_name(registry, options->name, "component");
    if (err == TROUPE_OK && registry->component_count == TROUPE_ECS_COMPONENTS_MAX) {
        err = TRP_EXPLAIN(
            TROUPE_ERR_LIMIT,
            "%d components are registered, the most there can be; no room for '%s'",
            TROUPE_ECS_COMPONENTS_MAX,
            options->name);
    }
    return err == TROUPE_OK
               ? trp_ecs_registry_add(registry, options->name, options->bytes, out_component)
               : err;
}

troupe_ecs_component_t troupe_ecs_component_lookup(const troupe_ecs_t *ecs, const char *name)
{
    return trp_ecs_check(ecs) == TROUPE_OK ? trp_ecs_registry_find(&ecs->registry, name) : 0;
}

/* Changing. ------------------------------------------------------------------------------------- */

/** Check that a component of an entity can be changed. */
static enum troupe_err component_check(
    const troupe_ecs_t *ecs, troupe_ecs_entity_t entity, troupe_ecs_component_t component)
{
    enum troupe_err err = trp_ecs_check(ecs);
    if (TRP_UNLIKELY(err != TROUPE_OK)) {
        return err;
    }
    if (TRP_UNLIKELY(!trp_ecs_is_registered(&ecs->registry, component))) {
        return trp_ecs_explain_component(&ecs->registry, component);
    }
    if (TRP_UNLIKELY(component == TROUPE_ECS_ACTOR)) {
        return TRP_EXPLAIN(
            TROUPE_ERR_INVAL,
            "the component 'actor' is added and removed with its actor, and not by a call");
    }
    return TRP_LIKELY(trp_ecs_record_find(&ecs->records, entity) != NULL)
               ? TROUPE_OK
               : trp_ecs_record_explain(entity);
}

/** Set a component after changes that a lack of memory has left deferred, which may move what @p value points to. */
static enum troupe_err component_set_behind(
    troupe_ecs_t *ecs,
    troupe_ecs_entity_t entity,
    troupe_ecs_component_t component,
    const void *value)
{
    size_t bytes = value != NULL ? trp_ecs_component(&ecs->registry, component)->bytes : 0;
    void *copy = NULL;
    if (bytes != 0) {
        copy = malloc(bytes);
        if (copy == NULL) {
            return TRP_EXPLAIN(
                TROUPE_ERR_NOMEM, "no memory to set a component of entity %u", (uint32_t)entity);
        }
        memcpy(copy, value, bytes);
        value = copy;
    }
    enum troupe_err err = trp_ecs_apply(ecs);
    if (err == TROUPE_OK) {
        err = trp_ecs_set_now(ecs, entity, component, value);
    }
    free(copy);
    return err;
}

/** Add or set a component that was checked, at once or deferred. @p value NULL: add. */
static enum troupe_err component_set(
    troupe_ecs_t *ecs,
    troupe_ecs_entity_t entity,
    troupe_ecs_component_t component,
    const void *value)
{
    if (trp_ecs_defers(ecs)) {
        return trp_ecs_defer(
            ecs, value != NULL ? ECS_COMMAND_SET : ECS_COMMAND_ADD, entity, component, value);
    }
    enum troupe_err err = TRP_LIKELY(!trp_ecs_is_behind(ecs))
                              ? trp_ecs_set_now(ecs, entity, component, value)
                              : component_set_behind(ecs, entity, component, value);
    (void)trp_ecs_catch_up(ecs); // changes that observers made; without memory they stay deferred
    return err;
}

enum troupe_err troupe_ecs_add(
    troupe_ecs_t *ecs, troupe_ecs_entity_t entity, troupe_ecs_component_t component)
{
    enum troupe_err err = component_check(ecs, entity, component);
    return TRP_LIKELY(err == TROUPE_OK) ? component_set(ecs, entity, component, NULL) : err;
}

enum troupe_err troupe_ecs_set(
    troupe_ecs_t *ecs,
    troupe_ecs_entity_t entity,
    troupe_ecs_component_t component,
    const void *value,
    size_t bytes)
{
    enum troupe_err err = component_check(ecs, entity, component);
    if (TRP_UNLIKELY(err != TROUPE_OK)) {
        return err;
    }
    const struct ecs_component *known = trp_ecs_component(&ecs->registry, component);
    if (TRP_UNLIKELY(bytes != known->bytes)) {
        return component_explain_size(known, bytes);
    }
    if (TRP_UNLIKELY(value == NULL && bytes != 0)) {
        return TRP_EXPLAIN(
            TROUPE_ERR_INVAL,
            "there is no value to set; troupe_ecs_add() adds a component of zeros");
    }
    return component_set(ecs, entity, component, value);
}

enum troupe_err troupe_ecs_remove(
    troupe_ecs_t *ecs, troupe_ecs_entity_t entity, troupe_ecs_component_t component)
{
    enum troupe_err err = component_check(ecs, entity, component);
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
    const struct ecs_record *record = trp_ecs_record_find(&ecs->records, entity);
    if (record == NULL || trp_ecs_column(record->table, component) < 0) {
        return TRP_EXPLAIN(
            TROUPE_ERR_NOENT,
            "entity %u has no component '%s' to remove",
            (uint32_t)entity,
            trp_ecs_component(&ecs->registry, component)->name);
    }
    err = trp_ecs_remove_now(ecs, entity, component);
    (void)trp_ecs_catch_up(ecs); // as in component_set()
    return err;
}

/* Reading. -------------------------------------------------------------------------------------- */

bool troupe_ecs_has(
    const troupe_ecs_t *ecs, troupe_ecs_entity_t entity, troupe_ecs_component_t component)
{
    if (trp_ecs_check(ecs) != TROUPE_OK) {
        return false;
    }
    const struct ecs_record *record = trp_ecs_record_find(&ecs->records, entity);
    return record != NULL && trp_ecs_column(record->table, component) >= 0;
}

void *troupe_ecs_get(
    troupe_ecs_t *ecs, troupe_ecs_entity_t entity, troupe_ecs_component_t component, size_t bytes)
{
    if (TRP_UNLIKELY(trp_ecs_check(ecs) != TROUPE_OK)) {
        return NULL;
    }
    const struct ecs_record *record = trp_ecs_record_find(&ecs->records, entity);
    if (TRP_UNLIKELY(record == NULL)) {
        (void)trp_ecs_record_explain(entity);
        return NULL;
    }
    if (TRP_UNLIKELY(!trp_ecs_is_registered(&ecs->registry, component))) {
        (void)trp_ecs_explain_component(&ecs->registry, component);
        return NULL;
    }
    const struct ecs_component *known = trp_ecs_component(&ecs->registry, component);
    if (TRP_UNLIKELY(bytes != known->bytes)) {
        (void)component_explain_size(known, bytes);
        return NULL;
    }
    int32_t index = trp_ecs_column(record->table, component);
    if (index < 0) {
        trp_error_set_detail("entity %u has no component '%s'", (uint32_t)entity, known->name);
        return NULL;
    }
    const struct ecs_column *column = &record->table->columns[index];
    return column->data == NULL ? NULL : column->data + (size_t)record->row * column->bytes;
}

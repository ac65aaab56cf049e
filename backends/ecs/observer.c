#include "observer.h"

#include "base/error.h"
#include "iter.h"

#include <stdlib.h>

/** An observer of one component. */
struct ecs_observer {
    struct ecs_observer *next;
    troupe_ecs_observer_t id;
    uint32_t events;
    troupe_ecs_iter_fn *callback; // NULL: it was deleted while observers ran
    void *data;
};

/* Calling. -------------------------------------------------------------------------------------- */

static void observer_call(
    troupe_ecs_t *ecs,
    const struct ecs_observer *observer,
    troupe_ecs_entity_t entity,
    troupe_ecs_component_t component,
    enum troupe_ecs_event event)
{
    // Found again for each observer: the one before may have moved the records, though not the row.
    const struct ecs_record *record = trp_ecs_record_find(&ecs->records, entity);
    TRP_CHECK(record != NULL);
    const struct ecs_match match = {
        .table = record->table,
        .first_row = record->row,
        .column_count = 1,
        .columns = {(int16_t)trp_ecs_column(record->table, component)},
    };
    struct troupe_ecs_iter it = {
        .ecs = ecs,
        .ctx = trp_ecs_context(ecs),
        .entities = &entity,
        .count = 1,
        .component = component,
        .event = event,
        .data = observer->data,
    };
    trp_ecs_cursor_write(&it, (struct ecs_cursor){.match = &match});
    observer->callback(&it);
}

void trp_ecs_observers_call(
    troupe_ecs_t *ecs,
    troupe_ecs_entity_t entity,
    troupe_ecs_component_t component,
    enum troupe_ecs_event event)
{
    // An observer that another one makes meanwhile is appended, and called for this event, too.
    ecs->defer.observer_depth++;
    const struct ecs_observer *observer = trp_ecs_component(&ecs->registry, component)->observers;
    for (; observer != NULL; observer = observer->next) {
        if (observer->callback != NULL && (observer->events & event) != 0) {
            observer_call(ecs, observer, entity, component, event);
        }
    }
    ecs->defer.observer_depth--;
}

/* Making and deleting. -------------------------------------------------------------------------- */

static struct ecs_observer **observer_end(struct ecs_observer **at)
{
    while (*at != NULL) {
        at = &(*at)->next;
    }
    return at;
}

static enum troupe_err observer_check(
    const troupe_ecs_t *ecs, const struct troupe_ecs_observer_options *options)
{
    enum troupe_err err = trp_ecs_check(ecs);
    if (err != TROUPE_OK) {
        return err;
    }
    if (!trp_ecs_is_registered(&ecs->registry, options->component)) {
        return trp_ecs_explain_component(&ecs->registry, options->component);
    }
    const uint32_t all = TROUPE_ECS_ON_ADD | TROUPE_ECS_ON_REMOVE;
    if (options->callback == NULL || options->events == 0 || (options->events & ~all) != 0) {
        return TRP_EXPLAIN(
            TROUPE_ERR_INVAL,
            "an observer of '%s' needs a callback, and TROUPE_ECS_ON_ADD or TROUPE_ECS_ON_REMOVE",
            trp_ecs_component(&ecs->registry, options->component)->name);
    }
    return TROUPE_OK;
}

enum troupe_err troupe_ecs_observer_new(
    troupe_ecs_t *ecs,
    const struct troupe_ecs_observer_options *options,
    troupe_ecs_observer_t *out_observer)
{
    enum troupe_err err = observer_check(ecs, options);
    if (err != TROUPE_OK) {
        return err;
    }
    struct ecs_observer *observer = malloc(sizeof(*observer));
    if (observer == NULL) {
        return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for an observer");
    }
    *observer = (struct ecs_observer){
        .id = ++ecs->observer_last_id,
        .events = options->events,
        .callback = options->callback,
        .data = options->data,
    };
    struct ecs_component *component = trp_ecs_component(&ecs->registry, options->component);
    *observer_end(&component->observers) = observer;
    component->observed |= options->events;
    if (out_observer != NULL) {
        *out_observer = observer->id;
    }
    return TROUPE_OK;
}

/** Free the deleted observers of a component, and note which events the others want. */
static void observer_sweep(struct ecs_component *component)
{
    component->observed = 0;
    for (struct ecs_observer **at = &component->observers; *at != NULL;) {
        struct ecs_observer *observer = *at;
        if (observer->callback != NULL) {
            component->observed |= observer->events;
            at = &observer->next;
        } else {
            *at = observer->next;
            free(observer);
        }
    }
}

/** @return the observer of a component that has that id; NULL: there is none. */
static struct ecs_observer *observer_find(
    const struct ecs_component *component, troupe_ecs_observer_t id)
{
    struct ecs_observer *observer = component->observers;
    while (observer != NULL && (observer->id != id || observer->callback == NULL)) {
        observer = observer->next;
    }
    return observer;
}

enum troupe_err troupe_ecs_observer_delete(troupe_ecs_t *ecs, troupe_ecs_observer_t id)
{
    enum troupe_err err = trp_ecs_check(ecs);
    if (err != TROUPE_OK) {
        return err;
    }
    for (uint32_t i = 0; i < ecs->registry.component_count; i++) {
        struct ecs_component *component = &ecs->registry.components[i];
        struct ecs_observer *observer = observer_find(component, id);
        if (observer != NULL) {
            observer->callback = NULL;
            if (ecs->defer.observer_depth == 0) { // else its list is in use; a later sweep frees it
                observer_sweep(component);
            }
            return TROUPE_OK;
        }
    }
    return TRP_EXPLAIN(
        TROUPE_ERR_NOENT, "there is no observer %u: it was deleted, or never made", id);
}

void trp_ecs_observers_fini(troupe_ecs_t *ecs)
{
    for (uint32_t i = 0; i < ecs->registry.component_count; i++) {
        struct ecs_component *component = &ecs->registry.components[i];
        for (struct ecs_observer *at = component->observers; at != NULL; at = at->next) {
            at->callback = NULL;
        }
        observer_sweep(component);
    }
}

/*
 * Observers: told in the moment when a component is added or removed. What they change is deferred until
 * they have returned.
 */
#include "store.h"

#include <stdlib.h>

void trp_ecs_tell_all(
    troupe_ecs_t *ecs,
    troupe_ecs_entity_t entity,
    troupe_ecs_component_t component,
    enum troupe_ecs_event event)
{
    // One that is made meanwhile is the last, and hears of this, too, if its list is not at its end yet.
    ecs->told_depth++;
    for (const struct ecs_observer *observer = ecs->components[component - 1].observers;
         observer != NULL;
         observer = observer->next) {
        if (observer->callback == NULL || (observer->events & event) == 0) {
            continue;
        }
        // Each time anew: what an observer did may have moved the records, though not the row.
        const struct ecs_record *record = trp_ecs_find(ecs, entity);
        TRP_CHECK(record != NULL);
        const int16_t place = (int16_t)trp_ecs_column(record->table, component);
        struct troupe_ecs_iter it = {
            .ecs = ecs,
            .ctx = ecs->host->context(ecs->executor),
            .entities = &entity,
            .count = 1,
            .component = component,
            .event = event,
            .data = observer->data,
            .table = record->table,
            .columns = &place,
            .column_count = 1,
            .first = record->row,
        };
        observer->callback(&it);
    }
    ecs->told_depth--;
}

static struct ecs_observer **observer_end(struct ecs_observer **at)
{
    while (*at != NULL) {
        at = &(*at)->next;
    }
    return at;
}

enum troupe_err troupe_ecs_observer_new(
    troupe_ecs_t *ecs,
    const struct troupe_ecs_observer_options *options,
    troupe_ecs_observer_t *out_observer)
{
    enum troupe_err err = trp_ecs_check(ecs);
    if (err != TROUPE_OK) {
        return err;
    }
    if (!trp_ecs_knows(ecs, options->component)) {
        return trp_ecs_explain_component(ecs, options->component);
    }
    const uint32_t all = TROUPE_ECS_ON_ADD | TROUPE_ECS_ON_REMOVE;
    if (options->callback == NULL || options->events == 0 || (options->events & ~all) != 0) {
        return TRP_EXPLAIN(
            TROUPE_ERR_INVAL,
            "an observer of '%s' needs a callback, and TROUPE_ECS_ON_ADD or TROUPE_ECS_ON_REMOVE",
            ecs->components[options->component - 1].name);
    }
    struct ecs_observer *observer = malloc(sizeof(*observer));
    if (observer == NULL) {
        return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for an observer");
    }
    *observer = (struct ecs_observer){
        .id = ++ecs->observer_last,
        .events = options->events,
        .callback = options->callback,
        .data = options->data,
    };
    struct ecs_component *component = &ecs->components[options->component - 1];
    *observer_end(&component->observers) = observer;
    component->observed |= options->events;
    if (out_observer != NULL) {
        *out_observer = observer->id;
    }
    return TROUPE_OK;
}

/** Free the observers of a component that were removed, and note what the others want. */
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

enum troupe_err troupe_ecs_observer_delete(troupe_ecs_t *ecs, troupe_ecs_observer_t observer)
{
    enum troupe_err err = trp_ecs_check(ecs);
    if (err != TROUPE_OK) {
        return err;
    }
    for (uint32_t i = 0; i < ecs->component_count; i++) {
        struct ecs_component *component = &ecs->components[i];
        struct ecs_observer *at = component->observers;
        while (at != NULL && (at->id != observer || at->callback == NULL)) {
            at = at->next;
        }
        if (at != NULL) {
            at->callback = NULL;
            if (ecs->told_depth == 0) { // else its list is being walked; the next removal sweeps
                observer_sweep(component);
            }
            return TROUPE_OK;
        }
    }
    return TRP_EXPLAIN(TROUPE_ERR_NOENT, "there is no observer %u", observer);
}

void trp_ecs_observers_fini(struct ecs_component *component)
{
    for (struct ecs_observer *at = component->observers; at != NULL; at = at->next) {
        at->callback = NULL;
    }
    observer_sweep(component);
}

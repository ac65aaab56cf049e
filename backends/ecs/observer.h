/**
 * @file observer.h
 * @brief Calling the observers of a component.
 */
#ifndef TRP_ECS_OBSERVER_H
#define TRP_ECS_OBSERVER_H

#include "world.h"

/** Call each observer of a component's event. */
void trp_ecs_observers_call(
    troupe_ecs_t *ecs,
    troupe_ecs_entity_t entity,
    troupe_ecs_component_t component,
    enum troupe_ecs_event event);

/** Notify the observers of a component's event, if there are any. */
static inline void trp_ecs_notify(
    troupe_ecs_t *ecs,
    troupe_ecs_entity_t entity,
    troupe_ecs_component_t component,
    enum troupe_ecs_event event)
{
    if (TRP_UNLIKELY((trp_ecs_component(&ecs->registry, component)->observed & event) != 0)) {
        trp_ecs_observers_call(ecs, entity, component, event);
    }
}

/** Free all observers. */
void trp_ecs_observers_fini(troupe_ecs_t *ecs);

#endif

/**
 * @file change.h
 * @brief Changes of an entity that are applied at once, and the observers that they notify.
 *
 * For the time when nothing is iterated. The entity may be deleted already: then nothing happens.
 */
#ifndef TRP_ECS_CHANGE_H
#define TRP_ECS_CHANGE_H

#include "world.h"

/** Add or set a component. @p value NULL: add; it may be another entity's. @return TROUPE_OK, or TROUPE_ERR_NOMEM: nothing changed. */
enum troupe_err trp_ecs_set_now(
    troupe_ecs_t *ecs,
    troupe_ecs_entity_t entity,
    troupe_ecs_component_t component,
    const void *value);

/** Remove a component, if the entity has it. @return TROUPE_OK, or TROUPE_ERR_NOMEM: nothing changed. */
enum troupe_err trp_ecs_remove_now(
    troupe_ecs_t *ecs, troupe_ecs_entity_t entity, troupe_ecs_component_t component);

/** Delete an entity. */
void trp_ecs_delete_now(troupe_ecs_t *ecs, troupe_ecs_entity_t entity);

#endif

/**
 * @file deferred.h
 * @brief Changes that are deferred, and applied in order when nothing is iterated any more.
 *
 * Rows move with each change of an entity's components. So nothing changes while there is an open iteration,
 * a running observer, or a user who asked for that.
 */
#ifndef TRP_ECS_DEFERRED_H
#define TRP_ECS_DEFERRED_H

#include "world.h"

/** @return whether changes have to be deferred now. */
static inline bool trp_ecs_defers(const troupe_ecs_t *ecs)
{
    const struct ecs_defer *defer = &ecs->defer;
    return (defer->begin_count | defer->iter_count | defer->observer_depth) != 0;
}

/** Defer a change. @p value is that of ECS_COMMAND_SET. @return TROUPE_OK, or TROUPE_ERR_NOMEM. */
enum troupe_err trp_ecs_defer(
    troupe_ecs_t *ecs,
    enum ecs_command_kind kind,
    troupe_ecs_entity_t entity,
    troupe_ecs_component_t component,
    const void *value);

/**
 * Apply the deferred changes, unless changes have to be deferred still.
 *
 * @return TROUPE_OK, or TROUPE_ERR_NOMEM: what is left stays deferred, in its order.
 */
enum troupe_err trp_ecs_apply(troupe_ecs_t *ecs);

/** @return whether a lack of memory has left changes deferred. */
static inline bool trp_ecs_is_behind(const troupe_ecs_t *ecs)
{
    return ecs->defer.queue.used_bytes != 0;
}

/** Apply what a lack of memory has left deferred: it goes before a change that is made at once. */
static inline enum troupe_err trp_ecs_catch_up(troupe_ecs_t *ecs)
{
    return TRP_LIKELY(!trp_ecs_is_behind(ecs)) ? TROUPE_OK : trp_ecs_apply(ecs);
}

#endif

/**
 * @file troupe/ecs_world.h
 * @brief The world, its entities and components; see troupe/ecs.h for what holds for every function.
 */
#ifndef TROUPE_ECS_WORLD_H
#define TROUPE_ECS_WORLD_H

#include "troupe/behaviour.h"
#include "troupe/error.h"
#include "troupe/export.h"
#include "troupe/ref.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The world: entities, components, queries, systems and observers. */
typedef struct troupe_ecs troupe_ecs_t;

/**
 * An entity: an index in the lower 32 bits, and in the upper 32 bits a generation, which is another one each
 * time the index is used again. So the id of a deleted entity never becomes that of another. 0: none.
 */
typedef uint64_t troupe_ecs_entity_t;

/** A component. 0: none. */
typedef uint32_t troupe_ecs_component_t;

/**
 * The component of entities that are actors; its value is the actor's #troupe_ref_t. It is added and removed
 * with the actor, and never by a call.
 */
#define TROUPE_ECS_ACTOR ((troupe_ecs_component_t)1)

/** Largest number of components in a world, with ::TROUPE_ECS_ACTOR. */
#define TROUPE_ECS_COMPONENTS_MAX 4096

/** Largest size of a component, in bytes. */
#define TROUPE_ECS_COMPONENT_BYTES_MAX 65536

/* The world. ----------------------------------------------------------------------------------- */

/**
 * Get the world that a context runs in. It is made when it is first asked for.
 *
 * @param ctx  Of an actor, a system or an observer; or of the main program, by troupe_system_context().
 * @return     the world; NULL on a thread, in another process or in a port, when the world has ended, or when
 *             there is no memory for it. troupe_error_detail() says which.
 *
 * @owns The system owns it, until troupe_system_destroy().
 */
TROUPE_API troupe_ecs_t *troupe_ecs_world(troupe_context_t *ctx);

/* Entities. ------------------------------------------------------------------------------------ */

/**
 * Make an entity without components. It is never deferred.
 *
 * @param out_entity  Receives the entity.
 *
 * @retval TROUPE_OK         *out_entity is set.
 * @retval TROUPE_ERR_NOMEM  no memory for another entity.
 *
 * @source flecs, ecs_new().
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_ecs_new(
    troupe_ecs_t *ecs, troupe_ecs_entity_t *out_entity);

/**
 * Delete an entity and its components. Observers run for each component before it is removed. May be deferred.
 *
 * @retval TROUPE_OK         The entity is deleted, or will be.
 * @retval TROUPE_ERR_NOENT  it is deleted already.
 * @retval TROUPE_ERR_INVAL  it is an actor, or becomes one when changes are applied: stop that, and its entity is deleted when it exits.
 * @retval TROUPE_ERR_NOMEM  no memory to defer it.
 *
 * @source flecs, ecs_delete().
 */
TROUPE_API enum troupe_err troupe_ecs_delete(troupe_ecs_t *ecs, troupe_ecs_entity_t entity);

/**
 * Check whether an entity exists.
 *
 * @return whether it was made, and is not deleted.
 *
 * @source flecs, ecs_is_alive().
 */
TROUPE_API bool troupe_ecs_is_alive(const troupe_ecs_t *ecs, troupe_ecs_entity_t entity);

/**
 * Get the entity of the running actor. It is made when it is first asked for.
 *
 * The entity exists until the actor's `fini` has run. Then it is deleted, and observers of its components run.
 *
 * @return the entity; 0 when no actor runs, when it is not in the world, or when there is no memory.
 *         troupe_error_detail() says which.
 */
TROUPE_API troupe_ecs_entity_t troupe_ecs_self(troupe_context_t *ctx);

/**
 * Get the entity of an actor of the world. It is made when it is first asked for.
 *
 * @param actor       The actor.
 * @param out_entity  Receives its entity.
 *
 * @retval TROUPE_OK         *out_entity is set.
 * @retval TROUPE_ERR_NOENT  the actor is not in the world: it lives elsewhere, has exited, or its start has
 *                           not yet arrived from another executor.
 * @retval TROUPE_ERR_NOMEM  no memory for another entity.
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_ecs_entity_of(
    troupe_ecs_t *ecs, troupe_ref_t actor, troupe_ecs_entity_t *out_entity);

/**
 * Get the actor that an entity is.
 *
 * @return the actor; ::TROUPE_REF_NONE when the entity is none, or is deleted.
 */
TROUPE_API troupe_ref_t troupe_ecs_actor_of(const troupe_ecs_t *ecs, troupe_ecs_entity_t entity);

/* Components. ---------------------------------------------------------------------------------- */

/** A component to register. Zero-initialise, then set what you need. */
struct troupe_ecs_component_options {
    /** Name, unique among the components and systems of the world. Required, copied. */
    const char *name;

    /**
     * Size in bytes, 0 ..= ::TROUPE_ECS_COMPONENT_BYTES_MAX; 0: a tag. Components are moved by copying their
     * bytes. The arrays they are stored in are aligned to 16 bytes.
     */
    size_t bytes;
};

/**
 * Register a component. One with the same name and size is found again, so each actor may do it in its `init`.
 * A component stays until the world ends.
 *
 * @param options        Its name and size.
 * @param out_component  Receives the component.
 *
 * @retval TROUPE_OK          *out_component is set.
 * @retval TROUPE_ERR_EXISTS  the name is that of a component of another size, or of a system.
 * @retval TROUPE_ERR_INVAL   the name is missing, or the size is over the limit.
 * @retval TROUPE_ERR_LIMIT   ::TROUPE_ECS_COMPONENTS_MAX are registered.
 * @retval TROUPE_ERR_NOMEM   no memory for it.
 *
 * @source flecs, ecs_component_init().
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_ecs_component_new(
    troupe_ecs_t *ecs,
    const struct troupe_ecs_component_options *options,
    troupe_ecs_component_t *out_component);

/**
 * Find a component by its name.
 *
 * @return the component; 0 when there is none of that name.
 *
 * @source flecs, ecs_lookup().
 */
TROUPE_API troupe_ecs_component_t
troupe_ecs_component_lookup(const troupe_ecs_t *ecs, const char *name);

/**
 * Add a component of zeros to an entity. Does nothing when the entity has it. May be deferred.
 *
 * @retval TROUPE_OK         The entity has the component, or will have it.
 * @retval TROUPE_ERR_NOENT  the entity is deleted.
 * @retval TROUPE_ERR_INVAL  the component is not registered, or is ::TROUPE_ECS_ACTOR.
 * @retval TROUPE_ERR_NOMEM  no memory for it, or to defer it.
 *
 * @source flecs, ecs_add_id().
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_ecs_add(
    troupe_ecs_t *ecs, troupe_ecs_entity_t entity, troupe_ecs_component_t component);

/**
 * Remove a component from an entity. Observers run before it is removed. May be deferred, and is then skipped
 * when the entity does not have it.
 *
 * @retval TROUPE_OK         The entity does not have the component any more, or will not.
 * @retval TROUPE_ERR_NOENT  the entity is deleted, or does not have the component.
 * @retval TROUPE_ERR_INVAL  the component is not registered, or is ::TROUPE_ECS_ACTOR.
 * @retval TROUPE_ERR_NOMEM  no memory for the table without it, or to defer it.
 *
 * @source flecs, ecs_remove_id().
 */
TROUPE_API enum troupe_err troupe_ecs_remove(
    troupe_ecs_t *ecs, troupe_ecs_entity_t entity, troupe_ecs_component_t component);

/**
 * Check whether an entity has a component.
 *
 * @return whether it does; false when the entity is deleted, or the component is not registered.
 *
 * @source flecs, ecs_has_id().
 */
TROUPE_API bool troupe_ecs_has(
    const troupe_ecs_t *ecs, troupe_ecs_entity_t entity, troupe_ecs_component_t component);

/**
 * Set the value of a component, and add the component if the entity does not have it. May be deferred.
 *
 * Observers of ::TROUPE_ECS_ON_ADD run when the component is added, and see the value.
 *
 * @param value  The value, copied before anything moves, so it may be what troupe_ecs_get() returned; NULL only for
 *               a tag.
 * @param bytes  Size of @p value: the component's.
 *
 * @retval TROUPE_OK         The entity has the value, or will have it.
 * @retval TROUPE_ERR_NOENT  the entity is deleted.
 * @retval TROUPE_ERR_INVAL  the component is not registered, is ::TROUPE_ECS_ACTOR, or has another size; or
 *                           there is no value.
 * @retval TROUPE_ERR_NOMEM  no memory for it, or to defer it.
 *
 * @source flecs, ecs_set_id().
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_ecs_set(
    troupe_ecs_t *ecs,
    troupe_ecs_entity_t entity,
    troupe_ecs_component_t component,
    const void *value,
    size_t bytes);

/** Set a component to the struct that @p value points to; as troupe_ecs_set(). */
#define TROUPE_ECS_SET(ecs, entity, component, value) \
    troupe_ecs_set((ecs), (entity), (component), (value), sizeof(*(value)))

/**
 * Get the value of a component, to read and to write.
 *
 * @param bytes  Size of the component.
 * @return       the value; NULL when the entity does not have the component, when that is a tag, or when
 *               @p bytes is not its size. troupe_error_detail() says which, but for a tag.
 *
 * @owns   The world owns it. It is valid until something is added, set, removed or deleted.
 * @source flecs, ecs_get_mut_id().
 */
TROUPE_API void *troupe_ecs_get(
    troupe_ecs_t *ecs, troupe_ecs_entity_t entity, troupe_ecs_component_t component, size_t bytes);

/** Get a component as a pointer to @p type; as troupe_ecs_get(). */
#define TROUPE_ECS_GET(ecs, entity, component, type) \
    ((type *)troupe_ecs_get((ecs), (entity), (component), sizeof(type)))

/* Deferred changes. ---------------------------------------------------------------------------- */

/**
 * Defer changes until troupe_ecs_defer_end(). Such pairs may be nested.
 *
 * @retval TROUPE_OK  Changes are deferred from now on.
 *
 * @source flecs, ecs_defer_begin().
 */
TROUPE_API enum troupe_err troupe_ecs_defer_begin(troupe_ecs_t *ecs);

/**
 * End what the last troupe_ecs_defer_begin() began, and apply the deferred changes if nothing else defers
 * them.
 *
 * A change of an entity that was deleted in the meantime is skipped.
 *
 * @retval TROUPE_OK         The changes are applied, or still deferred by something else.
 * @retval TROUPE_ERR_INVAL  troupe_ecs_defer_begin() was not called before.
 * @retval TROUPE_ERR_NOMEM  no memory to apply a change. It and those behind it stay deferred, and are applied
 *                           before any later change, or at the next tick.
 *
 * @source flecs, ecs_defer_end().
 */
TROUPE_API enum troupe_err troupe_ecs_defer_end(troupe_ecs_t *ecs);

#endif

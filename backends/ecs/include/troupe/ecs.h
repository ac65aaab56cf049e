/**
 * @file troupe/ecs.h
 * @brief An entity-component-system world for the actors of the backend `ecs`, and for entities of your own.
 *
 *     entity      an id that has components: a plain entity, or an actor of the world
 *     component   a struct that an entity has or does not have; a component without bytes is a tag
 *     table       all entities with the same set of components, which are stored in plain arrays
 *     query       a list of terms, and the tables that match it
 *     system      a callback that runs over a query, once a tick, in a phase
 *     tick        one run of all systems, phase by phase, before messages are delivered
 *     observer    a callback that runs when a component is added or removed
 *
 * | Header | Has |
 * | --- | --- |
 * | troupe/ecs_world.h  | the world, entities, components, deferred changes |
 * | troupe/ecs_query.h  | queries and iterators |
 * | troupe/ecs_system.h | systems, ticks, observers |
 *
 * Terms and functions are those of flecs (https://www.flecs.dev) where flecs has an equivalent.
 *
 * A process has one world: the actors of the backend `ecs` live in it. An actor on a thread or in another
 * process has none: troupe_ecs_world() returns NULL there. Every function accepts that NULL, so one actor runs
 * in both places.
 *
 * The following holds for every function, unless its description says otherwise:
 *
 * - Threads: only the thread that made the system may call it. Every build checks that.
 * - Blocks: never.
 * - Ownership: arguments are copied.
 * - Errors: troupe_error_detail() says what is wrong and what to do. On an error nothing has changed, and out
 *   parameters keep their values. Each function can return, beyond those it lists, ::TROUPE_ERR_UNSUPPORTED
 *   where the world is NULL, and ::TROUPE_ERR_THREAD on another thread. A function that returns no
 *   enum troupe_err returns 0, NULL, false or ::TROUPE_REF_NONE then.
 * - Ids of entities, components, systems and observers are made by `_new` and deleted by `_delete`; a pointer
 *   is made by `_new` and freed by `_destroy`, which sets it to NULL.
 *
 * Nothing moves while entities are iterated. What a system, an observer or a loop over a query adds, sets,
 * removes or deletes is deferred until it is over, and is then applied in order.
 */
#ifndef TROUPE_ECS_H
#define TROUPE_ECS_H

#include "troupe/ecs_query.h"
#include "troupe/ecs_system.h"
#include "troupe/ecs_world.h"

#endif

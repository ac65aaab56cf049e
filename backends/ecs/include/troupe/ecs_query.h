/**
 * @file troupe/ecs_query.h
 * @brief Queries and iterators over entities; see troupe/ecs.h for what holds for every function.
 */
#ifndef TROUPE_ECS_QUERY_H
#define TROUPE_ECS_QUERY_H

#include "troupe/behaviour.h"
#include "troupe/ecs_world.h"
#include "troupe/error.h"
#include "troupe/export.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** A query: a list of terms, and the tables that match it. */
typedef struct troupe_ecs_query troupe_ecs_query_t;

/** A system. 0: none. A number is never used again. */
typedef uint32_t troupe_ecs_system_t;

/** Largest number of terms in a query. */
#define TROUPE_ECS_TERMS_MAX 16

/* Terms. --------------------------------------------------------------------------------------- */

/** What a term requires of an entity. */
enum troupe_ecs_oper {
    TROUPE_ECS_AND = 0,      /**< It has the component. */
    TROUPE_ECS_NOT = 1,      /**< It does not have the component. */
    TROUPE_ECS_OPTIONAL = 2, /**< Either; the field is NULL where it does not have the component. */
};

/** A term of a query. */
struct troupe_ecs_term {
    troupe_ecs_component_t component; /**< The component. 0 ends a list of terms. */
    enum troupe_ecs_oper oper;        /**< What is required of it. */
};

/* Iterators. ----------------------------------------------------------------------------------- */

/** What happened to the component of an observer. Or-ed, what an observer is called for. */
enum troupe_ecs_event {
    TROUPE_ECS_ON_ADD = 1,    /**< It was added. Its value is that of troupe_ecs_set(), or zero. */
    TROUPE_ECS_ON_REMOVE = 2, /**< It is about to be removed, maybe with its entity or the world. */
};

/** Entities of one table, as a loop over a query, a system or an observer gets them. */
struct troupe_ecs_iter {
    troupe_ecs_t *ecs; /**< The world. */

    /**
     * Context to send, spawn, read the time and so on. In a system it is like that of the main program: its
     * messages have no sender, so a reply to one returns ::TROUPE_ERR_NOENT, and it cannot ask. In a callback
     * of an actor it is the actor's.
     */
    troupe_context_t *ctx;

    const troupe_ecs_entity_t *entities; /**< The entities: as many as @ref count. */
    uint32_t count;                      /**< How many; 0 in a system without terms. */
    troupe_ecs_component_t component;    /**< In an observer: the component. Else 0. */
    enum troupe_ecs_event event;         /**< In an observer: what happened to it. Else 0. */
    troupe_ecs_system_t system;          /**< In a system: that system. Else 0. */
    uint64_t delta_ns;                   /**< In a system: nanoseconds since it ran last. Else 0. */
    float delta_time;                    /**< @ref delta_ns in seconds. */
    void *data;                          /**< `data` of the system's or observer's options. */
    uint64_t opaque[4];                  /**< The library's own; neither read nor write it. */
};

/** A callback that gets entities of one table. */
typedef void troupe_ecs_iter_fn(struct troupe_ecs_iter *it);

/* Queries. ------------------------------------------------------------------------------------- */

/**
 * Make a query. It keeps a list of the tables that match it, so make it once and iterate it often.
 *
 * @param terms      The terms, ended by component 0: 1 ..= ::TROUPE_ECS_TERMS_MAX, one of them with
 *                   ::TROUPE_ECS_AND.
 * @param out_query  Receives the query.
 *
 * @retval TROUPE_OK         *out_query is set.
 * @retval TROUPE_ERR_INVAL  a component is not registered, there are too many terms, or none with
 *                           ::TROUPE_ECS_AND.
 * @retval TROUPE_ERR_NOMEM  no memory for it.
 *
 * @owns   The caller owns *out_query, until troupe_ecs_query_destroy() or the end of the system.
 * @source flecs, ecs_query_init().
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_ecs_query_new(
    troupe_ecs_t *ecs, const struct troupe_ecs_term *terms, troupe_ecs_query_t **out_query);

/**
 * Free a query and set *query_p to NULL. Does nothing when *query_p is NULL.
 *
 * @retval TROUPE_OK         The query is freed.
 * @retval TROUPE_ERR_INVAL  it is being iterated; *query_p is unchanged.
 *
 * @owns   Takes *query_p on ::TROUPE_OK only.
 * @source flecs, ecs_query_fini().
 */
TROUPE_API enum troupe_err troupe_ecs_query_destroy(troupe_ecs_query_t **query_p);

/**
 * Make an iterator over a query.
 *
 *     struct troupe_ecs_iter it = troupe_ecs_query_iter(query);
 *     while (troupe_ecs_query_next(&it)) {
 *         struct position *p = TROUPE_ECS_FIELD(&it, struct position, 0);
 *         for (uint32_t i = 0; i < it.count; i++) { ... p[i] ... }
 *     }
 *
 * @param query  The query. NULL: the iterator is at its end.
 * @return       the iterator, before its first table. It needs no memory.
 *
 * @source flecs, ecs_query_iter().
 */
TROUPE_API struct troupe_ecs_iter troupe_ecs_query_iter(troupe_ecs_query_t *query);

/**
 * Advance an iterator to the next table that has entities.
 *
 * From the first table on changes are deferred, until this returns false or troupe_ecs_iter_fini() is called.
 * The next tick ends an iteration that was left open; then this returns false.
 *
 * @return whether there is such a table; false on another thread, too.
 *
 * @source flecs, ecs_query_next().
 */
TROUPE_API bool troupe_ecs_query_next(struct troupe_ecs_iter *it);

/**
 * End an iteration before its last table. Does nothing when it is at its end.
 *
 * @source flecs, ecs_iter_fini().
 */
TROUPE_API void troupe_ecs_iter_fini(struct troupe_ecs_iter *it);

/**
 * Get the components that a term of a query names.
 *
 * @param bytes  Size of the component.
 * @param index  Index of the term, from 0; in an observer 0.
 * @return       an array of the components, one for each entity of @p it, in their order; NULL for a tag, when
 *               these entities do not have the component, or when @p bytes is not its size.
 *               troupe_error_detail() says which, but for a tag.
 *
 * @owns   The world owns it. It is valid until the iterator advances, or the callback returns.
 * @source flecs, ecs_field_w_size().
 */
TROUPE_API void *troupe_ecs_field(const struct troupe_ecs_iter *it, size_t bytes, uint32_t index);

/** Get a field as a pointer to @p type; as troupe_ecs_field(). */
#define TROUPE_ECS_FIELD(it, type, index) ((type *)troupe_ecs_field((it), sizeof(type), (index)))

#endif

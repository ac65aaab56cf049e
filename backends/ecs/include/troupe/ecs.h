/**
 * @file troupe/ecs.h
 * @brief The world as an entity-component world: components, queries, systems and observers of your own.
 *
 *     entity      a number: a plain one, or an actor of the world
 *     component   a struct that an entity has, or has not; without bytes, a tag
 *     table       all entities with the same components, in plain arrays: what a query walks
 *     system      a callback over a query, once a tick, in a phase
 *     tick        all systems, phase by phase; then mail
 *     observer    a callback for the moment when a component is added or removed
 *
 * Words and manner are those of flecs, where flecs has one.
 *
 * The world is executor 0 of the process that made the system: the backend `ecs`. An actor that lives on
 * a thread or in another process runs as ever, without its components: troupe_ecs_world() is NULL there, each
 * function here takes that NULL, and answers ::TROUPE_ERR_UNSUPPORTED (0, NULL or false where it returns no
 * error).
 *
 * Unless a function says otherwise: the thread that made the system may call it, every build checks that
 * and answers ::TROUPE_ERR_THREAD; it never blocks; what it is given is copied.
 *
 * While entities are iterated nothing moves beneath the iteration: what a system, an observer or a loop over
 * a query adds, sets, removes or deletes is deferred until that is over, and applied in order.
 */
#ifndef TROUPE_ECS_H
#define TROUPE_ECS_H

#include "troupe/behaviour.h"
#include "troupe/error.h"
#include "troupe/export.h"
#include "troupe/ref.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The entities and components of a system's world. */
typedef struct troupe_ecs troupe_ecs_t;

/**
 * An entity: its place in the lower half, and how often that was taken in the upper, so that an entity
 * that is gone is never taken for the next. 0 is none.
 */
typedef uint64_t troupe_ecs_entity_t;

/** A component. 0 is none. */
typedef uint32_t troupe_ecs_component_t;

/** A system. 0 is none; numbers are never used again. */
typedef uint32_t troupe_ecs_system_t;

/** An observer. 0 is none; numbers are never used again. */
typedef uint32_t troupe_ecs_observer_t;

/** A query that was made. */
typedef struct troupe_ecs_query troupe_ecs_query_t;

/** The component of entities that are actors, a #troupe_ref_t. It comes and goes with the actor alone. */
#define TROUPE_ECS_ACTOR ((troupe_ecs_component_t)1)

/** Most components of a world. */
#define TROUPE_ECS_COMPONENTS_MAX 4096

/** Largest component, in bytes. */
#define TROUPE_ECS_COMPONENT_BYTES_MAX 65536

/** Most terms of a query. */
#define TROUPE_ECS_TERMS_MAX 16

/** How long a tick of troupe_run() is, unless troupe_ecs_set_period() says: a 60th of a second. */
#define TROUPE_ECS_PERIOD_DEFAULT_NS UINT64_C(16666667)

/* The world. ----------------------------------------------------------------------------------- */

/**
 * @param ctx  Of an actor, a system, or the main program: troupe_system_context().
 * @return     the world in which @p ctx runs; NULL on a thread, in another process, in a port, or without
 *             memory for it. troupe_error_detail() says which.
 *
 * @owns The system keeps it, until troupe_system_destroy().
 */
TROUPE_API troupe_ecs_t *troupe_ecs_world(troupe_context_t *ctx);

/* Entities. ------------------------------------------------------------------------------------ */

/**
 * Make an entity without components. At once, also while deferred.
 *
 * @retval TROUPE_OK  *out_entity is set. ::TROUPE_ERR_NOMEM, ::TROUPE_ERR_THREAD, ::TROUPE_ERR_UNSUPPORTED.
 * @source flecs, ecs_new().
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_ecs_new(
    troupe_ecs_t *ecs, troupe_ecs_entity_t *out_entity);

/**
 * Delete an entity and its components; observers are told of each before it goes. May be deferred.
 *
 * @retval TROUPE_OK         Gone, or about to.
 * @retval TROUPE_ERR_NOENT  it is gone already.
 * @retval TROUPE_ERR_INVAL  it is an actor: that ends by troupe_stop_actor(), and its entity with it.
 * @retval TROUPE_ERR_NOMEM  no memory to defer it. Also ::TROUPE_ERR_THREAD, ::TROUPE_ERR_UNSUPPORTED.
 * @source flecs, ecs_delete().
 */
TROUPE_API enum troupe_err troupe_ecs_delete(troupe_ecs_t *ecs, troupe_ecs_entity_t entity);

/** @return whether the entity is there: made, and not deleted. */
TROUPE_API bool troupe_ecs_is_alive(const troupe_ecs_t *ecs, troupe_ecs_entity_t entity);

/**
 * @return the entity of the running actor; 0 where no actor runs, or it lives outside of the world, or
 *         there is no memory; troupe_error_detail() says which. It lasts until the actor's `fini` has run;
 *         observers of what it has are told then.
 */
TROUPE_API troupe_ecs_entity_t troupe_ecs_self(troupe_context_t *ctx);

/**
 * Find the entity of an actor of the world.
 *
 * @retval TROUPE_OK         *out_entity is set.
 * @retval TROUPE_ERR_NOENT  no such actor lives in the world: it lives elsewhere, has ended, or its start
 *                           is still on its way from another executor. Others as troupe_ecs_new().
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_ecs_entity_of(
    troupe_ecs_t *ecs, troupe_ref_t actor, troupe_ecs_entity_t *out_entity);

/** @return the actor that is that entity, or ::TROUPE_REF_NONE. */
TROUPE_API troupe_ref_t troupe_ecs_actor_of(const troupe_ecs_t *ecs, troupe_ecs_entity_t entity);

/* Components. ---------------------------------------------------------------------------------- */

/** A component. Zero-initialise, then set what you care about. */
struct troupe_ecs_component_options {
    /** What it is called. Required, copied; no other component or system goes by it. */
    const char *name;

    /**
     * Its size, up to ::TROUPE_ECS_COMPONENT_BYTES_MAX; 0 for a tag. Components are moved as bytes, and lie
     * in arrays that are aligned to 16.
     */
    size_t bytes;
};

/**
 * Register a component, or find the one that was registered alike: each actor may do it in its `init`.
 *
 * @retval TROUPE_OK          *out_component is set.
 * @retval TROUPE_ERR_EXISTS  a component of another size, or a system, goes by that name; the detail says.
 * @retval TROUPE_ERR_INVAL   no name, or too large.
 * @retval TROUPE_ERR_LIMIT   ::TROUPE_ECS_COMPONENTS_MAX are registered. Others as troupe_ecs_new().
 * @source flecs, ecs_component_init().
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_ecs_component_new(
    troupe_ecs_t *ecs,
    const struct troupe_ecs_component_options *options,
    troupe_ecs_component_t *out_component);

/** @return the component that goes by @p name; 0: none does. */
TROUPE_API troupe_ecs_component_t
troupe_ecs_component_lookup(const troupe_ecs_t *ecs, const char *name);

/**
 * Add a component, zeroed, to an entity. Does nothing when it has it. May be deferred.
 *
 * @retval TROUPE_OK         It has it, or is about to.
 * @retval TROUPE_ERR_NOENT  no such entity: it was deleted.
 * @retval TROUPE_ERR_INVAL  no such component, or ::TROUPE_ECS_ACTOR. Others as troupe_ecs_new().
 * @source flecs, ecs_add_id().
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_ecs_add(
    troupe_ecs_t *ecs, troupe_ecs_entity_t entity, troupe_ecs_component_t component);

/**
 * Remove a component from an entity. May be deferred; what is not there then is passed over.
 *
 * @retval TROUPE_OK         It has it no more, or is about to lose it.
 * @retval TROUPE_ERR_NOENT  no such entity, or it has no such component. Others as troupe_ecs_add().
 * @source flecs, ecs_remove_id().
 */
TROUPE_API enum troupe_err troupe_ecs_remove(
    troupe_ecs_t *ecs, troupe_ecs_entity_t entity, troupe_ecs_component_t component);

/** @return whether the entity has the component. */
TROUPE_API bool troupe_ecs_has(
    const troupe_ecs_t *ecs, troupe_ecs_entity_t entity, troupe_ecs_component_t component);

/**
 * Give a component a value, and add it where it is missing. May be deferred.
 *
 * @param value  Copied.
 * @param bytes  Size of the component.
 *
 * @retval TROUPE_ERR_INVAL  @p bytes is not its size. Others as troupe_ecs_add().
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
 * @param bytes  Size of the component.
 * @return       the component of an entity, to be read and written; NULL where it has none, or @p bytes is
 *               not its size; troupe_error_detail() says which.
 *
 * @owns   A view, good until anything is added, removed or deleted.
 * @source flecs, ecs_get_mut_id().
 */
TROUPE_API void *troupe_ecs_get(
    troupe_ecs_t *ecs, troupe_ecs_entity_t entity, troupe_ecs_component_t component, size_t bytes);

/** Get a component as a pointer to @p type; as troupe_ecs_get(). */
#define TROUPE_ECS_GET(ecs, entity, component, type) \
    ((type *)troupe_ecs_get((ecs), (entity), (component), sizeof(type)))

/**
 * Defer what follows until troupe_ecs_defer_end(); such pairs may nest.
 *
 * @retval TROUPE_OK  From now on. ::TROUPE_ERR_THREAD, ::TROUPE_ERR_UNSUPPORTED.
 * @source flecs, ecs_defer_begin().
 */
TROUPE_API enum troupe_err troupe_ecs_defer_begin(troupe_ecs_t *ecs);

/**
 * Undo troupe_ecs_defer_begin(), and apply what was deferred if nothing else defers it.
 *
 * @retval TROUPE_OK         Undone.
 * @retval TROUPE_ERR_INVAL  nobody began.
 * @retval TROUPE_ERR_NOMEM  no memory for the next in order: that and the rest is kept, and applied before
 *                           anything that is asked for later.
 * @source flecs, ecs_defer_end().
 */
TROUPE_API enum troupe_err troupe_ecs_defer_end(troupe_ecs_t *ecs);

/* Queries. ------------------------------------------------------------------------------------- */

/** What a term asks of an entity. */
enum troupe_ecs_oper {
    TROUPE_ECS_AND = 0,      /**< It has the component. */
    TROUPE_ECS_NOT = 1,      /**< It does not have it. */
    TROUPE_ECS_OPTIONAL = 2, /**< Either; the field is NULL where it has not. */
};

/** A term of a query. */
struct troupe_ecs_term {
    troupe_ecs_component_t component; /**< Which. 0 ends the list. */
    enum troupe_ecs_oper oper;        /**< What of it. */
};

/** What an observer is told of; may be or-ed. */
enum troupe_ecs_event {
    TROUPE_ECS_ON_ADD = 1, /**< The component was added, with the value of troupe_ecs_set(). */
    TROUPE_ECS_ON_REMOVE =
        2, /**< It is about to be removed, be it with its entity or with the world. */
};

/** Entities of a table, as an iteration, a system or an observer sees them. */
struct troupe_ecs_iter {
    troupe_ecs_t *ecs; /**< The world. */

    /**
     * To send, spawn, tell the time and so on, as the main program does: nobody's, so that replies find
     * nobody and asks are refused. In a callback of an actor it is that actor's.
     */
    troupe_context_t *ctx;

    const troupe_ecs_entity_t *entities; /**< As many as @ref count says. */
    uint32_t count;                      /**< How many; 0 in a system without terms. */
    troupe_ecs_component_t component;    /**< In an observer, the component; else 0. */
    enum troupe_ecs_event event;         /**< In an observer, what happened to it; else 0. */
    troupe_ecs_system_t system;          /**< The system that runs; else 0. */
    uint64_t delta_ns;                   /**< In a system: nanoseconds since it ran last. */
    float delta_time;                    /**< The same, in seconds. */
    void *data;                          /**< As the system's or observer's options say. */

    // The library's own.
    troupe_ecs_query_t *query; /**< Kept by the library. */
    const void *table;         /**< Kept by the library. */
    const int16_t *columns;    /**< Kept by the library. */
    uint32_t column_count;     /**< Kept by the library. */
    uint32_t first;            /**< Kept by the library. */
    uint32_t match_index;      /**< Kept by the library. */
    uint32_t is_open;          /**< Kept by the library. */
    uint64_t epoch;            /**< Kept by the library. */
};

/** Meets entities. */
typedef void troupe_ecs_iter_fn(struct troupe_ecs_iter *it);

/**
 * Make a query. It keeps a list of the tables that match, so make it once.
 *
 * @param terms  Ended by component 0, at most ::TROUPE_ECS_TERMS_MAX; at least one is ::TROUPE_ECS_AND.
 * @param out_query  Receives the query.
 *
 * @retval TROUPE_OK         *out_query is set.
 * @retval TROUPE_ERR_INVAL  no such component, too many terms, or none that must be there. Others as
 *                           troupe_ecs_new().
 *
 * @owns   The caller owns *out_query until troupe_ecs_query_destroy(), or the end of the system.
 * @source flecs, ecs_query_init().
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_ecs_query_new(
    troupe_ecs_t *ecs, const struct troupe_ecs_term *terms, troupe_ecs_query_t **out_query);

/**
 * Free a query and set *query_p to NULL. Does nothing when it is NULL.
 *
 * @retval TROUPE_OK         Freed.
 * @retval TROUPE_ERR_INVAL  it is being iterated; *query_p is as before.
 * @owns   Takes *query_p on ::TROUPE_OK only.
 */
TROUPE_API enum troupe_err troupe_ecs_query_destroy(troupe_ecs_query_t **query_p);

/**
 * Begin to iterate a query.
 *
 *     struct troupe_ecs_iter it = troupe_ecs_query_iter(query);
 *     while (troupe_ecs_query_next(&it)) {
 *         struct position *p = TROUPE_ECS_FIELD(&it, struct position, 0);
 *         for (uint32_t i = 0; i < it.count; i++) { ... p[i] ... }
 *     }
 *
 * @param query  NULL: an iteration over nothing.
 * @source flecs, ecs_query_iter().
 */
TROUPE_API struct troupe_ecs_iter troupe_ecs_query_iter(troupe_ecs_query_t *query);

/**
 * Go on to the next table with entities in it. From the first on, changes are deferred until there is
 * no next one, or troupe_ecs_iter_fini() is called. An iteration that is left open ends with the callback's
 * turn, at the next tick; then this is false.
 *
 * @return whether there is one; false on another thread, too.
 * @source flecs, ecs_query_next().
 */
TROUPE_API bool troupe_ecs_query_next(struct troupe_ecs_iter *it);

/** End an iteration before its last table. Does nothing when it is over. */
TROUPE_API void troupe_ecs_iter_fini(struct troupe_ecs_iter *it);

/**
 * @param bytes  Size of the component.
 * @param index  Of the term, from 0; in an observer 0.
 * @return       its components, as many as @p it has entities, in their order; NULL for a tag, where there
 *               is none, or where @p bytes is not the size; then troupe_error_detail() says which.
 *
 * @owns   A view, good until the next table.
 * @source flecs, ecs_field_w_size().
 */
TROUPE_API void *troupe_ecs_field(const struct troupe_ecs_iter *it, size_t bytes, uint32_t index);

/** Get a field as a pointer to @p type; as troupe_ecs_field(). */
#define TROUPE_ECS_FIELD(it, type, index) ((type *)troupe_ecs_field((it), sizeof(type), (index)))

/* Systems. ------------------------------------------------------------------------------------- */

/** When in a tick a system runs: phase by phase, and in each in the order in which they were made. */
enum troupe_ecs_phase {
    TROUPE_ECS_PHASE_DEFAULT = 0, /**< As ::TROUPE_ECS_ON_UPDATE. */
    TROUPE_ECS_ON_LOAD = 1,       /**< Take in what comes from outside. */
    TROUPE_ECS_POST_LOAD = 2,     /**< Make sense of it. */
    TROUPE_ECS_PRE_UPDATE = 3,    /**< Get ready. */
    TROUPE_ECS_ON_UPDATE = 4,     /**< Go on by one step. */
    TROUPE_ECS_ON_VALIDATE = 5,   /**< Look what came of it, as where things touch. */
    TROUPE_ECS_POST_UPDATE = 6,   /**< Set right what does not hold. */
    TROUPE_ECS_PRE_STORE = 7,     /**< Get ready to show it. */
    TROUPE_ECS_ON_STORE = 8,      /**< Show it. */
};

/** A system. Zero-initialise, then set what you care about. */
struct troupe_ecs_system_options {
    /** What it is called, in its times. Required, copied; no other system or component goes by it. */
    const char *name;

    /** When in a tick it runs. */
    enum troupe_ecs_phase phase;

    /** Which entities it meets; none: it runs once a tick, with none. */
    struct troupe_ecs_term terms[TROUPE_ECS_TERMS_MAX + 1];

    /** Meets them, table by table. Required. */
    troupe_ecs_iter_fn *callback;

    /** Handed on as `it->data`. */
    void *data;

    /** At least so long from one run to the next, in nanoseconds of the world's time; 0: each tick. */
    uint64_t interval_ns;
};

/**
 * Have a callback run once a tick, over a query.
 *
 * A tick is one troupe_progress(); in troupe_run() there is one each period, see troupe_ecs_set_period().
 * Its systems run before its mail, until the system stops. What one defers is applied when it has run.
 *
 * @retval TROUPE_OK          *out_system is set; it may be NULL.
 * @retval TROUPE_ERR_EXISTS  a system or component goes by that name.
 * @retval TROUPE_ERR_INVAL   no name, no callback, no such phase; or terms as for troupe_ecs_query_new().
 *                            Others as troupe_ecs_new().
 * @source flecs, ecs_system_init(), and its phases.
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_ecs_system_new(
    troupe_ecs_t *ecs,
    const struct troupe_ecs_system_options *options,
    troupe_ecs_system_t *out_system);

/** Have a system run no more. ::TROUPE_ERR_NOENT: there is no such. It may be the one that runs. */
TROUPE_API enum troupe_err troupe_ecs_system_delete(troupe_ecs_t *ecs, troupe_ecs_system_t system);

/** Let a system rest, or run again. ::TROUPE_ERR_NOENT: there is no such. @source flecs, ecs_enable(). */
TROUPE_API enum troupe_err troupe_ecs_system_enable(
    troupe_ecs_t *ecs, troupe_ecs_system_t system, bool on);

/** What a system took. */
struct troupe_ecs_system_stats {
    const char *name;            /**< Good until the system is removed. */
    enum troupe_ecs_phase phase; /**< When it runs. */
    uint64_t run_count;          /**< How often it ran. */
    uint64_t entity_count;       /**< How many entities it met in its last run. */
    uint64_t run_ns_last;        /**< How long that took, in nanoseconds of the machine's clock. */
    uint64_t run_ns_max;         /**< The longest run. */
    uint64_t run_ns_sum;         /**< All runs. */
};

/** Tell what a system took. ::TROUPE_ERR_NOENT: there is no such. */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_ecs_system_stats(
    const troupe_ecs_t *ecs, troupe_ecs_system_t system, struct troupe_ecs_system_stats *out_stats);

/** @return the system made next after @p system; 0: the first one; 0 after the last. */
TROUPE_API troupe_ecs_system_t
troupe_ecs_system_next(const troupe_ecs_t *ecs, troupe_ecs_system_t system);

/**
 * Say how often troupe_run() ticks, while there are systems; a world that is late skips what it missed.
 * troupe_progress() ticks whenever it is called.
 *
 * @param period_ns  0: ::TROUPE_ECS_PERIOD_DEFAULT_NS.
 * @source flecs, ecs_set_target_fps().
 */
TROUPE_API enum troupe_err troupe_ecs_set_period(troupe_ecs_t *ecs, uint64_t period_ns);

/**
 * Say by how much the world's time goes on with each tick, whatever the clock says, so that a course can
 * be had again; 0: by the system's clock. The first tick is one period long.
 */
TROUPE_API enum troupe_err troupe_ecs_set_delta(troupe_ecs_t *ecs, uint64_t delta_ns);

/* Observers. ----------------------------------------------------------------------------------- */

/** An observer. Zero-initialise, then set what you care about. */
struct troupe_ecs_observer_options {
    troupe_ecs_component_t
        component;   /**< Of what. Required; ::TROUPE_ECS_ACTOR may be observed, too. */
    uint32_t events; /**< Of ::troupe_ecs_event, or-ed. Required. */
    troupe_ecs_iter_fn
        *callback; /**< Meets one entity at a time; field 0 is the component. Required. */
    void *data;    /**< Handed on as `it->data`. */
};

/**
 * Have a callback run whenever a component is added or removed, in the moment when that is applied. What it
 * changes itself is deferred until it returns.
 *
 * @retval TROUPE_OK         *out_observer is set; it may be NULL.
 * @retval TROUPE_ERR_INVAL  no such component, no event, or no callback. Others as troupe_ecs_new().
 * @source flecs, ecs_observer_init().
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_ecs_observer_new(
    troupe_ecs_t *ecs,
    const struct troupe_ecs_observer_options *options,
    troupe_ecs_observer_t *out_observer);

/** Tell an observer nothing more. ::TROUPE_ERR_NOENT: there is no such. */
TROUPE_API enum troupe_err troupe_ecs_observer_delete(
    troupe_ecs_t *ecs, troupe_ecs_observer_t observer);

#endif

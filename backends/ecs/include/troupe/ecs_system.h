/**
 * @file troupe/ecs_system.h
 * @brief Systems, ticks and observers; see troupe/ecs.h for what holds for every function.
 */
#ifndef TROUPE_ECS_SYSTEM_H
#define TROUPE_ECS_SYSTEM_H

#include "troupe/ecs_query.h"
#include "troupe/ecs_world.h"
#include "troupe/error.h"
#include "troupe/export.h"

#include <stdbool.h>
#include <stdint.h>

/** An observer. 0: none. A number is never used again. */
typedef uint32_t troupe_ecs_observer_t;

/** The period of ticks in troupe_system_run(), unless troupe_ecs_set_period() sets another: a 60th of a second. */
#define TROUPE_ECS_PERIOD_DEFAULT_NS UINT64_C(16666667)

/* Systems. ------------------------------------------------------------------------------------- */

/** When in a tick a system runs: phase by phase, and in a phase in the order in which systems were made. */
enum troupe_ecs_phase {
    TROUPE_ECS_PHASE_DEFAULT = 0, /**< As ::TROUPE_ECS_ON_UPDATE. */
    TROUPE_ECS_ON_LOAD = 1,       /**< Read input. */
    TROUPE_ECS_POST_LOAD = 2,     /**< Process input. */
    TROUPE_ECS_PRE_UPDATE = 3,    /**< Prepare the update. */
    TROUPE_ECS_ON_UPDATE = 4,     /**< Advance the world by one step. */
    TROUPE_ECS_ON_VALIDATE = 5,   /**< Detect what the update led to, such as collisions. */
    TROUPE_ECS_POST_UPDATE = 6,   /**< Correct it. */
    TROUPE_ECS_PRE_STORE = 7,     /**< Prepare output. */
    TROUPE_ECS_ON_STORE = 8,      /**< Write output. */
};

/** A system to make. Zero-initialise, then set what you need. */
struct troupe_ecs_system_options {
    /** Name, unique among the components and systems of the world. Required, copied. */
    const char *name;

    /** When in a tick it runs. */
    enum troupe_ecs_phase phase;

    /** The entities it runs for. None: it runs once a tick, without entities. */
    struct troupe_ecs_term terms[TROUPE_ECS_TERMS_MAX + 1];

    /** Called for each table that matches the terms. Required. */
    troupe_ecs_iter_fn *callback;

    /** Passed to the callback as `it->data`. */
    void *data;

    /** Least time from one run to the next, in nanoseconds of the world's time; 0: it runs each tick. */
    uint64_t interval_ns;
};

/**
 * Make a system: a callback that runs over a query once a tick.
 *
 * Each troupe_system_progress() is a tick. troupe_system_run() ticks once a period; see troupe_ecs_set_period(). The systems
 * of a tick run before its messages are delivered. The changes that a system defers are applied when it has
 * run. There is no tick after the system was asked to stop.
 *
 * @param options     What the system is.
 * @param out_system  Receives the system; may be NULL.
 *
 * @retval TROUPE_OK          *out_system is set.
 * @retval TROUPE_ERR_EXISTS  the name is that of another system, or of a component.
 * @retval TROUPE_ERR_INVAL   the name or the callback is missing, the phase is not one, or the terms are not
 *                            valid, see troupe_ecs_query_new().
 * @retval TROUPE_ERR_NOMEM   no memory for it.
 *
 * @source flecs, ecs_system_init(), and its phases.
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_ecs_system_new(
    troupe_ecs_t *ecs,
    const struct troupe_ecs_system_options *options,
    troupe_ecs_system_t *out_system);

/**
 * Delete a system. It may be the one that runs: then it is not called for another table.
 *
 * @retval TROUPE_OK         The system does not run any more, and its name is free.
 * @retval TROUPE_ERR_NOENT  there is no such system.
 */
TROUPE_API enum troupe_err troupe_ecs_system_delete(troupe_ecs_t *ecs, troupe_ecs_system_t system);

/**
 * Enable or disable a system. A new system is enabled. The time it was disabled is not part of its next
 * `delta_ns`.
 *
 * @param on  Whether it runs.
 *
 * @retval TROUPE_OK         It is as @p on says.
 * @retval TROUPE_ERR_NOENT  there is no such system.
 *
 * @source flecs, ecs_enable().
 */
TROUPE_API enum troupe_err troupe_ecs_system_enable(
    troupe_ecs_t *ecs, troupe_ecs_system_t system, bool on);

/** How often a system ran, and how long. Times are of the machine's monotonic clock. */
struct troupe_ecs_system_stats {
    const char *name;            /**< Its name; valid until the system is deleted. */
    enum troupe_ecs_phase phase; /**< When in a tick it runs. */
    uint64_t run_count;          /**< How often it ran. */
    uint64_t entity_count;       /**< How many entities it got in its last run. */
    uint64_t run_ns_last;        /**< Duration of its last run, in nanoseconds. */
    uint64_t run_ns_max;         /**< Duration of its longest run, in nanoseconds. */
    uint64_t run_ns_sum;         /**< Duration of all its runs, in nanoseconds. */
};

/**
 * Read the statistics of a system.
 *
 * @param out_stats  Receives them.
 *
 * @retval TROUPE_OK         *out_stats is set.
 * @retval TROUPE_ERR_NOENT  there is no such system.
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_ecs_system_stats(
    const troupe_ecs_t *ecs, troupe_ecs_system_t system, struct troupe_ecs_system_stats *out_stats);

/**
 * List the systems, in the order in which they were made.
 *
 * @param system  A system, which may be deleted already; 0: none.
 * @return        the system made next after it, or the first one; 0 after the last.
 */
TROUPE_API troupe_ecs_system_t
troupe_ecs_system_next(const troupe_ecs_t *ecs, troupe_ecs_system_t system);

/* Ticks. --------------------------------------------------------------------------------------- */

/**
 * Set how often troupe_system_run() ticks while there are systems. Ticks that are missed are skipped.
 * troupe_system_progress() ticks whenever it is called.
 *
 * @param period_ns  Nanoseconds from one tick to the next; 0: ::TROUPE_ECS_PERIOD_DEFAULT_NS.
 *
 * @retval TROUPE_OK  It holds from now on; the next tick is due at once.
 *
 * @source flecs, ecs_set_target_fps().
 */
TROUPE_API enum troupe_err troupe_ecs_set_period(troupe_ecs_t *ecs, uint64_t period_ns);

/**
 * Set by how much the world's time advances with each tick, so that a simulation can be repeated exactly.
 *
 * @param delta_ns  Nanoseconds a tick, whatever the clock says; 0: as measured by the system's clock, and one
 *                  period for the first tick.
 *
 * @retval TROUPE_OK  It holds from now on.
 *
 * @source flecs, the `delta_time` of ecs_progress().
 */
TROUPE_API enum troupe_err troupe_ecs_set_delta(troupe_ecs_t *ecs, uint64_t delta_ns);

/* Observers. ----------------------------------------------------------------------------------- */

/** An observer to make. Zero-initialise, then set what you need. */
struct troupe_ecs_observer_options {
    troupe_ecs_component_t component; /**< What to observe; may be ::TROUPE_ECS_ACTOR. Required. */
    uint32_t events;                  /**< Of ::troupe_ecs_event, or-ed. Required. */
    troupe_ecs_iter_fn *callback; /**< Called for one entity; field 0 is the component. Required. */
    void *data;                   /**< Passed to the callback as `it->data`. */
};

/**
 * Make an observer: a callback that runs when a component is added or removed.
 *
 * It runs when the change is applied, not when it is deferred. Changes that it makes itself are deferred until
 * it returns. Setting a component that the entity has already is no event.
 *
 * @param options       What the observer is.
 * @param out_observer  Receives the observer; may be NULL.
 *
 * @retval TROUPE_OK         *out_observer is set.
 * @retval TROUPE_ERR_INVAL  the component is not registered, there is no event or an unknown one, or no
 *                           callback.
 * @retval TROUPE_ERR_NOMEM  no memory for it.
 *
 * @source flecs, ecs_observer_init().
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_ecs_observer_new(
    troupe_ecs_t *ecs,
    const struct troupe_ecs_observer_options *options,
    troupe_ecs_observer_t *out_observer);

/**
 * Delete an observer. It may be the one that runs.
 *
 * @retval TROUPE_OK         The observer is not called any more.
 * @retval TROUPE_ERR_NOENT  there is no such observer.
 */
TROUPE_API enum troupe_err troupe_ecs_observer_delete(
    troupe_ecs_t *ecs, troupe_ecs_observer_t observer);

#endif

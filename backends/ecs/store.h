/**
 * @file store.h
 * @brief The store of the entity-component world, and what its files ask of each other.
 *
 *     record     one an entity: which table, which row
 *     table      one for each set of components: a column for each that has bytes, and the entities
 *     edge       from a table to the one with, or without, one component more
 *     match      a table that a query walks, and where its terms' columns are there
 *
 * Rows are dense: one that leaves is filled with the last. So rows and columns move with each change of an
 * entity's components, and nothing is changed while anybody iterates: see deferred.c.
 *
 * All of it is the owner's thread's.
 */
#ifndef TRP_ECS_STORE_H
#define TRP_ECS_STORE_H

#include "check.h"
#include "error.h"
#include "troupe/backend.h"
#include "troupe/ecs.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ecs_table;
struct ecs_observer;

/** Where an entity is. Of a free one `table` is NULL, and `row` the next free one, index + 1. */
struct ecs_record {
    struct ecs_table *table;
    uint32_t row; // 0 in the table of no components, which keeps no rows
    uint32_t generation;
};

/** A component, by its number - 1. */
struct ecs_component {
    char *name;
    uint32_t bytes;
    uint32_t observed;              // events that some observer wants
    struct ecs_observer *observers; // in order
};

/** The values of one component in a table. */
struct ecs_column {
    troupe_ecs_component_t component;
    uint32_t bytes;
    uint8_t *data; // NULL: a tag
};

/** Where a change of one component leads from a table; NULL: not known yet. */
struct ecs_edge {
    struct ecs_table *with;
    struct ecs_table *without;
};

/** All entities with the same components. */
struct ecs_table {
    struct ecs_column *columns; // by component, ascending
    uint32_t column_count;
    uint32_t place_count;
    uint16_t *places; // by component: its column + 1; 0: it has none
    uint32_t edge_count;
    struct ecs_edge *edges; // by component
    troupe_ecs_entity_t *entities;
    uint32_t count;
    uint32_t capacity;
};

/** A table that a query matches. */
struct ecs_match {
    struct ecs_table *table;
    int16_t columns[TROUPE_ECS_TERMS_MAX]; // -1: not there
};

struct troupe_ecs_query {
    struct troupe_ecs *ecs;
    struct troupe_ecs_query *next; // of the world's
    struct ecs_match *matches;
    uint32_t match_count;
    uint32_t match_capacity;
    uint32_t open_count; // iterations
    uint32_t term_count;
    struct troupe_ecs_term terms[TROUPE_ECS_TERMS_MAX];
};

/** A system, in the order in which they were made. */
struct ecs_system {
    struct ecs_system *next;
    troupe_ecs_system_t id;
    char *name;
    enum troupe_ecs_phase phase;
    troupe_ecs_query_t *query;    // NULL: it has no terms
    troupe_ecs_iter_fn *callback; // NULL: it was removed
    void *data;
    uint64_t interval_ns;
    uint64_t ran_ns; // when it ran last, by the world's time
    bool enabled;
    uint64_t run_count;
    uint64_t entity_count; // of the last run
    uint64_t last_ns;
    uint64_t max_ns;
    uint64_t sum_ns;
};

/** An observer of one component. */
struct ecs_observer {
    struct ecs_observer *next;
    troupe_ecs_observer_t id;
    uint32_t events;
    troupe_ecs_iter_fn *callback; // NULL: it was removed
    void *data;
};

/** What is deferred: commands in a row, each with its value behind it. */
struct ecs_queue {
    uint8_t *bytes;
    size_t at; // the next to apply
    size_t used;
    size_t capacity;
};

struct troupe_ecs {
    const struct troupe_host *host;
    troupe_executor_t *executor;
    pthread_t owner;

    struct ecs_record *records; // by an entity's lower half
    uint32_t record_count;
    uint32_t record_capacity;
    uint32_t free_record; // index + 1

    struct ecs_component *components;
    uint32_t component_count;
    uint32_t component_capacity;

    struct ecs_table *empty; // the table of no components
    struct ecs_table **tables;
    uint32_t table_count;
    uint32_t table_capacity;
    struct ecs_table **slots; // the same, hashed by their components
    uint32_t slot_count;      // a power of 2

    troupe_ecs_query_t *queries;
    struct ecs_system *systems;
    uint32_t system_count; // that were not removed
    uint32_t system_last;  // the latest number
    uint32_t observer_last;

    struct ecs_queue queue;
    uint32_t defer_count; // of defer_begin()
    uint32_t iter_count;  // open iterations
    uint32_t told_depth;  // observers that run
    bool is_applying;     // the queue
    bool is_ticking;
    uint64_t epoch; // counts the times that iterations were closed by force

    uint64_t period_ns;
    uint64_t fixed_delta_ns; // 0: by the clock
    uint64_t time_ns;        // the world's: the sum of all ticks
    uint64_t ticked_ns;      // by the system's clock
    uint64_t due_ns;         // likewise
    bool has_ticked;

    troupe_ecs_entity_t *actors; // by their rows
    uint32_t actor_capacity;
};

/* The world (ecs.c). --------------------------------------------------------------------------- */

/** Explain why a world cannot be used here. @return the error. */
enum troupe_err trp_ecs_refuse(const troupe_ecs_t *ecs);

/** @return TROUPE_OK on the world's own thread. */
static inline enum troupe_err trp_ecs_check(const troupe_ecs_t *ecs)
{
    return TRP_LIKELY(ecs != NULL && pthread_equal(ecs->owner, pthread_self()))
               ? TROUPE_OK
               : trp_ecs_refuse(ecs);
}

/**
 * Make room for @p count elements of @p bytes in an array that doubles.
 *
 * @return false: no memory; all is as before.
 */
bool trp_ecs_grow(void **array_p, uint32_t *capacity, uint32_t count, size_t bytes);

/* Entities (entity.c). ------------------------------------------------------------------------- */

/** @return the record of an entity, good until the next one is made; NULL when it is gone. */
static inline struct ecs_record *trp_ecs_find(const troupe_ecs_t *ecs, troupe_ecs_entity_t entity)
{
    uint32_t index = (uint32_t)entity;
    if (TRP_UNLIKELY(index >= ecs->record_count)) {
        return NULL;
    }
    struct ecs_record *record = &ecs->records[index];
    return record->table != NULL && record->generation == entity >> 32 ? record : NULL;
}

/** Say that an entity is gone. */
enum troupe_err trp_ecs_explain_entity(troupe_ecs_entity_t entity);

/** Make an entity. */
enum troupe_err trp_ecs_make(troupe_ecs_t *ecs, troupe_ecs_entity_t *out_entity);

/** Delete an entity at once, and tell the observers of what it has. */
void trp_ecs_delete_now(troupe_ecs_t *ecs, troupe_ecs_entity_t entity);

/* Components (component.c). -------------------------------------------------------------------- */

/** @return whether that component is registered. */
static inline bool trp_ecs_knows(const troupe_ecs_t *ecs, troupe_ecs_component_t component)
{
    return component - 1 < ecs->component_count;
}

/** Say that there is no such component. */
enum troupe_err trp_ecs_explain_component(
    const troupe_ecs_t *ecs, troupe_ecs_component_t component);

/** Look whether a name is good, and free. */
enum troupe_err trp_ecs_check_name(const troupe_ecs_t *ecs, const char *name, const char *what);

/** Register a component of the library's own or of the user's. */
enum troupe_err trp_ecs_register(
    troupe_ecs_t *ecs, const char *name, size_t bytes, troupe_ecs_component_t *out_component);

void trp_ecs_components_fini(troupe_ecs_t *ecs);

/* Tables (table.c). ---------------------------------------------------------------------------- */

/** @return where a component is in a table; -1: nowhere. */
static inline int32_t trp_ecs_column(
    const struct ecs_table *table, troupe_ecs_component_t component)
{
    return component < table->place_count ? (int32_t)table->places[component] - 1 : -1;
}

/** Make the table of no components. @return false: no memory. */
bool trp_ecs_tables_init(troupe_ecs_t *ecs);

void trp_ecs_tables_fini(troupe_ecs_t *ecs);

/** Find or make the table that has one component more, or less. @return NULL: no memory. */
struct ecs_table *trp_ecs_table_step(
    troupe_ecs_t *ecs, struct ecs_table *table, troupe_ecs_component_t component, bool with);

/** Have room for one more row. @return false: no memory. */
bool trp_ecs_table_reserve(struct ecs_table *table);

/** Move an entity to a table that has room; what it has not had there is zero. */
void trp_ecs_table_move(troupe_ecs_t *ecs, troupe_ecs_entity_t entity, struct ecs_table *to);

/** Take a row out of a table. */
void trp_ecs_table_drop(troupe_ecs_t *ecs, struct ecs_table *table, uint32_t row);

/* Changes (change.c). -------------------------------------------------------------------------- */

/** Add or set at once. @p value NULL: add. @return TROUPE_ERR_NOMEM, and nothing changed. */
enum troupe_err trp_ecs_set_now(
    troupe_ecs_t *ecs,
    troupe_ecs_entity_t entity,
    troupe_ecs_component_t component,
    const void *value);

/** Remove at once; what is not there is passed over. @return TROUPE_ERR_NOMEM, and nothing changed. */
enum troupe_err trp_ecs_remove_now(
    troupe_ecs_t *ecs, troupe_ecs_entity_t entity, troupe_ecs_component_t component);

/* What is deferred (deferred.c). --------------------------------------------------------------- */

enum ecs_command_kind { ECS_COMMAND_ADD, ECS_COMMAND_SET, ECS_COMMAND_REMOVE, ECS_COMMAND_DELETE };

/** @return whether changes are deferred. */
static inline bool trp_ecs_defers(const troupe_ecs_t *ecs)
{
    return (ecs->defer_count | ecs->iter_count | ecs->told_depth) != 0;
}

/** Put a command in the queue. */
enum troupe_err trp_ecs_defer(
    troupe_ecs_t *ecs,
    enum ecs_command_kind kind,
    troupe_ecs_entity_t entity,
    troupe_ecs_component_t component,
    const void *value);

/** Apply what is deferred, if nothing defers it any more. @return TROUPE_ERR_NOMEM: not all of it. */
enum troupe_err trp_ecs_apply(troupe_ecs_t *ecs);

/** Get ready for a change at once: what was deferred goes first. */
static inline enum troupe_err trp_ecs_catch_up(troupe_ecs_t *ecs)
{
    return TRP_LIKELY(ecs->queue.used == 0) ? TROUPE_OK : trp_ecs_apply(ecs);
}

/* Queries (query.c). --------------------------------------------------------------------------- */

/** Have all queries look at a new table. @return false: no memory; none has. */
bool trp_ecs_queries_meet(troupe_ecs_t *ecs, struct ecs_table *table);

/** Close the iterations that were left open. */
void trp_ecs_close_iterations(troupe_ecs_t *ecs);

void trp_ecs_queries_fini(troupe_ecs_t *ecs);

/* Observers (observer.c). ---------------------------------------------------------------------- */

/** Tell the observers of a component's event. */
void trp_ecs_tell_all(
    troupe_ecs_t *ecs,
    troupe_ecs_entity_t entity,
    troupe_ecs_component_t component,
    enum troupe_ecs_event event);

/** Tell whoever wants to know. */
static inline void trp_ecs_tell(
    troupe_ecs_t *ecs,
    troupe_ecs_entity_t entity,
    troupe_ecs_component_t component,
    enum troupe_ecs_event event)
{
    if (TRP_UNLIKELY((ecs->components[component - 1].observed & event) != 0)) {
        trp_ecs_tell_all(ecs, entity, component, event);
    }
}

void trp_ecs_observers_fini(struct ecs_component *component);

/* Systems (pipeline.c). ------------------------------------------------------------------------ */

/** @return whether a system goes by that name. */
bool trp_ecs_has_system(const troupe_ecs_t *ecs, const char *name);

/** Run the systems, if they are due or @p now. @return nanoseconds until they are again. */
uint64_t trp_ecs_tick(troupe_ecs_t *ecs, bool now);

void trp_ecs_systems_fini(troupe_ecs_t *ecs);

/* Actors (actors.c). --------------------------------------------------------------------------- */

/** The actor in that row has ended. */
void trp_ecs_actor_ended(troupe_ecs_t *ecs, uint32_t index);

#endif

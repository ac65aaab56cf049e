/**
 * @file world.h
 * @brief The actors of an executor: entities in rows, their states in columns, one per behaviour.
 *
 *     row      generation, life, behaviour, state --+     64 bytes an actor
 *     column   [state][state][state] ...  <---------+     chunks that never move
 *
 * The owner's thread uses rows and columns; other threads only reserve rows, for actors whose START is
 * on its way. A reservation and its START may arrive out of order with another sender's message, so
 * the world can tell a row that is reserved from one that never was.
 */
#ifndef TRP_ACTOR_TABLE_H
#define TRP_ACTOR_TABLE_H

#include "base/check.h"
#include "troupe/behaviour.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/**
 * Where an actor is in its life.
 *
 *                           WAITING
 *                              ^ v
 *     FREE --> STARTING --> RUNNING --> STOPPING --> FREE     or BATCHED in the place of RUNNING
 *                  |                                   ^
 *                  +-----------------------------------+     init failed
 */
enum trp_life {
    TRP_LIFE_FREE = 0,
    TRP_LIFE_STARTING = 1, // its START is on its way, or its init runs
    TRP_LIFE_RUNNING = 2,
    TRP_LIFE_STOPPING = 3, // asked to stop; its callback has not returned yet, or its fini runs
    TRP_LIFE_WAITING = 4,  // for an answer; other mail is deferred
    TRP_LIFE_BATCHED = 5,  // as RUNNING, and takes batches: who looks for RUNNING passes it over
};

enum trp_actor_flag {
    TRP_ACTOR_REMOTE = 1 << 0,      // its row was reserved by another executor
    TRP_ACTOR_NAMED = 1 << 1,       // goes by a registered name
    TRP_ACTOR_SUBSCRIBED = 1 << 2,  // hears of dead letters
    TRP_ACTOR_WAS_BLOCKED = 1 << 3, // was refused before, so it may wait for a ROOM already
    TRP_ACTOR_FAILED = 1 << 4,      // of a free row: its last tenant could not start
    TRP_ACTOR_TRAPS = 1 << 5,       // is told of the ends of those it is linked to
    TRP_ACTOR_HAS_EXIT = 1 << 6,    // of a free row: its last tenant's end is noted in it
    TRP_ACTOR_SIGNALS = 1 << 7,     // hears of signals
};

struct trp_stash_entry; // mail that came before its actor, or is deferred; see held.h

/** An actor's row: 64 bytes, a cache line. */
struct trp_actor {
    uint32_t generation;                      // of this tenant, or of the last one
    uint8_t life;                             // an enum trp_life
    uint8_t flags;                            // of enum trp_actor_flag
    uint16_t column;                          // where its state lies
    const struct troupe_behaviour *behaviour; // of a free row, its last tenant's
    void *state;
    char *name;                         // NULL: its behaviour's
    struct trp_stash_entry *stash;      // in order
    struct trp_stash_entry *stash_last; // of them
    uint32_t next;     // in the order of start, index + 1; of a free row, the next free one
    uint32_t previous; // in the order of start, index + 1
    uint32_t monitors; // its list of struct trp_monitor_entry, index + 1
    uint32_t wait;     // WAITING: the place of its ask, + 1
};

/** States of one behaviour. */
struct trp_column {
    size_t stride_bytes;
    void *chunks;     // each begins with a pointer to the next
    void *free_state; // each begins with a pointer to the next
    uint8_t *fresh;   // never used yet, in the newest chunk
    uint32_t fresh_count;
    uint32_t chunk_states; // how many the next chunk has
};

/** Rows lie in segments that double in size, so that they never move. */
enum { TRP_SEGMENT_FIRST_BITS = 4, TRP_SEGMENT_COUNT = 28 };

struct trp_actor_table {
    struct trp_actor *segments[TRP_SEGMENT_COUNT];
    uint32_t made_count; // rows that have memory: those below
    struct trp_column *columns;
    uint32_t column_count;
    uint32_t free_row;   // index + 1
    uint32_t first_row;  // in the order of start, index + 1
    uint32_t last_row;   // as above
    uint32_t live_count; // STARTING, RUNNING or STOPPING
    bool has_batched;    // somebody who takes batches runs here, or ran here once

    _Atomic uint32_t *row_count;    // rows ever given out, by whomever; maybe by other processes
    _Atomic uint32_t own_row_count; // where that is kept, if nowhere else

    pthread_mutex_t lock;
    uint32_t *reserved; // guarded by `lock`: the latest generation reserved from elsewhere, by row
    uint32_t reserved_capacity; // guarded by `lock`
    uint32_t *spare;            // guarded by `lock`: rows to be reserved again
    uint32_t spare_count;       // guarded by `lock`
    uint32_t spare_capacity;    // guarded by `lock`
};

/** @return whether an actor has started, is not about to end, and waits for no answer. */
static inline bool trp_actor_runs(const struct trp_actor *actor)
{
    return actor->life == TRP_LIFE_RUNNING || actor->life == TRP_LIFE_BATCHED;
}

/** @return whether an actor has started, and is not about to end. */
static inline bool trp_actor_is_up(const struct trp_actor *actor)
{
    return trp_actor_runs(actor) || actor->life == TRP_LIFE_WAITING;
}

/** Have an actor run, in the way its behaviour takes its mail. */
static inline void trp_actor_table_set_running(
    struct trp_actor_table *actors, struct trp_actor *actor)
{
    bool is_batched = actor->behaviour->receive_batch != NULL;
    actor->life = is_batched ? TRP_LIFE_BATCHED : TRP_LIFE_RUNNING;
    actors->has_batched |= is_batched;
}

/** Make a world for @p behaviour_count behaviours. @return false: no memory. */
bool trp_actor_table_init(struct trp_actor_table *actors, uint32_t behaviour_count);

/** Free it. No actor lives there any more. */
void trp_actor_table_fini(struct trp_actor_table *actors);

/** @return the row, which was made before. */
static inline struct trp_actor *trp_actor_table_row(
    const struct trp_actor_table *actors, uint32_t index)
{
    uint64_t position = (uint64_t)index + (1u << TRP_SEGMENT_FIRST_BITS);
    uint64_t bits = 63 ^ (uint64_t)__builtin_clzll(position); // 63 minus it, in one step with it
    return &actors->segments[bits - TRP_SEGMENT_FIRST_BITS][position ^ UINT64_C(1) << bits];
}

/** @return the row, or NULL when it was never made. */
static inline struct trp_actor *trp_actor_table_try_row(
    const struct trp_actor_table *actors, uint32_t index)
{
    return index < actors->made_count ? trp_actor_table_row(actors, index) : NULL;
}

/** @return the row of that very tenant, or NULL when it is gone, or not there yet. */
static inline struct trp_actor *trp_actor_table_find(
    const struct trp_actor_table *actors, uint32_t index, uint32_t generation)
{
    if (TRP_UNLIKELY(index >= actors->made_count)) {
        return NULL;
    }
    struct trp_actor *actor = trp_actor_table_row(actors, index);
    return actor->generation == generation && actor->life != TRP_LIFE_FREE ? actor : NULL;
}

/** Make sure that a row has memory. @return it, or NULL without. */
struct trp_actor *trp_actor_table_make_row(struct trp_actor_table *actors, uint32_t index);

/**
 * Give out a row for an actor that the owner starts; it is STARTING.
 *
 * @return the row, or NULL without memory or rows.
 */
struct trp_actor *trp_actor_table_add(struct trp_actor_table *actors, uint32_t *out_index);

/** Reserve a row for an actor that somebody else starts. @return false: no memory. @threads any */
bool trp_actor_table_reserve(
    struct trp_actor_table *actors, uint32_t *out_index, uint32_t *out_generation);

/** Make a reserved row STARTING, now that its START is here. @return NULL: no memory, or no such. */
struct trp_actor *trp_actor_table_claim(
    struct trp_actor_table *actors, uint32_t index, uint32_t generation);

/** @return whether that tenant is still to come: reserved, its START on its way. */
bool trp_actor_table_is_reserved(
    struct trp_actor_table *actors, uint32_t index, uint32_t generation);

/** @return whether that tenant lived here once. */
bool trp_actor_table_had(const struct trp_actor_table *actors, uint32_t index, uint32_t generation);

/** @return whether that tenant was the row's last, and could not start. */
bool trp_actor_table_refused(
    const struct trp_actor_table *actors, uint32_t index, uint32_t generation);

/** Note in a row that was just freed how its last tenant ended. */
void trp_actor_table_note_exit(struct trp_actor *actor, const struct troupe_exit *exit);

/** Tell how a tenant ended, as far as it is known. */
void trp_actor_table_last_exit(
    const struct trp_actor_table *actors,
    uint32_t index,
    uint32_t generation,
    struct troupe_exit *out_exit);

/** Give an actor its state, zeroed, from the column of behaviour @p column. @return false: no memory. */
bool trp_actor_table_add_state(
    struct trp_actor_table *actors, struct trp_actor *actor, uint16_t column, size_t bytes);

/** Put a started actor at the end of the order. */
void trp_actor_table_enlist(
    struct trp_actor_table *actors, struct trp_actor *actor, uint32_t index);

/** End the tenancy of a row: free its state and name, and let the row be used again. */
void trp_actor_table_remove(
    struct trp_actor_table *actors, struct trp_actor *actor, uint32_t index);

#endif

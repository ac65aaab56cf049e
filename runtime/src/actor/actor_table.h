/**
 * @file actor_table.h
 * @brief The actors of an executor: a row each, and their states in one column for each behaviour.
 *
 *     row      generation, life, behaviour, state --+     64 bytes an actor
 *     column   [state][state][state] ...  <---------+     chunks that never move
 *
 * Only the executor's own thread uses rows and columns. Other threads and processes reserve rows, for actors whose
 * START is on its way. A message of another sender may arrive before that START, so the table can tell a row that is
 * reserved from one that never was.
 *
 * The generation of a row grows with each actor that gets it, so a stale reference never reaches the next one; a row
 * whose generation would wrap is retired.
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
 * State of an actor.
 *
 *                           WAITING
 *                              ^ v
 *     FREE --> STARTING --> RUNNING --> STOPPING --> FREE     BATCHED instead of RUNNING, by its behaviour
 *                  |                                   ^
 *                  +-----------------------------------+     init failed
 */
enum trp_life {
    TRP_LIFE_FREE = 0,
    TRP_LIFE_STARTING = 1, // its START is on its way, or its init runs
    TRP_LIFE_RUNNING = 2,
    TRP_LIFE_STOPPING =
        3, // it asked to end, and its callback has not returned yet; or its fini runs
    TRP_LIFE_WAITING = 4, // for the reply to an exclusive ask; other messages are stashed
    TRP_LIFE_BATCHED = 5, // as RUNNING, and takes batches, so the path of single messages skips it
};

enum trp_actor_flag {
    TRP_ACTOR_REMOTE = 1 << 0,      // its row was reserved by another executor
    TRP_ACTOR_NAMED = 1 << 1,       // is registered as at least one name
    TRP_ACTOR_SUBSCRIBED = 1 << 2,  // gets notices of dead letters
    TRP_ACTOR_WAS_BLOCKED = 1 << 3, // a send of its got FULL once, so it may wait for a ROOM
    TRP_ACTOR_FAILED = 1 << 4,      // of a free row: its last actor could not start
    TRP_ACTOR_TRAPS = 1 << 5,       // gets exits of linked actors as notices
    TRP_ACTOR_HAS_EXIT = 1 << 6,    // of a free row: it keeps how its last actor ended
    TRP_ACTOR_SIGNALS = 1 << 7,     // gets notices of signals
};

struct trp_stash_entry; // see stash.h

/** An actor's row: 64 bytes, a cache line. */
struct trp_actor {
    uint32_t generation;                      // of this actor, or of the row's last one
    uint8_t life;                             // an enum trp_life
    uint8_t flags;                            // of enum trp_actor_flag
    uint16_t column;                          // that holds its state; see also HAS_EXIT
    const struct troupe_behaviour *behaviour; // of a free row, its last actor's
    void *state;
    char *name;                    // NULL: its behaviour's
    struct trp_stash_entry *stash; // messages that came before its START, or are deferred; in order
    struct trp_stash_entry *stash_last; // the last of them
    uint32_t next;     // in the order of start, index + 1; of a free row, the next free one
    uint32_t previous; // in the order of start, index + 1; see also HAS_EXIT
    uint32_t monitors; // its list of struct trp_monitor_entry, index + 1
    uint32_t wait;     // WAITING: its ask in the table of asks, index + 1
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

/** Rows are in segments that double in size, so that a row never moves. */
enum { TRP_SEGMENT_FIRST_BITS = 4, TRP_SEGMENT_COUNT = 28 };

struct trp_actor_table {
    struct trp_actor *segments[TRP_SEGMENT_COUNT];
    uint32_t made_count; // rows that have memory: all below this index
    struct trp_column *columns;
    uint32_t column_count;
    uint32_t free_row;   // index + 1
    uint32_t first_row;  // in the order of start, index + 1
    uint32_t last_row;   // as above
    uint32_t live_count; // STARTING, RUNNING or STOPPING
    bool has_batched;    // an actor that takes batches runs here, or did once

    _Atomic uint32_t
        *row_count; // rows ever given out; in the slot, since other processes reserve some
    _Atomic uint32_t own_row_count; // where that points in a table without a slot

    pthread_mutex_t lock;
    uint32_t *
        reserved; // guarded by `lock`: by row, the latest generation that another executor reserved
    uint32_t reserved_capacity; // guarded by `lock`
    uint32_t *spare;            // guarded by `lock`: freed rows, to be reserved again
    uint32_t spare_count;       // guarded by `lock`
    uint32_t spare_capacity;    // guarded by `lock`
};

/** @return whether an actor has started, is not about to end, and waits for no reply. */
static inline bool trp_actor_runs(const struct trp_actor *actor)
{
    return actor->life == TRP_LIFE_RUNNING || actor->life == TRP_LIFE_BATCHED;
}

/** @return whether an actor has started, and is not about to end. */
static inline bool trp_actor_is_up(const struct trp_actor *actor)
{
    return trp_actor_runs(actor) || actor->life == TRP_LIFE_WAITING;
}

/** Make an actor RUNNING, or BATCHED if its behaviour takes batches. */
static inline void trp_actor_table_set_running(
    struct trp_actor_table *actors, struct trp_actor *actor)
{
    bool is_batched = actor->behaviour->receive_batch != NULL;
    actor->life = is_batched ? TRP_LIFE_BATCHED : TRP_LIFE_RUNNING;
    actors->has_batched |= is_batched;
}

/** Set up a table for @p behaviour_count behaviours. @return false: no memory; fini it all the same. */
bool trp_actor_table_init(struct trp_actor_table *actors, uint32_t behaviour_count);

/** Free the memory of a table in which no actor lives any more. */
void trp_actor_table_fini(struct trp_actor_table *actors);

/** @return a row that has memory. */
static inline struct trp_actor *trp_actor_table_row(
    const struct trp_actor_table *actors, uint32_t index)
{
    uint64_t position = (uint64_t)index + (1u << TRP_SEGMENT_FIRST_BITS);
    uint64_t bits = 63 ^ (uint64_t)__builtin_clzll(position); // 63 - clz, as one instruction
    return &actors->segments[bits - TRP_SEGMENT_FIRST_BITS][position ^ UINT64_C(1) << bits];
}

/** @return a row, or NULL when it has no memory yet. */
static inline struct trp_actor *trp_actor_table_try_row(
    const struct trp_actor_table *actors, uint32_t index)
{
    return index < actors->made_count ? trp_actor_table_row(actors, index) : NULL;
}

/** @return the row of the actor of that generation, or NULL when it has ended, or its START did not come yet. */
static inline struct trp_actor *trp_actor_table_find(
    const struct trp_actor_table *actors, uint32_t index, uint32_t generation)
{
    if (TRP_UNLIKELY(index >= actors->made_count)) {
        return NULL;
    }
    struct trp_actor *actor = trp_actor_table_row(actors, index);
    return actor->generation == generation && actor->life != TRP_LIFE_FREE ? actor : NULL;
}

/** Make sure that a row has memory. @return it; NULL: no memory. */
struct trp_actor *trp_actor_table_make_row(struct trp_actor_table *actors, uint32_t index);

/**
 * Give out a row for an actor that this executor spawns on itself; it is STARTING.
 *
 * @return the row; NULL: no memory, or no row is left.
 */
struct trp_actor *trp_actor_table_add(struct trp_actor_table *actors, uint32_t *out_index);

/** Reserve a row for an actor that another executor spawns. @return false: no memory. @threads any */
bool trp_actor_table_reserve(
    struct trp_actor_table *actors, uint32_t *out_index, uint32_t *out_generation);

/** Make a row STARTING, whose START has arrived. @return NULL: no memory, or the row is taken. */
struct trp_actor *trp_actor_table_claim(
    struct trp_actor_table *actors, uint32_t index, uint32_t generation);

/** @return whether the row is reserved for that generation, and its START did not come yet. */
bool trp_actor_table_is_reserved(
    struct trp_actor_table *actors, uint32_t index, uint32_t generation);

/** @return whether an actor starts, or its START is on its way: what is for it is stashed. */
bool trp_actor_table_is_starting(
    struct trp_actor_table *actors, uint32_t index, uint32_t generation);

/** @return whether the row had an actor of that generation, or has it. */
bool trp_actor_table_had(const struct trp_actor_table *actors, uint32_t index, uint32_t generation);

/** @return whether that generation was the row's last, and could not start. */
bool trp_actor_table_failed(
    const struct trp_actor_table *actors, uint32_t index, uint32_t generation);

/** Keep in a row that was just freed how its last actor ended. */
void trp_actor_table_note_exit(struct trp_actor *actor, const struct troupe_exit *exit);

/** Get how an actor ended: its reason and code while its row has no other actor, then `unknown`. */
void trp_actor_table_last_exit(
    const struct trp_actor_table *actors,
    uint32_t index,
    uint32_t generation,
    struct troupe_exit *out_exit);

/** Give an actor its state, zeroed, from the column of behaviour @p column. @return false: no memory. */
bool trp_actor_table_add_state(
    struct trp_actor_table *actors, struct trp_actor *actor, uint16_t column, size_t bytes);

/** Append a started actor to the order of start. */
void trp_actor_table_enlist(
    struct trp_actor_table *actors, struct trp_actor *actor, uint32_t index);

/** Free a row, with the state and name of its actor, to be used again. */
void trp_actor_table_remove(
    struct trp_actor_table *actors, struct trp_actor *actor, uint32_t index);

#endif

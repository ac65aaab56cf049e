/**
 * @file slot.h
 * @brief What all processes know of one executor.
 *
 *     FREE --take--> OPEN --it ends--> CLOSING --> ENDED --its counts are added to the sums--> FREE
 *                      \                  \
 *                       `--its process died`--> DEAD ---------------------------------------'
 *
 * A slot keeps its place in shared memory as long as the system lives, so a pointer to one never dangles; whose
 * it is may change. The id of an executor says where its slot is, and which of the executors that had it one
 * after the other it is; so no id is used twice. Slots are used again in the order in which they were freed, and
 * not while few are free: what they say of an exit stays readable for a while, and little memory is touched. An executor counts in its own slot, without a lock. Fields say which thread writes them;
 * what says nothing is guarded by shared memory's lock.
 */
#ifndef TRP_SLOT_H
#define TRP_SLOT_H

#include "base/cache_line.h"
#include "base/counter.h"
#include "shared/credit_pool.h"
#include "shared/doorbell.h"
#include "troupe/behaviour.h"
#include "troupe/message.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct trp_shared;

/** What an executor counts, except messages, which its ledgers count. See struct troupe_stats. */
struct trp_counters {
    trp_counter_t refused;
    trp_counter_t rooms;
    trp_counter_t frames_sent;
    trp_counter_t frames_received;
    trp_counter_t frames_undecodable;
    trp_counter_t sequence_gaps;
    trp_counter_t actors_started;
    trp_counter_t actors_failed;
    trp_counter_t actors_ended;
};

enum trp_slot_state {
    TRP_SLOT_FREE = 0,
    TRP_SLOT_OPEN = 1,    // accepts new channels
    TRP_SLOT_CLOSING = 2, // accepts none any more
    TRP_SLOT_ENDED = 3,   // stopped in order
    TRP_SLOT_DEAD = 4,    // its process died
};

enum { TRP_SLOT_NAME_BYTES = 32, TRP_SLOT_BACKEND_BYTES = 16 };

/** The free slots, except those that were never used. */
struct trp_slot_queue {
    uint32_t first; // index + 1; 0: none
    uint32_t last;  // likewise
    uint32_t count;
};

struct trp_slot {
    struct trp_doorbell doorbell;
    struct trp_credit_pool pool;

    // Written by the executor's own thread.
    alignas(TRP_CACHE_LINE) trp_counter_t callback; // see activity.h
    _Atomic uint32_t callback_type;                 // likewise
    _Atomic uint32_t timer_count;                   // as of when it last became idle
    struct trp_counters counters;
    _Atomic int32_t
        thread; // its thread id, which can be signalled to print its stack; 0: it cannot
    _Atomic int32_t process;      // the process id of that
    _Atomic uint32_t trace_count; // how often it has printed its stack

    _Atomic uint32_t state;      // an enum trp_slot_state; written under the lock
    _Atomic bool stop_requested; // the executor is to end. Any thread's
    _Atomic uint32_t row_count;  // rows of its actor table that were ever given out. Any thread's
    uint32_t id;
    uint32_t node;
    uint32_t
        reply_to; // the process that is about to request the start of `node`; 0: it has done so
    bool is_inbox;
    bool failed;       // its only actor could not start
    bool died;         // its process died
    bool listens;      // other processes reach it, by ipc or tcp
    uint8_t transport; // an enum trp_transport: how it is reached
    uint16_t tcp_port;
    char name[TRP_SLOT_NAME_BYTES];
    struct troupe_exit exit; // of its process, or of its only actor
    bool has_exit;           // written before `state`
    char backend[TRP_SLOT_BACKEND_BYTES];
    uint64_t seen_callback;          // value of `callback` at the latest sample
    uint64_t seen_ns;                // when a sample first had that value
    uint64_t named_callback;         // the callback that the watchdog has reported
    uint32_t next_free;              // of the queue of free slots, index + 1
    uint32_t first_in;               // ledgers into it, index + 1
    _Atomic uint32_t in_open_count;  // of them, those that are OPEN; written under the lock
    _Atomic uint32_t out_open_count; // ledgers out of it that are OPEN; written under the lock
    uint64_t mail_accepted;          // sums of the ledgers into it that were freed
    uint64_t mail_handled;
    uint64_t mail_dead;
    uint64_t mail_unknown;
};

/** @return a slot's state. @threads any */
static inline enum trp_slot_state trp_slot_state(const struct trp_slot *slot)
{
    return (enum trp_slot_state)atomic_load_explicit(&slot->state, memory_order_acquire);
}

/** @return whether an executor or an inbox has that slot, and has not ended. @threads any */
static inline bool trp_slot_is_there(const struct trp_slot *slot)
{
    enum trp_slot_state state = trp_slot_state(slot);
    return state == TRP_SLOT_OPEN || state == TRP_SLOT_CLOSING;
}

/**
 * Give out a slot to a new executor of process @p node; it is OPEN.
 *
 * @param reply_to  The process that takes the slot. If it dies before it has requested the start of @p node,
 *                  the executor ends with it.
 * @return          NULL: all slots are taken.
 */
struct trp_slot *trp_slot_take_next(
    struct trp_shared *shared, uint32_t node, uint32_t reply_to, const char *name);

/** As trp_slot_take_next(), for the executor that is to have @p id. @return NULL: its slot is taken. */
struct trp_slot *trp_slot_take(
    struct trp_shared *shared, uint32_t id, uint32_t node, uint32_t reply_to, const char *name);

/** Return a slot that no ledger refers to. @threads holding shared memory's lock */
void trp_slot_free(struct trp_shared *shared, struct trp_slot *slot);

/** Take back a slot whose executor was never started: it does not count as one. */
void trp_slot_discard(struct trp_shared *shared, struct trp_slot *slot);

/** @return why mail for the executor @p id, which accepts no channels, is dead. @threads any */
enum troupe_dead_reason trp_slot_why_dead(struct trp_shared *shared, uint32_t id);

#endif

/**
 * @file ledger.h
 * @brief The counts of one direction of a channel: what was accepted, what became of it, which credit it holds.
 *
 *     FREE --open--> OPEN --each message has an outcome--> CLOSED --added to the sums--> FREE
 *
 * Once it is CLOSED its counters balance:
 *
 *     accepted = handled + dead + unknown + moved
 *
 * Each outcome is one store into one ledger. So after a process was killed the ledgers in shared memory still
 * say exactly what it had accepted, started and handled, and its peers account for the rest.
 */
#ifndef TRP_LEDGER_H
#define TRP_LEDGER_H

#include "base/cache_line.h"
#include "base/counter.h"
#include "base/error.h"
#include "troupe/message.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct trp_shared;
struct trp_slot;

enum trp_ledger_state {
    TRP_LEDGER_FREE = 0,
    TRP_LEDGER_OPEN = 1,   // the sender may send, or its FIN is on its way
    TRP_LEDGER_CLOSED = 2, // each message has an outcome; to be added to the sums and freed
};

struct trp_ledger {
    // Written by the sender.
    alignas(TRP_CACHE_LINE) trp_counter_t accepted;
    trp_counter_t commands;         // of them, those that are counted: ::TRP_MARK_COUNTED
    _Atomic int64_t taken_messages; // credit ever taken; less what was returned, the channel has it
    _Atomic int64_t taken_bytes;
    _Atomic int32_t reserve_messages; // taken from the reserve, and not returned yet
    _Atomic bool is_waiting;          // counted in the pool's `waiting_count`
    uint32_t from;                    // executors; const while it is OPEN
    uint32_t to;
    uint64_t cookie; // that its frames carry; const while it is OPEN
    bool is_loop;    // of an executor to itself, which needs no FIN
    bool is_remote;  // its frames go by ipc or tcp
    _Atomic uint32_t state;

    // Written by the receiver.
    alignas(TRP_CACHE_LINE) trp_counter_t handled;
    trp_counter_t started; // messages that the receiver has begun to handle, `handled` included
    trp_counter_t moved;   // arrived before their actor did: accepted again, by the receiver's loop
    _Atomic int64_t returned_messages; // credit that was returned
    _Atomic int64_t returned_bytes;
    _Atomic bool gone; // the receiver accepts no more mail: the sender is to send FIN
    bool claimed;      // the receiver has received a frame of it
    uint32_t next_in;  // of the ledgers into the same executor, index + 1

    // Written by the receiver; by the sender once the receiver has died; by the first process once both have.
    alignas(TRP_CACHE_LINE) trp_counter_t dead[TROUPE_DEAD_REASON_COUNT];
    trp_counter_t unknown;
};

/** Open the ledger of an executor's channel to itself. @return NULL: all ledgers are taken. */
struct trp_ledger *trp_ledger_open_loop(struct trp_shared *shared, struct trp_slot *slot);

/**
 * Open a ledger from one executor to another.
 *
 * @retval TROUPE_OK         *out_ledger and *out_to are set.
 * @retval TROUPE_ERR_NOENT  the receiver does not exist, or accepts no more channels.
 * @retval TROUPE_ERR_LIMIT  all ledgers are taken.
 */
enum troupe_err trp_ledger_open(
    struct trp_shared *shared,
    struct trp_slot *from,
    uint32_t to,
    struct trp_ledger **out_ledger,
    struct trp_slot **out_to);

/** Find the open ledger from executor @p from into @p to that was not claimed yet, and claim it. */
struct trp_ledger *trp_ledger_claim(
    struct trp_shared *shared, struct trp_slot *to, uint32_t from, struct trp_slot **out_from);

/** Close a ledger whose messages all have an outcome. @threads any, without the lock */
void trp_ledger_close(struct trp_shared *shared, struct trp_ledger *ledger);

/** Wait until a ledger is not OPEN, or @p timeout_ns pass; by then it may be another channel's. */
void trp_ledger_await_closed(const struct trp_ledger *ledger, uint64_t timeout_ns);

/** Take a closed ledger off its lists and free it. @threads holding shared memory's lock, in the first process */
void trp_ledger_free(struct trp_shared *shared, struct trp_ledger *ledger);

/**
 * Note that the receiver starts to handle @p count messages: one, or a batch. They are handled once `handled` has
 * grown by as many; if the receiver's process dies before, their outcome is unknown.
 */
static inline void trp_ledger_start(struct trp_ledger *ledger, uint64_t count)
{
    uint64_t handled = atomic_load_explicit(&ledger->handled, memory_order_relaxed);
    atomic_store_explicit(&ledger->started, handled + count, memory_order_release);
}

/** @return how many messages are started and not handled: of a process that died, how many it was handling. */
static inline uint64_t trp_ledger_in_progress(const struct trp_ledger *ledger)
{
    uint64_t started = trp_counted(&ledger->started);
    uint64_t handled = trp_counted(&ledger->handled);
    return started > handled ? started - handled
                             : 0; // an inbox counts messages that it never started
}

/** @return how many of a ledger's messages have an outcome. */
uint64_t trp_ledger_done(const struct trp_ledger *ledger);

/** @return how many of them are dead letters. */
uint64_t trp_ledger_dead(const struct trp_ledger *ledger);

#endif

/**
 * @file board.h
 * @brief What all processes of a system share: counts, credit, names and who is where; never a message.
 *
 *     slots     one for each executor: its doorbell, its credit, its counters, the callback it is in
 *     ledgers   one for each channel: what was accepted, what became of it, what credit it holds
 *     names     who goes by a registered name, and who waits for one
 *     nodes     one for each process: how it was started, how it ended
 *
 * It is memory of its own, which a child inherits and which outlives any process that writes to it.
 * After a kill it still says exactly what was accepted, begun and done: each message's outcome is one
 * store into one ledger. Lists change by one store too, so that a process which dies while it holds the
 * lock leaves them whole.
 *
 * Unless a field says otherwise it is guarded by shared memory's lock.
 */
#ifndef TRP_SHARED_H
#define TRP_SHARED_H

#include "base/cache_line.h"
#include "base/counter.h"
#include "base/error.h"
#include "shared/credit_pool.h"
#include "shared/dead_counts.h"
#include "shared/doorbell.h"
#include "troupe/behaviour.h"
#include "troupe/message.h"
#include "troupe/ref.h"

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/** What an executor counts beside the mail; see struct troupe_stats for most. */
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

/** Where a ledger is in its life. */
enum trp_ledger_state {
    TRP_LEDGER_FREE = 0,
    TRP_LEDGER_OPEN = 1,   // the sender may send, or its FIN is on its way
    TRP_LEDGER_CLOSED = 2, // each message's outcome is known; it is to be added to the sums
};

/**
 * The counts of a channel in one direction. It closes when
 *
 *     accepted = handled + dead + unknown + moved
 */
struct trp_ledger {
    // The sender's.
    alignas(TRP_CACHE_LINE) trp_counter_t accepted;
    trp_counter_t commands;         // those of them that are counted: TRP_MARK_COUNTED
    _Atomic int64_t taken_messages; // credit ever taken, to know what the channel holds
    _Atomic int64_t taken_bytes;
    _Atomic int32_t reserve_messages; // taken from the reserve, and not back there yet
    _Atomic bool is_waiting;          // counted in the pool's `waiting_count`
    uint32_t from;                    // executors; const while it is open
    uint32_t to;
    uint64_t cookie; // what its frames carry; const while it is open
    bool is_loop;    // of an executor to itself, which needs no FIN
    bool is_remote;  // its frames go by ipc or tcp
    _Atomic uint32_t state;

    // The receiver's.
    alignas(TRP_CACHE_LINE) trp_counter_t handled;
    trp_counter_t started; // beyond `handled`: in the receiver's hand
    trp_counter_t
        moved; // came before its actor: accepted anew, by the receiver's channel to itself
    _Atomic int64_t returned_messages; // credit that came back
    _Atomic int64_t returned_bytes;
    _Atomic bool gone; // the receiver takes no more mail: finish
    bool claimed;      // the receiver has met a frame of it
    uint32_t next_in;  // of the ledgers into the same executor, index + 1

    // Of the receiver; of the sender once the receiver died; of the first node once both did.
    alignas(TRP_CACHE_LINE) trp_counter_t dead[TROUPE_DEAD_REASON_COUNT];
    trp_counter_t unknown;
};

/** Where an executor is in its life, as seen by all. */
enum trp_slot_state {
    TRP_SLOT_FREE = 0,
    TRP_SLOT_OPEN = 1,    // takes new channels
    TRP_SLOT_CLOSING = 2, // takes none
    TRP_SLOT_ENDED = 3,   // in order
    TRP_SLOT_DEAD = 4,    // its process died
};

enum { TRP_SLOT_NAME_BYTES = 32, TRP_SLOT_BACKEND_BYTES = 16 };

/** What all processes know of an executor. */
struct trp_slot {
    struct trp_doorbell doorbell;
    struct trp_credit_pool pool;
    alignas(TRP_CACHE_LINE) trp_counter_t callback; // its own: see activity.h
    _Atomic uint32_t callback_type;                 // its own, likewise
    _Atomic uint32_t timer_count;                   // its own, as of when it last had nothing to do
    struct trp_counters counters;                   // its own
    _Atomic int32_t thread;       // its own: by its number, where it can be asked for its stack
    _Atomic int32_t process;      // whose that is
    _Atomic uint32_t trace_count; // its own: how often it told its stack
    _Atomic uint32_t state;       // written under the lock
    _Atomic bool stop_requested;  // asked to end. Any thread's
    _Atomic uint32_t row_count;   // rows ever given out, by whomever. Any thread's
    uint32_t id;
    uint32_t node;
    uint32_t reply_to; // the process that is about to ask for this one's; 0 once it has
    bool is_inbox;
    bool failed;       // its only actor could not start
    bool listens;      // other processes reach it by ipc, or by tcp
    uint8_t transport; // an enum trp_transport: how it is reached
    uint16_t tcp_port;
    char name[TRP_SLOT_NAME_BYTES];
    struct troupe_exit exit; // how its process ended, or its only actor
    bool has_exit;           // written before `state`
    char backend[TRP_SLOT_BACKEND_BYTES];
    uint64_t seen_callback;         // what `doing` was when somebody last looked
    uint64_t seen_ns;               // and when it was first seen to be that
    uint64_t named_callback;        // of the callback that the watchdog named
    uint32_t first_in;              // ledgers into it, index + 1
    _Atomic uint32_t in_open_count; // of them, those whose FIN is to come; written under the lock
    _Atomic uint32_t
        out_open_count;     // ledgers out of it that are not closed; written under the lock
    uint32_t first_name;    // names its actors go by, index + 1
    uint64_t mail_accepted; // of ledgers into it that were added to the sums
    uint64_t mail_handled;
    uint64_t mail_dead;
    uint64_t mail_unknown;
};

/** Where a process is in its life. */
enum trp_process_state {
    TRP_PROCESS_FREE = 0,
    TRP_PROCESS_REQUESTED = 1, // to be started
    TRP_PROCESS_RUNNING = 2,
    TRP_PROCESS_ENDED = 3,
};

enum {
    TRP_PROCESS_LIMITS_BYTES = 320,
    TRP_PROCESS_NAME_BYTES = 64,
    TRP_PROCESS_BACKEND_BYTES = 16
};

/** What all know of a process: how to start it, and how it ended. */
struct trp_process {
    _Atomic uint32_t state;
    uint32_t id;
    uint32_t executor; // the one it was started for
    uint64_t token;    // proves that a process is the one that was started; 0 once it has
    bool dedicated;
    _Atomic int32_t pid;                    // once it runs
    char exit_note[TROUPE_EXIT_TEXT_BYTES]; // why it ends itself, as far as it says
    _Atomic bool out_of_memory;             // and it ended for that
    char name[TRP_PROCESS_NAME_BYTES];
    char backend[TRP_PROCESS_BACKEND_BYTES];
    char limits[TRP_PROCESS_LIMITS_BYTES]; // in words
};

struct trp_shared_name {
    uint32_t next;       // of the same hash, or of the free, index + 1
    uint32_t next_owned; // of the same executor, index + 1
    uint32_t waiters;    // index + 1
    troupe_ref_t owner;  // ::TROUPE_REF_NONE: it is only waited for
    char text[256];
};

struct trp_shared_waiter {
    uint32_t next; // index + 1
    troupe_ref_t ref;
    uint64_t ask;
};

/** Who asks for which signals. */
struct trp_signal_subscriber {
    troupe_ref_t ref;
    uint64_t signals; // a bit each
};

/** The pool of a rule or a spawn whose executors are processes: one for the whole system. */
struct trp_shared_pool {
    char text[96];  // the rule
    uint32_t first; // of its slots
    uint32_t count;
    uint32_t turn; // where the next nameless actor goes
};

enum {
    TRP_SHARED_SLOTS = 1 << 16,
    TRP_SHARED_LEDGERS = 1 << 18,
    TRP_SHARED_NAMES = 1 << 17,
    TRP_SHARED_WAITERS = 1 << 17,
    TRP_SHARED_BUCKETS = 1 << 16,
    TRP_SHARED_PROCESSES = 1 << 12,
    TRP_SHARED_SUBSCRIBERS = 256,
    TRP_SHARED_SIGNAL_SUBSCRIBERS = 64,
    TRP_SHARED_POOLS = 256,
    TRP_SHARED_POOL_SLOTS = 1 << 13,
    TRP_SHARED_RULES_BYTES = 1 << 16,
    TRP_SHARED_RUN_DIR_BYTES = 96,
};

/** Sums of the ledgers that were closed. The first node's to write. */
struct trp_sums {
    uint64_t accepted;
    uint64_t handled;
    uint64_t dead_by_reason[TROUPE_DEAD_REASON_COUNT];
    uint64_t unknown;
    struct trp_counters counters; // of executors that are gone
    uint64_t executors_started;
    uint64_t executors_ended;
};

struct trp_shared {
    uint64_t magic; // of this layout
    pthread_mutex_t lock;
    _Atomic int32_t lock_holder; // the process that has it; 0: none

    // Const once the first child runs.
    uint64_t mailbox_messages;
    uint64_t mailbox_bytes;
    uint64_t seed;
    uint64_t stop_timeout_ns;
    bool dead_letter_log;
    uint64_t callback_timeout_ns; // 0: none
    bool callback_timeout_kills;
    uint64_t signals_blocked; // those an actor may ask for, a bit each
    char run_dir[TRP_SHARED_RUN_DIR_BYTES];
    char rules[TRP_SHARED_RULES_BYTES]; // of placement, then limits; see trp_rules_write()
    int32_t first_pid;                  // of the first node

    // Any thread's.
    _Atomic uint32_t next_executor;
    _Atomic uint32_t next_node;
    _Atomic uint32_t process_exit_count; // processes that died
    _Atomic bool stop_asked;
    _Atomic uint64_t root_executor;    // of the watched actor, + 1; 0: none
    _Atomic uint64_t root_actor_key;   // of it, as trp_actor_key(): good while root_executor is
    _Atomic uint32_t subscriber_count; // written under the lock

    troupe_ref_t root;
    struct troupe_exit root_exit;
    bool root_ended;
    troupe_ref_t subscribers[TRP_SHARED_SUBSCRIBERS];

    struct trp_dead_counts dead_counts; // any thread's: see toll.h
    struct trp_signal_subscriber signal_subscribers[TRP_SHARED_SIGNAL_SUBSCRIBERS];
    uint32_t signal_subscriber_count;

    struct trp_sums sums;
    _Atomic uint32_t slot_high;   // as below, of slots
    _Atomic uint32_t ledger_high; // no ledger from here on was ever used; written under the lock
    uint32_t ledger_free;         // index + 1
    uint32_t name_high;
    uint32_t name_free;
    uint32_t waiter_high;
    uint32_t waiter_free;
    uint32_t pool_count;
    uint32_t pool_slot_count;

    struct trp_shared_pool pools[TRP_SHARED_POOLS];
    uint32_t pool_slots[TRP_SHARED_POOL_SLOTS]; // executors, made when first needed
    uint32_t buckets[TRP_SHARED_BUCKETS];       // names by hash, index + 1
    struct trp_process processes[TRP_SHARED_PROCESSES];
    struct trp_shared_name names[TRP_SHARED_NAMES];
    struct trp_shared_waiter waiters[TRP_SHARED_WAITERS];
    alignas(TRP_CACHE_LINE) struct trp_slot slots[TRP_SHARED_SLOTS];
    struct trp_ledger ledgers[TRP_SHARED_LEDGERS];
};

/** Make a shared memory. @param out_fd  Receives its descriptor, by which a child gets at it. */
enum troupe_err trp_shared_new(struct trp_shared **out_shared, int *out_fd);

/** Get at shared memory behind @p fd. @return an error when it is none, or another version's. */
enum troupe_err trp_shared_adopt(int fd, struct trp_shared **out_shared);

/** Let go of a shared memory; other processes may go on with it. Does nothing when it is NULL. */
void trp_shared_close(struct trp_shared **shared_p);

/**
 * Lock it, also when who locked it last died meanwhile. The first process ends a child that has it and was
 * stopped (SIGSTOP) for 3 s: all others would stand still with it, and the end of the system, too.
 */
void trp_shared_lock(struct trp_shared *shared);

/** Undo trp_shared_lock(). */
void trp_shared_unlock(struct trp_shared *shared);

/* Slots. ---------------------------------------------------------------------------------------- */

/**
 * Give out the slot of executor @p id of @p node; it is OPEN.
 *
 * @param asker  The process that takes it: if that dies before it asked for @p node, both end together.
 * @return NULL: all are taken.
 */
struct trp_slot *trp_shared_take_slot(
    struct trp_shared *shared, uint32_t id, uint32_t node, uint32_t reply_to, const char *name);

/** @return the slot of an executor that is or was there, or NULL. @threads holding the lock */
struct trp_slot *trp_shared_find_slot(struct trp_shared *shared, uint32_t id);

/** Give back a slot that no ledger refers to. @threads holding the lock */
void trp_shared_free_slot(struct trp_slot *slot);

/** @return a slot's state. @threads any */
static inline enum trp_slot_state trp_slot_state(const struct trp_slot *slot)
{
    return (enum trp_slot_state)atomic_load_explicit(&slot->state, memory_order_acquire);
}

/** @return whether an executor or a inbox has that slot, and has not ended. @threads any */
static inline bool trp_slot_is_there(const struct trp_slot *slot)
{
    enum trp_slot_state state = trp_slot_state(slot);
    return state == TRP_SLOT_OPEN || state == TRP_SLOT_CLOSING;
}

/* Processes. ------------------------------------------------------------------------------------ */

/** @return the process of that number, or NULL. @threads holding shared memory's lock */
struct trp_process *trp_shared_find_process(struct trp_shared *shared, uint32_t id);

/** Give out the place of a process to be started for executor @p slot. @return NULL: all are taken. */
struct trp_process *trp_shared_take_process(struct trp_shared *shared, const struct trp_slot *slot);

/** Give it back. */
void trp_shared_free_process(struct trp_shared *shared, struct trp_process *node);

/** Find the pool of a rule or a spawn, or make it. @return NULL: all are taken. */
struct trp_shared_pool *trp_shared_pool(
    struct trp_shared *shared, const char *text, uint32_t count);

/* Ledgers. -------------------------------------------------------------------------------------- */

/** Open the ledger of an executor's channel to itself. @return NULL: all ledgers are taken. */
struct trp_ledger *trp_shared_open_loop(struct trp_shared *shared, struct trp_slot *slot);

/**
 * Open a ledger from one executor to another.
 *
 * @retval TROUPE_OK         *out_ledger is set.
 * @retval TROUPE_ERR_NOENT  the receiver is not there, or takes no more channels.
 * @retval TROUPE_ERR_LIMIT  all ledgers are taken.
 */
enum troupe_err trp_shared_open_ledger(
    struct trp_shared *shared,
    struct trp_slot *from,
    uint32_t to,
    struct trp_ledger **out_ledger,
    struct trp_slot **out_to);

/** Find the open ledger from executor @p from into @p to that was not claimed yet, and claim it. */
struct trp_ledger *trp_shared_claim_ledger(
    struct trp_shared *shared, struct trp_slot *to, uint32_t from, struct trp_slot **out_from);

/** Close a ledger whose messages all have an outcome. */
void trp_shared_close_ledger(struct trp_shared *shared, struct trp_ledger *ledger);

/** Wait until a ledger is OPEN no more, or @p timeout_ns pass; it may be another's by then. */
void trp_shared_await_closed(const struct trp_ledger *ledger, uint64_t timeout_ns);

/** Take a closed ledger out of its lists and free it. @threads holding the lock, in the first node */
void trp_shared_free_ledger(struct trp_shared *shared, struct trp_ledger *ledger);

/** @return where a ledger lies. */
static inline uint32_t trp_shared_ledger_index(
    const struct trp_shared *shared, const struct trp_ledger *ledger)
{
    return (uint32_t)(ledger - shared->ledgers);
}

/**
 * Note that the receiver takes @p count messages in its hand: one, or a batch. They are done with once as many
 * more are counted as handled; until then, should its process die, what became of them is unknown.
 */
static inline void trp_ledger_start(struct trp_ledger *ledger, uint64_t count)
{
    uint64_t handled = atomic_load_explicit(&ledger->handled, memory_order_relaxed);
    atomic_store_explicit(&ledger->started, handled + count, memory_order_release);
}

/** @return how many messages were in the receiver's hand when its process died. */
static inline uint64_t trp_ledger_in_progress(const struct trp_ledger *ledger)
{
    uint64_t started = trp_counted(&ledger->started);
    uint64_t handled = trp_counted(&ledger->handled);
    return started > handled ? started - handled : 0; // some are counted without being begun
}

/** @return what of a ledger's messages is done with. */
uint64_t trp_ledger_done(const struct trp_ledger *ledger);

/** @return the sum of its dead letters. */
uint64_t trp_ledger_dead(const struct trp_ledger *ledger);

#endif

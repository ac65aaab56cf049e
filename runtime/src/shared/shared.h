/**
 * @file shared.h
 * @brief The memory that all processes of a system share: counts, credit, names, processes; never a message.
 *
 *     slots       one for each executor: its doorbell, credit and counters, and the callback it runs    slot.h
 *     ledgers     one for each direction of a channel: what was accepted, what became of it             ledger.h
 *     processes   one for each child process: how to start it, how it ended                             process.h
 *     names       registered names, and the asks that wait for one                                      names.h
 *     pools, subscribers, root, dead_counts, sums                                                       likewise
 *
 * It is a mapping that a child inherits and that outlives any process which writes to it: after a kill it says
 * exactly what was accepted, started and handled. Messages go through ZeroMQ alone.
 *
 * Unless a field says otherwise it is guarded by the lock, which is the innermost: a thread that holds it takes
 * no other. Lists change by one store, so that a process which dies while it holds the lock leaves them whole;
 * what takes two stores is repaired by the next to lock.
 */
#ifndef TRP_SHARED_H
#define TRP_SHARED_H

#include "base/cache_line.h"
#include "base/counter.h"
#include "base/error.h"
#include "shared/dead_counts.h"
#include "shared/ledger.h"
#include "shared/names.h"
#include "shared/process.h"
#include "shared/process_pool.h"
#include "shared/reservations.h"
#include "shared/root.h"
#include "shared/slot.h"
#include "shared/subscribers.h"
#include "shared/sums.h"
#include "wire/guard.h"

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    TRP_SHARED_SLOTS = 1 << 16,
    TRP_SHARED_LEDGERS = 1 << 18,
    TRP_SHARED_NAMES = 1 << 17,
    TRP_SHARED_WAITERS = 1 << 17,
    TRP_SHARED_BUCKETS = 1 << 16,
    TRP_SHARED_POOLS = 256,
    TRP_SHARED_POOL_SLOTS = 1 << 13,
    TRP_SHARED_RULES_BYTES = 1 << 16,
    TRP_SHARED_RUN_DIR_BYTES = 96,
};

/** Id of the process that makes a system. */
#define TRP_NODE_FIRST 1u

struct trp_shared {
    uint64_t magic; // of this layout
    pthread_mutex_t lock;
    _Atomic int32_t lock_holder; // process id of the process that has the lock; 0: none

    // Const once the first child runs.
    uint64_t mailbox_messages;
    uint64_t mailbox_bytes;
    uint64_t seed;
    uint64_t stop_timeout_ns;
    bool dead_letter_log;
    uint64_t callback_timeout_ns; // 0: none
    bool callback_timeout_kills;
    uint64_t signals_blocked; // those an actor may subscribe to, a bit each
    char run_dir[TRP_SHARED_RUN_DIR_BYTES];
    char secret[TRP_SECRET_BYTES];      // of those who may connect: see guard.h
    char rules[TRP_SHARED_RULES_BYTES]; // of placement, then limits; see trp_rules_write()
    int32_t first_pid;                  // process id of the first process

    // Any thread's.
    _Atomic uint32_t next_node;          // id of the process that is made next
    _Atomic uint32_t process_exit_count; // processes that died
    _Atomic bool stop_asked;
    _Atomic bool is_damaged; // a process found it to be; see damage.h

    struct trp_root root;
    struct trp_subscribers subscribers;
    struct trp_signal_subscribers signal_subscribers;
    struct trp_dead_counts dead_counts; // any thread's
    struct trp_sums sums;               // of what was freed; written by the first process

    // How much of each array below was ever used, and the first free entry, index + 1.
    _Atomic uint32_t slot_high;   // written under the lock
    _Atomic uint32_t ledger_high; // written under the lock
    struct trp_slot_queue slot_queue;
    uint32_t ledger_free;
    uint32_t name_high;
    uint32_t name_free;
    uint32_t waiter_high;
    uint32_t waiter_free;
    uint32_t reservation_high;
    uint32_t reservation_free;
    uint32_t pool_count;
    uint32_t pool_slot_count;

    struct trp_process_pool pools[TRP_SHARED_POOLS];
    uint32_t pool_slots[TRP_SHARED_POOL_SLOTS]; // the places of all pools: see process_pool.h
    uint32_t buckets[TRP_SHARED_BUCKETS];       // names by hash, index + 1
    uint32_t owner_buckets[TRP_SHARED_BUCKETS]; // names by the hash of their owner, index + 1
    struct trp_process processes[TRP_SHARED_PROCESSES];
    struct trp_name names[TRP_SHARED_NAMES];
    struct trp_name_wait waiters[TRP_SHARED_WAITERS];
    struct trp_reservation reservations[TRP_SHARED_RESERVATIONS];
    alignas(TRP_CACHE_LINE) struct trp_slot slots[TRP_SHARED_SLOTS];
    struct trp_ledger ledgers[TRP_SHARED_LEDGERS];
};

/** Make shared memory. @param out_fd  Receives its descriptor, by which a child maps it. */
enum troupe_err trp_shared_new(struct trp_shared **out_shared, int *out_fd);

/** Map the shared memory behind @p fd. @return an error when it is none, or another version's. */
enum troupe_err trp_shared_adopt(int fd, struct trp_shared **out_shared);

/** Unmap shared memory; other processes may go on with it. Does nothing when it is NULL. */
void trp_shared_close(struct trp_shared **shared_p);

/**
 * Lock shared memory; if the process that has the lock dies, take it over.
 *
 * A process that is stopped (SIGSTOP) while it has the lock would block all others, and the end of the system
 * with them. The first process kills a child for which that has lasted 3 s.
 */
void trp_shared_lock(struct trp_shared *shared);

/** Undo trp_shared_lock(). */
void trp_shared_unlock(struct trp_shared *shared);

/** @return the slot of an executor that exists or existed, or NULL. @threads holding the lock */
struct trp_slot *trp_shared_find_slot(struct trp_shared *shared, uint32_t id);

/** @return a random number that nothing can guess. */
uint64_t trp_shared_cookie(void);

#endif

/**
 * @file system.h
 * @brief A system in one process: what its executors share, what carries them, and what was asked of it.
 *
 * Lock order: `pool_lock`, an inbox's `lock`, the runtime's `lock`, the process manager's, shared memory's;
 * `start_lock` is taken alone. No behaviour runs under any of them, and the path of a message takes none.
 */
#ifndef TRP_SYSTEM_H
#define TRP_SYSTEM_H

#include "actor/dead_letter_log.h"
#include "actor/executor.h"
#include "config/builtin.h"
#include "config/config.h"
#include "shared/records.h"
#include "shared/shared.h"
#include "troupe/backend.h"
#include "troupe/system.h"
#include "wire/run_dir.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The number of the process that makes a system: the first process. */
#define TRP_NODE_FIRST 1u

/** A backend that is ready. */
struct trp_backend_state {
    const struct troupe_backend_ops *ops;
    void *self; // what its `init` gave
};

struct troupe_system {
    struct trp_runtime runtime; // what its executors see of it
    uint64_t stop_timeout_ns;
    uint64_t callback_timeout_ns; // 0: none
    char *child_program;          // NULL: the program that runs
    enum troupe_output output;
    struct trp_output_relay
        *relays[2];           // of standard output and standard error; the process manager's
    struct trp_config config; // the pools of its placement: guarded by `runtime.lock`

    int shared_fd;
    int control_fd;             // of a child, to the first process; -1 in the first
    struct trp_run_dir run_dir; // of the first process; opened when another is first to be reached
    bool
        is_remote; // guarded by `runtime.lock`: all executors listen, for other processes may send here

    struct troupe_executor *executor; // executor 0, which the owner's thread runs
    int epoll_fd;                     // for a foreign loop; -1 until troupe_system_fd()
    int timer_fd;                     // likewise

    _Atomic bool drained; // shutdown: mail had its time, and nothing is started any more
    bool stopped;         // the owner's: shutdown is complete
    bool reported;        // the owner's: shutdown has printed what is in its way
    uint64_t checked_ns;  // the owner's: when shutdown last sampled the callbacks

    uint32_t inbox_count; // guarded by `runtime.lock`: open
    uint32_t
        carried_count; // guarded by `runtime.lock`: executors and children that a backend carries
    struct troupe_executor *finished; // guarded by `runtime.lock`: exited, to be joined and freed
    struct trp_backend_state backends[TRP_BACKEND_COUNT_MAX]; // guarded by `runtime.lock`
    pthread_mutex_t pool_lock;  // held while an executor of a pool is made
    pthread_mutex_t start_lock; // held while a backend starts an executor

    // NULL until it is started. Its release pairs with the acquire of other threads that use it.
    _Atomic(struct trp_process_manager *) process_manager;
    struct trp_signals *signals; // guarded by `runtime.lock`; NULL until an actor subscribes
    uint64_t signals_read;       // guarded by `runtime.lock`: those that it reads, a bit each

    troupe_system_t *next_system; // of this process; see damage_stop.c

    struct trp_records records; // of the first process; guarded by the lock of shared memory
};

/** @return the system of a runtime that it is part of. */
static inline troupe_system_t *trp_system_from(struct trp_runtime *runtime)
{
    return (troupe_system_t *)(void *)((char *)runtime - offsetof(struct troupe_system, runtime));
}

/** @return the system of an executor. */
static inline troupe_system_t *trp_system_of(const struct troupe_executor *executor)
{
    return trp_system_from(executor->runtime);
}

/** @return whether this is the process that made the system. */
static inline bool trp_system_is_first(const troupe_system_t *system)
{
    return system->runtime.node == TRP_NODE_FIRST;
}

#endif

/**
 * @file runtime.h
 * @brief What all executors of a process share: clock, shared memory, behaviours, and the directory of executors.
 *
 * It is the first field of struct troupe_system, and all of the system that actor/, loop/ and api/ know.
 *
 * Lock order: a pool's lock, an inbox's lock, the runtime's `lock`, then shared memory's. No behaviour runs under
 * any of them, and the path of a message takes none.
 */
#ifndef TRP_RUNTIME_H
#define TRP_RUNTIME_H

#include "actor/dead_letter_log.h"
#include "actor/node_ops.h"
#include "base/idmap.h"
#include "base/wake.h"
#include "channel/mailbox.h"
#include "shared/shared.h"
#include "troupe/behaviour.h"
#include "troupe/system.h"
#include "wire/frame_pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct trp_runtime {
    uint32_t node;
    const struct trp_node_ops *ops;
    const struct troupe_behaviour **behaviours; // a copy of the program's list
    uint32_t behaviour_count;
    uint64_t mailbox_messages;
    uint64_t mailbox_bytes;
    uint64_t seed;
    troupe_clock_fn *clock;
    void *clock_data;
    bool clock_is_real;
    int32_t pid;          // of the process that it is in: see forked.h
    sigset_t signal_mask; // of threads that run actors: that of the thread that made the system

    struct trp_shared *shared;
    struct trp_records *records; // of the first process; NULL: this is another
    int wake_fd;                 // an eventfd that wakes executor 0
    bool
        has_foreign_loop; // a loop of the program waits on troupe_system_fd(). The owner's thread's
    _Atomic bool stop_asked; // this process was asked to stop
    _Atomic bool draining;   // shutdown waits for mail: executors that go to sleep wake executor 0
    void *context;           // of ZeroMQ
    struct trp_guard *guard; // of that; NULL: no mailbox listens
    struct trp_dead_log dead_log; // any thread uses it
    struct trp_frame_pool frames;
    struct trp_spinners spinners;

    pthread_mutex_t lock;
    struct trp_idmap executors; // by id; guarded by `lock`
};

/** Wake executor 0. Safe in a signal handler. @threads any */
static inline void trp_runtime_wake(const struct trp_runtime *runtime)
{
    trp_wake(runtime->wake_fd);
}

/** Have a foreign loop, if there is one, call troupe_system_progress(). @threads the owner's */
static inline void trp_runtime_wake_foreign_loop(const struct trp_runtime *runtime)
{
    if (runtime->has_foreign_loop) {
        trp_runtime_wake(runtime);
    }
}

#endif

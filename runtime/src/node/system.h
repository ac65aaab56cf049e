/**
 * @file system.h
 * @brief What all executors of a node share.
 *
 * Lock order: `pool_lock`, a inbox's `lock`, the system's `lock`, then shared memory's; `start_lock` alone. No
 * behaviour runs under any of them, and the road of a message takes none.
 */
#ifndef TRP_SYSTEM_H
#define TRP_SYSTEM_H

#include "actor/dead_letter_log.h"
#include "actor/executor.h"
#include "config/builtin.h"
#include "config/config.h"
#include "shared/shared.h"
#include "troupe/backend.h"
#include "troupe/system.h"
#include "wire/run_dir.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The number of the process that makes a system. */
#define TRP_NODE_FIRST 1u

struct trp_backend_state {
    const struct troupe_backend_ops *ops;
    void *self;
};

struct troupe_system {
    struct trp_runtime runtime; // what its executors see of it
    uint64_t stop_timeout_ns;
    uint64_t callback_timeout_ns; // 0: none

    int shared_fd;
    struct trp_run_dir run_dir; // of the first node; opened when ipc is first needed
    struct trp_config config;   // the pools of its placement: guarded by `runtime.lock`

    int epoll_fd; // -1 until troupe_system_fd()
    int timer_fd; // as above
    _Atomic bool
        drained;  // at its end, what was on its way had its time: nothing is started any more
    bool stopped; // of the owner's thread: the end is done
    bool told;    // likewise: who is in its way was said
    uint64_t checked_ns; // likewise: when it was last looked what others are at

    struct troupe_executor *executor; // 0, the owner's

    uint32_t inbox_count;   // guarded by `runtime.lock`
    uint32_t carried_count; // guarded by `runtime.lock`: started on a backend, and not gone yet
    struct troupe_executor *finished; // guarded by `runtime.lock`: to be waited for and freed
    struct trp_backend_state backends[TRP_BACKEND_COUNT_MAX]; // guarded by `runtime.lock`
    _Atomic(struct trp_process_manager *) process_manager;    // NULL: no child was started yet
    char *child_program;
    enum troupe_output output;
    struct trp_signals *signals; // guarded by `runtime.lock`; NULL: nobody asked for any
    uint64_t signals_read;       // guarded by `runtime.lock`: those that it reads, a bit each
    bool
        is_remote; // guarded by `runtime.lock`: all executors listen, for other processes may send here
    struct trp_records records;  // of the first process; guarded by the lock of shared memory

    pthread_mutex_t pool_lock;  // held while an executor of a pool is made; before `runtime.lock`
    pthread_mutex_t start_lock; // held while a backend starts an executor
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

/** Note that the system is to stop. Safe in a signal handler. @threads any */
void trp_system_note_stop(troupe_system_t *system);

/** @return whether this is the process that made the system. */
static inline bool trp_system_is_first(const troupe_system_t *system)
{
    return system->runtime.node == TRP_NODE_FIRST;
}

struct trp_child_env;

/** Make the system of a child, with the executor it was started for. */
enum troupe_err trp_system_new_child(
    const struct troupe_behaviour *const *behaviours,
    struct trp_shared *shared,
    const struct trp_child_env *child_env,
    const struct trp_process *node,
    troupe_system_t **out_system);

/** Free the system of a child, whose executors have all ended. */
void trp_system_free_child(troupe_system_t *system);

/** As trp_system_backend(), by name. @threads holding `lock` */
enum troupe_err trp_system_find_backend(
    troupe_system_t *system,
    const char *name,
    const struct troupe_backend_ops **out_ops,
    void **out_self);

/** @return whether no executor but @p executor, and no inbox, runs in this process. */
bool trp_system_is_alone(troupe_system_t *system, const struct troupe_executor *executor);

/** Have ipc to go by: make the run directory, and all executors listen. */
enum troupe_err trp_system_go_remote(troupe_system_t *system);

/** Wake an executor, if it runs in this process. @threads any */
void trp_system_wake_executor(troupe_system_t *system, uint32_t id);

/** Number a new executor and let others find it. @return an error when the system stops. */
enum troupe_err trp_system_add_executor(
    troupe_system_t *system,
    enum trp_executor_mode mode,
    enum trp_transport transport,
    const char *name,
    struct troupe_executor **out_executor);

/** Make the executor of a slot, and let others find it. */
enum troupe_err trp_system_new_executor(
    troupe_system_t *system,
    enum trp_executor_mode mode,
    struct trp_slot *slot,
    const char *name,
    struct troupe_executor **out_executor);

/** Make the executor of a inbox, and let others find it. */
enum troupe_err trp_system_add_inbox(
    troupe_system_t *system, struct troupe_inbox *inbox, struct troupe_executor **out_executor);

/** Let nobody find a inbox any more, and keep its counts. */
void trp_system_remove_inbox(troupe_system_t *system, struct troupe_executor *executor);

/** Let nobody find it any more, and keep its counts. */
void trp_system_remove_executor(troupe_system_t *system, struct troupe_executor *executor);

/** Start @p executor, which was just added, on its backend. */
enum troupe_err trp_system_start_executor(
    troupe_system_t *system, struct troupe_executor *executor, uint64_t cpu_mask);

/** Free an executor that was added and never started, and that nobody is linked to. */
void trp_system_discard_executor(troupe_system_t *system, struct troupe_executor *executor);

/** Give back the places of a process that was never asked for; either may be NULL. */
void trp_system_discard_process(
    troupe_system_t *system, struct trp_process *process, struct trp_slot *slot);

/** Wait for the executors that reported their end, and free them. */
void trp_system_reap(troupe_system_t *system);

/** As troupe_system_set_root(), for an actor that has not been started yet. */
void trp_system_set_root(troupe_system_t *system, troupe_ref_t actor);

/** As troupe_spawn(); @p watched: and watch it, from before its START. */
enum troupe_err trp_spawn(
    troupe_context_t *ctx,
    const struct troupe_spawn_options *options,
    bool root,
    troupe_ref_t *out_ref);

/** Hear that an actor ended, in case it is the watched one. @threads any */
void trp_system_actor_ended(
    troupe_system_t *system, troupe_ref_t actor, const struct troupe_exit *exit);

/** Find or make the state of a backend. @threads holding `lock` */
enum troupe_err trp_system_backend(
    troupe_system_t *system, const struct troupe_backend_ops *ops, void **out_self);

/** Leave word with an executor to end; it needs no channel. @threads any */
void trp_system_ask_to_end(troupe_system_t *system, uint32_t id);

/** Stop everything but executor 0, then it. @return false at the deadline; the detail says who. */
bool trp_system_shut_down(troupe_system_t *system);

/** @return the records of a system; NULL: this is not the first process. */
static inline struct trp_records *trp_system_records(troupe_system_t *system)
{
    return trp_system_is_first(system) ? &system->records : NULL;
}

#endif

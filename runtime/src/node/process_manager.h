/**
 * @file process_manager.h
 * @brief The one hidden thread of a process: it waits for descriptors and runs tasks.
 *
 *     source   a descriptor and a callback, called on this thread when something can be read there
 *     task     a callback that another thread posts, called once on this thread
 *
 * It is started with the first child, a watchdog or a subscription to signals; a child has one from its start. It
 * also runs the watchdog and, in the first process, adds up what children closed. What sources and tasks do is
 * not known here: see children.c, refresh.c and signals.c.
 *
 * Lock order: the runtime's `lock` comes before `lock`.
 */
#ifndef TRP_PROCESS_MANAGER_H
#define TRP_PROCESS_MANAGER_H

#include "node/system.h"

#include <pthread.h>
#include <stdbool.h>

struct trp_child;

/** A descriptor to wait for. Its owner frees it after trp_process_manager_unwatch(), or after the stop. */
struct trp_event_source {
    struct trp_event_source *next; // guarded by the manager's `lock`
    void (*ready)(troupe_system_t *system, void *data);
    void *data;
    int fd;
    bool is_once; // after each call it waits for trp_process_manager_rearm()
    bool
        is_watched; // guarded by `lock`; false: the kernel was short of memory, and it is tried again
};

/** Something to do on the thread of the process manager. Part of what its owner allocates. */
struct trp_manager_task {
    struct trp_manager_task *next; // guarded by the manager's `lock`
    void (*run)(troupe_system_t *system, struct trp_manager_task *task); // frees the task
};

struct trp_process_manager {
    troupe_system_t *system;
    pthread_t thread;
    int epoll_fd;
    int wake_fd;
    pthread_mutex_t lock;
    struct trp_event_source *sources; // guarded by `lock`
    bool has_unwatched;             // guarded by `lock`: some source waits for memory of the kernel
    struct trp_manager_task *tasks; // guarded by `lock`, latest first
    bool stopping;                  // guarded by `lock`
    struct trp_child *children; // guarded by `lock`; changed by this thread only: see child_list.c
    struct trp_event_source control; // of a child, for messages of the first process: see refresh.c
};

/**
 * Start it, if it does not run yet.
 *
 * @retval TROUPE_OK         It runs.
 * @retval TROUPE_ERR_LIMIT  there is no thread or descriptor for it, or the rules of the system are too long for
 *                           children to read.
 * @threads any
 */
enum troupe_err trp_process_manager_start(troupe_system_t *system);

/** @return whether it runs. @threads any */
static inline bool trp_process_manager_runs(const troupe_system_t *system)
{
    return atomic_load_explicit(&system->process_manager, memory_order_acquire) != NULL;
}

/** Wait for a source. @threads any */
void trp_process_manager_watch(troupe_system_t *system, struct trp_event_source *source);

/** Wait for a source that is ready once at a time, again. @threads any */
void trp_process_manager_rearm(troupe_system_t *system, struct trp_event_source *source);

/** Stop waiting for a source, if it was waited for. Its descriptor is still open. @threads the manager's */
void trp_process_manager_unwatch(troupe_system_t *system, struct trp_event_source *source);

/** Have a task run on this thread, after those posted before it. @threads any */
void trp_process_manager_post(troupe_system_t *system, struct trp_manager_task *task);

/** Stop it and wait for its thread, if it runs. @threads the owner's; no child runs any more */
void trp_process_manager_stop(troupe_system_t *system);

#endif

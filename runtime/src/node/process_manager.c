#include "node/process_manager.h"

#include "actor/runtime.h"
#include "base/wake.h"
#include "node/child_env.h"
#include "node/output_relay.h"
#include "node/system.h"
#include "observe/watchdog.h"
#include "shared/records.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

/*
 *     epoll_wait --> wake_fd: tasks   |   another fd: its source   --> watchdog --> retry watches --> sweep
 *
 * An event is matched to its source by the number of its descriptor, not by a pointer: a source that an earlier event
 * of the same round removed is then no longer found. The number may have a new owner by then, so the callback
 * of a source must not block when there is nothing to read.
 */

enum {
    MANAGER_EVENTS = 64,
    MANAGER_TICK_MS =
        1000, // how often what children closed is added up, and failed watches are retried
};

/* Sources. -------------------------------------------------------------------------------------- */

/** Have the kernel wait for a source, or note that it has no memory for it. @threads holding `lock` */
static void manager_arm(struct trp_process_manager *manager, struct trp_event_source *source)
{
    struct epoll_event event = {
        .events = EPOLLIN | (source->is_once ? (uint32_t)EPOLLONESHOT : 0U),
        .data.fd = source->fd,
    };
    source->is_watched = (source->is_watched &&
                          epoll_ctl(manager->epoll_fd, EPOLL_CTL_MOD, source->fd, &event) == 0) ||
                         epoll_ctl(manager->epoll_fd, EPOLL_CTL_ADD, source->fd, &event) == 0 ||
                         errno == EEXIST;
    manager->has_unwatched |= !source->is_watched;
}

void trp_process_manager_watch(troupe_system_t *system, struct trp_event_source *source)
{
    struct trp_process_manager *manager = system->process_manager;
    (void)pthread_mutex_lock(&manager->lock);
    source->next = manager->sources;
    manager->sources = source;
    source->is_watched = false;
    manager_arm(manager, source);
    if (!source->is_watched) {
        trp_wake(manager->wake_fd); // to try again at its next tick
    }
    (void)pthread_mutex_unlock(&manager->lock);
}

void trp_process_manager_rearm(troupe_system_t *system, struct trp_event_source *source)
{
    struct trp_process_manager *manager = system->process_manager;
    (void)pthread_mutex_lock(&manager->lock);
    manager_arm(manager, source);
    (void)pthread_mutex_unlock(&manager->lock);
}

void trp_process_manager_unwatch(troupe_system_t *system, struct trp_event_source *source)
{
    struct trp_process_manager *manager = system->process_manager;
    (void)pthread_mutex_lock(&manager->lock);
    struct trp_event_source **at = &manager->sources;
    while (*at != NULL && *at != source) {
        at = &(*at)->next;
    }
    if (*at != NULL) {
        *at = source->next;
        (void)epoll_ctl(manager->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
        source->is_watched = false;
    }
    (void)pthread_mutex_unlock(&manager->lock);
}

/** Try again to watch the sources that there was no memory for. @return whether some are left. */
static bool manager_arm_again(struct trp_process_manager *manager)
{
    (void)pthread_mutex_lock(&manager->lock);
    if (manager->has_unwatched) {
        manager->has_unwatched = false;
        for (struct trp_event_source *at = manager->sources; at != NULL; at = at->next) {
            if (!at->is_watched) {
                manager_arm(manager, at);
            }
        }
    }
    bool some_left = manager->has_unwatched;
    (void)pthread_mutex_unlock(&manager->lock);
    return some_left;
}

/* Tasks. ---------------------------------------------------------------------------------------- */

void trp_process_manager_post(troupe_system_t *system, struct trp_manager_task *task)
{
    struct trp_process_manager *manager = system->process_manager;
    (void)pthread_mutex_lock(&manager->lock);
    task->next = manager->tasks;
    manager->tasks = task;
    trp_wake(manager->wake_fd);
    (void)pthread_mutex_unlock(&manager->lock);
}

static void manager_run_tasks(struct trp_process_manager *manager)
{
    uint64_t drained = 0;
    (void)!read(manager->wake_fd, &drained, sizeof(drained));
    (void)pthread_mutex_lock(&manager->lock);
    struct trp_manager_task *tasks = NULL; // in the order in which they were posted
    while (manager->tasks != NULL) {
        struct trp_manager_task *task = manager->tasks;
        manager->tasks = task->next;
        task->next = tasks;
        tasks = task;
    }
    (void)pthread_mutex_unlock(&manager->lock);
    while (tasks != NULL) {
        struct trp_manager_task *next = tasks->next;
        tasks->run(manager->system, tasks);
        tasks = next;
    }
}

/* The thread. ----------------------------------------------------------------------------------- */

static void manager_handle_event(struct trp_process_manager *manager, int fd)
{
    if (fd == manager->wake_fd) {
        manager_run_tasks(manager);
        return;
    }
    (void)pthread_mutex_lock(&manager->lock);
    struct trp_event_source *source = manager->sources;
    while (source != NULL && source->fd != fd) {
        source = source->next;
    }
    (void)pthread_mutex_unlock(&manager->lock);
    if (source != NULL) { // only this thread removes sources, so it is still there
        source->ready(manager->system, source->data);
    }
}

static bool manager_is_stopping(struct trp_process_manager *manager)
{
    (void)pthread_mutex_lock(&manager->lock);
    bool stopping = manager->stopping;
    (void)pthread_mutex_unlock(&manager->lock);
    return stopping;
}

static void *manager_main(void *data)
{
    struct trp_process_manager *manager = data;
    (void)prctl(PR_SET_NAME, "troupe-manager");
    struct epoll_event events[MANAGER_EVENTS];
    bool is_first = trp_system_is_first(manager->system);
    int period_ms = trp_watchdog_period_ms(&manager->system->runtime);
    struct trp_watchdog watchdog = {0};
    bool has_unwatched = false;
    while (!manager_is_stopping(manager)) {
        bool ticks = has_unwatched || (is_first && manager->children != NULL);
        int timeout_ms = ticks ? MANAGER_TICK_MS : -1;
        if (period_ms > 0) {
            timeout_ms = period_ms;
        }
        int count = epoll_wait(manager->epoll_fd, events, MANAGER_EVENTS, timeout_ms);
        for (int i = 0; i < count; i++) {
            manager_handle_event(manager, events[i].data.fd);
        }
        trp_watchdog_check(&watchdog, &manager->system->runtime);
        has_unwatched = manager_arm_again(manager);
        if (is_first) {
            trp_records_sweep(manager->system->runtime.shared, manager->system->runtime.records);
        }
    }
    return NULL;
}

/* Life. ----------------------------------------------------------------------------------------- */

/** Free a manager that has no thread; the descriptors that are -1 were never opened. */
static void manager_free(struct trp_process_manager *manager)
{
    if (manager->epoll_fd >= 0) {
        (void)close(manager->epoll_fd);
    }
    if (manager->wake_fd >= 0) {
        (void)close(manager->wake_fd);
    }
    (void)pthread_mutex_destroy(&manager->lock);
    free(manager);
}

/** Start the thread with all signals blocked. @return false: no thread. */
static bool manager_start_thread(struct trp_process_manager *manager)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    bool made = pthread_create(&manager->thread, NULL, manager_main, manager) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return made;
}

static enum troupe_err manager_new(troupe_system_t *system)
{
    struct trp_process_manager *manager = calloc(1, sizeof(*manager));
    if (manager == NULL) {
        return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for the process manager");
    }
    manager->system = system;
    (void)pthread_mutex_init(&manager->lock, NULL);
    manager->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    manager->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = manager->wake_fd};
    bool made = manager->epoll_fd >= 0 && manager->wake_fd >= 0 &&
                epoll_ctl(manager->epoll_fd, EPOLL_CTL_ADD, manager->wake_fd, &event) == 0 &&
                manager_start_thread(manager);
    if (!made) {
        manager_free(manager);
        return TRP_EXPLAIN(
            TROUPE_ERR_LIMIT,
            "no thread to look after processes; raise the limit of processes or of open files");
    }
    atomic_store_explicit(&system->process_manager, manager, memory_order_release);
    return TROUPE_OK;
}

enum troupe_err trp_process_manager_start(troupe_system_t *system)
{
    enum troupe_err err = TROUPE_OK;
    (void)pthread_mutex_lock(&system->runtime.lock);
    if (!trp_process_manager_runs(system)) {
        // The first child reads the rules, and whoever needs this thread first may be about to spawn it.
        err = trp_system_is_first(system) ? trp_child_env_write_rules(system) : TROUPE_OK;
        if (err == TROUPE_OK) {
            err = manager_new(system);
        }
    }
    (void)pthread_mutex_unlock(&system->runtime.lock);
    return err;
}

void trp_process_manager_stop(troupe_system_t *system)
{
    struct trp_process_manager *manager = system->process_manager;
    if (manager == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&manager->lock);
    manager->stopping = true;
    trp_wake(manager->wake_fd);
    (void)pthread_mutex_unlock(&manager->lock);
    (void)pthread_join(manager->thread, NULL);
    system->process_manager = NULL;
    manager_free(manager);
    trp_output_relay_free(&system->relays[0]);
    trp_output_relay_free(&system->relays[1]);
}

#include "node/child_list.h"

#include "node/control_socket.h"
#include "node/process_manager.h"
#include "node/system.h"
#include "shared/process.h"
#include "shared/shared.h"

#include <unistd.h>

void trp_child_list_add(struct trp_child *child)
{
    struct trp_process_manager *manager = child->system->process_manager;
    (void)pthread_mutex_lock(&manager->lock);
    child->next = manager->children;
    manager->children = child;
    (void)pthread_mutex_unlock(&manager->lock);
}

void trp_child_list_remove(struct trp_child *child)
{
    struct trp_process_manager *manager = child->system->process_manager;
    (void)pthread_mutex_lock(&manager->lock);
    struct trp_child **at = &manager->children;
    while (*at != child) {
        at = &(*at)->next;
    }
    *at = child->next;
    (void)pthread_mutex_unlock(&manager->lock);
}

void trp_child_list_set_started(struct trp_child *child, void *handle, int control_fd)
{
    struct trp_process_manager *manager = child->system->process_manager;
    (void)pthread_mutex_lock(&manager->lock);
    child->handle = handle;
    child->control_fd = control_fd;
    (void)pthread_mutex_unlock(&manager->lock);
}

void *trp_child_list_take_handle(struct trp_child *child)
{
    struct trp_process_manager *manager = child->system->process_manager;
    (void)pthread_mutex_lock(&manager->lock);
    void *handle = child->handle;
    child->handle = NULL;
    (void)pthread_mutex_unlock(&manager->lock);
    return handle;
}

void trp_child_list_close_control(struct trp_child *child)
{
    struct trp_process_manager *manager = child->system->process_manager;
    (void)pthread_mutex_lock(&manager->lock);
    if (child->control_fd >= 0) {
        (void)close(child->control_fd);
        child->control_fd = -1;
    }
    (void)pthread_mutex_unlock(&manager->lock);
}

void trp_child_list_refresh(troupe_system_t *system, uint32_t node)
{
    struct trp_process_manager *manager = system->process_manager;
    if (manager == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&manager->lock);
    for (struct trp_child *child = manager->children; child != NULL; child = child->next) {
        if (child->process->id == node && child->control_fd >= 0) {
            trp_control_send(child->control_fd, TRP_CONTROL_REFRESH, node, -1);
        }
    }
    (void)pthread_mutex_unlock(&manager->lock);
}

void trp_child_list_refresh_set(troupe_system_t *system, const struct trp_process_set *set)
{
    struct trp_process_manager *manager = system->process_manager;
    (void)pthread_mutex_lock(&manager->lock);
    for (struct trp_child *child = manager->children; child != NULL; child = child->next) {
        uint32_t index = trp_process_index(system->runtime.shared, child->process);
        if (trp_process_set_has(set, index) && child->control_fd >= 0) {
            trp_control_send(child->control_fd, TRP_CONTROL_REFRESH, child->process->id, -1);
        }
    }
    (void)pthread_mutex_unlock(&manager->lock);
}

/** Kill the children of that process, or all with @p node 0. @threads holding the manager's `lock` */
static void child_list_kill(struct trp_process_manager *manager, uint32_t node)
{
    for (struct trp_child *child = manager->children; child != NULL; child = child->next) {
        bool is_meant = node == 0 || child->process->id == node;
        if (is_meant && child->handle != NULL && child->ops->kill != NULL) {
            atomic_store_explicit(&child->process->kill_requested, true, memory_order_relaxed);
            child->ops->kill(child->self, child->handle);
        }
    }
}

void trp_child_list_kill(troupe_system_t *system, uint32_t node)
{
    struct trp_process_manager *manager = system->process_manager;
    (void)pthread_mutex_lock(&manager->lock);
    child_list_kill(manager, node);
    (void)pthread_mutex_unlock(&manager->lock);
}

void trp_child_list_kill_all(troupe_system_t *system)
{
    if (trp_process_manager_runs(system)) {
        trp_child_list_kill(system, 0);
    }
}

/** Have a process that was started for that executor, and ends with it, killed at its start. @return whether it was */
static bool child_list_request_kill(struct trp_shared *shared, uint32_t node, uint32_t executor)
{
    trp_shared_lock(shared);
    struct trp_process *process = trp_process_find(shared, node);
    bool is_dedicated = process != NULL && process->executor == executor && process->dedicated;
    if (is_dedicated) {
        // The manager stores the handle of a new child, then loads this; the killer the other way round.
        atomic_store(&process->kill_requested, true);
    }
    trp_shared_unlock(shared);
    return is_dedicated;
}

void trp_child_list_kill_dedicated(troupe_system_t *system, uint32_t node, uint32_t executor)
{
    if (!trp_process_manager_runs(system) ||
        !child_list_request_kill(system->runtime.shared, node, executor)) {
        return;
    }
    if (trp_system_is_first(system)) {
        trp_child_list_kill(system, node);
    } else {
        trp_control_send(system->control_fd, TRP_CONTROL_KILL, node, -1);
    }
}

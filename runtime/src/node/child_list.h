/**
 * @file child_list.h
 * @brief The children that this process started: only the first process has any.
 *
 * The process manager's thread alone adds and removes them; other threads send to them and kill them meanwhile.
 */
#ifndef TRP_CHILD_LIST_H
#define TRP_CHILD_LIST_H

#include "node/process_manager.h"
#include "shared/process.h"

struct trp_child {
    struct trp_child *next; // guarded by the manager's `lock`
    troupe_system_t *system;
    struct trp_process *process; // in shared memory
    const struct troupe_backend_ops *ops;
    void *self;
    void *handle;                    // guarded by `lock`; NULL: it was not started, or has ended
    int control_fd;                  // guarded by `lock`; -1: none
    struct trp_event_source control; // the control socket
    struct trp_event_source exit;    // the backend's exit_fd
};

/** Add a child. @threads the manager's */
void trp_child_list_add(struct trp_child *child);

/** Remove a child. @threads the manager's */
void trp_child_list_remove(struct trp_child *child);

/** Note what runs and where to reach it: from here on others send to a child and kill it. @threads the manager's */
void trp_child_list_set_started(struct trp_child *child, void *handle, int control_fd);

/** Take the handle of a child, so that no thread kills it any more. @threads the manager's */
void *trp_child_list_take_handle(struct trp_child *child);

/** Close the control socket of a child, so that no thread sends to it any more. @threads the manager's */
void trp_child_list_close_control(struct trp_child *child);

/** Have process @p node, if it is a child, look at shared memory. @threads any, of the first process */
void trp_child_list_refresh(troupe_system_t *system, uint32_t node);

/** Have the children that are in a set look at shared memory. @threads any, of the first process */
void trp_child_list_refresh_set(troupe_system_t *system, const struct trp_process_set *set);

/** Kill process @p node, if it is a child. @threads any, of the first process */
void trp_child_list_kill(troupe_system_t *system, uint32_t node);

/** Kill all children that run. Does nothing in a process that has none. @threads any */
void trp_child_list_kill_all(troupe_system_t *system);

/**
 * Kill process @p node, from whichever process, if it carries the actor of @p executor and no other; one that does not
 * run yet, as soon as it does.
 *
 * @threads any
 */
void trp_child_list_kill_dedicated(troupe_system_t *system, uint32_t node, uint32_t executor);

#endif

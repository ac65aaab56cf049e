/**
 * @file process manager.h
 * @brief The one hidden thread of a process, started when the first child is, or a watchdog or signals are
 * asked for.
 *
 *     first process    starts children, reaps them, tells their ends, passes pokes on
 *     a child          waits for pokes: "look at shared memory"; ends it when the first process is gone
 *
 * Between the two runs a socket pair, the control socket. It carries pokes and listeners; what there is to know
 * stands in shared memory.
 */
#ifndef TRP_PROCESS_MANAGER_H
#define TRP_PROCESS_MANAGER_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct troupe_system;

/** Start the process manager of the first process, if it does not run yet. @threads any */
enum troupe_err trp_process_manager_start(struct troupe_system *system);

/** Start it in a child, at the other end of @p control_fd, which is taken. @threads the owner's */
enum troupe_err trp_process_manager_adopt(struct troupe_system *system, int control_fd);

/** Have the process manager look at a descriptor of signals when something can be read there, once. @threads any */
void trp_process_manager_watch_once(struct troupe_system *system, int fd);

/** @return whether it runs. @threads any */
bool trp_process_manager_runs(const struct troupe_system *system);

/**
 * Have the process of slot @p process_index of shared memory started; its executor listens on @p listener_fd,
 * which is taken. If it cannot be started, that is told like a death.
 *
 * @threads any
 */
void trp_process_manager_spawn(
    struct troupe_system *system, uint32_t process_index, int listener_fd);

/** Have all executors of process @p node look at shared memory. @threads any */
void trp_process_manager_refresh(struct troupe_system *system, uint32_t node);

/** End process @p node by force, if it carries nobody but the actor of @p executor. @threads any */
void trp_process_manager_kill(struct troupe_system *system, uint32_t node, uint32_t executor);

/** Have the first process look at shared memory. Safe in a signal handler. @threads any, of a child */
void trp_process_manager_notify_first(struct troupe_system *system);

/** End by force the children that still run. @threads any, of the first process */
void trp_process_manager_kill_all(struct troupe_system *system);

/** End the process manager. @threads the owner's; no child runs any more */
void trp_process_manager_stop(struct troupe_system *system);

#endif

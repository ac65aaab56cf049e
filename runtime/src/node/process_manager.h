/**
 * @file warden.h
 * @brief The one hidden thread of a process, started when the first child is, or a watchdog or signals are
 * asked for.
 *
 *     first process    starts children, reaps them, tells their ends, passes pokes on
 *     a child          waits for pokes: "look at the board"; ends it when the first process is gone
 *
 * Between the two runs a socket pair, the leash. It carries pokes and listeners; what there is to know
 * stands on the board.
 */
#ifndef TRP_WARDEN_H
#define TRP_WARDEN_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct troupe_system;

/** Start the warden of the first process, if it does not run yet. @threads any */
enum troupe_err trp_warden_start(struct troupe_system *system);

/** Start it in a child, at the other end of @p leash_fd, which is taken. @threads the owner's */
enum troupe_err trp_warden_adopt(struct troupe_system *system, int leash_fd);

/** Have the warden look at a descriptor of signals when something can be read there, once. @threads any */
void trp_warden_watch_once(struct troupe_system *system, int fd);

/** @return whether it runs. @threads any */
bool trp_warden_runs(const struct troupe_system *system);

/**
 * Have the process of slot @p node_index of the board started; its executor listens on @p listener_fd,
 * which is taken. If it cannot be started, that is told like a death.
 *
 * @threads any
 */
void trp_warden_spawn(struct troupe_system *system, uint32_t node_index, int listener_fd);

/** Have all executors of process @p node look at the board. @threads any */
void trp_warden_poke(struct troupe_system *system, uint32_t node);

/** End process @p node by force, if it carries nobody but the actor of @p executor. @threads any */
void trp_warden_kill(struct troupe_system *system, uint32_t node, uint32_t executor);

/** Have the first process look at the board. Safe in a signal handler. @threads any, of a child */
void trp_warden_tell_first(struct troupe_system *system);

/** End by force the children that still run. @threads any, of the first process */
void trp_warden_kill_all(struct troupe_system *system);

/** End the warden. @threads the owner's; no child runs any more */
void trp_warden_stop(struct troupe_system *system);

#endif

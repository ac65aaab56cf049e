/**
 * @file loop.h
 * @brief The loop of an executor: turns, and waits between them.
 */
#ifndef TRP_LOOP_H
#define TRP_LOOP_H

#include "actor/executor.h"

/** Take a turn: frames that have arrived, timers that are due, credit, flush. @return whether there was work. */
bool trp_executor_turn(struct troupe_executor *executor);

/** @return whether a turn would find something to do. */
bool trp_executor_has_work(struct troupe_executor *executor);

/** Wait until there is something to do, at most @p timeout_ns. */
void trp_executor_wait(struct troupe_executor *executor, uint64_t timeout_ns);

/** @return nanoseconds until the next timer is due; UINT64_MAX: there is none. */
uint64_t trp_executor_timeout_ns(const struct troupe_executor *executor);

/** @return how long to sleep until the next timer is due: in small steps under a clock of the user's, which may jump. */
uint64_t trp_executor_sleep_ns(const struct troupe_executor *executor);

/**
 * Prepare for being idle: grant credit to the peers that wait for it, and return credit that lay unspent for 10 ms.
 *
 * @return how long the executor may sleep before it does that again; UINT64_MAX: no limit.
 */
uint64_t trp_executor_prepare_idle(struct troupe_executor *executor);

/** Do what the flags of the executor in shared memory ask for, and settle with peers whose processes have exited. */
void trp_executor_handle_flags(struct troupe_executor *executor);

/** Listen on the descriptor that the process has made for the executor, if any; then other processes reach it. */
void trp_executor_listen(struct troupe_executor *executor);

#endif

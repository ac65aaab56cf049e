/**
 * @file monitor_notify.h
 * @brief Reporting exits: of an actor, an executor or a process, to the actors that monitor it or are linked to it.
 */
#ifndef TRP_MONITOR_NOTIFY_H
#define TRP_MONITOR_NOTIFY_H

#include "actor/executor.h"

/** Report the exit of an actor to all that monitor it or are linked to it, and undo its own monitors. */
void trp_monitor_notify(
    struct troupe_executor *executor,
    struct trp_actor *actor,
    uint32_t index,
    const struct troupe_exit *exit);

/** Report the exit of an executor, whose actors have all ended. */
void trp_monitor_notify_executor(struct troupe_executor *executor);

/** Report again the exits for which there was no memory before. */
void trp_monitor_notify_again(struct troupe_executor *executor);

/**
 * The process of executor @p peer_id has died without reporting exits: report to the actors here those that they
 * monitor or are linked to, behind all that came from there.
 */
void trp_monitor_notify_process_exit(
    struct troupe_executor *executor, uint32_t peer_id, const struct troupe_exit *exit);

#endif

/**
 * @file ends.h
 * @brief Telling ends: signals between actors that watch each other, behind their mail.
 *
 *     WATCH, UNWATCH, LINK, UNLINK    to the one whose end is to be told
 *     END                             to who is told; its last word, in the lane of its messages
 *
 * Whose process died sends none: who watches it hears of it by the death itself, after the last frame.
 */
#ifndef TRP_MONITOR_H
#define TRP_MONITOR_H

#include "actor/executor.h"

/** Meet a signal. */
void trp_monitor_handle(struct troupe_executor *executor, const struct trp_item *item);

/** Meet a signal for an actor that could not start. */
void trp_monitor_refuse(
    struct troupe_executor *executor, const struct trp_item *item, const struct troupe_exit *exit);

/** Tell the end of an actor to all who watch it, and forget whom it watched. */
void trp_monitor_notify(
    struct troupe_executor *executor,
    struct trp_actor *actor,
    uint32_t index,
    const struct troupe_exit *exit);

/** Tell the end of an executor, whose actors have all ended. */
void trp_monitor_notify_executor(struct troupe_executor *executor);

/** Tell those for whom there was no memory before. */
void trp_monitor_notify_again(struct troupe_executor *executor);

/** Executor @p peer_id is no more, and so are those there who were watched from here. */
void trp_monitor_lose_process(
    struct troupe_executor *executor, uint32_t peer_id, const struct troupe_exit *exit);

#endif

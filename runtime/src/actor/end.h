/**
 * @file end.h
 * @brief The end of an actor, and what follows when a callback has returned.
 */
#ifndef TRP_END_H
#define TRP_END_H

#include "actor/callback.h"
#include "actor/executor.h"
#include "channel/channel_send.h"

/** End an actor: `fini`; then its name, subscriptions and row are free, and its monitors are notified. */
void trp_actor_end(
    struct troupe_executor *executor,
    struct trp_actor *actor,
    uint32_t index,
    const struct troupe_exit *exit);

/** Free an actor that has ended or could not start: its name, subscriptions and row; notify its monitors. */
void trp_actor_free(
    struct troupe_executor *executor,
    struct trp_actor *actor,
    uint32_t index,
    const struct troupe_exit *exit);

/** End a dedicated executor if its actor has ended, and nothing else runs in its process. */
void trp_executor_end_if_done(struct troupe_executor *executor);

/** Handle a STOP: end its actor, or stash it for an actor whose START is on its way. */
void trp_actor_handle_stop(struct troupe_executor *executor, const struct trp_item *item);

/** Handle a CHECK_ALIVE: report the exit of its actor, if that has ended. */
void trp_actor_handle_check_alive(struct troupe_executor *executor, const struct trp_item *item);

/** End the actors that callbacks asked to stop, and those that their `fini`s ask to stop. */
void trp_actor_run_stops(struct troupe_executor *executor);

/** End the actors that a callback asked to end, its own included. @return whether its own still runs. */
bool trp_actor_settle(
    struct troupe_executor *executor, struct trp_actor *actor, uint64_t actor_key);

/** At every 16th callback, flush frames that have been open for long. */
static inline void trp_actor_flush_old(struct troupe_executor *executor)
{
    if (executor->channels.dirty != NULL && (++executor->callback_count & 15) == 0) {
        trp_channels_flush_old(&executor->channels);
    }
}

/** @return whether a callback left to do work for trp_actor_settle(). */
static inline bool trp_actor_is_unsettled(
    const struct troupe_executor *executor, const struct trp_actor *actor)
{
    return TRP_UNLIKELY(actor->life != TRP_LIFE_RUNNING) || TRP_UNLIKELY(executor->stop_count > 0);
}

/** Leave a callback, and do what it left to do. @return whether the actor still runs. */
static inline bool trp_actor_leave(
    struct troupe_executor *executor, struct trp_actor *actor, uint64_t actor_key)
{
    trp_callback_exit(executor);
    bool runs =
        !trp_actor_is_unsettled(executor, actor) || trp_actor_settle(executor, actor, actor_key);
    trp_actor_flush_old(executor);
    return runs;
}

#endif

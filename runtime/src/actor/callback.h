/**
 * @file callback.h
 * @brief Entering and leaving a callback of an actor.
 */
#ifndef TRP_CALLBACK_H
#define TRP_CALLBACK_H

#include "actor/executor.h"
#include "shared/activity.h"

#include <stdint.h>

/** Make an actor the one of the context, and publish which callback runs: a message's @p type, or a special one. */
static inline void trp_callback_enter(
    struct troupe_executor *executor, struct trp_actor *actor, uint64_t actor_key, uint32_t type)
{
    trp_activity_begin(executor->slot, &executor->activity_count, (uint32_t)actor_key, type);
    executor->context.actor = actor;
    executor->context.actor_key = actor_key;
}

/** The callback has returned: no actor runs. */
static inline void trp_callback_exit(struct troupe_executor *executor)
{
    executor->context.actor = NULL;
    executor->context.actor_key = 0;
    trp_activity_end(executor->slot);
}

#endif

/**
 * @file callback.h
 * @brief Entering and leaving a callback of an actor.
 */
#ifndef TRP_CALLBACK_H
#define TRP_CALLBACK_H

#include "actor/executor.h"
#include "shared/activity.h"

#include <stdint.h>

static inline void trp_callback_enter(
    struct troupe_executor *executor, struct trp_actor *actor, uint64_t place, uint32_t type)
{
    trp_activity_begin(executor->slot, &executor->activity_count, (uint32_t)place, type);
    executor->context.actor = actor;
    executor->context.place = place;
}

/** The callback returned. */
static inline void trp_callback_exit(struct troupe_executor *executor)
{
    executor->context.actor = NULL;
    executor->context.place = 0;
    trp_activity_end(executor->slot);
}

#endif

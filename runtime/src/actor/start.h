/**
 * @file start.h
 * @brief The start of an actor on its executor.
 */
#ifndef TRP_START_H
#define TRP_START_H

#include "actor/executor.h"

/** Start the actor of a START. */
void trp_actor_start(struct troupe_executor *executor, const struct trp_item *item);

/** Make dead letters of the messages for actors whose START never came. */
void trp_actor_drop_stash(struct troupe_executor *executor);

#endif

/**
 * @file start.h
 * @brief The start of an actor on its executor.
 */
#ifndef TRP_START_H
#define TRP_START_H

#include "actor/executor.h"

/** Longest name of a behaviour, in bytes without the NUL. */
#define TRP_BEHAVIOUR_NAME_BYTES_MAX 256

/** Handle a START: start its actor. */
void trp_actor_start(struct troupe_executor *executor, const struct trp_item *item);

/** Fail the actors whose STARTs will not come: the process of @p spawner_id, which reserved their rows, has died. */
void trp_actor_fail_reserved(struct troupe_executor *executor, uint32_t spawner_id);

/** Make dead letters of all that is in stashes: the executor ends, and the STARTs for it will not come. */
void trp_actor_drop_stash(struct troupe_executor *executor);

#endif

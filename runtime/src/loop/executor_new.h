/**
 * @file executor_new.h
 * @brief Making and freeing an executor.
 */
#ifndef TRP_EXECUTOR_NEW_H
#define TRP_EXECUTOR_NEW_H

#include "actor/executor.h"

/**
 * Make an executor with its mailbox; no other knows of it yet.
 *
 * @param name  Copied.
 */
enum troupe_err trp_executor_new(
    struct trp_runtime *runtime,
    struct trp_slot *slot,
    enum trp_executor_mode mode,
    const char *name,
    struct troupe_executor **out_executor);

/** Free an executor that runs no more, or never ran, and set *executor_p to NULL. */
void trp_executor_free(struct troupe_executor **executor_p);

#endif

/**
 * @file executor_new.h
 * @brief Creation and destruction of executors.
 */
#ifndef TRP_EXECUTOR_NEW_H
#define TRP_EXECUTOR_NEW_H

#include "actor/executor.h"

/**
 * Make an executor with its mailbox. It is in no directory yet, so no other executor reaches it.
 *
 * @param slot  Its slot in shared memory, taken.
 * @param name  Copied.
 * @return      TROUPE_ERR_NOMEM or TROUPE_ERR_SYSTEM, explained.
 */
enum troupe_err trp_executor_new(
    struct trp_runtime *runtime,
    struct trp_slot *slot,
    enum trp_executor_mode mode,
    const char *name,
    struct troupe_executor **out_executor);

/** Free an executor that does not run any more, or never ran, and set *executor_p to NULL. It may be NULL. */
void trp_executor_free(struct troupe_executor **executor_p);

#endif

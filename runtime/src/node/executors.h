/**
 * @file executors.h
 * @brief The executors of this process: adding, starting, removing and freeing them.
 *
 *     add --> start on a backend --> loop --> remove --> `host->exited` --> reap
 *         \-> discard, when it was never started
 */
#ifndef TRP_EXECUTORS_H
#define TRP_EXECUTORS_H

#include "node/system.h"

#include <stdbool.h>
#include <stdint.h>

/**
 * Make an executor with a slot and a number of its own, which others find from here on.
 *
 * @param transport  The one by which other executors reach it, or a nearer one.
 * @retval TROUPE_ERR_LIMIT  all slots of shared memory are taken.
 * @threads any
 */
enum troupe_err trp_executors_add(
    troupe_system_t *system,
    enum trp_executor_mode mode,
    enum trp_transport transport,
    const char *name,
    struct troupe_executor **out_executor);

/** Make the executor of a slot that was taken before. @threads any */
enum troupe_err trp_executors_add_slot(
    troupe_system_t *system,
    enum trp_executor_mode mode,
    struct trp_slot *slot,
    const char *name,
    struct troupe_executor **out_executor);

/** Make the executor of an inbox, and count the inbox as open. @threads any */
enum troupe_err trp_executors_add_inbox(
    troupe_system_t *system, struct troupe_inbox *inbox, struct troupe_executor **out_executor);

/** Remove an executor that has closed: others no longer find it, and its counts are kept. @threads its own */
void trp_executors_remove(troupe_system_t *system, struct troupe_executor *executor);

/** Remove the executor of an inbox likewise. @threads the inbox's */
void trp_executors_remove_inbox(troupe_system_t *system, struct troupe_executor *executor);

/** Note on its slot which backend carries an executor, for reports. @threads any */
void trp_executors_set_backend(struct trp_shared *shared, struct trp_slot *slot, const char *name);

/** Start an executor on its backend. @threads any */
enum troupe_err trp_executors_start(
    troupe_system_t *system, struct troupe_executor *executor, uint64_t cpu_mask);

/** Free an executor that was never started and has no channel to another. @threads any */
void trp_executors_discard(troupe_system_t *system, struct troupe_executor *executor);

/** Free the slot of an executor that never existed. @threads any */
void trp_executors_discard_slot(struct trp_shared *shared, struct trp_slot *slot);

/** Join and free the executors that have reported their exit. @threads any */
void trp_executors_reap(troupe_system_t *system);

/** Let other processes reach this one: open the run directory, and have all executors listen. @threads any */
enum troupe_err trp_executors_go_remote(troupe_system_t *system);

/**
 * @return  whether @p executor may end: no other executor, child or inbox needs its process. Only executor 0's end
 *          is the end of its process.
 * @threads any
 */
bool trp_executors_is_alone(troupe_system_t *system, const struct troupe_executor *executor);

#endif

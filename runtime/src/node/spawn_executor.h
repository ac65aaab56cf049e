/**
 * @file spawn_executor.h
 * @brief A new executor of this process for an actor that is spawned.
 */
#ifndef TRP_SPAWN_EXECUTOR_H
#define TRP_SPAWN_EXECUTOR_H

#include "config/placement.h"
#include "node/system.h"
#include "troupe/limits.h"

/** Find the limits of an actor: those of the first rule that matches, and the CPUs of its spawn where it has none. */
void trp_spawn_limits(
    const troupe_system_t *system,
    const struct troupe_spawn_options *options,
    struct troupe_limits *out_limits);

/** @return of these limits the CPUs, which threads have too; 0: any. */
uint64_t trp_spawn_cpu_mask(
    const troupe_system_t *system, const struct troupe_spawn_options *options);

/** Make an executor where a rule says, not started yet. @retval TROUPE_ERR_LIMIT  no descriptors, or no slot. */
enum troupe_err trp_spawn_executor_new(
    troupe_system_t *system,
    const struct troupe_spawn_options *options,
    const struct trp_place *place,
    struct troupe_executor **out_executor);

/** Start an executor with the channels between it and the spawner; or discard it, with no channel left. */
enum troupe_err trp_spawn_executor_start(
    struct troupe_executor *spawner, struct troupe_executor *executor, uint64_t cpu_mask);

#endif

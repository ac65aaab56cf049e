/**
 * @file spawn_process.h
 * @brief A new process for an actor that is spawned.
 *
 *     prepare: slot, process, listener in shared memory --> launch
 *                                                       \-> discard
 *
 * Between the two the spawner opens its channel and reserves the actor's row, because the process may be dead a
 * moment after it is launched.
 */
#ifndef TRP_SPAWN_PROCESS_H
#define TRP_SPAWN_PROCESS_H

#include "config/rules.h"
#include "node/system.h"

#include <stdint.h>

/**
 * Descriptors that a process takes of the one that spawns it, some of them once it runs: its control socket, its pidfd and its
 * outputs, two lanes to it and two back.
 */
#define TRP_SPAWN_PROCESS_DESCRIPTORS 8

/** A process that was prepared. */
struct trp_spawn_process {
    struct trp_process *process; // NULL: none
    uint32_t executor_id;
    int listener_fd;
};

/** Write into shared memory what a process is to be. @retval TROUPE_ERR_LIMIT  all processes are taken. */
enum troupe_err trp_spawn_process_prepare(
    troupe_system_t *system,
    const struct troupe_spawn_options *options,
    const struct trp_rule *rule,
    struct trp_spawn_process *out_prepared);

/** Have a prepared process started. */
void trp_spawn_process_launch(troupe_system_t *system, struct trp_spawn_process *prepared);

/** Take back a prepared process. */
void trp_spawn_process_discard(troupe_system_t *system, struct trp_spawn_process *prepared);

#endif

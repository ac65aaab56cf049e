/**
 * @file system_make.h
 * @brief Making and freeing the system of a process.
 */
#ifndef TRP_SYSTEM_MAKE_H
#define TRP_SYSTEM_MAKE_H

#include "node/child_env.h"
#include "node/system.h"

/**
 * Make a system of nothing but what @p options say: executor 0 and the backends of its rules are ready.
 *
 * @retval other  what troupe_system_new() returns; nothing is left.
 */
enum troupe_err trp_system_make(
    const struct troupe_system_options *options, troupe_system_t **out_system);

/**
 * Make the system of a child, with the executor that it was started for.
 *
 * @param fds  The descriptors that the child inherited.
 * @return     an error after which the process can only exit.
 */
enum troupe_err trp_system_make_child(
    const struct troupe_behaviour *const *behaviours,
    struct trp_shared *shared,
    const struct trp_process *process,
    const struct trp_child_env *env,
    troupe_system_t **out_system);

/** Free a system, made as far as it was; its executors have ended or never ran. */
void trp_system_free(troupe_system_t *system);

#endif

/**
 * @file launch_actors.h
 * @brief Start the actors of a launch file.
 */
#ifndef TRP_LAUNCH_ACTORS_H
#define TRP_LAUNCH_ACTORS_H

#include "config/launch.h"
#include "troupe/context.h"

/**
 * Start the actors of a launch file, in the order of the file.
 *
 * @param behaviours  All of the system's, ended by NULL.
 * @return            the first error of a spawn; the detail names the actor and its line.
 */
enum troupe_err trp_launch_start_actors(
    const struct trp_launch *launch,
    const struct troupe_behaviour *const *behaviours,
    troupe_context_t *ctx);

#endif

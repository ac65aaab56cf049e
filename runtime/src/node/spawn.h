/**
 * @file spawn.h
 * @brief Spawning an actor.
 */
#ifndef TRP_SPAWN_H
#define TRP_SPAWN_H

#include "node/system.h"

#include <stdbool.h>

/**
 * As troupe_spawn().
 *
 * @param is_root  Whether the actor becomes the system's root, before its START is sent: then its exit is known
 *                 however early it ends.
 */
enum troupe_err trp_spawn(
    troupe_context_t *ctx,
    const struct troupe_spawn_options *options,
    bool is_root,
    troupe_ref_t *out_ref);

#endif

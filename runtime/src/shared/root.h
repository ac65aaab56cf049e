/**
 * @file root.h
 * @brief The root actor of a system: the actor whose end stops the system, and how it ended.
 */
#ifndef TRP_ROOT_H
#define TRP_ROOT_H

#include "troupe/behaviour.h"
#include "troupe/ref.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct trp_shared;

/** Guarded by shared memory's lock, unless a field says otherwise. */
struct trp_root {
    _Atomic uint64_t executor;  // of the actor, + 1; 0: none. Any thread's
    _Atomic uint64_t actor_key; // of the actor, as trp_actor_key(); valid while `executor` is not 0
    troupe_ref_t ref;
    struct troupe_exit exit;
    bool has_ended;
};

/** Make @p actor the root. @return true: its process has died already, so that the system is to stop. */
bool trp_root_set(struct trp_shared *shared, troupe_ref_t actor);

/** Note that an actor ended. @return whether it is the root, so that the system is to stop. @threads any */
bool trp_root_note_exit(
    struct trp_shared *shared, troupe_ref_t actor, const struct troupe_exit *exit);

/** Note that a process died. @return whether the root ended with it. @threads holding shared memory's lock */
bool trp_root_note_process_exit(
    struct trp_shared *shared, uint32_t node, const struct troupe_exit *exit);

/** Copy how the root ended. @return false: there is none, or it has not ended. */
bool trp_root_exit(struct trp_shared *shared, struct troupe_exit *out_exit);

#endif

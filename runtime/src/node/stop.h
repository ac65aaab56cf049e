/**
 * @file stop.h
 * @brief Asking a system to stop: troupe_system_stop(), and the flag that it sets.
 */
#ifndef TRP_STOP_H
#define TRP_STOP_H

#include "node/system.h"

/** Note that this process was asked to stop. Safe in a signal handler. @threads any */
void trp_stop_note(troupe_system_t *system);

/** @return whether this process was asked to stop. @threads any */
static inline bool trp_stop_is_noted(const troupe_system_t *system)
{
    return atomic_load_explicit(&system->runtime.stop_asked, memory_order_acquire);
}

#endif

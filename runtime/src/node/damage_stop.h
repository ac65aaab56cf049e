/**
 * @file damage_stop.h
 * @brief Stopping the system whose shared memory is damaged.
 */
#ifndef TRP_DAMAGE_STOP_H
#define TRP_DAMAGE_STOP_H

#include "node/system.h"

/** Have a system stopped when its shared memory is found to be damaged. */
void trp_damage_stop_add(troupe_system_t *system);

/** Undo trp_damage_stop_add(). Does nothing if it was not called. */
void trp_damage_stop_remove(troupe_system_t *system);

#endif

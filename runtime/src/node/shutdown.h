/**
 * @file shutdown.h
 * @brief The end of a system.
 */
#ifndef TRP_SHUTDOWN_H
#define TRP_SHUTDOWN_H

#include "node/system.h"

#include <stdbool.h>

/**
 * Stop all executors of the system, executor 0 last. Does nothing once that is done.
 *
 * @return  false when some did not stop in time; the detail names them.
 * @threads the owner's
 * @blocks  up to the system's `stop_timeout_ns`, and 50 ms more where processes are killed
 */
bool trp_shutdown_run(troupe_system_t *system);

#endif

/**
 * @file refresh.h
 * @brief Having a process look at shared memory, where another has changed something that concerns it.
 *
 *     any process --control socket--> first process --control socket--> any other process
 */
#ifndef TRP_REFRESH_H
#define TRP_REFRESH_H

#include "node/system.h"

#include <stdint.h>

/** Look in this process: is it to stop, do executors have flags, did receivers of inboxes end. @threads any */
void trp_refresh_own(troupe_system_t *system);

/** Have process @p node look, whichever it is. @threads any */
void trp_refresh_process(troupe_system_t *system, uint32_t node);

/** Look each time that the first process says so, and exit when it has exited. @threads the owner's, of a child */
void trp_refresh_on_control(troupe_system_t *system);

/** Ask an executor of any process to stop; no channel to it is needed. @threads any */
void trp_refresh_stop_executor(troupe_system_t *system, uint32_t id);

#endif

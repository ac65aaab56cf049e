/**
 * @file process_exit.h
 * @brief Settling the exit of a process in shared memory, whether it ended in order or died.
 */
#ifndef TRP_PROCESS_EXIT_H
#define TRP_PROCESS_EXIT_H

#include "node/system.h"
#include "shared/process.h"

#include <stdbool.h>
#include <stdint.h>

/** Which processes are to look at shared memory afterwards. */
struct trp_process_exit {
    bool died;                         // some executor of it had not ended in order
    struct trp_process_set neighbours; // living processes with mail on the way from or to it
};

/**
 * Settle the exit of a process. If it died, its executors are DEAD, its names are free, and messages between dead
 * executors have their outcome. Messages between a dead and a living executor the living one settles.
 *
 * @threads the process manager's, of the first process
 */
void trp_process_exit_settle(
    troupe_system_t *system,
    const struct trp_process *process,
    const struct troupe_exit *exit,
    struct trp_process_exit *out_settled);

#endif

/**
 * @file children.h
 * @brief The life of a child process, from the request for it until its exit is settled.
 */
#ifndef TRP_CHILDREN_H
#define TRP_CHILDREN_H

#include "node/system.h"

#include <stdint.h>

/**
 * Have the process of slot @p process_index of shared memory started. A process that cannot be started is settled
 * as one that exited: its actor has the exit reason `init_failed` or `out_of_memory`.
 *
 * @param listener_fd  What its executor listens on; taken.
 * @threads any, of any process; the process manager runs
 */
void trp_children_spawn(troupe_system_t *system, uint32_t process_index, int listener_fd);

#endif

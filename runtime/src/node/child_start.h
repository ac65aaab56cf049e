/**
 * @file child_start.h
 * @brief Starting the process of a child: its descriptors, its environment, the backend's `start`.
 */
#ifndef TRP_CHILD_START_H
#define TRP_CHILD_START_H

#include "node/child_list.h"

/**
 * Start the process of a child on its backend, and set its handle, its control socket and its outputs.
 *
 * @param listener_fd  What its executor listens on; the caller keeps it. -1: there was no descriptor for it.
 *
 * @retval TROUPE_OK         It runs.
 * @retval TROUPE_ERR_LIMIT  no descriptors, or no process; or what else the backend returns.
 * @threads the manager's
 */
enum troupe_err trp_child_start(struct trp_child *child, int listener_fd);

#endif

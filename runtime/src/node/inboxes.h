/**
 * @file inboxes.h
 * @brief Closing channels of the inboxes of a process, which have no loop that would do it.
 */
#ifndef TRP_INBOXES_H
#define TRP_INBOXES_H

#include "troupe/system.h"

#include <stdbool.h>
#include <stdint.h>

/**
 * Close the channel of inbox @p inbox_id to executor @p peer_id, which takes no more mail. Its thread may be in a call
 * meanwhile: the inbox's lock is taken.
 *
 * @return  false: there is no such inbox in this process.
 * @threads any
 */
bool trp_inboxes_detach(troupe_system_t *system, uint32_t inbox_id, uint32_t peer_id);

#endif

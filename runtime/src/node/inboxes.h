/**
 * @file inboxes.h
 * @brief The inboxes of a process.
 */
#ifndef TRP_INBOXES_H
#define TRP_INBOXES_H

#include "troupe/system.h"

#include <stdbool.h>
#include <stdint.h>

/**
 * Close the channel of inbox @p inbox_id to executor @p peer_id, which takes no more mail.
 *
 * @return  false: there is no such inbox in this process.
 * @threads any
 */
bool trp_inbox_detach(troupe_system_t *system, uint32_t inbox_id, uint32_t peer_id);

#endif

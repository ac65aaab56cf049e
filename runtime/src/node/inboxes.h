/**
 * @file inboxes.h
 * @brief What other threads do for the inboxes of a process, which have no loop that would do it.
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

/**
 * Have inbox @p inbox_id receive what has arrived, if it is one of this process and its thread neither receives nor
 * asks: an executor that ends waits until its last frames were received.
 *
 * @threads any
 */
void trp_inboxes_attend(troupe_system_t *system, uint32_t inbox_id);

#endif

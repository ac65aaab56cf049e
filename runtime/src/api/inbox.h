/**
 * @file inbox.h
 * @brief Turns of an inbox, for receiving and for closing it.
 */
#ifndef TRP_API_INBOX_H
#define TRP_API_INBOX_H

#include "troupe/inbox.h"

#include <stdint.h>

/** Check that the caller is on the inbox's thread. @return TROUPE_ERR_THREAD, explained, when it is not. */
enum troupe_err trp_inbox_check(const troupe_inbox_t *inbox);

/** The inbox's thread takes turns from here on: no other thread does, which would take what it then waits for. */
void trp_inbox_begin(troupe_inbox_t *inbox);

/** Undo trp_inbox_begin(). */
void trp_inbox_end(troupe_inbox_t *inbox);

/**
 * Receive what has arrived, unless the inbox's thread takes turns, or uses the inbox just now: whoever waits for this
 * asks again.
 *
 * @threads any, while the inbox is pinned
 */
void trp_inbox_attend(troupe_inbox_t *inbox);

/** Take a turn of the inbox's executor; if there was nothing to do, wait up to @p timeout_ns. */
void trp_inbox_step(troupe_inbox_t *inbox, uint64_t timeout_ns);

#endif

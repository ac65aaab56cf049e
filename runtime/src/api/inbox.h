/**
 * @file inbox.h
 * @brief Taking the turns of an inbox.
 */
#ifndef TRP_API_INBOX_H
#define TRP_API_INBOX_H

#include "troupe/inbox.h"

#include <stdint.h>

/** Check that the caller is on the inbox's thread. */
enum troupe_err trp_inbox_check(const troupe_inbox_t *inbox);

/** Do what is at hand, or wait for something for up to @p timeout_ns. */
void trp_inbox_step(troupe_inbox_t *inbox, uint64_t timeout_ns);

#endif

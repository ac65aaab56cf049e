/**
 * @file guard.h
 * @brief The secret of a system: connections by ipc or tcp that do not show it are refused.
 *
 * A mailbox that listens asks for it by ZeroMQ's PLAIN mechanism, in the handshake, so that a stranger's connection is closed
 * before a frame of it is read. ZeroMQ asks a handler on the endpoint of RFC 27 (ZAP) whether the secret is right: that
 * is the thread here. Connections within a process need no secret.
 */
#ifndef TRP_GUARD_H
#define TRP_GUARD_H

#include "base/error.h"

/** Size of a secret with its NUL: 32 hexadecimal digits. */
#define TRP_SECRET_BYTES 33

/** The handler of a ZeroMQ context. */
struct trp_guard;

/** Start the handler of a context, which has none. @retval TROUPE_ERR_LIMIT  no thread, socket or memory. */
enum troupe_err trp_guard_new(void *context, const char *secret, struct trp_guard **out_guard);

/** Free the handler of a context that was freed: it ends with that. Does nothing when it is NULL. */
void trp_guard_free(struct trp_guard **guard_p);

#endif

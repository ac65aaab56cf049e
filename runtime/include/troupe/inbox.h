/**
 * @file troupe/inbox.h
 * @brief Inboxes: how a thread that runs no actors exchanges messages with actors.
 *
 * An inbox has a mailbox, a reference and credit of its own. What is sent through it leaves at once; a message to it
 * waits until the thread receives it.
 *
 * The thread that opened an inbox owns it: every function but troupe_inbox_new() checks, in every build, that it is
 * called on that thread. An inbox has to be closed before its system is destroyed.
 */
#ifndef TROUPE_INBOX_H
#define TROUPE_INBOX_H

#include "troupe/context.h"
#include "troupe/error.h"
#include "troupe/export.h"
#include "troupe/message.h"
#include "troupe/system.h"

#include <stdint.h>

/** An inbox. */
typedef struct troupe_inbox troupe_inbox_t;

/**
 * Open an inbox.
 *
 * @param system     Must outlive the inbox.
 * @param out_inbox  Receives the inbox.
 *
 * @retval TROUPE_OK          *out_inbox is set.
 * @retval TROUPE_ERR_CLOSED  the system is stopping.
 * @retval TROUPE_ERR_LIMIT   too few descriptors are free, or the system has 65,536 executors and inboxes, as many as there
 *                            may be at a time.
 * @retval TROUPE_ERR_NOMEM   no memory.
 *
 * @owns    The caller owns *out_inbox until troupe_inbox_destroy().
 * @threads any; the caller becomes the owner
 * @blocks  never
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_inbox_new(
    troupe_system_t *system, troupe_inbox_t **out_inbox);

/**
 * @return the context of the inbox, to spawn, send, stop, look up and reply with; NULL on another thread. It runs no
 *         callbacks, so asks and timers return ::TROUPE_ERR_UNSUPPORTED: use troupe_inbox_ask().
 *
 * @owns    The inbox keeps it.
 * @threads the owner's
 * @blocks  never
 */
TROUPE_API troupe_context_t *troupe_inbox_context(troupe_inbox_t *inbox);

/**
 * Receive one message, in the order of arrival. ::TROUPE_MESSAGE_ROOM notices are received like any message. A message
 * that arrived when there was no memory for it became a dead letter `undeliverable`.
 *
 * @param timeout_ns   How long to wait for a message, in nanoseconds; 0: return at once.
 * @param out_message  Receives the message.
 *
 * @retval TROUPE_OK            *out_message is set.
 * @retval TROUPE_ERR_TIMEDOUT  no message arrived in time.
 * @retval TROUPE_ERR_THREAD    called on another thread.
 *
 * @owns    The caller owns *out_message until troupe_message_destroy().
 * @threads the owner's
 * @blocks  up to @p timeout_ns
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_inbox_receive(
    troupe_inbox_t *inbox, uint64_t timeout_ns, troupe_message_t **out_message);

/**
 * Ask, and wait for the reply. Other messages that arrive meanwhile wait for troupe_inbox_receive().
 *
 * On the thread that owns the system, actors on the backend `ecs` do not run while this waits, so they cannot reply.
 *
 * @param outgoing    What to ask; read during this call only.
 * @param timeout_ns  How long to wait, in nanoseconds; 0: ::TROUPE_ASK_TIMEOUT_DEFAULT_NS.
 * @param out_reply   Receives the reply.
 *
 * @retval TROUPE_OK            *out_reply is set.
 * @retval TROUPE_ERR_TIMEDOUT  no reply arrived in time, or the time to live of the ask was over. A late reply becomes
 *                              a dead letter `late_reply`.
 * @retval TROUPE_ERR_NOENT     the receiver has ended; troupe_error_detail() says how.
 * @retval TROUPE_ERR_INVAL     as troupe_send(); or `on_behalf_of` is set.
 * @retval TROUPE_ERR_THREAD    called on another thread. Other errors as troupe_send().
 *
 * @owns    The caller owns *out_reply until troupe_message_destroy().
 * @threads the owner's
 * @blocks  up to @p timeout_ns
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_inbox_ask(
    troupe_inbox_t *inbox,
    const struct troupe_outgoing *outgoing,
    uint64_t timeout_ns,
    troupe_message_t **out_reply);

/**
 * Close an inbox and set *inbox_p to NULL. Does nothing when it is NULL. Messages that were not received become dead
 * letters `stopped`.
 *
 * @retval TROUPE_OK          Closed.
 * @retval TROUPE_ERR_THREAD  called on another thread; *inbox_p is as before.
 *
 * @owns    Takes *inbox_p on ::TROUPE_OK only.
 * @threads the owner's
 * @blocks  until each peer has finished its channel to the inbox: as long as their callbacks take
 */
TROUPE_API enum troupe_err troupe_inbox_destroy(troupe_inbox_t **inbox_p);

#endif

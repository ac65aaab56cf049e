/**
 * @file troupe/inbox.h
 * @brief Ports: how a thread that runs no actors talks with actors.
 *
 * A port is an executor without a loop: its own mailbox, reference and credits, on a thread of the
 * program's. What is sent through it leaves at once; what is sent to it waits until it is received.
 *
 * The thread that made a port owns it: only that thread may use it. Every build checks that.
 */
#ifndef TROUPE_INBOX_H
#define TROUPE_INBOX_H

#include "troupe/context.h"
#include "troupe/error.h"
#include "troupe/export.h"
#include "troupe/message.h"
#include "troupe/system.h"

#include <stdint.h>

/** A port. */
typedef struct troupe_inbox troupe_inbox_t;

/**
 * Open a port.
 *
 * @param system    To which system. It must outlive the port.
 * @param out_port  Receives the port.
 *
 * @retval TROUPE_OK          *out_port is set.
 * @retval TROUPE_ERR_LIMIT   fewer than 256 descriptors are free.
 * @retval TROUPE_ERR_NOMEM   no memory.
 * @retval TROUPE_ERR_CLOSED  the system is stopping.
 *
 * @owns    The caller owns *out_port until troupe_inbox_destroy().
 * @threads any; the caller becomes the owner
 * @blocks  never
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_inbox_new(
    troupe_system_t *system, troupe_inbox_t **out_port);

/**
 * @return the port's context: spawn, send, give, look up and reply through it. It runs no callbacks,
 *         so asks and timers are refused: use troupe_inbox_ask(). NULL on another thread.
 *
 * @owns    The port keeps it.
 * @threads the owner's
 * @blocks  never
 */
TROUPE_API troupe_context_t *troupe_inbox_context(troupe_inbox_t *port);

/**
 * Receive one message. One that came when there was no memory to hold it is a dead letter `refused`.
 *
 * @param timeout_ns   How long to wait for it, in nanoseconds; 0: not at all.
 * @param out_message  Receives it. ::TROUPE_MESSAGE_ROOM notices come here like any message.
 *
 * @retval TROUPE_OK            *out_message is set.
 * @retval TROUPE_ERR_TIMEDOUT  none came.
 * @retval TROUPE_ERR_THREAD    called from another thread.
 *
 * @owns    The caller owns *out_message until troupe_message_destroy().
 * @threads the owner's
 * @blocks  up to @p timeout_ns
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_inbox_receive(
    troupe_inbox_t *port, uint64_t timeout_ns, troupe_message_t **out_message);

/**
 * Ask and wait for the answer. What else arrives meanwhile waits for troupe_inbox_receive().
 *
 * On the thread that owns the system, `ecs` actors cannot answer while this waits.
 *
 * @param letter       What to ask whom.
 * @param timeout_ns   How long, in nanoseconds; 0: ::TROUPE_ASK_TIMEOUT_DEFAULT_NS.
 * @param out_reply   Receives the answer.
 *
 * @retval TROUPE_OK            *out_reply is set.
 * @retval TROUPE_ERR_TIMEDOUT  none came in time; a late one becomes a dead letter.
 * @retval TROUPE_ERR_NOENT     the receiver is gone.
 * @retval TROUPE_ERR_THREAD    called from another thread. Others as troupe_send().
 *
 * @owns    Copies @p letter. The caller owns *out_reply until troupe_message_destroy().
 * @threads the owner's
 * @blocks  up to @p timeout_ns
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_inbox_ask(
    troupe_inbox_t *port,
    const struct troupe_outgoing *letter,
    uint64_t timeout_ns,
    troupe_message_t **out_reply);

/**
 * Close the port and set *port_p to NULL. Does nothing when it is NULL. What waited in it becomes
 * dead letters.
 *
 * @retval TROUPE_OK            Closed.
 * @retval TROUPE_ERR_THREAD    called from another thread; *port_p is as before.
 *
 * @owns    Takes *port_p on ::TROUPE_OK only.
 * @threads the owner's
 * @blocks  until each peer has closed its link to the port: as long as their callbacks take
 */
TROUPE_API enum troupe_err troupe_inbox_destroy(troupe_inbox_t **port_p);

#endif

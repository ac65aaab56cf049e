/**
 * @file mailbox_wait.h
 * @brief The three ways in which an executor waits for its next frame: spin, doorbell, poll().
 *
 * Only the executor's own thread calls these. The last poll of the sockets, trp_mailbox_poll(), comes before
 * trp_mailbox_sleep(): it makes ZeroMQ signal the frames that come after it.
 */
#ifndef TRP_MAILBOX_WAIT_H
#define TRP_MAILBOX_WAIT_H

#include "channel/mailbox.h"

#include <stdbool.h>
#include <stdint.h>

/** Spin until the doorbell rings, if spinning has paid lately. @return whether a frame is there. */
bool trp_mailbox_spin(struct trp_mailbox *mailbox, uint64_t timeout_ns);

/**
 * Sleep at the doorbell for a while, if a frame came lately and the mailbox does not listen on ipc or tcp.
 *
 * A ring wakes it, and the pipes stay awake, which is cheaper than a sleep in poll(). Frames that do not ring are
 * found only by the poll of the sockets that follows.
 *
 * @return whether it slept; woken or not, the executor is to check for work.
 */
bool trp_mailbox_wait_doorbell(struct trp_mailbox *mailbox, uint64_t timeout_ns);

/** Sleep until a frame comes, the wake_fd is written, or @p timeout_ns pass (UINT64_MAX: no timeout). */
void trp_mailbox_sleep(struct trp_mailbox *mailbox, uint64_t timeout_ns);

#endif

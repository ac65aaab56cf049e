/**
 * @file mailbox.h
 * @brief The ZeroMQ sockets on which an executor receives: a PULL for its peers, a private PAIR for itself.
 *
 *     peers  --PUSH--> PULL    inproc: received from when the doorbell says so, polled before a sleep
 *                              ipc, tcp: senders do not ring, so polled now and then and before a sleep
 *     itself --PAIR--> PAIR    received from exactly as often as was sent, so never found empty: the first
 *                              frame into a pipe that was found empty costs a system call on both sides
 *
 * Only the executor's own thread uses a mailbox; its peers touch the doorbell.
 */
#ifndef TRP_MAILBOX_H
#define TRP_MAILBOX_H

#include "base/check.h"
#include "channel/overtaken.h"
#include "channel/spinner.h"
#include "shared/doorbell.h"
#include "wire/format.h"
#include "wire/zmq.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/** Parts that may follow a frame. */
#define TRP_PARTS_MAX 64

struct trp_mailbox {
    void *context; // ZeroMQ's
    uint32_t id;
    void *pull;
    int pull_fd;
    int wake_fd; // an eventfd that also ends a sleep; -1: none
    struct trp_doorbell *doorbell;

    uint64_t received_count; // frames received for which the doorbell was rung
    uint64_t command_count;  // of them, commands
    int64_t
        unawaited_count; // commands that were rung for, did not come in time, and are waited for no more
    uint64_t awaited_since_ns; // when a command was first waited for; 0: none is
    struct trp_overtaken overtaken;

    void *loop_in; // NULL until the first frame to itself
    void *loop_out;
    uint32_t loop_count;       // frames sent to itself and not received yet
    size_t zmsg_inline_offset; // of the bytes of a small zmsg in it

    bool listens;         // on ipc or tcp, too
    uint64_t poll_cycles; // when the sockets were last polled for frames by those
    uint32_t poll_turns;  // and turns since then

    struct trp_zmsg zmsg;   // the frame received last
    struct trp_zmsg *parts; // the parts that followed it
    uint32_t part_count;
    bool has_polled; // trp_mailbox_poll() received a frame, which is to be handled yet
    const uint8_t *polled_bytes;
    size_t polled_size;

    bool has_thread; // a thread of its own, which may sleep at the doorbell and stay a spinner
    bool may_wait_doorbell; // a frame came since the last sleep at the doorbell that was in vain
    struct trp_spinner spinner;
};

/**
 * Make the PULL of executor @p id and bind it to inproc.
 *
 * @param wake_fd  An eventfd that also ends a sleep; -1: none.
 */
enum troupe_err trp_mailbox_init(
    struct trp_mailbox *mailbox,
    void *context,
    uint32_t id,
    struct trp_doorbell *doorbell,
    struct trp_spinners *spinners,
    int wake_fd);

/** Also receive on the ipc or tcp @p endpoint, on which @p listener_fd listens already; takes @p listener_fd. */
enum troupe_err trp_mailbox_listen(
    struct trp_mailbox *mailbox, const char *endpoint, int listener_fd, int64_t bound_bytes);

/** Close the sockets. There are no senders any more, and all frames were received. */
void trp_mailbox_fini(struct trp_mailbox *mailbox);

/** @return whether a peer's frame is there, as the doorbell says, or was received already. */
static inline bool trp_mailbox_has_mail(const struct trp_mailbox *mailbox)
{
    // Acquire: pairs with the release in trp_doorbell_ring(), so that the frame is in the pipe.
    uint64_t bell = atomic_load_explicit(&mailbox->doorbell->bell, memory_order_acquire);
    return (int64_t)(bell - mailbox->received_count) > 0 || mailbox->has_polled ||
           !trp_overtaken_is_empty(&mailbox->overtaken);
}

/**
 * Receive a peer's frame, if the doorbell says that one is there. Commands overtake other frames.
 *
 * @return whether one was received; it is valid until trp_mailbox_release_frame().
 */
bool trp_mailbox_receive(struct trp_mailbox *mailbox, const uint8_t **out_bytes, size_t *out_size);

/** Free the parts that followed the frame received last. */
void trp_mailbox_drop_parts(struct trp_mailbox *mailbox);

/** Release the frame received last, of @p size bytes. */
static inline void trp_mailbox_release_frame(struct trp_mailbox *mailbox, size_t size)
{
    if (size > TRP_ZMSG_INLINE_BYTES) {
        trp_zmsg_clear(&mailbox->zmsg);
    }
    if (TRP_UNLIKELY(mailbox->part_count != 0)) {
        trp_mailbox_drop_parts(mailbox);
    }
}

/** Take the body that is part @p which of the frame received last. @return false: it is empty or was taken before. */
bool trp_mailbox_take_part(
    struct trp_mailbox *mailbox, uint32_t which, struct trp_given *out_given);

/** Undo the count of a received frame that says that it rang and did not: a stranger's. */
void trp_mailbox_uncount(struct trp_mailbox *mailbox, const uint8_t *bytes, size_t size);

/** @return whether it is time to poll the sockets for frames by ipc and tcp, whose senders do not ring. */
bool trp_mailbox_is_due(struct trp_mailbox *mailbox);

/** Make the PAIR. It is not there yet. */
enum troupe_err trp_mailbox_make_loop(struct trp_mailbox *mailbox);

/** Make the PAIR, if it is not there yet. Inline, for every message to itself passes here. */
static inline enum troupe_err trp_mailbox_open_loop(struct trp_mailbox *mailbox)
{
    return mailbox->loop_in != NULL ? TROUPE_OK : trp_mailbox_make_loop(mailbox);
}

/** Count a frame that was sent into `loop_in`. */
static inline void trp_mailbox_loop_sent(struct trp_mailbox *mailbox)
{
    mailbox->loop_count++;
}

/** Send a frame of up to ::TRP_ZMSG_INLINE_BYTES to itself. @return false: no memory. */
TRP_INLINE bool trp_mailbox_loop_send_small(
    struct trp_mailbox *mailbox, const void *bytes, size_t size)
{
    bool sent = trp_zmq_send_inline(mailbox->loop_in, mailbox->zmsg_inline_offset, bytes, size);
    mailbox->loop_count += sent ? 1 : 0;
    return sent;
}

/** Receive the next frame sent to itself; `loop_count` is not 0. Valid until trp_mailbox_release_frame(). */
TRP_INLINE void trp_mailbox_loop_receive(
    struct trp_mailbox *mailbox, const uint8_t **out_bytes, size_t *out_size)
{
    TRP_DCHECK(mailbox->loop_count > 0 && !mailbox->has_polled);
    bool received = trp_zmq_take(mailbox->loop_out, &mailbox->zmsg, out_size);
    TRP_CHECK(received);
    mailbox->loop_count--;
    *out_bytes = *out_size <= TRP_ZMSG_INLINE_BYTES
                     ? mailbox->zmsg.opaque + mailbox->zmsg_inline_offset
                     : trp_zmsg_bytes(&mailbox->zmsg, out_size);
}

/**
 * Receive a frame that came without a ring, if there is one, for trp_mailbox_receive() to return.
 *
 * If there is none, ZeroMQ's pipes are asleep from here on: the next frame makes `pull_fd` readable.
 *
 * @return whether there is one.
 */
bool trp_mailbox_poll(struct trp_mailbox *mailbox);

#endif

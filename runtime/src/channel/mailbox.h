/**
 * @file mailbox.h
 * @brief Where an executor's mail arrives: a PULL for others', a private PAIR for its own.
 *
 *     peers --PUSH--> PULL     inproc: looked at when the doorbell says so, and before sleep
 *                              ipc, tcp: nobody rings, so looked at now and then, and before sleep
 *     itself --PAIR--> PAIR    received from exactly as often as was sent, so never found empty
 *
 * Only the executor's own thread comes here; peers ring its doorbell.
 */
#ifndef TRP_MAILBOX_H
#define TRP_MAILBOX_H

#include "shared/doorbell.h"
#include "wire/frame.h"
#include "wire/zmq.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/** How many of a node's threads spin, or did when they waited last, so that they never outnumber the cores. */
struct trp_spinners {
    _Atomic int32_t count;
    int32_t count_max; // const
};

/** A frame that was received, and has to wait until a command was met that came after it. */
struct trp_overtaken {
    struct trp_zmsg zmsg;
    const uint8_t *bytes;
    size_t size;
    struct trp_zmsg *parts;
    uint32_t part_count;
};

/** Parts that may follow a frame. */
#define TRP_PARTS_MAX 64

struct trp_mailbox {
    void *context;
    uint32_t id;
    void *pull;
    int pull_fd;
    int wake_fd; // an eventfd that also ends a wait; -1: none
    struct trp_doorbell *doorbell;
    struct trp_spinners *spinners;

    uint64_t received_count;      // frames that rang, so far
    uint64_t command_count;       // of them, commands
    struct trp_overtaken *passed; // frames that commands passed, in order
    uint32_t overtaken_first;
    uint32_t overtaken_count;
    uint32_t overtaken_capacity;
    void *loop_in; // NULL until the first frame to itself
    void *loop_out;
    uint32_t loop_count; // frames on their way to itself
    size_t zmsg_inside;  // where in the zmsg the bytes of a small one are

    bool listens;         // by ipc or tcp, too
    uint64_t look_cycles; // when those were last looked at
    uint32_t look_turns;  // turns until the clock is asked whether to look again

    struct trp_zmsg zmsg;   // what was received last
    struct trp_zmsg *parts; // what followed it
    uint32_t part_count;
    bool has_early; // it was found while getting ready to sleep, and is to be met yet
    const uint8_t *early_bytes;
    size_t early_size;

    bool has_thread;    // that does nothing but to look after it: it may doze, and keep its place
    bool may_doze;      // something has come since it dozed in vain
    bool is_spinner;    // counted among the spinners, from a spin that paid to a wait without one
    int32_t spin_score; // above 0: waits were short lately, so spin first
};

/**
 * Make the PULL of executor @p id and bind it.
 *
 * @param wake_fd  An eventfd that ends a wait too, or -1.
 */
enum troupe_err trp_mailbox_init(
    struct trp_mailbox *mailbox,
    void *context,
    uint32_t id,
    struct trp_doorbell *doorbell,
    struct trp_spinners *spinners,
    int wake_fd);

/** Listen on @p endpoint, by a socket that listens there already; takes @p listener_fd. */
enum troupe_err trp_mailbox_listen(
    struct trp_mailbox *mailbox, const char *endpoint, int listener_fd, int64_t bound_bytes);

/** Close the sockets. Nobody sends any more, and what came was received. */
void trp_mailbox_fini(struct trp_mailbox *mailbox);

/** @return whether the doorbell says that a peer's frame is there. */
static inline bool trp_mailbox_has_mail(const struct trp_mailbox *mailbox)
{
    // Acquire: pairs with the release in trp_doorbell_ring(), so that the frame is in the pipe.
    uint64_t bell = atomic_load_explicit(&mailbox->doorbell->bell, memory_order_acquire);
    return (int64_t)(bell - mailbox->received_count) > 0 || mailbox->has_early ||
           mailbox->overtaken_first < mailbox->overtaken_count;
}

/**
 * Receive a peer's frame, if the doorbell says that one is there; a command before any other.
 *
 * @return whether one was; it is good until trp_mailbox_let_go().
 */
bool trp_mailbox_receive(struct trp_mailbox *mailbox, const uint8_t **out_bytes, size_t *out_size);

/** Let go of the parts that followed a frame. */
void trp_mailbox_drop_parts(struct trp_mailbox *mailbox);

/** Let go of the frame received last, of @p size bytes. */
static inline void trp_mailbox_let_go(struct trp_mailbox *mailbox, size_t size)
{
    if (size > TRP_ZMSG_INLINE_BYTES) {
        trp_zmsg_clear(&mailbox->zmsg);
    }
    if (TRP_UNLIKELY(mailbox->part_count != 0)) {
        trp_mailbox_drop_parts(mailbox);
    }
}

/** Take the body that is part @p which of the frame received last. @return false: taken before, or no memory. */
bool trp_mailbox_take_part(
    struct trp_mailbox *mailbox, uint32_t which, struct trp_given *out_given);

/** Take back the count of a received frame that says it rang and did not: a stranger's. */
void trp_mailbox_uncount(struct trp_mailbox *mailbox, const uint8_t *bytes, size_t size);

/** @return whether it is time to look for what came by ipc and tcp, where nobody rings. */
bool trp_mailbox_is_due(struct trp_mailbox *mailbox);

/** Make the pair, if it is not there yet. */
enum troupe_err trp_mailbox_make_loop(struct trp_mailbox *mailbox);

/** As trp_mailbox_make_loop(), for the road of a message. */
static inline enum troupe_err trp_mailbox_open_loop(struct trp_mailbox *mailbox)
{
    return mailbox->loop_in != NULL ? TROUPE_OK : trp_mailbox_make_loop(mailbox);
}

/** Say that a frame was sent into `loop_in`. */
static inline void trp_mailbox_loop_sent(struct trp_mailbox *mailbox)
{
    mailbox->loop_count++;
}

/** Send itself a small frame, up to ::TRP_ZMSG_INLINE_BYTES. @return false: no memory. */
TRP_INLINE bool trp_mailbox_loop_send_small(
    struct trp_mailbox *mailbox, const void *bytes, size_t size)
{
    bool sent = trp_zmq_send_inline(mailbox->loop_in, mailbox->zmsg_inside, bytes, size);
    mailbox->loop_count += sent ? 1 : 0;
    return sent;
}

/** Receive the next frame sent to itself; `loop_count` is not 0. It is good until let go. */
TRP_INLINE void trp_mailbox_loop_receive(
    struct trp_mailbox *mailbox, const uint8_t **out_bytes, size_t *out_size)
{
    TRP_DCHECK(mailbox->loop_count > 0 && !mailbox->has_early);
    bool received = trp_zmq_take(mailbox->loop_out, &mailbox->zmsg, out_size);
    TRP_CHECK(received);
    mailbox->loop_count--;
    *out_bytes = *out_size <= TRP_ZMSG_INLINE_BYTES ? mailbox->zmsg.opaque + mailbox->zmsg_inside
                                                    : trp_zmsg_bytes(&mailbox->zmsg, out_size);
}

/** Look whether a frame came without a ring, and put the pipes to sleep. @return whether one did. */
bool trp_mailbox_poll(struct trp_mailbox *mailbox);

/** Spin for mail while that has paid lately. @return whether there is some. */
bool trp_mailbox_spin(struct trp_mailbox *mailbox, uint64_t timeout_ns);

/**
 * Sleep at the doorbell for a while, if that may be: something came lately, and nobody sends by ipc or tcp. Who
 * rings wakes it, and the pipes stay awake; but what does not ring is only seen by the look that follows.
 *
 * @return whether it slept; woken or not, the executor is to look around.
 */
bool trp_mailbox_wait_doorbell(struct trp_mailbox *mailbox, uint64_t timeout_ns);

/** Sleep until mail comes, the wake_fd is written, or @p timeout_ns pass (UINT64_MAX: for ever). */
void trp_mailbox_sleep(struct trp_mailbox *mailbox, uint64_t timeout_ns);

#endif

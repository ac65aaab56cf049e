/**
 * @file zmq.h
 * @brief All calls of libzmq: contexts, sockets and messages.
 *
 * No call blocks, except trp_zmq_context_free(), and none fails with EINTR. A socket belongs to one
 * thread; it may move to another one across a thread start, a join or a lock.
 */
#ifndef TRP_ZMQ_H
#define TRP_ZMQ_H

#include "base/error.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** A zmq_msg_t. Its type is hidden, so that <zmq.h> is included by one file only. */
struct trp_zmsg {
    alignas(8) unsigned char opaque[64];
};

/** Make a context for at most @p socket_count_max sockets. */
enum troupe_err trp_zmq_context_new(int socket_count_max, void **out_context);

/**
 * Free a context whose sockets are all closed; wait until ZeroMQ's threads have ended. NULL is
 * allowed.
 */
void trp_zmq_context_free(void *context);

/** Make the PULL socket of executor @p id, bound to its inproc endpoint. */
enum troupe_err trp_zmq_pull_new(void *context, uint32_t id, void **out_socket);

/** Room for any endpoint and its NUL. */
#define TRP_ENDPOINT_BYTES 128

/** Write the inproc endpoint of executor @p id. */
void trp_zmq_inproc(uint32_t id, char endpoint[static TRP_ENDPOINT_BYTES]);

/**
 * Bind a PULL socket to an ipc or tcp endpoint on which a descriptor listens already.
 *
 * @param listener_fd     Taken over on success.
 * @param part_bytes_max  A peer that announces a larger part is disconnected before memory is
 *                        allocated for it.
 */
enum troupe_err trp_zmq_listen(
    void *pull, const char *endpoint, int listener_fd, int64_t part_bytes_max);

/** Make a PUSH socket connected to @p endpoint, which is bound already. */
enum troupe_err trp_zmq_push_new(
    void *context, const char *endpoint, const char *secret, void **out_socket);

/**
 * Make the loopback of executor @p id, two PAIR sockets: what is sent to one is received from the
 * other.
 */
enum troupe_err trp_zmq_pair_new(void *context, uint32_t id, void **out_in, void **out_out);

/**
 * Close *socket_p, if it is not NULL, and set it to NULL. Frames that were sent before still
 * arrive.
 */
void trp_zmq_close(void **socket_p);

/** As trp_zmq_close(), and wait until its descriptors are free again, but not for long. */
void trp_zmq_close_and_wait(void **socket_p);

/**
 * @return the descriptor that becomes readable when the socket may have a message; see
 *         trp_zmq_receive().
 */
int trp_zmq_fd(void *socket);

/** A zmsg of up to this size holds its bytes itself, allocates nothing, and need not be cleared. */
#define TRP_ZMSG_INLINE_BYTES 33

/**
 * @return the offset of such bytes within a zmsg. One that came by ipc or tcp may hold them
 *         elsewhere.
 */
size_t trp_zmsg_inline(void);

/** Send a copy of @p size bytes. @return false: no memory. */
bool trp_zmq_send(void *socket, const void *bytes, size_t size);

/**
 * As trp_zmq_send(), for up to ::TRP_ZMSG_INLINE_BYTES bytes; takes a third less time.
 *
 * @param inside  The result of trp_zmsg_inline().
 */
bool trp_zmq_send_inline(void *socket, size_t inside, const void *bytes, size_t size);

/**
 * Send @p bytes without a copy; @p free_fn frees them later, on any thread.
 *
 * @return false: no memory.
 */
bool trp_zmq_give(
    void *socket, void *bytes, size_t size, void (*free_fn)(void *bytes, void *data), void *data);

/**
 * Move @p bytes into a new zmsg without a copy; @p free_fn frees them later, on any thread.
 *
 * @return false: no memory.
 */
bool trp_zmsg_give(
    struct trp_zmsg *zmsg,
    void *bytes,
    size_t size,
    void (*free_fn)(void *bytes, void *data),
    void *data);

/** Copy @p size bytes into a new zmsg. @return false: no memory. */
bool trp_zmsg_fill(struct trp_zmsg *zmsg, const void *bytes, size_t size);

/** Make @p copy a new zmsg that shares the bytes of @p zmsg. */
void trp_zmsg_share(struct trp_zmsg *copy, struct trp_zmsg *zmsg);

/** @return the bytes of a zmsg. */
uint8_t *trp_zmsg_bytes(struct trp_zmsg *zmsg, size_t *out_size);

/** Send a zmsg and leave it empty. @p more: further parts of the same message follow. */
void trp_zmq_send_zmsg(void *socket, struct trp_zmsg *zmsg, bool more);

/** @return whether further parts of the same message follow this one. */
bool trp_zmsg_has_more(const struct trp_zmsg *zmsg);

/**
 * Make the bytes of a zmsg start at a multiple of 8; copies them if they do not.
 *
 * @return false: no memory.
 */
bool trp_zmsg_align(struct trp_zmsg *zmsg);

/** Make an empty zmsg to receive into. It can be used for any number of messages. */
void trp_zmsg_init(struct trp_zmsg *zmsg);

/** Free what a zmsg holds, and leave it empty. */
void trp_zmsg_clear(struct trp_zmsg *zmsg);

/** Let the socket process new connections and sleeping pipes that have a message. Takes 600 ns. */
void trp_zmq_notice(void *socket);

/** As trp_zmq_receive(), for a caller that does not need the address of the bytes. */
bool trp_zmq_take(void *socket, struct trp_zmsg *zmsg, size_t *out_size);

/**
 * Receive the next message into a zmsg, and free what that held before.
 *
 * It takes 80 ns if there is a message. If there is none, it takes 600 ns and puts the pipes to
 * sleep, so that the next message makes trp_zmq_fd() readable: call it only where a message is
 * expected, or before waiting.
 *
 * @return false: no message; else *out_bytes and *out_size are what *zmsg holds.
 */
bool trp_zmq_receive(
    void *socket, struct trp_zmsg *zmsg, const uint8_t **out_bytes, size_t *out_size);

#endif

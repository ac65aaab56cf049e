/**
 * @file wire.h
 * @brief ZeroMQ, and nothing but ZeroMQ: contexts, sockets and messages.
 *
 * Every call is wrapped so that EINTR never surfaces. A socket belongs to one thread; it may move to
 * another where a start, a join or a lock lies between.
 */
#ifndef TRP_ZMQ_H
#define TRP_ZMQ_H

#include "base/error.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** A zmq_msg_t, without its header. */
struct trp_zmsg {
    alignas(8) unsigned char opaque[64];
};

/** Make a context that can have @p socket_count_max sockets. */
enum troupe_err trp_zmq_context_new(int socket_count_max, void **out_context);

/** Every socket is closed; waits until ZeroMQ's threads have let go of them. */
void trp_zmq_context_free(void *context);

/** Make the PULL of executor @p id, bound to inproc. */
enum troupe_err trp_zmq_pull_new(void *context, uint32_t id, void **out_socket);

/** Long enough for any endpoint. */
#define TRP_ENDPOINT_BYTES 128

/** Write the inproc endpoint of executor @p id. */
void trp_zmq_inproc(uint32_t id, char endpoint[static TRP_ENDPOINT_BYTES]);

/**
 * Bind a PULL to @p endpoint, an ipc or tcp one on which @p listener_fd listens already; it is taken.
 *
 * @param part_bytes_max  Who announces a larger part is hung up on, before any memory is taken for it.
 */
enum troupe_err trp_zmq_listen(
    void *pull, const char *endpoint, int listener_fd, int64_t part_bytes_max);

/** Make a PUSH connected to @p endpoint, where somebody listens already. */
enum troupe_err trp_zmq_push_new(void *context, const char *endpoint, void **out_socket);

/** Make the private pair of executor @p id: what is sent to @p out_in is received from @p out_out. */
enum troupe_err trp_zmq_pair_new(void *context, uint32_t id, void **out_in, void **out_out);

/** Close *socket_p and set it to NULL. Does nothing when it is NULL. Frames sent before still arrive. */
void trp_zmq_close(void **socket_p);

/** @return the descriptor that turns readable when the socket has news; see trp_zmq_receive(). */
int trp_zmq_fd(void *socket);

/** Parcels up to this size hold their bytes inside, and need not be cleared. */
#define TRP_ZMSG_INLINE_BYTES 33

/** @return where in a zmsg those bytes are. By ipc and tcp also small ones may be elsewhere. */
size_t trp_zmsg_inline(void);

/** Send a copy of @p size bytes. @return false: no memory. */
bool trp_zmq_send(void *socket, const void *bytes, size_t size);

/** As trp_zmq_send(), up to ::TRP_ZMSG_INLINE_BYTES, where @p inside is trp_zmsg_inline(): a third faster. */
bool trp_zmq_send_inline(void *socket, size_t inside, const void *bytes, size_t size);

/** Send @p bytes itself; @p free_fn frees them later, on any thread. @return false: no memory. */
bool trp_zmq_give(
    void *socket, void *bytes, size_t size, void (*free_fn)(void *bytes, void *data), void *data);

/** Move @p size bytes into a zmsg: themselves, which @p free_fn frees later on any thread. @return false: no memory. */
bool trp_zmsg_give(
    struct trp_zmsg *zmsg,
    void *bytes,
    size_t size,
    void (*free_fn)(void *bytes, void *data),
    void *data);

/** Copy @p size bytes into a new zmsg. @return false: no memory. */
bool trp_zmsg_fill(struct trp_zmsg *zmsg, const void *bytes, size_t size);

/** Have @p copy hold what @p zmsg does, sharing its bytes. */
void trp_zmsg_share(struct trp_zmsg *copy, struct trp_zmsg *zmsg);

/** @return the bytes of a zmsg. */
uint8_t *trp_zmsg_bytes(struct trp_zmsg *zmsg, size_t *out_size);

/** Send a zmsg, which is empty then. @p more: others of the same message follow. */
void trp_zmq_send_zmsg(void *socket, struct trp_zmsg *zmsg, bool more);

/** @return whether parts of the same message follow what was received last. */
bool trp_zmsg_has_more(const struct trp_zmsg *zmsg);

/** Have a zmsg's bytes start at a multiple of 8. @return false: no memory. */
bool trp_zmsg_align(struct trp_zmsg *zmsg);

/** Make an empty zmsg to receive into; it can be received into again and again. */
void trp_zmsg_init(struct trp_zmsg *zmsg);

/** Let go of what a zmsg holds; it is empty then. */
void trp_zmsg_clear(struct trp_zmsg *zmsg);

/** Have the socket notice pipes that are new, or were asleep. Costs 600 ns. */
void trp_zmq_notice(void *socket);

/** As trp_zmq_receive(), without a look at where the bytes are. */
bool trp_zmq_take(void *socket, struct trp_zmsg *zmsg, size_t *out_size);

/**
 * Receive into a zmsg, if something is there; what it held is let go. One that is not looked for in vain costs 80 ns; a look in vain
 * costs 600 and puts the pipes to sleep, so that the next frame makes trp_zmq_fd() readable.
 *
 * @return whether *zmsg was received; then @p out_bytes and @p out_size say what it holds.
 */
bool trp_zmq_receive(
    void *socket, struct trp_zmsg *zmsg, const uint8_t **out_bytes, size_t *out_size);

#endif

/**
 * @file wire.h
 * @brief ZeroMQ, and nothing but ZeroMQ: contexts, sockets and messages.
 *
 * Every call is wrapped so that EINTR never surfaces. A socket belongs to one thread; it may move to
 * another where a start, a join or a lock lies between.
 */
#ifndef TRP_WIRE_H
#define TRP_WIRE_H

#include "error.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** A zmq_msg_t, without its header. */
struct trp_parcel {
    alignas(8) unsigned char opaque[64];
};

/** Make a context that can have @p socket_count_max sockets. */
enum troupe_err trp_wire_context_new(int socket_count_max, void **out_context);

/** Every socket is closed; waits until ZeroMQ's threads have let go of them. */
void trp_wire_context_free(void *context);

/** Make the PULL of executor @p id, bound to inproc. */
enum troupe_err trp_wire_pull_new(void *context, uint32_t id, void **out_socket);

/** Make a PUSH connected to the PULL of executor @p id, which is bound already. */
enum troupe_err trp_wire_push_new(void *context, uint32_t id, void **out_socket);

/** Make the private pair of executor @p id: what is sent to @p out_in is received from @p out_out. */
enum troupe_err trp_wire_pair_new(void *context, uint32_t id, void **out_in, void **out_out);

/** Close *socket_p and set it to NULL. Does nothing when it is NULL. Frames sent before still arrive. */
void trp_wire_close(void **socket_p);

/** @return the descriptor that turns readable when the socket has news; see trp_wire_receive(). */
int trp_wire_fd(void *socket);

/** Copy @p size bytes into a parcel. Up to 33 bytes live inside of it. @return false: no memory. */
bool trp_parcel_copy(struct trp_parcel *parcel, const void *bytes, size_t size);

/** Make a parcel of @p bytes itself; @p free_fn frees them, on any thread. @return false: no memory. */
bool trp_parcel_give(
    struct trp_parcel *parcel,
    void *bytes,
    size_t size,
    void (*free_fn)(void *bytes, void *data),
    void *data);

/** Free what a received parcel holds. */
void trp_parcel_free(struct trp_parcel *parcel);

/** Send and empty a parcel. @return false: nobody takes it; then it is the caller's still. */
bool trp_wire_send(void *socket, struct trp_parcel *parcel);

/**
 * Receive a parcel if one is there. One that is not looked for in vain costs 80 ns; a look in vain
 * costs 600 and puts the pipes to sleep, so that the next frame makes trp_wire_fd() readable.
 *
 * @return whether *parcel was received; then @p out_bytes and @p out_size say what it holds.
 */
bool trp_wire_receive(
    void *socket, struct trp_parcel *parcel, const uint8_t **out_bytes, size_t *out_size);

#endif

/**
 * @file wire.h
 * @brief ZeroMQ, and nothing but ZeroMQ: contexts, sockets and messages.
 *
 * Every call is wrapped so that EINTR never surfaces. A socket belongs to one thread; it may move to
 * another where a start, a join or a lock lies between.
 */
#ifndef TRP_WIRE_H
#define TRP_WIRE_H

#include "base/error.h"

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

/** Long enough for any endpoint. */
#define TRP_ENDPOINT_BYTES 128

/** Write the inproc endpoint of executor @p id. */
void trp_wire_inproc(uint32_t id, char endpoint[static TRP_ENDPOINT_BYTES]);

/**
 * Bind a PULL to @p endpoint, an ipc or tcp one on which @p listener_fd listens already; it is taken.
 *
 * @param part_bytes_max  Who announces a larger part is hung up on, before any memory is taken for it.
 */
enum troupe_err trp_wire_listen(
    void *pull, const char *endpoint, int listener_fd, int64_t part_bytes_max);

/** Make a PUSH connected to @p endpoint, where somebody listens already. */
enum troupe_err trp_wire_push_new(void *context, const char *endpoint, void **out_socket);

/** Make the private pair of executor @p id: what is sent to @p out_in is received from @p out_out. */
enum troupe_err trp_wire_pair_new(void *context, uint32_t id, void **out_in, void **out_out);

/** Close *socket_p and set it to NULL. Does nothing when it is NULL. Frames sent before still arrive. */
void trp_wire_close(void **socket_p);

/** @return the descriptor that turns readable when the socket has news; see trp_wire_receive(). */
int trp_wire_fd(void *socket);

/** Parcels up to this size hold their bytes inside, and need not be cleared. */
#define TRP_PARCEL_INSIDE_BYTES 33

/** @return where in a parcel those bytes are. By ipc and tcp also small ones may be elsewhere. */
size_t trp_parcel_inside(void);

/** Send a copy of @p size bytes. @return false: no memory. */
bool trp_wire_send(void *socket, const void *bytes, size_t size);

/** As trp_wire_send(), up to ::TRP_PARCEL_INSIDE_BYTES, where @p inside is trp_parcel_inside(): a third faster. */
bool trp_wire_send_inside(void *socket, size_t inside, const void *bytes, size_t size);

/** Send @p bytes itself; @p free_fn frees them later, on any thread. @return false: no memory. */
bool trp_wire_give(
    void *socket, void *bytes, size_t size, void (*free_fn)(void *bytes, void *data), void *data);

/** Move @p size bytes into a parcel: themselves, which @p free_fn frees later on any thread. @return false: no memory. */
bool trp_parcel_give(
    struct trp_parcel *parcel,
    void *bytes,
    size_t size,
    void (*free_fn)(void *bytes, void *data),
    void *data);

/** Copy @p size bytes into a new parcel. @return false: no memory. */
bool trp_parcel_fill(struct trp_parcel *parcel, const void *bytes, size_t size);

/** Have @p copy hold what @p parcel does, sharing its bytes. */
void trp_parcel_share(struct trp_parcel *copy, struct trp_parcel *parcel);

/** @return the bytes of a parcel. */
uint8_t *trp_parcel_bytes(struct trp_parcel *parcel, size_t *out_size);

/** Send a parcel, which is empty then. @p more: others of the same message follow. */
void trp_wire_send_parcel(void *socket, struct trp_parcel *parcel, bool more);

/** @return whether parts of the same message follow what was received last. */
bool trp_parcel_has_more(const struct trp_parcel *parcel);

/** Have a parcel's bytes start at a multiple of 8. @return false: no memory. */
bool trp_parcel_align(struct trp_parcel *parcel);

/** Make an empty parcel to receive into; it can be received into again and again. */
void trp_parcel_init(struct trp_parcel *parcel);

/** Let go of what a parcel holds; it is empty then. */
void trp_parcel_clear(struct trp_parcel *parcel);

/** Have the socket notice pipes that are new, or were asleep. Costs 600 ns. */
void trp_wire_notice(void *socket);

/** As trp_wire_receive(), without a look at where the bytes are. */
bool trp_wire_take(void *socket, struct trp_parcel *parcel, size_t *out_size);

/**
 * Receive into a parcel, if something is there; what it held is let go. One that is not looked for in vain costs 80 ns; a look in vain
 * costs 600 and puts the pipes to sleep, so that the next frame makes trp_wire_fd() readable.
 *
 * @return whether *parcel was received; then @p out_bytes and @p out_size say what it holds.
 */
bool trp_wire_receive(
    void *socket, struct trp_parcel *parcel, const uint8_t **out_bytes, size_t *out_size);

#endif

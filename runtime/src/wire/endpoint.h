/**
 * @file listener.h
 * @brief Where an executor is reached by ipc and tcp: the socket that listens before anybody connects.
 *
 * Who makes an executor makes its listener, too, and the executor's own thread or process adopts it.
 * So nobody ever waits for a listener that comes later.
 */
#ifndef TRP_LISTENER_H
#define TRP_LISTENER_H

#include "config/placement.h"
#include "shared/shared.h"
#include "wire/zmq.h"

/**
 * Make the socket on which the executor of @p seat is reached: by tcp on the loopback if that is the
 * seat's transport, else by ipc. Notes in the seat that it listens.
 *
 * @param out_fd  Receives the descriptor; close-on-exec.
 */
enum troupe_err trp_listener_open(const char *rundir, struct trp_seat *seat, int *out_fd);

/** Write the endpoint of a seat that listens. */
void trp_listener_endpoint(
    const char *rundir, const struct trp_seat *seat, char endpoint[static TRP_ENDPOINT_BYTES]);

/** Remove what a listener left in the run directory. */
void trp_listener_remove(const char *rundir, const struct trp_seat *seat);

#endif

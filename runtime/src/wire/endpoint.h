/**
 * @file listener.h
 * @brief Where an executor is reached by ipc and tcp: the socket that listens before anybody connects.
 *
 * Who makes an executor makes its listener, too, and the executor's own thread or process adopts it.
 * So nobody ever waits for a listener that comes later.
 */
#ifndef TRP_ENDPOINT_H
#define TRP_ENDPOINT_H

#include "config/placement.h"
#include "shared/shared.h"
#include "wire/zmq.h"

/**
 * Make the socket on which the executor of @p slot is reached: by tcp on the loopback if that is the
 * slot's transport, else by ipc. Notes in the slot that it listens.
 *
 * @param out_fd  Receives the descriptor; close-on-exec.
 */
enum troupe_err trp_endpoint_open(const char *run_dir, struct trp_slot *slot, int *out_fd);

/** Write the endpoint of a slot that listens. */
void trp_endpoint_print(
    const char *run_dir, const struct trp_slot *slot, char endpoint[static TRP_ENDPOINT_BYTES]);

/** Remove what a listener left in the run directory. */
void trp_endpoint_remove(const char *run_dir, const struct trp_slot *slot);

#endif

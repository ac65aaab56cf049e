/**
 * @file endpoint.h
 * @brief Where other processes reach an executor: a listening socket, by ipc or by tcp on the
 *        loopback.
 *
 * Whoever makes an executor opens its listening socket first. The executor's own thread or process
 * adopts the descriptor later (trp_zmq_listen()). So a peer that connects never has to wait for a
 * listener, and connections queue in the backlog until the executor reads from them.
 */
#ifndef TRP_ENDPOINT_H
#define TRP_ENDPOINT_H

#include "base/transport.h"
#include "wire/zmq.h"

#include <stdint.h>

/** What an endpoint is made of. */
struct trp_endpoint {
    const char *run_dir; // holds the sockets of ipc
    uint32_t executor_id;
    enum trp_transport transport; // TCP; anything else: ipc
    uint16_t tcp_port;            // set by trp_endpoint_open()
};

/**
 * Open the listening socket of @p endpoint.
 *
 * @param out_fd  Receives the descriptor, which is close-on-exec.
 *
 * @retval TROUPE_OK          *out_fd is set; so is `tcp_port`, by tcp.
 * @retval TROUPE_ERR_LIMIT   no descriptor is free.
 * @retval TROUPE_ERR_SYSTEM  the operating system refused; the detail says which address and why.
 */
enum troupe_err trp_endpoint_open(struct trp_endpoint *endpoint, int *out_fd);

/** Print the address that a peer connects to, as ZeroMQ reads it. */
void trp_endpoint_print(
    const struct trp_endpoint *endpoint, char address[static TRP_ENDPOINT_BYTES]);

/** Remove the socket's file from the run directory. Does nothing by tcp. */
void trp_endpoint_remove(const struct trp_endpoint *endpoint);

#endif

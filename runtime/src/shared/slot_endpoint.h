/**
 * @file slot_endpoint.h
 * @brief The endpoint of a slot: where other processes reach its executor.
 */
#ifndef TRP_SLOT_ENDPOINT_H
#define TRP_SLOT_ENDPOINT_H

#include "shared/shared.h"
#include "wire/endpoint.h"

/**
 * Open the listening socket of the slot's executor, by the slot's transport, and note in the slot
 * that it listens. Errors as of trp_endpoint_open().
 */
enum troupe_err trp_slot_listen(
    const struct trp_shared *shared, struct trp_slot *slot, int *out_fd);

/** Print the address that a peer connects to. The slot listens. */
void trp_slot_print_endpoint(
    const struct trp_shared *shared,
    const struct trp_slot *slot,
    char address[static TRP_ENDPOINT_BYTES]);

/** Remove the file of its socket, if it has one. */
void trp_slot_remove_endpoint(const struct trp_shared *shared, const struct trp_slot *slot);

#endif

#include "shared/slot_endpoint.h"

static struct trp_endpoint slot_endpoint_of(
    const struct trp_shared *shared, const struct trp_slot *slot)
{
    return (struct trp_endpoint){
        .run_dir = shared->run_dir,
        .executor_id = slot->id,
        .transport = (enum trp_transport)slot->transport,
        .tcp_port = slot->tcp_port,
    };
}

enum troupe_err trp_slot_listen(const struct trp_shared *shared, struct trp_slot *slot, int *out_fd)
{
    struct trp_endpoint endpoint = slot_endpoint_of(shared, slot);
    enum troupe_err err = trp_endpoint_open(&endpoint, out_fd);
    slot->tcp_port = endpoint.tcp_port;
    slot->listens = err == TROUPE_OK;
    return err;
}

void trp_slot_print_endpoint(
    const struct trp_shared *shared,
    const struct trp_slot *slot,
    char address[static TRP_ENDPOINT_BYTES])
{
    const struct trp_endpoint endpoint = slot_endpoint_of(shared, slot);
    trp_endpoint_print(&endpoint, address);
}

void trp_slot_remove_endpoint(const struct trp_shared *shared, const struct trp_slot *slot)
{
    if (slot->listens) {
        const struct trp_endpoint endpoint = slot_endpoint_of(shared, slot);
        trp_endpoint_remove(&endpoint);
    }
}

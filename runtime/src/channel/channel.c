/*
 * Opening, finding and freeing channels.
 *
 *     trp_channel_open     a ledger in shared memory, and a PUSH connected to the peer
 *     trp_channel_accept   the ledger that the sender of a frame opened
 *
 * A peer, its mailbox and its doorbell stay alive as long as it has an open ledger, so a channel keeps no other
 * reference to them.
 */
#include "channel/channel.h"

#include "base/descriptors.h"
#include "base/idmap.h"
#include "base/memory.h"
#include "channel/blocked.h"
#include "channel/channels.h"
#include "shared/ledger.h"
#include "shared/records.h"
#include "shared/shared.h"
#include "shared/slot_endpoint.h"
#include "wire/frame_pool.h"
#include "wire/zmq.h"

#include <stdlib.h>
#include <unistd.h>

void trp_channels_set_last(struct trp_channels *channels, struct trp_channel *channel)
{
    channels->last_out = channel;
    channels->last_address_key =
        channel != NULL ? trp_address_key(channel->peer_node, channel->peer_id) : 0;
}

void trp_channels_clear_last(struct trp_channels *channels, const struct trp_channel *channel)
{
    if (channels->last_out == channel) {
        trp_channels_set_last(channels, NULL);
    }
}

/** @return the channel with a peer, made if need be; NULL: no memory. */
static struct trp_channel *channel_find_or_new(struct trp_channels *channels, uint32_t peer_id)
{
    struct trp_channel *channel = trp_idmap_find(&channels->by_peer, peer_id);
    if (channel != NULL) {
        return channel;
    }
    channel = calloc(1, sizeof(*channel));
    if (channel == NULL || !trp_idmap_put(&channels->by_peer, peer_id, channel)) {
        free(channel);
        return NULL;
    }
    channel->peer_id = peer_id;
    channel->frame.last = TRP_LAST_NONE;
    channel->frame.base = sizeof(struct trp_header);
    return channel;
}

void trp_channel_drop_frame(struct trp_channels *channels, struct trp_outframe *frame)
{
    if (frame->capacity > TRP_SMALL_FRAME_BYTES) {
        trp_frame_give_back(frame->bytes, channels->frames.pool);
    } else {
        free(frame->bytes);
    }
    frame->bytes = NULL;
    frame->capacity = 0;
}

/** The peer has opened what it needs, or will not. */
static void channel_keep_promise(struct trp_channel *channel)
{
    trp_descriptors_keep_promise(channel->promised_count);
    channel->promised_count = 0;
}

void trp_channel_release(struct trp_channels *channels, struct trp_channel *channel)
{
    if (channel->out_open || channel->in_open || channel->finished) {
        return;
    }
    TRP_DCHECK(!channel->dirty && !channel->owes && !channel->has_request);
    channel_keep_promise(channel);
    trp_idmap_remove(&channels->by_peer, channel->peer_id);
    trp_channels_clear_last(channels, channel);
    channels->last_in = channels->last_in == channel ? NULL : channels->last_in;
    trp_channel_drop_frame(channels, &channel->frame);
    trp_blocked_fini(&channel->blocked);
    free(channel->given);
    free(channel);
}

struct trp_channel *trp_channel_to(const struct trp_channels *channels, uint32_t id)
{
    return id == channels->slot->id && !trp_channels_use_remote_loop(channels)
               ? channels->loop
               : trp_idmap_find(&channels->by_peer, id);
}

bool trp_channel_open_loop(struct trp_channels *channels)
{
    struct trp_shared *shared = channels->shared;
    struct trp_channel *channel = calloc(1, sizeof(*channel));
    struct trp_ledger *ledger =
        channel == NULL ? NULL : trp_ledger_open_loop(shared, channels->slot);
    if (ledger == NULL) {
        free(channel);
        return false;
    }
    channel->peer_id = channels->slot->id;
    channel->peer_node = channels->slot->node;
    channel->is_loop = true;
    channel->frame_bytes_max = TRP_FRAME_BYTES_MAX_LOCAL;
    channel->frame_messages_max = UINT32_MAX;
    channel->loop_allowance = INT64_MAX;
    channel->out_open = true;
    channel->in_open = true;
    channel->was_granted = true;
    channel->ledger = ledger;
    channel->in_ledger = ledger;
    channel->slot = channels->slot;
    channel->in_slot = channels->slot;
    channel->frame.last = TRP_LAST_NONE;
    channels->loop = channel;
    return true;
}

enum troupe_err trp_channel_connect(
    const struct trp_channels *channels, const struct trp_channel *channel, void **out_push)
{
    char endpoint[TRP_ENDPOINT_BYTES];
    if (channel->is_remote) {
        // ZeroMQ would try again in silence, for ever.
        if (channel->slot->transport != TRP_TRANSPORT_TCP &&
            access(channels->shared->run_dir, F_OK) != 0) {
            return TRP_EXPLAIN(
                TROUPE_ERR_SYSTEM,
                "executor %u cannot be reached: the run directory %s was removed, or this process "
                "has changed its root or its user; keep it, or send a first message before",
                channel->peer_id,
                channels->shared->run_dir);
        }
        trp_slot_print_endpoint(channels->shared, channel->slot, endpoint);
    } else {
        trp_zmq_inproc(channel->peer_id, endpoint);
    }
    return trp_zmq_push_new(channels->zmq_context, endpoint, channels->shared->secret, out_push);
}

/** Open the outgoing direction of a channel. */
static enum troupe_err channel_open_out(struct trp_channels *channels, struct trp_channel *channel)
{
    struct trp_shared *shared = channels->shared;
    enum troupe_err err =
        trp_ledger_open(shared, channels->slot, channel->peer_id, &channel->ledger, &channel->slot);
    if (err == TROUPE_ERR_LIMIT) {
        return TRP_EXPLAIN(
            err, "all %d channels of a system are in use; end some executors", TRP_SHARED_LEDGERS);
    }
    if (err != TROUPE_OK) {
        return err;
    }
    channel->is_remote = channel->ledger->is_remote;
    channel->frame_bytes_max = channel->is_remote ? TRP_FRAME_BYTES_MAX : TRP_FRAME_BYTES_MAX_LOCAL;
    channel->frame_messages_max =
        channel->is_remote ? TRP_FRAME_MESSAGES_MAX_REMOTE : TRP_FRAME_MESSAGES_MAX;
    channel->cookie = channel->ledger->cookie;
    channel->peer_node = channel->slot->node;
    err = trp_channel_connect(channels, channel, &channel->push);
    if (err != TROUPE_OK) {
        trp_channel_close_ledger(channels, channel->ledger);
        return err;
    }
    channel->out_open = true;
    return TROUPE_OK;
}

enum troupe_err trp_channel_open(
    struct trp_channels *channels, uint32_t peer_id, struct trp_channel **out_channel)
{
    struct trp_channel *channel = trp_idmap_find(&channels->by_peer, peer_id);
    if (channel != NULL && channel->out_open) {
        *out_channel = channel;
        return TROUPE_OK;
    }
    if (channels->closed_out) {
        return TROUPE_ERR_NOENT;
    }
    // The descriptors that are kept free are for executors that end, and must notify others.
    if (!channels->ending && !trp_descriptors_are_free(0)) {
        return TRP_EXPLAIN(
            TROUPE_ERR_LIMIT,
            "fewer than %d descriptors are free: no channel from executor %u to executor %u; "
            "end some executors, or raise the limit of open files",
            TRP_DESCRIPTORS_FREE_MIN,
            channels->slot->id,
            peer_id);
    }
    channel = channel_find_or_new(channels, peer_id);
    if (channel == NULL) {
        return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for a channel to executor %u", peer_id);
    }
    enum troupe_err err = channel_open_out(channels, channel);
    if (err != TROUPE_OK) {
        trp_channel_release(channels, channel);
        return err;
    }
    *out_channel = channel;
    return TROUPE_OK;
}

void trp_channel_abandon(struct trp_channels *channels, struct trp_channel *channel)
{
    trp_zmq_close(&channel->push);
    trp_channel_close_ledger(channels, channel->ledger);
    channel->out_open = false;
    trp_channel_release(channels, channel);
}

void trp_channel_close_ledger(struct trp_channels *channels, struct trp_ledger *ledger)
{
    uint32_t to = ledger->to;
    trp_records_close_ledger(channels->shared, channels->records, ledger);
    channels->events->wake(channels, to, false); // it may wait for its last peer
}

struct trp_channel *trp_channel_accept(struct trp_channels *channels, uint32_t peer_id)
{
    struct trp_channel *channel = channels->last_in;
    if (TRP_LIKELY(channel != NULL && channel->peer_id == peer_id && channel->in_open)) {
        return channel;
    }
    channel = trp_idmap_find(&channels->by_peer, peer_id);
    if (channel == NULL || !channel->in_open) {
        struct trp_shared *shared = channels->shared;
        struct trp_ledger *ledger = NULL;
        struct trp_slot *slot = NULL;
        uint64_t since_ns = 0;
        while ((channel = channel_find_or_new(channels, peer_id)) == NULL) {
            trp_memory_wait(&since_ns); // the frame was received, and must not be lost
        }
        ledger = trp_ledger_claim(shared, channels->slot, peer_id, &slot);
        if (ledger == NULL || slot == NULL) {
            trp_channel_release(channels, channel); // a stranger's frame: keep nothing for it
            return NULL;
        }
        channel->in_ledger = ledger;
        channel->in_slot = slot;
        channel->in_node = slot->node;
        channel->in_cookie = ledger->cookie;
        channel->in_is_remote = ledger->is_remote;
        channel->in_open = true;
        channel_keep_promise(channel);
        channel->in_fins = 0;
        channel->command_count = 0;
        channel->received_count = 0;
    }
    channels->last_in = channel;
    return channel;
}

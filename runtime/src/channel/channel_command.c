/*
 * Commands and FINs: frames of one envelope, sent at once.
 *
 *     user lane      messages, CLOSE_REQUEST, FIN
 *     command lane   every other command, and a FIN of its own; a second pipe into the same PULL, so that commands
 *                    overtake messages
 */
#include "channel/channel_command.h"

#include "base/check.h"
#include "base/counter.h"
#include "base/descriptors.h"
#include "base/error.h"
#include "base/memory.h"
#include "channel/channel.h"
#include "channel/channel_send.h"
#include "shared/doorbell.h"
#include "shared/ledger.h"
#include "wire/format.h"
#include "wire/frame_write.h"
#include "wire/zmq.h"

/** Send one envelope as a frame of its own. */
static bool command_send_envelope(
    const struct trp_channels *channels,
    struct trp_channel *channel,
    enum trp_lane lane,
    uint32_t marks,
    const struct trp_outgoing *outgoing)
{
    _Alignas(8) uint8_t bytes[sizeof(struct trp_header) + sizeof(struct trp_envelope) + 64];
    struct trp_outframe frame = {
        .bytes = bytes,
        .capacity = sizeof(bytes),
        .base = sizeof(struct trp_header),
        .last = TRP_LAST_NONE,
    };
    bool put = trp_outframe_put(&frame, outgoing);
    TRP_CHECK(put);
    trp_channel_write_header(channels, channel, lane, marks, &frame);
    void *socket = lane == TRP_LANE_USER ? channel->push : channel->command_push;
    return trp_zmq_send(socket, frame.bytes, frame.used);
}

/** Choose the lane of a command, and connect the command lane when it is first needed. */
static enum trp_lane command_lane(
    struct trp_channels *channels, struct trp_channel *channel, enum trp_kind kind)
{
    // A CLOSE_REQUEST comes after all messages. Without a descriptor for a second pipe, every command does.
    if (kind == TRP_KIND_CLOSE_REQUEST) {
        return TRP_LANE_USER;
    }
    if (channel->command_push == NULL &&
        (!trp_descriptors_are_free(0) ||
         trp_channel_connect(channels, channel, &channel->command_push) != TROUPE_OK)) {
        return TRP_LANE_USER;
    }
    return TRP_LANE_COMMAND;
}

/**
 * Marks of the frame of a command. By ipc and tcp only those commands are counted whose order with later messages
 * matters to their sender: the receiver waits for a counted command, which takes a while there.
 */
static uint32_t command_marks(
    const struct trp_channel *channel, enum trp_lane lane, enum trp_kind kind)
{
    if (!channel->is_remote) {
        return lane == TRP_LANE_COMMAND ? TRP_MARK_RUNG | TRP_MARK_COUNTED : TRP_MARK_RUNG;
    }
    bool order_matters = kind == TRP_KIND_STOP || kind == TRP_KIND_STOP_EXECUTOR;
    return lane == TRP_LANE_COMMAND && order_matters ? TRP_MARK_COUNTED : 0;
}

static enum troupe_err command_send(
    struct trp_channels *channels, struct trp_channel *channel, const struct trp_outgoing *outgoing)
{
    TRP_DCHECK(!channel->is_loop);
    enum trp_lane lane = command_lane(channels, channel, outgoing->kind);
    if (lane == TRP_LANE_USER) {
        trp_channel_flush(channels, channel);
    }
    uint32_t marks = command_marks(channel, lane, outgoing->kind);
    if ((marks & TRP_MARK_COUNTED) != 0) {
        trp_count(&channel->ledger->commands, 1);
    }
    if (!command_send_envelope(channels, channel, lane, marks, outgoing)) {
        if ((marks & TRP_MARK_COUNTED) != 0) {
            trp_count(&channel->ledger->commands, UINT64_MAX); // minus one: it was not sent
        }
        return TRP_EXPLAIN(
            TROUPE_ERR_NOMEM, "no memory for a command to executor %u", channel->peer_id);
    }
    trp_doorbell_ring(&channel->slot->doorbell, marks);
    trp_count(&channels->slot->counters.frames_sent, 1);
    return TROUPE_OK;
}

enum troupe_err trp_channel_command(
    struct trp_channels *channels,
    struct trp_channel *channel,
    enum trp_kind kind,
    const void *body,
    uint32_t body_bytes)
{
    const struct trp_outgoing outgoing = {
        .kind = kind,
        .body = body,
        .body_bytes = body_bytes,
    };
    return command_send(channels, channel, &outgoing);
}

enum troupe_err trp_channel_stop_actor(
    struct trp_channels *channels,
    struct trp_channel *channel,
    troupe_ref_t actor,
    enum troupe_exit_reason reason)
{
    const struct trp_outgoing outgoing = {
        .to = actor,
        .type = reason,
        .kind = TRP_KIND_STOP,
    };
    enum troupe_err err = command_send(channels, channel, &outgoing);
    if (err == TROUPE_OK && channel->is_remote && channel->command_push != NULL) {
        // Again, between the messages before and after it: the receiver does not wait for the first for ever. The second
        // that comes finds no actor. Without memory the first has to do.
        trp_channel_flush(channels, channel);
        if (command_send_envelope(channels, channel, TRP_LANE_USER, 0, &outgoing)) {
            trp_count(&channels->slot->counters.frames_sent, 1);
        }
    }
    return err;
}

void trp_channel_send_fin(
    struct trp_channels *channels, struct trp_channel *channel, enum trp_lane lane)
{
    const struct trp_fin fin = {
        .accepted_count = trp_counted(&channel->ledger->accepted),
        .lane_count = channel->command_push != NULL ? 2 : 1,
    };
    const struct trp_outgoing outgoing = {
        .kind = TRP_KIND_FIN,
        .body = &fin,
        .body_bytes = sizeof(fin),
    };
    // The peer waits for the FIN, so wait for memory. Do not ring after it: the peer may have ended by then.
    uint64_t since_ns = 0;
    while (!command_send_envelope(channels, channel, lane, 0, &outgoing)) {
        trp_memory_wait(&since_ns);
    }
    trp_count(&channels->slot->counters.frames_sent, 1);
}

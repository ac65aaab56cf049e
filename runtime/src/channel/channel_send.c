/*
 * Open frames: envelopes are appended by actor/send.c, and the frame is flushed when a turn ends, when it is
 * full or when it is old.
 *
 *     to itself     the private PAIR, without a header
 *     inproc        the peer's PULL, then its doorbell is rung
 *     ipc, tcp      the peer's PULL, with a retained copy: see retained.c
 */
#include "channel/channel_send.h"

#include "base/clock.h"
#include "base/counter.h"
#include "base/memory.h"
#include "channel/channel.h"
#include "channel/mailbox.h"
#include "channel/retained.h"
#include "shared/doorbell.h"
#include "shared/ledger.h"
#include "wire/frame_pool.h"
#include "wire/frame_write.h"
#include "wire/zmq.h"

#include <stdlib.h>
#include <string.h>

enum { OLD_NS = 100000 }; // age of the first envelope at which a frame is flushed between callbacks

void trp_channel_write_header(
    const struct trp_channels *channels,
    const struct trp_channel *channel,
    enum trp_lane lane,
    uint32_t marks,
    struct trp_outframe *frame)
{
    uint32_t count = trp_outframe_counted(frame);
    struct trp_header header = {
        .version = TRP_FRAME_VERSION,
        .lane = (uint8_t)lane,
        .marks = (uint16_t)marks,
        .count = count,
        .cookie = channel->cookie,
        .first_sequence =
            trp_counted(&channel->ledger->accepted) - (lane == TRP_LANE_USER ? count : 0),
        .acknowledged = channel->in_open ? trp_ledger_done(channel->in_ledger) : 0,
        .node = channels->slot->node,
        .executor = channels->slot->id,
    };
    memcpy(frame->bytes, &header, sizeof(header));
}

/** Send a copy of the bytes of an open frame, or the bytes themselves if they are many. @return false: no memory. */
static bool channel_send_frame(
    struct trp_channels *channels, struct trp_outframe *frame, void *socket)
{
    if (frame->used <= TRP_COPIED_BYTES_MAX) {
        return trp_zmq_send(socket, frame->bytes, frame->used);
    }
    TRP_DCHECK(frame->capacity > TRP_SMALL_FRAME_BYTES);
    if (!trp_zmq_give(
            socket, frame->bytes, frame->used, trp_frame_give_back, channels->frames.pool)) {
        return false;
    }
    frame->bytes = NULL;
    frame->capacity = 0;
    return true;
}

void trp_channel_flush_frame(struct trp_channels *channels, struct trp_channel *channel)
{
    struct trp_outframe *frame = &channel->frame;
    if (TRP_LIKELY(channel->is_loop)) {
        if (!channel_send_frame(channels, frame, channels->mailbox->loop_in)) {
            trp_memory_shortage_note(&channels->shortage);
            return;
        }
        trp_mailbox_loop_sent(channels->mailbox);
    } else {
        trp_channel_write_header(
            channels, channel, TRP_LANE_USER, channel->is_remote ? 0 : TRP_MARK_RUNG, frame);
        if (channel->is_remote) {
            if (!trp_channel_send_retained(channels, channel)) {
                trp_memory_shortage_note(&channels->shortage);
                return;
            }
        } else {
            if (!channel_send_frame(channels, frame, channel->push)) {
                trp_memory_shortage_note(&channels->shortage);
                return;
            }
            trp_doorbell_ring(&channel->slot->doorbell, TRP_MARK_RUNG);
        }
    }
    trp_count(&channels->slot->counters.frames_sent, 1);
    trp_channel_clear_frame(frame);
}

void trp_channels_flush(struct trp_channels *channels)
{
    struct trp_channel *channel = channels->dirty;
    channels->dirty = NULL;
    while (channel != NULL) {
        struct trp_channel *next = channel->next_dirty;
        channel->dirty = false;
        trp_channel_flush(channels, channel);
        if (channel->frame.used != 0) { // no memory: try again in the next turn
            channel->dirty = true;
            channel->next_dirty = channels->dirty;
            channels->dirty = channel;
        }
        channel = next;
    }
}

void trp_channels_flush_old(struct trp_channels *channels)
{
    uint64_t now = trp_cycles();
    uint64_t old = trp_cycles_of_ns(OLD_NS);
    for (struct trp_channel *channel = channels->dirty; channel != NULL;
         channel = channel->next_dirty) {
        if (channel->frame.used != 0 && now - channel->frame_cycles > old) {
            trp_channel_flush(channels, channel);
        }
    }
}

/** Move the open frame into larger memory. @return false: no memory. */
static bool channel_grow_frame(
    struct trp_channels *channels, struct trp_outframe *frame, uint32_t capacity)
{
    uint8_t *bytes =
        capacity > TRP_SMALL_FRAME_BYTES ? trp_frame_take(&channels->frames) : malloc(capacity);
    if (bytes == NULL) {
        return false;
    }
    if (frame->used != 0) {
        memcpy(bytes, frame->bytes, frame->used);
    }
    trp_channel_drop_frame(channels, frame);
    frame->bytes = bytes;
    frame->capacity = capacity;
    return true;
}

bool trp_channel_make_room(
    struct trp_channels *channels, struct trp_channel *channel, uint32_t need)
{
    struct trp_outframe *frame = &channel->frame;
    uint32_t used = frame->used == 0 ? frame->base : frame->used;
    if (used + need > channel->frame_bytes_max) {
        trp_channel_flush(channels, channel);
        if (frame->used != 0) {
            return false;
        }
        used = frame->base;
    }
    if (used + need <= frame->capacity) {
        return true;
    }
    bool small = used + need <= TRP_SMALL_FRAME_BYTES;
    return channel_grow_frame(
        channels, frame, small ? TRP_SMALL_FRAME_BYTES : channel->frame_bytes_max);
}

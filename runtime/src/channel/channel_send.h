/**
 * @file channel_send.h
 * @brief Flushing the open frames of channels, and making room in them.
 */
#ifndef TRP_CHANNEL_SEND_H
#define TRP_CHANNEL_SEND_H

#include "channel/channel.h"

#include <stdbool.h>
#include <stdint.h>

/** Send the open frame, which is not empty. Without memory it stays open until the next turn. */
void trp_channel_flush_frame(struct trp_channels *channels, struct trp_channel *channel);

/** Send the open frame, unless it is empty. */
static inline void trp_channel_flush(struct trp_channels *channels, struct trp_channel *channel)
{
    if (channel->frame.used != 0) {
        trp_channel_flush_frame(channels, channel);
    }
}

/** Flush all open frames. */
void trp_channels_flush(struct trp_channels *channels);

/** Flush the open frames whose first envelope is older than 100 µs, so that a long turn does not hold them back. */
void trp_channels_flush_old(struct trp_channels *channels);

/** Make room in the open frame for @p need more bytes. @return false: no memory. */
bool trp_channel_make_room(
    struct trp_channels *channels, struct trp_channel *channel, uint32_t need);

/** Make an open frame empty. */
static inline void trp_channel_clear_frame(struct trp_outframe *frame)
{
    frame->used = 0;
    frame->messages = 0;
    frame->uncounted = 0;
    frame->last = TRP_LAST_NONE;
}

/** Write the header of a frame; @p marks are of enum trp_mark. */
void trp_channel_write_header(
    const struct trp_channels *channels,
    const struct trp_channel *channel,
    enum trp_lane lane,
    uint32_t marks,
    struct trp_outframe *frame);

#endif

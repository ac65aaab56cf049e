/**
 * @file retained.h
 * @brief Frames that were sent by ipc or tcp, kept until all of their messages have an outcome.
 *
 * If the receiver's process exits, they say which messages became dead letters and which asks fail.
 */
#ifndef TRP_RETAINED_H
#define TRP_RETAINED_H

#include "channel/channel.h"
#include "wire/zmq.h"

#include <stdbool.h>
#include <stdint.h>

/** A retained frame. It shares its bytes with the one that ZeroMQ sends. */
struct trp_retained {
    struct trp_retained *next;
    uint64_t first_sequence;
    uint32_t count;
    uint32_t part_count;
    struct trp_zmsg frame;
    struct trp_retained_part {
        struct trp_zmsg zmsg;
        struct troupe_body *body; // that the zmsg frees
    } parts[];                    // the bodies that followed it
};

/** Larger frames are moved into ZeroMQ's messages rather than copied. */
#define TRP_COPIED_BYTES_MAX 8192

/** Send the open frame and the bodies that follow it by ipc or tcp, and retain it. @return false: no memory. */
bool trp_channel_send_retained(struct trp_channels *channels, struct trp_channel *channel);

/**
 * Free the retained frames whose messages all have an outcome, and with them the bodies that were given away.
 *
 * @return in how many nanoseconds an idle executor is to do that again; UINT64_MAX: none are left.
 */
uint64_t trp_channels_release_retained(struct trp_channels *channels);

/** Free all retained frames of a channel. */
void trp_channel_drop_retained(struct trp_channels *channels, struct trp_channel *channel);

#endif

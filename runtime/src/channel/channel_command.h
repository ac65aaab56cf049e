/**
 * @file channel_command.h
 * @brief Sending commands, which overtake messages, and FINs.
 */
#ifndef TRP_CHANNEL_COMMAND_H
#define TRP_CHANNEL_COMMAND_H

#include "channel/channel.h"
#include "troupe/behaviour.h"
#include "troupe/error.h"
#include "troupe/ref.h"

#include <stdint.h>

/** Body of a FIN. */
struct trp_fin {
    uint64_t accepted_count; // counted messages sent on the channel
    uint64_t lane_count;     // FINs that will come
};

/** Send a command at once. */
enum troupe_err trp_channel_command(
    struct trp_channels *channels,
    struct trp_channel *channel,
    enum trp_kind kind,
    const void *body,
    uint32_t body_bytes);

/** Send a STOP to an actor, ahead of its messages; @p reason is shutdown or killed. */
enum troupe_err trp_channel_stop_actor(
    struct trp_channels *channels,
    struct trp_channel *channel,
    troupe_ref_t actor,
    enum troupe_exit_reason reason);

/** Send the FIN of one lane. */
void trp_channel_send_fin(
    struct trp_channels *channels, struct trp_channel *channel, enum trp_lane lane);

#endif

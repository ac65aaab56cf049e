/**
 * @file grant.h
 * @brief Returning the credit of handled messages to the executor's credit pool, and granting it to peers that wait.
 */
#ifndef TRP_GRANT_H
#define TRP_GRANT_H

#include "base/check.h"
#include "channel/channel.h"
#include "wire/format.h"
#include "wire/frame_read.h"
#include "wire/frame_write.h"

#include <stdbool.h>
#include <stdint.h>

/** Note that the credit of handled messages is owed back; trp_channels_settle() returns it. */
void trp_channel_owe_later(
    struct trp_channels *channels, struct trp_channel *channel, int64_t messages, int64_t bytes);

/** Messages of this channel were handled: their credit is owed back. */
static inline void trp_channel_owe(
    struct trp_channels *channels, struct trp_channel *channel, int64_t messages, int64_t bytes)
{
    channel->loop_allowance -= messages;
    if (TRP_LIKELY(channel->loop_allowance >= 0)) {
        channel->credit_messages += messages; // straight back to where it will be spent again
        channel->credit_bytes += bytes;
    } else {
        trp_channel_owe_later(channels, channel, messages, bytes);
    }
}

/** The last @p count messages of an item have an outcome: return what they took, credit or reserve. */
void trp_channel_return_credit(
    struct trp_channels *channels,
    struct trp_channel *channel,
    const struct trp_item *item,
    uint32_t count);

/** Free the credit of this executor that a sender held whose process exited. */
void trp_channel_reclaim(struct trp_channels *channels, struct trp_channel *channel);

/** Return what is owed, and grant credit to peers that wait. @p idle: no frame waits here any more. */
void trp_channels_settle(struct trp_channels *channels, bool idle);

#endif

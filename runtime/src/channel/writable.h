/**
 * @file writable.h
 * @brief Blocked senders of a channel: each is sent one ROOM when it may send again.
 */
#ifndef TRP_WRITABLE_H
#define TRP_WRITABLE_H

#include "channel/channel.h"

#include <stdbool.h>
#include <stdint.h>

/** Body of a CREDIT_GRANT. */
struct trp_credit_grant {
    int64_t messages;
    int64_t bytes;
};

/**
 * Queue a sender that was refused, and request credit.
 *
 * @param sender        NULL: request credit only.
 * @param maybe_queued  The sender may be in the queue already.
 *
 * @return false: no memory.
 */
bool trp_channel_block(
    struct trp_channels *channels,
    struct trp_channel *channel,
    const struct trp_blocked_sender *sender,
    bool maybe_queued,
    int64_t body_bytes);

/** Handle a CREDIT_GRANT: send ROOMs to blocked senders, one after the other. */
void trp_channel_handle_credit_grant(
    struct trp_channels *channels,
    struct trp_channel *channel,
    const struct trp_credit_grant *credit);

/** The ROOM for the channel to @p peer_id is about to be delivered: its credit may be spent. */
void trp_channel_begin_room(struct trp_channels *channels, uint32_t peer_id);

/** That ROOM was delivered: what is left is for the next blocked sender. */
void trp_channel_end_room(struct trp_channels *channels, uint32_t peer_id);

/** Send a ROOM to all blocked senders: they need not wait for credit any more. */
void trp_channel_send_rooms(struct trp_channels *channels, struct trp_channel *channel);

/** As trp_channel_send_rooms(), of a channel that closes: wait for memory. */
void trp_channel_send_last_rooms(struct trp_channels *channels, struct trp_channel *channel);

/** Serve again the blocked senders for which there was no memory. */
void trp_channels_retry_rooms(struct trp_channels *channels);

#endif

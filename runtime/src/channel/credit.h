/**
 * @file credit.h
 * @brief Credit that a channel takes from its peer's credit pool, and what it gives back unspent.
 *
 * A ledger counts what its channel took and what was returned, in messages and in bytes of bodies, so that the
 * receiver can reclaim the difference if the sender's process exits.
 */
#ifndef TRP_CREDIT_H
#define TRP_CREDIT_H

#include "channel/channel.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TRP_CREDIT_CHUNK_SHARE = 16, // a channel takes at most this share of the bound at a time
    TRP_CREDIT_GRANT_SHARE = 4,  // a channel that waits is granted at most this share of it
};

/** @return one part in @p share of a bound, at least 1. */
static inline int64_t trp_credit_share(int64_t bound, int64_t share)
{
    return bound >= share ? bound / share : 1;
}

/** @return the credit that was taken and not returned. */
static inline int64_t trp_credit_outstanding(
    const _Atomic int64_t *taken, const _Atomic int64_t *returned)
{
    return atomic_load_explicit(taken, memory_order_relaxed) -
           atomic_load_explicit(returned, memory_order_relaxed);
}

/** Take credit for one more message. @return false: the mailbox is full for this channel. */
bool trp_channel_refill(
    struct trp_channels *channels, struct trp_channel *channel, size_t body_bytes);

/** Take one message from the reserve, if the channel is a new one. @return false: it is not. */
bool trp_channel_take_provisional(struct trp_channel *channel, size_t body_bytes);

/** Give unspent credit back to the pool that it came from. */
void trp_channel_give_back(struct trp_channel *channel, int64_t messages, int64_t bytes);

/** Give back all unspent credit of a channel, and wake the receiver if channels wait for some there. */
void trp_channel_give_all_back(struct trp_channels *channels, struct trp_channel *channel);

/** Give back all credit that a channel holds, reserved credit too, for it is about to close. */
void trp_channel_return_all(struct trp_channel *channel);

/** Give back the unspent credit of channels that were not used since the last call. */
void trp_channels_return_credit(struct trp_channels *channels);

/** @return whether a channel to a peer holds unspent credit. */
bool trp_channels_have_unspent(const struct trp_channels *channels);

#endif

/**
 * @file credit_requests.h
 * @brief Queue of the peers that wait for credit of an executor, first come first served; see grant.h.
 *
 * An executor's channel to itself stands in the same queue as its peers.
 */
#ifndef TRP_CREDIT_REQUESTS_H
#define TRP_CREDIT_REQUESTS_H

#include "channel/channel.h"

/** Handle a CREDIT_REQUEST: append the channel to the queue, unless it is there. */
void trp_channel_handle_credit_request(
    struct trp_channels *channels,
    struct trp_channel *channel,
    const struct trp_credit_request *request);

/** Remove a channel from the queue: it is granted credit, or closes. It is in the queue. */
void trp_channel_forget_credit_request(struct trp_channels *channels, struct trp_channel *channel);

/** Undo trp_channel_forget_credit_request(), but for the place in the queue: the grant could not be sent. */
void trp_channel_renew_credit_request(struct trp_channels *channels, struct trp_channel *channel);

#endif

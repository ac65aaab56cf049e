#include "channel/credit_requests.h"

#include <stddef.h>

void trp_channel_handle_credit_request(
    struct trp_channels *channels,
    struct trp_channel *channel,
    const struct trp_credit_request *request)
{
    if (channel->has_request) {
        return;
    }
    channel->has_request = true;
    channel->request = *request;
    channel->next_waiting = NULL;
    if (channels->waiting_last != NULL) {
        channels->waiting_last->next_waiting = channel;
    } else {
        channels->waiting_first = channel;
    }
    channels->waiting_last = channel;
}

void trp_channel_forget_credit_request(struct trp_channels *channels, struct trp_channel *channel)
{
    struct trp_channel *previous = NULL;
    for (struct trp_channel *at = channels->waiting_first; at != channel; at = at->next_waiting) {
        previous = at;
    }
    if (previous == NULL) {
        channels->waiting_first = channel->next_waiting;
    } else {
        previous->next_waiting = channel->next_waiting;
    }
    if (channels->waiting_last == channel) {
        channels->waiting_last = previous;
    }
    channel->has_request = false;
    atomic_store_explicit(&channel->in_ledger->is_waiting, false, memory_order_relaxed);
    atomic_fetch_sub_explicit(&channels->slot->pool.waiting_count, 1, memory_order_relaxed);
}

void trp_channel_renew_credit_request(struct trp_channels *channels, struct trp_channel *channel)
{
    const struct trp_credit_request request = channel->request;
    atomic_fetch_add_explicit(&channels->slot->pool.waiting_count, 1, memory_order_relaxed);
    atomic_store_explicit(&channel->in_ledger->is_waiting, true, memory_order_relaxed);
    trp_channel_handle_credit_request(channels, channel, &request);
}

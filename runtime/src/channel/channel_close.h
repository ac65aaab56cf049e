/**
 * @file channel_close.h
 * @brief Closing channels in order: FIN, then the ledger.
 */
#ifndef TRP_CHANNEL_CLOSE_H
#define TRP_CHANNEL_CLOSE_H

#include "channel/channel.h"
#include "channel/channel_command.h"

#include <stdbool.h>
#include <stdint.h>

/** Send FIN and close the outgoing direction; the channel is freed when both directions are closed. */
void trp_channel_finish(struct trp_channels *channels, struct trp_channel *channel);

/** Finish the channels whose receivers take no more messages. */
void trp_channels_finish_gone(struct trp_channels *channels);

/** Free the finished channels whose ledgers have closed. @return whether others are left. */
bool trp_channels_reap(struct trp_channels *channels);

/** Wait until the receiver of a finished channel has received all of it, or @p timeout_ns pass. */
void trp_channels_await_finished(struct trp_channels *channels, uint64_t timeout_ns);

/** Request a peer to finish its channel to this executor, which takes no more messages. */
void trp_channel_request_close(struct trp_channels *channels, uint32_t peer_id, bool is_remote);

/** Handle a FIN of the peer. */
void trp_channel_handle_fin(
    struct trp_channels *channels, struct trp_channel *channel, const struct trp_fin *fin);

/** Free all channels; both directions are closed, or the executor never ran. */
void trp_channels_fini(struct trp_channels *channels);

/* Steps of closing, for channel_death.c. ---------------------------------------------------------- */

/** Remove a channel from the list of those with an open frame. */
void trp_channel_remove_dirty(struct trp_channels *channels, struct trp_channel *channel);

/** Close the pipes to the peer. All that was sent has arrived, or the receiver does not exist any more. */
void trp_channel_close_out(struct trp_channels *channels, struct trp_channel *channel);

/** Close the incoming ledger: each of its messages has an outcome. Then release the channel. */
void trp_channel_close_in(struct trp_channels *channels, struct trp_channel *channel);

/** @return whether the receiver of a finished channel has received all of it. */
bool trp_channel_is_closed(const struct trp_channel *channel);

#endif

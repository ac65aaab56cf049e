/**
 * @file channel_death.h
 * @brief Closing channels to peers whose processes exited without closing them.
 */
#ifndef TRP_CHANNEL_DEATH_H
#define TRP_CHANNEL_DEATH_H

#include "channel/channel.h"
#include "troupe/message.h"

#include <stdbool.h>
#include <stdint.h>

/** Make dead letters of @p count messages of a ledger whose envelopes are lost. */
void trp_channels_lose(
    struct trp_channels *channels,
    struct trp_ledger *ledger,
    enum troupe_dead_reason reason,
    uint64_t count);

/** Close one direction of a channel to a peer whose process exited. @return false: there is none. */
bool trp_channels_handle_process_exit(struct trp_channels *channels);

#endif

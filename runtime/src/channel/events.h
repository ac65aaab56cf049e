/**
 * @file events.h
 * @brief What a channel reports to the executor that owns it.
 *
 * Channels know ledgers, credit and frames, and nothing of actors. What becomes of a message, an actor or a
 * peer is therefore reported upwards, through one table that every executor shares. All of it is called on the
 * executor's own thread, from within a function of channel.h.
 */
#ifndef TRP_CHANNEL_EVENTS_H
#define TRP_CHANNEL_EVENTS_H

#include "channel/blocked.h"
#include "shared/shared.h"
#include "troupe/behaviour.h"
#include "troupe/message.h"
#include "troupe/ref.h"

#include <stdbool.h>
#include <stdint.h>

struct trp_channels;

/** What is known of a message that will not be handled. */
struct trp_dead {
    struct trp_ledger *ledger; // that counts it
    troupe_ref_t to;
    troupe_ref_t from;
    uint32_t type;
    enum troupe_dead_reason reason;
    uint64_t body_bytes;
    uint64_t ask;  // the ask that fails with it; 0: it was a plain send
    uint64_t lost; // how many messages whose envelopes are lost; 0: it is one, and known
    bool
        in_progress; // it was started: counted as unknown, no dead letter, but its ask fails all the same
};

/** @return how many messages it is about. */
static inline uint64_t trp_dead_count(const struct trp_dead *dead)
{
    return dead->lost == 0 ? 1 : dead->lost;
}

/** What came of telling a blocked sender that there is room. */
enum trp_writable {
    TRP_WRITABLE_SENT,  // its ROOM is on its way
    TRP_WRITABLE_ENDED, // the sender has ended meanwhile
    TRP_WRITABLE_LATER, // no memory, or no descriptor: try again
};

struct trp_channel_events {
    /** A message will not be handled. Counts it, logs it, and fails its ask. */
    void (*dead)(struct trp_channels *channels, const struct trp_dead *dead);

    /** There is room again for a sender that was refused. */
    enum trp_writable (*writable)(
        struct trp_channels *channels, const struct trp_blocked_sender *sender);

    /** The executor @p peer_id has ended, and everything it sent was received. */
    void (*peer_ended)(
        struct trp_channels *channels, uint32_t peer_id, const struct troupe_exit *exit);

    /**
     * Have an executor look at its flags: it is asked to close its channel to here, or waits for its last peer.
     *
     * @param is_remote  It runs in another process.
     */
    void (*wake)(struct trp_channels *channels, uint32_t peer_id, bool is_remote);
};

#endif

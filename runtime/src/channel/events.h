/**
 * @file events.h
 * @brief What a channel reports to the executor that owns it.
 *
 * Channels know ledgers, credit and frames, and nothing of actors. They report outcomes of messages and exits of
 * peers upwards, through one table that all executors share. Its functions are called on the executor's own
 * thread, from within a function of a channel.
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
    uint64_t ask;     // the ask that fails with it; 0: it was a plain send
    uint64_t lost;    // how many messages whose envelopes are lost; 0: it is one, and known
    bool in_progress; // it was started: counted as unknown and no dead letter, but its ask fails
};

/** @return how many messages it stands for. */
static inline uint64_t trp_dead_count(const struct trp_dead *dead)
{
    return dead->lost == 0 ? 1 : dead->lost;
}

/** Result of notifying a blocked sender. */
enum trp_writable {
    TRP_WRITABLE_SENT,  // its ROOM is on its way
    TRP_WRITABLE_ENDED, // the sender has ended
    TRP_WRITABLE_LATER, // no memory, or no descriptor: try again
};

struct trp_channel_events {
    /** A message will not be handled. Counts it, logs it, and fails its ask. */
    void (*dead)(struct trp_channels *channels, const struct trp_dead *dead);

    /** Notify a blocked sender that it may send again. */
    enum trp_writable (*writable)(
        struct trp_channels *channels, const struct trp_blocked_sender *sender);

    /** The executor @p peer_id has ended, and everything that it sent was received. */
    void (*peer_ended)(
        struct trp_channels *channels, uint32_t peer_id, const struct troupe_exit *exit);

    /**
     * Have an executor check its flags: it is requested to close its channel, or may wait for its last peer.
     *
     * @param is_remote  It runs in another process.
     */
    void (*wake)(struct trp_channels *channels, uint32_t peer_id, bool is_remote);
};

#endif

/**
 * @file channels.h
 * @brief All channels of one executor, and what they share.
 *
 * Only the executor's own thread comes here.
 */
#ifndef TRP_CHANNELS_H
#define TRP_CHANNELS_H

#include "base/idmap.h"
#include "base/memory.h"
#include "base/transport.h"
#include "channel/events.h"
#include "channel/mailbox.h"
#include "wire/frame_pool.h"

#include <stdbool.h>
#include <stdint.h>

struct trp_channel;
struct troupe_system;

/** Close a ledger whose messages all have an outcome. @threads any */
void trp_system_close_ledger(struct troupe_system *system, struct trp_ledger *ledger);

struct trp_channels {
    const struct trp_channel_events *events; // the owner's
    struct trp_shared *shared;
    void *zmq_context;
    struct troupe_system *system; // for closing ledgers
    struct trp_slot *slot;        // the executor's own
    struct trp_gate *gate;        // its slot's
    struct trp_mailbox *mailbox;  // likewise
    struct trp_frame_cache frames;
    bool is_inbox;   // no loop returns credit: it takes one message's at a time
    bool ending;     // the executor is to end: it may use the descriptors that are kept free
    bool closed_out; // the channels are finished: what is sent now is a dead letter

    struct trp_idmap by_peer;
    struct trp_channel *loop;     // the executor's to itself
    struct trp_channel *last_out; // the most recently used outgoing channel; NULL: none
    uint64_t last_address_key;    // whose channel that is, as trp_address_key(); 0: none
    struct trp_channel *last_in;  // the most recently used incoming channel
    struct trp_channel *dirty;    // channels with an open frame, except the loop
    uint32_t finished_count;      // channels that sent FIN and wait for the receiver to handle it
    uint32_t process_exits_seen;  // of shared memory's count

    struct trp_channel *owed;          // channels whose credit is to be returned
    int64_t owed_messages;             // in sum
    int64_t owed_bytes;                // in sum
    struct trp_channel *waiting_first; // peers that wait for credit, first come first served
    struct trp_channel *waiting_last;
    struct trp_memory_shortage shortage; // of frames that could not be sent yet
    bool
        rooms_late; // some blocked sender's ROOM or credit request could not be sent, for want of memory
};

/** @return node and executor as one number, as they lie in a reference. */
static inline uint64_t trp_address_key(uint32_t node, uint32_t executor)
{
    return (uint64_t)executor << 32 | node;
}

/** @return whether the executor's messages to itself go by ipc or tcp, as its placement says. */
static inline bool trp_channels_use_remote_loop(const struct trp_channels *channels)
{
    return channels->slot->transport > TRP_TRANSPORT_INPROC;
}

/** Cache the most recently used outgoing channel; NULL clears it. */
void trp_channels_set_last(struct trp_channels *channels, struct trp_channel *channel);

/** Clear the cache of a channel on which nothing is sent any more. */
void trp_channels_clear_last(struct trp_channels *channels, const struct trp_channel *channel);

/** Make dead letters of @p count messages of a ledger whose envelopes are lost. */
void trp_channels_lose(
    struct trp_channels *channels,
    struct trp_ledger *ledger,
    enum troupe_dead_reason reason,
    uint64_t count);

#endif

/**
 * @file channels.h
 * @brief All channels of one executor, and the state that they share.
 *
 * Only the executor's own thread uses them.
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

struct trp_channels {
    const struct trp_channel_events *events; // the owner's
    struct trp_shared *shared;
    void *zmq_context;
    struct trp_records *records; // of the first process; NULL: this is another
    struct trp_slot *slot;       // the executor's own
    struct trp_mailbox *mailbox; // the executor's
    struct trp_frame_cache frames;
    bool
        is_inbox; // it has no loop that returns unspent credit, so it takes credit for one message at a time
    bool ending; // the executor is ending: it may use the descriptors that are kept free for that
    bool closed_out; // all channels are finished: a message that is sent now is a dead letter

    struct trp_idmap by_peer;
    struct trp_channel *loop;     // the executor's to itself
    struct trp_channel *last_out; // the most recently used outgoing channel; NULL: none
    uint64_t last_address_key;    // its peer's trp_address_key(); 0: none
    struct trp_channel *last_in;  // the most recently used incoming channel
    struct trp_channel *dirty;    // list of channels with an open frame, except the loop
    uint32_t finished_count;      // channels that sent FIN and wait for the receiver to handle it
    uint32_t process_exits_seen;  // of the count in shared memory
    uint64_t retained_count;      // frames of all channels: see retained.h
    uint64_t retained_look_ns;    // how long the executor slept before it last looked at them

    struct trp_channel *owed;          // list of channels whose credit is to be returned
    int64_t owed_messages;             // of all of them
    int64_t owed_bytes;                // of all of them
    struct trp_channel *waiting_first; // queue of peers that wait for credit: see credit_requests.c
    struct trp_channel *waiting_last;
    struct trp_memory_shortage shortage; // of frames that could not be sent yet
    bool
        rooms_delayed; // a ROOM or a CREDIT_REQUEST could not be sent for want of memory: try again
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

#endif

/**
 * @file channel.h
 * @brief A channel: the connection of an executor to one other executor, in both directions, or to itself.
 *
 *     out   open frame --> PUSH --> the peer's mailbox     accepted, credit, blocked senders
 *     in    frames with the channel's cookie               received, handled, dead, credit owed back
 *
 * A channel opens with the first message or the first frame. Each direction closes with a FIN: the last frame,
 * which says how many messages were sent. The outcomes of messages are counted in the ledger of each direction,
 * which lies in shared memory. Only the executor's own thread uses its channels.
 *
 *     channel.c          open, find, free              credit.c           take credit before a send
 *     channel_send.c     open frames                   writable.c         blocked senders, ROOMs
 *     channel_command.c  commands and FINs             credit_requests.c  queue of peers that wait for credit
 *     retained.c         frames kept until handled     grant.c            give credit back, and grant it
 *     channel_close.c    close in order
 *     channel_death.c    close after a process exited
 */
#ifndef TRP_CHANNEL_H
#define TRP_CHANNEL_H

#include "channel/blocked.h"
#include "channel/channels.h"
#include "shared/credit_pool.h"
#include "shared/shared.h"
#include "wire/format.h"
#include "wire/frame_read.h"
#include "wire/frame_write.h"

#include <stdbool.h>
#include <stdint.h>

struct trp_retained;

/** A channel keeps an open frame of this many bytes while little is sent. */
#define TRP_SMALL_FRAME_BYTES 512

/** Body of a CREDIT_REQUEST. */
struct trp_credit_request {
    int64_t messages; // at most
    int64_t bytes;    // at least: the body that was refused
};

struct trp_channel {
    uint32_t peer_id;
    uint32_t peer_node; // 0: unknown, for nothing is sent there
    bool is_loop;       // to itself
    bool out_open;      // it may send
    bool in_open;       // the peer may send, and its FIN has not come yet
    bool is_remote;     // frames are sent by ipc or tcp
    bool finished;      // FIN was sent, and the ledger is not closed yet
    uint8_t in_fins;    // received, of the lanes that the peer uses

    // Out.
    struct trp_slot *slot; // the peer's
    struct trp_ledger
        *ledger; // valid while out_open; once finished, ours only while it has our cookie
    uint64_t cookie;
    struct trp_retained *retained_first;
    struct trp_retained *retained_last;
    struct troupe_body *given; // by the open frame: bodies that follow it by ipc or tcp
    uint32_t given_count;
    uint64_t given_bytes; // above the bytes of a frame it is flushed, for it arrives as a whole
    void *push;
    void *command_push; // NULL until the first command
    struct trp_outframe frame;
    uint32_t frame_bytes_max;    // at which the open frame is flushed
    uint32_t frame_messages_max; // or at so many messages
    uint64_t frame_cycles;       // when its first envelope was written
    bool dirty;                  // it is in the list of channels with an open frame
    struct trp_channel *next_dirty;

    int64_t credit_messages; // taken and not spent yet
    int64_t credit_bytes;
    uint32_t provisional_count; // messages this channel took from the reserve
    bool was_granted;           // it had credit, so it may not use the reserve any more
    bool is_waiting;            // a CREDIT_REQUEST was sent, and its CREDIT_GRANT has not come
    bool was_used;              // since unspent credit was last returned
    int64_t
        loop_allowance; // of a loop: handled messages that may be followed at once; below 0: none
    struct trp_blocked blocked;
    int64_t reserved_messages; // credit kept for blocked senders
    int64_t reserved_bytes;
    int64_t room_credit;    // that may be spent by the sender to which a ROOM is being delivered
    uint32_t rooms_unspent; // notified senders that sent nothing when their ROOM was delivered
    uint8_t rooms_bits;     // so many senders are notified at once: this power of two
    bool in_room;           // a ROOM is being delivered, and its sender was not refused again

    // In.
    struct trp_slot *in_slot;     // the peer's
    struct trp_ledger *in_ledger; // the peer's
    uint32_t in_node;             // copies: the peer keeps writing what lies beside the originals
    uint64_t in_cookie;
    bool in_is_remote;
    uint64_t received_count;
    uint32_t
        promised_count; // descriptors promised to the peer's process until its first frame comes
    uint64_t command_count; // of commands that the doorbell counts
    int64_t owed_messages;  // handled, and their credit is not returned yet
    int64_t owed_bytes;
    bool owes;
    struct trp_channel *next_owed;

    bool has_request; // the peer waits for credit
    struct trp_credit_request request;
    struct trp_channel *next_waiting;
};

/**
 * Find the open channel to executor @p peer_id, or open it.
 *
 * @retval TROUPE_OK         *out_channel is set.
 * @retval TROUPE_ERR_NOENT  that executor has ended or is ending.
 * @retval TROUPE_ERR_LIMIT  no descriptors. TROUPE_ERR_NOMEM no memory.
 */
enum troupe_err trp_channel_open(
    struct trp_channels *channels, uint32_t peer_id, struct trp_channel **out_channel);

/** Close a channel that was just opened, and on which nothing was sent, to a peer that never ran. */
void trp_channel_abandon(struct trp_channels *channels, struct trp_channel *channel);

/** Connect a PUSH to the peer of a channel. */
enum troupe_err trp_channel_connect(
    const struct trp_channels *channels, const struct trp_channel *channel, void **out_push);

/** Find the channel on which executor @p peer_id claims to send. @return NULL: there is none. */
struct trp_channel *trp_channel_accept(struct trp_channels *channels, uint32_t peer_id);

/** Make the executor's channel to itself. @return false: no memory. */
bool trp_channel_open_loop(struct trp_channels *channels);

/** @return the channel on which the executor sends to @p id, which may be itself; or NULL. */
struct trp_channel *trp_channel_to(const struct trp_channels *channels, uint32_t id);

/** Cache the most recently used outgoing channel; NULL clears it. */
void trp_channels_set_last(struct trp_channels *channels, struct trp_channel *channel);

/** Clear the cache of a channel on which nothing is sent any more. */
void trp_channels_clear_last(struct trp_channels *channels, const struct trp_channel *channel);

/** Close the ledger of an outgoing direction that was never used, or whose receiver's process exited. */
void trp_channel_close_ledger(struct trp_channels *channels, struct trp_ledger *ledger);

/** Free the memory of an open frame. */
void trp_channel_drop_frame(struct trp_channels *channels, struct trp_outframe *frame);

/** Free a channel if both of its directions are closed; do nothing otherwise. */
void trp_channel_release(struct trp_channels *channels, struct trp_channel *channel);

/** Count a message that was appended as accepted. */
static inline void trp_channel_count_accepted(struct trp_channel *channel)
{
    trp_count(&channel->ledger->accepted, 1);
    channel->was_used = true;
}

#endif

/**
 * @file channel.h
 * @brief A channel: all that an executor has with one other executor, in both directions, or with itself.
 *
 *     out   open frame --> PUSH --> its mailbox      accepted, credit, who waits for room
 *     in    its frames, by the cookie they carry     received, handled, dead, credit owed back
 *
 * A channel opens with the first message or the first frame, and each direction closes with a FIN: the
 * last frame, which says how many messages were sent. What became of them the ledger counts, which lies
 * in shared memory. Only the executor's own thread comes here.
 *
 * Frames that go by ipc or tcp are kept until the ledger says that they are done with: if the receiver's
 * process dies, they say who waits in vain.
 */
#ifndef TRP_CHANNEL_H
#define TRP_CHANNEL_H

#include "channel/blocked.h"
#include "shared/credit_pool.h"
#include "shared/shared.h"
#include "troupe/context.h"
#include "wire/frame.h"
#include "wire/zmq.h"

#include <stdbool.h>
#include <stdint.h>

struct troupe_executor;

/** Larger frames are given to ZeroMQ rather than copied. */
#define TRP_COPIED_BYTES_MAX 8192

/** What a CREDIT_REQUEST says. */
struct trp_credit_request {
    int64_t messages; // at most
    int64_t bytes;    // at least: the body that was refused
};

/** A frame that was sent, and is kept until its messages are done with. */
struct trp_retained {
    struct trp_retained *next;
    uint64_t first_sequence;
    uint32_t count;
    uint32_t part_count;
    struct trp_zmsg frame;
    struct trp_retained_part {
        struct trp_zmsg zmsg;
        struct troupe_body *body; // that the zmsg frees
    } parts[];                    // the bodies that followed it
};

struct trp_channel {
    uint32_t peer_id;
    uint32_t peer_node; // 0: not known, for we do not send there
    bool is_loop;       // to itself
    bool out_open;      // we may send
    bool in_open;       // it may send, and its FIN has not come yet
    bool is_remote;     // what we send goes by ipc or tcp
    bool finished;      // we said FIN, and wait until the ledger closes
    uint8_t in_fins;    // of the lanes it uses

    // Out.
    struct trp_slot *slot;     // the peer's
    struct trp_ledger *ledger; // good while out_open; its own while it has our cookie
    uint64_t cookie;
    struct trp_retained *retained_first;
    struct trp_retained *retained_last;
    struct troupe_body *given; // of the open frame: bodies that follow it by ipc or tcp
    uint32_t given_count;
    uint64_t given_bytes; // of them; above those of a frame it leaves, for it arrives as a whole
    void *push;
    void *command_push; // NULL until the first command
    struct trp_outframe frame;
    uint32_t frame_bytes_max;    // sent on when it holds so many bytes
    uint32_t frame_messages_max; // or messages
    uint64_t frame_cycles;       // when its first envelope was written
    bool dirty;                  // stands in the executor's list of open frames
    struct trp_channel *next_dirty;

    int64_t credit_messages; // ours to spend
    int64_t credit_bytes;
    uint32_t provisional_count; // messages this channel took from the reserve
    bool was_granted;           // it is no new channel any more
    bool is_waiting;            // waits for a CREDIT_GRANT
    bool was_used;              // since the last sweep for unspent credit
    int64_t loop_allowance;     // of a loop: so many met may be followed at once; below 0: none
    struct trp_blocked blocked;
    int64_t reserved_messages; // credit kept for those, while there are any
    int64_t reserved_bytes;
    int64_t room_credit;    // what may be spent by who meets a ROOM
    uint32_t rooms_unspent; // of those who were called: who sent nothing when it met its ROOM
    uint8_t rooms_bits;     // so many are called at once: this power of two
    bool in_room;           // one of them meets its ROOM, and was not refused again

    // In.
    struct trp_slot *in_slot;     // the peer's
    struct trp_ledger *in_ledger; // the peer's
    uint32_t in_node;             // as those two say: the peer writes what lies beside it there
    uint64_t in_cookie;
    bool in_is_remote;
    uint64_t received_count;
    uint64_t command_count; // of those that are counted
    int64_t owed_messages;  // handled, its credit not given back yet
    int64_t owed_bytes;
    bool owes;
    struct trp_channel *next_owed;

    bool has_request;                  // the peer is waiting
    struct trp_credit_request request; // what it wants
    struct trp_channel *next_waiting;
};

/** What a FIN says. */
struct trp_fin {
    uint64_t accepted_count; // counted messages sent on the channel
    uint64_t lane_count;     // FINs that will come
};

/** What a CREDIT_GRANT says. */
struct trp_credit_grant {
    int64_t messages;
    int64_t bytes;
};

/**
 * Find the open channel to executor @p peer_id, or open it.
 *
 * @retval TROUPE_OK         *out_link is set.
 * @retval TROUPE_ERR_NOENT  that executor is gone or going.
 * @retval TROUPE_ERR_LIMIT  no descriptors. TROUPE_ERR_NOMEM no memory.
 */
enum troupe_err trp_channel_open(
    struct troupe_executor *executor, uint32_t peer_id, struct trp_channel **out_channel);

/** Close a channel that was just opened, and on which nothing was sent, to a peer that never ran. */
void trp_channel_abandon(struct troupe_executor *executor, struct trp_channel *channel);

/** Find the channel by which executor @p peer_id sends, as it claims. @return NULL: no such. */
struct trp_channel *trp_channel_accept(struct troupe_executor *executor, uint32_t peer_id);

/** Make the executor's channel to itself. @return false: no memory. */
bool trp_channel_open_loop(struct troupe_executor *executor);

/** Send the open frame on, which is not empty. Without memory it stays open until the next turn. */
void trp_channel_flush_frame(struct troupe_executor *executor, struct trp_channel *channel);

/** Send the open frame on, if there is something in it. */
static inline void trp_channel_flush(struct troupe_executor *executor, struct trp_channel *channel)
{
    if (channel->frame.used != 0) {
        trp_channel_flush_frame(executor, channel);
    }
}

/** Flush all open frames. */
void trp_channels_flush(struct troupe_executor *executor);

/** Flush the open frames whose oldest envelope is 100 µs old. */
void trp_channels_flush_old(struct troupe_executor *executor);

/** Make room in the open frame for @p need more bytes. @return false: no memory. */
bool trp_channel_make_room(
    struct troupe_executor *executor, struct trp_channel *channel, uint32_t need);

/** Send one command at once, past what waits. */
enum troupe_err trp_channel_command(
    struct troupe_executor *executor,
    struct trp_channel *channel,
    enum trp_kind kind,
    const void *body,
    uint32_t body_bytes);

/** Send a STOP to an actor there, past its mail; @p reason is shutdown or killed. */
enum troupe_err trp_channel_stop_actor(
    struct troupe_executor *executor,
    struct trp_channel *channel,
    troupe_ref_t actor,
    enum troupe_exit_reason reason);

/** Close the ledger of a way out that was never used, or whose receiver died. */
void trp_channel_close_ledger(struct troupe_executor *executor, struct trp_ledger *ledger);

/** @return the channel by which the executor sends to @p id, maybe to itself; or NULL. */
struct trp_channel *trp_channel_to(const struct troupe_executor *executor, uint32_t id);

/** Let go of the kept frames whose messages are done with. */
void trp_channel_release_retained(struct trp_channel *channel);

/** Let go of finished channels whose ledgers have closed. @return whether others are left. */
bool trp_channels_reap(struct troupe_executor *executor);

/** Wait until the receiver of some finished channel has met all of it, or @p timeout_ns pass. */
void trp_channels_await_finished(struct troupe_executor *executor, uint64_t timeout_ns);

/** Meet the deaths of processes: settle what was on the way from and to them. */
void trp_channels_handle_process_exits(struct troupe_executor *executor);

/** Say FIN and close the way out; the channel is freed when both ways are closed. */
void trp_channel_finish(struct troupe_executor *executor, struct trp_channel *channel);

/** Ask a peer to finish its channel to here: this executor takes no more mail. */
void trp_channel_request_close(struct troupe_executor *executor, uint32_t peer_id, bool is_remote);

/** Meet the words that were left: finish channels to peers that are going, and end when asked to. */
void trp_channels_handle_flags(struct troupe_executor *executor);

/** Meet a FIN of the peer's. */
void trp_channel_handle_fin(
    struct troupe_executor *executor, struct trp_channel *channel, const struct trp_fin *fin);

/** Free all channels; both ways are closed, or the executor never ran. */
void trp_channels_fini(struct troupe_executor *executor);

/* Between channel.c, kept.c and channel_end.c. ------------------------------------------------------------ */

/** Free a channel whose two ways are closed; leave any other alone. */
void trp_channel_release(struct troupe_executor *executor, struct trp_channel *channel);

/** Let go of the memory of an open frame. */
void trp_channel_drop_frame(struct troupe_executor *executor, struct trp_outframe *frame);

/** Have an open frame be empty. */
static inline void trp_channel_clear_frame(struct trp_outframe *frame)
{
    frame->used = 0;
    frame->messages = 0;
    frame->uncounted = 0;
    frame->last = TRP_LAST_NONE;
}

/** Write the header of a frame; @p marks are of enum trp_mark. */
void trp_channel_write_header(
    const struct troupe_executor *executor,
    const struct trp_channel *channel,
    enum trp_lane lane,
    uint32_t marks,
    struct trp_outframe *frame);

/** Send the FIN of one lane. */
void trp_channel_send_fin(
    struct troupe_executor *executor, struct trp_channel *channel, enum trp_lane lane);

/** Send the open frame, and the bodies that follow it, by ipc or tcp, and keep it. @return false: no memory. */
bool trp_channel_send_retained(struct troupe_executor *executor, struct trp_channel *channel);

/** Let go of all kept frames. */
void trp_channel_drop_retained(struct trp_channel *channel);

/* Credit. -------------------------------------------------------------------------------------- */

/** Get credit for one more message. @return false: the mailbox is full for this channel. */
bool trp_channel_refill(
    struct troupe_executor *executor, struct trp_channel *channel, size_t body_bytes);

/** Take one message from the reserve, if this channel is a new one. @return false: it is not. */
bool trp_channel_take_provisional(struct trp_channel *channel, size_t body_bytes);

/** Remember that the running actor was refused, and ask for credit. @return false: no memory. */
bool trp_channel_block(
    struct troupe_executor *executor,
    struct trp_channel *channel,
    troupe_ref_t to,
    size_t body_bytes);

/** Meet the CREDIT_GRANT that ends a hunger: who was refused gets a ROOM, one after the other. */
void trp_channel_handle_credit_grant(
    struct troupe_executor *executor,
    struct trp_channel *channel,
    const struct trp_credit_grant *credit);

/** The ROOM for the channel to @p peer_id is about to be met: its credit may be spent. */
void trp_channel_begin_room(struct troupe_executor *executor, uint32_t peer_id);

/** The ROOM was met: what is left is the next one's. */
void trp_channel_end_room(struct troupe_executor *executor, uint32_t peer_id);

/** Send everybody refused a ROOM: nothing is full any more where they sent to. */
void trp_channel_send_rooms(struct troupe_executor *executor, struct trp_channel *channel);

/** As trp_channel_send_rooms(), of a channel that ends: where there is no memory, wait for it. */
void trp_channel_send_last_rooms(struct troupe_executor *executor, struct trp_channel *channel);

/** Meet a CREDIT_REQUEST. */
void trp_channel_handle_credit_request(
    struct troupe_executor *executor,
    struct trp_channel *channel,
    const struct trp_credit_request *request);

/** Take a peer that is going off the queue of the waiting. */
void trp_channel_forget_credit_request(
    struct troupe_executor *executor, struct trp_channel *channel);

/** The credit of messages of this channel is owed back, and goes back when it is worth it. */
void trp_channel_owe_later(
    struct troupe_executor *executor, struct trp_channel *channel, int64_t messages, int64_t bytes);

/** Messages of this channel are done with: their credit is owed back. */
static inline void trp_channel_owe(
    struct troupe_executor *executor, struct trp_channel *channel, int64_t messages, int64_t bytes)
{
    channel->loop_allowance -= messages;
    if (TRP_LIKELY(channel->loop_allowance >= 0)) {
        channel->credit_messages += messages; // straight back to where it will be spent again
        channel->credit_bytes += bytes;
    } else {
        trp_channel_owe_later(executor, channel, messages, bytes);
    }
}

/** The last @p count messages of an item are done with: give back what they took, credit or reserve. */
void trp_channel_return_credit(
    struct troupe_executor *executor,
    struct trp_channel *channel,
    const struct trp_item *item,
    uint32_t count);

/** Give back all that a channel holds unspent, for it is about to close. */
void trp_channel_return_all(struct trp_channel *channel);

/** Free what a sender that died held of this executor's credit. */
void trp_channel_reclaim(struct troupe_executor *executor, struct trp_channel *channel);

/** Give back what is owed, and feed the waiting. @p idle: nothing waits here any more. */
void trp_channels_settle(struct troupe_executor *executor, bool idle);

/** Give back the unspent credit of channels that were not used since the last time. */
void trp_channels_return_credit(struct troupe_executor *executor);

/** @return whether some channel to a peer holds credit it has not spent. */
bool trp_channels_have_unspent(const struct troupe_executor *executor);

#endif

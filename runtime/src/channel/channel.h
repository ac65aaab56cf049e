/**
 * @file link.h
 * @brief A link: all that an executor has with one other executor, in both directions, or with itself.
 *
 *     out   open frame --> PUSH --> its mailbox      accepted, credit, who waits for room
 *     in    its frames, by the cookie they carry     received, handled, dead, credit owed back
 *
 * A link opens with the first message or the first frame, and each direction closes with a FIN: the
 * last frame, which says how many messages were sent. What became of them the ledger counts, which lies
 * on the board. Only the executor's own thread comes here.
 *
 * Frames that go by ipc or tcp are kept until the ledger says that they are done with: if the receiver's
 * process dies, they say who waits in vain.
 */
#ifndef TRP_LINK_H
#define TRP_LINK_H

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

/** What a WANT says. */
struct trp_want {
    int64_t messages; // at most
    int64_t bytes;    // at least: the body that was refused
};

/** A frame that was sent, and is kept until its messages are done with. */
struct trp_kept {
    struct trp_kept *next;
    uint64_t first_sequence;
    uint32_t count;
    uint32_t part_count;
    struct trp_parcel frame;
    struct trp_kept_part {
        struct trp_parcel parcel;
        struct troupe_body *body; // that the parcel frees
    } parts[];                    // the bodies that followed it
};

struct trp_link {
    uint32_t peer_id;
    uint32_t peer_node; // 0: not known, for we do not send there
    bool is_loop;       // to itself
    bool out_open;      // we may send
    bool in_open;       // it may send, and its FIN has not come yet
    bool is_remote;     // what we send goes by ipc or tcp
    bool finished;      // we said FIN, and wait until the ledger closes
    uint8_t in_fins;    // of the lanes it uses

    // Out.
    struct trp_gate *gate;     // the peer's; good while out_open
    struct trp_seat *seat;     // the peer's
    struct trp_ledger *ledger; // good while out_open; its own while it has our cookie
    uint64_t cookie;
    struct trp_kept *kept_first;
    struct trp_kept *kept_last;
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
    struct trp_link *next_dirty;

    int64_t credit_messages; // ours to spend
    int64_t credit_bytes;
    uint32_t provisional_count; // messages this link took from the reserve
    bool was_granted;           // it is no new link any more
    bool is_hungry;             // waits for a CREDIT
    bool was_used;              // since the last sweep for unspent credit
    int64_t pass_messages;      // of a loop: so many met may be followed at once; below 0: none
    struct trp_refusals refusals;
    int64_t parked_messages; // credit kept for those, while there are any
    int64_t parked_bytes;
    int64_t room_credit;    // what may be spent by who meets a ROOM
    uint32_t rooms_unspent; // of those who were called: who sent nothing when it met its ROOM
    uint8_t rooms_bits;     // so many are called at once: this power of two
    bool in_room;           // one of them meets its ROOM, and was not refused again

    // In.
    struct trp_seat *in_seat;     // the peer's
    struct trp_ledger *in_ledger; // the peer's
    uint32_t in_node;             // as those two say: the peer writes what lies beside it there
    uint64_t in_cookie;
    bool in_is_remote;
    uint64_t received_count;
    uint64_t command_count; // of those that are counted
    int64_t owed_messages;  // handled, its credit not given back yet
    int64_t owed_bytes;
    bool owes;
    struct trp_link *next_owed;

    bool wants;           // the peer is hungry
    struct trp_want want; // what it wants
    struct trp_link *next_hungry;
};

/** What a FIN says. */
struct trp_fin {
    uint64_t accepted_count; // counted messages sent on the link
    uint64_t lane_count;     // FINs that will come
};

/** What a CREDIT says. */
struct trp_credit {
    int64_t messages;
    int64_t bytes;
};

/**
 * Find the open link to executor @p peer_id, or open it.
 *
 * @retval TROUPE_OK         *out_link is set.
 * @retval TROUPE_ERR_NOENT  that executor is gone or going.
 * @retval TROUPE_ERR_LIMIT  no descriptors. TROUPE_ERR_NOMEM no memory.
 */
enum troupe_err trp_link_open(
    struct troupe_executor *executor, uint32_t peer_id, struct trp_link **out_link);

/** Close a link that was just opened, and on which nothing was sent, to a peer that never ran. */
void trp_link_abandon(struct troupe_executor *executor, struct trp_link *link);

/** Find the link by which executor @p peer_id sends, as it claims. @return NULL: no such. */
struct trp_link *trp_link_accept(struct troupe_executor *executor, uint32_t peer_id);

/** Make the executor's link to itself. @return false: no memory. */
bool trp_link_open_loop(struct troupe_executor *executor);

/** Send the open frame on, which is not empty. Without memory it stays open until the next turn. */
void trp_link_flush_frame(struct troupe_executor *executor, struct trp_link *link);

/** Send the open frame on, if there is something in it. */
static inline void trp_link_flush(struct troupe_executor *executor, struct trp_link *link)
{
    if (link->frame.used != 0) {
        trp_link_flush_frame(executor, link);
    }
}

/** Flush all open frames. */
void trp_links_flush(struct troupe_executor *executor);

/** Flush the open frames whose oldest envelope is 100 µs old. */
void trp_links_flush_old(struct troupe_executor *executor);

/** Make room in the open frame for @p need more bytes. @return false: no memory. */
bool trp_link_make_room(struct troupe_executor *executor, struct trp_link *link, uint32_t need);

/** Send one command at once, past what waits. */
enum troupe_err trp_link_command(
    struct troupe_executor *executor,
    struct trp_link *link,
    enum trp_kind kind,
    const void *body,
    uint32_t body_bytes);

/** Send a STOP to an actor there, past its mail; @p reason is shutdown or killed. */
enum troupe_err trp_link_stop_actor(
    struct troupe_executor *executor,
    struct trp_link *link,
    troupe_ref_t actor,
    enum troupe_exit_reason reason);

/** Close the ledger of a way out that was never used, or whose receiver died. */
void trp_link_close_ledger(struct troupe_executor *executor, struct trp_ledger *ledger);

/** @return the link by which the executor sends to @p id, maybe to itself; or NULL. */
struct trp_link *trp_link_to(const struct troupe_executor *executor, uint32_t id);

/** Let go of the kept frames whose messages are done with. */
void trp_link_forget_kept(struct trp_link *link);

/** Let go of finished links whose ledgers have closed. @return whether others are left. */
bool trp_links_reap(struct troupe_executor *executor);

/** Wait until the receiver of some finished link has met all of it, or @p timeout_ns pass. */
void trp_links_await_finished(struct troupe_executor *executor, uint64_t timeout_ns);

/** Meet the deaths of processes: settle what was on the way from and to them. */
void trp_links_meet_deaths(struct troupe_executor *executor);

/** Say FIN and close the way out; the link is freed when both ways are closed. */
void trp_link_finish(struct troupe_executor *executor, struct trp_link *link);

/** Ask a peer to finish its link to here: this executor takes no more mail. */
void trp_link_say_gone(struct troupe_executor *executor, uint32_t peer_id, bool is_remote);

/** Meet the words that were left: finish links to peers that are going, and end when asked to. */
void trp_links_meet_words(struct troupe_executor *executor);

/** Meet a FIN of the peer's. */
void trp_link_meet_fin(
    struct troupe_executor *executor, struct trp_link *link, const struct trp_fin *fin);

/** Free all links; both ways are closed, or the executor never ran. */
void trp_links_fini(struct troupe_executor *executor);

/* Between link.c, kept.c and link_end.c. ------------------------------------------------------------ */

/** Free a link whose two ways are closed; leave any other alone. */
void trp_link_release(struct troupe_executor *executor, struct trp_link *link);

/** Let go of the memory of an open frame. */
void trp_link_drop_frame(struct troupe_executor *executor, struct trp_outframe *frame);

/** Have an open frame be empty. */
static inline void trp_link_clear_frame(struct trp_outframe *frame)
{
    frame->used = 0;
    frame->messages = 0;
    frame->uncounted = 0;
    frame->last = TRP_LAST_NONE;
}

/** Write the header of a frame; @p marks are of enum trp_mark. */
void trp_link_write_header(
    const struct troupe_executor *executor,
    const struct trp_link *link,
    enum trp_lane lane,
    uint32_t marks,
    struct trp_outframe *frame);

/** Send the FIN of one lane. */
void trp_link_send_fin(struct troupe_executor *executor, struct trp_link *link, enum trp_lane lane);

/** Send the open frame, and the bodies that follow it, by ipc or tcp, and keep it. @return false: no memory. */
bool trp_link_send_kept(struct troupe_executor *executor, struct trp_link *link);

/** Let go of all kept frames. */
void trp_link_drop_kept(struct trp_link *link);

/* Credit. -------------------------------------------------------------------------------------- */

/** Get credit for one more message. @return false: the mailbox is full for this link. */
bool trp_link_refill(struct troupe_executor *executor, struct trp_link *link, size_t body_bytes);

/** Take one message from the reserve, if this link is a new one. @return false: it is not. */
bool trp_link_take_provisional(struct trp_link *link, size_t body_bytes);

/** Remember that the running actor was refused, and ask for credit. @return false: no memory. */
bool trp_link_refuse(
    struct troupe_executor *executor, struct trp_link *link, troupe_ref_t to, size_t body_bytes);

/** Meet the CREDIT that ends a hunger: who was refused gets a ROOM, one after the other. */
void trp_link_meet_credit(
    struct troupe_executor *executor, struct trp_link *link, const struct trp_credit *credit);

/** The ROOM for the link to @p peer_id is about to be met: its credit may be spent. */
void trp_link_begin_room(struct troupe_executor *executor, uint32_t peer_id);

/** The ROOM was met: what is left is the next one's. */
void trp_link_end_room(struct troupe_executor *executor, uint32_t peer_id);

/** Send everybody refused a ROOM: nothing is full any more where they sent to. */
void trp_link_send_rooms(struct troupe_executor *executor, struct trp_link *link);

/** As trp_link_send_rooms(), of a link that ends: where there is no memory, wait for it. */
void trp_link_send_last_rooms(struct troupe_executor *executor, struct trp_link *link);

/** Meet a WANT. */
void trp_link_meet_want(
    struct troupe_executor *executor, struct trp_link *link, const struct trp_want *want);

/** Take a peer that is going off the queue of the hungry. */
void trp_link_forget_want(struct troupe_executor *executor, struct trp_link *link);

/** The credit of messages of this link is owed back, and goes back when it is worth it. */
void trp_link_owe_later(
    struct troupe_executor *executor, struct trp_link *link, int64_t messages, int64_t bytes);

/** Messages of this link are done with: their credit is owed back. */
static inline void trp_link_owe(
    struct troupe_executor *executor, struct trp_link *link, int64_t messages, int64_t bytes)
{
    link->pass_messages -= messages;
    if (TRP_LIKELY(link->pass_messages >= 0)) {
        link->credit_messages += messages; // straight back to where it will be spent again
        link->credit_bytes += bytes;
    } else {
        trp_link_owe_later(executor, link, messages, bytes);
    }
}

/** The last @p count messages of an item are done with: give back what they took, credit or reserve. */
void trp_link_return_credit(
    struct troupe_executor *executor,
    struct trp_link *link,
    const struct trp_item *item,
    uint32_t count);

/** Give back all that a link holds unspent, for it is about to close. */
void trp_link_return_all(struct trp_link *link);

/** Free what a sender that died held of this executor's credit. */
void trp_link_reclaim(struct troupe_executor *executor, struct trp_link *link);

/** Give back what is owed, and feed the hungry. @p idle: nothing waits here any more. */
void trp_links_settle(struct troupe_executor *executor, bool idle);

/** Give back the unspent credit of links that were not used since the last time. */
void trp_links_return_credit(struct troupe_executor *executor);

/** @return whether some link to a peer holds credit it has not spent. */
bool trp_links_have_unspent(const struct troupe_executor *executor);

#endif

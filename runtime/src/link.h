/**
 * @file link.h
 * @brief A link: all that an executor has with one other executor, in both directions, or with itself.
 *
 *     out   open frame --> PUSH --> its mailbox      accepted, credit, who waits for room
 *     in    its frames, by the cookie they carry     received, handled, dead, credit owed back
 *
 * A link opens with the first message or the first frame, and each direction closes with a FIN: the
 * last frame, which says how many messages were sent. Only the executor's own thread comes here.
 */
#ifndef TRP_LINK_H
#define TRP_LINK_H

#include "frame.h"
#include "gate.h"
#include "troupe/context.h"

#include <stdbool.h>
#include <stdint.h>

struct troupe_executor;

/** An actor that was refused, and by whom: it gets one ROOM. */
struct trp_refused {
    uint32_t index; // of the actor that was refused
    uint32_t generation;
    troupe_ref_t to;
};

/** What a WANT says. */
struct trp_want {
    int64_t messages;       // at most
    int64_t bytes;          // at least: the body that was refused
    int64_t taken_messages; // ever, so that the receiver knows what the link holds
    int64_t taken_bytes;
};

struct trp_link {
    uint32_t peer_id;
    bool is_loop;    // to itself
    bool out_open;   // we may send
    bool in_open;    // it may send, and its FIN has not come yet
    uint8_t in_fins; // of the lanes it uses

    // Out.
    struct trp_gate *gate;   // the peer's; good while out_open
    struct trp_tally *tally; // ours to read, the receiver's to write and to free
    void *push;
    void *command_push; // NULL until the first command
    struct trp_outframe frame;
    uint64_t frame_cycles; // when its first envelope was written
    bool dirty;            // stands in the executor's list of open frames
    struct trp_link *next_dirty;
    uint64_t out_cookie;
    uint64_t accepted_count; // counted messages, of which `frame.count` are in the open frame

    int64_t credit_messages; // ours to spend
    int64_t credit_bytes;
    int64_t taken_messages; // credit ever taken, to know what the link holds
    int64_t taken_bytes;
    uint32_t provisional_count; // messages this link took from the reserve
    bool was_granted;           // it is no new link any more
    bool is_hungry;             // waits for a CREDIT
    bool was_used;              // since the last sweep for unspent credit
    struct trp_refused *refused;
    uint32_t refused_first; // of them, who gets the next ROOM
    uint32_t refused_count;
    uint32_t refused_capacity;
    int64_t parked_messages; // credit kept for those, while there are any
    int64_t parked_bytes;
    bool room_sent; // a ROOM is on its way to one of them

    // In.
    uint64_t in_cookie;
    struct trp_tally *in_tally; // the peer's
    uint64_t received_count;
    uint64_t handled_count;
    uint64_t dead_count;
    int64_t owed_messages; // handled, its credit not given back yet
    int64_t owed_bytes;
    bool owes;
    struct trp_link *next_owed;

    bool wants;           // the peer is hungry
    struct trp_want want; // what it wants
    struct trp_link *next_hungry;
};

/** A peer that opened a link to an executor, as it says so in passing; guarded by the system's lock. */
struct trp_attach {
    uint32_t peer_id;
    uint64_t cookie;
    struct trp_tally *tally;
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

/** Send a STOP to an actor there, past its mail. */
enum troupe_err trp_link_stop_actor(
    struct troupe_executor *executor, struct trp_link *link, troupe_ref_t actor);

/** Say FIN and close the way out; the link is freed when both ways are closed. */
void trp_link_finish(struct troupe_executor *executor, struct trp_link *link);

/** Ask a peer to finish its link to here: this executor takes no more mail. */
void trp_link_say_gone(struct troupe_executor *executor, uint32_t peer_id);

/** Meet the words that were left: finish links to peers that are going, and end when asked to. */
void trp_links_meet_words(struct troupe_executor *executor);

/** Meet a FIN of the peer's. */
void trp_link_meet_fin(
    struct troupe_executor *executor,
    struct trp_link *link,
    enum trp_lane lane,
    const struct trp_fin *fin);

/** Free all links; both ways are closed, or the executor never ran. */
void trp_links_fini(struct troupe_executor *executor);

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

/** Meet a WANT. */
void trp_link_meet_want(
    struct troupe_executor *executor, struct trp_link *link, const struct trp_want *want);

/** Take a peer that is going off the queue of the hungry. */
void trp_link_forget_want(struct troupe_executor *executor, struct trp_link *link);

/** A message of this link is done with: its credit is owed back. */
void trp_link_owe(
    struct troupe_executor *executor, struct trp_link *link, int64_t messages, int64_t bytes);

/** Give back what is owed, and feed the hungry. @p idle: nothing waits here any more. */
void trp_links_settle(struct troupe_executor *executor, bool idle);

/** Give back the unspent credit of links that were not used since the last time. */
void trp_links_return_credit(struct troupe_executor *executor);

/** @return whether some link to a peer holds credit it has not spent. */
bool trp_links_have_unspent(const struct troupe_executor *executor);

#endif

#include "link.h"

#include "clock.h"
#include "executor.h"
#include "listener.h"
#include "system.h"

#include <sched.h>
#include <stdlib.h>
#include <sys/random.h>

/*
 * Opening and closing links, and sending their frames. Credit is in credit.c.
 *
 *     trp_link_open     attach to the peer (lock), connect a PUSH
 *     ... frames ...
 *     trp_link_finish   the last frame is a FIN; nothing of the peer is touched after it
 *     the peer          meets the FIN, compares the counts, and may go
 *
 * So whoever is attached keeps the peer, its mailbox and its gate alive, and nobody else needs to.
 */

enum {
    SMALL_FRAME_BYTES = 512, // what a link keeps for its open frame while little is sent
    COPIED_BYTES_MAX = 8192, // larger frames are given to ZeroMQ rather than copied
    OLD_NS = 100000,
};

static struct trp_link *link_new(struct troupe_executor *executor, uint32_t peer_id)
{
    struct trp_link *link = trp_idmap_find(&executor->links, peer_id);
    if (link != NULL) {
        return link;
    }
    link = calloc(1, sizeof(*link));
    if (link == NULL || !trp_idmap_put(&executor->links, peer_id, link)) {
        free(link);
        return NULL;
    }
    link->peer_id = peer_id;
    link->frame.last = TRP_LAST_NONE;
    link->frame.base = sizeof(struct trp_header);
    return link;
}

static void link_drop_frame(struct troupe_executor *executor, struct trp_outframe *frame)
{
    if (frame->capacity == TRP_FRAME_BYTES_MAX) {
        trp_frame_give_back(frame->bytes, executor->frames.pool);
    } else {
        free(frame->bytes);
    }
    frame->bytes = NULL;
    frame->capacity = 0;
}

/** Free a link whose two ways are closed; leave any other alone. */
static void link_release(struct troupe_executor *executor, struct trp_link *link)
{
    if (link->out_open || link->in_open || link->finished) {
        return;
    }
    TRP_DCHECK(!link->dirty && !link->owes && !link->wants);
    trp_idmap_remove(&executor->links, link->peer_id);
    executor->last_out = executor->last_out == link ? NULL : executor->last_out;
    executor->last_in = executor->last_in == link ? NULL : executor->last_in;
    link_drop_frame(executor, &link->frame);
    free(link->refused);
    free(link->given);
    free(link);
}

struct trp_link *trp_link_to(const struct troupe_executor *executor, uint32_t id)
{
    return id == executor->id && !trp_executor_mails_itself(executor)
               ? executor->loop
               : trp_idmap_find(&executor->links, id);
}

bool trp_link_open_loop(struct troupe_executor *executor)
{
    struct trp_board *board = executor->system->board;
    struct trp_link *link = calloc(1, sizeof(*link));
    struct trp_ledger *ledger = link == NULL ? NULL : trp_board_open_loop(board, executor->seat);
    if (ledger == NULL) {
        free(link);
        return false;
    }
    link->peer_id = executor->id;
    link->peer_node = executor->node;
    link->is_loop = true;
    link->out_open = true;
    link->in_open = true;
    link->was_granted = true;
    link->ledger = ledger;
    link->in_ledger = ledger;
    link->in_index = trp_board_ledger_index(board, ledger);
    link->gate = executor->gate;
    link->seat = executor->seat;
    link->in_seat = executor->seat;
    link->frame.last = TRP_LAST_NONE;
    executor->loop = link;
    return true;
}

/** Connect one of the two pipes to the peer. */
static enum troupe_err link_connect(
    struct troupe_executor *executor, struct trp_link *link, void **out_push)
{
    char endpoint[TRP_ENDPOINT_BYTES];
    if (link->is_remote) {
        trp_listener_endpoint(executor->system->board->rundir, link->seat, endpoint);
    } else {
        trp_wire_inproc(link->peer_id, endpoint);
    }
    return trp_wire_push_new(executor->system->context, endpoint, out_push);
}

/** Open the way out of a fresh link. */
static enum troupe_err link_open_out(struct troupe_executor *executor, struct trp_link *link)
{
    struct trp_board *board = executor->system->board;
    enum troupe_err err = trp_board_open_ledger(
        board, executor->seat, link->peer_id, &link->ledger, &link->seat);
    if (err == TROUPE_ERR_LIMIT) {
        return TRP_EXPLAIN(
            err, "all %d links of a system are taken; end some executors", TRP_BOARD_LEDGERS);
    }
    if (err != TROUPE_OK) {
        return err;
    }
    link->gate = &link->seat->gate;
    link->is_remote = link->ledger->is_remote;
    link->frame_messages_max =
        link->is_remote ? TRP_FRAME_MESSAGES_MAX_REMOTE : TRP_FRAME_MESSAGES_MAX;
    link->cookie = link->ledger->cookie;
    link->peer_node = link->seat->node;
    err = link_connect(executor, link, &link->push);
    if (err != TROUPE_OK) {
        trp_link_close_ledger(executor, link->ledger);
        return err;
    }
    link->out_open = true;
    return TROUPE_OK;
}

enum troupe_err trp_link_open(
    struct troupe_executor *executor, uint32_t peer_id, struct trp_link **out_link)
{
    struct trp_link *link = trp_idmap_find(&executor->links, peer_id);
    if (link != NULL && link->out_open) {
        *out_link = link;
        return TROUPE_OK;
    }
    if (executor->closed_out) {
        return TROUPE_ERR_NOENT;
    }
    // What is kept free is for those who leave, and have to say so.
    if (!executor->ending && !trp_system_has_descriptors(0)) {
        return TRP_EXPLAIN(
            TROUPE_ERR_LIMIT,
            "fewer than %d descriptors are free: no first message from executor %u to executor %u; "
            "end some executors, or raise the limit of open files",
            TRP_DESCRIPTORS_FREE_MIN,
            executor->id,
            peer_id);
    }
    link = link_new(executor, peer_id);
    if (link == NULL) {
        return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for a link");
    }
    enum troupe_err err = link_open_out(executor, link);
    if (err != TROUPE_OK) {
        link_release(executor, link);
        return err;
    }
    *out_link = link;
    return TROUPE_OK;
}

void trp_link_abandon(struct troupe_executor *executor, struct trp_link *link)
{
    trp_wire_close(&link->push);
    trp_link_close_ledger(executor, link->ledger);
    link->gate = NULL;
    link->out_open = false;
    link_release(executor, link);
}

void trp_link_close_ledger(struct troupe_executor *executor, struct trp_ledger *ledger)
{
    uint32_t to = ledger->to;
    trp_system_close_ledger(executor->system, ledger);
    trp_system_wake_executor(executor->system, to); // it may be waiting for its last peer
}

struct trp_link *trp_link_accept(struct troupe_executor *executor, uint32_t peer_id)
{
    struct trp_link *link = executor->last_in;
    if (TRP_LIKELY(link != NULL && link->peer_id == peer_id && link->in_open)) {
        return link;
    }
    link = trp_idmap_find(&executor->links, peer_id);
    if (link == NULL || !link->in_open) {
        struct trp_board *board = executor->system->board;
        struct trp_ledger *ledger = NULL;
        struct trp_seat *seat = NULL;
        link = link_new(executor, peer_id);
        if (link == NULL) {
            return NULL;
        }
        ledger = trp_board_claim_ledger(board, executor->seat, peer_id, &seat);
        if (ledger == NULL || seat == NULL) {
            link_release(executor, link); // a stranger, who leaves nothing behind
            return NULL;
        }
        link->in_ledger = ledger;
        link->in_seat = seat;
        link->in_index = trp_board_ledger_index(board, ledger);
        link->in_open = true;
        link->in_fins = 0;
        link->command_count = 0;
        link->received_count = 0;
    }
    executor->last_in = link;
    return link;
}

static void link_write_header(
    const struct troupe_executor *executor,
    const struct trp_link *link,
    enum trp_lane lane,
    uint32_t marks,
    struct trp_outframe *frame)
{
    struct trp_header header = {
        .version = TRP_FRAME_VERSION,
        .lane = (uint8_t)lane,
        .marks = (uint16_t)marks,
        .count = frame->count,
        .cookie = link->cookie,
        .first_sequence =
            trp_counted(&link->ledger->accepted) - (lane == TRP_LANE_USER ? frame->count : 0),
        .acknowledged = link->in_open ? trp_ledger_done(link->in_ledger) : 0,
        .node = executor->node,
        .executor = executor->id,
    };
    memcpy(frame->bytes, &header, sizeof(header));
}

static void link_clear_frame(struct trp_outframe *frame)
{
    frame->used = 0;
    frame->count = 0;
    frame->messages = 0;
    frame->last = TRP_LAST_NONE;
}

/** Send the bytes of an open frame: a copy, or for a large one themselves. @return false: no memory. */
static bool link_send_frame(
    struct troupe_executor *executor, struct trp_outframe *frame, void *socket)
{
    if (frame->used <= COPIED_BYTES_MAX) {
        return trp_wire_send(socket, frame->bytes, frame->used);
    }
    TRP_DCHECK(frame->capacity == TRP_FRAME_BYTES_MAX);
    if (!trp_wire_give(
            socket, frame->bytes, frame->used, trp_frame_give_back, executor->frames.pool)) {
        return false;
    }
    frame->bytes = NULL;
    frame->capacity = 0;
    return true;
}

/* Frames that go by ipc or tcp. ------------------------------------------------------------------ */

/** Move the open frame into a parcel: a copy, or for a large one itself. @return false: no memory. */
static bool link_pack(
    struct troupe_executor *executor, struct trp_outframe *frame, struct trp_parcel *parcel)
{
    if (frame->used <= COPIED_BYTES_MAX) {
        return trp_parcel_fill(parcel, frame->bytes, frame->used);
    }
    if (!trp_parcel_give(
            parcel, frame->bytes, frame->used, trp_frame_give_back, executor->frames.pool)) {
        return false;
    }
    frame->bytes = NULL;
    frame->capacity = 0;
    return true;
}

/** Keep what is about to be sent, until its messages are done with. */
static void link_keep(struct trp_link *link, struct trp_kept *kept)
{
    kept->next = NULL;
    if (link->kept_last != NULL) {
        link->kept_last->next = kept;
    } else {
        link->kept_first = kept;
    }
    link->kept_last = kept;
}

static void link_free_kept(struct trp_kept *kept)
{
    trp_parcel_clear(&kept->frame);
    for (uint32_t i = 0; i < kept->part_count; i++) {
        trp_parcel_clear(&kept->parts[i]);
    }
    free(kept);
}

void trp_link_forget_kept(struct trp_link *link)
{
    uint64_t done = link->kept_first == NULL ? 0 : trp_ledger_done(link->ledger);
    while (link->kept_first != NULL &&
           link->kept_first->first_sequence + link->kept_first->count <= done) {
        struct trp_kept *next = link->kept_first->next;
        link_free_kept(link->kept_first);
        link->kept_first = next;
    }
    link->kept_last = link->kept_first == NULL ? NULL : link->kept_last;
}

static void link_free_parcel(void *data, void *parcel)
{
    (void)data;
    trp_parcel_clear(parcel);
    free(parcel);
}

static void link_free_body(void *data, void *body)
{
    (void)data;
    troupe_body_free(body);
    free(body);
}

/** Move a given body into a parcel. @return false: no memory. */
static bool link_pack_given(struct troupe_body *given, struct trp_parcel *parcel)
{
    struct troupe_body *owned = malloc(sizeof(*owned));
    if (owned == NULL) {
        return false;
    }
    *owned = *given;
    if (!trp_parcel_give(parcel, owned->data, owned->bytes, link_free_body, owned)) {
        free(owned);
        return false;
    }
    *given = (struct troupe_body){0};
    return true;
}

/** Undo link_pack_given(): the bytes are a parcel's now, and a body's again. */
static void link_unpack_given(struct trp_parcel *parcel, struct troupe_body *given)
{
    // Nothing shares the parcel yet, so its data is the body that link_free_body() would free.
    struct trp_parcel *owned = malloc(sizeof(*owned));
    size_t size = 0;
    uint8_t *bytes = trp_parcel_bytes(parcel, &size);
    TRP_CHECK(owned != NULL); // freed a moment ago
    *owned = *parcel;
    *given = (struct troupe_body){bytes, size, link_free_parcel, owned};
}

/** Pack the open frame and the bodies that follow it. @return NULL: no memory; nothing was packed. */
static struct trp_kept *link_pack_all(struct troupe_executor *executor, struct trp_link *link)
{
    struct trp_outframe *frame = &link->frame;
    uint32_t count = link->given_count;
    struct trp_kept *kept = malloc(sizeof(*kept) + count * sizeof(kept->parts[0]));
    if (kept == NULL) {
        return NULL;
    }
    kept->first_sequence = trp_counted(&link->ledger->accepted) - frame->count;
    kept->count = frame->count;
    kept->part_count = 0;
    while (kept->part_count < count &&
           link_pack_given(&link->given[kept->part_count], &kept->parts[kept->part_count])) {
        kept->part_count++;
    }
    if (kept->part_count == count && link_pack(executor, frame, &kept->frame)) {
        link->given_count = 0;
        return kept;
    }
    // What was packed already stays a body, of the same bytes, until there is memory.
    for (uint32_t i = 0; i < kept->part_count; i++) {
        link_unpack_given(&kept->parts[i], &link->given[i]);
    }
    free(kept);
    return NULL;
}

/** Send the open frame by ipc or tcp. @return false: no memory. */
static bool link_send_remote(struct troupe_executor *executor, struct trp_link *link)
{
    trp_link_forget_kept(link);
    struct trp_kept *kept = link_pack_all(executor, link);
    if (kept == NULL) {
        return false;
    }
    struct trp_parcel parcel;
    trp_parcel_share(&parcel, &kept->frame);
    trp_wire_send_parcel(link->push, &parcel, kept->part_count > 0);
    for (uint32_t i = 0; i < kept->part_count; i++) {
        trp_parcel_share(&parcel, &kept->parts[i]);
        trp_wire_send_parcel(link->push, &parcel, i + 1 < kept->part_count);
    }
    if (kept->count > 0) {
        link_keep(link, kept);
    } else {
        link_free_kept(kept);
    }
    return true;
}

void trp_link_flush_frame(struct troupe_executor *executor, struct trp_link *link)
{
    struct trp_outframe *frame = &link->frame;
    if (TRP_LIKELY(link->is_loop)) {
        if (!link_send_frame(executor, frame, executor->mailbox.loop_in)) {
            return;
        }
        trp_mailbox_loop_sent(&executor->mailbox);
    } else {
        link_write_header(
            executor, link, TRP_LANE_USER, link->is_remote ? 0 : TRP_MARK_RUNG, frame);
        if (link->is_remote) {
            if (!link_send_remote(executor, link)) {
                return;
            }
        } else {
            if (!link_send_frame(executor, frame, link->push)) {
                return;
            }
            trp_gate_ring(link->gate, TRP_MARK_RUNG);
        }
    }
    trp_count(&executor->counters->frames_sent, 1);
    link_clear_frame(frame);
}

void trp_links_flush(struct troupe_executor *executor)
{
    struct trp_link *link = executor->dirty;
    executor->dirty = NULL;
    while (link != NULL) {
        struct trp_link *next = link->next_dirty;
        link->dirty = false;
        trp_link_flush(executor, link);
        if (link->frame.used != 0) { // no memory: next turn again
            link->dirty = true;
            link->next_dirty = executor->dirty;
            executor->dirty = link;
        }
        link = next;
    }
}

void trp_links_flush_old(struct troupe_executor *executor)
{
    uint64_t now = trp_cycles();
    uint64_t old = trp_cycles_of_ns(OLD_NS);
    for (struct trp_link *link = executor->dirty; link != NULL; link = link->next_dirty) {
        if (link->frame.used != 0 && now - link->frame_cycles > old) {
            trp_link_flush(executor, link);
        }
    }
}

/** Give the open frame the memory of a larger one. @return false: no memory. */
static bool link_grow_frame(
    struct troupe_executor *executor, struct trp_outframe *frame, uint32_t capacity)
{
    uint8_t *bytes =
        capacity == TRP_FRAME_BYTES_MAX ? trp_frame_take(&executor->frames) : malloc(capacity);
    if (bytes == NULL) {
        return false;
    }
    if (frame->used != 0) {
        memcpy(bytes, frame->bytes, frame->used);
    }
    link_drop_frame(executor, frame);
    frame->bytes = bytes;
    frame->capacity = capacity;
    return true;
}

bool trp_link_make_room(struct troupe_executor *executor, struct trp_link *link, uint32_t need)
{
    struct trp_outframe *frame = &link->frame;
    uint32_t used = frame->used == 0 ? frame->base : frame->used;
    if (used + need > TRP_FRAME_BYTES_MAX) {
        trp_link_flush(executor, link);
        if (frame->used != 0) {
            return false;
        }
        used = frame->base;
    }
    if (used + need <= frame->capacity) {
        return true;
    }
    bool small = used + need <= SMALL_FRAME_BYTES;
    return link_grow_frame(executor, frame, small ? SMALL_FRAME_BYTES : TRP_FRAME_BYTES_MAX);
}

/** Send one envelope as a frame of its own. */
static bool link_send_alone(
    const struct troupe_executor *executor,
    struct trp_link *link,
    enum trp_lane lane,
    uint32_t marks,
    const struct trp_post *post)
{
    _Alignas(8) uint8_t bytes[sizeof(struct trp_header) + sizeof(struct trp_envelope) + 64];
    struct trp_outframe frame = {
        .bytes = bytes,
        .capacity = sizeof(bytes),
        .base = sizeof(struct trp_header),
        .last = TRP_LAST_NONE,
    };
    bool put = trp_outframe_put(&frame, post);
    TRP_CHECK(put);
    link_write_header(executor, link, lane, marks, &frame);
    void *socket = lane == TRP_LANE_USER ? link->push : link->command_push;
    return trp_wire_send(socket, frame.bytes, frame.used);
}

/** Choose the lane of a command, and open the second one when it is needed first. */
static enum trp_lane link_command_lane(
    struct troupe_executor *executor, struct trp_link *link, enum trp_kind kind)
{
    // A farewell comes after the mail. Without a descriptor for a second pipe everything does.
    if (kind == TRP_KIND_GONE) {
        return TRP_LANE_USER;
    }
    if (link->command_push == NULL &&
        (!trp_system_has_descriptors(0) ||
         link_connect(executor, link, &link->command_push) != TROUPE_OK)) {
        return TRP_LANE_USER;
    }
    return TRP_LANE_COMMAND;
}

/**
 * Which bells a command rings. By ipc and tcp only those are counted whose order matters to who sends
 * them: the receiver waits for what is counted, and that takes a while there.
 */
static uint32_t link_command_marks(
    const struct trp_link *link, enum trp_lane lane, enum trp_kind kind)
{
    if (!link->is_remote) {
        return lane == TRP_LANE_COMMAND ? TRP_MARK_RUNG | TRP_MARK_COUNTED : TRP_MARK_RUNG;
    }
    bool matters = kind == TRP_KIND_STOP || kind == TRP_KIND_STOP_EXECUTOR;
    return lane == TRP_LANE_COMMAND && matters ? TRP_MARK_COUNTED : 0;
}

/** Send a command at once, on the lane for it. */
static enum troupe_err link_send_command(
    struct troupe_executor *executor, struct trp_link *link, const struct trp_post *post)
{
    TRP_DCHECK(!link->is_loop);
    enum trp_lane lane = link_command_lane(executor, link, trp_tag_kind(post->tag));
    if (lane == TRP_LANE_USER) {
        trp_link_flush(executor, link);
    }
    uint32_t marks = link_command_marks(link, lane, trp_tag_kind(post->tag));
    if ((marks & TRP_MARK_COUNTED) != 0) {
        trp_count(&link->ledger->commands, 1);
    }
    if (!link_send_alone(executor, link, lane, marks, post)) {
        return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for a command");
    }
    trp_gate_ring(link->gate, marks);
    trp_count(&executor->counters->frames_sent, 1);
    return TROUPE_OK;
}

enum troupe_err trp_link_command(
    struct troupe_executor *executor,
    struct trp_link *link,
    enum trp_kind kind,
    const void *body,
    uint32_t body_bytes)
{
    const struct trp_post post = {
        .tag = trp_tag(kind, 0, body_bytes),
        .body = body,
    };
    return link_send_command(executor, link, &post);
}

enum troupe_err trp_link_stop_actor(
    struct troupe_executor *executor, struct trp_link *link, troupe_ref_t actor)
{
    const struct trp_post post = {
        .to_index = actor.index,
        .to_generation = actor.generation,
        .tag = trp_tag(TRP_KIND_STOP, 0, 0),
    };
    return link_send_command(executor, link, &post);
}

/** Send the FIN of one lane. */
static void link_send_fin(
    struct troupe_executor *executor, struct trp_link *link, enum trp_lane lane)
{
    const struct trp_fin fin = {
        .accepted_count = trp_counted(&link->ledger->accepted),
        .lane_count = link->command_push != NULL ? 2 : 1,
    };
    const struct trp_post post = {
        .tag = trp_tag(TRP_KIND_FIN, 0, sizeof(fin)),
        .body = &fin,
    };
    // Not without it: the peer waits for the FIN. No ring after it: the peer may be gone by then.
    while (!link_send_alone(executor, link, lane, 0, &post)) {
        (void)sched_yield();
    }
    trp_count(&executor->counters->frames_sent, 1);
}

static void link_remove_dirty(struct troupe_executor *executor, struct trp_link *link)
{
    struct trp_link **at = &executor->dirty;
    while (link->dirty && *at != link) {
        at = &(*at)->next_dirty;
    }
    if (link->dirty) {
        *at = link->next_dirty;
        link->dirty = false;
    }
}

/** Close the way out. What was sent is with the receiver, or the receiver is no more. */
static void link_close_out(struct troupe_executor *executor, struct trp_link *link)
{
    while (link->kept_first != NULL) {
        struct trp_kept *next = link->kept_first->next;
        link_free_kept(link->kept_first);
        link->kept_first = next;
    }
    link->kept_last = NULL;
    trp_wire_close(&link->command_push);
    trp_wire_close(&link->push);
    executor->finished_count -= link->finished ? 1 : 0;
    link->finished = false;
    link->ledger = NULL;
    link->seat = NULL;
    executor->last_out = executor->last_out == link ? NULL : executor->last_out;
}

void trp_link_finish(struct troupe_executor *executor, struct trp_link *link)
{
    if (!link->out_open || link->is_loop) {
        return;
    }
    do {
        trp_link_flush(executor, link);
    } while (link->frame.used != 0 && sched_yield() == 0);
    link_remove_dirty(executor, link);
    trp_link_return_all(link);
    if (link->command_push != NULL) {
        link_send_fin(executor, link, TRP_LANE_COMMAND);
    }
    link_send_fin(executor, link, TRP_LANE_USER);
    link->out_open = false;
    link->gate = NULL;
    executor->last_out = executor->last_out == link ? NULL : executor->last_out;
    if (link->is_remote) {
        // ZeroMQ would lose what it has not sent: the pipes stay until the peer has met it all.
        link->finished = true;
        executor->finished_count++;
    } else {
        link_close_out(executor, link);
    }
    // Who waits for room there learns by the next send what became of it.
    trp_link_send_rooms(executor, link);
    link_release(executor, link);
}

/** @return whether the receiver has met all of a finished link. */
static bool link_is_closed(const struct trp_link *link)
{
    // The ledger may be another link's by now: then it has another cookie.
    const struct trp_ledger *ledger = link->ledger;
    return atomic_load_explicit(&ledger->state, memory_order_acquire) != TRP_LEDGER_OPEN ||
           ledger->cookie != link->cookie;
}

bool trp_links_reap(struct troupe_executor *executor)
{
    // Reaping may free the link and so change the table: begin again after each.
    bool found = executor->finished_count > 0;
    while (found) {
        found = false;
        for (uint32_t i = 0; i < executor->links.slot_count && !found; i++) {
            struct trp_link *link = executor->links.slots[i].value;
            found = link != NULL && link->finished && link_is_closed(link);
            if (found) {
                link_close_out(executor, link);
                link_release(executor, link);
            }
        }
    }
    return executor->finished_count > 0;
}

void trp_links_await_finished(struct troupe_executor *executor, uint64_t timeout_ns)
{
    for (uint32_t i = 0; i < executor->links.slot_count; i++) {
        const struct trp_link *link = executor->links.slots[i].value;
        if (link != NULL && link->finished) {
            trp_board_await_closed(link->ledger, timeout_ns);
            return;
        }
    }
}

/** Leave word with a peer of this process to which no link can be opened. */
static void link_leave_word(struct troupe_executor *executor, uint32_t peer_id)
{
    (void)pthread_mutex_lock(&executor->system->lock);
    struct troupe_executor *peer = trp_idmap_find(&executor->system->executors, peer_id);
    if (peer != NULL) {
        atomic_store_explicit(&peer->has_word, true, memory_order_release);
        trp_wake(peer->wake_fd);
    }
    (void)pthread_mutex_unlock(&executor->system->lock);
}

void trp_link_say_gone(struct troupe_executor *executor, uint32_t peer_id, bool is_remote)
{
    struct trp_link *link = trp_idmap_find(&executor->links, peer_id);
    if ((link != NULL && link->out_open) ||
        (is_remote && trp_link_open(executor, peer_id, &link) == TROUPE_OK)) {
        (void)trp_link_command(executor, link, TRP_KIND_GONE, NULL, 0);
    } else {
        // A word costs no descriptor, and reaches who takes no new links because it is going itself:
        // in a ring of such nobody would finish first.
        link_leave_word(executor, peer_id);
    }
}

/** Finish the links whose receivers take no more mail. */
static void link_finish_gone(struct troupe_executor *executor)
{
    bool found = true;
    while (found) {
        found = false;
        for (uint32_t i = 0; i < executor->links.slot_count && !found; i++) {
            struct trp_link *link = executor->links.slots[i].value;
            if (link != NULL && link->out_open &&
                atomic_load_explicit(&link->ledger->gone, memory_order_acquire)) {
                found = true;
                trp_link_finish(executor, link); // and the table may be another
            }
        }
    }
}

/** Close the way in: each of its messages has an outcome. */
static void link_close_in(struct troupe_executor *executor, struct trp_link *link)
{
    if (link->wants) {
        trp_link_forget_want(executor, link);
    }
    trp_system_close_ledger(executor->system, link->in_ledger);
    link->in_ledger = NULL;
    link->in_seat = NULL;
    link->in_open = false;
    link_release(executor, link);
}

/* Deaths. --------------------------------------------------------------------------------------- */

static bool link_is_seat_dead(const struct trp_seat *seat, uint32_t id)
{
    return seat != NULL && seat->id == id && trp_seat_state(seat) == TRP_SEAT_DEAD;
}

/** The sender's process died: what it accepted and nobody received from it is dead. */
static void link_meet_dead_sender(struct troupe_executor *executor, struct trp_link *link)
{
    struct trp_ledger *ledger = link->in_ledger;
    trp_links_settle(executor, false);
    uint64_t accepted = trp_counted(&ledger->accepted);
    trp_count(&ledger->dead[TROUPE_DEAD_SENDER_DOWN], accepted - trp_ledger_done(ledger));
    trp_link_reclaim(executor, link);
    // Commands that were counted, and never came, are not waited for.
    uint64_t missing = trp_counted(&ledger->commands) - link->command_count;
    executor->mailbox.command_count += missing;
    link_close_in(executor, link);
}

/** Make dead letters of the messages of a frame that were not done with. */
static void link_bury_frame(
    struct troupe_executor *executor,
    struct trp_link *link,
    const uint8_t *bytes,
    size_t size,
    uint64_t first_sequence,
    uint64_t done)
{
    struct trp_header header;
    struct trp_cursor cursor;
    struct trp_item item;
    if (trp_frame_open(bytes, size, NULL, &header, &cursor) != TRP_FAULT_NONE) {
        return;
    }
    cursor.local = true; // what is given is not looked at
    uint64_t sequence = first_sequence;
    while (!trp_frame_at_end(&cursor) && trp_frame_next(&cursor, &item) == TRP_FAULT_NONE) {
        if (!trp_kind_is_counted(item.kind)) {
            continue;
        }
        const struct trp_dead dead = {
            .ledger = link->ledger,
            .to =
                {
                    link->seat->node,
                    link->peer_id,
                    item.envelope->to_index,
                    item.envelope->to_generation,
                },
            .from = trp_actor_ref(
                executor, item.envelope->from_index, item.envelope->from_generation),
            .type = item.envelope->type,
            .reason = link->seat->failed ? TROUPE_DEAD_REFUSED : TROUPE_DEAD_PEER_DOWN,
            .body_bytes = item.given != NULL ? item.given->bytes : item.body_bytes,
            .ask = item.kind == TRP_KIND_USER ? item.ask : 0,
        };
        for (uint32_t i = 0; i < item.count; i++) {
            if (sequence++ >= done) {
                trp_dead_letter(executor, &dead);
            }
        }
    }
}

/** The receiver's process died: what it had not begun is dead, what it had in hand is unknown. */
static void link_meet_dead_receiver(struct troupe_executor *executor, struct trp_link *link)
{
    struct trp_ledger *ledger = link->ledger;
    uint32_t index = trp_board_ledger_index(executor->system->board, ledger);
    trp_count(&ledger->unknown, trp_seat_holds(link->seat, index, ledger) ? 1 : 0);
    uint64_t done = trp_ledger_done(ledger);
    link->out_open = false; // dead letters that are posted meanwhile find it gone
    link_remove_dirty(executor, link);
    executor->last_out = executor->last_out == link ? NULL : executor->last_out;
    for (struct trp_kept *kept = link->kept_first; kept != NULL; kept = kept->next) {
        size_t size = 0;
        const uint8_t *bytes = trp_parcel_bytes(&kept->frame, &size);
        link_bury_frame(executor, link, bytes, size, kept->first_sequence, done);
    }
    struct trp_outframe *frame = &link->frame;
    if (frame->used != 0) {
        link_write_header(executor, link, TRP_LANE_USER, 0, frame);
        uint64_t first = trp_counted(&ledger->accepted) - frame->count;
        link_bury_frame(executor, link, frame->bytes, frame->used, first, done);
        link_clear_frame(frame);
    }
    while (link->given_count > 0) {
        troupe_body_free(&link->given[--link->given_count]);
    }
    uint64_t rest = trp_counted(&ledger->accepted) - trp_ledger_done(ledger);
    trp_count(&ledger->dead[TROUPE_DEAD_PEER_DOWN], rest);
    link->gate = NULL;
    trp_link_close_ledger(executor, ledger);
    link_close_out(executor, link);
    trp_link_send_rooms(executor, link);
    link_release(executor, link);
}

/** Settle with one peer that died. @return false: there is none. */
static bool link_meet_death(struct troupe_executor *executor)
{
    for (uint32_t i = 0; i < executor->links.slot_count; i++) {
        struct trp_link *link = executor->links.slots[i].value;
        if (link == NULL) {
            continue;
        }
        if ((link->out_open || link->finished) && link_is_seat_dead(link->seat, link->peer_id) &&
            !(link->finished && link_is_closed(link))) {
            link_meet_dead_receiver(executor, link);
            return true;
        }
        if (link->in_open && link_is_seat_dead(link->in_seat, link->peer_id)) {
            link_meet_dead_sender(executor, link);
            return true;
        }
    }
    return false;
}

void trp_links_meet_deaths(struct troupe_executor *executor)
{
    uint32_t deaths =
        atomic_load_explicit(&executor->system->board->deaths, memory_order_acquire);
    if (TRP_LIKELY(deaths == executor->deaths_seen)) {
        return;
    }
    executor->deaths_seen = deaths;
    trp_executor_claim_all(executor);
    while (link_meet_death(executor)) {
    }
}

void trp_links_meet_words(struct troupe_executor *executor)
{
    if (atomic_exchange_explicit(&executor->has_word, false, memory_order_acquire)) {
        link_finish_gone(executor);
    }
    if (atomic_load_explicit(&executor->seat->stop_word, memory_order_relaxed)) {
        executor->ending = true;
    }
    trp_links_meet_deaths(executor);
    (void)trp_links_reap(executor);
}

void trp_link_meet_fin(
    struct troupe_executor *executor, struct trp_link *link, const struct trp_fin *fin)
{
    if (++link->in_fins < fin->lane_count) {
        return;
    }
    trp_links_settle(executor, false);
    if (fin->accepted_count != link->received_count) {
        trp_count(&executor->counters->ledger_gaps, 1);
    }
    link_close_in(executor, link);
}

void trp_links_fini(struct troupe_executor *executor)
{
    for (uint32_t i = 0; i < executor->links.slot_count; i++) {
        struct trp_link *link = executor->links.slots[i].value;
        if (link != NULL) { // both ways are closed, or the peer never met the FIN
            TRP_CHECK(!link->out_open && !link->in_open);
            link_close_out(executor, link);
            link_drop_frame(executor, &link->frame);
            free(link->refused);
            free(link->given);
            free(link);
        }
    }
    if (executor->loop != NULL) {
        link_drop_frame(executor, &executor->loop->frame);
        free(executor->loop->refused);
        free(executor->loop);
    }
    trp_idmap_fini(&executor->links);
}

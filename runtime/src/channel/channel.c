#include "channel/channel.h"

#include "actor/executor.h"
#include "base/clock.h"
#include "base/memory.h"
#include "node/system.h"
#include "wire/endpoint.h"

#include <stdlib.h>
#include <sys/random.h>

/*
 * Opening links, and sending their frames. Credit is in credit.c, what is kept of frames in kept.c, the end of
 * links in link_end.c.
 *
 *     trp_link_open     a ledger on the board, and a PUSH connected to the peer
 *     ... frames ...
 *
 * So whoever is attached keeps the peer, its mailbox and its gate alive, and nobody else needs to.
 */

enum {
    SMALL_FRAME_BYTES = 512, // what a link keeps for its open frame while little is sent
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

void trp_link_drop_frame(struct troupe_executor *executor, struct trp_outframe *frame)
{
    if (frame->capacity > SMALL_FRAME_BYTES) {
        trp_frame_give_back(frame->bytes, executor->frames.pool);
    } else {
        free(frame->bytes);
    }
    frame->bytes = NULL;
    frame->capacity = 0;
}

void trp_link_release(struct troupe_executor *executor, struct trp_link *link)
{
    if (link->out_open || link->in_open || link->finished) {
        return;
    }
    TRP_DCHECK(!link->dirty && !link->owes && !link->wants);
    trp_idmap_remove(&executor->links, link->peer_id);
    trp_executor_unaim(executor, link);
    executor->last_in = executor->last_in == link ? NULL : executor->last_in;
    trp_link_drop_frame(executor, &link->frame);
    trp_refusals_fini(&link->refusals);
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
    link->frame_bytes_max = TRP_FRAME_BYTES_MAX_LOCAL;
    link->frame_messages_max = UINT32_MAX;
    link->pass_messages = INT64_MAX;
    link->out_open = true;
    link->in_open = true;
    link->was_granted = true;
    link->ledger = ledger;
    link->in_ledger = ledger;
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
    enum troupe_err err =
        trp_board_open_ledger(board, executor->seat, link->peer_id, &link->ledger, &link->seat);
    if (err == TROUPE_ERR_LIMIT) {
        return TRP_EXPLAIN(
            err, "all %d links of a system are taken; end some executors", TRP_BOARD_LEDGERS);
    }
    if (err != TROUPE_OK) {
        return err;
    }
    link->gate = &link->seat->gate;
    link->is_remote = link->ledger->is_remote;
    link->frame_bytes_max = link->is_remote ? TRP_FRAME_BYTES_MAX : TRP_FRAME_BYTES_MAX_LOCAL;
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
        trp_link_release(executor, link);
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
    trp_link_release(executor, link);
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
        uint64_t since_ns = 0;
        while ((link = link_new(executor, peer_id)) == NULL) {
            trp_memory_wait(&since_ns); // its frame has come
        }
        ledger = trp_board_claim_ledger(board, executor->seat, peer_id, &seat);
        if (ledger == NULL || seat == NULL) {
            trp_link_release(executor, link); // a stranger, who leaves nothing behind
            return NULL;
        }
        link->in_ledger = ledger;
        link->in_seat = seat;
        link->in_node = seat->node;
        link->in_cookie = ledger->cookie;
        link->in_is_remote = ledger->is_remote;
        link->in_open = true;
        link->in_fins = 0;
        link->command_count = 0;
        link->received_count = 0;
    }
    executor->last_in = link;
    return link;
}

void trp_link_write_header(
    const struct troupe_executor *executor,
    const struct trp_link *link,
    enum trp_lane lane,
    uint32_t marks,
    struct trp_outframe *frame)
{
    uint32_t count = trp_outframe_counted(frame);
    struct trp_header header = {
        .version = TRP_FRAME_VERSION,
        .lane = (uint8_t)lane,
        .marks = (uint16_t)marks,
        .count = count,
        .cookie = link->cookie,
        .first_sequence =
            trp_counted(&link->ledger->accepted) - (lane == TRP_LANE_USER ? count : 0),
        .acknowledged = link->in_open ? trp_ledger_done(link->in_ledger) : 0,
        .node = executor->node,
        .executor = executor->id,
    };
    memcpy(frame->bytes, &header, sizeof(header));
}

/** Send the bytes of an open frame: a copy, or for a large one themselves. @return false: no memory. */
static bool link_send_frame(
    struct troupe_executor *executor, struct trp_outframe *frame, void *socket)
{
    if (frame->used <= TRP_COPIED_BYTES_MAX) {
        return trp_wire_send(socket, frame->bytes, frame->used);
    }
    TRP_DCHECK(frame->capacity > SMALL_FRAME_BYTES);
    if (!trp_wire_give(
            socket, frame->bytes, frame->used, trp_frame_give_back, executor->frames.pool)) {
        return false;
    }
    frame->bytes = NULL;
    frame->capacity = 0;
    return true;
}

void trp_link_flush_frame(struct troupe_executor *executor, struct trp_link *link)
{
    struct trp_outframe *frame = &link->frame;
    if (TRP_LIKELY(link->is_loop)) {
        if (!link_send_frame(executor, frame, executor->mailbox.loop_in)) {
            trp_memory_lack(&executor->lack);
            return;
        }
        trp_mailbox_loop_sent(&executor->mailbox);
    } else {
        trp_link_write_header(
            executor, link, TRP_LANE_USER, link->is_remote ? 0 : TRP_MARK_RUNG, frame);
        if (link->is_remote) {
            if (!trp_link_send_kept(executor, link)) {
                trp_memory_lack(&executor->lack);
                return;
            }
        } else {
            if (!link_send_frame(executor, frame, link->push)) {
                trp_memory_lack(&executor->lack);
                return;
            }
            trp_gate_ring(link->gate, TRP_MARK_RUNG);
        }
    }
    trp_count(&executor->counters->frames_sent, 1);
    trp_link_clear_frame(frame);
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
        capacity > SMALL_FRAME_BYTES ? trp_frame_take(&executor->frames) : malloc(capacity);
    if (bytes == NULL) {
        return false;
    }
    if (frame->used != 0) {
        memcpy(bytes, frame->bytes, frame->used);
    }
    trp_link_drop_frame(executor, frame);
    frame->bytes = bytes;
    frame->capacity = capacity;
    return true;
}

bool trp_link_make_room(struct troupe_executor *executor, struct trp_link *link, uint32_t need)
{
    struct trp_outframe *frame = &link->frame;
    uint32_t used = frame->used == 0 ? frame->base : frame->used;
    if (used + need > link->frame_bytes_max) {
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
    return link_grow_frame(executor, frame, small ? SMALL_FRAME_BYTES : link->frame_bytes_max);
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
    trp_link_write_header(executor, link, lane, marks, &frame);
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
        if ((marks & TRP_MARK_COUNTED) != 0) {
            trp_count(&link->ledger->commands, UINT64_MAX); // one less: it is not on its way
        }
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
    struct troupe_executor *executor,
    struct trp_link *link,
    troupe_ref_t actor,
    enum troupe_exit_reason reason)
{
    const struct trp_post post = {
        .type = reason,
        .to_index = actor.index,
        .to_generation = actor.generation,
        .tag = trp_tag(TRP_KIND_STOP, 0, 0),
    };
    return link_send_command(executor, link, &post);
}

void trp_link_send_fin(struct troupe_executor *executor, struct trp_link *link, enum trp_lane lane)
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
    uint64_t since_ns = 0;
    while (!link_send_alone(executor, link, lane, 0, &post)) {
        trp_memory_wait(&since_ns);
    }
    trp_count(&executor->counters->frames_sent, 1);
}

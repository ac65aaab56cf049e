#include "channel/channel.h"

#include "actor/executor.h"
#include "base/clock.h"
#include "base/descriptors.h"
#include "base/memory.h"
#include "node/system.h"
#include "wire/endpoint.h"

#include <stdlib.h>
#include <sys/random.h>

/*
 * Opening channels, and sending their frames. Credit is in credit.c, what is kept of frames in kept.c, the end of
 * channels in channel_end.c.
 *
 *     trp_channel_open     a ledger in shared memory, and a PUSH connected to the peer
 *     ... frames ...
 *
 * So whoever is attached keeps the peer, its mailbox and its doorbell alive, and nobody else needs to.
 */

enum {
    SMALL_FRAME_BYTES = 512, // what a channel keeps for its open frame while little is sent
    OLD_NS = 100000,
};

static struct trp_channel *channel_new(struct troupe_executor *executor, uint32_t peer_id)
{
    struct trp_channel *channel = trp_idmap_find(&executor->channels, peer_id);
    if (channel != NULL) {
        return channel;
    }
    channel = calloc(1, sizeof(*channel));
    if (channel == NULL || !trp_idmap_put(&executor->channels, peer_id, channel)) {
        free(channel);
        return NULL;
    }
    channel->peer_id = peer_id;
    channel->frame.last = TRP_LAST_NONE;
    channel->frame.base = sizeof(struct trp_header);
    return channel;
}

void trp_channel_drop_frame(struct troupe_executor *executor, struct trp_outframe *frame)
{
    if (frame->capacity > SMALL_FRAME_BYTES) {
        trp_frame_give_back(frame->bytes, executor->frames.pool);
    } else {
        free(frame->bytes);
    }
    frame->bytes = NULL;
    frame->capacity = 0;
}

void trp_channel_release(struct troupe_executor *executor, struct trp_channel *channel)
{
    if (channel->out_open || channel->in_open || channel->finished) {
        return;
    }
    TRP_DCHECK(!channel->dirty && !channel->owes && !channel->has_request);
    trp_idmap_remove(&executor->channels, channel->peer_id);
    trp_executor_clear_last_channel(executor, channel);
    executor->last_in = executor->last_in == channel ? NULL : executor->last_in;
    trp_channel_drop_frame(executor, &channel->frame);
    trp_blocked_fini(&channel->blocked);
    free(channel->given);
    free(channel);
}

struct trp_channel *trp_channel_to(const struct troupe_executor *executor, uint32_t id)
{
    return id == executor->id && !trp_executor_uses_remote_loop(executor)
               ? executor->loop
               : trp_idmap_find(&executor->channels, id);
}

bool trp_channel_open_loop(struct troupe_executor *executor)
{
    struct trp_shared *shared = executor->system->shared;
    struct trp_channel *channel = calloc(1, sizeof(*channel));
    struct trp_ledger *ledger =
        channel == NULL ? NULL : trp_ledger_open_loop(shared, executor->slot);
    if (ledger == NULL) {
        free(channel);
        return false;
    }
    channel->peer_id = executor->id;
    channel->peer_node = executor->node;
    channel->is_loop = true;
    channel->frame_bytes_max = TRP_FRAME_BYTES_MAX_LOCAL;
    channel->frame_messages_max = UINT32_MAX;
    channel->loop_allowance = INT64_MAX;
    channel->out_open = true;
    channel->in_open = true;
    channel->was_granted = true;
    channel->ledger = ledger;
    channel->in_ledger = ledger;
    channel->slot = executor->slot;
    channel->in_slot = executor->slot;
    channel->frame.last = TRP_LAST_NONE;
    executor->loop = channel;
    return true;
}

/** Connect one of the two pipes to the peer. */
static enum troupe_err channel_connect(
    struct troupe_executor *executor, struct trp_channel *channel, void **out_push)
{
    char endpoint[TRP_ENDPOINT_BYTES];
    if (channel->is_remote) {
        trp_endpoint_print(executor->system->shared->run_dir, channel->slot, endpoint);
    } else {
        trp_zmq_inproc(channel->peer_id, endpoint);
    }
    return trp_zmq_push_new(executor->system->context, endpoint, out_push);
}

/** Open the way out of a fresh channel. */
static enum troupe_err channel_open_out(
    struct troupe_executor *executor, struct trp_channel *channel)
{
    struct trp_shared *shared = executor->system->shared;
    enum troupe_err err =
        trp_ledger_open(shared, executor->slot, channel->peer_id, &channel->ledger, &channel->slot);
    if (err == TROUPE_ERR_LIMIT) {
        return TRP_EXPLAIN(
            err, "all %d links of a system are taken; end some executors", TRP_SHARED_LEDGERS);
    }
    if (err != TROUPE_OK) {
        return err;
    }
    channel->is_remote = channel->ledger->is_remote;
    channel->frame_bytes_max = channel->is_remote ? TRP_FRAME_BYTES_MAX : TRP_FRAME_BYTES_MAX_LOCAL;
    channel->frame_messages_max =
        channel->is_remote ? TRP_FRAME_MESSAGES_MAX_REMOTE : TRP_FRAME_MESSAGES_MAX;
    channel->cookie = channel->ledger->cookie;
    channel->peer_node = channel->slot->node;
    err = channel_connect(executor, channel, &channel->push);
    if (err != TROUPE_OK) {
        trp_channel_close_ledger(executor, channel->ledger);
        return err;
    }
    channel->out_open = true;
    return TROUPE_OK;
}

enum troupe_err trp_channel_open(
    struct troupe_executor *executor, uint32_t peer_id, struct trp_channel **out_channel)
{
    struct trp_channel *channel = trp_idmap_find(&executor->channels, peer_id);
    if (channel != NULL && channel->out_open) {
        *out_channel = channel;
        return TROUPE_OK;
    }
    if (executor->closed_out) {
        return TROUPE_ERR_NOENT;
    }
    // What is kept free is for those who leave, and have to say so.
    if (!executor->ending && !trp_descriptors_are_free(0)) {
        return TRP_EXPLAIN(
            TROUPE_ERR_LIMIT,
            "fewer than %d descriptors are free: no first message from executor %u to executor %u; "
            "end some executors, or raise the limit of open files",
            TRP_DESCRIPTORS_FREE_MIN,
            executor->id,
            peer_id);
    }
    channel = channel_new(executor, peer_id);
    if (channel == NULL) {
        return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for a link");
    }
    enum troupe_err err = channel_open_out(executor, channel);
    if (err != TROUPE_OK) {
        trp_channel_release(executor, channel);
        return err;
    }
    *out_channel = channel;
    return TROUPE_OK;
}

void trp_channel_abandon(struct troupe_executor *executor, struct trp_channel *channel)
{
    trp_zmq_close(&channel->push);
    trp_channel_close_ledger(executor, channel->ledger);
    channel->out_open = false;
    trp_channel_release(executor, channel);
}

void trp_channel_close_ledger(struct troupe_executor *executor, struct trp_ledger *ledger)
{
    uint32_t to = ledger->to;
    trp_records_close_ledger(
        executor->system->shared, trp_system_records(executor->system), ledger);
    trp_system_wake_executor(executor->system, to); // it may be waiting for its last peer
}

struct trp_channel *trp_channel_accept(struct troupe_executor *executor, uint32_t peer_id)
{
    struct trp_channel *channel = executor->last_in;
    if (TRP_LIKELY(channel != NULL && channel->peer_id == peer_id && channel->in_open)) {
        return channel;
    }
    channel = trp_idmap_find(&executor->channels, peer_id);
    if (channel == NULL || !channel->in_open) {
        struct trp_shared *shared = executor->system->shared;
        struct trp_ledger *ledger = NULL;
        struct trp_slot *slot = NULL;
        uint64_t since_ns = 0;
        while ((channel = channel_new(executor, peer_id)) == NULL) {
            trp_memory_wait(&since_ns); // its frame has come
        }
        ledger = trp_ledger_claim(shared, executor->slot, peer_id, &slot);
        if (ledger == NULL || slot == NULL) {
            trp_channel_release(executor, channel); // a stranger, who leaves nothing behind
            return NULL;
        }
        channel->in_ledger = ledger;
        channel->in_slot = slot;
        channel->in_node = slot->node;
        channel->in_cookie = ledger->cookie;
        channel->in_is_remote = ledger->is_remote;
        channel->in_open = true;
        channel->in_fins = 0;
        channel->command_count = 0;
        channel->received_count = 0;
    }
    executor->last_in = channel;
    return channel;
}

void trp_channel_write_header(
    const struct troupe_executor *executor,
    const struct trp_channel *channel,
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
        .cookie = channel->cookie,
        .first_sequence =
            trp_counted(&channel->ledger->accepted) - (lane == TRP_LANE_USER ? count : 0),
        .acknowledged = channel->in_open ? trp_ledger_done(channel->in_ledger) : 0,
        .node = executor->node,
        .executor = executor->id,
    };
    memcpy(frame->bytes, &header, sizeof(header));
}

/** Send the bytes of an open frame: a copy, or for a large one themselves. @return false: no memory. */
static bool channel_send_frame(
    struct troupe_executor *executor, struct trp_outframe *frame, void *socket)
{
    if (frame->used <= TRP_COPIED_BYTES_MAX) {
        return trp_zmq_send(socket, frame->bytes, frame->used);
    }
    TRP_DCHECK(frame->capacity > SMALL_FRAME_BYTES);
    if (!trp_zmq_give(
            socket, frame->bytes, frame->used, trp_frame_give_back, executor->frames.pool)) {
        return false;
    }
    frame->bytes = NULL;
    frame->capacity = 0;
    return true;
}

void trp_channel_flush_frame(struct troupe_executor *executor, struct trp_channel *channel)
{
    struct trp_outframe *frame = &channel->frame;
    if (TRP_LIKELY(channel->is_loop)) {
        if (!channel_send_frame(executor, frame, executor->mailbox.loop_in)) {
            trp_memory_shortage_note(&executor->shortage);
            return;
        }
        trp_mailbox_loop_sent(&executor->mailbox);
    } else {
        trp_channel_write_header(
            executor, channel, TRP_LANE_USER, channel->is_remote ? 0 : TRP_MARK_RUNG, frame);
        if (channel->is_remote) {
            if (!trp_channel_send_retained(executor, channel)) {
                trp_memory_shortage_note(&executor->shortage);
                return;
            }
        } else {
            if (!channel_send_frame(executor, frame, channel->push)) {
                trp_memory_shortage_note(&executor->shortage);
                return;
            }
            trp_doorbell_ring(&channel->slot->doorbell, TRP_MARK_RUNG);
        }
    }
    trp_count(&executor->counters->frames_sent, 1);
    trp_channel_clear_frame(frame);
}

void trp_channels_flush(struct troupe_executor *executor)
{
    struct trp_channel *channel = executor->dirty;
    executor->dirty = NULL;
    while (channel != NULL) {
        struct trp_channel *next = channel->next_dirty;
        channel->dirty = false;
        trp_channel_flush(executor, channel);
        if (channel->frame.used != 0) { // no memory: next turn again
            channel->dirty = true;
            channel->next_dirty = executor->dirty;
            executor->dirty = channel;
        }
        channel = next;
    }
}

void trp_channels_flush_old(struct troupe_executor *executor)
{
    uint64_t now = trp_cycles();
    uint64_t old = trp_cycles_of_ns(OLD_NS);
    for (struct trp_channel *channel = executor->dirty; channel != NULL;
         channel = channel->next_dirty) {
        if (channel->frame.used != 0 && now - channel->frame_cycles > old) {
            trp_channel_flush(executor, channel);
        }
    }
}

/** Give the open frame the memory of a larger one. @return false: no memory. */
static bool channel_grow_frame(
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
    trp_channel_drop_frame(executor, frame);
    frame->bytes = bytes;
    frame->capacity = capacity;
    return true;
}

bool trp_channel_make_room(
    struct troupe_executor *executor, struct trp_channel *channel, uint32_t need)
{
    struct trp_outframe *frame = &channel->frame;
    uint32_t used = frame->used == 0 ? frame->base : frame->used;
    if (used + need > channel->frame_bytes_max) {
        trp_channel_flush(executor, channel);
        if (frame->used != 0) {
            return false;
        }
        used = frame->base;
    }
    if (used + need <= frame->capacity) {
        return true;
    }
    bool small = used + need <= SMALL_FRAME_BYTES;
    return channel_grow_frame(
        executor, frame, small ? SMALL_FRAME_BYTES : channel->frame_bytes_max);
}

/** Send one envelope as a frame of its own. */
static bool channel_send_alone(
    const struct troupe_executor *executor,
    struct trp_channel *channel,
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
    trp_channel_write_header(executor, channel, lane, marks, &frame);
    void *socket = lane == TRP_LANE_USER ? channel->push : channel->command_push;
    return trp_zmq_send(socket, frame.bytes, frame.used);
}

/** Choose the lane of a command, and open the second one when it is needed first. */
static enum trp_lane channel_command_lane(
    struct troupe_executor *executor, struct trp_channel *channel, enum trp_kind kind)
{
    // A farewell comes after the mail. Without a descriptor for a second pipe everything does.
    if (kind == TRP_KIND_CLOSE_REQUEST) {
        return TRP_LANE_USER;
    }
    if (channel->command_push == NULL &&
        (!trp_descriptors_are_free(0) ||
         channel_connect(executor, channel, &channel->command_push) != TROUPE_OK)) {
        return TRP_LANE_USER;
    }
    return TRP_LANE_COMMAND;
}

/**
 * Which bells a command rings. By ipc and tcp only those are counted whose order matters to who sends
 * them: the receiver waits for what is counted, and that takes a while there.
 */
static uint32_t channel_command_marks(
    const struct trp_channel *channel, enum trp_lane lane, enum trp_kind kind)
{
    if (!channel->is_remote) {
        return lane == TRP_LANE_COMMAND ? TRP_MARK_RUNG | TRP_MARK_COUNTED : TRP_MARK_RUNG;
    }
    bool matters = kind == TRP_KIND_STOP || kind == TRP_KIND_STOP_EXECUTOR;
    return lane == TRP_LANE_COMMAND && matters ? TRP_MARK_COUNTED : 0;
}

/** Send a command at once, on the lane for it. */
static enum troupe_err channel_send_command(
    struct troupe_executor *executor, struct trp_channel *channel, const struct trp_post *post)
{
    TRP_DCHECK(!channel->is_loop);
    enum trp_lane lane = channel_command_lane(executor, channel, trp_tag_kind(post->tag));
    if (lane == TRP_LANE_USER) {
        trp_channel_flush(executor, channel);
    }
    uint32_t marks = channel_command_marks(channel, lane, trp_tag_kind(post->tag));
    if ((marks & TRP_MARK_COUNTED) != 0) {
        trp_count(&channel->ledger->commands, 1);
    }
    if (!channel_send_alone(executor, channel, lane, marks, post)) {
        if ((marks & TRP_MARK_COUNTED) != 0) {
            trp_count(&channel->ledger->commands, UINT64_MAX); // one less: it is not on its way
        }
        return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for a command");
    }
    trp_doorbell_ring(&channel->slot->doorbell, marks);
    trp_count(&executor->counters->frames_sent, 1);
    return TROUPE_OK;
}

enum troupe_err trp_channel_command(
    struct troupe_executor *executor,
    struct trp_channel *channel,
    enum trp_kind kind,
    const void *body,
    uint32_t body_bytes)
{
    const struct trp_post post = {
        .tag = trp_tag(kind, 0, body_bytes),
        .body = body,
    };
    return channel_send_command(executor, channel, &post);
}

enum troupe_err trp_channel_stop_actor(
    struct troupe_executor *executor,
    struct trp_channel *channel,
    troupe_ref_t actor,
    enum troupe_exit_reason reason)
{
    const struct trp_post post = {
        .type = reason,
        .to_index = actor.index,
        .to_generation = actor.generation,
        .tag = trp_tag(TRP_KIND_STOP, 0, 0),
    };
    return channel_send_command(executor, channel, &post);
}

void trp_channel_send_fin(
    struct troupe_executor *executor, struct trp_channel *channel, enum trp_lane lane)
{
    const struct trp_fin fin = {
        .accepted_count = trp_counted(&channel->ledger->accepted),
        .lane_count = channel->command_push != NULL ? 2 : 1,
    };
    const struct trp_post post = {
        .tag = trp_tag(TRP_KIND_FIN, 0, sizeof(fin)),
        .body = &fin,
    };
    // Not without it: the peer waits for the FIN. No ring after it: the peer may be gone by then.
    uint64_t since_ns = 0;
    while (!channel_send_alone(executor, channel, lane, 0, &post)) {
        trp_memory_wait(&since_ns);
    }
    trp_count(&executor->counters->frames_sent, 1);
}

#include "link.h"

#include "clock.h"
#include "executor.h"
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

static uint64_t link_cookie(void)
{
    uint64_t cookie = 0;
    // Cannot fail for so few bytes once the system has booted; a cookie of zeros still counts.
    (void)!getrandom(&cookie, sizeof(cookie), 0);
    return cookie;
}

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
    if (link->out_open || link->in_open) {
        return;
    }
    TRP_DCHECK(!link->dirty && !link->owes && !link->wants);
    trp_idmap_remove(&executor->links, link->peer_id);
    executor->last_out = executor->last_out == link ? NULL : executor->last_out;
    executor->last_in = executor->last_in == link ? NULL : executor->last_in;
    link_drop_frame(executor, &link->frame);
    free(link->refused);
    free(link);
}

bool trp_link_open_loop(struct troupe_executor *executor)
{
    struct trp_link *link = link_new(executor, executor->id);
    if (link == NULL) {
        return false;
    }
    link->tally = calloc(1, sizeof(*link->tally));
    if (link->tally == NULL) {
        return false;
    }
    link->is_loop = true;
    link->out_open = true;
    link->was_granted = true;
    link->in_tally = link->tally;
    link->gate = executor->gate;
    link->frame.base = 0;
    executor->loop = link;
    return true;
}

/** Say to the peer that we send to it from now on. */
static enum troupe_err link_attach(
    struct troupe_executor *executor, struct trp_link *link, const struct trp_attach *attach)
{
    troupe_system_t *system = executor->system;
    enum troupe_err err = TROUPE_ERR_NOENT;
    (void)pthread_mutex_lock(&system->lock);
    struct troupe_executor *peer = trp_idmap_find(&system->executors, link->peer_id);
    if (peer != NULL && !peer->closing) {
        err = TROUPE_OK;
        if (peer->attached_count == peer->attached_capacity) {
            uint32_t capacity = peer->attached_capacity * 2 + 4;
            struct trp_attach *grown = realloc(peer->attached, capacity * sizeof(*peer->attached));
            if (grown == NULL) {
                err = TROUPE_ERR_NOMEM;
            } else {
                peer->attached = grown;
                peer->attached_capacity = capacity;
            }
        }
        if (err == TROUPE_OK) {
            peer->attached[peer->attached_count++] = *attach;
            peer->in_open_count++;
            link->gate = peer->gate;
        }
    }
    (void)pthread_mutex_unlock(&system->lock);
    return err;
}

/** Take the note that @p peer_id attached to @p executor. @return false: there is none. */
static bool link_take_attach(
    struct troupe_executor *executor, uint32_t peer_id, struct trp_attach *out_attach)
{
    bool found = false;
    (void)pthread_mutex_lock(&executor->system->lock);
    for (uint32_t i = 0; i < executor->attached_count && !found; i++) {
        if (executor->attached[i].peer_id == peer_id) {
            found = true;
            *out_attach = executor->attached[i];
            executor->attached[i] = executor->attached[--executor->attached_count];
        }
    }
    (void)pthread_mutex_unlock(&executor->system->lock);
    return found;
}

/** Undo link_attach(), before anything was sent. */
static void link_detach(struct troupe_executor *executor, uint32_t peer_id)
{
    troupe_system_t *system = executor->system;
    (void)pthread_mutex_lock(&system->lock);
    struct troupe_executor *peer = trp_idmap_find(&system->executors, peer_id);
    for (uint32_t i = 0; peer != NULL && i < peer->attached_count; i++) {
        if (peer->attached[i].peer_id == executor->id) {
            peer->attached[i] = peer->attached[--peer->attached_count];
            peer->in_open_count--;
        }
    }
    if (peer != NULL) {
        trp_wake(peer->wake_fd); // it may be waiting for its last peer
    }
    (void)pthread_mutex_unlock(&system->lock);
}

/** Open the way out of a fresh link. */
static enum troupe_err link_open_out(struct troupe_executor *executor, struct trp_link *link)
{
    struct trp_tally *tally = calloc(1, sizeof(*tally));
    if (tally == NULL) {
        return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for a link");
    }
    struct trp_attach attach = {
        .peer_id = executor->id,
        .cookie = link_cookie(),
        .tally = tally,
    };
    enum troupe_err err = link_attach(executor, link, &attach);
    if (err == TROUPE_OK) {
        err = trp_wire_push_new(executor->system->context, link->peer_id, &link->push);
        if (err != TROUPE_OK) {
            link_detach(executor, link->peer_id);
        }
    }
    if (err != TROUPE_OK) {
        free(tally);
        return err == TROUPE_ERR_NOMEM ? TRP_EXPLAIN(err, "no memory for a link") : err;
    }
    link->out_cookie = attach.cookie;
    link->tally = tally;
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
    link_detach(executor, link->peer_id);
    free(link->tally);
    link->tally = NULL;
    link->gate = NULL;
    link->out_open = false;
    link_release(executor, link);
}

struct trp_link *trp_link_accept(struct troupe_executor *executor, uint32_t peer_id)
{
    struct trp_link *link = executor->last_in;
    if (TRP_LIKELY(link != NULL && link->peer_id == peer_id && link->in_open)) {
        return link;
    }
    link = trp_idmap_find(&executor->links, peer_id);
    if (link == NULL || !link->in_open) {
        struct trp_attach attach;
        link = link_new(executor, peer_id);
        if (link == NULL) {
            return NULL;
        }
        if (!link_take_attach(executor, peer_id, &attach)) {
            link_release(executor, link); // a stranger, who leaves nothing behind
            return NULL;
        }
        link->in_cookie = attach.cookie;
        link->in_tally = attach.tally;
        link->in_open = true;
    }
    executor->last_in = link;
    return link;
}

static void link_write_header(
    const struct troupe_executor *executor,
    const struct trp_link *link,
    enum trp_lane lane,
    struct trp_outframe *frame)
{
    struct trp_header header = {
        .version = TRP_FRAME_VERSION,
        .lane = (uint8_t)lane,
        .count = frame->count,
        .cookie = link->out_cookie,
        .first_sequence = link->accepted_count - (lane == TRP_LANE_USER ? frame->count : 0),
        .acknowledged = link->handled_count + link->dead_count,
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

void trp_link_flush_frame(struct troupe_executor *executor, struct trp_link *link)
{
    struct trp_outframe *frame = &link->frame;
    if (TRP_LIKELY(link->is_loop)) {
        if (!link_send_frame(executor, frame, executor->mailbox.loop_in)) {
            return;
        }
        trp_mailbox_loop_sent(&executor->mailbox);
    } else {
        link_write_header(executor, link, TRP_LANE_USER, frame);
        if (!link_send_frame(executor, frame, link->push)) {
            return;
        }
        trp_gate_ring(link->gate, TRP_LANE_USER);
    }
    trp_count(&executor->counters.frames_sent, 1);
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
    link_write_header(executor, link, lane, &frame);
    void *socket = lane == TRP_LANE_USER ? link->push : link->command_push;
    return trp_wire_send(socket, frame.bytes, frame.used);
}

/** Choose the lane of a command, and open the second one when it is needed first. */
static enum trp_lane link_command_lane(
    const struct troupe_executor *executor, struct trp_link *link, enum trp_kind kind)
{
    // A farewell comes after the mail. Without a descriptor for a second pipe everything does.
    if (kind == TRP_KIND_GONE) {
        return TRP_LANE_USER;
    }
    if (link->command_push == NULL &&
        (!trp_system_has_descriptors(0) ||
         trp_wire_push_new(executor->system->context, link->peer_id, &link->command_push) !=
             TROUPE_OK)) {
        return TRP_LANE_USER;
    }
    return TRP_LANE_COMMAND;
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
    if (!link_send_alone(executor, link, lane, post)) {
        return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for a command");
    }
    trp_gate_ring(link->gate, lane);
    trp_count(&executor->counters.frames_sent, 1);
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
        .accepted_count = link->accepted_count,
        .lane_count = link->command_push != NULL ? 2 : 1,
    };
    const struct trp_post post = {
        .tag = trp_tag(TRP_KIND_FIN, 0, sizeof(fin)),
        .body = &fin,
    };
    // Not without it: the peer waits for the FIN. No ring after it: the peer may be gone by then.
    while (!link_send_alone(executor, link, lane, &post)) {
        (void)sched_yield();
    }
    trp_count(&executor->counters.frames_sent, 1);
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

void trp_link_finish(struct troupe_executor *executor, struct trp_link *link)
{
    if (!link->out_open || link->is_loop) {
        return;
    }
    do {
        trp_link_flush(executor, link);
    } while (link->frame.used != 0 && sched_yield() == 0);
    link_remove_dirty(executor, link);
    trp_gate_give(
        link->gate,
        link->credit_messages + link->parked_messages,
        link->credit_bytes + link->parked_bytes);
    if (link->command_push != NULL) {
        link_send_fin(executor, link, TRP_LANE_COMMAND);
    }
    link_send_fin(executor, link, TRP_LANE_USER);
    trp_wire_close(&link->command_push);
    trp_wire_close(&link->push);
    link->out_open = false;
    link->gate = NULL;
    link->tally = NULL;
    executor->last_out = executor->last_out == link ? NULL : executor->last_out;
    // Who waits for room there learns by the next send what became of it.
    trp_link_send_rooms(executor, link);
    link_release(executor, link);
}

/** Note with a peer that its link to here is to be finished. @threads holding the system's lock */
static void link_note_farewell(struct troupe_executor *peer, uint32_t id)
{
    uint32_t count = atomic_load_explicit(&peer->farewell_count, memory_order_relaxed);
    if (count == peer->farewell_capacity) {
        uint32_t capacity = count * 2 + 4;
        uint32_t *grown = realloc(peer->farewells, capacity * sizeof(*grown));
        if (grown == NULL) {
            return; // then it finishes that link at its own end
        }
        peer->farewells = grown;
        peer->farewell_capacity = capacity;
    }
    peer->farewells[count] = id;
    atomic_store_explicit(&peer->farewell_count, count + 1, memory_order_release);
}

/** Leave word with a peer to which no link can be opened. */
static void link_leave_word(struct troupe_executor *executor, uint32_t peer_id)
{
    (void)pthread_mutex_lock(&executor->system->lock);
    struct troupe_executor *peer = trp_idmap_find(&executor->system->executors, peer_id);
    if (peer != NULL) {
        link_note_farewell(peer, executor->id);
        trp_wake(peer->wake_fd);
    }
    (void)pthread_mutex_unlock(&executor->system->lock);
}

void trp_link_say_gone(struct troupe_executor *executor, uint32_t peer_id)
{
    struct trp_link *link = trp_idmap_find(&executor->links, peer_id);
    if (link != NULL && link->out_open) {
        (void)trp_link_command(executor, link, TRP_KIND_GONE, NULL, 0);
    } else {
        // A word costs no descriptor, and reaches who takes no new links because it is going itself:
        // in a ring of such nobody would finish first.
        link_leave_word(executor, peer_id);
    }
}

/** @return a peer that left word, taken off the list; false: none did. */
static bool link_take_word(struct troupe_executor *executor, uint32_t *out_peer_id)
{
    if (atomic_load_explicit(&executor->farewell_count, memory_order_acquire) == 0) {
        return false;
    }
    (void)pthread_mutex_lock(&executor->system->lock);
    uint32_t count = atomic_load_explicit(&executor->farewell_count, memory_order_relaxed) - 1;
    *out_peer_id = executor->farewells[count];
    atomic_store_explicit(&executor->farewell_count, count, memory_order_relaxed);
    (void)pthread_mutex_unlock(&executor->system->lock);
    return true;
}

void trp_links_meet_words(struct troupe_executor *executor)
{
    uint32_t peer_id = 0;
    while (link_take_word(executor, &peer_id)) {
        struct trp_link *link = trp_idmap_find(&executor->links, peer_id);
        if (link != NULL) {
            trp_link_finish(executor, link);
        }
    }
    if (atomic_load_explicit(&executor->stop_word, memory_order_relaxed)) {
        executor->ending = true;
    }
}

void trp_link_meet_fin(
    struct troupe_executor *executor,
    struct trp_link *link,
    enum trp_lane lane,
    const struct trp_fin *fin)
{
    trp_mailbox_uncount(&executor->mailbox, lane);
    if (++link->in_fins < fin->lane_count) {
        return;
    }
    trp_links_settle(executor, false);
    if (link->wants) {
        trp_link_forget_want(executor, link);
    }
    if (fin->accepted_count != link->received_count) {
        trp_count(&executor->counters.ledger_gaps, 1);
    }
    trp_count(&executor->counters.mail_accepted, fin->accepted_count);
    trp_system_record_link(executor->system, executor, link, fin->accepted_count);
    free(link->in_tally);
    link->in_tally = NULL;
    link->in_open = false;
    (void)pthread_mutex_lock(&executor->system->lock);
    executor->in_open_count--;
    (void)pthread_mutex_unlock(&executor->system->lock);
    link_release(executor, link);
}

void trp_links_fini(struct troupe_executor *executor)
{
    for (uint32_t i = 0; i < executor->links.slot_count; i++) {
        struct trp_link *link = executor->links.slots[i].value;
        if (link == NULL) {
            continue;
        }
        TRP_CHECK(link->is_loop || (!link->out_open && !link->in_open));
        free(link->is_loop ? link->tally : NULL);
        link_drop_frame(executor, &link->frame);
        free(link->refused);
        free(link);
    }
    trp_idmap_fini(&executor->links);
}

#include "actor/monitor.h"

#include "actor/deadlock.h"
#include "base/memory.h"
#include "channel/channel.h"
#include "node/system.h"

#include <stdio.h>
#include <string.h>

/** What a signal says; its type in the envelope. */
enum ends_signal {
    ENDS_WATCH = 1,
    ENDS_UNWATCH = 2,
    ENDS_LINK = 3,
    ENDS_UNLINK = 4,
    ENDS_END = 5,
    ENDS_PROBE = TRP_SIGNAL_PROBE, // no end, but it goes the same way; see waits.c
};

/** Body of an END; of the others the first word. */
struct ends_body {
    uint64_t number; // of the watch, at who holds it; 0: a link
    troupe_ref_t actor;
    uint32_t reason;
    int32_t code;
    char text[TROUPE_EXIT_TEXT_BYTES];
};

static uint32_t *ends_list(struct troupe_executor *executor, uint32_t index, uint32_t generation)
{
    if (generation == 0) {
        return &executor->watches.of_executor;
    }
    struct trp_actor *actor = trp_world_find(&executor->world, index, generation);
    return actor == NULL ? NULL : &actor->watches;
}

/* Sending. -------------------------------------------------------------------------------------- */

/** @return TROUPE_OK when @p to can be sent to; TROUPE_ERR_NOENT: its executor is gone. */
static enum troupe_err ends_reach(struct troupe_executor *executor, troupe_ref_t to)
{
    if (to.executor == executor->id && to.node == executor->node) {
        return TROUPE_OK;
    }
    struct trp_link *link = NULL;
    enum troupe_err err = trp_link_open(executor, to.executor, &link);
    if (err == TROUPE_OK && link->peer_node != to.node) {
        return TROUPE_ERR_NOENT;
    }
    if (err == TROUPE_OK && link->seat->is_port) {
        return TRP_EXPLAIN(TROUPE_ERR_UNSUPPORTED, "a port is no actor whose end could be told");
    }
    return err;
}

static enum troupe_err ends_send(
    struct troupe_executor *executor,
    troupe_ref_t from,
    troupe_ref_t to,
    enum ends_signal signal,
    const struct ends_body *body)
{
    const struct trp_letter letter = {
        .to = to,
        .from_index = from.index,
        .from_generation = from.generation,
        .type = signal,
        .kind = TRP_KIND_SIGNAL,
        .flags = TRP_FLAG_UNMETERED,
        .body = body,
        .body_bytes = signal == ENDS_END ? sizeof(*body) : sizeof(body->number),
    };
    return trp_post_letter(executor, &letter);
}

static enum troupe_err ends_send_end(
    struct troupe_executor *executor,
    troupe_ref_t ended,
    troupe_ref_t to,
    uint64_t number,
    const struct troupe_exit *exit)
{
    struct ends_body body = {
        .number = number,
        .actor = ended,
        .reason = exit->reason,
        .code = exit->code,
    };
    memcpy(body.text, exit->text, sizeof(body.text));
    return ends_send(executor, ended, to, ENDS_END, &body);
}

/** As ends_send_end(), where nobody will try again. */
static void ends_send_last(
    struct troupe_executor *executor,
    troupe_ref_t ended,
    troupe_ref_t to,
    uint64_t number,
    const struct troupe_exit *exit)
{
    uint64_t since_ns = 0;
    while (ends_send_end(executor, ended, to, number, exit) == TROUPE_ERR_NOMEM) {
        trp_memory_wait(&since_ns);
    }
}

/** Tell how one ended who is out of reach, or was before anybody asked. */
static void ends_recall(troupe_system_t *system, troupe_ref_t actor, struct troupe_exit *out_exit)
{
    *out_exit = (struct troupe_exit){
        .reason = TROUPE_EXIT_UNKNOWN,
        .text = "ended before anybody asked",
    };
    trp_board_lock(system->board);
    const struct trp_seat *seat = trp_board_find_seat(system->board, actor.executor);
    if (seat != NULL && seat->has_exit && seat->node == actor.node) {
        *out_exit = seat->exit;
    }
    trp_board_unlock(system->board);
}

/* Asking to be told. ---------------------------------------------------------------------------- */

static enum troupe_err ends_check(const troupe_context_t *ctx, troupe_ref_t actor)
{
    enum troupe_err err = trp_check_thread(ctx);
    if (err != TROUPE_OK) {
        return err;
    }
    if (ctx->actor == NULL) {
        return TRP_EXPLAIN(TROUPE_ERR_INVAL, "no actor runs here that could hear of an end");
    }
    return troupe_ref_is_some(actor)
               ? TROUPE_OK
               : TRP_EXPLAIN(TROUPE_ERR_INVAL, "the end of nobody cannot be told");
}

/** Have the way to itself open, by which an end comes when a process dies and no descriptor is free. */
static enum troupe_err ends_open_loop(struct troupe_executor *executor)
{
    return trp_executor_mails_itself(executor) ? TROUPE_OK : trp_post_open_loop(executor);
}

/** Note a watch or a link of the running actor, and ask the peer for it. */
static enum troupe_err ends_ask(
    troupe_context_t *ctx, troupe_ref_t peer, bool is_link, troupe_monitor_t *out_monitor)
{
    struct troupe_executor *executor = trp_executor_of(ctx);
    troupe_ref_t self = troupe_self(ctx);
    enum troupe_err err = troupe_ref_is_some(peer) ? ends_reach(executor, peer) : TROUPE_ERR_NOENT;
    enum troupe_err loop_err = ends_open_loop(executor);
    if (loop_err != TROUPE_OK || (err != TROUPE_OK && err != TROUPE_ERR_NOENT)) {
        return loop_err != TROUPE_OK ? loop_err : err;
    }
    const struct trp_watch like = {
        .side = is_link ? TRP_WATCH_LINK : TRP_WATCH_HOLDS,
        .actor_index = self.index,
        .actor_generation = self.generation,
        .peer = peer,
    };
    struct trp_watch *watch = trp_watches_add(&executor->watches, &ctx->actor->watches, &like);
    if (watch == NULL) {
        return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory to be told of an end");
    }
    const struct ends_body body = {.number = watch->number};
    uint64_t number = watch->number;
    if (err == TROUPE_OK) {
        err = ends_send(executor, self, peer, is_link ? ENDS_LINK : ENDS_WATCH, &body);
    } else {
        struct troupe_exit exit;
        ends_recall(executor->system, peer, &exit);
        err = ends_send_end(executor, peer, self, number, &exit);
    }
    if (err != TROUPE_OK) {
        trp_watches_remove(&executor->watches, &ctx->actor->watches, watch);
        return err;
    }
    if (out_monitor != NULL) {
        *out_monitor = number;
    }
    return TROUPE_OK;
}

enum troupe_err troupe_monitor(
    troupe_context_t *ctx, troupe_ref_t actor, troupe_monitor_t *out_monitor)
{
    enum troupe_err err = ends_check(ctx, actor);
    if (err != TROUPE_OK) {
        return err;
    }
    if (troupe_ref_equal(actor, troupe_self(ctx))) {
        return TRP_EXPLAIN(TROUPE_ERR_INVAL, "an actor hears of its own end in its `fini`");
    }
    return ends_ask(ctx, actor, false, out_monitor);
}

enum troupe_err troupe_monitor_name(
    troupe_context_t *ctx, const char *name, troupe_monitor_t *out_monitor)
{
    troupe_ref_t actor = TROUPE_REF_NONE;
    enum troupe_err err = troupe_lookup(ctx, name, &actor);
    if (err == TROUPE_OK) {
        return troupe_monitor(ctx, actor, out_monitor);
    }
    if (err != TROUPE_ERR_NOENT || ctx->actor == NULL) {
        return err != TROUPE_ERR_NOENT ? err : ends_check(ctx, actor);
    }
    return ends_ask(ctx, TROUPE_REF_NONE, false, out_monitor);
}

enum troupe_err troupe_monitor_executor(
    troupe_context_t *ctx, troupe_ref_t actor, troupe_monitor_t *out_monitor)
{
    enum troupe_err err = ends_check(ctx, actor);
    if (err != TROUPE_OK) {
        return err;
    }
    if (actor.executor == trp_executor_of(ctx)->id) {
        return TRP_EXPLAIN(
            TROUPE_ERR_INVAL, "an actor ends with its own executor, and hears of it in its `fini`");
    }
    return ends_ask(
        ctx, (troupe_ref_t){.node = actor.node, .executor = actor.executor}, false, out_monitor);
}

enum troupe_err troupe_demonitor(troupe_context_t *ctx, troupe_monitor_t monitor)
{
    enum troupe_err err = trp_check_thread(ctx);
    if (err != TROUPE_OK) {
        return err;
    }
    struct troupe_executor *executor = trp_executor_of(ctx);
    struct trp_watch *watch = trp_watches_find(&executor->watches, monitor);
    if (watch == NULL || ctx->actor == NULL || watch->actor_index != trp_context_index(ctx) ||
        watch->actor_generation != ctx->actor->generation) {
        return TRP_EXPLAIN(TROUPE_ERR_NOENT, "no such monitor: its notice came, or it was undone");
    }
    troupe_ref_t peer = watch->peer;
    const struct ends_body body = {.number = monitor};
    trp_watches_remove(&executor->watches, &ctx->actor->watches, watch);
    if (troupe_ref_is_some(peer)) { // without memory the peer's word will come, and find no watch
        (void)ends_send(executor, troupe_self(ctx), peer, ENDS_UNWATCH, &body);
    }
    return TROUPE_OK;
}

enum troupe_err troupe_link(troupe_context_t *ctx, troupe_ref_t actor)
{
    enum troupe_err err = ends_check(ctx, actor);
    if (err != TROUPE_OK) {
        return err;
    }
    struct troupe_executor *executor = trp_executor_of(ctx);
    bool is_linked = troupe_ref_equal(actor, troupe_self(ctx)) ||
                     trp_watches_find_peer(
                         &executor->watches, ctx->actor->watches, TRP_WATCH_LINK, actor, 0) != NULL;
    return is_linked ? TROUPE_OK : ends_ask(ctx, actor, true, NULL);
}

enum troupe_err troupe_unlink(troupe_context_t *ctx, troupe_ref_t actor)
{
    enum troupe_err err = ends_check(ctx, actor);
    if (err != TROUPE_OK) {
        return err;
    }
    struct troupe_executor *executor = trp_executor_of(ctx);
    struct trp_watch *watch =
        trp_watches_find_peer(&executor->watches, ctx->actor->watches, TRP_WATCH_LINK, actor, 0);
    if (watch == NULL) {
        return TRP_EXPLAIN(TROUPE_ERR_NOENT, "no link to that actor: it has ended, or never was");
    }
    const struct ends_body body = {0};
    trp_watches_remove(&executor->watches, &ctx->actor->watches, watch);
    return ends_send(executor, troupe_self(ctx), actor, ENDS_UNLINK, &body);
}

void troupe_trap_exit(troupe_context_t *ctx, bool on)
{
    if (trp_check_thread(ctx) == TROUPE_OK && ctx->actor != NULL) {
        ctx->actor->flags &= (uint8_t)~TRP_ACTOR_TRAPS;
        ctx->actor->flags |= on ? TRP_ACTOR_TRAPS : 0;
    }
}

/* Meeting. -------------------------------------------------------------------------------------- */

/** Have an actor hear of an end, as it wishes to. */
static void ends_hear(
    struct troupe_executor *executor,
    uint32_t index,
    uint32_t generation,
    const struct ends_body *body)
{
    struct trp_actor *actor = trp_world_find(&executor->world, index, generation);
    struct troupe_down down = {
        .actor = body->actor,
        .monitor = body->number,
        .exit = {.reason = (enum troupe_exit_reason)body->reason, .code = body->code},
    };
    memcpy(down.exit.text, body->text, sizeof(down.exit.text));
    down.exit.text[sizeof(down.exit.text) - 1] = '\0';
    if (body->number != 0) {
        trp_actor_tell(executor, actor, index, TROUPE_MESSAGE_DOWN, &down, sizeof(down));
    } else if ((actor->flags & TRP_ACTOR_TRAPS) != 0) {
        trp_actor_tell(executor, actor, index, TROUPE_MESSAGE_EXIT, &down, sizeof(down));
    } else if (down.exit.reason != TROUPE_EXIT_NORMAL) {
        trp_actor_end(executor, actor, index, &down.exit);
    }
}

static void ends_meet_end(struct troupe_executor *executor, const struct trp_item *item)
{
    const struct ends_body *body = (const void *)item->body;
    uint32_t index = item->envelope->to_index;
    uint32_t generation = item->envelope->to_generation;
    uint32_t *list = ends_list(executor, index, generation);
    if (list == NULL || generation == 0 || item->body_bytes != sizeof(*body)) {
        return;
    }
    struct trp_watch *watch =
        body->number != 0
            ? trp_watches_find(&executor->watches, body->number)
            : trp_watches_find_peer(&executor->watches, *list, TRP_WATCH_LINK, body->actor, 0);
    if (watch == NULL || watch->actor_index != index || watch->actor_generation != generation) {
        return; // it was undone meanwhile
    }
    trp_watches_remove(&executor->watches, list, watch);
    ends_hear(executor, index, generation, body);
}

/** Note that a peer wants to hear of an end here. @return false: nobody is there. */
static bool ends_note(
    struct troupe_executor *executor,
    const struct trp_item *item,
    enum trp_watch_side side,
    uint64_t number)
{
    uint32_t generation = item->envelope->to_generation;
    uint32_t *list = ends_list(executor, item->envelope->to_index, generation);
    bool is_over = generation == 0 && executor->ending && executor->world.live_count == 0;
    if (list == NULL || is_over) {
        return false;
    }
    troupe_ref_t peer = trp_item_sender(item);
    if (trp_watches_find_peer(&executor->watches, *list, side, peer, number) != NULL) {
        return true;
    }
    const struct trp_watch like = {
        .side = (uint8_t)side,
        .actor_index = item->envelope->to_index,
        .actor_generation = generation,
        .peer = peer,
        .number = number,
    };
    uint64_t since_ns = 0;
    while (trp_watches_add(&executor->watches, list, &like) == NULL) {
        trp_memory_wait(&since_ns); // it was promised
    }
    return true;
}

/** @return whether the process of somebody who asks for a link died: his LINK waited here for a START. */
static bool ends_is_dead(troupe_system_t *system, troupe_ref_t peer)
{
    trp_board_lock(system->board);
    const struct trp_seat *seat = trp_board_find_seat(system->board, peer.executor);
    bool is_dead = seat == NULL || trp_seat_state(seat) == TRP_SEAT_DEAD;
    trp_board_unlock(system->board);
    return is_dead;
}

/** Note a link that a peer wants. Its end may have been met already. @return as ends_note() */
static bool ends_note_link(struct troupe_executor *executor, const struct trp_item *item)
{
    troupe_ref_t peer = trp_item_sender(item);
    if (!ends_note(executor, item, TRP_WATCH_LINK, 0)) {
        return false;
    }
    (void)ends_open_loop(executor); // without a descriptor now, there may be one when it is needed
    if (peer.node != executor->node && ends_is_dead(executor->system, peer)) {
        struct troupe_exit exit;
        ends_recall(executor->system, peer, &exit);
        troupe_ref_t self =
            trp_actor_ref(executor, item->envelope->to_index, item->envelope->to_generation);
        ends_send_last(executor, peer, self, 0, &exit);
    }
    return true;
}

static void ends_forget(
    struct troupe_executor *executor,
    const struct trp_item *item,
    enum trp_watch_side side,
    uint64_t number)
{
    uint32_t *list = ends_list(executor, item->envelope->to_index, item->envelope->to_generation);
    struct trp_watch *watch =
        list == NULL
            ? NULL
            : trp_watches_find_peer(&executor->watches, *list, side, trp_item_sender(item), number);
    if (watch != NULL) {
        trp_watches_remove(&executor->watches, list, watch);
    }
}

void trp_ends_refuse(
    struct troupe_executor *executor, const struct trp_item *item, const struct troupe_exit *exit)
{
    uint32_t type = item->envelope->type;
    if ((type == ENDS_WATCH || type == ENDS_LINK) && item->body_bytes == sizeof(uint64_t)) {
        uint64_t number = 0;
        memcpy(&number, item->body, sizeof(number));
        troupe_ref_t actor =
            trp_actor_ref(executor, item->envelope->to_index, item->envelope->to_generation);
        ends_send_last(executor, actor, trp_item_sender(item), number, exit);
    }
}

void trp_ends_meet(struct troupe_executor *executor, const struct trp_item *item)
{
    uint64_t number = 0;
    if (item->envelope->type == ENDS_END) {
        ends_meet_end(executor, item);
        return;
    }
    if (item->envelope->type == TRP_SIGNAL_PROBE) {
        trp_waits_meet_probe(executor, item);
        return;
    }
    if (item->body_bytes != sizeof(number)) {
        return;
    }
    memcpy(&number, item->body, sizeof(number));
    struct troupe_exit exit;
    switch ((enum ends_signal)item->envelope->type) {
    case ENDS_WATCH:
    case ENDS_LINK:
        if (item->envelope->type == ENDS_LINK
                ? !ends_note_link(executor, item)
                : !ends_note(executor, item, TRP_WATCH_HELD, number)) {
            trp_world_recall_exit(
                &executor->world, item->envelope->to_index, item->envelope->to_generation, &exit);
            trp_ends_refuse(executor, item, &exit);
        }
        break;
    case ENDS_UNWATCH:
        ends_forget(executor, item, TRP_WATCH_HELD, number);
        break;
    case ENDS_UNLINK:
        ends_forget(executor, item, TRP_WATCH_LINK, 0);
        break;
    case ENDS_END:
    case ENDS_PROBE:
        break;
    }
}

/* Telling. -------------------------------------------------------------------------------------- */

/** Tell one of those on a list; without memory it is kept for later. */
static void ends_tell_one(
    struct troupe_executor *executor,
    uint32_t *list,
    struct trp_watch *watch,
    troupe_ref_t ended,
    const struct troupe_exit *exit)
{
    uint64_t number = watch->number;
    troupe_ref_t peer = watch->peer;
    bool told = true;
    if (watch->side == TRP_WATCH_HOLDS) {
        const struct ends_body body = {.number = number};
        if (troupe_ref_is_some(peer)) { // without memory it tells us in vain
            (void)ends_send(executor, ended, peer, ENDS_UNWATCH, &body);
        }
    } else {
        told = ends_send_end(executor, ended, peer, number, exit) == TROUPE_OK;
    }
    if (told) {
        trp_watches_remove(&executor->watches, list, watch);
        return;
    }
    if (list != &executor->watches.untold_first) {
        watch->side = TRP_WATCH_UNTOLD;
        watch->reason = (uint8_t)exit->reason;
        watch->code = exit->code;
        trp_watches_move(&executor->watches, list, watch, &executor->watches.untold_first);
    }
}

void trp_ends_tell(
    struct troupe_executor *executor,
    struct trp_actor *actor,
    uint32_t index,
    const struct troupe_exit *exit)
{
    troupe_ref_t ended = trp_actor_ref(executor, index, actor->generation);
    struct trp_watch *watch = NULL;
    while ((watch = trp_watches_first(&executor->watches, actor->watches)) != NULL) {
        ends_tell_one(executor, &actor->watches, watch, ended, exit);
    }
}

void trp_ends_tell_executor(struct troupe_executor *executor)
{
    const struct troupe_exit exit = {.reason = TROUPE_EXIT_SHUTDOWN};
    uint32_t *list = &executor->watches.of_executor;
    struct trp_watch *watch = NULL;
    while ((watch = trp_watches_first(&executor->watches, *list)) != NULL) {
        ends_tell_one(executor, list, watch, trp_actor_ref(executor, 0, 0), &exit);
    }
}

void trp_ends_tell_again(struct troupe_executor *executor)
{
    uint32_t *list = &executor->watches.untold_first;
    uint32_t before = 0;
    while (*list != 0 && *list != before) {
        before = *list;
        struct trp_watch *watch = trp_watches_first(&executor->watches, *list);
        const struct troupe_exit exit = {
            .reason = (enum troupe_exit_reason)watch->reason,
            .code = watch->code,
        };
        troupe_ref_t ended = trp_actor_ref(executor, watch->actor_index, watch->actor_generation);
        ends_tell_one(executor, list, watch, ended, &exit);
    }
}

void trp_ends_lose(
    struct troupe_executor *executor, uint32_t peer_id, const struct troupe_exit *exit)
{
    for (uint32_t i = 0; i < executor->watches.count; i++) {
        struct trp_watch *watch = &executor->watches.entries[i];
        if (watch->side == TRP_WATCH_FREE || watch->peer.executor != peer_id ||
            !troupe_ref_is_some(watch->peer)) {
            continue;
        }
        uint32_t *list = watch->side == TRP_WATCH_UNTOLD
                             ? &executor->watches.untold_first
                             : ends_list(executor, watch->actor_index, watch->actor_generation);
        if (watch->side == TRP_WATCH_HELD || watch->side == TRP_WATCH_UNTOLD) {
            trp_watches_remove(&executor->watches, list, watch); // there is nobody to tell
            continue;
        }
        // By the loop, behind all that was met already.
        troupe_ref_t self = trp_actor_ref(executor, watch->actor_index, watch->actor_generation);
        ends_send_last(executor, watch->peer, self, watch->number, exit);
    }
}

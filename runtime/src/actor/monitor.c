#include "actor/monitor.h"

#include "actor/deadlock.h"
#include "base/memory.h"
#include "channel/channel.h"
#include "node/system.h"

#include <stdio.h>
#include <string.h>

/** What a signal says; its type in the envelope. */
enum monitor_signal {
    ENDS_WATCH = 1,
    ENDS_UNWATCH = 2,
    ENDS_LINK = 3,
    ENDS_UNLINK = 4,
    ENDS_END = 5,
    ENDS_PROBE = TRP_SIGNAL_PROBE, // no end, but it goes the same way; see waits.c
};

/** Body of an END; of the others the first word. */
struct monitor_body {
    uint64_t number; // of the watch, at who holds it; 0: a link
    troupe_ref_t actor;
    uint32_t reason;
    int32_t code;
    char text[TROUPE_EXIT_TEXT_BYTES];
};

static uint32_t *monitor_list(struct troupe_executor *executor, uint32_t index, uint32_t generation)
{
    if (generation == 0) {
        return &executor->monitors.of_executor;
    }
    struct trp_actor *actor = trp_actor_table_find(&executor->actors, index, generation);
    return actor == NULL ? NULL : &actor->monitors;
}

/* Sending. -------------------------------------------------------------------------------------- */

/** @return TROUPE_OK when @p to can be sent to; TROUPE_ERR_NOENT: its executor is gone. */
static enum troupe_err monitor_reach(struct troupe_executor *executor, troupe_ref_t to)
{
    if (to.executor == executor->id && to.node == executor->node) {
        return TROUPE_OK;
    }
    struct trp_channel *channel = NULL;
    enum troupe_err err = trp_channel_open(&executor->channels, to.executor, &channel);
    if (err == TROUPE_OK && channel->peer_node != to.node) {
        return TROUPE_ERR_NOENT;
    }
    if (err == TROUPE_OK && channel->slot->is_inbox) {
        return TRP_EXPLAIN(TROUPE_ERR_UNSUPPORTED, "an inbox is no actor whose end could be told");
    }
    return err;
}

static enum troupe_err monitor_send(
    struct troupe_executor *executor,
    troupe_ref_t from,
    troupe_ref_t to,
    enum monitor_signal signal,
    const struct monitor_body *body)
{
    const struct trp_outgoing outgoing = {
        .to = to,
        .from_index = from.index,
        .from_generation = from.generation,
        .type = signal,
        .kind = TRP_KIND_MONITOR,
        .flags = TRP_FLAG_UNMETERED,
        .body = body,
        .body_bytes = signal == ENDS_END ? sizeof(*body) : sizeof(body->number),
    };
    return trp_send_message(executor, &outgoing);
}

static enum troupe_err monitor_send_end(
    struct troupe_executor *executor,
    troupe_ref_t ended,
    troupe_ref_t to,
    uint64_t number,
    const struct troupe_exit *exit)
{
    struct monitor_body body = {
        .number = number,
        .actor = ended,
        .reason = exit->reason,
        .code = exit->code,
    };
    memcpy(body.text, exit->text, sizeof(body.text));
    return monitor_send(executor, ended, to, ENDS_END, &body);
}

/** As monitor_send_end(), where nobody will try again. */
static void monitor_send_last(
    struct troupe_executor *executor,
    troupe_ref_t ended,
    troupe_ref_t to,
    uint64_t number,
    const struct troupe_exit *exit)
{
    uint64_t since_ns = 0;
    while (monitor_send_end(executor, ended, to, number, exit) == TROUPE_ERR_NOMEM) {
        trp_memory_wait(&since_ns);
    }
}

/** Tell how one ended who is out of reach, or was before anybody asked. */
static void monitor_last_exit(
    struct trp_runtime *runtime, troupe_ref_t actor, struct troupe_exit *out_exit)
{
    *out_exit = (struct troupe_exit){
        .reason = TROUPE_EXIT_UNKNOWN,
        .text = "ended before anybody asked",
    };
    trp_shared_lock(runtime->shared);
    const struct trp_slot *slot = trp_shared_find_slot(runtime->shared, actor.executor);
    if (slot != NULL && slot->has_exit && slot->node == actor.node) {
        *out_exit = slot->exit;
    }
    trp_shared_unlock(runtime->shared);
}

/* Asking to be told. ---------------------------------------------------------------------------- */

static enum troupe_err monitor_check(const troupe_context_t *ctx, troupe_ref_t actor)
{
    enum troupe_err err = trp_check_thread(ctx);
    if (err != TROUPE_OK) {
        return err;
    }
    if (ctx->actor == NULL) {
        return TRP_EXPLAIN(TROUPE_ERR_INVAL, "no actor runs here that could hear of an end");
    }
    return !troupe_ref_is_none(actor)
               ? TROUPE_OK
               : TRP_EXPLAIN(TROUPE_ERR_INVAL, "the end of nobody cannot be told");
}

/** Have the way to itself open, by which an end comes when a process dies and no descriptor is free. */
static enum troupe_err monitor_open_loop(struct troupe_executor *executor)
{
    return trp_channels_use_remote_loop(&executor->channels) ? TROUPE_OK
                                                             : trp_send_open_loop(executor);
}

/** Note a watch or a link of the running actor, and ask the peer for it. */
static enum troupe_err monitor_ask(
    troupe_context_t *ctx, troupe_ref_t peer, bool is_link, troupe_monitor_t *out_monitor)
{
    struct troupe_executor *executor = trp_executor_of(ctx);
    troupe_ref_t self = troupe_self(ctx);
    enum troupe_err err =
        !troupe_ref_is_none(peer) ? monitor_reach(executor, peer) : TROUPE_ERR_NOENT;
    enum troupe_err loop_err = monitor_open_loop(executor);
    if (loop_err != TROUPE_OK || (err != TROUPE_OK && err != TROUPE_ERR_NOENT)) {
        return loop_err != TROUPE_OK ? loop_err : err;
    }
    const struct trp_monitor_entry like = {
        .side = is_link ? TRP_MONITOR_LINK : TRP_MONITORS,
        .actor_index = self.index,
        .actor_generation = self.generation,
        .peer = peer,
    };
    struct trp_monitor_entry *entry =
        trp_monitor_table_add(&executor->monitors, &ctx->actor->monitors, &like);
    if (entry == NULL) {
        return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory to be told of an end");
    }
    const struct monitor_body body = {.number = entry->number};
    uint64_t number = entry->number;
    if (err == TROUPE_OK) {
        err = monitor_send(executor, self, peer, is_link ? ENDS_LINK : ENDS_WATCH, &body);
    } else {
        struct troupe_exit exit;
        monitor_last_exit(executor->runtime, peer, &exit);
        err = monitor_send_end(executor, peer, self, number, &exit);
    }
    if (err != TROUPE_OK) {
        trp_monitor_table_remove(&executor->monitors, &ctx->actor->monitors, entry);
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
    enum troupe_err err = monitor_check(ctx, actor);
    if (err != TROUPE_OK) {
        return err;
    }
    if (troupe_ref_equal(actor, troupe_self(ctx))) {
        return TRP_EXPLAIN(TROUPE_ERR_INVAL, "an actor hears of its own end in its `fini`");
    }
    return monitor_ask(ctx, actor, false, out_monitor);
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
        return err != TROUPE_ERR_NOENT ? err : monitor_check(ctx, actor);
    }
    return monitor_ask(ctx, TROUPE_REF_NONE, false, out_monitor);
}

enum troupe_err troupe_monitor_executor(
    troupe_context_t *ctx, troupe_ref_t actor, troupe_monitor_t *out_monitor)
{
    enum troupe_err err = monitor_check(ctx, actor);
    if (err != TROUPE_OK) {
        return err;
    }
    if (actor.executor == trp_executor_of(ctx)->id) {
        return TRP_EXPLAIN(
            TROUPE_ERR_INVAL, "an actor ends with its own executor, and hears of it in its `fini`");
    }
    return monitor_ask(
        ctx, (troupe_ref_t){.node = actor.node, .executor = actor.executor}, false, out_monitor);
}

enum troupe_err troupe_demonitor(troupe_context_t *ctx, troupe_monitor_t monitor)
{
    enum troupe_err err = trp_check_thread(ctx);
    if (err != TROUPE_OK) {
        return err;
    }
    struct troupe_executor *executor = trp_executor_of(ctx);
    struct trp_monitor_entry *entry = trp_monitor_table_find(&executor->monitors, monitor);
    if (entry == NULL || ctx->actor == NULL || entry->actor_index != trp_context_index(ctx) ||
        entry->actor_generation != ctx->actor->generation) {
        return TRP_EXPLAIN(TROUPE_ERR_NOENT, "no such monitor: its notice came, or it was undone");
    }
    troupe_ref_t peer = entry->peer;
    const struct monitor_body body = {.number = monitor};
    trp_monitor_table_remove(&executor->monitors, &ctx->actor->monitors, entry);
    if (!troupe_ref_is_none(peer)) { // without memory the peer's word will come, and find no watch
        (void)monitor_send(executor, troupe_self(ctx), peer, ENDS_UNWATCH, &body);
    }
    return TROUPE_OK;
}

enum troupe_err troupe_link(troupe_context_t *ctx, troupe_ref_t actor)
{
    enum troupe_err err = monitor_check(ctx, actor);
    if (err != TROUPE_OK) {
        return err;
    }
    struct troupe_executor *executor = trp_executor_of(ctx);
    bool is_linked =
        troupe_ref_equal(actor, troupe_self(ctx)) ||
        trp_monitor_table_find_peer(
            &executor->monitors, ctx->actor->monitors, TRP_MONITOR_LINK, actor, 0) != NULL;
    return is_linked ? TROUPE_OK : monitor_ask(ctx, actor, true, NULL);
}

enum troupe_err troupe_unlink(troupe_context_t *ctx, troupe_ref_t actor)
{
    enum troupe_err err = monitor_check(ctx, actor);
    if (err != TROUPE_OK) {
        return err;
    }
    struct troupe_executor *executor = trp_executor_of(ctx);
    struct trp_monitor_entry *entry = trp_monitor_table_find_peer(
        &executor->monitors, ctx->actor->monitors, TRP_MONITOR_LINK, actor, 0);
    if (entry == NULL) {
        return TRP_EXPLAIN(TROUPE_ERR_NOENT, "no link to that actor: it has ended, or never was");
    }
    const struct monitor_body body = {0};
    trp_monitor_table_remove(&executor->monitors, &ctx->actor->monitors, entry);
    return monitor_send(executor, troupe_self(ctx), actor, ENDS_UNLINK, &body);
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
static void monitor_deliver(
    struct troupe_executor *executor,
    uint32_t index,
    uint32_t generation,
    const struct monitor_body *body)
{
    struct trp_actor *actor = trp_actor_table_find(&executor->actors, index, generation);
    struct troupe_down down = {
        .actor = body->actor,
        .monitor = body->number,
        .exit = {.reason = (enum troupe_exit_reason)body->reason, .code = body->code},
    };
    memcpy(down.exit.text, body->text, sizeof(down.exit.text));
    down.exit.text[sizeof(down.exit.text) - 1] = '\0';
    if (body->number != 0) {
        trp_actor_notify(executor, actor, index, TROUPE_MESSAGE_DOWN, &down, sizeof(down));
    } else if ((actor->flags & TRP_ACTOR_TRAPS) != 0) {
        trp_actor_notify(executor, actor, index, TROUPE_MESSAGE_EXIT, &down, sizeof(down));
    } else if (down.exit.reason != TROUPE_EXIT_NORMAL) {
        trp_actor_end(executor, actor, index, &down.exit);
    }
}

static void monitor_handle_end(struct troupe_executor *executor, const struct trp_item *item)
{
    const struct monitor_body *body = (const void *)item->body;
    uint32_t index = item->envelope->to_index;
    uint32_t generation = item->envelope->to_generation;
    uint32_t *list = monitor_list(executor, index, generation);
    if (list == NULL || generation == 0 || item->body_bytes != sizeof(*body)) {
        return;
    }
    struct trp_monitor_entry *entry =
        body->number != 0 ? trp_monitor_table_find(&executor->monitors, body->number)
                          : trp_monitor_table_find_peer(
                                &executor->monitors, *list, TRP_MONITOR_LINK, body->actor, 0);
    if (entry == NULL || entry->actor_index != index || entry->actor_generation != generation) {
        return; // it was undone meanwhile
    }
    trp_monitor_table_remove(&executor->monitors, list, entry);
    monitor_deliver(executor, index, generation, body);
}

/** Note that a peer wants to hear of an end here. @return false: nobody is there. */
static bool monitor_note(
    struct troupe_executor *executor,
    const struct trp_item *item,
    enum trp_monitor_side side,
    uint64_t number)
{
    uint32_t generation = item->envelope->to_generation;
    uint32_t *list = monitor_list(executor, item->envelope->to_index, generation);
    bool is_over = generation == 0 && executor->channels.ending && executor->actors.live_count == 0;
    if (list == NULL || is_over) {
        return false;
    }
    troupe_ref_t peer = trp_item_sender(item);
    if (trp_monitor_table_find_peer(&executor->monitors, *list, side, peer, number) != NULL) {
        return true;
    }
    const struct trp_monitor_entry like = {
        .side = (uint8_t)side,
        .actor_index = item->envelope->to_index,
        .actor_generation = generation,
        .peer = peer,
        .number = number,
    };
    uint64_t since_ns = 0;
    while (trp_monitor_table_add(&executor->monitors, list, &like) == NULL) {
        trp_memory_wait(&since_ns); // it was promised
    }
    return true;
}

/** @return whether the process of somebody who asks for a link died: his LINK waited here for a START. */
static bool monitor_is_dead(struct trp_runtime *runtime, troupe_ref_t peer)
{
    trp_shared_lock(runtime->shared);
    const struct trp_slot *slot = trp_shared_find_slot(runtime->shared, peer.executor);
    bool is_dead = slot == NULL || trp_slot_state(slot) == TRP_SLOT_DEAD;
    trp_shared_unlock(runtime->shared);
    return is_dead;
}

/** Note a link that a peer wants. Its end may have been met already. @return as monitor_note() */
static bool monitor_note_link(struct troupe_executor *executor, const struct trp_item *item)
{
    troupe_ref_t peer = trp_item_sender(item);
    if (!monitor_note(executor, item, TRP_MONITOR_LINK, 0)) {
        return false;
    }
    (void)monitor_open_loop(
        executor); // without a descriptor now, there may be one when it is needed
    if (peer.node != executor->node && monitor_is_dead(executor->runtime, peer)) {
        struct troupe_exit exit;
        monitor_last_exit(executor->runtime, peer, &exit);
        troupe_ref_t self =
            trp_actor_ref(executor, item->envelope->to_index, item->envelope->to_generation);
        monitor_send_last(executor, peer, self, 0, &exit);
    }
    return true;
}

static void monitor_forget(
    struct troupe_executor *executor,
    const struct trp_item *item,
    enum trp_monitor_side side,
    uint64_t number)
{
    uint32_t *list =
        monitor_list(executor, item->envelope->to_index, item->envelope->to_generation);
    struct trp_monitor_entry *entry =
        list == NULL ? NULL
                     : trp_monitor_table_find_peer(
                           &executor->monitors, *list, side, trp_item_sender(item), number);
    if (entry != NULL) {
        trp_monitor_table_remove(&executor->monitors, list, entry);
    }
}

void trp_monitor_refuse(
    struct troupe_executor *executor, const struct trp_item *item, const struct troupe_exit *exit)
{
    uint32_t type = item->envelope->type;
    if ((type == ENDS_WATCH || type == ENDS_LINK) && item->body_bytes == sizeof(uint64_t)) {
        uint64_t number = 0;
        memcpy(&number, item->body, sizeof(number));
        troupe_ref_t actor =
            trp_actor_ref(executor, item->envelope->to_index, item->envelope->to_generation);
        monitor_send_last(executor, actor, trp_item_sender(item), number, exit);
    }
}

void trp_monitor_handle(struct troupe_executor *executor, const struct trp_item *item)
{
    uint64_t number = 0;
    if (item->envelope->type == ENDS_END) {
        monitor_handle_end(executor, item);
        return;
    }
    if (item->envelope->type == TRP_SIGNAL_PROBE) {
        trp_deadlock_handle_probe(executor, item);
        return;
    }
    if (item->body_bytes != sizeof(number)) {
        return;
    }
    memcpy(&number, item->body, sizeof(number));
    struct troupe_exit exit;
    switch ((enum monitor_signal)item->envelope->type) {
    case ENDS_WATCH:
    case ENDS_LINK:
        if (item->envelope->type == ENDS_LINK
                ? !monitor_note_link(executor, item)
                : !monitor_note(executor, item, TRP_MONITORED_BY, number)) {
            trp_actor_table_last_exit(
                &executor->actors, item->envelope->to_index, item->envelope->to_generation, &exit);
            trp_monitor_refuse(executor, item, &exit);
        }
        break;
    case ENDS_UNWATCH:
        monitor_forget(executor, item, TRP_MONITORED_BY, number);
        break;
    case ENDS_UNLINK:
        monitor_forget(executor, item, TRP_MONITOR_LINK, 0);
        break;
    case ENDS_END:
    case ENDS_PROBE:
        break;
    }
}

/* Telling. -------------------------------------------------------------------------------------- */

/** Tell one of those on a list; without memory it is kept for later. */
static void monitor_notify_one(
    struct troupe_executor *executor,
    uint32_t *list,
    struct trp_monitor_entry *entry,
    troupe_ref_t ended,
    const struct troupe_exit *exit)
{
    uint64_t number = entry->number;
    troupe_ref_t peer = entry->peer;
    bool told = true;
    if (entry->side == TRP_MONITORS) {
        const struct monitor_body body = {.number = number};
        if (!troupe_ref_is_none(peer)) { // without memory it tells us in vain
            (void)monitor_send(executor, ended, peer, ENDS_UNWATCH, &body);
        }
    } else {
        told = monitor_send_end(executor, ended, peer, number, exit) == TROUPE_OK;
    }
    if (told) {
        trp_monitor_table_remove(&executor->monitors, list, entry);
        return;
    }
    if (list != &executor->monitors.untold_first) {
        entry->side = TRP_MONITOR_UNSENT;
        entry->reason = (uint8_t)exit->reason;
        entry->code = exit->code;
        trp_monitor_table_move(&executor->monitors, list, entry, &executor->monitors.untold_first);
    }
}

void trp_monitor_notify(
    struct troupe_executor *executor,
    struct trp_actor *actor,
    uint32_t index,
    const struct troupe_exit *exit)
{
    troupe_ref_t ended = trp_actor_ref(executor, index, actor->generation);
    struct trp_monitor_entry *entry = NULL;
    while ((entry = trp_monitor_table_first(&executor->monitors, actor->monitors)) != NULL) {
        monitor_notify_one(executor, &actor->monitors, entry, ended, exit);
    }
}

void trp_monitor_notify_executor(struct troupe_executor *executor)
{
    const struct troupe_exit exit = {.reason = TROUPE_EXIT_SHUTDOWN};
    uint32_t *list = &executor->monitors.of_executor;
    struct trp_monitor_entry *entry = NULL;
    while ((entry = trp_monitor_table_first(&executor->monitors, *list)) != NULL) {
        monitor_notify_one(executor, list, entry, trp_actor_ref(executor, 0, 0), &exit);
    }
}

void trp_monitor_notify_again(struct troupe_executor *executor)
{
    uint32_t *list = &executor->monitors.untold_first;
    uint32_t before = 0;
    while (*list != 0 && *list != before) {
        before = *list;
        struct trp_monitor_entry *entry = trp_monitor_table_first(&executor->monitors, *list);
        const struct troupe_exit exit = {
            .reason = (enum troupe_exit_reason)entry->reason,
            .code = entry->code,
        };
        troupe_ref_t ended = trp_actor_ref(executor, entry->actor_index, entry->actor_generation);
        monitor_notify_one(executor, list, entry, ended, &exit);
    }
}

void trp_monitor_lose_process(
    struct troupe_executor *executor, uint32_t peer_id, const struct troupe_exit *exit)
{
    for (uint32_t i = 0; i < executor->monitors.count; i++) {
        struct trp_monitor_entry *entry = &executor->monitors.entries[i];
        if (entry->side == TRP_MONITOR_FREE || entry->peer.executor != peer_id ||
            troupe_ref_is_none(entry->peer)) {
            continue;
        }
        uint32_t *list = entry->side == TRP_MONITOR_UNSENT
                             ? &executor->monitors.untold_first
                             : monitor_list(executor, entry->actor_index, entry->actor_generation);
        if (entry->side == TRP_MONITORED_BY || entry->side == TRP_MONITOR_UNSENT) {
            trp_monitor_table_remove(&executor->monitors, list, entry); // there is nobody to tell
            continue;
        }
        // By the loop, behind all that was met already.
        troupe_ref_t self = trp_actor_ref(executor, entry->actor_index, entry->actor_generation);
        monitor_send_last(executor, entry->peer, self, entry->number, exit);
    }
}

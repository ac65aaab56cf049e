#include "actor/monitor.h"

#include "actor/actor_table.h"
#include "actor/executor.h"
#include "actor/monitor_table.h"
#include "actor/send.h"
#include "base/memory.h"
#include "channel/channel.h"
#include "channel/channels.h"
#include "shared/shared.h"
#include "shared/slot.h"
#include "wire/format.h"
#include "wire/frame_read.h"

#include <stdio.h>
#include <string.h>

/** What a signal says; its type in the envelope. */
enum monitor_signal {
    SIGNAL_MONITOR = 1,
    SIGNAL_DEMONITOR = 2,
    SIGNAL_LINK = 3,
    SIGNAL_UNLINK = 4,
    SIGNAL_EXIT = 5,
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
        .body_bytes = signal == SIGNAL_EXIT ? sizeof(*body) : sizeof(body->number),
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
    return monitor_send(executor, ended, to, SIGNAL_EXIT, &body);
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

/** Have the way to itself open, by which an end comes when a process dies and no descriptor is free. */
static enum troupe_err monitor_open_loop(struct troupe_executor *executor)
{
    return trp_channels_use_remote_loop(&executor->channels) ? TROUPE_OK
                                                             : trp_send_open_loop(executor);
}

enum troupe_err trp_monitor_request(
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
        err = monitor_send(executor, self, peer, is_link ? SIGNAL_LINK : SIGNAL_MONITOR, &body);
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

/* Meeting. -------------------------------------------------------------------------------------- */

/** Decide how an actor is notified of an exit. */
static struct trp_monitor_decision monitor_decide(
    const struct trp_actor *actor, const struct monitor_body *body)
{
    struct trp_monitor_decision decision = {
        .down =
            {
                .actor = body->actor,
                .monitor = body->number,
                .exit = {.reason = (enum troupe_exit_reason)body->reason, .code = body->code},
            },
    };
    char *text = decision.down.exit.text;
    memcpy(text, body->text, TROUPE_EXIT_TEXT_BYTES);
    text[TROUPE_EXIT_TEXT_BYTES - 1] = '\0';
    if (body->number != 0) {
        decision.action = TRP_MONITOR_DELIVER;
        decision.type = TROUPE_MESSAGE_DOWN;
    } else if ((actor->flags & TRP_ACTOR_TRAPS) != 0) {
        decision.action = TRP_MONITOR_DELIVER;
        decision.type = TROUPE_MESSAGE_EXIT;
    } else if (decision.down.exit.reason != TROUPE_EXIT_NORMAL) {
        decision.action = TRP_MONITOR_END;
    }
    return decision;
}

static struct trp_monitor_decision monitor_handle_exit(
    struct troupe_executor *executor, const struct trp_item *item)
{
    const struct monitor_body *body = (const void *)item->body;
    uint32_t index = item->envelope->to_index;
    uint32_t generation = item->envelope->to_generation;
    uint32_t *list = monitor_list(executor, index, generation);
    if (list == NULL || generation == 0 || item->body_bytes != sizeof(*body)) {
        return (struct trp_monitor_decision){0};
    }
    struct trp_monitor_entry *entry =
        body->number != 0 ? trp_monitor_table_find(&executor->monitors, body->number)
                          : trp_monitor_table_find_peer(
                                &executor->monitors, *list, TRP_MONITOR_LINK, body->actor, 0);
    if (entry == NULL || entry->actor_index != index || entry->actor_generation != generation) {
        return (struct trp_monitor_decision){0}; // it was undone meanwhile
    }
    trp_monitor_table_remove(&executor->monitors, list, entry);
    return monitor_decide(trp_actor_table_find(&executor->actors, index, generation), body);
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
    if ((type == SIGNAL_MONITOR || type == SIGNAL_LINK) && item->body_bytes == sizeof(uint64_t)) {
        uint64_t number = 0;
        memcpy(&number, item->body, sizeof(number));
        troupe_ref_t actor =
            trp_actor_ref(executor, item->envelope->to_index, item->envelope->to_generation);
        monitor_send_last(executor, actor, trp_item_sender(item), number, exit);
    }
}

struct trp_monitor_decision trp_monitor_handle(
    struct troupe_executor *executor, const struct trp_item *item)
{
    uint64_t number = 0;
    if (item->envelope->type == SIGNAL_EXIT) {
        return monitor_handle_exit(executor, item);
    }
    if (item->body_bytes != sizeof(number)) {
        return (struct trp_monitor_decision){0};
    }
    memcpy(&number, item->body, sizeof(number));
    struct troupe_exit exit;
    switch ((enum monitor_signal)item->envelope->type) {
    case SIGNAL_MONITOR:
    case SIGNAL_LINK:
        if (item->envelope->type == SIGNAL_LINK
                ? !monitor_note_link(executor, item)
                : !monitor_note(executor, item, TRP_MONITORED_BY, number)) {
            trp_actor_table_last_exit(
                &executor->actors, item->envelope->to_index, item->envelope->to_generation, &exit);
            trp_monitor_refuse(executor, item, &exit);
        }
        break;
    case SIGNAL_DEMONITOR:
        monitor_forget(executor, item, TRP_MONITORED_BY, number);
        break;
    case SIGNAL_UNLINK:
        monitor_forget(executor, item, TRP_MONITOR_LINK, 0);
        break;
    case SIGNAL_EXIT:
        break;
    }
    return (struct trp_monitor_decision){0};
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
            (void)monitor_send(executor, ended, peer, SIGNAL_DEMONITOR, &body);
        }
    } else {
        told = monitor_send_end(executor, ended, peer, number, exit) == TROUPE_OK;
    }
    if (told) {
        trp_monitor_table_remove(&executor->monitors, list, entry);
        return;
    }
    if (list != &executor->monitors.unsent_first) {
        entry->side = TRP_MONITOR_UNSENT;
        entry->reason = (uint8_t)exit->reason;
        entry->code = exit->code;
        trp_monitor_table_move(&executor->monitors, list, entry, &executor->monitors.unsent_first);
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
    uint32_t *list = &executor->monitors.unsent_first;
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
                             ? &executor->monitors.unsent_first
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

enum troupe_err trp_monitor_undo(troupe_context_t *ctx, struct trp_monitor_entry *entry)
{
    struct troupe_executor *executor = trp_executor_of(ctx);
    troupe_ref_t peer = entry->peer;
    bool is_link = entry->side == TRP_MONITOR_LINK;
    const struct monitor_body body = {.number = is_link ? 0 : entry->number};
    trp_monitor_table_remove(&executor->monitors, &ctx->actor->monitors, entry);
    if (troupe_ref_is_none(peer)) {
        return TROUPE_OK;
    }
    return monitor_send(
        executor, troupe_self(ctx), peer, is_link ? SIGNAL_UNLINK : SIGNAL_DEMONITOR, &body);
}

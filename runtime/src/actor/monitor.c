/*
 * Monitors and links: requests of actors here, and commands of peers.
 *
 *     a monitors b    MONITORS in a's list  --- REQUEST --->  MONITORED_BY in b's list
 *     b ends          a gets a DOWN         <---- EXIT -----  behind b's last message
 *
 * A command travels in the lane of messages, so it never overtakes one. A link has an entry LINK on both sides. Where
 * the monitored actor has ended already, its executor answers with the EXIT; where that executor is gone as well, the
 * executor of the monitoring actor sends the EXIT to itself.
 */
#include "actor/monitor.h"

#include "actor/actor_table.h"
#include "actor/executor.h"
#include "actor/monitor_command.h"
#include "actor/monitor_table.h"
#include "actor/send.h"
#include "base/error.h"
#include "base/memory.h"
#include "channel/channel.h"
#include "channel/channels.h"
#include "shared/shared.h"
#include "shared/slot.h"

#include <string.h>

/* Requests of actors here. ---------------------------------------------------------------------- */

/** Open the channel to an actor that is to be monitored. @return TROUPE_ERR_NOENT when its executor is gone. */
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
        return TRP_EXPLAIN(
            TROUPE_ERR_UNSUPPORTED, "an inbox cannot be monitored: it is not an actor");
    }
    return err;
}

/**
 * Open the channel to itself, by which the exits of a process that died come. It is opened when a monitor is made,
 * since no descriptor may be free later.
 */
static enum troupe_err monitor_open_loop(struct troupe_executor *executor)
{
    return trp_channels_use_remote_loop(&executor->channels) ? TROUPE_OK
                                                             : trp_send_open_loop(executor);
}

/** Add the entry of a monitor or a link of the running actor. @return NULL: no memory. */
static struct trp_monitor_entry *monitor_add(troupe_context_t *ctx, troupe_ref_t peer, bool is_link)
{
    const struct trp_monitor_entry like = {
        .side = is_link ? TRP_MONITOR_LINK : TRP_MONITORS,
        .actor_index = trp_context_index(ctx),
        .actor_generation = ctx->actor->generation,
        .peer = peer,
    };
    return trp_monitor_table_add(&trp_executor_of(ctx)->monitors, &ctx->actor->monitors, &like);
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
    struct trp_monitor_entry *entry = monitor_add(ctx, peer, is_link);
    if (entry == NULL) {
        return TRP_EXPLAIN(
            TROUPE_ERR_NOMEM, is_link ? "no memory for a link" : "no memory for a monitor");
    }
    const struct trp_monitor_body body = {.number = entry->number};
    uint64_t number = entry->number;
    if (err == TROUPE_OK) {
        err = trp_monitor_send(
            executor, self, peer, is_link ? TRP_MONITOR_LINK_REQUEST : TRP_MONITOR_REQUEST, &body);
    } else {
        struct troupe_exit exit;
        trp_monitor_last_exit(executor->runtime, peer, &exit);
        err = trp_monitor_send_exit(executor, peer, self, number, &exit);
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

enum troupe_err trp_monitor_undo(troupe_context_t *ctx, struct trp_monitor_entry *entry)
{
    struct troupe_executor *executor = trp_executor_of(ctx);
    troupe_ref_t peer = entry->peer;
    bool is_link = entry->side == TRP_MONITOR_LINK;
    const struct trp_monitor_body body = {.number = is_link ? 0 : entry->number};
    trp_monitor_table_remove(&executor->monitors, &ctx->actor->monitors, entry);
    if (troupe_ref_is_none(peer)) {
        return TROUPE_OK;
    }
    return trp_monitor_send(
        executor, troupe_self(ctx), peer, is_link ? TRP_MONITOR_UNLINK : TRP_MONITOR_UNDO, &body);
}

/* Commands of peers. ---------------------------------------------------------------------------- */

/** Decide how an actor is notified of an exit. */
static struct trp_monitor_decision monitor_decide(
    const struct trp_actor *actor, const struct trp_monitor_body *body)
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
    const struct trp_monitor_body *body = (const void *)item->body;
    uint32_t index = item->envelope->to_index;
    uint32_t generation = item->envelope->to_generation;
    uint32_t *list = trp_monitor_list(executor, index, generation);
    if (list == NULL || generation == 0 || item->body_bytes != sizeof(*body)) {
        return (struct trp_monitor_decision){0};
    }
    const struct trp_monitor_entry link = {
        .side = TRP_MONITOR_LINK,
        .actor_index = index,
        .actor_generation = generation,
        .peer = body->actor,
    };
    struct trp_monitor_entry *entry =
        body->number != 0 ? trp_monitor_table_find(&executor->monitors, body->number)
                          : trp_monitor_table_find_like(&executor->monitors, &link);
    if (entry == NULL || entry->actor_index != index || entry->actor_generation != generation) {
        return (struct trp_monitor_decision){0}; // it was undone while the EXIT was on its way
    }
    trp_monitor_table_remove(&executor->monitors, list, entry);
    return monitor_decide(trp_actor_table_find(&executor->actors, index, generation), body);
}

/** @return what is kept of a peer that monitors the receiver of a command, or links to it. */
static struct trp_monitor_entry monitor_of_peer(
    const struct trp_item *item, enum trp_monitor_side side, uint64_t number)
{
    return (struct trp_monitor_entry){
        .side = (uint8_t)side,
        .actor_index = item->envelope->to_index,
        .actor_generation = item->envelope->to_generation,
        .peer = trp_item_sender(item),
        .number = number,
    };
}

/** Add an entry for a peer that monitors an actor here, or links to it. @return false: that has ended. */
static bool monitor_add_peer(
    struct troupe_executor *executor,
    const struct trp_item *item,
    enum trp_monitor_side side,
    uint64_t number)
{
    uint32_t generation = item->envelope->to_generation;
    uint32_t *list = trp_monitor_list(executor, item->envelope->to_index, generation);
    bool is_over = generation == 0 && executor->channels.ending && executor->actors.live_count == 0;
    if (list == NULL || is_over) {
        return false;
    }
    const struct trp_monitor_entry like = monitor_of_peer(item, side, number);
    if (trp_monitor_table_find_like(&executor->monitors, &like) != NULL) {
        return true;
    }
    uint64_t since_ns = 0;
    while (trp_monitor_table_add(&executor->monitors, list, &like) == NULL) {
        trp_memory_wait(&since_ns); // the peer relies on it
    }
    return true;
}

/** @return whether the process of an actor that requests a link has died, while the request was in a stash. */
static bool monitor_is_dead(struct trp_runtime *runtime, troupe_ref_t peer)
{
    trp_shared_lock(runtime->shared);
    const struct trp_slot *slot = trp_shared_find_slot(runtime->shared, peer.executor);
    bool is_dead = slot == NULL || trp_slot_state(slot) == TRP_SLOT_DEAD;
    trp_shared_unlock(runtime->shared);
    return is_dead;
}

/** As monitor_add_peer(), for a link. If the process of the peer has died meanwhile, its exit is reported. */
static bool monitor_add_linked(struct troupe_executor *executor, const struct trp_item *item)
{
    troupe_ref_t peer = trp_item_sender(item);
    if (!monitor_add_peer(executor, item, TRP_MONITOR_LINK, 0)) {
        return false;
    }
    (void)monitor_open_loop(executor); // if no descriptor is free now, one may be when it is needed
    if (peer.node != executor->node && monitor_is_dead(executor->runtime, peer)) {
        struct troupe_exit exit;
        trp_monitor_last_exit(executor->runtime, peer, &exit);
        troupe_ref_t self =
            trp_actor_ref(executor, item->envelope->to_index, item->envelope->to_generation);
        trp_monitor_send_exit_surely(executor, peer, self, 0, &exit);
    }
    return true;
}

static void monitor_remove_peer(
    struct troupe_executor *executor,
    const struct trp_item *item,
    enum trp_monitor_side side,
    uint64_t number)
{
    uint32_t *list =
        trp_monitor_list(executor, item->envelope->to_index, item->envelope->to_generation);
    const struct trp_monitor_entry like = monitor_of_peer(item, side, number);
    struct trp_monitor_entry *entry =
        list == NULL ? NULL : trp_monitor_table_find_like(&executor->monitors, &like);
    if (entry != NULL) {
        trp_monitor_table_remove(&executor->monitors, list, entry);
    }
}

void trp_monitor_refuse(
    struct troupe_executor *executor, const struct trp_item *item, const struct troupe_exit *exit)
{
    uint32_t type = item->envelope->type;
    if ((type == TRP_MONITOR_REQUEST || type == TRP_MONITOR_LINK_REQUEST) &&
        item->body_bytes == sizeof(uint64_t)) {
        uint64_t number = 0;
        memcpy(&number, item->body, sizeof(number));
        troupe_ref_t actor =
            trp_actor_ref(executor, item->envelope->to_index, item->envelope->to_generation);
        trp_monitor_send_exit_surely(executor, actor, trp_item_sender(item), number, exit);
    }
}

struct trp_monitor_decision trp_monitor_handle(
    struct troupe_executor *executor, const struct trp_item *item)
{
    uint64_t number = 0;
    if (item->envelope->type == TRP_MONITOR_EXIT) {
        return monitor_handle_exit(executor, item);
    }
    if (item->body_bytes != sizeof(number)) {
        return (struct trp_monitor_decision){0};
    }
    memcpy(&number, item->body, sizeof(number));
    struct troupe_exit exit;
    switch ((enum trp_monitor_command)item->envelope->type) {
    case TRP_MONITOR_REQUEST:
    case TRP_MONITOR_LINK_REQUEST:
        if (item->envelope->type == TRP_MONITOR_LINK_REQUEST
                ? !monitor_add_linked(executor, item)
                : !monitor_add_peer(executor, item, TRP_MONITORED_BY, number)) {
            trp_actor_table_last_exit(
                &executor->actors, item->envelope->to_index, item->envelope->to_generation, &exit);
            trp_monitor_refuse(executor, item, &exit);
        }
        break;
    case TRP_MONITOR_UNDO:
        monitor_remove_peer(executor, item, TRP_MONITORED_BY, number);
        break;
    case TRP_MONITOR_UNLINK:
        monitor_remove_peer(executor, item, TRP_MONITOR_LINK, 0);
        break;
    case TRP_MONITOR_EXIT:
    case TRP_MONITOR_PROBE:
        break;
    }
    return (struct trp_monitor_decision){0};
}

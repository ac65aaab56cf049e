/*
 * The life of an actor on its executor: START, messages, end.
 *
 *     START --> init --> mail that came before --> messages ... --> fini --> the row is free
 *                  \                                            ^
 *                   +-- failed: its mail is refused             +-- stop, fail, STOP, system's end
 */
#include "actor/deadlock.h"
#include "actor/executor.h"
#include "actor/monitor.h"
#include "actor/stash.h"
#include "base/clock.h"
#include "base/memory.h"
#include "channel/channel.h"
#include "node/signals.h"
#include "node/system.h"
#include "shared/activity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Messages for nobody. -------------------------------------------------------------------------- */

/** Make dead letters of the last @p count messages of an item. */
static void actor_dead_letter(
    struct troupe_executor *executor,
    struct trp_channel *channel,
    const struct trp_item *item,
    uint32_t count,
    enum troupe_dead_reason reason)
{
    if (!trp_kind_is_counted(item->kind)) {
        return;
    }
    const struct trp_dead dead = {
        .ledger = channel->in_ledger,
        .to = trp_actor_ref(executor, item->envelope->to_index, item->envelope->to_generation),
        .from = trp_item_sender(item),
        .type = item->envelope->type,
        .reason = reason,
        .body_bytes = trp_item_bytes(item),
        .ask = item->kind == TRP_KIND_USER ? item->ask : 0,
    };
    for (uint32_t i = 0; i < count; i++) {
        trp_dead_letter(executor, &dead);
    }
    if (item->given != NULL && item->given->free != NULL) {
        item->given->free(item->given->data, item->given->free_data);
    }
    trp_channel_return_credit(&executor->channels, channel, item, count);
}

static void actor_deliver_notice(
    struct troupe_executor *executor, struct trp_actor *actor, const struct trp_item *item);

/** Meet a message whose actor is not running here. */
static void actor_miss(
    struct troupe_executor *executor, struct trp_channel *channel, const struct trp_item *item)
{
    uint32_t index = item->envelope->to_index;
    uint32_t generation = item->envelope->to_generation;
    const struct trp_actor *actor = trp_actor_table_find(&executor->actors, index, generation);
    bool awaited = actor != NULL
                       ? actor->life == TRP_LIFE_STARTING
                       : trp_actor_table_is_reserved(&executor->actors, index, generation);
    if (awaited && trp_stash_add(executor, channel, item)) {
        return;
    }
    if (item->kind == TRP_KIND_NOTICE && item->ask == 0) {
        actor_deliver_notice(executor, NULL, item);
        return;
    }
    enum troupe_dead_reason reason = TROUPE_DEAD_NO_SUCH_ACTOR;
    if (awaited) {
        reason = TROUPE_DEAD_UNDELIVERABLE; // no memory to hold it
    } else if (trp_actor_table_had(&executor->actors, index, generation)) {
        bool failed = trp_actor_table_refused(&executor->actors, index, generation);
        reason = failed ? TROUPE_DEAD_UNDELIVERABLE : TROUPE_DEAD_STOPPED;
    }
    actor_dead_letter(executor, channel, item, item->count, reason);
}

/** Defer the last @p count messages of an item until its actor has the answer it waits for. */
static void actor_defer(
    struct troupe_executor *executor,
    struct trp_channel *channel,
    struct trp_actor *actor,
    const struct trp_item *item,
    uint32_t count)
{
    struct trp_item rest = *item;
    rest.count = count;
    rest.body += (size_t)(item->count - count) * trp_pad8(item->body_bytes);
    if (!trp_stash_defer(executor, channel, actor, &rest)) {
        actor_dead_letter(executor, channel, &rest, count, TROUPE_DEAD_UNDELIVERABLE);
    }
}

/* Callbacks. ------------------------------------------------------------------------------------ */

static inline void actor_enter(
    struct troupe_executor *executor, struct trp_actor *actor, uint64_t place, uint32_t type)
{
    trp_activity_begin(executor->slot, &executor->activity_count, (uint32_t)place, type);
    executor->context.actor = actor;
    executor->context.place = place;
}

/** The callback returned. */
static inline void actor_exit(struct troupe_executor *executor)
{
    executor->context.actor = NULL;
    executor->context.place = 0;
    trp_activity_end(executor->slot);
}

/** End whom a callback asked to end. @return whether its own actor still runs. */
static bool actor_end_some(
    struct troupe_executor *executor, struct trp_actor *actor, uint64_t place)
{
    bool runs = trp_actor_runs(actor);
    if (!runs && actor->life != TRP_LIFE_WAITING) {
        struct troupe_exit exit = executor->context.exit;
        trp_actor_end(executor, actor, (uint32_t)place, &exit);
    }
    if (executor->stop_count > 0) {
        trp_actor_run_stops(executor);
        runs = runs && actor->generation == place >> 32 && trp_actor_runs(actor);
    }
    return runs;
}

/** Now and then send on what has waited for long. */
static inline void actor_flush_old(struct troupe_executor *executor)
{
    if (executor->channels.dirty != NULL && (++executor->callback_count & 15) == 0) {
        trp_channels_flush_old(&executor->channels);
    }
}

/** @return whether a callback left to do what actor_end_some() does. */
static inline bool actor_left_some(
    const struct troupe_executor *executor, const struct trp_actor *actor)
{
    return TRP_UNLIKELY(actor->life != TRP_LIFE_RUNNING) || TRP_UNLIKELY(executor->stop_count > 0);
}

/** Look after what a callback left to do. @return whether the actor still runs. */
static inline bool actor_leave(
    struct troupe_executor *executor, struct trp_actor *actor, uint64_t place)
{
    actor_exit(executor);
    bool runs = !actor_left_some(executor, actor) || actor_end_some(executor, actor, place);
    actor_flush_old(executor);
    return runs;
}

/** One message more of a channel was handled. */
static inline void actor_count_handled(
    struct troupe_executor *executor, struct trp_channel *channel)
{
    trp_count(&channel->in_ledger->handled, 1);
    executor->handled_count++;
}

/** Have the actor meet the one message of an item. @param channel  That counts it; NULL: it is not counted. */
static void actor_receive(
    struct troupe_executor *executor,
    struct trp_channel *channel,
    struct trp_actor *actor,
    const struct trp_item *item)
{
    uint64_t place = trp_actor_key(item->envelope->to_index, item->envelope->to_generation);
    struct troupe_body body = trp_item_body(item, 0);
    struct troupe_message message = {
        .type = item->envelope->type,
        .given = item->given != NULL,
        .ask = item->ask,
        .expires_ns = item->expires_ns,
        .sender = trp_item_sender(item),
        .body = &body,
    };
    if (channel != NULL) {
        trp_ledger_start(channel->in_ledger, 1);
    }
    actor_enter(executor, actor, place, message.type);
    executor->context.behalf = (struct troupe_reply_to){message.sender, message.ask};
    actor->behaviour->receive(&executor->context, actor->state, &message);
    executor->context.behalf.ask = 0;
    (void)actor_leave(executor, actor, place);
    if (channel != NULL) {
        actor_count_handled(executor, channel);
    }
    if (TRP_UNLIKELY(message.given)) {
        troupe_body_free(&body);
    }
}

/** Have an actor meet a message that has a body and nothing else. @return whether it still runs. */
TRP_INLINE bool actor_receive_plain(
    struct troupe_executor *executor,
    struct trp_channel *channel,
    struct trp_actor *actor,
    uint64_t place,
    uint32_t type,
    const troupe_message_t *message)
{
    bool runs = true;
    trp_ledger_start(channel->in_ledger, 1);
    actor_enter(executor, actor, place, type);
    actor->behaviour->receive(&executor->context, actor->state, message);
    // Where nothing is left to do, another of these may follow at once, and begins where this one ended.
    if (actor_left_some(executor, actor)) {
        place = executor->context.place; // not held over the call
        actor_exit(executor);
        runs = actor_end_some(executor, actor, place);
    }
    actor_flush_old(executor);
    actor_count_handled(executor, channel);
    return runs;
}

/** Have the actor meet the messages of a run, until it stops. @return how many it met. */
static uint32_t actor_receive_run(
    struct troupe_executor *executor,
    struct trp_channel *channel,
    struct trp_actor *actor,
    const struct trp_item *run)
{
    uint64_t place = trp_actor_key(run->envelope->to_index, run->envelope->to_generation);
    size_t stride = trp_pad8(run->body_bytes);
    struct troupe_body body = trp_item_body(run, 0);
    struct troupe_message message = {
        .type = run->envelope->type,
        .sender = trp_item_sender(run),
        .body = &body,
    };
    uint8_t *at = body.data;
    uint32_t left = run->count;
    bool runs = true;
    do {
        if (stride != 0) {
            body.data = at; // the size again, too: a body may have been taken out
            body.bytes = run->body_bytes;
            at += stride;
        }
        runs = actor_receive_plain(executor, channel, actor, place, message.type, &message);
    } while (--left != 0 && runs);
    actor_exit(executor);
    return run->count - left;
}

/** Let an item's messages but the first @p met be: its actor has ended, or waits. */
static void actor_pass_over(
    struct troupe_executor *executor,
    struct trp_channel *channel,
    const struct trp_item *item,
    uint32_t met)
{
    struct trp_actor *actor = trp_actor_table_find(
        &executor->actors, item->envelope->to_index, item->envelope->to_generation);
    if (actor != NULL && actor->life == TRP_LIFE_WAITING) {
        actor_defer(executor, channel, actor, item, item->count - met);
    } else {
        actor_dead_letter(executor, channel, item, item->count - met, TROUPE_DEAD_STOPPED);
    }
}

void trp_actor_deliver_plain(
    struct troupe_executor *executor, struct trp_channel *channel, struct trp_cursor *cursor)
{
    struct troupe_body body = {0};
    struct troupe_message message = {.body = &body};
    memcpy(&message.sender.node, &cursor->node, 2 * sizeof(uint32_t));
    size_t bytes = 0;
    while ((bytes = trp_frame_peek_plain(cursor)) != 0) {
        const struct trp_envelope *envelope = (const void *)cursor->at;
        struct trp_actor *actor =
            trp_actor_table_find(&executor->actors, envelope->to_index, envelope->to_generation);
        if (TRP_UNLIKELY(
                actor == NULL || actor->life != TRP_LIFE_RUNNING ||
                envelope->from_generation == 0)) {
            break;
        }
        uint32_t size = envelope->tag;
        union { // a body's bytes belong to who owns the frame
            const void *read_only;
            void *data;
        } at = {.read_only = size != 0 ? envelope + 1 : NULL};
        body.data = at.data;
        body.bytes = size;
        message.type = envelope->type;
        // Written in the two steps in which it is read: the processor waits for a read of two writes.
        memcpy(&message.sender.index, &envelope->from_index, 2 * sizeof(uint32_t));
        uint64_t place = trp_actor_key(envelope->to_index, envelope->to_generation);
        cursor->at += bytes;
        (void)actor_receive_plain(executor, channel, actor, place, message.type, &message);
        trp_channel_owe(&executor->channels, channel, 1, size);
        channel->received_count++;
    }
    actor_exit(executor);
}

static void actor_replay(struct troupe_executor *executor, uint32_t index, uint32_t generation);

/** Hand the answer of an ask to who asked. @return false: nobody waits for it. */
static bool actor_deliver_reply(
    struct troupe_executor *executor,
    struct trp_channel *channel,
    struct trp_actor *actor,
    const struct trp_item *item)
{
    struct trp_ask ask;
    if (!trp_asks_take(&executor->asks, item->ask, &ask)) {
        return false;
    }
    free(trp_timer_heap_cancel(&executor->timers, ask.timer));
    struct troupe_body body = trp_item_body(item, 0);
    struct troupe_message message = {
        .type = item->envelope->type,
        .given = item->given != NULL,
        .sender = trp_item_sender(item),
        .body = &body,
    };
    bool failed = (item->flags & TRP_FLAG_FAILED) != 0;
    if (failed) {
        const struct trp_ask_failure failure = trp_item_failure(item);
        (void)trp_ask_explain((enum troupe_err)item->envelope->type, &failure);
    }
    bool counted = item->kind == TRP_KIND_REPLY;
    uint64_t place = trp_actor_key(item->envelope->to_index, item->envelope->to_generation);
    if (counted) {
        trp_ledger_start(channel->in_ledger, 1);
    }
    uint32_t callback =
        failed ? (uint32_t)TRP_CALLBACK_FAILED_ASK : message.type | TRP_CALLBACK_REPLY;
    actor_enter(executor, actor, place, callback);
    trp_deadlock_end_wait(executor, actor, &ask);
    ask.on_reply(
        &executor->context,
        actor->state,
        ask.tag,
        failed ? (enum troupe_err)item->envelope->type : TROUPE_OK,
        failed ? NULL : &message);
    executor->context.behalf.ask = 0;
    (void)actor_leave(executor, actor, place);
    if (counted) {
        actor_count_handled(executor, channel);
    }
    if (message.given) {
        troupe_body_free(&body);
    }
    actor_replay(executor, item->envelope->to_index, item->envelope->to_generation);
    return true;
}

/** Have an actor that waits no more meet what was deferred, until it waits again. */
static void actor_replay(struct troupe_executor *executor, uint32_t index, uint32_t generation)
{
    struct trp_actor *actor = NULL;
    while ((actor = trp_actor_table_find(&executor->actors, index, generation)) != NULL &&
           actor->stash != NULL && trp_actor_runs(actor)) {
        struct trp_stash_entry *stash = actor->stash;
        actor->stash = stash->next;
        executor->replayed = stash;
        trp_actor_deliver(executor, executor->channels.loop, &stash->item);
        executor->replayed = NULL;
        trp_stash_release(executor, stash);
        free(stash);
    }
}

/** Have the actor meet a notice; @p actor NULL: it is gone. With a ROOM goes the credit to use it. */
static void actor_deliver_notice(
    struct troupe_executor *executor, struct trp_actor *actor, const struct trp_item *item)
{
    bool is_room = item->envelope->type == TROUPE_MESSAGE_ROOM &&
                   item->body_bytes == sizeof(struct troupe_room);
    const struct troupe_room *room = (const void *)item->body;
    if (is_room) {
        trp_channel_begin_room(&executor->channels, room->to.executor);
    }
    if (actor != NULL) {
        actor_receive(executor, NULL, actor, item);
        actor_replay(executor, item->envelope->to_index, item->envelope->to_generation);
    }
    if (is_room) {
        trp_channel_end_room(&executor->channels, room->to.executor);
    }
}

void trp_actor_fail_ask(
    struct troupe_executor *executor,
    struct trp_actor *actor,
    uint32_t index,
    const struct trp_ask *ask,
    enum troupe_err err)
{
    uint32_t generation = actor->generation;
    uint64_t place = trp_actor_key(index, generation);
    actor_enter(executor, actor, place, TRP_CALLBACK_FAILED_ASK);
    trp_deadlock_end_wait(executor, actor, ask);
    ask->on_reply(&executor->context, actor->state, ask->tag, err, NULL);
    executor->context.behalf.ask = 0;
    (void)actor_leave(executor, actor, place);
    actor_replay(executor, index, generation);
}

void trp_actor_deliver(
    struct troupe_executor *executor, struct trp_channel *channel, const struct trp_item *item)
{
    struct trp_actor *actor = trp_actor_table_find(
        &executor->actors, item->envelope->to_index, item->envelope->to_generation);
    if (TRP_UNLIKELY(actor == NULL || !trp_actor_is_up(actor))) {
        actor_miss(executor, channel, item);
        return;
    }
    bool is_reply =
        item->kind == TRP_KIND_REPLY || (item->kind == TRP_KIND_NOTICE && item->ask != 0);
    if (TRP_UNLIKELY(is_reply)) {
        if (!actor_deliver_reply(executor, channel, actor, item)) {
            actor_dead_letter(executor, channel, item, item->count, TROUPE_DEAD_LATE_REPLY);
        }
        return;
    }
    if (TRP_UNLIKELY(item->kind == TRP_KIND_NOTICE)) {
        actor_deliver_notice(executor, actor, item);
        return;
    }
    if (TRP_UNLIKELY(item->expires_ns != 0) &&
        trp_executor_now(executor) >= trp_item_expiry(executor, item)) {
        actor_dead_letter(executor, channel, item, item->count, TROUPE_DEAD_EXPIRED);
        return;
    }
    uint32_t met = 0;
    if (item->count > 1 && trp_actor_runs(actor)) {
        met = actor_receive_run(executor, channel, actor, item);
    } else if (trp_actor_runs(actor)) {
        actor_receive(executor, channel, actor, item);
        met = 1;
    }
    trp_channel_return_credit(&executor->channels, channel, item, met);
    if (TRP_UNLIKELY(met < item->count)) {
        actor_pass_over(executor, channel, item, met);
    }
}

void trp_actor_notify(
    struct troupe_executor *executor,
    struct trp_actor *actor,
    uint32_t index,
    uint32_t type,
    const void *body,
    uint32_t body_bytes)
{
    const struct trp_envelope envelope = {
        .to_index = index,
        .to_generation = actor->generation,
        .type = type,
    };
    const struct trp_item item = {
        .envelope = &envelope,
        .body = body,
        .body_bytes = body_bytes,
        .count = 1,
        .kind = TRP_KIND_NOTICE,
    };
    if (actor->life == TRP_LIFE_WAITING) {
        actor_defer(
            executor, executor->channels.loop, actor, &item, 1); // behind the messages before it
    } else {
        actor_receive(executor, NULL, actor, &item);
    }
}

void trp_actor_handle_monitor(struct troupe_executor *executor, const struct trp_item *item)
{
    uint32_t index = item->envelope->to_index;
    uint32_t generation = item->envelope->to_generation;
    const struct trp_actor *actor = trp_actor_table_find(&executor->actors, index, generation);
    bool awaited = actor != NULL
                       ? actor->life == TRP_LIFE_STARTING
                       : trp_actor_table_is_reserved(&executor->actors, index, generation);
    if (!awaited || !trp_stash_add(executor, executor->channels.loop, item)) {
        trp_monitor_handle(executor, item);
    }
}

/* Start. ---------------------------------------------------------------------------------------- */

/** Meet what came before the actor, or bury it if @p refusal says why it did not start. */
static void actor_deliver_stash(
    struct troupe_executor *executor,
    struct trp_stash_entry *stash,
    const struct troupe_exit *refusal)
{
    while (stash != NULL) {
        struct trp_stash_entry *next = stash->next;
        trp_stash_release(executor, stash);
        if (stash->item.kind == TRP_KIND_MONITOR && refusal != NULL) {
            trp_monitor_refuse(executor, &stash->item, refusal);
        } else if (stash->item.kind == TRP_KIND_MONITOR) {
            trp_monitor_handle(executor, &stash->item);
        } else if (refusal != NULL) {
            actor_dead_letter(
                executor,
                executor->channels.loop,
                &stash->item,
                stash->item.count,
                TROUPE_DEAD_UNDELIVERABLE);
        } else if (stash->item.kind == TRP_KIND_STOP) {
            trp_actor_handle_stop(executor, &stash->item);
        } else {
            trp_actor_deliver(executor, executor->channels.loop, &stash->item);
        }
        free(stash);
        stash = next;
    }
}

/** Give a starting actor what its START says. @return false: no memory. */
static bool actor_equip(
    struct troupe_executor *executor,
    struct trp_actor *actor,
    const struct trp_start *start,
    const char *name,
    uint32_t behaviour_index)
{
    actor->behaviour = executor->runtime->behaviours[behaviour_index];
    if (start->name_bytes != 0) {
        actor->name = calloc(1, (size_t)start->name_bytes + 1);
        if (actor->name == NULL) {
            return false;
        }
        memcpy(actor->name, name, start->name_bytes);
    }
    return trp_actor_table_add_state(
        &executor->actors, actor, (uint16_t)behaviour_index, actor->behaviour->state_bytes);
}

/** Let the backend forget what it keeps for an actor. */
static void actor_notify_backend(struct troupe_executor *executor, uint32_t index)
{
    if (executor->ops != NULL && executor->ops->actor_ended != NULL) {
        executor->ops->actor_ended(executor->backend_self, executor, index);
    }
}

/** Have nobody find an actor any more, tell its end, and free its row. */
static void actor_free(
    struct troupe_executor *executor,
    struct trp_actor *actor,
    uint32_t index,
    const struct troupe_exit *exit)
{
    troupe_ref_t ref = trp_actor_ref(executor, index, actor->generation);
    if ((actor->flags & TRP_ACTOR_NAMED) != 0) {
        (void)trp_names_remove(executor->runtime->shared, NULL, ref);
    }
    if ((actor->flags & TRP_ACTOR_SUBSCRIBED) != 0) {
        trp_subscribers_remove(executor->runtime->shared, ref);
    }
    if ((actor->flags & TRP_ACTOR_SIGNALS) != 0) {
        executor->runtime->ops->forget_signals(executor->runtime, ref);
    }
    trp_monitor_notify(executor, actor, index, exit);
    actor_notify_backend(executor, index);
    trp_actor_table_remove(&executor->actors, actor, index);
    trp_actor_table_note_exit(actor, exit);
}

/** The actor could not start: tell why, refuse its mail, free its row. */
static void actor_fail_start(
    struct troupe_executor *executor,
    struct trp_actor *actor,
    uint32_t index,
    const struct troupe_exit *exit)
{
    troupe_ref_t ref = trp_actor_ref(executor, index, actor->generation);
    struct trp_stash_entry *stash = actor->stash;
    actor->stash = NULL;
    trp_count(&executor->counters->actors_failed, 1);
    actor_free(executor, actor, index, exit);
    actor->flags |= TRP_ACTOR_FAILED;
    actor_deliver_stash(executor, stash, exit);
    executor->runtime->ops->actor_ended(executor->runtime, ref, exit);
    if (executor->dedicated) {
        trp_executor_note_exit(executor, exit);
        trp_executor_note_failed(executor);
        trp_executor_end_if_done(executor);
    }
}

static enum troupe_err actor_init(
    struct troupe_executor *executor,
    struct trp_actor *actor,
    uint32_t index,
    const void *args,
    size_t args_bytes)
{
    if (actor->behaviour->init == NULL) {
        return TROUPE_OK;
    }
    actor_enter(executor, actor, trp_actor_key(index, actor->generation), TRP_CALLBACK_INIT);
    executor->context.exit = (struct troupe_exit){.reason = TROUPE_EXIT_NORMAL};
    enum troupe_err err =
        actor->behaviour->init(&executor->context, actor->state, args, args_bytes);
    actor_exit(executor);
    return err;
}

/** @return whether a START is all there, and about something this system knows. */
static bool actor_start_is_valid(
    const struct troupe_executor *executor, const struct trp_item *item)
{
    const struct trp_start *start = (const void *)item->body;
    return item->given == NULL && item->body_bytes >= sizeof(*start) &&
           (start->behaviour_bytes != 0 ||
            start->behaviour_index < executor->runtime->behaviour_count) &&
           start->name_bytes <= item->body_bytes && start->args_bytes <= item->body_bytes &&
           start->behaviour_bytes <= item->body_bytes &&
           sizeof(*start) + trp_pad8(start->name_bytes) + trp_pad8(start->behaviour_bytes) +
                   start->args_bytes <=
               item->body_bytes;
}

/** @return which behaviour a START is about; UINT32_MAX: none that this process knows. */
static uint32_t actor_find_behaviour(
    const struct trp_runtime *runtime, const struct trp_start *start, const char *name)
{
    if (start->behaviour_bytes == 0) {
        return start->behaviour_index;
    }
    for (uint32_t i = 0; i < runtime->behaviour_count; i++) {
        const char *known = runtime->behaviours[i]->name;
        if (strlen(known) == start->behaviour_bytes &&
            memcmp(known, name, start->behaviour_bytes) == 0) {
            return i;
        }
    }
    return UINT32_MAX;
}

/** @return the row of who is to start; NULL: it was never reserved, or its tenant is gone. */
static struct trp_actor *actor_claim(
    struct troupe_executor *executor, uint32_t index, uint32_t generation)
{
    struct trp_actor *actor = trp_actor_table_find(&executor->actors, index, generation);
    if (actor != NULL) {
        return actor;
    }
    uint64_t since_ns = 0;
    while (trp_actor_table_is_reserved(&executor->actors, index, generation) &&
           trp_actor_table_make_row(&executor->actors, index) == NULL) {
        trp_memory_wait(&since_ns); // without a row nobody could be told how it ended
    }
    return trp_actor_table_claim(&executor->actors, index, generation);
}

/** Have an actor begin as its START says. @return false: *out_exit says why it cannot. */
static bool actor_begin(
    struct troupe_executor *executor,
    struct trp_actor *actor,
    uint32_t index,
    const struct trp_start *start,
    struct troupe_exit *out_exit)
{
    const char *name = (const char *)(start + 1);
    const char *behaviour_name = name + trp_pad8(start->name_bytes);
    const char *args = behaviour_name + trp_pad8(start->behaviour_bytes);
    uint32_t behaviour = actor_find_behaviour(executor->runtime, start, behaviour_name);
    if (executor->channels.ending) {
        *out_exit = (struct troupe_exit){.reason = TROUPE_EXIT_SHUTDOWN};
        return false;
    }
    if (behaviour == UINT32_MAX) {
        *out_exit =
            (struct troupe_exit){.reason = TROUPE_EXIT_INIT_FAILED, .code = TROUPE_ERR_NOENT};
        (void)snprintf(
            out_exit->text,
            sizeof(out_exit->text),
            "the program of its process has no behaviour '%.*s'",
            (int)start->behaviour_bytes,
            behaviour_name);
        return false;
    }
    if (!actor_equip(executor, actor, start, name, behaviour)) {
        *out_exit = (struct troupe_exit){.reason = TROUPE_EXIT_OUT_OF_MEMORY};
        return false;
    }
    enum troupe_err err =
        actor_init(executor, actor, index, start->args_bytes != 0 ? args : NULL, start->args_bytes);
    if (err != TROUPE_OK) {
        *out_exit = (struct troupe_exit){.reason = TROUPE_EXIT_INIT_FAILED, .code = (int)err};
        (void)snprintf(out_exit->text, sizeof(out_exit->text), "%s", troupe_strerror(err));
    }
    return err == TROUPE_OK;
}

void trp_actor_start(struct troupe_executor *executor, const struct trp_item *item)
{
    uint32_t index = item->envelope->to_index;
    struct trp_actor *actor = NULL;
    if (actor_start_is_valid(executor, item)) {
        actor = actor_claim(executor, index, item->envelope->to_generation);
    }
    if (actor == NULL) {
        trp_count(&executor->counters->actors_failed, 1);
        return;
    }
    struct troupe_exit exit;
    if (!actor_begin(executor, actor, index, (const void *)item->body, &exit)) {
        actor_fail_start(executor, actor, index, &exit);
        return;
    }
    // What it asked for in its init: to stop, or to wait for an answer.
    if (actor->life == TRP_LIFE_STARTING) {
        trp_actor_table_set_running(&executor->actors, actor);
    }
    trp_actor_table_enlist(&executor->actors, actor, index);
    trp_count(&executor->counters->actors_started, 1);
    struct trp_stash_entry *stash = actor->stash;
    actor->stash = NULL;
    if (actor_leave(executor, actor, trp_actor_key(index, actor->generation)) || stash != NULL) {
        actor_deliver_stash(executor, stash, NULL);
    }
}

/** Bury what was deferred for an actor that has ended. */
static void actor_dead_letter_stash(struct troupe_executor *executor, struct trp_stash_entry *stash)
{
    while (stash != NULL) {
        struct trp_stash_entry *next = stash->next;
        trp_stash_release(executor, stash);
        actor_dead_letter(
            executor,
            executor->channels.loop,
            &stash->item,
            stash->item.count,
            TROUPE_DEAD_STOPPED);
        free(stash);
        stash = next;
    }
}

/* End. ------------------------------------------------------------------------------------------ */

void trp_actor_end(
    struct troupe_executor *executor,
    struct trp_actor *actor,
    uint32_t index,
    const struct troupe_exit *exit)
{
    troupe_ref_t ref = trp_actor_ref(executor, index, actor->generation);
    actor->life = TRP_LIFE_STOPPING;
    if (actor->behaviour->fini != NULL && exit->reason != TROUPE_EXIT_KILLED) {
        actor_enter(executor, actor, trp_actor_key(index, actor->generation), TRP_CALLBACK_FINI);
        actor->behaviour->fini(&executor->context, actor->state, exit);
        actor_exit(executor);
    }
    struct trp_stash_entry *stash = actor->stash;
    actor->stash = NULL;
    actor_free(executor, actor, index, exit);
    trp_count(&executor->counters->actors_ended, 1);
    actor_dead_letter_stash(executor, stash);
    executor->runtime->ops->actor_ended(executor->runtime, ref, exit);
    if (executor->dedicated) {
        trp_executor_note_exit(executor, exit);
    }
    trp_executor_end_if_done(executor);
}

void trp_actor_handle_stop(struct troupe_executor *executor, const struct trp_item *item)
{
    uint32_t index = item->envelope->to_index;
    uint32_t generation = item->envelope->to_generation;
    struct trp_actor *actor = trp_actor_table_find(&executor->actors, index, generation);
    if (actor != NULL && trp_actor_is_up(actor)) {
        bool killed = item->envelope->type == TROUPE_EXIT_KILLED;
        const struct troupe_exit exit = {
            .reason = killed ? TROUPE_EXIT_KILLED : TROUPE_EXIT_SHUTDOWN,
        };
        trp_actor_end(executor, actor, index, &exit);
    } else if (
        (actor != NULL && actor->life == TRP_LIFE_STARTING) ||
        trp_actor_table_is_reserved(&executor->actors, index, generation)) {
        (void)trp_stash_add(executor, executor->channels.loop, item);
    }
}

void trp_actor_handle_check_alive(struct troupe_executor *executor, const struct trp_item *item)
{
    uint32_t index = item->envelope->to_index;
    uint32_t generation = item->envelope->to_generation;
    if (trp_actor_table_find(&executor->actors, index, generation) != NULL ||
        trp_actor_table_is_reserved(&executor->actors, index, generation)) {
        return; // its end will be told
    }
    bool failed = trp_actor_table_had(&executor->actors, index, generation) &&
                  trp_actor_table_refused(&executor->actors, index, generation);
    const struct troupe_exit exit = {
        .reason = failed ? TROUPE_EXIT_INIT_FAILED : TROUPE_EXIT_NORMAL,
        .text = "ended before it became the root actor",
    };
    executor->runtime->ops->actor_ended(
        executor->runtime, trp_actor_ref(executor, index, generation), &exit);
}

void trp_actor_run_stops(struct troupe_executor *executor)
{
    // A fini may ask for more: they are met in this same round.
    for (uint32_t i = 0; i < executor->stop_count; i++) {
        const struct trp_envelope envelope = {
            .to_index = executor->stops[i].index,
            .to_generation = executor->stops[i].generation,
            .type = executor->stops[i].reason,
        };
        const struct trp_item item = {
            .envelope = &envelope,
            .count = 1,
            .kind = TRP_KIND_STOP,
        };
        trp_actor_handle_stop(executor, &item);
    }
    executor->stop_count = 0;
}

void trp_actor_drop_stash(struct troupe_executor *executor)
{
    const struct troupe_exit exit = {.reason = TROUPE_EXIT_SHUTDOWN};
    uint32_t row_count = atomic_load_explicit(executor->actors.row_count, memory_order_relaxed);
    for (uint32_t index = 0; executor->stash_count > 0 && index < row_count; index++) {
        struct trp_actor *actor = trp_actor_table_try_row(&executor->actors, index);
        if (actor != NULL && actor->stash != NULL) {
            struct trp_stash_entry *stash = actor->stash;
            actor->stash = NULL;
            actor_deliver_stash(executor, stash, &exit);
        }
    }
}

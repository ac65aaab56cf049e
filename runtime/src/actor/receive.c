/*
 * Delivery of messages to actors.
 *
 *     deliver_plain   small messages of a frame, in a loop: the common case
 *     deliver         everything else, one item at a time: runs, replies, notices, messages with a time to live
 *     handle_monitor  what the commands of monitors decide: a notice, an end, a failed ask
 *
 * A message is counted as started before its callback, and as handled after everything that the callback left to do,
 * so that after a crash exactly the message that was in progress is unknown. Its credit is returned at the same time.
 *
 * When the reply to an exclusive ask has been handled, what was stashed meanwhile is replayed, up to the next such ask.
 */
#include "actor/receive.h"

#include "actor/actor_table.h"
#include "actor/asks.h"
#include "actor/callback.h"
#include "actor/dead_letter.h"
#include "actor/deadlock.h"
#include "actor/end.h"
#include "actor/executor.h"
#include "actor/monitor.h"
#include "actor/monitor_command.h"
#include "actor/send.h"
#include "actor/stash.h"
#include "actor/timer_list.h"
#include "base/counter.h"
#include "channel/channel.h"
#include "channel/grant.h"
#include "channel/writable.h"
#include "shared/activity.h"
#include "shared/ledger.h"
#include "wire/format.h"
#include "wire/frame_read.h"
#include "wire/frame_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Messages without a running receiver. ---------------------------------------------------------- */

static void receive_deliver_notice(
    struct troupe_executor *executor, struct trp_actor *actor, const struct trp_item *item);

/** Handle a message whose actor does not run here: stash it, or make dead letters of it. */
static void receive_miss(
    struct troupe_executor *executor, struct trp_channel *channel, const struct trp_item *item)
{
    uint32_t index = item->envelope->to_index;
    uint32_t generation = item->envelope->to_generation;
    bool is_starting = trp_actor_table_is_starting(&executor->actors, index, generation);
    if (is_starting && trp_stash_add(executor, channel, item)) {
        return;
    }
    if (item->kind == TRP_KIND_NOTICE && item->ask == 0) {
        receive_deliver_notice(executor, NULL, item);
        return;
    }
    enum troupe_dead_reason reason = TROUPE_DEAD_NO_SUCH_ACTOR;
    if (is_starting) {
        reason = TROUPE_DEAD_UNDELIVERABLE; // no memory for a stash entry
    } else if (trp_actor_table_had(&executor->actors, index, generation)) {
        bool failed = trp_actor_table_failed(&executor->actors, index, generation);
        reason = failed ? TROUPE_DEAD_UNDELIVERABLE : TROUPE_DEAD_STOPPED;
    }
    trp_dead_letter_item(executor, channel, item, item->count, reason);
}

/** Defer the last @p count messages of an item until its actor has the reply that it waits for. */
static void receive_defer(
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
        trp_dead_letter_item(executor, channel, &rest, count, TROUPE_DEAD_UNDELIVERABLE);
    }
}

/* Callbacks. ------------------------------------------------------------------------------------ */

/** Count one message of a channel as handled. */
static inline void receive_count_handled(
    struct troupe_executor *executor, struct trp_channel *channel)
{
    trp_count(&channel->in_ledger->handled, 1);
    executor->handled_count++;
}

/** Call `receive` with the one message of an item. @param channel  Counts it; NULL: it is not counted. */
static void receive_one(
    struct troupe_executor *executor,
    struct trp_channel *channel,
    struct trp_actor *actor,
    const struct trp_item *item)
{
    uint64_t actor_key = trp_actor_key(item->envelope->to_index, item->envelope->to_generation);
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
    trp_callback_enter(executor, actor, actor_key, message.type);
    executor->context.unanswered = (struct troupe_reply_to){message.sender, message.ask};
    actor->behaviour->receive(&executor->context, actor->state, &message);
    executor->context.unanswered.ask = 0;
    (void)trp_actor_leave(executor, actor, actor_key);
    if (channel != NULL) {
        receive_count_handled(executor, channel);
    }
    if (TRP_UNLIKELY(message.given)) {
        troupe_body_free(&body);
    }
}

/** Call `receive` with a message that is nothing but a body. @return whether the actor still runs. */
TRP_INLINE bool receive_plain(
    struct troupe_executor *executor,
    struct trp_channel *channel,
    struct trp_actor *actor,
    uint64_t actor_key,
    uint32_t type,
    const troupe_message_t *message)
{
    bool runs = true;
    trp_ledger_start(channel->in_ledger, 1);
    trp_callback_enter(executor, actor, actor_key, type);
    actor->behaviour->receive(&executor->context, actor->state, message);
    // In the common case nothing is left to do, and the next callback may begin at once: the caller exits this one.
    if (trp_actor_is_unsettled(executor, actor)) {
        actor_key =
            executor->context.actor_key; // read again, rather than kept in a register over the call
        trp_callback_exit(executor);
        runs = trp_actor_settle(executor, actor, actor_key);
    }
    trp_actor_flush_old(executor);
    receive_count_handled(executor, channel);
    return runs;
}

/** Call `receive` with the messages of a run, until the actor stops. @return how many it handled. */
static uint32_t receive_run(
    struct troupe_executor *executor,
    struct trp_channel *channel,
    struct trp_actor *actor,
    const struct trp_item *run)
{
    uint64_t actor_key = trp_actor_key(run->envelope->to_index, run->envelope->to_generation);
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
            body.data = at; // the size as well: the callback may have taken the body out
            body.bytes = run->body_bytes;
            at += stride;
        }
        runs = receive_plain(executor, channel, actor, actor_key, message.type, &message);
    } while (--left != 0 && runs);
    trp_callback_exit(executor);
    return run->count - left;
}

/** The actor of an item has ended, or waits: make dead letters of the messages behind the first ones, or defer them. */
static void receive_drop_rest(
    struct troupe_executor *executor,
    struct trp_channel *channel,
    const struct trp_item *item,
    uint32_t handled)
{
    struct trp_actor *actor = trp_actor_table_find(
        &executor->actors, item->envelope->to_index, item->envelope->to_generation);
    if (actor != NULL && actor->life == TRP_LIFE_WAITING) {
        receive_defer(executor, channel, actor, item, item->count - handled);
    } else {
        trp_dead_letter_item(executor, channel, item, item->count - handled, TROUPE_DEAD_STOPPED);
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
        union { // callbacks get the bytes of the frame, which they may change
            const void *read_only;
            void *data;
        } at = {.read_only = size != 0 ? envelope + 1 : NULL};
        body.data = at.data;
        body.bytes = size;
        message.type = envelope->type;
        // Written in the same two parts in which it is read: a read that spans two writes stalls the processor.
        memcpy(&message.sender.index, &envelope->from_index, 2 * sizeof(uint32_t));
        uint64_t actor_key = trp_actor_key(envelope->to_index, envelope->to_generation);
        cursor->at += bytes;
        (void)receive_plain(executor, channel, actor, actor_key, message.type, &message);
        trp_channel_owe(&executor->channels, channel, 1, size);
        channel->received_count++;
    }
    trp_callback_exit(executor);
}

static void receive_replay(struct troupe_executor *executor, uint32_t index, uint32_t generation);

/** Call `on_reply` of an ask that was removed from the table; @p message NULL: the ask failed. */
static void receive_end_ask(
    struct troupe_executor *executor,
    struct trp_actor *actor,
    uint64_t actor_key,
    const struct trp_ask *ask,
    enum troupe_err err,
    const troupe_message_t *message)
{
    uint32_t callback =
        message == NULL ? (uint32_t)TRP_CALLBACK_FAILED_ASK : message->type | TRP_CALLBACK_REPLY;
    trp_callback_enter(executor, actor, actor_key, callback);
    trp_deadlock_end_wait(executor, actor, ask);
    ask->on_reply(&executor->context, actor->state, ask->tag, err, message);
    executor->context.unanswered.ask = 0;
    (void)trp_actor_leave(executor, actor, actor_key);
}

/** Deliver the reply to an ask, or its failure. @return false: the ask has ended. */
static bool receive_deliver_reply(
    struct troupe_executor *executor,
    struct trp_channel *channel,
    struct trp_actor *actor,
    const struct trp_item *item)
{
    struct trp_ask ask;
    if (!trp_asks_take(&executor->asks, item->ask, &ask)) {
        return false;
    }
    (void)trp_actor_timer_cancel(executor, ask.timer);
    struct troupe_body body = trp_item_body(item, 0);
    struct troupe_message message = {
        .type = item->envelope->type,
        .given = item->given != NULL,
        .sender = trp_item_sender(item),
        .body = &body,
    };
    enum troupe_err err = TROUPE_OK;
    if ((item->flags & TRP_FLAG_FAILED) != 0) {
        const struct trp_ask_failure failure = trp_item_failure(item);
        err = trp_ask_explain((enum troupe_err)item->envelope->type, &failure);
    }
    bool is_counted = item->kind == TRP_KIND_REPLY;
    if (is_counted) {
        trp_ledger_start(channel->in_ledger, 1);
    }
    uint64_t actor_key = trp_actor_key(item->envelope->to_index, item->envelope->to_generation);
    receive_end_ask(executor, actor, actor_key, &ask, err, err == TROUPE_OK ? &message : NULL);
    if (is_counted) {
        receive_count_handled(executor, channel);
    }
    if (message.given) {
        troupe_body_free(&body);
    }
    receive_replay(executor, item->envelope->to_index, item->envelope->to_generation);
    return true;
}

/** Deliver what was deferred to an actor that waits no longer, until it waits again. */
static void receive_replay(struct troupe_executor *executor, uint32_t index, uint32_t generation)
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

/** Deliver a notice; @p actor NULL: it has ended. For a ROOM, credit is set aside while the callback runs. */
static void receive_deliver_notice(
    struct troupe_executor *executor, struct trp_actor *actor, const struct trp_item *item)
{
    bool is_room = item->envelope->type == TROUPE_MESSAGE_ROOM &&
                   item->body_bytes == sizeof(struct troupe_room);
    const struct troupe_room *room = (const void *)item->body;
    if (is_room) {
        trp_channel_begin_room(&executor->channels, room->to.executor);
    }
    if (actor != NULL) {
        receive_one(executor, NULL, actor, item);
        receive_replay(executor, item->envelope->to_index, item->envelope->to_generation);
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
    receive_end_ask(executor, actor, trp_actor_key(index, generation), ask, err, NULL);
    receive_replay(executor, index, generation);
}

void trp_actor_deliver(
    struct troupe_executor *executor, struct trp_channel *channel, const struct trp_item *item)
{
    struct trp_actor *actor = trp_actor_table_find(
        &executor->actors, item->envelope->to_index, item->envelope->to_generation);
    if (TRP_UNLIKELY(actor == NULL || !trp_actor_is_up(actor))) {
        receive_miss(executor, channel, item);
        return;
    }
    bool is_reply =
        item->kind == TRP_KIND_REPLY || (item->kind == TRP_KIND_NOTICE && item->ask != 0);
    if (TRP_UNLIKELY(is_reply)) {
        if (!receive_deliver_reply(executor, channel, actor, item)) {
            trp_dead_letter_item(executor, channel, item, item->count, TROUPE_DEAD_LATE_REPLY);
        }
        return;
    }
    if (TRP_UNLIKELY(item->kind == TRP_KIND_NOTICE)) {
        receive_deliver_notice(executor, actor, item);
        return;
    }
    if (TRP_UNLIKELY(item->expires_ns != 0) &&
        trp_executor_now(executor) >= trp_item_expiry(executor, item)) {
        trp_dead_letter_item(executor, channel, item, item->count, TROUPE_DEAD_EXPIRED);
        return;
    }
    uint32_t handled = 0;
    if (item->count > 1 && trp_actor_runs(actor)) {
        handled = receive_run(executor, channel, actor, item);
    } else if (trp_actor_runs(actor)) {
        receive_one(executor, channel, actor, item);
        handled = 1;
    }
    trp_channel_return_credit(&executor->channels, channel, item, handled);
    if (TRP_UNLIKELY(handled < item->count)) {
        receive_drop_rest(executor, channel, item, handled);
    }
}

/** Deliver a notice that was made on this executor. */
static void receive_notify(
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
        // Behind the messages before it.
        receive_defer(executor, executor->channels.loop, actor, &item, 1);
    } else {
        receive_one(executor, NULL, actor, &item);
    }
}

/** Handle a MONITOR command, and carry out what is decided about its actor. */
static void receive_carry_out(struct troupe_executor *executor, const struct trp_item *item)
{
    uint32_t index = item->envelope->to_index;
    if (item->envelope->type == TRP_MONITOR_PROBE) {
        struct trp_ask ask;
        if (trp_deadlock_handle_probe(executor, item, &ask)) {
            struct trp_actor *actor = trp_actor_table_row(&executor->actors, index);
            trp_actor_fail_ask(executor, actor, index, &ask, TROUPE_ERR_DEADLOCK);
        }
        return;
    }
    const struct trp_monitor_decision decision = trp_monitor_handle(executor, item);
    struct trp_actor *actor =
        trp_actor_table_find(&executor->actors, index, item->envelope->to_generation);
    switch (decision.action) {
    case TRP_MONITOR_DELIVER:
        receive_notify(
            executor, actor, index, decision.type, &decision.down, sizeof(decision.down));
        break;
    case TRP_MONITOR_END:
        trp_actor_end(executor, actor, index, &decision.down.exit);
        break;
    case TRP_MONITOR_NOTHING:
        break;
    }
}

void trp_actor_handle_monitor(struct troupe_executor *executor, const struct trp_item *item)
{
    uint32_t index = item->envelope->to_index;
    uint32_t generation = item->envelope->to_generation;
    if (!trp_actor_table_is_starting(&executor->actors, index, generation) ||
        !trp_stash_add(executor, executor->channels.loop, item)) {
        receive_carry_out(executor, item);
    }
}

/*
 * A batch from its first message to its last outcome.
 *
 *     gather    take from the frame what may be part of it
 *     call      receive_batch, which selects one actor after the other
 *     settle    end the actors that stopped; count; deliver singly what was skipped
 *
 * A message is skipped when its actor stopped, waits or became another within the batch. It is delivered singly
 * afterwards, and so has the outcome that it would have had without a batch: a dead letter, a deferral, another
 * behaviour. Until then it counts as not started, so that the ledgers agree with what a crash would leave.
 */
#include "actor/batch.h"

#include "actor/actor_table.h"
#include "actor/end.h"
#include "actor/executor.h"
#include "actor/receive.h"
#include "actor/send.h"
#include "base/counter.h"
#include "channel/channel.h"
#include "channel/channel_send.h"
#include "channel/grant.h"
#include "shared/activity.h"
#include "shared/ledger.h"
#include "wire/format.h"
#include "wire/frame_read.h"
#include "wire/frame_write.h"

_Static_assert(TROUPE_BATCH_MAX == 64, "a bit each in 64");

/** Flags that the envelope of a message in a batch may have. */
#define BATCH_FLAGS \
    ((uint32_t)(TRP_FLAG_SENDER | TRP_FLAG_RUN | TRP_FLAG_UNMETERED | TRP_FLAG_PROVISIONAL))

/** The messages of one envelope: the part of its item that their struct troupe_message does not hold. */
struct batch_piece {
    const struct trp_envelope *envelope;
    const uint8_t *body; // of the first
    uint32_t body_bytes; // of each
    uint32_t flags;
    uint32_t first; // of the batch
    uint32_t count;
};

/** An actor that asked to end within the batch, and how. */
struct batch_exit {
    struct trp_actor *actor;
    uint64_t actor_key;
    struct troupe_exit exit;
};

/** The messages of one call. It is on the stack, and of its arrays only what the counts say is ever written. */
struct trp_batch {
    const struct troupe_behaviour *behaviour; // of all its actors
    uint32_t count;                           // of messages
    uint32_t selected;                        // the message whose actor the context is
    uint64_t handled;                         // a bit each: the callback selected it
    uint64_t skipped;                         // a bit each: it is not for this callback
    uint32_t piece_count;
    uint32_t exit_count;
    struct trp_actor *actors[TROUPE_BATCH_MAX];
    uint64_t actor_keys[TROUPE_BATCH_MAX];
    void *states[TROUPE_BATCH_MAX];
    const troupe_message_t *in_call[TROUPE_BATCH_MAX];
    struct troupe_message messages[TROUPE_BATCH_MAX];
    struct troupe_body bodies[TROUPE_BATCH_MAX];
    struct batch_piece pieces[TROUPE_BATCH_MAX];
    struct batch_exit exits[TROUPE_BATCH_MAX];
};

/* Gather. --------------------------------------------------------------------------------------- */

/** @return the receiver of an envelope, if it takes batches; else NULL. */
static struct trp_actor *batch_find_actor(
    struct troupe_executor *executor, const struct trp_envelope *envelope)
{
    struct trp_actor *actor =
        trp_actor_table_find(&executor->actors, envelope->to_index, envelope->to_generation);
    return actor != NULL && actor->life == TRP_LIFE_BATCHED ? actor : NULL;
}

/** @return the receiver of an item, if it may be part of a batch; else NULL. */
static struct trp_actor *batch_find(struct troupe_executor *executor, const struct trp_item *item)
{
    bool may_batch = item->kind == TRP_KIND_USER && (item->flags & ~BATCH_FLAGS) == 0;
    return may_batch ? batch_find_actor(executor, item->envelope) : NULL;
}

/** Add one message. */
static inline void batch_add(
    struct trp_batch *batch,
    struct trp_actor *actor,
    const struct trp_envelope *envelope,
    troupe_ref_t sender,
    struct troupe_body body)
{
    uint32_t at = batch->count++;
    batch->actors[at] = actor;
    batch->actor_keys[at] = trp_actor_key(envelope->to_index, envelope->to_generation);
    batch->states[at] = actor->state;
    batch->bodies[at] = body;
    batch->messages[at] = (struct troupe_message){
        .type = envelope->type, .sender = sender, .body = &batch->bodies[at]};
    batch->in_call[at] = &batch->messages[at];
}

/** Take as many messages of an item as there is room for; the rest stays in the item. */
static void batch_take(struct trp_batch *batch, struct trp_actor *actor, struct trp_item *item)
{
    uint32_t room = TROUPE_BATCH_MAX - batch->count;
    uint32_t count = item->count < room ? item->count : room;
    troupe_ref_t sender = trp_item_sender(item);
    batch->pieces[batch->piece_count++] = (struct batch_piece){
        .envelope = item->envelope,
        .body = item->body,
        .body_bytes = item->body_bytes,
        .flags = item->flags,
        .first = batch->count,
        .count = count,
    };
    for (uint32_t i = 0; i < count; i++) {
        batch_add(batch, actor, item->envelope, sender, trp_item_body(item, i));
    }
    item->count -= count;
    item->body += (size_t)count * trp_pad8(item->body_bytes);
}

/** @return the item of a piece, made again; fields that are the same for all items of a batch are not in pieces. */
static struct trp_item batch_item(const struct trp_batch *batch, const struct batch_piece *piece)
{
    troupe_ref_t sender = batch->messages[piece->first].sender;
    return (struct trp_item){
        .envelope = piece->envelope,
        .body = piece->body,
        .body_bytes = piece->body_bytes,
        .count = piece->count,
        .kind = TRP_KIND_USER,
        .flags = piece->flags,
        .sender_node = sender.node,
        .sender_executor = sender.executor,
    };
}

/** Take one plain message straight from the frame. @return false: the next is not plain, or not for this batch. */
static bool batch_take_plain(
    struct troupe_executor *executor, struct trp_batch *batch, struct trp_cursor *cursor)
{
    size_t bytes = trp_frame_peek_plain(cursor);
    const struct trp_envelope *plain = (const void *)cursor->at;
    struct trp_actor *actor = bytes != 0 ? batch_find_actor(executor, plain) : NULL;
    if (actor == NULL || actor->behaviour != batch->behaviour || plain->from_generation == 0) {
        return false;
    }
    const struct trp_item item = {.body = (const void *)(plain + 1), .body_bytes = plain->tag};
    troupe_ref_t sender = {
        cursor->node, cursor->executor, plain->from_index, plain->from_generation};
    batch->pieces[batch->piece_count++] = (struct batch_piece){
        .envelope = plain,
        .body = item.body,
        .body_bytes = item.body_bytes,
        .first = batch->count,
        .count = 1,
    };
    batch_add(batch, actor, plain, sender, trp_item_body(&item, 0));
    cursor->at += bytes;
    return true;
}

/** Fill a batch with an item for @p actor, and with what follows it in the frame. */
static void batch_gather(
    struct troupe_executor *executor,
    struct trp_batch *batch,
    struct trp_cursor *cursor,
    struct trp_item *item,
    struct trp_actor *actor)
{
    batch->behaviour = actor->behaviour;
    batch->count = 0;
    batch->piece_count = 0;
    batch_take(batch, actor, item);
    while (batch->count < TROUPE_BATCH_MAX && !trp_frame_at_end(cursor)) {
        if (batch_take_plain(executor, batch, cursor)) {
            continue;
        }
        const uint8_t *at = cursor->at;
        struct trp_item next;
        bool is_whole = trp_frame_next(cursor, &next) == TRP_FAULT_NONE;
        actor = is_whole ? batch_find(executor, &next) : NULL;
        if (actor == NULL || actor->behaviour != batch->behaviour) {
            cursor->at = at; // it is read again, after the batch
            return;
        }
        *item = next;
        batch_take(batch, actor, item);
    }
}

/* Call. ----------------------------------------------------------------------------------------- */

/** Make the receiver of a message the actor of the context. */
static void batch_enter(struct troupe_executor *executor, struct trp_batch *batch, uint32_t index)
{
    uint64_t actor_key = batch->actor_keys[index];
    trp_activity_begin(
        executor->slot,
        &executor->activity_count,
        (uint32_t)actor_key,
        batch->messages[index].type);
    executor->context.actor = batch->actors[index];
    executor->context.actor_key = actor_key;
    batch->selected = index;
    batch->handled |= UINT64_C(1) << index;
}

/** Leave the selected actor, and remember how it asked to end, if it did. */
static void batch_leave(struct troupe_executor *executor, struct trp_batch *batch)
{
    const struct troupe_context *ctx = &executor->context;
    if (TRP_UNLIKELY(ctx->actor->life == TRP_LIFE_STOPPING)) {
        batch->exits[batch->exit_count++] = (struct batch_exit){
            .actor = ctx->actor, .actor_key = ctx->actor_key, .exit = ctx->exit};
    }
}

/** @return whether another actor of the batch asked this one to stop. */
static bool batch_is_stopped(const struct troupe_executor *executor, uint64_t actor_key)
{
    bool is_copy = executor->stop_count == UINT32_MAX; // see forked.h
    for (uint32_t i = 0; !is_copy && i < executor->stop_count; i++) {
        if (trp_actor_key(executor->stops[i].index, executor->stops[i].generation) == actor_key) {
            return true;
        }
    }
    return false;
}

/** @return whether a message of an actor was skipped before: its later ones must not overtake that. */
static bool batch_was_skipped(const struct trp_batch *batch, uint64_t actor_key)
{
    for (uint64_t left = batch->skipped; left != 0; left &= left - 1) {
        if (batch->actor_keys[__builtin_ctzll(left)] == actor_key) {
            return true;
        }
    }
    return false;
}

bool troupe_batch_select(troupe_context_t *ctx, size_t index)
{
    struct troupe_executor *executor = trp_executor_of(ctx);
    struct trp_batch *batch = trp_check_context(ctx) == TROUPE_OK ? executor->batch : NULL;
    if (batch == NULL || index >= batch->count) {
        return false;
    }
    if (index == batch->selected) {
        return true;
    }
    const struct trp_actor *actor = batch->actors[index];
    uint64_t actor_key = batch->actor_keys[index];
    bool is_unchanged = actor->life == TRP_LIFE_BATCHED && actor->behaviour == batch->behaviour &&
                        !batch_is_stopped(executor, actor_key) &&
                        !batch_was_skipped(batch, actor_key);
    if (TRP_UNLIKELY(!is_unchanged)) {
        batch->skipped |= UINT64_C(1) << index & ~batch->handled;
        return false;
    }
    if (actor != executor->context.actor) {
        batch_leave(executor, batch);
    }
    batch_enter(executor, batch, (uint32_t)index);
    return true;
}

static void batch_call(struct troupe_executor *executor, struct trp_batch *batch)
{
    batch->handled = 0;
    batch->skipped = 0;
    batch->exit_count = 0;
    batch_enter(executor, batch, 0);
    executor->batch = batch;
    batch->behaviour->receive_batch(
        &executor->context, batch->states, batch->in_call, batch->count);
    executor->batch = NULL;
    batch_leave(executor, batch);
    executor->context.actor = NULL;
    executor->context.actor_key = 0;
    trp_activity_end(executor->slot);
}

/* Settle. --------------------------------------------------------------------------------------- */

/** End the actors that the callback asked to end. */
static void batch_end_actors(struct troupe_executor *executor, const struct trp_batch *batch)
{
    for (uint32_t i = 0; i < batch->exit_count; i++) {
        const struct batch_exit *end = &batch->exits[i];
        trp_actor_end(executor, end->actor, (uint32_t)end->actor_key, &end->exit);
    }
    if (executor->stop_count > 0) {
        trp_actor_run_stops(executor);
    }
}

/** @return the skipped messages of a piece, a bit each from the lowest. */
static uint64_t batch_skipped_of(const struct trp_batch *batch, const struct batch_piece *piece)
{
    uint32_t others = TROUPE_BATCH_MAX - piece->count;
    return batch->skipped >> piece->first << others >> others;
}

/** Return the credit of what was handled, most of it in one sum. */
static void batch_return_credit(
    struct troupe_executor *executor, struct trp_channel *channel, const struct trp_batch *batch)
{
    uint32_t count = 0;
    int64_t bytes = 0;
    for (uint32_t i = 0; i < batch->piece_count; i++) {
        const struct batch_piece *piece = &batch->pieces[i];
        uint32_t handled = piece->count;
        if (TRP_UNLIKELY(batch->skipped != 0)) {
            handled -= (uint32_t)__builtin_popcountll(batch_skipped_of(batch, piece));
        }
        if (TRP_LIKELY((piece->flags & (TRP_FLAG_UNMETERED | TRP_FLAG_PROVISIONAL)) == 0)) {
            count += handled;
            bytes += (int64_t)handled * piece->body_bytes;
        } else {
            const struct trp_item item = batch_item(batch, piece);
            trp_channel_return_credit(&executor->channels, channel, &item, handled);
        }
    }
    if (count != 0) {
        trp_channel_owe(&executor->channels, channel, count, bytes);
    }
}

/** Deliver singly what was skipped. */
static void batch_deliver_skipped(
    struct troupe_executor *executor, struct trp_channel *channel, const struct trp_batch *batch)
{
    for (uint32_t i = 0; i < batch->piece_count; i++) {
        const struct batch_piece *piece = &batch->pieces[i];
        uint64_t skipped = batch_skipped_of(batch, piece);
        for (; skipped != 0; skipped &= skipped - 1) {
            struct trp_item item = batch_item(batch, piece);
            item.count = 1;
            item.body += (size_t)__builtin_ctzll(skipped) * trp_pad8(item.body_bytes);
            trp_actor_deliver(executor, channel, &item);
        }
    }
}

static void batch_run(
    struct troupe_executor *executor, struct trp_channel *channel, struct trp_batch *batch)
{
    trp_ledger_start(channel->in_ledger, batch->count);
    batch_call(executor, batch);
    batch_end_actors(executor, batch);
    uint32_t handled = batch->count - (uint32_t)__builtin_popcountll(batch->skipped);
    trp_ledger_start(channel->in_ledger, handled); // what was skipped starts again
    trp_count(&channel->in_ledger->handled, handled);
    executor->handled_count += handled;
    executor->callback_count += batch->count;
    if (executor->channels.dirty != NULL && (executor->callback_count & 15) < batch->count) {
        trp_channels_flush_old(&executor->channels);
    }
    batch_return_credit(executor, channel, batch);
    if (batch->skipped != 0) {
        batch_deliver_skipped(executor, channel, batch);
    }
}

// Not inlined: a frame without batches does not pay for its stack.
__attribute__((noinline)) bool trp_batch_deliver(
    struct troupe_executor *executor,
    struct trp_channel *channel,
    struct trp_cursor *cursor,
    struct trp_item *item,
    uint64_t *counted)
{
    struct trp_batch batch;
    struct trp_actor *actor = NULL;
    while (item->count != 0 && (actor = batch_find(executor, item)) != NULL) {
        uint32_t counted_before = item->count; // by the caller
        batch_gather(executor, &batch, cursor, item, actor);
        uint64_t more = (uint64_t)batch.count + item->count - counted_before;
        channel->received_count += more;
        *counted += more;
        if (batch.count == 1) {
            *item = batch_item(&batch, &batch.pieces[0]); // alone, it is no batch
            return false;
        }
        batch_run(executor, channel, &batch);
    }
    return item->count == 0;
}

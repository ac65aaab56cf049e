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

/*
 * A batch from its first message to its last outcome.
 *
 *     gather    what may be in it, from the frame
 *     call      receive_batch, which turns from actor to actor
 *     settle    end who stopped; count; then meet singly what was passed over
 *
 * A message is passed over when its actor stopped, waits or became another within the batch. Met singly
 * afterwards, it finds what it would have found without the batch: nobody, a deferral, another behaviour.
 */

_Static_assert(TROUPE_BATCH_MAX == 64, "a bit each in 64");

/** What may stand in the envelope of a message that goes into a batch. */
#define BATCH_FLAGS \
    ((uint32_t)(TRP_FLAG_SENDER | TRP_FLAG_RUN | TRP_FLAG_UNMETERED | TRP_FLAG_PROVISIONAL))

/** Messages of one envelope: of its item what cannot be told from the first of them. */
struct batch_piece {
    const struct trp_envelope *envelope;
    const uint8_t *body; // of the first
    uint32_t body_bytes; // of each
    uint32_t flags;
    uint32_t first; // of the batch
    uint32_t count;
};

/** How an actor asked to end. */
struct batch_exit {
    struct trp_actor *actor;
    uint64_t actor_key;
    struct troupe_exit exit;
};

/** The messages that are handed over in one call. Only what is counted in the arrays is ever written. */
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
    const troupe_message_t *handed[TROUPE_BATCH_MAX];
    struct troupe_message messages[TROUPE_BATCH_MAX];
    struct troupe_body bodies[TROUPE_BATCH_MAX];
    struct batch_piece pieces[TROUPE_BATCH_MAX];
    struct batch_exit exits[TROUPE_BATCH_MAX];
};

/* Gather. --------------------------------------------------------------------------------------- */

/** @return who takes an envelope's messages in batches; NULL: nobody does. */
static struct trp_actor *batch_find_actor(
    struct troupe_executor *executor, const struct trp_envelope *envelope)
{
    struct trp_actor *actor =
        trp_actor_table_find(&executor->actors, envelope->to_index, envelope->to_generation);
    return actor != NULL && actor->life == TRP_LIFE_BATCHED ? actor : NULL;
}

/** @return whose an item is, if it may go into a batch; else NULL. */
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
    batch->handed[at] = &batch->messages[at];
}

/** Take as many messages of an item as there is room for, and leave the rest in it. */
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

/** @return the item of a piece again; what is the same for each item of a batch is left out of pieces. */
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

/** Read one message more, and no item. @return false: what comes next is none such, or not for here. */
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

/** Fill a batch with an item, whose actor is @p actor, and what follows it. */
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
            cursor->at = at; // for whoever reads on
            return;
        }
        *item = next;
        batch_take(batch, actor, item);
    }
}

/* Call. ----------------------------------------------------------------------------------------- */

/** Let the callback act as the actor of a message. */
static void batch_turn_to(struct troupe_executor *executor, struct trp_batch *batch, uint32_t index)
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

/** Turn away from the selected actor: note how it is to end, if it is. */
static void batch_turn_away(struct troupe_executor *executor, struct trp_batch *batch)
{
    const struct troupe_context *ctx = &executor->context;
    if (TRP_UNLIKELY(ctx->actor->life == TRP_LIFE_STOPPING)) {
        batch->exits[batch->exit_count++] = (struct batch_exit){
            .actor = ctx->actor, .actor_key = ctx->actor_key, .exit = ctx->exit};
    }
}

/** @return whether an actor was asked to stop by another of the batch. */
static bool batch_is_to_stop(const struct troupe_executor *executor, uint64_t actor_key)
{
    for (uint32_t i = 0; i < executor->stop_count; i++) {
        if (trp_actor_key(executor->stops[i].index, executor->stops[i].generation) == actor_key) {
            return true;
        }
    }
    return false;
}

/** @return whether an actor was passed over before: what it gets later is not to overtake that. */
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
    struct trp_batch *batch = trp_check_thread(ctx) == TROUPE_OK ? executor->batch : NULL;
    if (batch == NULL || index >= batch->count) {
        return false;
    }
    if (index == batch->selected) {
        return true;
    }
    const struct trp_actor *actor = batch->actors[index];
    uint64_t actor_key = batch->actor_keys[index];
    bool is_as_before = actor->life == TRP_LIFE_BATCHED && actor->behaviour == batch->behaviour &&
                        !batch_is_to_stop(executor, actor_key) &&
                        !batch_was_skipped(batch, actor_key);
    if (TRP_UNLIKELY(!is_as_before)) {
        batch->skipped |= UINT64_C(1) << index & ~batch->handled;
        return false;
    }
    if (actor != executor->context.actor) {
        batch_turn_away(executor, batch);
    }
    batch_turn_to(executor, batch, (uint32_t)index);
    return true;
}

static void batch_call(struct troupe_executor *executor, struct trp_batch *batch)
{
    batch->handled = 0;
    batch->skipped = 0;
    batch->exit_count = 0;
    batch_turn_to(executor, batch, 0);
    executor->batch = batch;
    batch->behaviour->receive_batch(&executor->context, batch->states, batch->handed, batch->count);
    executor->batch = NULL;
    batch_turn_away(executor, batch);
    executor->context.actor = NULL;
    executor->context.actor_key = 0;
    trp_activity_end(executor->slot);
}

/* Settle. --------------------------------------------------------------------------------------- */

/** End whom the callback asked to end. */
static void batch_end_some(struct troupe_executor *executor, const struct trp_batch *batch)
{
    for (uint32_t i = 0; i < batch->exit_count; i++) {
        const struct batch_exit *end = &batch->exits[i];
        trp_actor_end(executor, end->actor, (uint32_t)end->actor_key, &end->exit);
    }
    if (executor->stop_count > 0) {
        trp_actor_run_stops(executor);
    }
}

/** @return the messages of a piece that were passed over, a bit each from the lowest. */
static uint64_t batch_skipped_of(const struct trp_batch *batch, const struct batch_piece *piece)
{
    uint32_t others = TROUPE_BATCH_MAX - piece->count;
    return batch->skipped >> piece->first << others >> others;
}

/** Give back the credit of what was met: most of it in one sum. */
static void batch_return_credit(
    struct troupe_executor *executor, struct trp_channel *channel, const struct trp_batch *batch)
{
    uint32_t count = 0;
    int64_t bytes = 0;
    for (uint32_t i = 0; i < batch->piece_count; i++) {
        const struct batch_piece *piece = &batch->pieces[i];
        uint32_t met = piece->count;
        if (TRP_UNLIKELY(batch->skipped != 0)) {
            met -= (uint32_t)__builtin_popcountll(batch_skipped_of(batch, piece));
        }
        if (TRP_LIKELY((piece->flags & (TRP_FLAG_UNMETERED | TRP_FLAG_PROVISIONAL)) == 0)) {
            count += met;
            bytes += (int64_t)met * piece->body_bytes;
        } else {
            const struct trp_item item = batch_item(batch, piece);
            trp_channel_return_credit(&executor->channels, channel, &item, met);
        }
    }
    if (count != 0) {
        trp_channel_owe(&executor->channels, channel, count, bytes);
    }
}

/** Meet singly what was passed over. */
static void batch_deliver_skipped(
    struct troupe_executor *executor, struct trp_channel *channel, const struct trp_batch *batch)
{
    for (uint32_t i = 0; i < batch->piece_count; i++) {
        const struct batch_piece *piece = &batch->pieces[i];
        uint64_t passed = batch_skipped_of(batch, piece);
        for (; passed != 0; passed &= passed - 1) {
            struct trp_item item = batch_item(batch, piece);
            item.count = 1;
            item.body += (size_t)__builtin_ctzll(passed) * trp_pad8(item.body_bytes);
            trp_actor_deliver(executor, channel, &item);
        }
    }
}

static void batch_run(
    struct troupe_executor *executor, struct trp_channel *channel, struct trp_batch *batch)
{
    trp_ledger_start(channel->in_ledger, batch->count);
    batch_call(executor, batch);
    batch_end_some(executor, batch);
    uint32_t met = batch->count - (uint32_t)__builtin_popcountll(batch->skipped);
    trp_ledger_start(channel->in_ledger, met); // the others are to be begun anew
    trp_count(&channel->in_ledger->handled, met);
    executor->handled_count += met;
    executor->callback_count += batch->count;
    if (executor->channels.dirty != NULL && (executor->callback_count & 15) < batch->count) {
        trp_channels_flush_old(&executor->channels);
    }
    batch_return_credit(executor, channel, batch);
    if (batch->skipped != 0) {
        batch_deliver_skipped(executor, channel, batch);
    }
}

// What it has on its stack is no business of frames without batches.
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
        uint32_t started = item->count; // counted already
        batch_gather(executor, &batch, cursor, item, actor);
        uint64_t more = (uint64_t)batch.count + item->count - started;
        channel->received_count += more;
        *counted += more;
        if (batch.count == 1) {
            *item = batch_item(&batch, &batch.pieces[0]); // it comes alone
            return false;
        }
        batch_run(executor, channel, &batch);
    }
    return item->count == 0;
}

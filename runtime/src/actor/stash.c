#include "actor/stash.h"

#include "actor/actor_table.h"
#include "actor/send.h"
#include "base/counter.h"
#include "base/memory.h"
#include "channel/channel.h"
#include "channel/grant.h"
#include "shared/credit_pool.h"
#include "wire/format.h"
#include "wire/frame_read.h"
#include "wire/frame_write.h"

#include <stdlib.h>
#include <string.h>

/** @return a copy of an item, with its bodies; NULL: no memory. Waits for memory for what is not counted. */
static struct trp_stash_entry *stash_new(const struct trp_item *item)
{
    size_t body_bytes = item->given != NULL ? 0 : trp_pad8(item->body_bytes) * item->count;
    struct trp_stash_entry *stash = NULL;
    uint64_t since_ns = 0;
    while ((stash = malloc(sizeof(*stash) + body_bytes)) == NULL) {
        if (trp_kind_is_counted(item->kind)) {
            return NULL;
        }
        // A STOP, an EXIT, a notice: if it were lost, no counter would show it.
        trp_memory_wait(&since_ns);
    }
    *stash = (struct trp_stash_entry){.item = *item, .envelope = *item->envelope};
    stash->item.envelope = &stash->envelope;
    stash->item.body = stash->body;
    if (item->given != NULL) {
        stash->given = *item->given;
        stash->item.given = &stash->given;
    } else if (body_bytes != 0) {
        memcpy(stash->body, item->body, body_bytes);
    }
    return stash;
}

static void stash_append(
    struct troupe_executor *executor, struct trp_actor *actor, struct trp_stash_entry *stash)
{
    if (actor->stash == NULL) {
        actor->stash = stash;
    } else {
        actor->stash_last->next = stash;
    }
    actor->stash_last = stash;
    executor->stash_count++;
}

/**
 * Make a stashed item one of the executor to itself, since the channel that brought it may end first.
 *
 * @param deferred  It keeps its room in the mailbox until it is delivered.
 */
static void stash_adopt(
    struct troupe_executor *executor,
    struct trp_channel *channel,
    struct trp_stash_entry *stash,
    bool deferred)
{
    const struct trp_item *item = &stash->item;
    if (!trp_kind_is_counted(item->kind)) {
        return;
    }
    trp_count(&executor->channels.loop->ledger->accepted, item->count);
    trp_count(&channel->in_ledger->moved, item->count);
    uint32_t free_flags = TRP_FLAG_UNMETERED | TRP_FLAG_PROVISIONAL;
    if (deferred && (item->flags & free_flags) == 0 && item->kind == TRP_KIND_USER) {
        // The ledger shows the credit as returned now; the pool gets it when the message is delivered.
        stash->reserved_messages = item->count;
        stash->reserved_bytes = (int64_t)item->count * (int64_t)trp_item_bytes(item);
        atomic_fetch_add_explicit(
            &channel->in_ledger->returned_messages, stash->reserved_messages, memory_order_relaxed);
        atomic_fetch_add_explicit(
            &channel->in_ledger->returned_bytes, stash->reserved_bytes, memory_order_relaxed);
    } else {
        trp_channel_return_credit(&executor->channels, channel, item, item->count);
    }
    stash->item.flags = (item->flags | TRP_FLAG_UNMETERED) & ~(uint32_t)TRP_FLAG_PROVISIONAL;
}

void trp_stash_release(struct troupe_executor *executor, const struct trp_stash_entry *stash)
{
    executor->stash_count--;
    if (stash->reserved_messages != 0) {
        trp_credit_pool_give(
            &executor->slot->pool, stash->reserved_messages, stash->reserved_bytes);
    }
}

bool trp_stash_add(
    struct troupe_executor *executor, struct trp_channel *channel, const struct trp_item *item)
{
    struct trp_actor *actor = NULL;
    uint64_t since_ns = 0;
    while ((actor = trp_actor_table_make_row(&executor->actors, item->envelope->to_index)) ==
           NULL) {
        if (trp_kind_is_counted(item->kind)) {
            return false;
        }
        trp_memory_wait(&since_ns);
    }
    struct trp_stash_entry *stash = stash_new(item);
    if (stash == NULL) {
        return false;
    }
    stash_append(executor, actor, stash);
    stash_adopt(executor, channel, stash, false);
    return true;
}

/** Defer again the rest of an entry that is being delivered: it goes first, with its share of the room. */
static void stash_put_back(
    struct troupe_executor *executor, struct trp_actor *actor, struct trp_stash_entry *stash)
{
    stash->next = actor->stash;
    actor->stash = stash;
    actor->stash_last = stash->next == NULL ? stash : actor->stash_last;
    executor->stash_count++;
    struct trp_stash_entry *whole = executor->replayed;
    if (whole->reserved_messages != 0) {
        stash->reserved_messages = stash->item.count;
        stash->reserved_bytes = stash->reserved_messages * (int64_t)trp_item_bytes(&stash->item);
        whole->reserved_messages -= stash->reserved_messages;
        whole->reserved_bytes -= stash->reserved_bytes;
    }
}

bool trp_stash_defer(
    struct troupe_executor *executor,
    struct trp_channel *channel,
    struct trp_actor *actor,
    const struct trp_item *item)
{
    struct trp_stash_entry *stash = stash_new(item);
    if (stash == NULL) {
        return false;
    }
    if (executor->replayed != NULL) {
        stash_put_back(executor, actor, stash);
    } else {
        stash_append(executor, actor, stash);
        stash_adopt(executor, channel, stash, true);
    }
    return true;
}

bool trp_stash_has_ask(const struct trp_actor *actor, const struct troupe_reply_to *reply_to)
{
    for (const struct trp_stash_entry *stash = actor->stash; stash != NULL; stash = stash->next) {
        if (stash->item.ask == reply_to->ask && stash->item.kind == TRP_KIND_USER &&
            troupe_ref_equal(trp_item_sender(&stash->item), reply_to->ref)) {
            return true;
        }
    }
    return false;
}

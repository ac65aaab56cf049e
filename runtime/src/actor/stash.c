#include "actor/stash.h"

#include "base/memory.h"
#include "channel/channel.h"

#include <stdlib.h>
#include <string.h>

/** @return a copy of an item, with its bodies; NULL: no memory, and its messages are counted. */
static struct trp_held *held_new(const struct trp_item *item)
{
    size_t body_bytes = item->given != NULL ? 0 : trp_pad8(item->body_bytes) * item->count;
    struct trp_held *held = NULL;
    uint64_t since_ns = 0;
    while ((held = malloc(sizeof(*held) + body_bytes)) == NULL) {
        if (trp_kind_is_counted(item->kind)) {
            return NULL;
        }
        trp_memory_wait(&since_ns); // a STOP, a signal, a notice: nobody would miss it
    }
    *held = (struct trp_held){.item = *item, .envelope = *item->envelope};
    held->item.envelope = &held->envelope;
    held->item.body = held->body;
    if (item->given != NULL) {
        held->given = *item->given;
        held->item.given = &held->given;
    } else if (body_bytes != 0) {
        memcpy(held->body, item->body, body_bytes);
    }
    return held;
}

static void held_append(
    struct troupe_executor *executor, struct trp_actor *actor, struct trp_held *held)
{
    if (actor->held == NULL) {
        actor->held = held;
    } else {
        actor->held_last->next = held;
    }
    actor->held_last = held;
    executor->held_count++;
}

/**
 * From here on the executor sends a kept item to itself, for the link that brought it may end first.
 *
 * @param deferred  It keeps its room in the mailbox until it is met.
 */
static void held_adopt(
    struct troupe_executor *executor, struct trp_link *link, struct trp_held *held, bool deferred)
{
    const struct trp_item *item = &held->item;
    if (!trp_kind_is_counted(item->kind)) {
        return;
    }
    trp_count(&executor->loop->ledger->accepted, item->count);
    trp_count(&link->in_ledger->moved, item->count);
    uint32_t free_flags = TRP_FLAG_UNMETERED | TRP_FLAG_PROVISIONAL;
    if (deferred && (item->flags & free_flags) == 0 && item->kind == TRP_KIND_USER) {
        // For the sender it came back; to the gate it does when the message is met.
        held->kept_messages = item->count;
        held->kept_bytes = (int64_t)item->count * (int64_t)trp_item_bytes(item);
        atomic_fetch_add_explicit(
            &link->in_ledger->returned_messages, held->kept_messages, memory_order_relaxed);
        atomic_fetch_add_explicit(
            &link->in_ledger->returned_bytes, held->kept_bytes, memory_order_relaxed);
    } else {
        trp_link_return_credit(executor, link, item, item->count);
    }
    held->item.flags = (item->flags | TRP_FLAG_UNMETERED) & ~(uint32_t)TRP_FLAG_PROVISIONAL;
}

void trp_held_release(struct troupe_executor *executor, const struct trp_held *held)
{
    executor->held_count--;
    if (held->kept_messages != 0) {
        trp_gate_give(executor->gate, held->kept_messages, held->kept_bytes);
    }
}

bool trp_held_keep(
    struct troupe_executor *executor, struct trp_link *link, const struct trp_item *item)
{
    struct trp_actor *actor = NULL;
    uint64_t since_ns = 0;
    while ((actor = trp_world_make_row(&executor->world, item->envelope->to_index)) == NULL) {
        if (trp_kind_is_counted(item->kind)) {
            return false;
        }
        trp_memory_wait(&since_ns);
    }
    struct trp_held *held = held_new(item);
    if (held == NULL) {
        return false;
    }
    held_append(executor, actor, held);
    held_adopt(executor, link, held, false);
    return true;
}

/** Put back the rest of what was deferred before: it goes first, with its share of the room. */
static void held_put_back(
    struct troupe_executor *executor, struct trp_actor *actor, struct trp_held *held)
{
    held->next = actor->held;
    actor->held = held;
    actor->held_last = held->next == NULL ? held : actor->held_last;
    executor->held_count++;
    struct trp_held *whole = executor->replayed;
    if (whole->kept_messages != 0) {
        held->kept_messages = held->item.count;
        held->kept_bytes = held->kept_messages * (int64_t)trp_item_bytes(&held->item);
        whole->kept_messages -= held->kept_messages;
        whole->kept_bytes -= held->kept_bytes;
    }
}

bool trp_held_defer(
    struct troupe_executor *executor,
    struct trp_link *link,
    struct trp_actor *actor,
    const struct trp_item *item)
{
    struct trp_held *held = held_new(item);
    if (held == NULL) {
        return false;
    }
    if (executor->replayed != NULL) {
        held_put_back(executor, actor, held);
    } else {
        held_append(executor, actor, held);
        held_adopt(executor, link, held, true);
    }
    return true;
}

bool trp_held_has_ask(const struct trp_actor *actor, const struct troupe_asker *asker)
{
    for (const struct trp_held *held = actor->held; held != NULL; held = held->next) {
        if (held->item.ask == asker->ask && held->item.kind == TRP_KIND_USER &&
            troupe_ref_equal(trp_item_sender(&held->item), asker->ref)) {
            return true;
        }
    }
    return false;
}

#include "shared/slot.h"

#include "base/saturate.h"
#include "shared/shared.h"
#include "shared/shared_table.h"
#include "shared/slot_queue.h"

#include <stddef.h>
#include <string.h>

/** Have loops over all slots include @p slot. @threads holding shared memory's lock */
static void slot_raise_high(struct trp_shared *shared, const struct trp_slot *slot)
{
    uint32_t index = (uint32_t)(slot - shared->slots);
    if (index >= trp_shared_slot_count(shared)) {
        atomic_store_explicit(&shared->slot_high, index + 1, memory_order_release);
    }
}

/** Fill in a free slot. @threads as above */
static void slot_open(
    struct trp_shared *shared,
    struct trp_slot *slot,
    uint32_t id,
    uint32_t node,
    uint32_t reply_to,
    const char *name)
{
    // The id stays, whenever this process dies: it would be used again without it.
    const size_t id_end = offsetof(struct trp_slot, id) + sizeof(slot->id);
    slot->id = id;
    memset(slot, 0, offsetof(struct trp_slot, id));
    memset((uint8_t *)slot + id_end, 0, sizeof(*slot) - id_end);
    trp_doorbell_init(&slot->doorbell);
    trp_credit_pool_init(
        &slot->pool,
        trp_signed_saturated(shared->mailbox_messages),
        trp_signed_saturated(shared->mailbox_bytes));
    slot_raise_high(shared, slot);
    slot->node = node;
    slot->reply_to = reply_to != node ? reply_to : 0;
    shared->sums.executors_started++;
    strncpy(slot->name, name, sizeof(slot->name) - 1);
    atomic_store_explicit(&slot->state, TRP_SLOT_OPEN, memory_order_release);
}

struct trp_slot *trp_slot_take_next(
    struct trp_shared *shared, uint32_t node, uint32_t reply_to, const char *name)
{
    uint32_t id = 0;
    trp_shared_lock(shared);
    struct trp_slot *slot = trp_slot_dequeue(shared, &id);
    if (slot != NULL) {
        slot_open(shared, slot, id, node, reply_to, name);
    }
    trp_shared_unlock(shared);
    return slot;
}

struct trp_slot *trp_slot_take(
    struct trp_shared *shared, uint32_t id, uint32_t node, uint32_t reply_to, const char *name)
{
    struct trp_slot *slot = &shared->slots[id % TRP_SHARED_SLOTS];
    trp_shared_lock(shared);
    bool is_free = trp_slot_state(slot) == TRP_SLOT_FREE;
    if (is_free) {
        slot_open(shared, slot, id, node, reply_to, name);
        trp_slot_repair_queue(shared); // it may have been in the middle
    }
    trp_shared_unlock(shared);
    return is_free ? slot : NULL;
}

void trp_slot_free(struct trp_shared *shared, struct trp_slot *slot)
{
    // Its id and how it ended stay readable until the slot is taken again: see trp_slot_why_dead().
    atomic_store_explicit(&slot->state, TRP_SLOT_FREE, memory_order_release);
    trp_slot_enqueue(shared, slot);
}

void trp_slot_discard(struct trp_shared *shared, struct trp_slot *slot)
{
    trp_shared_lock(shared);
    shared->sums.executors_started--;
    trp_slot_free(shared, slot);
    trp_shared_unlock(shared);
}

enum troupe_dead_reason trp_slot_why_dead(struct trp_shared *shared, uint32_t id)
{
    enum troupe_dead_reason reason = TROUPE_DEAD_NO_SUCH_ACTOR;
    trp_shared_lock(shared);
    uint32_t index = id % TRP_SHARED_SLOTS;
    const struct trp_slot *slot = &shared->slots[index];
    bool was_there = index < trp_shared_slot_count(shared) && id <= slot->id && slot->node != 0;
    if (was_there && slot->id == id && slot->failed) {
        reason = TROUPE_DEAD_UNDELIVERABLE;
    } else if (was_there && slot->id == id && slot->died) {
        reason = TROUPE_DEAD_PEER_DOWN;
    } else if (was_there) {
        reason = TROUPE_DEAD_STOPPED;
    }
    trp_shared_unlock(shared);
    return reason;
}

#include "shared/slot.h"

#include "base/saturate.h"
#include "shared/shared.h"

#include <string.h>

/** @return a free slot near the place of @p id, or NULL. @threads holding shared memory's lock */
static struct trp_slot *slot_find_free(struct trp_shared *shared, uint32_t id)
{
    // Ids count up and most slots are free, so the first probe nearly always finds one.
    for (uint32_t i = 0; i < TRP_SHARED_SLOT_PROBES; i++) {
        struct trp_slot *slot = &shared->slots[(id + i) % TRP_SHARED_SLOTS];
        if (trp_slot_state(slot) == TRP_SLOT_FREE) {
            return slot;
        }
    }
    return NULL;
}

/** Have loops over all slots include @p slot. @threads holding shared memory's lock */
static void slot_raise_high(struct trp_shared *shared, const struct trp_slot *slot)
{
    uint32_t index = (uint32_t)(slot - shared->slots);
    if (index >= atomic_load_explicit(&shared->slot_high, memory_order_relaxed)) {
        atomic_store_explicit(&shared->slot_high, index + 1, memory_order_release);
    }
}

struct trp_slot *trp_slot_take(
    struct trp_shared *shared, uint32_t id, uint32_t node, uint32_t reply_to, const char *name)
{
    trp_shared_lock(shared);
    struct trp_slot *slot = slot_find_free(shared, id);
    if (slot != NULL) {
        memset(slot, 0, sizeof(*slot));
        trp_doorbell_init(&slot->doorbell);
        trp_credit_pool_init(
            &slot->pool,
            trp_signed_saturated(shared->mailbox_messages),
            trp_signed_saturated(shared->mailbox_bytes));
        slot_raise_high(shared, slot);
        slot->id = id;
        slot->node = node;
        slot->reply_to = reply_to != node ? reply_to : 0;
        shared->sums.executors_started++;
        strncpy(slot->name, name, sizeof(slot->name) - 1);
        atomic_store_explicit(&slot->state, TRP_SLOT_OPEN, memory_order_release);
    }
    trp_shared_unlock(shared);
    return slot;
}

void trp_slot_free(struct trp_slot *slot)
{
    // Its id and whether it failed stay readable until the slot is taken again: see trp_slot_why_dead().
    atomic_store_explicit(&slot->state, TRP_SLOT_FREE, memory_order_release);
}

void trp_slot_discard(struct trp_shared *shared, struct trp_slot *slot)
{
    trp_shared_lock(shared);
    shared->sums.executors_started--;
    trp_slot_free(slot);
    trp_shared_unlock(shared);
}

enum troupe_dead_reason trp_slot_why_dead(struct trp_shared *shared, uint32_t id)
{
    enum troupe_dead_reason reason = TROUPE_DEAD_NO_SUCH_ACTOR;
    trp_shared_lock(shared);
    const struct trp_slot *slot = trp_shared_find_slot(shared, id);
    if (slot != NULL && slot->failed) {
        reason = TROUPE_DEAD_UNDELIVERABLE;
    } else if (slot != NULL && trp_slot_state(slot) == TRP_SLOT_DEAD) {
        reason = TROUPE_DEAD_PEER_DOWN;
    } else if (id < atomic_load_explicit(&shared->next_executor, memory_order_relaxed)) {
        reason = TROUPE_DEAD_STOPPED;
    }
    trp_shared_unlock(shared);
    return reason;
}

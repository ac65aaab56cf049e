#include "shared/slot_queue.h"

#include "shared/shared.h"
#include "shared/shared_table.h"

enum {
    SLOTS_RESTING = 512, // so many stay free before one is used again
    TENANTS_MAX =
        UINT32_MAX / TRP_SHARED_SLOTS + 1, // executors that may have a slot, one after the other
};

static uint32_t slot_queue_index(const struct trp_shared *shared, const struct trp_slot *slot)
{
    return (uint32_t)(slot - shared->slots);
}

/** @return how many executors had a slot before the one that has it now, or had it last. */
static uint32_t slot_queue_tenant(const struct trp_slot *slot)
{
    return slot->id / TRP_SHARED_SLOTS;
}

struct trp_slot *trp_slot_dequeue(struct trp_shared *shared, uint32_t *out_id)
{
    struct trp_slot_queue *queue = &shared->slot_queue;
    uint32_t high = trp_shared_slot_count(shared);
    uint32_t first = trp_shared_slot_index(shared, queue->first);
    if (trp_damage_was_found()) {
        return NULL;
    }
    if (high < TRP_SHARED_SLOTS && queue->count <= SLOTS_RESTING) {
        *out_id = high;
        return &shared->slots[high];
    }
    if (first == 0) {
        return NULL;
    }
    struct trp_slot *slot = &shared->slots[first - 1];
    queue->first = slot->next_free;
    queue->last = queue->first == 0 ? 0 : queue->last;
    queue->count--;
    *out_id = slot->id + TRP_SHARED_SLOTS;
    return slot;
}

void trp_slot_enqueue(struct trp_shared *shared, struct trp_slot *slot)
{
    struct trp_slot_queue *queue = &shared->slot_queue;
    uint32_t place = slot_queue_index(shared, slot) + 1;
    if (slot_queue_tenant(slot) + 1 == TENANTS_MAX) {
        return;
    }
    slot->next_free = 0;
    uint32_t last = trp_shared_slot_index(shared, queue->last);
    if (last == 0) {
        queue->first = place;
    } else {
        shared->slots[last - 1].next_free = place;
    }
    queue->last = place;
    queue->count++;
}

void trp_slot_repair_queue(struct trp_shared *shared)
{
    shared->slot_queue = (struct trp_slot_queue){0};
    uint32_t high = trp_shared_slot_count(shared);
    for (uint32_t i = 0; i < high; i++) {
        if (trp_slot_state(&shared->slots[i]) == TRP_SLOT_FREE) {
            shared->slots[i].id |= i; // of one that was passed over it is 0 yet
            trp_slot_enqueue(shared, &shared->slots[i]);
        }
    }
}

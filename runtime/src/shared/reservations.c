#include "shared/reservations.h"

#include "shared/shared.h"
#include "shared/slot.h"

#include <stdatomic.h>

uint32_t trp_reservation_take(
    struct trp_shared *shared, uint32_t spawner, uint32_t executor, uint32_t row)
{
    uint32_t place = shared->reservation_free;
    if (place != 0) {
        shared->reservation_free = shared->reservations[place - 1].next;
    } else if (shared->reservation_high < TRP_SHARED_RESERVATIONS) {
        place = ++shared->reservation_high;
    } else {
        return 0;
    }
    struct trp_reservation *entry = &shared->reservations[place - 1];
    entry->spawner = spawner;
    entry->row = row;
    atomic_signal_fence(memory_order_release);
    entry->executor = executor;
    return place;
}

/** @threads holding the lock */
static void reservation_free(struct trp_shared *shared, uint32_t place)
{
    struct trp_reservation *entry = &shared->reservations[place - 1];
    entry->executor = 0;
    entry->next = shared->reservation_free;
    shared->reservation_free = place;
}

void trp_reservation_end(struct trp_shared *shared, uint32_t place, uint32_t executor, uint32_t row)
{
    if (place == 0 || place > TRP_SHARED_RESERVATIONS) {
        return; // of this process, which needs none; or damaged
    }
    trp_shared_lock(shared);
    const struct trp_reservation *entry = &shared->reservations[place - 1];
    if (entry->executor == executor && entry->row == row) {
        reservation_free(shared, place);
    }
    trp_shared_unlock(shared);
}

uint32_t trp_reservation_end_any(
    struct trp_shared *shared, uint32_t spawner, uint32_t executor, uint32_t *out_row)
{
    uint32_t found = 0;
    trp_shared_lock(shared);
    for (uint32_t i = 0; i < shared->reservation_high && found == 0; i++) {
        const struct trp_reservation *entry = &shared->reservations[i];
        if (entry->executor == executor && entry->spawner == spawner && executor != 0) {
            *out_row = entry->row;
            found = i + 1;
            reservation_free(shared, found);
        }
    }
    trp_shared_unlock(shared);
    return found;
}

void trp_reservations_forget(struct trp_shared *shared)
{
    for (uint32_t i = 0; i < shared->reservation_high; i++) {
        uint32_t executor = shared->reservations[i].executor;
        const struct trp_slot *slot = executor == 0 ? NULL : trp_shared_find_slot(shared, executor);
        if (executor != 0 && (slot == NULL || !trp_slot_is_there(slot))) {
            reservation_free(shared, i + 1);
        }
    }
}

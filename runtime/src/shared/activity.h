/**
 * @file activity.h
 * @brief Which callback an executor is in, readable in its slot by all processes, and for how long.
 *
 *     executor   begin: callback = its number and the row of its actor --> end: callback = 0
 *     sampler    the same value in two samples: the callback has run at least since the first
 *
 * The executor's part is three plain stores; it does not read a clock.
 */
#ifndef TRP_ACTIVITY_H
#define TRP_ACTIVITY_H

#include "shared/slot.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/** What a callback is for, where that is no message: types that no message can have. */
enum trp_callback_type {
    TRP_CALLBACK_INIT = 0x7FFFFFFF,
    TRP_CALLBACK_FINI = 0x7FFFFFFE,
    TRP_CALLBACK_FAILED_ASK = 0x7FFFFFFD, // `on_reply` of an ask without a reply
};

/** Added to the type of a reply. */
#define TRP_CALLBACK_REPLY UINT32_C(0x80000000)

enum { TRP_CALLBACK_TEXT_BYTES = 48 };

/** One sample of an executor. */
struct trp_callback_sample {
    uint64_t callback; // its number and, in the low half, its actor's row + 1; 0: none runs
    uint32_t type;     // of its message, or an enum trp_callback_type
    uint64_t for_ns;   // how long it has run, at least
};

/** Note that an executor begins a callback. @param count  How many it has begun so far; its own. */
static inline void trp_activity_begin(
    struct trp_slot *slot, uint32_t *count, uint32_t index, uint32_t type)
{
    uint64_t callback = (uint64_t)++ * count << 32 | (index + 1);
    atomic_store_explicit(&slot->callback_type, type, memory_order_relaxed);
    // Release: pairs with trp_counted(): a thread that reads the number finds the row, and its name, in place.
    atomic_store_explicit(&slot->callback, callback, memory_order_release);
}

/** Note that the callback has returned. */
static inline void trp_activity_end(struct trp_slot *slot)
{
    atomic_store_explicit(&slot->callback, 0, memory_order_release);
}

/** @return the row of the actor whose callback it is. @param callback  Of a sample; not 0. */
static inline uint32_t trp_callback_index(uint64_t callback)
{
    return (uint32_t)callback - 1;
}

/** Sample an executor. @threads holding shared memory's lock */
struct trp_callback_sample trp_activity_sample(struct trp_slot *slot, uint64_t now_ns);

/** Have the time of an executor's callback count from now: samples were not taken. @threads as above */
void trp_activity_forget(struct trp_slot *slot, uint64_t now_ns);

/** Sample all executors, so that a later sample knows how long their callbacks have run. @threads any, without the lock */
void trp_activity_sample_all(struct trp_shared *shared, uint64_t now_ns);

/** Print what a callback is for: "init", "a message of type 7". Safe in a signal handler. */
void trp_callback_print(uint32_t type, char text[static TRP_CALLBACK_TEXT_BYTES]);

#endif

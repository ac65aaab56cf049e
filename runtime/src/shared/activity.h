/**
 * @file activity.h
 * @brief Which callback an executor is in, as its slot in shared memory tells anybody, and for how long.
 *
 *     executor   begin --> doing = callback number, row of its actor --> end: doing = 0
 *     who looks  the same callback number twice: it has run at least since the first look
 *
 * The executor's part is three plain stores and no look at a clock.
 */
#ifndef TRP_ACTIVITY_H
#define TRP_ACTIVITY_H

#include "shared/shared.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/** What a callback meets, where that is no message: types that no message can have. */
enum trp_callback_type {
    TRP_CALLBACK_INIT = 0x7FFFFFFF,
    TRP_CALLBACK_FINI = 0x7FFFFFFE,
    TRP_CALLBACK_FAILED_ASK = 0x7FFFFFFD, // an ask without an answer
};

/** Added to the type of an answer. */
#define TRP_CALLBACK_REPLY UINT32_C(0x80000000)

enum { TRP_CALLBACK_TEXT_BYTES = 48 };

/** What one look at an executor saw. */
struct trp_callback_sample {
    uint64_t
        callback;  // the callback's number and, in the low half, its actor's row + 1; 0: none runs
    uint32_t type; // what it meets
    uint64_t for_ns; // how long, at least
};

/** Note that the executor of @p slot is in a callback; @p count is its own, of callbacks. */
static inline void trp_activity_begin(
    struct trp_slot *slot, uint32_t *count, uint32_t index, uint32_t type)
{
    uint64_t callback = (uint64_t)++ * count << 32 | (index + 1);
    atomic_store_explicit(&slot->callback_type, type, memory_order_relaxed);
    // Release: who sees the number sees its row, too, and the name that goes with it.
    atomic_store_explicit(&slot->callback, callback, memory_order_release);
}

/** Note that it is in none any more. */
static inline void trp_activity_end(struct trp_slot *slot)
{
    atomic_store_explicit(&slot->callback, 0, memory_order_release);
}

/** @return the row of the actor whose callback it is; @p doing is not 0. */
static inline uint32_t trp_callback_index(uint64_t callback)
{
    return (uint32_t)callback - 1;
}

/** Look at what an executor is at. @threads holding shared memory's lock */
struct trp_callback_sample trp_activity_sample(struct trp_slot *slot, uint64_t now_ns);

/** Forget since when it has been at that: who looks was away. @threads holding shared memory's lock */
void trp_activity_forget(struct trp_slot *slot, uint64_t now_ns);

/** Look at all executors, so that a later look knows how long they have been at what they are at. */
void trp_activity_sample_all(struct trp_shared *shared, uint64_t now_ns);

/** Put into words what a callback meets: "init", "a message of type 7". Safe in a signal handler. */
void trp_callback_print(uint32_t type, char text[static TRP_CALLBACK_TEXT_BYTES]);

#endif

/**
 * @file activity.h
 * @brief Which callback an executor is in, as its seat on the board tells anybody, and for how long.
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
enum trp_doing_type {
    TRP_DOING_INIT = 0x7FFFFFFF,
    TRP_DOING_FINI = 0x7FFFFFFE,
    TRP_DOING_FAILED_ASK = 0x7FFFFFFD, // an ask without an answer
};

/** Added to the type of an answer. */
#define TRP_DOING_ANSWER UINT32_C(0x80000000)

enum { TRP_DOING_TEXT_BYTES = 48 };

/** What one look at an executor saw. */
struct trp_glimpse {
    uint64_t doing; // the callback's number and, in the low half, its actor's row + 1; 0: none runs
    uint32_t type;  // what it meets
    uint64_t for_ns; // how long, at least
};

/** Note that the executor of @p seat is in a callback; @p count is its own, of callbacks. */
static inline void trp_activity_begin(
    struct trp_seat *seat, uint32_t *count, uint32_t index, uint32_t type)
{
    uint64_t doing = (uint64_t)++ * count << 32 | (index + 1);
    atomic_store_explicit(&seat->doing_type, type, memory_order_relaxed);
    // Release: who sees the number sees its row, too, and the name that goes with it.
    atomic_store_explicit(&seat->doing, doing, memory_order_release);
}

/** Note that it is in none any more. */
static inline void trp_activity_end(struct trp_seat *seat)
{
    atomic_store_explicit(&seat->doing, 0, memory_order_release);
}

/** @return the row of the actor whose callback it is; @p doing is not 0. */
static inline uint32_t trp_doing_index(uint64_t doing)
{
    return (uint32_t)doing - 1;
}

/** Look at what an executor is at. @threads holding the board's lock */
struct trp_glimpse trp_activity_look(struct trp_seat *seat, uint64_t now_ns);

/** Forget since when it has been at that: who looks was away. @threads holding the board's lock */
void trp_activity_forget(struct trp_seat *seat, uint64_t now_ns);

/** Look at all executors, so that a later look knows how long they have been at what they are at. */
void trp_activity_look_at_all(struct trp_board *board, uint64_t now_ns);

/** Put into words what a callback meets: "init", "a message of type 7". Safe in a signal handler. */
void trp_doing_print(uint32_t type, char text[static TRP_DOING_TEXT_BYTES]);

#endif

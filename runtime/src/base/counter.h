/**
 * @file counter.h
 * @brief Counters that one thread writes and all threads, of any process, may read.
 */
#ifndef TRP_COUNTER_H
#define TRP_COUNTER_H

#include <stdatomic.h>
#include <stdint.h>

/** A counter with one writer; it may lie in memory that processes share. */
typedef _Atomic uint64_t trp_counter_t;

/**
 * Add @p more to a counter. A load and a store suffice, as there is one writer.
 *
 * @threads the writer's
 */
static inline void trp_count(trp_counter_t *counter, uint64_t more)
{
    uint64_t count = atomic_load_explicit(counter, memory_order_relaxed);
    // Release: pairs with the acquire in trp_counted(). A reader that loads `handled` before
    // `accepted` never sees fewer messages accepted than handled.
    atomic_store_explicit(counter, count + more, memory_order_release);
}

/** @return the value; what is read after it is at least as recent. @threads any */
static inline uint64_t trp_counted(const trp_counter_t *counter)
{
    return atomic_load_explicit(counter, memory_order_acquire);
}

#endif

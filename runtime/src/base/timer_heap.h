/**
 * @file timer_heap.h
 * @brief Timers by due time: a binary heap whose entries can be cancelled. All operations take
 *        O(log n).
 *
 * A timer is a number and a payload of the caller's. Numbers are not used again: they have a
 * generation. Zeroed memory is an empty heap. It is not thread-safe.
 */
#ifndef TRP_TIMER_HEAP_H
#define TRP_TIMER_HEAP_H

#include <stdbool.h>
#include <stdint.h>

/** The due time of an empty heap. */
#define TRP_TIMER_HEAP_NEVER UINT64_MAX

struct trp_timer {
    uint64_t due_ns;
    uint64_t sequence; // of timers due at the same time, the lower one is first
    uint32_t place;    // index in `heap`; of a free entry, the next free one + 1
    uint32_t generation;
    void *payload; // NULL: free
};

struct trp_timer_heap {
    struct trp_timer *entries;
    uint32_t *heap; // indices of entries
    uint32_t capacity;
    uint32_t count;
    uint32_t free_head;   // index of the first free entry + 1; 0: none
    uint32_t entry_count; // ever used; those beyond were never initialised
    uint64_t sequence;
};

/** Free the heap. The payloads belong to the caller. */
void trp_timer_heap_fini(struct trp_timer_heap *timers);

/**
 * Add a timer.
 *
 * @param payload  Not NULL.
 * @return         its number; 0: no memory.
 */
uint64_t trp_timer_heap_add(struct trp_timer_heap *timers, uint64_t due_ns, void *payload);

/** Cancel a timer. @return its payload; NULL: it was cancelled or popped before. */
void *trp_timer_heap_cancel(struct trp_timer_heap *timers, uint64_t timer);

/** @return when the next timer is due; ::TRP_TIMER_HEAP_NEVER: there is none. */
static inline uint64_t trp_timer_heap_due(const struct trp_timer_heap *timers)
{
    return timers->count == 0 ? TRP_TIMER_HEAP_NEVER : timers->entries[timers->heap[0]].due_ns;
}

/** Remove the next timer. @return its payload; NULL: the heap is empty. */
void *trp_timer_heap_pop(struct trp_timer_heap *timers, uint64_t *out_timer);

/**
 * Add a timer again under its old number. Nothing else was done with the heap since it was popped.
 */
void trp_timer_heap_restart(
    struct trp_timer_heap *timers, uint64_t timer, uint64_t due_ns, void *payload);

#endif

/**
 * @file timers.h
 * @brief What is due when: a binary heap whose entries can be cancelled, O(log n) for everything.
 *
 * An entry is a payload of the caller's. One thread at a time; zeroed memory is an empty heap.
 */
#ifndef TRP_TIMER_HEAP_H
#define TRP_TIMER_HEAP_H

#include <stdbool.h>
#include <stdint.h>

/** No timer runs. */
#define TRP_TIMER_HEAP_NEVER UINT64_MAX

struct trp_timer {
    uint64_t due_ns;
    uint64_t sequence; // of equal dues the earlier entry goes first
    uint32_t place;    // in the heap; the next free entry when free
    uint32_t generation;
    void *payload; // NULL: free
};

struct trp_timer_heap {
    struct trp_timer *entries;
    uint32_t *heap; // of entries
    uint32_t capacity;
    uint32_t count;
    uint32_t free_head;   // of entries, + 1; 0: none
    uint32_t entry_count; // ever used
    uint64_t sequence;
};

/** Free the heap; payloads are the caller's. */
void trp_timer_heap_fini(struct trp_timer_heap *timers);

/**
 * Add an entry. @p payload is not NULL.
 *
 * @return its number, or 0 without memory.
 */
uint64_t trp_timer_heap_add(struct trp_timer_heap *timers, uint64_t due_ns, void *payload);

/** Remove an entry. @return its payload, or NULL when @p timer is no entry any more. */
void *trp_timer_heap_cancel(struct trp_timer_heap *timers, uint64_t timer);

/** @return when the next entry is due, or ::TRP_TIMER_HEAP_NEVER. */
static inline uint64_t trp_timer_heap_due(const struct trp_timer_heap *timers)
{
    return timers->count == 0 ? TRP_TIMER_HEAP_NEVER : timers->entries[timers->heap[0]].due_ns;
}

/** Take the next entry out. @return its payload; NULL when the heap is empty. */
void *trp_timer_heap_pop(struct trp_timer_heap *timers, uint64_t *out_timer);

/** Put an entry just popped back with its old number, due at @p due_ns. */
void trp_timer_heap_restart(
    struct trp_timer_heap *timers, uint64_t timer, uint64_t due_ns, void *payload);

#endif

#include "base/timer_heap.h"

#include "base/check.h"

#include <stdlib.h>

enum { TIMERS_FIRST_CAPACITY = 8 };

void trp_timer_heap_fini(struct trp_timer_heap *timers)
{
    free(timers->entries);
    free(timers->heap);
    *timers = (struct trp_timer_heap){0};
}

static uint64_t timer_heap_number(const struct trp_timer_heap *timers, uint32_t entry)
{
    return (uint64_t)timers->entries[entry].generation << 32 | (entry + 1);
}

static bool timer_heap_before(const struct trp_timer_heap *timers, uint32_t a, uint32_t b)
{
    const struct trp_timer *left = &timers->entries[a];
    const struct trp_timer *right = &timers->entries[b];
    return left->due_ns != right->due_ns ? left->due_ns < right->due_ns
                                         : left->sequence < right->sequence;
}

static void timer_heap_put(struct trp_timer_heap *timers, uint32_t place, uint32_t entry)
{
    timers->heap[place] = entry;
    timers->entries[entry].place = place;
}

static void timer_heap_sift_up(struct trp_timer_heap *timers, uint32_t place)
{
    uint32_t entry = timers->heap[place];
    while (place > 0 && timer_heap_before(timers, entry, timers->heap[(place - 1) / 2])) {
        timer_heap_put(timers, place, timers->heap[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    timer_heap_put(timers, place, entry);
}

static void timer_heap_sift_down(struct trp_timer_heap *timers, uint32_t place)
{
    uint32_t entry = timers->heap[place];
    for (;;) {
        uint32_t child = place * 2 + 1;
        if (child + 1 < timers->count &&
            timer_heap_before(timers, timers->heap[child + 1], timers->heap[child])) {
            child++;
        }
        if (child >= timers->count || !timer_heap_before(timers, timers->heap[child], entry)) {
            break;
        }
        timer_heap_put(timers, place, timers->heap[child]);
        place = child;
    }
    timer_heap_put(timers, place, entry);
}

static bool timer_heap_grow(struct trp_timer_heap *timers)
{
    uint32_t capacity = timers->capacity == 0 ? TIMERS_FIRST_CAPACITY : timers->capacity * 2;
    struct trp_timer *entries = realloc(timers->entries, capacity * sizeof(*entries));
    if (entries == NULL) {
        return false;
    }
    timers->entries = entries;
    uint32_t *heap = realloc(timers->heap, capacity * sizeof(*heap));
    if (heap == NULL) {
        return false;
    }
    timers->heap = heap;
    timers->capacity = capacity;
    return true;
}

static void timer_heap_insert(
    struct trp_timer_heap *timers, uint32_t entry, uint64_t due_ns, void *payload)
{
    timers->entries[entry].due_ns = due_ns;
    timers->entries[entry].sequence = timers->sequence++;
    timers->entries[entry].payload = payload;
    timer_heap_put(timers, timers->count++, entry);
    timer_heap_sift_up(timers, timers->count - 1);
}

uint64_t trp_timer_heap_add(struct trp_timer_heap *timers, uint64_t due_ns, void *payload)
{
    TRP_CHECK(payload != NULL);
    uint32_t entry = 0;
    if (timers->free_head != 0) {
        entry = timers->free_head - 1;
        timers->free_head = timers->entries[entry].place;
    } else {
        if (timers->entry_count == timers->capacity && !timer_heap_grow(timers)) {
            return 0;
        }
        entry = timers->entry_count++;
        timers->entries[entry] = (struct trp_timer){.generation = 1};
    }
    timer_heap_insert(timers, entry, due_ns, payload);
    return timer_heap_number(timers, entry);
}

/** Remove @p entry from the heap and free it. @return its payload. */
static void *timer_heap_remove(struct trp_timer_heap *timers, uint32_t entry)
{
    uint32_t place = timers->entries[entry].place;
    uint32_t moved = timers->heap[--timers->count];
    if (moved != entry) {
        timer_heap_put(timers, place, moved);
        timer_heap_sift_up(timers, place);
        timer_heap_sift_down(timers, timers->entries[moved].place);
    }
    void *payload = timers->entries[entry].payload;
    timers->entries[entry].payload = NULL;
    timers->entries[entry].generation++;
    timers->entries[entry].place = timers->free_head;
    timers->free_head = entry + 1;
    return payload;
}

void *trp_timer_heap_cancel(struct trp_timer_heap *timers, uint64_t timer)
{
    uint32_t entry = (uint32_t)timer - 1;
    if ((uint32_t)timer == 0 || entry >= timers->entry_count ||
        timers->entries[entry].payload == NULL || timer_heap_number(timers, entry) != timer) {
        return NULL;
    }
    return timer_heap_remove(timers, entry);
}

void *trp_timer_heap_pop(struct trp_timer_heap *timers, uint64_t *out_timer)
{
    if (timers->count == 0) {
        return NULL;
    }
    *out_timer = timer_heap_number(timers, timers->heap[0]);
    return timer_heap_remove(timers, timers->heap[0]);
}

void trp_timer_heap_restart(
    struct trp_timer_heap *timers, uint64_t timer, uint64_t due_ns, void *payload)
{
    uint32_t entry = (uint32_t)timer - 1;
    TRP_CHECK(timers->free_head == entry + 1);
    timers->free_head = timers->entries[entry].place;
    timers->entries[entry].generation = (uint32_t)(timer >> 32);
    timer_heap_insert(timers, entry, due_ns, payload);
}

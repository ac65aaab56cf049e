#include "base/timer_heap.h"

#include "base/check.h"

#include <stdlib.h>

enum { TIMERS_FIRST_CAPACITY = 8 };

void trp_timers_fini(struct trp_timers *timers)
{
    free(timers->entries);
    free(timers->heap);
    *timers = (struct trp_timers){0};
}

static uint64_t timers_number(const struct trp_timers *timers, uint32_t entry)
{
    return (uint64_t)timers->entries[entry].generation << 32 | (entry + 1);
}

static bool timers_before(const struct trp_timers *timers, uint32_t a, uint32_t b)
{
    const struct trp_timer *left = &timers->entries[a];
    const struct trp_timer *right = &timers->entries[b];
    return left->due_ns != right->due_ns ? left->due_ns < right->due_ns
                                         : left->sequence < right->sequence;
}

static void timers_place(struct trp_timers *timers, uint32_t place, uint32_t entry)
{
    timers->heap[place] = entry;
    timers->entries[entry].place = place;
}

static void timers_sift_up(struct trp_timers *timers, uint32_t place)
{
    uint32_t entry = timers->heap[place];
    while (place > 0 && timers_before(timers, entry, timers->heap[(place - 1) / 2])) {
        timers_place(timers, place, timers->heap[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    timers_place(timers, place, entry);
}

static void timers_sift_down(struct trp_timers *timers, uint32_t place)
{
    uint32_t entry = timers->heap[place];
    for (;;) {
        uint32_t child = place * 2 + 1;
        if (child + 1 < timers->count &&
            timers_before(timers, timers->heap[child + 1], timers->heap[child])) {
            child++;
        }
        if (child >= timers->count || !timers_before(timers, timers->heap[child], entry)) {
            break;
        }
        timers_place(timers, place, timers->heap[child]);
        place = child;
    }
    timers_place(timers, place, entry);
}

static bool timers_grow(struct trp_timers *timers)
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

static void timers_insert(struct trp_timers *timers, uint32_t entry, uint64_t due_ns, void *payload)
{
    timers->entries[entry].due_ns = due_ns;
    timers->entries[entry].sequence = timers->sequence++;
    timers->entries[entry].payload = payload;
    timers_place(timers, timers->count++, entry);
    timers_sift_up(timers, timers->count - 1);
}

uint64_t trp_timers_add(struct trp_timers *timers, uint64_t due_ns, void *payload)
{
    TRP_CHECK(payload != NULL);
    uint32_t entry = 0;
    if (timers->free_head != 0) {
        entry = timers->free_head - 1;
        timers->free_head = timers->entries[entry].place;
    } else {
        if (timers->entry_count == timers->capacity && !timers_grow(timers)) {
            return 0;
        }
        entry = timers->entry_count++;
        timers->entries[entry] = (struct trp_timer){.generation = 1};
    }
    timers_insert(timers, entry, due_ns, payload);
    return timers_number(timers, entry);
}

/** Take @p entry out of the heap; its number stays its own until it is freed. */
static void *timers_remove(struct trp_timers *timers, uint32_t entry)
{
    uint32_t place = timers->entries[entry].place;
    uint32_t moved = timers->heap[--timers->count];
    if (moved != entry) {
        timers_place(timers, place, moved);
        timers_sift_up(timers, place);
        timers_sift_down(timers, timers->entries[moved].place);
    }
    void *payload = timers->entries[entry].payload;
    timers->entries[entry].payload = NULL;
    timers->entries[entry].generation++;
    timers->entries[entry].place = timers->free_head;
    timers->free_head = entry + 1;
    return payload;
}

void *trp_timers_cancel(struct trp_timers *timers, uint64_t timer)
{
    uint32_t entry = (uint32_t)timer - 1;
    if ((uint32_t)timer == 0 || entry >= timers->entry_count ||
        timers->entries[entry].payload == NULL || timers_number(timers, entry) != timer) {
        return NULL;
    }
    return timers_remove(timers, entry);
}

void *trp_timers_pop(struct trp_timers *timers, uint64_t *out_timer)
{
    if (timers->count == 0) {
        return NULL;
    }
    *out_timer = timers_number(timers, timers->heap[0]);
    return timers_remove(timers, timers->heap[0]);
}

void trp_timers_again(struct trp_timers *timers, uint64_t timer, uint64_t due_ns, void *payload)
{
    uint32_t entry = (uint32_t)timer - 1;
    TRP_CHECK(timers->free_head == entry + 1);
    timers->free_head = timers->entries[entry].place;
    timers->entries[entry].generation = (uint32_t)(timer >> 32);
    timers_insert(timers, entry, due_ns, payload);
}

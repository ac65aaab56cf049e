#include "actor/monitor_table.h"

#include <stdbool.h>
#include <stdlib.h>

enum { WATCHES_FIRST_CAPACITY = 8 };

void trp_watches_fini(struct trp_watches *watches)
{
    free(watches->entries);
    *watches = (struct trp_watches){0};
}

static bool watches_grow(struct trp_watches *watches)
{
    uint32_t capacity = watches->capacity == 0 ? WATCHES_FIRST_CAPACITY : watches->capacity * 2;
    struct trp_watch *entries = realloc(watches->entries, capacity * sizeof(*entries));
    if (entries == NULL) {
        return false;
    }
    watches->entries = entries;
    watches->capacity = capacity;
    return true;
}

static uint32_t watches_index(const struct trp_watches *watches, const struct trp_watch *watch)
{
    return (uint32_t)(watch - watches->entries) + 1;
}

static void watches_enlist(struct trp_watches *watches, uint32_t *head, struct trp_watch *watch)
{
    watch->previous = 0;
    watch->next = *head;
    if (*head != 0) {
        watches->entries[*head - 1].previous = watches_index(watches, watch);
    }
    *head = watches_index(watches, watch);
}

static void watches_delist(
    const struct trp_watches *watches, uint32_t *head, const struct trp_watch *watch)
{
    if (watch->previous != 0) {
        watches->entries[watch->previous - 1].next = watch->next;
    } else {
        *head = watch->next;
    }
    if (watch->next != 0) {
        watches->entries[watch->next - 1].previous = watch->previous;
    }
}

struct trp_watch *trp_watches_add(
    struct trp_watches *watches, uint32_t *head, const struct trp_watch *like)
{
    uint32_t index = watches->free_head;
    uint32_t generation = 1;
    if (index != 0) {
        watches->free_head = watches->entries[index - 1].next;
        generation = watches->entries[index - 1].generation;
    } else {
        if (watches->count == watches->capacity && !watches_grow(watches)) {
            return NULL;
        }
        index = ++watches->count;
    }
    struct trp_watch *watch = &watches->entries[index - 1];
    *watch = *like;
    watch->generation = generation;
    if (watch->side == TRP_WATCH_HOLDS) {
        watch->number = (uint64_t)generation << 32 | index;
    }
    watches_enlist(watches, head, watch);
    return watch;
}

struct trp_watch *trp_watches_find(struct trp_watches *watches, uint64_t number)
{
    uint32_t index = (uint32_t)number;
    if (index == 0 || index > watches->count) {
        return NULL;
    }
    struct trp_watch *watch = &watches->entries[index - 1];
    return watch->side == TRP_WATCH_HOLDS && watch->number == number ? watch : NULL;
}

struct trp_watch *trp_watches_find_peer(
    struct trp_watches *watches,
    uint32_t head,
    enum trp_watch_side side,
    troupe_ref_t peer,
    uint64_t number)
{
    for (uint32_t at = head; at != 0; at = watches->entries[at - 1].next) {
        struct trp_watch *watch = &watches->entries[at - 1];
        if (watch->side == side && watch->number == number && troupe_ref_equal(watch->peer, peer)) {
            return watch;
        }
    }
    return NULL;
}

void trp_watches_remove(struct trp_watches *watches, uint32_t *head, struct trp_watch *watch)
{
    watches_delist(watches, head, watch);
    *watch = (struct trp_watch){.generation = watch->generation + 1, .next = watches->free_head};
    watches->free_head = watches_index(watches, watch);
}

void trp_watches_move(
    struct trp_watches *watches, uint32_t *head, struct trp_watch *watch, uint32_t *to_head)
{
    watches_delist(watches, head, watch);
    watches_enlist(watches, to_head, watch);
}

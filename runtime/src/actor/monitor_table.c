#include "actor/monitor_table.h"

#include <stdbool.h>
#include <stdlib.h>

enum { MONITORS_FIRST_CAPACITY = 8 };

void trp_monitor_table_fini(struct trp_monitor_table *monitors)
{
    free(monitors->entries);
    *monitors = (struct trp_monitor_table){0};
}

static bool monitor_table_grow(struct trp_monitor_table *monitors)
{
    uint32_t capacity = monitors->capacity == 0 ? MONITORS_FIRST_CAPACITY : monitors->capacity * 2;
    struct trp_monitor_entry *entries = realloc(monitors->entries, capacity * sizeof(*entries));
    if (entries == NULL) {
        return false;
    }
    monitors->entries = entries;
    monitors->capacity = capacity;
    return true;
}

static uint32_t monitor_table_index(
    const struct trp_monitor_table *monitors, const struct trp_monitor_entry *entry)
{
    return (uint32_t)(entry - monitors->entries) + 1;
}

static void monitor_table_enlist(
    struct trp_monitor_table *monitors, uint32_t *head, struct trp_monitor_entry *entry)
{
    entry->previous = 0;
    entry->next = *head;
    if (*head != 0) {
        monitors->entries[*head - 1].previous = monitor_table_index(monitors, entry);
    }
    *head = monitor_table_index(monitors, entry);
}

static void monitor_table_delist(
    const struct trp_monitor_table *monitors, uint32_t *head, const struct trp_monitor_entry *entry)
{
    if (entry->previous != 0) {
        monitors->entries[entry->previous - 1].next = entry->next;
    } else {
        *head = entry->next;
    }
    if (entry->next != 0) {
        monitors->entries[entry->next - 1].previous = entry->previous;
    }
}

struct trp_monitor_entry *trp_monitor_table_add(
    struct trp_monitor_table *monitors, uint32_t *head, const struct trp_monitor_entry *like)
{
    uint32_t index = monitors->free_head;
    uint32_t generation = 1;
    if (index != 0) {
        monitors->free_head = monitors->entries[index - 1].next;
        generation = monitors->entries[index - 1].generation;
    } else {
        if (monitors->count == monitors->capacity && !monitor_table_grow(monitors)) {
            return NULL;
        }
        index = ++monitors->count;
    }
    struct trp_monitor_entry *entry = &monitors->entries[index - 1];
    *entry = *like;
    entry->generation = generation;
    if (entry->side == TRP_MONITORS) {
        entry->number = (uint64_t)generation << 32 | index;
    }
    monitor_table_enlist(monitors, head, entry);
    return entry;
}

struct trp_monitor_entry *trp_monitor_table_find(
    struct trp_monitor_table *monitors, uint64_t number)
{
    uint32_t index = (uint32_t)number;
    if (index == 0 || index > monitors->count) {
        return NULL;
    }
    struct trp_monitor_entry *entry = &monitors->entries[index - 1];
    return entry->side == TRP_MONITORS && entry->number == number ? entry : NULL;
}

struct trp_monitor_entry *trp_monitor_table_find_peer(
    struct trp_monitor_table *monitors,
    uint32_t head,
    enum trp_monitor_side side,
    troupe_ref_t peer,
    uint64_t number)
{
    for (uint32_t at = head; at != 0; at = monitors->entries[at - 1].next) {
        struct trp_monitor_entry *entry = &monitors->entries[at - 1];
        if (entry->side == side && entry->number == number && troupe_ref_equal(entry->peer, peer)) {
            return entry;
        }
    }
    return NULL;
}

void trp_monitor_table_remove(
    struct trp_monitor_table *monitors, uint32_t *head, struct trp_monitor_entry *entry)
{
    monitor_table_delist(monitors, head, entry);
    *entry = (struct trp_monitor_entry){
        .generation = entry->generation + 1, .next = monitors->free_head};
    monitors->free_head = monitor_table_index(monitors, entry);
}

void trp_monitor_table_move(
    struct trp_monitor_table *monitors,
    uint32_t *head,
    struct trp_monitor_entry *entry,
    uint32_t *to_head)
{
    monitor_table_delist(monitors, head, entry);
    monitor_table_enlist(monitors, to_head, entry);
}

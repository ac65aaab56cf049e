#include "actor/monitor_table.h"

#include <stdbool.h>
#include <stdlib.h>

enum { MONITORS_FIRST_CAPACITY = 8 };

void trp_monitor_table_fini(struct trp_monitor_table *monitors)
{
    free(monitors->entries);
    free(monitors->buckets);
    *monitors = (struct trp_monitor_table){0};
}

static uint32_t monitor_table_index(
    const struct trp_monitor_table *monitors, const struct trp_monitor_entry *entry)
{
    return (uint32_t)(entry - monitors->entries) + 1;
}

/** @return the list for entries like that. */
static uint32_t *monitor_table_bucket(
    const struct trp_monitor_table *monitors, const struct trp_monitor_entry *entry)
{
    uint64_t hash = (uint64_t)entry->actor_index << 32 | entry->actor_generation;
    hash = (hash ^ entry->number) * UINT64_C(0x9E3779B97F4A7C15);
    hash ^= (uint64_t)entry->peer.executor << 32 | entry->peer.index;
    hash = (hash ^ hash >> 29) * UINT64_C(0xBF58476D1CE4E5B9);
    return &monitors->buckets[hash >> 32 & (monitors->capacity - 1)];
}

static void monitor_table_link(struct trp_monitor_table *monitors, struct trp_monitor_entry *entry)
{
    uint32_t *bucket = monitor_table_bucket(monitors, entry);
    entry->previous_like = 0;
    entry->next_like = *bucket;
    if (*bucket != 0) {
        monitors->entries[*bucket - 1].previous_like = monitor_table_index(monitors, entry);
    }
    *bucket = monitor_table_index(monitors, entry);
}

static void monitor_table_unlink(
    const struct trp_monitor_table *monitors, const struct trp_monitor_entry *entry)
{
    if (entry->previous_like != 0) {
        monitors->entries[entry->previous_like - 1].next_like = entry->next_like;
    } else {
        *monitor_table_bucket(monitors, entry) = entry->next_like;
    }
    if (entry->next_like != 0) {
        monitors->entries[entry->next_like - 1].previous_like = entry->previous_like;
    }
}

static bool monitor_table_grow(struct trp_monitor_table *monitors)
{
    uint32_t capacity = monitors->capacity == 0 ? MONITORS_FIRST_CAPACITY : monitors->capacity * 2;
    struct trp_monitor_entry *entries = realloc(monitors->entries, capacity * sizeof(*entries));
    if (entries == NULL) {
        return false;
    }
    monitors->entries = entries;
    uint32_t *buckets = calloc(capacity, sizeof(*buckets));
    if (buckets == NULL) {
        return false; // with more entries than are counted
    }
    free(monitors->buckets);
    monitors->buckets = buckets;
    monitors->capacity = capacity;
    for (uint32_t i = 0; i < monitors->count; i++) {
        if (entries[i].side != TRP_MONITOR_FREE) {
            monitor_table_link(monitors, &entries[i]);
        }
    }
    return true;
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
    monitor_table_link(monitors, entry);
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

struct trp_monitor_entry *trp_monitor_table_find_like(
    struct trp_monitor_table *monitors, const struct trp_monitor_entry *wanted)
{
    uint32_t at = monitors->capacity == 0 ? 0 : *monitor_table_bucket(monitors, wanted);
    for (; at != 0; at = monitors->entries[at - 1].next_like) {
        struct trp_monitor_entry *entry = &monitors->entries[at - 1];
        if (entry->side == wanted->side && entry->number == wanted->number &&
            entry->actor_index == wanted->actor_index &&
            entry->actor_generation == wanted->actor_generation &&
            troupe_ref_equal(entry->peer, wanted->peer)) {
            return entry;
        }
    }
    return NULL;
}

void trp_monitor_table_remove(
    struct trp_monitor_table *monitors, uint32_t *head, struct trp_monitor_entry *entry)
{
    monitor_table_delist(monitors, head, entry);
    monitor_table_unlink(monitors, entry);
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

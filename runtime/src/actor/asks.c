#include "actor/asks.h"

#include <stdlib.h>

enum { ASKS_FIRST_CAPACITY = 8 };

void trp_asks_fini(struct trp_asks *asks)
{
    free(asks->entries);
    free(asks->buckets);
    *asks = (struct trp_asks){0};
}

/** @return the list for the asks of an actor with a tag. */
static uint32_t *asks_bucket(const struct trp_asks *asks, uint32_t actor_index, uint64_t tag)
{
    uint64_t hash = (tag ^ (uint64_t)actor_index << 40) * UINT64_C(0x9E3779B97F4A7C15);
    return &asks->buckets[hash >> 32 & (asks->capacity - 1)];
}

static void asks_link(struct trp_asks *asks, uint32_t entry)
{
    struct trp_ask *ask = &asks->entries[entry];
    uint32_t *bucket = asks_bucket(asks, ask->actor_index, ask->tag);
    ask->previous_like = 0;
    ask->next_like = *bucket;
    if (*bucket != 0) {
        asks->entries[*bucket - 1].previous_like = entry + 1;
    }
    *bucket = entry + 1;
}

static void asks_unlink(const struct trp_asks *asks, const struct trp_ask *ask)
{
    if (ask->previous_like != 0) {
        asks->entries[ask->previous_like - 1].next_like = ask->next_like;
    } else {
        *asks_bucket(asks, ask->actor_index, ask->tag) = ask->next_like;
    }
    if (ask->next_like != 0) {
        asks->entries[ask->next_like - 1].previous_like = ask->previous_like;
    }
}

static bool asks_grow(struct trp_asks *asks)
{
    uint32_t capacity = asks->capacity == 0 ? ASKS_FIRST_CAPACITY : asks->capacity * 2;
    struct trp_ask *entries = realloc(asks->entries, capacity * sizeof(*entries));
    if (entries == NULL) {
        return false;
    }
    asks->entries = entries;
    uint32_t *buckets = calloc(capacity, sizeof(*buckets));
    if (buckets == NULL) {
        return false; // with more entries than are counted
    }
    free(asks->buckets);
    asks->buckets = buckets;
    asks->capacity = capacity;
    for (uint32_t i = 0; i < asks->count; i++) {
        if (asks->entries[i].is_pending) {
            asks_link(asks, i);
        }
    }
    return true;
}

uint64_t trp_asks_add(struct trp_asks *asks, const struct trp_ask *ask)
{
    uint32_t entry = 0;
    uint32_t generation = 1;
    if (asks->free_head != 0) {
        entry = asks->free_head - 1;
        asks->free_head = asks->entries[entry].next_free;
        generation = asks->entries[entry].generation;
    } else {
        if (asks->count == asks->capacity && !asks_grow(asks)) {
            return 0;
        }
        entry = asks->count++;
    }
    asks->entries[entry] = *ask;
    asks->entries[entry].generation = generation;
    asks->entries[entry].is_pending = true;
    asks_link(asks, entry);
    return (uint64_t)generation << 32 | (entry + 1);
}

struct trp_ask *trp_asks_find(struct trp_asks *asks, uint64_t number)
{
    uint32_t entry = (uint32_t)number - 1;
    if ((uint32_t)number == 0 || entry >= asks->count) {
        return NULL;
    }
    struct trp_ask *ask = &asks->entries[entry];
    return ask->is_pending && ask->generation == (uint32_t)(number >> 32) ? ask : NULL;
}

uint64_t trp_asks_find_tag(
    const struct trp_asks *asks, uint32_t actor_index, uint32_t actor_generation, uint64_t tag)
{
    if (asks->capacity == 0) {
        return 0;
    }
    for (uint32_t at = *asks_bucket(asks, actor_index, tag); at != 0;
         at = asks->entries[at - 1].next_like) {
        const struct trp_ask *ask = &asks->entries[at - 1];
        if (ask->tag == tag && ask->actor_index == actor_index &&
            ask->actor_generation == actor_generation) {
            return (uint64_t)ask->generation << 32 | at;
        }
    }
    return 0;
}

bool trp_asks_take(struct trp_asks *asks, uint64_t number, struct trp_ask *out_ask)
{
    struct trp_ask *ask = trp_asks_find(asks, number);
    if (ask == NULL) {
        return false;
    }
    *out_ask = *ask;
    ask->is_pending = false;
    asks_unlink(asks, ask);
    // An entry whose generation wraps is retired, or its numbers would come again.
    if (++ask->generation != 0) {
        ask->next_free = asks->free_head;
        asks->free_head = (uint32_t)number;
    }
    return true;
}

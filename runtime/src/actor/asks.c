#include "actor/asks.h"

#include <stdlib.h>

enum { ASKS_FIRST_CAPACITY = 8 };

void trp_asks_fini(struct trp_asks *asks)
{
    free(asks->entries);
    *asks = (struct trp_asks){0};
}

static bool asks_grow(struct trp_asks *asks)
{
    uint32_t capacity = asks->capacity == 0 ? ASKS_FIRST_CAPACITY : asks->capacity * 2;
    struct trp_ask *entries = realloc(asks->entries, capacity * sizeof(*entries));
    if (entries == NULL) {
        return false;
    }
    asks->entries = entries;
    asks->capacity = capacity;
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
    for (uint32_t i = 0; i < asks->count; i++) {
        const struct trp_ask *ask = &asks->entries[i];
        if (ask->is_pending && ask->tag == tag && ask->actor_index == actor_index &&
            ask->actor_generation == actor_generation) {
            return (uint64_t)ask->generation << 32 | (i + 1);
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
    // An entry whose generation wraps is retired, or its numbers would come again.
    if (++ask->generation != 0) {
        ask->next_free = asks->free_head;
        asks->free_head = (uint32_t)number;
    }
    return true;
}

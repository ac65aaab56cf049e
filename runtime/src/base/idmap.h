/**
 * @file idmap.h
 * @brief A map from executor numbers to pointers: open addressing, linear probing.
 *
 * Zeroed memory is an empty map. One thread at a time.
 */
#ifndef TRP_IDMAP_H
#define TRP_IDMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct trp_idmap_slot {
    uint32_t id;
    void *value; // NULL: free
};

struct trp_idmap {
    struct trp_idmap_slot *slots;
    uint32_t slot_count; // 0 or a power of two
    uint32_t count;
};

/** Free the slots; what they point to is the caller's. */
void trp_idmap_fini(struct trp_idmap *map);

/** Add or replace. @return false without memory; then nothing changed. */
bool trp_idmap_put(struct trp_idmap *map, uint32_t id, void *value);

/** Remove @p id, if it is there. */
void trp_idmap_remove(struct trp_idmap *map, uint32_t id);

/** @return what is kept for @p id, or NULL. */
static inline void *trp_idmap_find(const struct trp_idmap *map, uint32_t id)
{
    if (map->slot_count == 0) {
        return NULL;
    }
    uint32_t mask = map->slot_count - 1;
    // Executor numbers are counted up, so they spread by themselves.
    for (uint32_t at = id & mask;; at = (at + 1) & mask) {
        if (map->slots[at].value == NULL || map->slots[at].id == id) {
            return map->slots[at].value;
        }
    }
}

#endif

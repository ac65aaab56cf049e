/**
 * @file idmap.h
 * @brief Hash map from executor ids to pointers: open addressing, linear probing.
 *
 * Zeroed memory is an empty map. It is not thread-safe.
 */
#ifndef TRP_IDMAP_H
#define TRP_IDMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct trp_idmap_slot {
    uint32_t id;
    void *value; // NULL: the slot is free
};

struct trp_idmap {
    struct trp_idmap_slot *slots;
    uint32_t slot_count; // 0 or a power of two
    uint32_t count;
};

/** Free the map. The values belong to the caller. */
void trp_idmap_fini(struct trp_idmap *map);

/** Add or replace the value of @p id. @return false: no memory; nothing changed. */
bool trp_idmap_put(struct trp_idmap *map, uint32_t id, void *value);

/** Remove @p id, if the map has it. */
void trp_idmap_remove(struct trp_idmap *map, uint32_t id);

/** @return the value of @p id, or NULL. */
static inline void *trp_idmap_find(const struct trp_idmap *map, uint32_t id)
{
    if (map->slot_count == 0) {
        return NULL;
    }
    uint32_t mask = map->slot_count - 1;
    // Ids are handed out in sequence, so they are spread evenly without a hash function.
    for (uint32_t at = id & mask;; at = (at + 1) & mask) {
        if (map->slots[at].value == NULL || map->slots[at].id == id) {
            return map->slots[at].value;
        }
    }
}

#endif

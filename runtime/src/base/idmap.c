#include "base/idmap.h"

#include <stdlib.h>

enum { IDMAP_FIRST_SLOT_COUNT = 8 };

void trp_idmap_fini(struct trp_idmap *map)
{
    free(map->slots);
    *map = (struct trp_idmap){0};
}

static void idmap_insert(struct trp_idmap *map, uint32_t id, void *value)
{
    uint32_t mask = map->slot_count - 1;
    uint32_t at = id & mask;
    while (map->slots[at].value != NULL && map->slots[at].id != id) {
        at = (at + 1) & mask;
    }
    if (map->slots[at].value == NULL) {
        map->count++;
    }
    map->slots[at] = (struct trp_idmap_slot){.id = id, .value = value};
}

static bool idmap_grow(struct trp_idmap *map)
{
    uint32_t slot_count = map->slot_count == 0 ? IDMAP_FIRST_SLOT_COUNT : map->slot_count * 2;
    struct trp_idmap grown = {
        .slots = calloc(slot_count, sizeof(*grown.slots)),
        .slot_count = slot_count,
    };
    if (grown.slots == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < map->slot_count; i++) {
        if (map->slots[i].value != NULL) {
            idmap_insert(&grown, map->slots[i].id, map->slots[i].value);
        }
    }
    free(map->slots);
    *map = grown;
    return true;
}

bool trp_idmap_put(struct trp_idmap *map, uint32_t id, void *value)
{
    if ((map->count + 1) * 2 > map->slot_count && !idmap_grow(map)) {
        return false;
    }
    idmap_insert(map, id, value);
    return true;
}

void trp_idmap_remove(struct trp_idmap *map, uint32_t id)
{
    if (trp_idmap_find(map, id) == NULL) {
        return;
    }
    uint32_t mask = map->slot_count - 1;
    uint32_t hole = id & mask;
    while (map->slots[hole].id != id || map->slots[hole].value == NULL) {
        hole = (hole + 1) & mask;
    }
    // Move entries back into the hole, or later probes would end there. An entry may move if the
    // hole is not before its home, where its probe begins.
    for (uint32_t at = (hole + 1) & mask; map->slots[at].value != NULL; at = (at + 1) & mask) {
        uint32_t home = map->slots[at].id & mask;
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            map->slots[hole] = map->slots[at];
            hole = at;
        }
    }
    map->slots[hole] = (struct trp_idmap_slot){0};
    map->count--;
}

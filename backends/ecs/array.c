#include "array.h"

#include <stdlib.h>

enum { ARRAY_CAPACITY_FIRST = 8 };

void *trp_ecs_array_grow(void *array, uint32_t *capacity, uint32_t count, size_t element_bytes)
{
    if (count <= *capacity) {
        return array;
    }
    uint64_t grown = *capacity == 0 ? ARRAY_CAPACITY_FIRST : *capacity;
    while (grown < count) {
        grown *= 2;
    }
    grown = grown > UINT32_MAX ? UINT32_MAX : grown;
    void *moved = realloc(array, (size_t)grown * element_bytes);
    if (moved != NULL) {
        *capacity = (uint32_t)grown;
    }
    return moved;
}

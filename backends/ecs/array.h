/**
 * @file array.h
 * @brief Arrays that double when they are full.
 */
#ifndef TRP_ECS_ARRAY_H
#define TRP_ECS_ARRAY_H

#include <stddef.h>
#include <stdint.h>

/**
 * Make room for @p count elements, at least 1, of @p element_bytes each.
 *
 * @param array     The array; NULL while @p *capacity is 0.
 * @param capacity  How many elements it has room for; updated.
 * @return          the array, which may have moved; NULL without memory, and then @p array is unchanged.
 */
void *trp_ecs_array_grow(void *array, uint32_t *capacity, uint32_t count, size_t element_bytes);

#endif

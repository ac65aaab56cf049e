/**
 * @file saturate.h
 * @brief Sums of numbers that a user gave: where they would wrap they stay at the end, which means no bound.
 */
#ifndef TRP_SATURATE_H
#define TRP_SATURATE_H

#include <stdint.h>

/** @return a + b; UINT64_MAX where that is more. */
static inline uint64_t trp_add_saturated(uint64_t a, uint64_t b)
{
    return a < UINT64_MAX - b ? a + b : UINT64_MAX;
}

/** @return @p value, or the most that an int64_t holds with room for sums of such values. */
static inline int64_t trp_signed_saturated(uint64_t value)
{
    return value < INT64_MAX / 4 ? (int64_t)value : INT64_MAX / 4;
}

#endif

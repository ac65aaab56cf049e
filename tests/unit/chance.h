/**
 * @file chance.h
 * @brief Random tests that can be run again: the seed is printed, and TROUPE_TEST_SEED takes it back.
 */
#ifndef TROUPE_TESTS_CHANCE_H
#define TROUPE_TESTS_CHANCE_H

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/** A generator; splitmix64, as the runtime's. */
struct chance {
    uint64_t state;
};

/** Start a generator from `TROUPE_TEST_SEED`, else from the clock, and say so on standard error. */
static inline struct chance chance_open(const char *test)
{
    const char *text = getenv("TROUPE_TEST_SEED");
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    uint64_t seed = text != NULL ? strtoull(text, NULL, 10)
                                 : (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
    (void)fprintf(
        stderr,
        "%s: seed %" PRIu64 " (TROUPE_TEST_SEED=%" PRIu64 " to run it again)\n",
        test,
        seed,
        seed);
    return (struct chance){.state = seed};
}

/** @return 64 random bits. */
static inline uint64_t chance_bits(struct chance *chance)
{
    uint64_t z = chance->state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

/** @return a number from 0 to @p bound - 1. */
static inline uint32_t chance_below(struct chance *chance, uint32_t bound)
{
    return (uint32_t)((chance_bits(chance) >> 32) * bound >> 32);
}

/** @return true in one case of @p n. */
static inline bool chance_one_in(struct chance *chance, uint32_t n)
{
    return chance_below(chance, n) == 0;
}

/** Fill @p bytes with random ones. */
static inline void chance_fill(struct chance *chance, void *bytes, size_t size)
{
    uint8_t *at = bytes;
    while (size > 0) {
        uint64_t bits = chance_bits(chance);
        size_t part = size < sizeof(bits) ? size : sizeof(bits);
        memcpy(at, &bits, part);
        at += part;
        size -= part;
    }
}

#endif

/**
 * @file clock.h
 * @brief The monotonic clock, and the cycle counter, for code where the 23 ns of reading the clock
 *        are too much.
 */
#ifndef TRP_CLOCK_H
#define TRP_CLOCK_H

#include <stdint.h>

/** @return nanoseconds of the monotonic clock. A ::troupe_clock_fn. */
uint64_t trp_clock_monotonic(void *unused);

/** Measure the rate of trp_cycles(). Takes 50 µs the first time; later calls do nothing. */
void trp_cycles_calibrate(void);

/**
 * @return approximately how many cycles pass in @p ns nanoseconds. Call trp_cycles_calibrate()
 *         first.
 */
uint64_t trp_cycles_of_ns(uint64_t ns);

/** @return a counter that runs at a constant rate and is cheap to read. */
static inline uint64_t trp_cycles(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    uint64_t cycles;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(cycles));
    return cycles;
#else
    return trp_clock_monotonic(0);
#endif
}

/** Pause within a spin loop: leaves the core to its other hardware thread, and saves power. */
static inline void trp_relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#endif

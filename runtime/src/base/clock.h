/**
 * @file clock.h
 * @brief The monotonic clock, and the cycle counter for where 23 ns a look are too many.
 */
#ifndef TRP_CLOCK_H
#define TRP_CLOCK_H

#include <stdint.h>

/** Nanoseconds of the monotonic clock. In the shape of a ::troupe_clock_fn. */
uint64_t trp_clock_monotonic(void *unused);

/** Measure how fast trp_cycles() counts, once a process; takes 50 µs. */
void trp_cycles_calibrate(void);

/** @return how many cycles make @p ns nanoseconds, about. After trp_cycles_calibrate(). */
uint64_t trp_cycles_of_ns(uint64_t ns);

/** @return a counter that runs at a steady rate, cheap to read. */
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

/** Let the other thread of the core, or the bus, breathe while this one spins. */
static inline void trp_relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#endif

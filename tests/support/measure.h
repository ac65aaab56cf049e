/**
 * @file measure.h
 * @brief What the operating system counts about this process. Any thread; nothing here blocks.
 */
#ifndef TROUPE_TESTS_MEASURE_H
#define TROUPE_TESTS_MEASURE_H

#include <stdbool.h>
#include <stdint.h>

/** Nanoseconds of a second and of a millisecond. */
#define MEASURE_SECOND_NS UINT64_C(1000000000)
#define MEASURE_MS_NS     UINT64_C(1000000)

/** @return the monotonic time in nanoseconds. */
uint64_t measure_now_ns(void);

/** @return the processor time of all threads of this process, in nanoseconds. */
uint64_t measure_cpu_ns(void);

/** @return the bytes of this process that are in memory. */
uint64_t measure_resident_bytes(void);

/** @return the hard limit of open files. */
uint64_t measure_descriptors_max(void);

/** @return whether memory holds more than the program's own, as under a sanitizer. */
bool measure_is_sanitized(void);

#endif

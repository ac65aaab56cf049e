/**
 * @file units.h
 * @brief Parse and print numbers with a unit: `64M`, `10s`.
 */
#ifndef TRP_UNITS_H
#define TRP_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Room for any number with its unit, as printed, and its NUL. */
enum { TRP_UNITS_BYTES = 24 };

/**
 * Read a whole number at *at, and advance *at over it.
 *
 * @return false: there is none, or it is more than @p most; *at is unchanged.
 */
bool trp_number_parse(const char *text, size_t *at, uint64_t most, uint64_t *out_number);

/** Read a size in bytes, or with unit K, M or G, likewise. */
bool trp_size_parse(const char *text, size_t *at, uint64_t most, uint64_t *out_bytes);

/** Read a time with unit ns, us, ms, s or m, likewise; without a unit it is in seconds. */
bool trp_time_parse(const char *text, size_t *at, uint64_t most_ns, uint64_t *out_ns);

/** Print a size with the largest unit that divides it. */
void trp_size_print(uint64_t bytes, char text[TRP_UNITS_BYTES]);

/** Print a time likewise. */
void trp_time_print(uint64_t ns, char text[TRP_UNITS_BYTES]);

#endif

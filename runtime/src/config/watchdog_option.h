/**
 * @file watchdog_option.h
 * @brief The value of `--watchdog`, and of `watchdog` in a launch file: `TIME[,kill]`.
 */
#ifndef TRP_WATCHDOG_OPTION_H
#define TRP_WATCHDOG_OPTION_H

#include "base/units.h"

#include <stdbool.h>
#include <stdint.h>

/** What the value must look like, for error texts. */
#define TRP_WATCHDOG_SYNTAX "a time in m, s, ms, us or ns, optionally with ',kill', as in 2s,kill"

/** Room for any value, as printed, and its NUL. */
enum { TRP_WATCHDOG_BYTES = TRP_UNITS_BYTES + sizeof(",kill") - 1 };

/** Parse a value. @return false: it is not of that form, or its time is 0. */
bool trp_watchdog_parse(const char *text, uint64_t *out_ns, bool *out_kills);

/** Print a value so that trp_watchdog_parse() reads the same. */
void trp_watchdog_print(uint64_t ns, bool kills, char text[TRP_WATCHDOG_BYTES]);

#endif

/**
 * @file watchdog_setting.h
 * @brief The setting of the watchdog as text: a time, and whether it kills, as in "2s,kill".
 */
#ifndef TRP_WATCHDOG_SETTING_H
#define TRP_WATCHDOG_SETTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What is accepted, for error texts. */
#define TRP_WATCHDOG_SYNTAX "a time in m, s, ms, us or ns, and maybe ',kill', as in 2s,kill"

/** Parse a setting. @return false: @p text is none. */
bool trp_watchdog_parse(const char *text, uint64_t *out_ns, bool *out_kills);

/** Print a setting likewise. */
void trp_watchdog_print(uint64_t ns, bool kills, char *text, size_t bytes);

#endif

/**
 * @file watchdog.h
 * @brief Names callbacks that run too long, and ends the process they hold up, if it is told to.
 *
 * The process manager of each process looks at the executors of its own, a few times in the time that a callback
 * may take. A process that was stopped for a while accuses nobody: its process manager was, too.
 */
#ifndef TRP_WATCHDOG_H
#define TRP_WATCHDOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct troupe_system;

/** What a process manager keeps for it. Zero-initialise. */
struct trp_watchdog {
    uint64_t checked_ns; // when it looked last
};

/** @return how often it is to look, in milliseconds; -1: never. */
int trp_watchdog_period_ms(const struct troupe_system *system);

/** Look, if it is time. @threads the process manager's */
void trp_watchdog_check(struct troupe_system *system, struct trp_watchdog *watchdog);

#endif

/**
 * @file watchdog.h
 * @brief Reports callbacks that run too long, and kills the process that runs one, if it is set to.
 *
 * The process manager of each process checks the executors of its own process, four times in the time that a
 * callback may take. After a pause it begins anew: its process may have been stopped, and the callbacks with it.
 */
#ifndef TRP_WATCHDOG_H
#define TRP_WATCHDOG_H

#include "actor/runtime.h"

#include <stdint.h>

/** What a process manager keeps for it. Zero-initialise. */
struct trp_watchdog {
    uint64_t checked_ns; // when it checked last
};

/** @return how often it is to check, in milliseconds; -1: never. */
int trp_watchdog_period_ms(struct trp_runtime *runtime);

/** Check, if it is time to. @threads the process manager's */
void trp_watchdog_check(struct trp_watchdog *watchdog, struct trp_runtime *runtime);

#endif

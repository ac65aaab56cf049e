/**
 * @file timers.h
 * @brief Running timers: each sends a message, or is the deadline of an ask.
 */
#ifndef TRP_TIMERS_H
#define TRP_TIMERS_H

#include "actor/executor.h"

/** Run the timers that are due. @return whether one was. */
bool trp_actor_timers_run(struct troupe_executor *executor, uint64_t now_ns);

#endif

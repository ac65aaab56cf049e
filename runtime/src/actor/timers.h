/**
 * @file alarms.h
 * @brief What timers are for: a letter to send, once or again and again, or the deadline of an ask.
 */
#ifndef TRP_ACTOR_TIMERS_H
#define TRP_ACTOR_TIMERS_H

#include "actor/executor.h"

/** The payload of a timer. */
struct trp_actor_timer {
    uint32_t actor_index;
    uint32_t actor_generation;
    uint64_t ask;       // 0: send the letter
    uint64_t period_ns; // 0: once
    uint64_t ttl_ns;    // of each letter
    troupe_ref_t to;
    uint32_t type;
    size_t body_bytes;
    uint8_t body[];
};

/** Run the timers that are due. @return whether one was. */
bool trp_actor_timers_run(struct troupe_executor *executor, uint64_t now_ns);

#endif

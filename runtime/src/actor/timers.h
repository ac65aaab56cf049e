/**
 * @file timers.h
 * @brief Timers of actors: a message to send, once or periodically, or the deadline of an ask.
 */
#ifndef TRP_ACTOR_TIMERS_H
#define TRP_ACTOR_TIMERS_H

#include "actor/executor.h"

/** The payload of a timer in the heap. */
struct trp_actor_timer {
    uint32_t actor_index;
    uint32_t actor_generation;
    uint64_t ask;       // whose deadline it is; 0: it sends a message
    uint64_t period_ns; // 0: once
    uint64_t ttl_ns;    // of each message
    troupe_ref_t to;
    uint32_t type;
    size_t body_bytes;
    uint8_t body[];
};

/** Run the timers that are due. @return whether one was. */
bool trp_actor_timers_run(struct troupe_executor *executor, uint64_t now_ns);

#endif

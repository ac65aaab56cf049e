/**
 * @file timer_list.h
 * @brief The timers of each actor, so that they end with it: those that send messages, and the deadlines of its asks.
 *
 * A timer is in the heap of its executor and, unless it is the main program's, on the list of its actor.
 */
#ifndef TRP_TIMER_LIST_H
#define TRP_TIMER_LIST_H

#include "actor/asks.h"
#include "troupe/ref.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct troupe_executor;

/** The payload of a timer in the heap. */
struct trp_actor_timer {
    uint64_t id;                      // in the heap
    struct trp_actor_timer *next;     // of the same actor
    struct trp_actor_timer *previous; // likewise
    uint32_t actor_index;
    uint32_t actor_generation; // 0: the main program's
    uint64_t ask;              // whose deadline it is; 0: it sends a message
    uint64_t period_ns;        // 0: once
    uint64_t ttl_ns;           // of each message
    troupe_ref_t to;
    uint32_t type;
    size_t body_bytes;
    uint8_t body[];
};

/** Start a timer of an actor, or of the main program. @return its number; 0: no memory. */
uint64_t trp_actor_timer_start(
    struct troupe_executor *executor, struct trp_actor_timer *timer, uint64_t due_ns);

/** Put a timer on its actor's list, which there is. */
void trp_actor_timer_link(const struct troupe_executor *executor, struct trp_actor_timer *timer);

/** Undo trp_actor_timer_link(). */
void trp_actor_timer_unlink(
    const struct troupe_executor *executor, const struct trp_actor_timer *timer);

/** Cancel a timer, and free it. @return false: it was cancelled, or has run. */
bool trp_actor_timer_cancel(struct troupe_executor *executor, uint64_t id);

/** Forget an ask whose actor ends, or that had no reply in time. @return false: its reply came. */
bool trp_actor_timer_take_ask(
    struct troupe_executor *executor, const struct trp_actor_timer *timer, struct trp_ask *out_ask);

/** Cancel all timers of an actor that ends, and with them its asks and its waits for names. */
void trp_actor_timers_drop(struct troupe_executor *executor, uint32_t index);

#endif

/**
 * @file doorbell.h
 * @brief Wakes an executor between threads of one process: counters beside its ZeroMQ socket, and a futex.
 *
 *     sender     send the frame --> ring: bell + 1 --> if the executor sleeps here, wake it
 *     executor   bell is ahead of what it received --> receive; else spin, then sleep here or in poll()
 *
 * An executor that knows from the bell that a frame is there need not ask its socket, which costs a system call.
 * A ring carries nothing and is a hint: the executor asks its sockets before it sleeps in poll(). Senders in
 * other processes do not ring.
 */
#ifndef TRP_DOORBELL_H
#define TRP_DOORBELL_H

#include "base/cache_line.h"
#include "wire/format.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/** State of the executor's sleep at its doorbell. */
enum trp_sleeper {
    TRP_SLEEPER_NONE = 0,
    TRP_SLEEPER_ASLEEP = 1,
    TRP_SLEEPER_CALLED = 2, // is to return from its next sleep at once
};

/** Doorbell of one executor. Any thread of its process may ring or call. */
struct trp_doorbell {
    /** Frames sent to this executor. */
    alignas(TRP_CACHE_LINE) _Atomic uint64_t bell;

    /** Of them, commands: these are handled before any message that is received after this was counted. */
    _Atomic uint64_t command_bell;

    /** An enum trp_sleeper; a futex, private to the executor's process. */
    _Atomic uint32_t sleeper;
};

/** Set up a doorbell that was never rung. */
void trp_doorbell_init(struct trp_doorbell *doorbell);

/**
 * Sleep until the bell counts more than @p seen, the executor is called, or @p timeout_ns pass.
 *
 * @return  false: the time has passed.
 * @threads the executor's own
 */
bool trp_doorbell_sleep(struct trp_doorbell *doorbell, uint64_t seen, uint64_t timeout_ns);

/** Wake the executor if it sleeps at its doorbell. @threads any of its process */
void trp_doorbell_wake(struct trp_doorbell *doorbell);

/** End the executor's sleep, or its next one, without a ring. @return false: it did not sleep here. @threads as above */
bool trp_doorbell_call(struct trp_doorbell *doorbell);

/** Ring, after a frame was sent, as @p marks of the frame say: see ::TRP_MARK_RUNG. @threads as above */
static inline void trp_doorbell_ring(struct trp_doorbell *doorbell, uint32_t marks)
{
    if ((marks & TRP_MARK_COUNTED) != 0) {
        // Release, before anything else is sent: a receiver of what is sent later sees this count.
        atomic_fetch_add_explicit(&doorbell->command_bell, 1, memory_order_release);
    }
    if ((marks & TRP_MARK_RUNG) != 0) {
        // In one total order with the load of the sleeper: see trp_doorbell_sleep().
        atomic_fetch_add(&doorbell->bell, 1);
        if (atomic_load(&doorbell->sleeper) == TRP_SLEEPER_ASLEEP) {
            trp_doorbell_wake(doorbell);
        }
    }
}

#endif

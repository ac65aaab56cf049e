/**
 * @file subscribers.h
 * @brief The actors, of all processes, that are notified of dead letters, and those that are notified of signals.
 *
 * Both lists are short and seldom change. A notifier copies a list and sends without the lock.
 */
#ifndef TRP_SUBSCRIBERS_H
#define TRP_SUBSCRIBERS_H

#include "base/error.h"
#include "troupe/ref.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct trp_shared;

enum { TRP_SUBSCRIBERS_MAX = 256, TRP_SIGNAL_SUBSCRIBERS_MAX = 64 };

/** Subscribers to dead letters; guarded by shared memory's lock. */
struct trp_subscribers {
    _Atomic uint32_t count; // written under the lock
    troupe_ref_t refs[TRP_SUBSCRIBERS_MAX];
};

/** One subscriber to signals. */
struct trp_signal_subscriber {
    troupe_ref_t ref;
    uint64_t signals; // a bit each: 1 << (number - 1)
};

/** Subscribers to signals; guarded by shared memory's lock. */
struct trp_signal_subscribers {
    uint32_t count;
    struct trp_signal_subscriber entries[TRP_SIGNAL_SUBSCRIBERS_MAX];
};

/** @return whether a dead letter has to be notified at all. @threads any, without the lock */
static inline bool trp_subscribers_any(const struct trp_subscribers *subscribers)
{
    return atomic_load_explicit(&subscribers->count, memory_order_relaxed) > 0;
}

/** Add an actor that is no subscriber yet. @return ::TROUPE_ERR_LIMIT, explained, when the list is full. */
enum troupe_err trp_subscribers_add(struct trp_shared *shared, troupe_ref_t subscriber);

/** Remove an actor, if it is a subscriber. */
void trp_subscribers_remove(struct trp_shared *shared, troupe_ref_t subscriber);

/** Copy the list. @return how many there are. */
uint32_t trp_subscribers_copy(
    struct trp_shared *shared, troupe_ref_t copy[static TRP_SUBSCRIBERS_MAX]);

/** Add signals to those of an actor. @return ::TROUPE_ERR_LIMIT, explained, when the list is full. */
enum troupe_err trp_signal_subscribers_add(
    struct trp_shared *shared, troupe_ref_t subscriber, uint64_t signals);

/** Remove signals from those of an actor. @return whether it has none left, and is no subscriber any more. */
bool trp_signal_subscribers_remove(
    struct trp_shared *shared, troupe_ref_t subscriber, uint64_t signals);

/** Copy the list. @return how many there are. */
uint32_t trp_signal_subscribers_copy(
    struct trp_shared *shared,
    struct trp_signal_subscriber copy[static TRP_SIGNAL_SUBSCRIBERS_MAX]);

/** @return the signals that any actor has subscribed to, a bit each. */
uint64_t trp_signal_subscribers_wanted(struct trp_shared *shared);

/** Remove the actors of a process that died from both lists. @threads holding shared memory's lock */
void trp_subscribers_remove_process(struct trp_shared *shared, uint32_t node);

#endif

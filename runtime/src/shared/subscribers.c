#include "shared/subscribers.h"

#include "shared/shared.h"

#include <string.h>

/* Dead letters. --------------------------------------------------------------------------------- */

enum troupe_err trp_subscribers_add(struct trp_shared *shared, troupe_ref_t subscriber)
{
    struct trp_subscribers *subscribers = &shared->subscribers;
    enum troupe_err err = TROUPE_OK;
    trp_shared_lock(shared);
    uint32_t count = atomic_load_explicit(&subscribers->count, memory_order_relaxed);
    if (count == TRP_SUBSCRIBERS_MAX) {
        err = TRP_EXPLAIN(
            TROUPE_ERR_LIMIT,
            "%d actors are subscribed to dead letters already; have one of them forward them",
            TRP_SUBSCRIBERS_MAX);
    } else {
        subscribers->refs[count] = subscriber;
        atomic_store_explicit(&subscribers->count, count + 1, memory_order_relaxed);
    }
    trp_shared_unlock(shared);
    return err;
}

void trp_subscribers_remove(struct trp_shared *shared, troupe_ref_t subscriber)
{
    struct trp_subscribers *subscribers = &shared->subscribers;
    trp_shared_lock(shared);
    uint32_t count = atomic_load_explicit(&subscribers->count, memory_order_relaxed);
    for (uint32_t i = 0; i < count; i++) {
        if (troupe_ref_equal(subscribers->refs[i], subscriber)) {
            subscribers->refs[i] = subscribers->refs[--count];
        }
    }
    atomic_store_explicit(&subscribers->count, count, memory_order_relaxed);
    trp_shared_unlock(shared);
}

uint32_t trp_subscribers_copy(
    struct trp_shared *shared, troupe_ref_t copy[static TRP_SUBSCRIBERS_MAX])
{
    trp_shared_lock(shared);
    uint32_t count = atomic_load_explicit(&shared->subscribers.count, memory_order_relaxed);
    memcpy(copy, shared->subscribers.refs, count * sizeof(*copy));
    trp_shared_unlock(shared);
    return count;
}

/* Signals. -------------------------------------------------------------------------------------- */

/** @return the entry of an actor, or NULL. @threads holding shared memory's lock */
static struct trp_signal_subscriber *subscribers_find_signal(
    struct trp_signal_subscribers *subscribers, troupe_ref_t subscriber)
{
    for (uint32_t i = 0; i < subscribers->count; i++) {
        if (troupe_ref_equal(subscribers->entries[i].ref, subscriber)) {
            return &subscribers->entries[i];
        }
    }
    return NULL;
}

enum troupe_err trp_signal_subscribers_add(
    struct trp_shared *shared, troupe_ref_t subscriber, uint64_t signals)
{
    struct trp_signal_subscribers *subscribers = &shared->signal_subscribers;
    enum troupe_err err = TROUPE_OK;
    trp_shared_lock(shared);
    struct trp_signal_subscriber *entry = subscribers_find_signal(subscribers, subscriber);
    if (entry != NULL) {
        entry->signals |= signals;
    } else if (subscribers->count < TRP_SIGNAL_SUBSCRIBERS_MAX) {
        subscribers->entries[subscribers->count++] =
            (struct trp_signal_subscriber){.ref = subscriber, .signals = signals};
    } else {
        err = TRP_EXPLAIN(
            TROUPE_ERR_LIMIT,
            "%d actors are subscribed to signals already; have one of them forward them",
            TRP_SIGNAL_SUBSCRIBERS_MAX);
    }
    trp_shared_unlock(shared);
    return err;
}

bool trp_signal_subscribers_remove(
    struct trp_shared *shared, troupe_ref_t subscriber, uint64_t signals)
{
    struct trp_signal_subscribers *subscribers = &shared->signal_subscribers;
    trp_shared_lock(shared);
    struct trp_signal_subscriber *entry = subscribers_find_signal(subscribers, subscriber);
    if (entry != NULL) {
        entry->signals &= ~signals;
        if (entry->signals == 0) {
            *entry = subscribers->entries[--subscribers->count];
            entry = NULL;
        }
    }
    trp_shared_unlock(shared);
    return entry == NULL;
}

uint32_t trp_signal_subscribers_copy(
    struct trp_shared *shared, struct trp_signal_subscriber copy[static TRP_SIGNAL_SUBSCRIBERS_MAX])
{
    trp_shared_lock(shared);
    uint32_t count = shared->signal_subscribers.count;
    memcpy(copy, shared->signal_subscribers.entries, count * sizeof(*copy));
    trp_shared_unlock(shared);
    return count;
}

uint64_t trp_signal_subscribers_wanted(struct trp_shared *shared)
{
    uint64_t wanted = 0;
    trp_shared_lock(shared);
    for (uint32_t i = 0; i < shared->signal_subscribers.count; i++) {
        wanted |= shared->signal_subscribers.entries[i].signals;
    }
    trp_shared_unlock(shared);
    return wanted;
}

/* Processes that died. -------------------------------------------------------------------------- */

void trp_subscribers_remove_process(struct trp_shared *shared, uint32_t node)
{
    struct trp_subscribers *subscribers = &shared->subscribers;
    uint32_t count = atomic_load_explicit(&subscribers->count, memory_order_relaxed);
    for (uint32_t i = count; i > 0; i--) {
        if (subscribers->refs[i - 1].node == node) {
            subscribers->refs[i - 1] = subscribers->refs[--count];
        }
    }
    atomic_store_explicit(&subscribers->count, count, memory_order_relaxed);
    struct trp_signal_subscribers *signals = &shared->signal_subscribers;
    for (uint32_t i = signals->count; i > 0; i--) {
        if (signals->entries[i - 1].ref.node == node) {
            signals->entries[i - 1] = signals->entries[--signals->count];
        }
    }
}

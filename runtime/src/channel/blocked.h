/**
 * @file blocked.h
 * @brief Queue of the senders that were refused on a channel, first come first served.
 *
 *     add --> waiting --> notified: its ROOM is on its way --> taken: its ROOM is delivered
 *                   \--> dropped: it has ended, or its ROOM is not waited for
 *
 * The credit that is reserved for them belongs to the channel: see writable.c.
 */
#ifndef TRP_BLOCKED_H
#define TRP_BLOCKED_H

#include "troupe/ref.h"

#include <stdbool.h>
#include <stdint.h>

/** A sender that was refused by one receiver. It gets one ROOM. */
struct trp_blocked_sender {
    uint32_t index; // of the sender
    uint32_t generation;
    troupe_ref_t to;
    int64_t bytes; // of the body that was refused
};

/** The queue: notified senders in [notified_first, notified_end), waiting ones in [first, count). */
struct trp_blocked {
    struct trp_blocked_sender *entries;
    uint32_t notified_first;
    uint32_t notified_end; // at most `first`
    uint32_t first;
    uint32_t count;
    uint32_t capacity;
    int64_t notified_bytes; // of the bodies that all notified senders were refused
};

/** @return how many senders are notified, and their ROOMs are not delivered yet. */
static inline uint32_t trp_blocked_notified_count(const struct trp_blocked *list)
{
    return list->notified_end - list->notified_first;
}

/** @return whether a sender waits that is not notified yet. */
static inline bool trp_blocked_has_waiting(const struct trp_blocked *list)
{
    return list->first < list->count;
}

/** Free the queue. */
void trp_blocked_fini(struct trp_blocked *list);

/** @return whether @p sender waits for the same receiver already, or is notified. */
bool trp_blocked_contains(const struct trp_blocked *list, const struct trp_blocked_sender *sender);

/** Append a sender. @return false: no memory. */
bool trp_blocked_add(struct trp_blocked *list, const struct trp_blocked_sender *sender);

/** @return the sender to notify next, valid until the queue changes; NULL: none waits. */
const struct trp_blocked_sender *trp_blocked_next(const struct trp_blocked *list);

/** Remove the sender to notify next. There is one. */
void trp_blocked_drop(struct trp_blocked *list);

/** Mark the sender to notify next as notified. There is one. */
void trp_blocked_mark_notified(struct trp_blocked *list);

/** Remove the sender that was notified first: its ROOM is being delivered. There is one. */
void trp_blocked_take_notified(struct trp_blocked *list);

#endif

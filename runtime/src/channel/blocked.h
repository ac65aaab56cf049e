/**
 * @file refusals.h
 * @brief Those who were refused on a channel: first come, first told that there is room.
 *
 *     add --> waiting ... --> call: a ROOM is on its way to it --> met
 *                        \--> drop: it ended meanwhile, or needs no call
 *
 * The credit that is kept for them is the channel's; see credit.c.
 */
#ifndef TRP_BLOCKED_H
#define TRP_BLOCKED_H

#include "troupe/ref.h"

#include <stdbool.h>
#include <stdint.h>

/** An actor that was refused, and by whom: it gets one ROOM. */
struct trp_blocked_sender {
    uint32_t index; // of the actor that was refused
    uint32_t generation;
    troupe_ref_t to;
    int64_t bytes; // the body that was
};

struct trp_blocked {
    struct trp_blocked_sender
        *entries; // [called_first, called_end) are called, [first, count) wait
    uint32_t called_first;
    uint32_t called_end; // at most `first`
    uint32_t first;
    uint32_t count;
    uint32_t capacity;
    int64_t called_bytes; // the bodies of those who are called
};

/** @return how many are called, and have not met their ROOM. */
static inline uint32_t trp_blocked_called(const struct trp_blocked *list)
{
    return list->called_end - list->called_first;
}

/** @return whether somebody waits to be called. */
static inline bool trp_blocked_wait(const struct trp_blocked *list)
{
    return list->first < list->count;
}

/** Free the list. */
void trp_blocked_fini(struct trp_blocked *list);

/** @return whether that one waits for the same receiver already, or is called. */
bool trp_blocked_have(const struct trp_blocked *list, const struct trp_blocked_sender *refused);

/** Put one at the end. @return false: no memory. */
bool trp_blocked_add(struct trp_blocked *list, const struct trp_blocked_sender *refused);

/** @return who is next to be called, until the list changes; NULL: nobody waits. */
const struct trp_blocked_sender *trp_blocked_next(struct trp_blocked *list);

/** Forget who is next. */
void trp_blocked_drop(struct trp_blocked *list);

/** Note that who is next has been called. */
void trp_blocked_call(struct trp_blocked *list);

/** Forget who was called first: it meets its ROOM. Somebody is called. */
void trp_blocked_meet(struct trp_blocked *list);

#endif

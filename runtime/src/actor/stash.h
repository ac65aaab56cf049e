/**
 * @file held.h
 * @brief Mail that is kept at its actor: its START is on the way, or it waits for an answer.
 *
 * In the ledgers it is the executor's mail to itself from then on, for the channel that brought it may end
 * first. What is deferred keeps its room in the mailbox.
 */
#ifndef TRP_STASH_H
#define TRP_STASH_H

#include "actor/executor.h"

/** A kept item, with its own copy of the bodies. Whoever takes it off its actor's list frees it. */
struct trp_stash_entry {
    struct trp_stash_entry *next;
    struct trp_item item;      // its envelope, body and given body point into this
    int64_t reserved_messages; // room it keeps in the mailbox
    int64_t reserved_bytes;
    struct trp_envelope envelope;
    struct trp_given given;
    _Alignas(8) uint8_t body[];
};

/** Keep an item for an actor whose START is on its way. @return false: no memory, and it is counted. */
bool trp_stash_add(
    struct troupe_executor *executor, struct trp_channel *channel, const struct trp_item *item);

/** Defer an item until its actor has the answer it waits for. @return as trp_stash_add() */
bool trp_stash_defer(
    struct troupe_executor *executor,
    struct trp_channel *channel,
    struct trp_actor *actor,
    const struct trp_item *item);

/** One that was taken off its actor's list is about to be freed: give back the room that it has. */
void trp_stash_release(struct troupe_executor *executor, const struct trp_stash_entry *stash);

/** @return whether an ask is among what is kept for an actor. */
bool trp_stash_has_ask(const struct trp_actor *actor, const struct troupe_reply_to *reply_to);

#endif

/**
 * @file stash.h
 * @brief Messages kept with their actor: its START is on its way, or it waits for the reply to an exclusive ask.
 *
 * In the ledgers a stashed message becomes one of the executor to itself, since the channel that brought it may end
 * first. A deferred message keeps its room in the mailbox, so that the bound holds. One that came before its START
 * returns the room.
 */
#ifndef TRP_STASH_H
#define TRP_STASH_H

#include "actor/executor.h"

/** A stashed item, with its own copy of the bodies. The function that takes it off its actor's list frees it. */
struct trp_stash_entry {
    struct trp_stash_entry *next;
    struct trp_item item;      // its envelope, body and given point into this entry
    int64_t reserved_messages; // room in the mailbox that it keeps
    int64_t reserved_bytes;
    struct trp_envelope envelope;
    struct trp_given given;
    _Alignas(8) uint8_t body[];
};

/** Stash an item for an actor whose START is on its way. @return false: no memory; only for what is counted. */
bool trp_stash_add(
    struct troupe_executor *executor, struct trp_channel *channel, const struct trp_item *item);

/** Stash an item until its actor has the reply that it waits for. @return as trp_stash_add() */
bool trp_stash_defer(
    struct troupe_executor *executor,
    struct trp_channel *channel,
    struct trp_actor *actor,
    const struct trp_item *item);

/** Return the room of an entry that was taken off its actor's list, before it is freed. */
void trp_stash_release(struct troupe_executor *executor, const struct trp_stash_entry *stash);

/** @return whether an ask is in the stash of an actor. */
bool trp_stash_has_ask(const struct trp_actor *actor, const struct troupe_reply_to *reply_to);

#endif

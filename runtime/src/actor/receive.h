/**
 * @file receive.h
 * @brief Delivery of messages to actors.
 *
 *     item --> find the actor --> running: receive --> credit back, handled
 *                   | starting, or waiting for a reply: stash
 *                   | ended, or never there: dead letter
 */
#ifndef TRP_RECEIVE_H
#define TRP_RECEIVE_H

#include "actor/executor.h"
#include "channel/channel.h"

/** Deliver a USER, REPLY or NOTICE to an actor. @p channel counts it: the channel to itself, for a stashed one. */
void trp_actor_deliver(
    struct troupe_executor *executor, struct trp_channel *channel, const struct trp_item *item);

/**
 * Deliver the plain messages that come next in a frame of @p channel, as long as their actors run here and take
 * no batches. The channel counts them as received.
 */
void trp_actor_deliver_plain(
    struct troupe_executor *executor, struct trp_channel *channel, struct trp_cursor *cursor);

/** Fail an ask of an actor, which was removed from the table of asks; the error detail is set. */
void trp_actor_fail_ask(
    struct troupe_executor *executor,
    struct trp_actor *actor,
    uint32_t index,
    const struct trp_ask *ask,
    enum troupe_err err);

/** Handle a MONITOR command, or stash it for an actor whose START is on its way. */
void trp_actor_handle_monitor(struct troupe_executor *executor, const struct trp_item *item);

#endif

/**
 * @file waits.h
 * @brief Actors that wait for one answer, and the circles in which they would wait for ever.
 *
 * Who begins to wait sends a probe after its ask. An actor that waits, and has that ask still to answer,
 * sends it on to whom it waits for itself; so a probe that comes back to its first has gone in a circle.
 */
#ifndef TRP_DEADLOCK_H
#define TRP_DEADLOCK_H

#include "actor/executor.h"

/** The type of a signal that is a probe. */
#define TRP_SIGNAL_PROBE 6

/** An ask was taken out: if its actor waited for it, it waits no more. */
void trp_deadlock_end_wait(
    struct troupe_executor *executor, struct trp_actor *actor, const struct trp_ask *ask);

/** The running actor has answered @p asker, or somebody will in its place. */
void trp_deadlock_reply_received(
    struct troupe_executor *executor, const struct troupe_reply_to *reply_to);

/** Meet a probe. */
void trp_deadlock_handle_probe(struct troupe_executor *executor, const struct trp_item *item);

#endif

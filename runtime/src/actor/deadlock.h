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

/** The type of a MONITOR command that is a probe; monitor.c has the others. */
#define TRP_SIGNAL_PROBE 6

/** An ask was taken out: if its actor waited for it, it waits no more. */
void trp_deadlock_end_wait(
    struct troupe_executor *executor, struct trp_actor *actor, const struct trp_ask *ask);

/** The running actor has answered @p asker, or somebody will in its place. */
void trp_deadlock_reply_received(
    struct troupe_executor *executor, const struct troupe_reply_to *reply_to);

/**
 * Handle a probe.
 *
 * @param out_ask  Receives the ask of the receiver that is to fail with ::TROUPE_ERR_DEADLOCK; the detail is set.
 * @return         whether there is one.
 */
bool trp_deadlock_handle_probe(
    struct troupe_executor *executor, const struct trp_item *item, struct trp_ask *out_ask);

/** Have the running actor wait for ask @p number, and send a probe after it; @p to is none for a name. */
void trp_deadlock_begin_wait(troupe_context_t *ctx, uint64_t number, troupe_ref_t to);

#endif

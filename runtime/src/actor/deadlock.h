/**
 * @file deadlock.h
 * @brief Exclusive asks, and the circles in which actors would wait for each other for ever.
 *
 *     a asks b: probe [a] --> b waits for c, and has not replied to a: probe [a b] --> c waits for a: probe [a b c]
 *
 * An actor that begins to wait sends a probe behind its ask. The receiver passes it on to the actor that it waits for
 * itself, if it has not replied to that ask yet. A probe that returns to its first actor has found a circle; that
 * actor's ask fails. A probe that is lost, or a circle of more than 32 actors, leaves it to the deadline of the ask.
 *
 * @source K. M. Chandy, J. Misra, L. M. Haas, "Distributed Deadlock Detection", 1983.
 */
#ifndef TRP_DEADLOCK_H
#define TRP_DEADLOCK_H

#include "actor/executor.h"

/** Have an actor stop waiting for an ask that was removed from the table, if it did wait for it. */
void trp_deadlock_end_wait(
    struct troupe_executor *executor, struct trp_actor *actor, const struct trp_ask *ask);

/** Note that the running actor has replied to an ask, or has passed it on for another to reply. */
void trp_deadlock_note_reply(
    struct troupe_executor *executor, const struct troupe_reply_to *reply_to);

/**
 * Handle a probe.
 *
 * @param out_ask  Receives the ask of the receiver that is to fail with ::TROUPE_ERR_DEADLOCK: it was removed from the
 *                 table, and the error detail names the circle.
 * @return         whether an ask is to fail.
 */
bool trp_deadlock_handle_probe(
    struct troupe_executor *executor, const struct trp_item *item, struct trp_ask *out_ask);

/** Have the running actor wait for ask @p number, and send a probe behind it. @p to is none when it awaits a name. */
void trp_deadlock_begin_wait(troupe_context_t *ctx, uint64_t number, troupe_ref_t to);

#endif

/**
 * @file asking.h
 * @brief Asks of actors, and of inboxes.
 */
#ifndef TRP_ASKING_H
#define TRP_ASKING_H

#include "actor/executor.h"
#include "troupe/context.h"

/**
 * Note an ask of the running actor, with its deadline. Other errors as troupe_ask().
 *
 * @param awaits_name  It is for a name, and sends no message.
 * @param out_ask      Receives its number.
 */
enum troupe_err trp_ask_begin(
    troupe_context_t *ctx,
    const struct troupe_ask_options *options,
    bool awaits_name,
    uint64_t *out_ask);

/** Forget an ask that could not be sent. */
void trp_ask_undo(troupe_context_t *ctx, uint64_t number);

/** Send the ask of an inbox under a number of its own. */
enum troupe_err trp_inbox_send_ask(
    troupe_context_t *ctx, const struct troupe_outgoing *wanted, uint64_t ask);

#endif

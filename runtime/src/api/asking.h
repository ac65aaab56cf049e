/**
 * @file asking.h
 * @brief What asks, waits for names, and asks of inboxes share.
 */
#ifndef TRP_ASKING_H
#define TRP_ASKING_H

#include "actor/executor.h"
#include "troupe/context.h"

/**
 * Add an ask of the running actor to the table, and a timer for its deadline; errors as troupe_ask().
 *
 * @param awaits_name  The ask is for a name, and sends no message.
 * @param out_ask      Receives its number.
 */
enum troupe_err trp_ask_begin(
    troupe_context_t *ctx,
    const struct troupe_ask_options *options,
    bool awaits_name,
    uint64_t *out_ask);

/** Remove an ask and its timer: it could not be sent, or was cancelled. */
void trp_ask_undo(troupe_context_t *ctx, uint64_t number);

/** Send an ask of an inbox, which numbers its asks itself. */
enum troupe_err trp_inbox_send_ask(
    troupe_context_t *ctx, const struct troupe_outgoing *wanted, uint64_t ask);

#endif

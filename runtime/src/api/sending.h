/**
 * @file sending.h
 * @brief What the sending functions of the public API share.
 */
#ifndef TRP_SENDING_H
#define TRP_SENDING_H

#include "actor/send.h"
#include "troupe/context.h"

/** Set the error detail: what is wrong with a message that cannot be sent. */
enum troupe_err trp_sending_explain(uint32_t type, size_t body_bytes, bool for_nobody);

/** Check that a message may be sent from this context; the detail says what is wrong with it. */
static inline enum troupe_err trp_sending_check(
    const troupe_context_t *ctx,
    troupe_ref_t to,
    uint32_t type,
    const void *body,
    size_t body_bytes)
{
    enum troupe_err err = trp_check_thread(ctx);
    if (err == TROUPE_OK &&
        TRP_UNLIKELY(
            type >= TROUPE_MESSAGE_RESERVED || to.node == 0 || (body == NULL && body_bytes != 0))) {
        err = trp_sending_explain(type, body_bytes, to.node == 0);
    }
    return err;
}

/** Set the sender: the running actor, the inbox, or none. */
void trp_sending_sign(const troupe_context_t *ctx, struct trp_outgoing *outgoing);

/** @return what is to be sent, without its sender. */
struct trp_outgoing trp_sending_outgoing(
    troupe_context_t *ctx, const struct troupe_outgoing *wanted);

/** Send a message on behalf of @p asker: the reply to it goes there. */
enum troupe_err trp_sending_delegate(
    troupe_context_t *ctx, struct troupe_reply_to asker, struct trp_outgoing *outgoing);

/** Check that a message is sent on the sender's own behalf, as asks and timers are. */
enum troupe_err trp_sending_check_own(const struct troupe_outgoing *wanted, const char *what);

#endif

/**
 * @file sending.h
 * @brief What the public functions that send share.
 */
#ifndef TRP_SENDING_H
#define TRP_SENDING_H

#include "actor/send.h"
#include "troupe/context.h"

/** Set the error detail: why a message is refused as invalid. @return TROUPE_ERR_INVAL */
enum troupe_err trp_sending_explain(uint32_t type, size_t body_bytes, bool has_no_receiver);

/** Check that a message may be sent from this context. Otherwise the error detail says why not. */
static inline enum troupe_err trp_sending_check(
    const troupe_context_t *ctx,
    troupe_ref_t to,
    uint32_t type,
    const void *body,
    size_t body_bytes)
{
    enum troupe_err err = trp_check_context(ctx);
    if (err == TROUPE_OK && TRP_UNLIKELY(
                                type >= TROUPE_MESSAGE_RESERVED || to.node == 0 ||
                                body_bytes > PTRDIFF_MAX || (body == NULL && body_bytes != 0))) {
        err = trp_sending_explain(type, body_bytes, to.node == 0);
    }
    return err;
}

/** Check a message that the program described. */
enum troupe_err trp_sending_check_outgoing(
    const troupe_context_t *ctx, const struct troupe_outgoing *wanted);

/** Set the sender of a message: the running actor, the inbox, or none. */
void trp_sending_sign(const troupe_context_t *ctx, struct trp_outgoing *outgoing);

/** @return the message that the program described, without its sender. */
struct trp_outgoing trp_sending_outgoing(
    troupe_context_t *ctx, const struct troupe_outgoing *wanted);

/** Send a message on behalf of the sender of another one, @p reply_to: its receiver replies there. */
enum troupe_err trp_sending_delegate(
    troupe_context_t *ctx, struct troupe_reply_to reply_to, struct trp_outgoing *outgoing);

/** Check that `on_behalf_of` is empty, as it must be for asks and timers. @param what  That, for the error detail. */
enum troupe_err trp_sending_check_own(const struct troupe_outgoing *wanted, const char *what);

#endif

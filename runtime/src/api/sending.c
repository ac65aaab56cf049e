/*
 * Sending. troupe_send() tries the common case in line, then trp_send_plain(), then trp_send_message(), which all other
 * functions use at once. A message is checked only where it is not the common case, which a wrong message never is.
 */
#include "api/sending.h"

#include "actor/deadlock.h"
#include "actor/executor.h"
#include "actor/send.h"
#include "channel/channel_send.h"
#include "channel/channels.h"
#include "troupe/context.h"

#include <stdlib.h>
#include <string.h>

void trp_sending_sign(const troupe_context_t *ctx, struct trp_outgoing *outgoing)
{
    if (TRP_LIKELY(ctx->actor != NULL)) {
        outgoing->from_index = trp_context_index(ctx);
        outgoing->from_generation = ctx->actor->generation;
        return;
    }
    const struct troupe_executor *executor = (const struct troupe_executor *)(const void *)ctx;
    outgoing->from_generation = executor->mode == TRP_MODE_INBOX ? 1 : 0;
}

enum troupe_err trp_sending_explain(uint32_t type, size_t body_bytes, bool has_no_receiver)
{
    if (type >= TROUPE_MESSAGE_RESERVED) {
        return TRP_EXPLAIN(
            TROUPE_ERR_INVAL,
            "message type %u is reserved for the runtime; use one below %u",
            type,
            TROUPE_MESSAGE_RESERVED);
    }
    if (has_no_receiver) {
        return TRP_EXPLAIN(
            TROUPE_ERR_INVAL,
            "a message of type %u has no receiver: its reference is TROUPE_REF_NONE",
            type);
    }
    if (body_bytes > PTRDIFF_MAX) {
        return TRP_EXPLAIN(
            TROUPE_ERR_TOOBIG,
            "a message of type %u has %zu bytes, more than there can be; was a size negative?",
            type,
            body_bytes);
    }
    return TRP_EXPLAIN(
        TROUPE_ERR_INVAL,
        "a message of type %u has %zu bytes, but its body is NULL",
        type,
        body_bytes);
}

enum troupe_err trp_sending_check_outgoing(
    const troupe_context_t *ctx, const struct troupe_outgoing *wanted)
{
    if (wanted == NULL) {
        return TRP_EXPLAIN(TROUPE_ERR_INVAL, "there is no message to send: `outgoing` is NULL");
    }
    return trp_sending_check(ctx, wanted->to, wanted->type, wanted->body, wanted->body_bytes);
}

struct trp_outgoing trp_sending_outgoing(
    troupe_context_t *ctx, const struct troupe_outgoing *wanted)
{
    struct trp_outgoing outgoing = {
        .to = wanted->to,
        .type = wanted->type,
        .kind = TRP_KIND_USER,
        .body = wanted->body,
        .body_bytes = wanted->body_bytes,
    };
    trp_outgoing_set_ttl(trp_executor_of(ctx), wanted->ttl_ns, &outgoing);
    return outgoing;
}

/** As troupe_send(), where that is not the common case. */
__attribute__((noinline)) static enum troupe_err sending_send(
    troupe_context_t *ctx, troupe_ref_t to, uint32_t type, const void *body, size_t body_bytes)
{
    enum troupe_err err = trp_sending_check(ctx, to, type, body, body_bytes);
    if (err != TROUPE_OK) {
        return err;
    }
    if (TRP_LIKELY(trp_send_plain(trp_executor_of(ctx), to, type, body, body_bytes))) {
        return TROUPE_OK;
    }
    struct trp_outgoing outgoing = {
        .to = to,
        .type = type,
        .kind = TRP_KIND_USER,
        .body = body,
        .body_bytes = body_bytes,
    };
    trp_sending_sign(ctx, &outgoing);
    return trp_send_message(trp_executor_of(ctx), &outgoing);
}

enum troupe_err troupe_send(
    troupe_context_t *ctx, troupe_ref_t to, uint32_t type, const void *body, size_t body_bytes)
{
    if (TRP_LIKELY(type < TROUPE_MESSAGE_RESERVED) && TRP_LIKELY(body != NULL) &&
        TRP_LIKELY(body_bytes == 8) && TRP_LIKELY(trp_check_thread(ctx) == TROUPE_OK) &&
        TRP_LIKELY(trp_send_word(trp_executor_of(ctx), to, type, body))) {
        return TROUPE_OK;
    }
    return sending_send(ctx, to, type, body, body_bytes);
}

enum troupe_err troupe_send_message(troupe_context_t *ctx, const struct troupe_outgoing *wanted)
{
    enum troupe_err err = trp_sending_check_outgoing(ctx, wanted);
    if (err != TROUPE_OK) {
        return err;
    }
    const struct troupe_reply_to *client = &wanted->on_behalf_of;
    bool is_own = troupe_ref_is_none(client->ref);
    if (is_own && client->ask != 0) {
        return TRP_EXPLAIN(
            TROUPE_ERR_INVAL,
            "`on_behalf_of` has an ask, but its `ref` is TROUPE_REF_NONE: set it to what "
            "troupe_message_reply_to() gave");
    }
    if (is_own && wanted->ttl_ns == 0) {
        return troupe_send(ctx, wanted->to, wanted->type, wanted->body, wanted->body_bytes);
    }
    struct trp_outgoing outgoing = trp_sending_outgoing(ctx, wanted);
    if (!is_own) {
        return trp_sending_delegate(ctx, *client, &outgoing);
    }
    trp_sending_sign(ctx, &outgoing);
    return trp_send_message(trp_executor_of(ctx), &outgoing);
}

enum troupe_err troupe_send_body(
    troupe_context_t *ctx, troupe_ref_t to, uint32_t type, struct troupe_body *body)
{
    if (body == NULL) {
        return TRP_EXPLAIN(TROUPE_ERR_INVAL, "there is no body to give away: `body` is NULL");
    }
    enum troupe_err err = trp_sending_check(ctx, to, type, body->data, body->bytes);
    if (err != TROUPE_OK) {
        return err;
    }
    if ((uintptr_t)body->data % 8 != 0) {
        return TRP_EXPLAIN(
            TROUPE_ERR_INVAL,
            "a body that is given away has to start at an address that is a multiple of 8");
    }
    struct trp_outgoing outgoing = {
        .to = to,
        .type = type,
        .kind = TRP_KIND_USER,
        .body = body->data,
        .body_bytes = body->bytes,
        .given = body,
    };
    trp_sending_sign(ctx, &outgoing);
    return trp_send_message(trp_executor_of(ctx), &outgoing);
}

void troupe_flush(troupe_context_t *ctx)
{
    // What an inbox sends leaves at once.
    if (trp_check_context(ctx) == TROUPE_OK && trp_executor_of(ctx)->inbox == NULL) {
        struct trp_channels *channels = &trp_executor_of(ctx)->channels;
        trp_channel_flush(channels, channels->loop);
        trp_channels_flush(channels);
    }
}

enum troupe_err trp_sending_delegate(
    troupe_context_t *ctx, struct troupe_reply_to reply_to, struct trp_outgoing *outgoing)
{
    struct troupe_executor *executor = trp_executor_of(ctx);
    bool is_own = reply_to.ref.executor == executor->id || troupe_ref_is_none(reply_to.ref);
    outgoing->from_index = reply_to.ref.index;
    outgoing->from_generation = reply_to.ref.generation;
    outgoing->from_node = is_own ? 0 : reply_to.ref.node;
    outgoing->from_executor = is_own ? 0 : reply_to.ref.executor;
    outgoing->flags |= reply_to.ask != 0 ? TRP_FLAG_ASK : 0;
    outgoing->ask = reply_to.ask;
    enum troupe_err err = trp_send_message(executor, outgoing);
    if (err == TROUPE_OK) {
        trp_deadlock_note_reply(executor, &reply_to);
    }
    return err;
}

enum troupe_err trp_sending_check_own(const struct troupe_outgoing *wanted, const char *what)
{
    const struct troupe_reply_to *client = &wanted->on_behalf_of;
    if (troupe_ref_is_none(client->ref) && client->ask == 0) {
        return TROUPE_OK;
    }
    return TRP_EXPLAIN(
        TROUPE_ERR_INVAL,
        "%s is always on the sender's own behalf: leave `on_behalf_of` empty, or use "
        "troupe_send_message()",
        what);
}

enum troupe_err troupe_forward(
    troupe_context_t *ctx, const troupe_message_t *message, troupe_ref_t to)
{
    const struct troupe_outgoing wanted = {
        .to = to,
        .type = troupe_message_type(message),
        .body = troupe_message_body(message),
        .body_bytes = troupe_message_body_bytes(message),
    };
    enum troupe_err err = trp_sending_check_outgoing(ctx, &wanted);
    if (err != TROUPE_OK) {
        return err;
    }
    struct trp_outgoing outgoing = trp_sending_outgoing(ctx, &wanted);
    trp_outgoing_set_expiry(trp_executor_of(ctx), message->expires_ns, &outgoing);
    return trp_sending_delegate(ctx, troupe_message_reply_to(message), &outgoing);
}

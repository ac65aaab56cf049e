/**
 * @file post.h
 * @brief The first steps of a message on its road, for most of them all there are until it is met.
 */
#ifndef TRP_POST_H
#define TRP_POST_H

#include "executor.h"
#include "link.h"

/** Something was written for a peer: see to it that it leaves. */
void trp_post_mark(struct troupe_executor *executor, struct trp_link *link);

/** Account for a message that was written. */
static inline void trp_post_account(struct trp_link *link)
{
    trp_count(&link->ledger->accepted, 1);
    link->was_used = true;
}

/**
 * Post a small message of the running actor to where the last one went, which has credit for it: what
 * most sends are.
 *
 * @return false: it is not that simple; nothing was done.
 */
TRP_INLINE bool trp_post_plain(
    struct troupe_executor *executor,
    troupe_ref_t to,
    uint32_t type,
    const void *body,
    size_t body_bytes)
{
    const struct troupe_context *ctx = &executor->context;
    if (TRP_UNLIKELY(ctx->place == 0)) {
        return false; // and a port's links are looked at under its lock only
    }
    struct trp_link *link = executor->last_out;
    if (link == NULL || link->peer_id != to.executor || link->peer_node != to.node ||
        body_bytes > TRP_RUN_BODY_BYTES_MAX || link->credit_messages <= 0 ||
        link->credit_bytes < (int64_t)body_bytes ||
        TRP_UNLIKELY(!trp_outframe_put_plain(
            &link->frame,
            trp_place(to.index, to.generation),
            ctx->place,
            type,
            body,
            (uint32_t)body_bytes))) {
        return false;
    }
    link->credit_messages--;
    link->credit_bytes -= (int64_t)body_bytes;
    trp_post_account(link);
    if (!link->is_loop) {
        trp_post_mark(executor, link);
    }
    return true;
}

#endif

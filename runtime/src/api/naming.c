/*
 * Names of actors, which are kept in shared memory (shared/names.h). What is done here is to reply to the asks that
 * wait for a name: when an actor registers it, or at once if one has done so before.
 */
#include "actor/deadlock.h"
#include "actor/executor.h"
#include "actor/send.h"
#include "api/asking.h"
#include "shared/names.h"
#include "shared/shared.h"

#include <stdlib.h>
#include <string.h>

static enum troupe_err naming_check(const char *name)
{
    size_t bytes = name == NULL ? 0 : strnlen(name, TRP_NAME_BYTES_MAX + 1);
    if (bytes == 0 || bytes > TRP_NAME_BYTES_MAX) {
        return TRP_EXPLAIN(
            TROUPE_ERR_INVAL,
            "a name has 1 to %d bytes; this one has %zu%s",
            TRP_NAME_BYTES_MAX,
            bytes,
            bytes > TRP_NAME_BYTES_MAX ? " or more" : "");
    }
    return TROUPE_OK;
}

/** Reply to an ask that waited for a name. */
static void naming_reply(
    struct troupe_executor *executor, troupe_ref_t waiter, uint64_t ask, troupe_ref_t owner)
{
    struct trp_outgoing outgoing = {
        .to = waiter,
        .type = TROUPE_MESSAGE_NAME,
        .kind = TRP_KIND_NOTICE,
        .flags = TRP_FLAG_UNMETERED | TRP_FLAG_ASK,
        .body = &owner,
        .body_bytes = sizeof(owner),
        .ask = ask,
    };
    (void)trp_send_message(executor, &outgoing); // without memory the wait ends at its deadline
}

static void naming_reply_all(
    struct troupe_executor *executor, struct trp_name_waiter *waiter, troupe_ref_t owner)
{
    while (waiter != NULL) {
        struct trp_name_waiter *next = waiter->next;
        naming_reply(executor, waiter->ref, waiter->ask, owner);
        free(waiter);
        waiter = next;
    }
}

enum troupe_err troupe_register(troupe_context_t *ctx, const char *name)
{
    struct troupe_executor *executor = trp_executor_of(ctx);
    enum troupe_err err = trp_check_context(ctx);
    if (err == TROUPE_OK) {
        err = naming_check(name);
    }
    if (err == TROUPE_OK && ctx->actor == NULL) {
        err = TRP_EXPLAIN(
            TROUPE_ERR_INVAL,
            "no actor runs in this context that could be registered as '%s'",
            name);
    }
    if (err != TROUPE_OK) {
        return err;
    }
    troupe_ref_t self = troupe_self(ctx);
    struct trp_name_waiter *waiters = NULL;
    err = trp_names_add(executor->runtime->shared, name, self, &waiters);
    if (err == TROUPE_OK) {
        ctx->actor->flags |= TRP_ACTOR_NAMED;
        naming_reply_all(executor, waiters, self);
    }
    return err;
}

enum troupe_err troupe_unregister(troupe_context_t *ctx, const char *name)
{
    enum troupe_err err = trp_check_context(ctx);
    if (err == TROUPE_OK) {
        err = naming_check(name);
    }
    if (err != TROUPE_OK) {
        return err;
    }
    return trp_names_remove(trp_executor_of(ctx)->runtime->shared, name, troupe_self(ctx));
}

enum troupe_err troupe_lookup(troupe_context_t *ctx, const char *name, troupe_ref_t *out_ref)
{
    struct trp_shared *shared = trp_executor_of(ctx)->runtime->shared;
    enum troupe_err err = trp_check_context(ctx);
    if (err == TROUPE_OK) {
        err = naming_check(name);
    }
    if (err != TROUPE_OK) {
        return err;
    }
    troupe_ref_t owner = trp_names_find(shared, name);
    if (troupe_ref_is_none(owner)) {
        return TRP_EXPLAIN(TROUPE_ERR_NOENT, "no actor is registered as '%s'", name);
    }
    *out_ref = owner;
    return TROUPE_OK;
}

enum troupe_err troupe_await_name(
    troupe_context_t *ctx, const char *name, const struct troupe_ask_options *options)
{
    struct troupe_executor *executor = trp_executor_of(ctx);
    enum troupe_err err = trp_check_context(ctx);
    if (err == TROUPE_OK) {
        err = naming_check(name);
    }
    if (err != TROUPE_OK) {
        return err;
    }
    uint64_t ask = 0;
    err = trp_ask_begin(ctx, options, true, &ask);
    if (err != TROUPE_OK) {
        return err;
    }
    troupe_ref_t owner = TROUPE_REF_NONE;
    uint32_t wait = 0;
    err = trp_names_wait(executor->runtime->shared, name, troupe_self(ctx), ask, &owner, &wait);
    if (err != TROUPE_OK) {
        trp_ask_undo(ctx, ask);
        return err;
    }
    struct trp_ask *pending = trp_asks_find(&executor->asks, ask);
    TRP_CHECK(pending != NULL);
    pending->name_wait = wait;
    if (options->exclusive) {
        trp_deadlock_begin_wait(ctx, ask, TROUPE_REF_NONE);
    }
    if (!troupe_ref_is_none(owner)) {
        naming_reply(executor, troupe_self(ctx), ask, owner);
    }
    return TROUPE_OK;
}

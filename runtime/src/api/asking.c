#include "api/asking.h"

#include "actor/actor_table.h"
#include "actor/asks.h"
#include "actor/deadlock.h"
#include "actor/executor.h"
#include "actor/send.h"
#include "actor/timer_list.h"
#include "api/sending.h"
#include "base/timer_heap.h"
#include "troupe/context.h"

#include <stdlib.h>
#include <string.h>

/** Check the options of an ask, and that its actor may wait for a reply where it is exclusive. */
static enum troupe_err asking_check(
    const troupe_context_t *ctx, const struct troupe_ask_options *options)
{
    const struct trp_actor *actor = ctx->actor;
    if (options == NULL || options->on_reply == NULL) {
        return TRP_EXPLAIN(TROUPE_ERR_INVAL, "an ask needs an `on_reply` in its options");
    }
    if (options->exclusive && !trp_actor_runs(actor) && actor->life != TRP_LIFE_STARTING) {
        return TRP_EXPLAIN(
            TROUPE_ERR_INVAL,
            actor->life == TRP_LIFE_WAITING
                ? "the actor has an exclusive ask already; ask again in its `on_reply`"
                : "the actor is about to end, and receives no reply");
    }
    return TROUPE_OK;
}

/** Start the timer of an ask's deadline, which is taken, and add the ask. @return its number; 0: no memory. */
static uint64_t asking_add(
    struct troupe_executor *executor,
    struct trp_ask *ask,
    uint64_t timeout_ns,
    struct trp_actor_timer *timer)
{
    uint64_t wait_ns = timeout_ns == 0 ? TROUPE_ASK_TIMEOUT_DEFAULT_NS : timeout_ns;
    uint64_t now_ns = trp_executor_now(executor);
    uint64_t due_ns = wait_ns < UINT64_MAX - 1 - now_ns ? now_ns + wait_ns : UINT64_MAX - 1;
    ask->timer = trp_actor_timer_start(executor, timer, due_ns);
    if (ask->timer == 0) {
        free(timer);
        return 0;
    }
    uint64_t number = trp_asks_add(&executor->asks, ask);
    timer->ask = number;
    if (number == 0) {
        (void)trp_actor_timer_cancel(executor, ask->timer);
    }
    return number;
}

enum troupe_err trp_ask_begin(
    troupe_context_t *ctx,
    const struct troupe_ask_options *options,
    bool awaits_name,
    uint64_t *out_ask)
{
    if (ctx->actor == NULL) {
        return TRP_EXPLAIN(
            TROUPE_ERR_UNSUPPORTED,
            "no actor runs in this context that could receive the reply; use an inbox");
    }
    enum troupe_err err = asking_check(ctx, options);
    if (err != TROUPE_OK) {
        return err;
    }
    struct trp_ask ask = {
        .awaits_name = awaits_name,
        .actor_index = trp_context_index(ctx),
        .actor_generation = ctx->actor->generation,
        .on_reply = options->on_reply,
        .tag = options->tag,
    };
    struct trp_actor_timer *timer = calloc(1, sizeof(*timer));
    if (timer != NULL) {
        timer->actor_index = ask.actor_index;
        timer->actor_generation = ask.actor_generation;
        *out_ask = asking_add(trp_executor_of(ctx), &ask, options->timeout_ns, timer);
    }
    if (timer == NULL || *out_ask == 0) {
        return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for an ask");
    }
    return TROUPE_OK;
}

void trp_ask_undo(troupe_context_t *ctx, uint64_t number)
{
    struct troupe_executor *executor = trp_executor_of(ctx);
    struct trp_ask ask;
    if (trp_asks_take(&executor->asks, number, &ask)) {
        (void)trp_actor_timer_cancel(executor, ask.timer);
    }
}

static enum troupe_err asking_send(
    troupe_context_t *ctx, const struct troupe_outgoing *wanted, uint64_t ask)
{
    struct trp_outgoing outgoing = trp_sending_outgoing(ctx, wanted);
    outgoing.flags |= TRP_FLAG_ASK;
    outgoing.ask = ask;
    trp_sending_sign(ctx, &outgoing);
    return trp_send_message(trp_executor_of(ctx), &outgoing);
}

enum troupe_err troupe_ask(
    troupe_context_t *ctx,
    const struct troupe_outgoing *outgoing,
    const struct troupe_ask_options *options)
{
    enum troupe_err err = trp_sending_check_outgoing(ctx, outgoing);
    if (err == TROUPE_OK) {
        err = trp_sending_check_own(outgoing, "an ask");
    }
    if (err == TROUPE_OK && options != NULL && options->exclusive &&
        troupe_ref_equal(outgoing->to, troupe_self(ctx))) {
        err = TRP_EXPLAIN(
            TROUPE_ERR_DEADLOCK,
            "an actor cannot reply to its own exclusive ask: it handles nothing meanwhile");
    }
    uint64_t ask = 0;
    if (err == TROUPE_OK) {
        err = trp_ask_begin(ctx, options, false, &ask);
    }
    if (err != TROUPE_OK) {
        return err;
    }
    err = asking_send(ctx, outgoing, ask);
    if (err != TROUPE_OK) {
        trp_ask_undo(ctx, ask);
    } else if (options->exclusive) {
        trp_deadlock_begin_wait(ctx, ask, outgoing->to);
    }
    return err;
}

enum troupe_err trp_inbox_send_ask(
    troupe_context_t *ctx, const struct troupe_outgoing *wanted, uint64_t ask)
{
    enum troupe_err err = trp_sending_check_outgoing(ctx, wanted);
    if (err == TROUPE_OK) {
        err = trp_sending_check_own(wanted, "an ask");
    }
    return err != TROUPE_OK ? err : asking_send(ctx, wanted, ask);
}

enum troupe_err troupe_reply_later(
    troupe_context_t *ctx,
    struct troupe_reply_to reply_to,
    uint32_t type,
    const void *body,
    size_t body_bytes)
{
    if (troupe_ref_is_none(reply_to.ref)) {
        return TRP_EXPLAIN(
            TROUPE_ERR_NOENT,
            "a reply of type %u has no receiver: the message had no sender",
            type);
    }
    if (reply_to.ask == 0) {
        return troupe_send(ctx, reply_to.ref, type, body, body_bytes);
    }
    enum troupe_err err = trp_sending_check(ctx, reply_to.ref, type, body, body_bytes);
    if (err != TROUPE_OK) {
        return err;
    }
    struct troupe_executor *executor = trp_executor_of(ctx);
    if (body_bytes > executor->runtime->mailbox_bytes) {
        return TRP_EXPLAIN(
            TROUPE_ERR_TOOBIG,
            "a reply of %zu bytes is over the mailbox's bound of %llu bytes",
            body_bytes,
            (unsigned long long)executor->runtime->mailbox_bytes);
    }
    struct trp_outgoing outgoing = {
        .to = reply_to.ref,
        .type = type,
        .kind = TRP_KIND_REPLY,
        .flags = TRP_FLAG_UNMETERED | TRP_FLAG_ASK,
        .body = body,
        .body_bytes = body_bytes,
        .ask = reply_to.ask,
    };
    trp_sending_sign(ctx, &outgoing);
    err = trp_send_message(executor, &outgoing);
    if (err == TROUPE_OK) {
        trp_deadlock_note_reply(executor, &reply_to);
    }
    return err;
}

enum troupe_err troupe_reply(
    troupe_context_t *ctx,
    const troupe_message_t *message,
    uint32_t type,
    const void *body,
    size_t body_bytes)
{
    return troupe_reply_later(ctx, troupe_message_reply_to(message), type, body, body_bytes);
}

enum troupe_err troupe_ask_cancel(troupe_context_t *ctx, uint64_t tag)
{
    enum troupe_err err = trp_check_context(ctx);
    if (err != TROUPE_OK) {
        return err;
    }
    struct troupe_executor *executor = trp_executor_of(ctx);
    uint64_t number = 0;
    bool found = false;
    while (ctx->actor != NULL &&
           (number = trp_asks_find_tag(
                &executor->asks, trp_context_index(ctx), ctx->actor->generation, tag)) != 0) {
        found = true;
        const struct trp_ask *ask = trp_asks_find(&executor->asks, number);
        TRP_CHECK(ask != NULL);
        trp_names_forget(executor->runtime->shared, ask->name_wait, troupe_self(ctx), number);
        trp_deadlock_end_wait(executor, ctx->actor, ask);
        trp_ask_undo(ctx, number);
    }
    return found ? TROUPE_OK
                 : TRP_EXPLAIN(TROUPE_ERR_NOENT, "no ask with that tag waits for a reply");
}

#include "actor/deadlock.h"
#include "actor/executor.h"
#include "actor/inbox_mail.h"
#include "actor/send.h"
#include "actor/timers.h"
#include "channel/channel_command.h"
#include "channel/channel_send.h"
#include "node/process_manager.h"
#include "node/system.h"
#include "troupe/context.h"

#include <stdlib.h>
#include <string.h>

/*
 * The verbs of actors. What is longer than a few lines lives elsewhere: spawn.c, names.c,
 * dead_letter.c; the road of what is sent begins in post.c.
 */

uint64_t troupe_now(const troupe_context_t *ctx)
{
    return trp_executor_now((const struct troupe_executor *)(const void *)ctx);
}

uint64_t troupe_random(troupe_context_t *ctx)
{
    struct troupe_executor *executor = trp_executor_of(ctx);
    executor->random_state += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t bits = executor->random_state;
    bits = (bits ^ (bits >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    bits = (bits ^ (bits >> 27)) * UINT64_C(0x94D049BB133111EB);
    return bits ^ (bits >> 31);
}

/* Sending. -------------------------------------------------------------------------------------- */

/** Say who sends: the running actor, the inbox, or nobody. */
static void context_sign(const troupe_context_t *ctx, struct trp_outgoing *outgoing)
{
    if (TRP_LIKELY(ctx->actor != NULL)) {
        outgoing->from_index = trp_context_index(ctx);
        outgoing->from_generation = ctx->actor->generation;
        return;
    }
    const struct troupe_executor *executor = (const struct troupe_executor *)(const void *)ctx;
    outgoing->from_generation = executor->mode == TRP_MODE_INBOX ? 1 : 0;
}

/** Say what is wrong with a message that cannot be sent. */
static enum troupe_err context_explain(uint32_t type, size_t body_bytes, bool for_nobody)
{
    if (type >= TROUPE_MESSAGE_RESERVED) {
        return TRP_EXPLAIN(
            TROUPE_ERR_INVAL,
            "message type %u is the runtime's; use one below %u",
            type,
            TROUPE_MESSAGE_RESERVED);
    }
    if (for_nobody) {
        return TRP_EXPLAIN(TROUPE_ERR_INVAL, "a message of type %u is for nobody", type);
    }
    return TRP_EXPLAIN(
        TROUPE_ERR_INVAL, "a message of type %u has %zu bytes and no body", type, body_bytes);
}

static inline enum troupe_err context_check(
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
        err = context_explain(type, body_bytes, to.node == 0);
    }
    return err;
}

/** @return what is to be sent, for whoever signs it. */
static struct trp_outgoing context_letter(
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

/** Send as troupe_send() does where that is not as simple as in a world it mostly is. */
__attribute__((noinline)) static enum troupe_err context_send(
    troupe_context_t *ctx, troupe_ref_t to, uint32_t type, const void *body, size_t body_bytes)
{
    enum troupe_err err = context_check(ctx, to, type, body, body_bytes);
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
    context_sign(ctx, &outgoing);
    return trp_send_message(trp_executor_of(ctx), &outgoing);
}

enum troupe_err troupe_send(
    troupe_context_t *ctx, troupe_ref_t to, uint32_t type, const void *body, size_t body_bytes)
{
    // What is wrong with a message is looked for where it is no plain one to a peer that is known.
    if (TRP_LIKELY(type < TROUPE_MESSAGE_RESERVED) && TRP_LIKELY(body != NULL) &&
        TRP_LIKELY(body_bytes == 8) && TRP_LIKELY(trp_check_thread(ctx) == TROUPE_OK) &&
        TRP_LIKELY(trp_send_word(trp_executor_of(ctx), to, type, body))) {
        return TROUPE_OK;
    }
    return context_send(ctx, to, type, body, body_bytes);
}

enum troupe_err troupe_send_message(troupe_context_t *ctx, const struct troupe_outgoing *wanted)
{
    if (wanted->ttl_ns == 0) {
        return troupe_send(ctx, wanted->to, wanted->type, wanted->body, wanted->body_bytes);
    }
    enum troupe_err err =
        context_check(ctx, wanted->to, wanted->type, wanted->body, wanted->body_bytes);
    if (err != TROUPE_OK) {
        return err;
    }
    struct trp_outgoing outgoing = context_letter(ctx, wanted);
    context_sign(ctx, &outgoing);
    return trp_send_message(trp_executor_of(ctx), &outgoing);
}

enum troupe_err troupe_send_body(
    troupe_context_t *ctx, troupe_ref_t to, uint32_t type, struct troupe_body *body)
{
    enum troupe_err err = context_check(ctx, to, type, body->data, body->bytes);
    if (err != TROUPE_OK) {
        return err;
    }
    if ((uintptr_t)body->data % 8 != 0) {
        return TRP_EXPLAIN(TROUPE_ERR_INVAL, "a body that is given away starts at a multiple of 8");
    }
    struct trp_outgoing outgoing = {
        .to = to,
        .type = type,
        .kind = TRP_KIND_USER,
        .given = body,
    };
    context_sign(ctx, &outgoing);
    return trp_send_message(trp_executor_of(ctx), &outgoing);
}

void troupe_flush(troupe_context_t *ctx)
{
    // A inbox's messages left already.
    if (trp_check_thread(ctx) == TROUPE_OK && trp_executor_of(ctx)->inbox == NULL) {
        struct trp_channels *channels = &trp_executor_of(ctx)->channels;
        trp_channel_flush(channels, channels->loop);
        trp_channels_flush(channels);
    }
}

/* Asks. ----------------------------------------------------------------------------------------- */

enum troupe_err trp_ask_begin(
    troupe_context_t *ctx,
    uint64_t timeout_ns,
    troupe_reply_fn *on_reply,
    uint64_t tag,
    bool awaits_name,
    uint64_t *out_ask)
{
    struct troupe_executor *executor = trp_executor_of(ctx);
    if (ctx->actor == NULL) {
        return TRP_EXPLAIN(
            TROUPE_ERR_UNSUPPORTED, "no actor runs here that could meet the answer; use an inbox");
    }
    if (on_reply == NULL) {
        return TRP_EXPLAIN(TROUPE_ERR_INVAL, "an ask needs a callback for its answer");
    }
    struct trp_actor_timer *actor_timer = calloc(1, sizeof(*actor_timer));
    if (actor_timer == NULL) {
        return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for an ask");
    }
    actor_timer->actor_index = trp_context_index(ctx);
    actor_timer->actor_generation = ctx->actor->generation;
    struct trp_ask ask = {
        .awaits_name = awaits_name,
        .actor_index = trp_context_index(ctx),
        .actor_generation = ctx->actor->generation,
        .on_reply = on_reply,
        .tag = tag,
    };
    uint64_t wait_ns = timeout_ns == 0 ? TROUPE_ASK_TIMEOUT_DEFAULT_NS : timeout_ns;
    uint64_t now_ns = trp_executor_now(executor);
    uint64_t due_ns = wait_ns < UINT64_MAX - 1 - now_ns ? now_ns + wait_ns : UINT64_MAX - 1;
    ask.timer = trp_timer_heap_add(&executor->timers, due_ns, actor_timer);
    actor_timer->ask = ask.timer == 0 ? 0 : trp_asks_add(&executor->asks, &ask);
    if (actor_timer->ask == 0) {
        (void)trp_timer_heap_cancel(&executor->timers, ask.timer);
        free(actor_timer);
        return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for an ask");
    }
    *out_ask = actor_timer->ask;
    return TROUPE_OK;
}

void trp_ask_undo(troupe_context_t *ctx, uint64_t number)
{
    struct troupe_executor *executor = trp_executor_of(ctx);
    struct trp_ask ask;
    if (trp_asks_take(&executor->asks, number, &ask)) {
        free(trp_timer_heap_cancel(&executor->timers, ask.timer));
    }
}

static enum troupe_err context_post_ask(
    troupe_context_t *ctx, const struct troupe_outgoing *wanted, uint64_t ask)
{
    struct trp_outgoing outgoing = context_letter(ctx, wanted);
    outgoing.flags |= TRP_FLAG_ASK;
    outgoing.ask = ask;
    context_sign(ctx, &outgoing);
    return trp_send_message(trp_executor_of(ctx), &outgoing);
}

enum troupe_err trp_ask(
    troupe_context_t *ctx,
    const struct troupe_outgoing *wanted,
    uint64_t timeout_ns,
    troupe_reply_fn *on_reply,
    uint64_t tag,
    uint64_t *out_ask)
{
    enum troupe_err err =
        context_check(ctx, wanted->to, wanted->type, wanted->body, wanted->body_bytes);
    if (err != TROUPE_OK) {
        return err;
    }
    uint64_t ask = 0;
    err = trp_ask_begin(ctx, timeout_ns, on_reply, tag, false, &ask);
    if (err != TROUPE_OK) {
        return err;
    }
    err = context_post_ask(ctx, wanted, ask);
    if (err != TROUPE_OK) {
        trp_ask_undo(ctx, ask);
    }
    *out_ask = ask;
    return err;
}

enum troupe_err troupe_ask(
    troupe_context_t *ctx,
    const struct troupe_outgoing *wanted,
    uint64_t timeout_ns,
    troupe_reply_fn *on_reply,
    uint64_t tag)
{
    uint64_t ask = 0;
    return trp_ask(ctx, wanted, timeout_ns, on_reply, tag, &ask);
}

enum troupe_err trp_inbox_send_ask(
    troupe_context_t *ctx, const struct troupe_outgoing *wanted, uint64_t ask)
{
    enum troupe_err err =
        context_check(ctx, wanted->to, wanted->type, wanted->body, wanted->body_bytes);
    return err != TROUPE_OK ? err : context_post_ask(ctx, wanted, ask);
}

enum troupe_err troupe_reply_later(
    troupe_context_t *ctx,
    struct troupe_reply_to reply_to,
    uint32_t type,
    const void *body,
    size_t body_bytes)
{
    if (troupe_ref_is_none(reply_to.ref)) {
        return TRP_EXPLAIN(TROUPE_ERR_NOENT, "a reply of type %u is for nobody", type);
    }
    if (reply_to.ask == 0) {
        return troupe_send(ctx, reply_to.ref, type, body, body_bytes);
    }
    enum troupe_err err = context_check(ctx, reply_to.ref, type, body, body_bytes);
    if (err != TROUPE_OK) {
        return err;
    }
    struct troupe_executor *executor = trp_executor_of(ctx);
    if (body_bytes > executor->runtime->mailbox_bytes) {
        return TRP_EXPLAIN(
            TROUPE_ERR_TOOBIG,
            "a reply of %zu bytes is over the mailbox's bound of %llu",
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
    context_sign(ctx, &outgoing);
    err = trp_send_message(executor, &outgoing);
    if (err == TROUPE_OK) {
        trp_deadlock_reply_received(executor, &reply_to);
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
    enum troupe_err err = trp_check_thread(ctx);
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
        if (ask->awaits_name) {
            trp_names_forget(executor->runtime->shared, troupe_self(ctx), number);
        }
        trp_deadlock_end_wait(executor, ctx->actor, ask);
        trp_ask_undo(ctx, number);
    }
    return found ? TROUPE_OK
                 : TRP_EXPLAIN(TROUPE_ERR_NOENT, "no ask with that tag waits for an answer");
}

/** Send a letter that @p asker signs, and who answers it answers that one. */
static enum troupe_err context_post_for(
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
        trp_deadlock_reply_received(executor, &reply_to);
    }
    return err;
}

enum troupe_err troupe_delegate(
    troupe_context_t *ctx, struct troupe_reply_to reply_to, const struct troupe_outgoing *wanted)
{
    enum troupe_err err =
        context_check(ctx, wanted->to, wanted->type, wanted->body, wanted->body_bytes);
    if (err != TROUPE_OK) {
        return err;
    }
    struct trp_outgoing outgoing = context_letter(ctx, wanted);
    return context_post_for(ctx, reply_to, &outgoing);
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
    enum troupe_err err =
        context_check(ctx, wanted.to, wanted.type, wanted.body, wanted.body_bytes);
    if (err != TROUPE_OK) {
        return err;
    }
    struct trp_outgoing outgoing = context_letter(ctx, &wanted);
    trp_outgoing_set_expiry(trp_executor_of(ctx), message->expires_ns, &outgoing);
    return context_post_for(ctx, troupe_message_reply_to(message), &outgoing);
}

/* Timers. --------------------------------------------------------------------------------------- */

static enum troupe_err context_start_timer(
    troupe_context_t *ctx,
    uint64_t delay_ns,
    uint64_t period_ns,
    const struct troupe_outgoing *outgoing,
    troupe_timer_t *out_timer)
{
    struct troupe_executor *executor = trp_executor_of(ctx);
    enum troupe_err err =
        context_check(ctx, outgoing->to, outgoing->type, outgoing->body, outgoing->body_bytes);
    if (err != TROUPE_OK) {
        return err;
    }
    if (executor->mode == TRP_MODE_INBOX) {
        return TRP_EXPLAIN(
            TROUPE_ERR_UNSUPPORTED, "an inbox runs no timers: nobody would look at them");
    }
    if (outgoing->body_bytes > executor->runtime->mailbox_bytes) {
        return TRP_EXPLAIN(
            TROUPE_ERR_TOOBIG,
            "a timer's body of %zu bytes is over the bound",
            outgoing->body_bytes);
    }
    struct trp_actor_timer *actor_timer = calloc(1, sizeof(*actor_timer) + outgoing->body_bytes);
    if (actor_timer == NULL) {
        return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for a timer");
    }
    actor_timer->actor_index = trp_context_index(ctx);
    actor_timer->actor_generation = ctx->actor == NULL ? 0 : ctx->actor->generation;
    actor_timer->period_ns = period_ns;
    actor_timer->ttl_ns = outgoing->ttl_ns;
    actor_timer->to = outgoing->to;
    actor_timer->type = outgoing->type;
    actor_timer->body_bytes = outgoing->body_bytes;
    if (outgoing->body_bytes != 0) {
        memcpy(actor_timer->body, outgoing->body, outgoing->body_bytes);
    }
    uint64_t now_ns = trp_executor_now(executor);
    uint64_t due_ns = delay_ns < UINT64_MAX - 1 - now_ns ? now_ns + delay_ns : UINT64_MAX - 1;
    troupe_timer_t timer = trp_timer_heap_add(&executor->timers, due_ns, actor_timer);
    if (timer == 0) {
        free(actor_timer);
        return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for a timer");
    }
    if (!executor->in_turn) {
        trp_runtime_wake_foreign_loop(executor->runtime); // a foreign loop does not know of it yet
    }
    if (out_timer != NULL) {
        *out_timer = timer;
    }
    return TROUPE_OK;
}

enum troupe_err troupe_send_after(
    troupe_context_t *ctx,
    uint64_t delay_ns,
    const struct troupe_outgoing *outgoing,
    troupe_timer_t *out_timer)
{
    return context_start_timer(ctx, delay_ns, 0, outgoing, out_timer);
}

enum troupe_err troupe_send_every(
    troupe_context_t *ctx,
    uint64_t period_ns,
    const struct troupe_outgoing *outgoing,
    troupe_timer_t *out_timer)
{
    if (period_ns == 0) {
        return TRP_EXPLAIN(TROUPE_ERR_INVAL, "a period of 0 ns would never let go");
    }
    return context_start_timer(ctx, period_ns, period_ns, outgoing, out_timer);
}

enum troupe_err troupe_timer_cancel(troupe_context_t *ctx, troupe_timer_t timer)
{
    enum troupe_err err = trp_check_thread(ctx);
    if (err != TROUPE_OK) {
        return err;
    }
    void *actor_timer = trp_timer_heap_cancel(&trp_executor_of(ctx)->timers, timer);
    if (actor_timer == NULL) {
        return TRP_EXPLAIN(TROUPE_ERR_NOENT, "no such timer runs: it fired, or was cancelled");
    }
    free(actor_timer);
    return TROUPE_OK;
}

/* Changing and stopping. ------------------------------------------------------------------------ */

enum troupe_err troupe_become(troupe_context_t *ctx, const struct troupe_behaviour *behaviour)
{
    const struct trp_runtime *runtime = trp_executor_of(ctx)->runtime;
    enum troupe_err err = trp_check_thread(ctx);
    if (err != TROUPE_OK) {
        return err;
    }
    bool known = false;
    for (uint32_t i = 0; i < runtime->behaviour_count; i++) {
        known |= runtime->behaviours[i] == behaviour;
    }
    if (!known) {
        return TRP_EXPLAIN(
            TROUPE_ERR_NOENT,
            "behaviour '%s' is not one of the system's; add it to TROUPE_BEHAVIOURS",
            behaviour == NULL || behaviour->name == NULL ? "" : behaviour->name);
    }
    if (ctx->actor == NULL) {
        return TRP_EXPLAIN(TROUPE_ERR_INVAL, "no actor runs here that could become another");
    }
    size_t have_bytes = runtime->behaviours[ctx->actor->column]->state_bytes;
    if (behaviour->state_bytes > have_bytes) {
        return TRP_EXPLAIN(
            TROUPE_ERR_INVAL,
            "'%s' needs a state of %zu bytes; the actor was spawned with %zu",
            behaviour->name,
            behaviour->state_bytes,
            have_bytes);
    }
    ctx->actor->behaviour = behaviour;
    if (trp_actor_runs(ctx->actor)) {
        trp_actor_table_set_running(&trp_executor_of(ctx)->actors, ctx->actor);
    }
    return TROUPE_OK;
}

static void context_stop(
    troupe_context_t *ctx, enum troupe_exit_reason reason, int code, const char *text)
{
    if (trp_check_thread(ctx) != TROUPE_OK || ctx->actor == NULL ||
        ctx->actor->life == TRP_LIFE_STOPPING) {
        return;
    }
    ctx->actor->life = TRP_LIFE_STOPPING;
    ctx->exit = (struct troupe_exit){.reason = reason, .code = code};
    if (text != NULL) {
        strncpy(ctx->exit.text, text, sizeof(ctx->exit.text) - 1);
    }
}

void troupe_stop(troupe_context_t *ctx)
{
    context_stop(ctx, TROUPE_EXIT_NORMAL, 0, NULL);
}

void troupe_fail(troupe_context_t *ctx, int code, const char *text)
{
    context_stop(ctx, TROUPE_EXIT_ERROR, code, text);
}

/** Note a local actor to stop once the running callback has returned. */
static enum troupe_err context_note_stop(
    struct troupe_executor *executor, troupe_ref_t actor, enum troupe_exit_reason reason)
{
    if (executor->stop_count == executor->stop_capacity) {
        uint32_t capacity = executor->stop_capacity * 2 + 8;
        struct trp_stop *grown = realloc(executor->stops, capacity * sizeof(*grown));
        if (grown == NULL) {
            return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory to stop an actor");
        }
        executor->stops = grown;
        executor->stop_capacity = capacity;
    }
    executor->stops[executor->stop_count++] =
        (struct trp_stop){actor.index, actor.generation, reason};
    return TROUPE_OK;
}

static enum troupe_err context_end_actor(
    troupe_context_t *ctx, troupe_ref_t actor, enum troupe_exit_reason reason)
{
    struct troupe_executor *executor = trp_executor_of(ctx);
    enum troupe_err err = context_check(ctx, actor, 0, NULL, 0);
    if (err != TROUPE_OK) {
        return err;
    }
    if (actor.executor == executor->id && !trp_channels_use_remote_loop(&executor->channels)) {
        err = context_note_stop(executor, actor, reason);
        if (err == TROUPE_OK && ctx->actor == NULL && !executor->in_turn) {
            trp_actor_run_stops(executor); // no callback's end will
        }
        return err;
    }
    if (executor->inbox != NULL) {
        trp_inbox_lock(executor->inbox);
    }
    struct trp_channel *channel = NULL;
    err = trp_channel_open(&executor->channels, actor.executor, &channel);
    if (err == TROUPE_OK && channel->peer_node == actor.node) {
        err = trp_channel_stop_actor(&executor->channels, channel, actor, reason);
        if (err == TROUPE_OK && reason == TROUPE_EXIT_KILLED &&
            channel->peer_node != executor->node) {
            executor->runtime->ops->kill(executor->runtime, channel->peer_node, actor.executor);
        }
    } else if (err == TROUPE_ERR_NOENT) {
        err = TROUPE_OK; // gone already
    }
    if (executor->inbox != NULL) {
        trp_inbox_unlock(executor->inbox);
    }
    return err;
}

enum troupe_err troupe_stop_actor(troupe_context_t *ctx, troupe_ref_t actor)
{
    return context_end_actor(ctx, actor, TROUPE_EXIT_SHUTDOWN);
}

enum troupe_err troupe_kill(troupe_context_t *ctx, troupe_ref_t actor)
{
    return context_end_actor(ctx, actor, TROUPE_EXIT_KILLED);
}

void troupe_shutdown(troupe_context_t *ctx)
{
    trp_executor_of(ctx)->runtime->ops->stop(trp_executor_of(ctx)->runtime);
}

#include "actor/actor_table.h"
#include "actor/end.h"
#include "actor/executor.h"
#include "actor/inbox_mail.h"
#include "actor/runtime.h"
#include "api/sending.h"
#include "channel/channel.h"
#include "channel/channel_command.h"
#include "channel/channels.h"
#include "troupe/context.h"

#include <stdlib.h>
#include <string.h>

/** @return whether a behaviour is one of the system's. */
static bool stopping_knows(
    const struct trp_runtime *runtime, const struct troupe_behaviour *behaviour)
{
    bool known = false;
    for (uint32_t i = 0; i < runtime->behaviour_count && !known; i++) {
        known = runtime->behaviours[i] == behaviour;
    }
    return known;
}

enum troupe_err troupe_become(troupe_context_t *ctx, const struct troupe_behaviour *behaviour)
{
    const struct trp_runtime *runtime = trp_executor_of(ctx)->runtime;
    enum troupe_err err = trp_check_context(ctx);
    if (err != TROUPE_OK) {
        return err;
    }
    if (!stopping_knows(runtime, behaviour)) {
        return TRP_EXPLAIN(
            TROUPE_ERR_NOENT,
            "behaviour '%s' is not one of the system's; add it to TROUPE_BEHAVIOURS",
            behaviour == NULL || behaviour->name == NULL ? "" : behaviour->name);
    }
    if (ctx->actor == NULL) {
        return TRP_EXPLAIN(
            TROUPE_ERR_INVAL, "no actor runs in this context that could become another");
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

static void stopping_stop(
    troupe_context_t *ctx, enum troupe_exit_reason reason, int code, const char *text)
{
    if (trp_check_context(ctx) != TROUPE_OK || ctx->actor == NULL ||
        ctx->actor->life == TRP_LIFE_STOPPING) {
        return;
    }
    ctx->actor->life = TRP_LIFE_STOPPING;
    ctx->exit = (struct troupe_exit){.reason = reason, .code = code};
    if (text != NULL) {
        memcpy(ctx->exit.text, text, strnlen(text, sizeof(ctx->exit.text) - 1)); // the rest is 0
    }
}

void troupe_stop(troupe_context_t *ctx)
{
    stopping_stop(ctx, TROUPE_EXIT_NORMAL, 0, NULL);
}

void troupe_fail(troupe_context_t *ctx, int code, const char *text)
{
    stopping_stop(ctx, TROUPE_EXIT_ERROR, code, text);
}

bool troupe_check(troupe_context_t *ctx, enum troupe_err err)
{
    if (err == TROUPE_OK) {
        return true;
    }
    troupe_fail(ctx, (int)err, troupe_error_detail());
    return false;
}

/** Add an actor of this executor to those that end once the running callback has returned. */
static enum troupe_err stopping_add(
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

/** Send a STOP to an actor of another executor. @threads holding the lock of the inbox, if the context is one's */
static enum troupe_err stopping_send(
    struct troupe_executor *executor, troupe_ref_t actor, enum troupe_exit_reason reason)
{
    struct trp_channel *channel = NULL;
    enum troupe_err err = trp_channel_open(&executor->channels, actor.executor, &channel);
    if (err != TROUPE_OK || channel->peer_node != actor.node) {
        return err == TROUPE_ERR_NOENT ? TROUPE_OK : err; // its executor is gone
    }
    err = trp_channel_stop_actor(&executor->channels, channel, actor, reason);
    if (err == TROUPE_OK && reason == TROUPE_EXIT_KILLED && channel->peer_node != executor->node) {
        executor->runtime->ops->kill(executor->runtime, channel->peer_node, actor.executor);
    }
    return err;
}

static enum troupe_err stopping_end_actor(
    troupe_context_t *ctx, troupe_ref_t actor, enum troupe_exit_reason reason)
{
    struct troupe_executor *executor = trp_executor_of(ctx);
    enum troupe_err err = trp_sending_check(ctx, actor, 0, NULL, 0);
    if (err != TROUPE_OK) {
        return err;
    }
    if (actor.executor == executor->id && actor.node != executor->node) {
        return TROUPE_OK; // of a process that is gone: there is nothing to stop
    }
    if (actor.executor == executor->id && !trp_channels_use_remote_loop(&executor->channels)) {
        err = stopping_add(executor, actor, reason);
        if (err == TROUPE_OK && ctx->actor == NULL && !executor->in_turn) {
            trp_actor_run_stops(executor); // no callback runs whose end would
        }
        return err;
    }
    if (executor->inbox == NULL) {
        return stopping_send(executor, actor, reason);
    }
    trp_inbox_lock(executor->inbox);
    err = stopping_send(executor, actor, reason);
    trp_inbox_unlock(executor->inbox);
    return err;
}

enum troupe_err troupe_stop_actor(troupe_context_t *ctx, troupe_ref_t actor)
{
    return stopping_end_actor(ctx, actor, TROUPE_EXIT_SHUTDOWN);
}

enum troupe_err troupe_kill(troupe_context_t *ctx, troupe_ref_t actor)
{
    return stopping_end_actor(ctx, actor, TROUPE_EXIT_KILLED);
}

void troupe_shutdown(troupe_context_t *ctx)
{
    trp_executor_of(ctx)->runtime->ops->stop(trp_executor_of(ctx)->runtime);
}

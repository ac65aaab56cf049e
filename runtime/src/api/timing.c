#include "actor/executor.h"
#include "actor/runtime.h"
#include "actor/timer_list.h"
#include "api/sending.h"
#include "base/timer_heap.h"
#include "troupe/context.h"

#include <stdlib.h>
#include <string.h>

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

/** Check the message of a timer. */
static enum troupe_err timing_check(
    const troupe_context_t *ctx, const struct troupe_outgoing *outgoing)
{
    const struct troupe_executor *executor = (const struct troupe_executor *)(const void *)ctx;
    enum troupe_err err = trp_sending_check_outgoing(ctx, outgoing);
    if (err == TROUPE_OK) {
        err = trp_sending_check_own(outgoing, "a timer");
    }
    if (err == TROUPE_OK && executor->mode == TRP_MODE_INBOX) {
        err = TRP_EXPLAIN(
            TROUPE_ERR_UNSUPPORTED,
            "an inbox runs no timers: it has no loop; use a timer of an actor");
    }
    if (err == TROUPE_OK && outgoing->body_bytes > executor->runtime->mailbox_bytes) {
        err = TRP_EXPLAIN(
            TROUPE_ERR_TOOBIG,
            "a timer's body of %zu bytes is over the mailbox's bound of %llu bytes",
            outgoing->body_bytes,
            (unsigned long long)executor->runtime->mailbox_bytes);
    }
    return err;
}

/** @return a timer with a copy of its message; NULL: no memory. */
static struct trp_actor_timer *timing_new(
    const troupe_context_t *ctx, uint64_t period_ns, const struct troupe_outgoing *outgoing)
{
    struct trp_actor_timer *timer = calloc(1, sizeof(*timer) + outgoing->body_bytes);
    if (timer == NULL) {
        return NULL;
    }
    timer->actor_index = trp_context_index(ctx);
    timer->actor_generation = ctx->actor == NULL ? 0 : ctx->actor->generation;
    timer->period_ns = period_ns;
    timer->ttl_ns = outgoing->ttl_ns;
    timer->to = outgoing->to;
    timer->type = outgoing->type;
    timer->body_bytes = outgoing->body_bytes;
    if (outgoing->body_bytes != 0) {
        memcpy(timer->body, outgoing->body, outgoing->body_bytes);
    }
    return timer;
}

static enum troupe_err timing_start(
    troupe_context_t *ctx,
    uint64_t delay_ns,
    uint64_t period_ns,
    const struct troupe_outgoing *outgoing,
    troupe_timer_t *out_timer)
{
    struct troupe_executor *executor = trp_executor_of(ctx);
    enum troupe_err err = timing_check(ctx, outgoing);
    if (err != TROUPE_OK) {
        return err;
    }
    struct trp_actor_timer *timer = timing_new(ctx, period_ns, outgoing);
    uint64_t now_ns = trp_executor_now(executor);
    uint64_t due_ns = delay_ns < UINT64_MAX - 1 - now_ns ? now_ns + delay_ns : UINT64_MAX - 1;
    troupe_timer_t id = timer == NULL ? 0 : trp_actor_timer_start(executor, timer, due_ns);
    if (id == 0) {
        free(timer);
        return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for a timer");
    }
    if (!executor->in_turn) {
        trp_runtime_wake_foreign_loop(executor->runtime); // its timeout may be later than this
    }
    if (out_timer != NULL) {
        *out_timer = id;
    }
    return TROUPE_OK;
}

enum troupe_err troupe_send_after(
    troupe_context_t *ctx,
    uint64_t delay_ns,
    const struct troupe_outgoing *outgoing,
    troupe_timer_t *out_timer)
{
    return timing_start(ctx, delay_ns, 0, outgoing, out_timer);
}

enum troupe_err troupe_send_every(
    troupe_context_t *ctx,
    uint64_t period_ns,
    const struct troupe_outgoing *outgoing,
    troupe_timer_t *out_timer)
{
    if (period_ns == 0) {
        return TRP_EXPLAIN(TROUPE_ERR_INVAL, "the period must be greater than 0 ns");
    }
    return timing_start(ctx, period_ns, period_ns, outgoing, out_timer);
}

enum troupe_err troupe_timer_cancel(troupe_context_t *ctx, troupe_timer_t timer)
{
    enum troupe_err err = trp_check_thread(ctx);
    if (err != TROUPE_OK) {
        return err;
    }
    if (!trp_actor_timer_cancel(trp_executor_of(ctx), timer)) {
        return TRP_EXPLAIN(TROUPE_ERR_NOENT, "no such timer: it has fired, or was cancelled");
    }
    return TROUPE_OK;
}

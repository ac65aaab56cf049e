#include "actor/executor.h"

#include "actor/runtime.h"
#include "base/error.h"
#include "base/wake.h"
#include "shared/doorbell.h"
#include "shared/shared.h"

uint64_t trp_executor_now(const struct troupe_executor *executor)
{
    return executor->runtime->clock(executor->runtime->clock_data);
}

void trp_executor_wake(struct troupe_executor *executor)
{
    // One that sleeps at its doorbell does not need the descriptor, which would end its next sleep instead.
    if (!trp_doorbell_call(&executor->slot->doorbell)) {
        trp_wake(executor->wake_fd);
    }
}

enum troupe_err trp_explain_thread(const struct troupe_executor *executor)
{
    return TRP_EXPLAIN(
        TROUPE_ERR_THREAD,
        "the context of executor %u ('%s') is used on another thread; open an inbox there",
        executor->id,
        executor->name);
}

enum troupe_err trp_explain_ended(void)
{
    return TRP_EXPLAIN(
        TROUPE_ERR_CLOSED,
        "the system has ended: nothing can be sent or started any more; make another one");
}

troupe_ref_t troupe_self(const troupe_context_t *ctx)
{
    const struct troupe_executor *executor = (const struct troupe_executor *)(const void *)ctx;
    if (ctx->actor != NULL) {
        return trp_actor_ref(executor, trp_context_index(ctx), ctx->actor->generation);
    }
    return executor->mode == TRP_MODE_INBOX ? trp_actor_ref(executor, 0, 1) : TROUPE_REF_NONE;
}

const char *troupe_self_name(const troupe_context_t *ctx)
{
    if (ctx->actor == NULL) {
        return "";
    }
    return ctx->actor->name != NULL ? ctx->actor->name : ctx->actor->behaviour->name;
}

uint64_t trp_item_expiry(const struct troupe_executor *executor, const struct trp_item *item)
{
    bool is_far = item->sender_node != executor->node && !executor->runtime->clock_is_real;
    return item->expires_ns == 0 || is_far ? UINT64_MAX : item->expires_ns;
}

void trp_executor_note_failed(struct troupe_executor *executor)
{
    trp_shared_lock(executor->runtime->shared);
    executor->slot->failed = true;
    trp_shared_unlock(executor->runtime->shared);
}

void trp_executor_note_exit(struct troupe_executor *executor, const struct troupe_exit *exit)
{
    trp_shared_lock(executor->runtime->shared);
    executor->slot->exit = *exit;
    executor->slot->has_exit = true;
    trp_shared_unlock(executor->runtime->shared);
}

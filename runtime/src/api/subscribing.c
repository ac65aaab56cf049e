#include "actor/executor.h"
#include "base/error.h"
#include "shared/shared.h"
#include "troupe/context.h"

/** Remove the running actor from the subscribers. */
static void dead_letter_unsubscribe(troupe_context_t *ctx)
{
    if ((ctx->actor->flags & TRP_ACTOR_SUBSCRIBED) != 0) {
        ctx->actor->flags &= (uint8_t)~TRP_ACTOR_SUBSCRIBED;
        trp_subscribers_remove(trp_executor_of(ctx)->runtime->shared, troupe_self(ctx));
    }
}

enum troupe_err troupe_dead_letters_subscribe(troupe_context_t *ctx, bool on)
{
    struct troupe_executor *executor = trp_executor_of(ctx);
    struct trp_actor *actor = ctx->actor;
    enum troupe_err err = trp_check_thread(ctx);
    if (err != TROUPE_OK) {
        return err;
    }
    if (actor == NULL) {
        return TRP_EXPLAIN(TROUPE_ERR_INVAL, "only an actor can subscribe to dead letters");
    }
    if (!on) {
        dead_letter_unsubscribe(ctx);
        return TROUPE_OK;
    }
    if ((actor->flags & TRP_ACTOR_SUBSCRIBED) != 0) {
        return TROUPE_OK;
    }
    struct trp_shared *shared = executor->runtime->shared;
    trp_shared_lock(shared);
    uint32_t count = atomic_load_explicit(&shared->subscriber_count, memory_order_relaxed);
    if (count == TRP_SHARED_SUBSCRIBERS) {
        err = TRP_EXPLAIN(
            TROUPE_ERR_LIMIT,
            "%d actors are subscribed to dead letters already; have one of them forward them",
            TRP_SHARED_SUBSCRIBERS);
    } else {
        shared->subscribers[count] = troupe_self(ctx);
        atomic_store_explicit(&shared->subscriber_count, count + 1, memory_order_relaxed);
        actor->flags |= TRP_ACTOR_SUBSCRIBED;
    }
    trp_shared_unlock(shared);
    return err;
}

#include "actor/executor.h"
#include "base/error.h"
#include "shared/subscribers.h"
#include "troupe/context.h"

static void subscribing_remove(troupe_context_t *ctx)
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
    enum troupe_err err = trp_check_context(ctx);
    if (err != TROUPE_OK) {
        return err;
    }
    if (actor == NULL) {
        return TRP_EXPLAIN(TROUPE_ERR_INVAL, "only an actor can subscribe to dead letters");
    }
    if (!on) {
        subscribing_remove(ctx);
        return TROUPE_OK;
    }
    if ((actor->flags & TRP_ACTOR_SUBSCRIBED) != 0) {
        return TROUPE_OK;
    }
    err = trp_subscribers_add(executor->runtime->shared, troupe_self(ctx));
    if (err == TROUPE_OK) {
        actor->flags |= TRP_ACTOR_SUBSCRIBED;
    }
    return err;
}

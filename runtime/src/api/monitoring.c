#include "actor/executor.h"
#include "actor/monitor.h"
#include "actor/monitor_table.h"
#include "base/error.h"
#include "troupe/context.h"

static enum troupe_err monitoring_check(const troupe_context_t *ctx, troupe_ref_t actor)
{
    enum troupe_err err = trp_check_context(ctx);
    if (err != TROUPE_OK) {
        return err;
    }
    if (ctx->actor == NULL) {
        return TRP_EXPLAIN(
            TROUPE_ERR_INVAL, "no actor runs in this context that could be notified of an exit");
    }
    return !troupe_ref_is_none(actor)
               ? TROUPE_OK
               : TRP_EXPLAIN(TROUPE_ERR_INVAL, "the reference to monitor is TROUPE_REF_NONE");
}

enum troupe_err troupe_monitor(
    troupe_context_t *ctx, troupe_ref_t actor, troupe_monitor_t *out_monitor)
{
    enum troupe_err err = monitoring_check(ctx, actor);
    if (err != TROUPE_OK) {
        return err;
    }
    if (troupe_ref_equal(actor, troupe_self(ctx))) {
        return TRP_EXPLAIN(
            TROUPE_ERR_INVAL, "an actor cannot monitor itself: `fini` is called when it ends");
    }
    return trp_monitor_request(ctx, actor, false, out_monitor);
}

enum troupe_err troupe_monitor_name(
    troupe_context_t *ctx, const char *name, troupe_monitor_t *out_monitor)
{
    troupe_ref_t actor = TROUPE_REF_NONE;
    enum troupe_err err = troupe_lookup(ctx, name, &actor);
    if (err == TROUPE_OK) {
        return troupe_monitor(ctx, actor, out_monitor);
    }
    if (err != TROUPE_ERR_NOENT || ctx->actor == NULL) {
        return err != TROUPE_ERR_NOENT ? err : monitoring_check(ctx, actor);
    }
    return trp_monitor_request(ctx, TROUPE_REF_NONE, false, out_monitor);
}

enum troupe_err troupe_monitor_executor(
    troupe_context_t *ctx, troupe_ref_t actor, troupe_monitor_t *out_monitor)
{
    enum troupe_err err = monitoring_check(ctx, actor);
    if (err != TROUPE_OK) {
        return err;
    }
    if (actor.executor == trp_executor_of(ctx)->id) {
        return TRP_EXPLAIN(
            TROUPE_ERR_INVAL,
            "an actor cannot monitor its own executor, since it ends with it: use `fini`");
    }
    return trp_monitor_request(
        ctx, (troupe_ref_t){.node = actor.node, .executor = actor.executor}, false, out_monitor);
}

enum troupe_err troupe_demonitor(troupe_context_t *ctx, troupe_monitor_t monitor)
{
    enum troupe_err err = trp_check_context(ctx);
    if (err != TROUPE_OK) {
        return err;
    }
    struct troupe_executor *executor = trp_executor_of(ctx);
    struct trp_monitor_entry *entry = trp_monitor_table_find(&executor->monitors, monitor);
    if (entry == NULL || ctx->actor == NULL || entry->actor_index != trp_context_index(ctx) ||
        entry->actor_generation != ctx->actor->generation) {
        return TRP_EXPLAIN(
            TROUPE_ERR_NOENT, "no such monitor: its notice has come, or it was undone");
    }
    // If that cannot be sent, the EXIT will come and find no monitor.
    (void)trp_monitor_undo(ctx, entry);
    return TROUPE_OK;
}

/** @return the running actor's link to another, or NULL. */
static struct trp_monitor_entry *monitoring_find_link(
    const troupe_context_t *ctx, struct troupe_executor *executor, troupe_ref_t actor)
{
    const struct trp_monitor_entry link = {
        .side = TRP_MONITOR_LINK,
        .actor_index = trp_context_index(ctx),
        .actor_generation = ctx->actor->generation,
        .peer = actor,
    };
    return trp_monitor_table_find_like(&executor->monitors, &link);
}

enum troupe_err troupe_link(troupe_context_t *ctx, troupe_ref_t actor)
{
    enum troupe_err err = monitoring_check(ctx, actor);
    if (err != TROUPE_OK) {
        return err;
    }
    struct troupe_executor *executor = trp_executor_of(ctx);
    bool is_linked = troupe_ref_equal(actor, troupe_self(ctx)) ||
                     monitoring_find_link(ctx, executor, actor) != NULL;
    return is_linked ? TROUPE_OK : trp_monitor_request(ctx, actor, true, NULL);
}

enum troupe_err troupe_unlink(troupe_context_t *ctx, troupe_ref_t actor)
{
    enum troupe_err err = monitoring_check(ctx, actor);
    if (err != TROUPE_OK) {
        return err;
    }
    struct troupe_executor *executor = trp_executor_of(ctx);
    struct trp_monitor_entry *entry = monitoring_find_link(ctx, executor, actor);
    if (entry == NULL) {
        return TRP_EXPLAIN(
            TROUPE_ERR_NOENT, "no link to that actor: it has ended, or was never linked");
    }
    return trp_monitor_undo(ctx, entry);
}

void troupe_trap_exit(troupe_context_t *ctx, bool on)
{
    if (trp_check_context(ctx) == TROUPE_OK && ctx->actor != NULL) {
        ctx->actor->flags &= (uint8_t)~TRP_ACTOR_TRAPS;
        ctx->actor->flags |= on ? TRP_ACTOR_TRAPS : 0;
    }
}

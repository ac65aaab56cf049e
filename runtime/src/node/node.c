#include "node/node.h"

#include "node/child_list.h"
#include "node/executors.h"
#include "node/inboxes.h"
#include "node/refresh.h"
#include "node/root_actor.h"
#include "node/signals.h"
#include "node/system.h"

/* What executors need of their node: see actor/node_ops.h. */

static void node_actor_ended(
    struct trp_runtime *runtime, troupe_ref_t actor, const struct troupe_exit *exit)
{
    trp_root_actor_ended(trp_system_from(runtime), actor, exit);
}

static void node_forget_signals(struct trp_runtime *runtime, troupe_ref_t actor)
{
    trp_signals_forget(trp_system_from(runtime), actor);
}

static bool node_may_end(struct trp_runtime *runtime, const struct troupe_executor *executor)
{
    return trp_executors_is_alone(trp_system_from(runtime), executor);
}

static void node_executor_ended(struct trp_runtime *runtime, struct troupe_executor *executor)
{
    trp_executors_remove(trp_system_from(runtime), executor);
}

static void node_kill(struct trp_runtime *runtime, uint32_t node, uint32_t executor)
{
    trp_child_list_kill_dedicated(trp_system_from(runtime), node, executor);
}

static void node_stop(struct trp_runtime *runtime)
{
    troupe_system_stop(trp_system_from(runtime));
}

static void node_refresh_process(struct trp_runtime *runtime, uint32_t node)
{
    trp_refresh_process(trp_system_from(runtime), node);
}

static bool node_detach_inbox(struct trp_runtime *runtime, uint32_t inbox_id, uint32_t peer_id)
{
    return trp_inboxes_detach(trp_system_from(runtime), inbox_id, peer_id);
}

static void node_attend_inbox(struct trp_runtime *runtime, uint32_t inbox_id)
{
    trp_inboxes_attend(trp_system_from(runtime), inbox_id);
}

const struct trp_node_ops trp_node_ops = {
    .actor_ended = node_actor_ended,
    .forget_signals = node_forget_signals,
    .deliver_signals = trp_signals_deliver,
    .may_end = node_may_end,
    .executor_ended = node_executor_ended,
    .kill = node_kill,
    .stop = node_stop,
    .refresh_process = node_refresh_process,
    .detach_inbox = node_detach_inbox,
    .attend_inbox = node_attend_inbox,
};

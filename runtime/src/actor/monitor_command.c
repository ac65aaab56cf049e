#include "actor/monitor_command.h"

#include "actor/actor_table.h"
#include "actor/send.h"
#include "base/memory.h"
#include "shared/shared.h"
#include "shared/slot.h"

#include <string.h>

uint32_t *trp_monitor_list(struct troupe_executor *executor, uint32_t index, uint32_t generation)
{
    if (generation == 0) {
        return &executor->monitors.of_executor;
    }
    struct trp_actor *actor = trp_actor_table_find(&executor->actors, index, generation);
    return actor == NULL ? NULL : &actor->monitors;
}

enum troupe_err trp_monitor_send(
    struct troupe_executor *executor,
    troupe_ref_t from,
    troupe_ref_t to,
    enum trp_monitor_command command,
    const struct trp_monitor_body *body)
{
    struct trp_outgoing outgoing = {
        .to = to,
        .from_index = from.index,
        .from_generation = from.generation,
        .type = command,
        .kind = TRP_KIND_MONITOR,
        .flags = TRP_FLAG_UNMETERED,
        .body = body,
        .body_bytes = command == TRP_MONITOR_EXIT ? sizeof(*body) : sizeof(body->number),
    };
    return trp_send_message(executor, &outgoing);
}

enum troupe_err trp_monitor_send_exit(
    struct troupe_executor *executor,
    troupe_ref_t ended,
    troupe_ref_t to,
    uint64_t number,
    const struct troupe_exit *exit)
{
    struct trp_monitor_body body = {
        .number = number,
        .actor = ended,
        .reason = exit->reason,
        .code = exit->code,
    };
    memcpy(body.text, exit->text, sizeof(body.text));
    return trp_monitor_send(executor, ended, to, TRP_MONITOR_EXIT, &body);
}

void trp_monitor_send_exit_surely(
    struct troupe_executor *executor,
    troupe_ref_t ended,
    troupe_ref_t to,
    uint64_t number,
    const struct troupe_exit *exit)
{
    uint64_t since_ns = 0;
    while (trp_monitor_send_exit(executor, ended, to, number, exit) == TROUPE_ERR_NOMEM) {
        trp_memory_wait(&since_ns);
    }
}

void trp_monitor_last_exit(
    struct trp_runtime *runtime, troupe_ref_t actor, struct troupe_exit *out_exit)
{
    *out_exit = (struct troupe_exit){
        .reason = TROUPE_EXIT_UNKNOWN,
        .text = "ended before it was monitored",
    };
    trp_shared_lock(runtime->shared);
    const struct trp_slot *slot = trp_shared_find_slot(runtime->shared, actor.executor);
    if (slot != NULL && slot->has_exit && slot->node == actor.node) {
        *out_exit = slot->exit;
    }
    trp_shared_unlock(runtime->shared);
}

/*
 * A change is checked when it is asked for. Its entity may be deleted before it is applied: then it is
 * skipped. If there is no memory to apply it, it stays in the queue, with all behind it, and goes first when
 * something else is changed, or at the next tick.
 */
#include "deferred.h"

#include "base/error.h"
#include "change.h"

enum troupe_err trp_ecs_defer(
    troupe_ecs_t *ecs,
    enum ecs_command_kind kind,
    troupe_ecs_entity_t entity,
    troupe_ecs_component_t component,
    const void *value)
{
    const struct ecs_command command = {
        .entity = entity, .component = component, .kind = (uint16_t)kind};
    size_t value_bytes =
        kind == ECS_COMMAND_SET ? trp_ecs_component(&ecs->registry, component)->bytes : 0;
    if (!trp_ecs_queue_push(&ecs->defer.queue, command, value, value_bytes)) {
        return TRP_EXPLAIN(
            TROUPE_ERR_NOMEM, "no memory to defer a change of entity %u", (uint32_t)entity);
    }
    return TROUPE_OK;
}

static enum troupe_err deferred_apply(
    troupe_ecs_t *ecs, const struct ecs_command *command, const void *value)
{
    switch ((enum ecs_command_kind)command->kind) {
    case ECS_COMMAND_ADD:
        return trp_ecs_set_now(ecs, command->entity, command->component, NULL);
    case ECS_COMMAND_SET:
        return trp_ecs_set_now(ecs, command->entity, command->component, value);
    case ECS_COMMAND_REMOVE:
        return trp_ecs_remove_now(ecs, command->entity, command->component);
    case ECS_COMMAND_DELETE:
        trp_ecs_delete_now(ecs, command->entity);
        break;
    }
    return TROUPE_OK;
}

enum troupe_err trp_ecs_apply(troupe_ecs_t *ecs)
{
    struct ecs_defer *defer = &ecs->defer;
    if (defer->is_applying || trp_ecs_defers(ecs)) {
        return TROUPE_OK; // they are applied by whatever defers or applies changes now
    }
    enum troupe_err err = TROUPE_OK;
    struct ecs_command command;
    const void *value = NULL;
    defer->is_applying = true;
    while (err == TROUPE_OK && trp_ecs_queue_front(&defer->queue, &command, &value)) {
        // The value is copied before an observer runs, whose own changes may move the queue.
        err = deferred_apply(ecs, &command, value);
        if (err == TROUPE_OK) {
            trp_ecs_queue_pop(&defer->queue);
        }
    }
    defer->is_applying = false;
    return err;
}

enum troupe_err troupe_ecs_defer_begin(troupe_ecs_t *ecs)
{
    enum troupe_err err = trp_ecs_check(ecs);
    if (err != TROUPE_OK) {
        return err;
    }
    ecs->defer.begin_count++;
    return TROUPE_OK;
}

enum troupe_err troupe_ecs_defer_end(troupe_ecs_t *ecs)
{
    enum troupe_err err = trp_ecs_check(ecs);
    if (err != TROUPE_OK) {
        return err;
    }
    if (ecs->defer.begin_count == 0) {
        return TRP_EXPLAIN(
            TROUPE_ERR_INVAL,
            "changes are not deferred: call troupe_ecs_defer_begin() once for each "
            "troupe_ecs_defer_end()");
    }
    ecs->defer.begin_count--;
    return trp_ecs_apply(ecs);
}

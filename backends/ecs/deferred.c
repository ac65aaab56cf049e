/*
 * What is deferred: commands in a row, applied in their order once nobody iterates any more.
 *
 *     command | value, padded to 8 | command | ...
 *
 * A command is looked at when it is asked for, and again when it is applied: its entity may be gone by then,
 * and it is passed over. One for which there is no memory stays, with all behind it, and goes first when
 * something is changed again, or at the next tick.
 */
#include "store.h"

#include <stdlib.h>
#include <string.h>

struct ecs_command {
    troupe_ecs_entity_t entity;
    troupe_ecs_component_t component;
    uint16_t kind;  // an enum ecs_command_kind
    uint16_t eight; // bytes of the value / 8, rounded up
};

enum { DEFERRED_BYTES_FIRST = 4096 };

_Static_assert(TROUPE_ECS_COMPONENT_BYTES_MAX / 8 <= UINT16_MAX, "a value's size fits");

static bool deferred_reserve(struct ecs_queue *queue, size_t bytes)
{
    if (TRP_LIKELY(queue->capacity - queue->used >= bytes)) {
        return true;
    }
    size_t capacity = queue->capacity == 0 ? DEFERRED_BYTES_FIRST : queue->capacity;
    while (capacity - queue->used < bytes) {
        capacity *= 2;
    }
    uint8_t *grown = realloc(queue->bytes, capacity);
    if (grown == NULL) {
        return false;
    }
    queue->bytes = grown;
    queue->capacity = capacity;
    return true;
}

enum troupe_err trp_ecs_defer(
    troupe_ecs_t *ecs,
    enum ecs_command_kind kind,
    troupe_ecs_entity_t entity,
    troupe_ecs_component_t component,
    const void *value)
{
    size_t bytes = kind == ECS_COMMAND_SET ? ecs->components[component - 1].bytes : 0;
    const struct ecs_command command = {
        .entity = entity,
        .component = component,
        .kind = (uint16_t)kind,
        .eight = (uint16_t)((bytes + 7) / 8),
    };
    struct ecs_queue *queue = &ecs->queue;
    if (!deferred_reserve(queue, sizeof(command) + (size_t)command.eight * 8)) {
        return TRP_EXPLAIN(
            TROUPE_ERR_NOMEM, "no memory to defer a change of entity %u", (uint32_t)entity);
    }
    memcpy(queue->bytes + queue->used, &command, sizeof(command));
    queue->used += sizeof(command);
    if (bytes != 0) {
        memcpy(queue->bytes + queue->used, value, bytes);
        queue->used += (size_t)command.eight * 8;
    }
    return TROUPE_OK;
}

static enum troupe_err deferred_do(
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
    struct ecs_queue *queue = &ecs->queue;
    if (ecs->is_applying || trp_ecs_defers(ecs)) {
        return TROUPE_OK; // who does that comes to it
    }
    enum troupe_err err = TROUPE_OK;
    ecs->is_applying = true;
    while (queue->at < queue->used && err == TROUPE_OK) {
        struct ecs_command command;
        memcpy(&command, queue->bytes + queue->at, sizeof(command));
        // The value is copied before observers are told, whose own commands may move the queue.
        err = deferred_do(ecs, &command, queue->bytes + queue->at + sizeof(command));
        if (err == TROUPE_OK) {
            queue->at += sizeof(command) + (size_t)command.eight * 8;
        }
    }
    if (queue->at == queue->used) {
        queue->at = 0;
        queue->used = 0;
    }
    ecs->is_applying = false;
    return err;
}

enum troupe_err troupe_ecs_defer_begin(troupe_ecs_t *ecs)
{
    enum troupe_err err = trp_ecs_check(ecs);
    if (err != TROUPE_OK) {
        return err;
    }
    ecs->defer_count++;
    return TROUPE_OK;
}

enum troupe_err troupe_ecs_defer_end(troupe_ecs_t *ecs)
{
    enum troupe_err err = trp_ecs_check(ecs);
    if (err != TROUPE_OK) {
        return err;
    }
    if (ecs->defer_count == 0) {
        return TRP_EXPLAIN(
            TROUPE_ERR_INVAL, "nobody defers: troupe_ecs_defer_begin() comes before its end");
    }
    ecs->defer_count--;
    return trp_ecs_apply(ecs);
}

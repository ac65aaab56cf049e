#include "queue.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

enum { QUEUE_BYTES_FIRST = 4096, QUEUE_WORD_BYTES = 8 };

_Static_assert(
    TROUPE_ECS_COMPONENT_BYTES_MAX / QUEUE_WORD_BYTES <= UINT16_MAX, "the size of a value fits");

static bool queue_reserve(struct ecs_queue *queue, size_t bytes)
{
    if (TRP_LIKELY(queue->capacity_bytes - queue->used_bytes >= bytes)) {
        return true;
    }
    size_t capacity = queue->capacity_bytes == 0 ? QUEUE_BYTES_FIRST : queue->capacity_bytes;
    while (capacity - queue->used_bytes < bytes) {
        capacity *= 2;
    }
    uint8_t *grown = realloc(queue->bytes, capacity);
    if (grown == NULL) {
        return false;
    }
    queue->bytes = grown;
    queue->capacity_bytes = capacity;
    return true;
}

static size_t queue_command_bytes(const struct ecs_command *command)
{
    return sizeof(*command) + (size_t)command->value_words * QUEUE_WORD_BYTES;
}

bool trp_ecs_queue_push(
    struct ecs_queue *queue, struct ecs_command command, const void *value, size_t value_bytes)
{
    command.value_words = (uint16_t)((value_bytes + QUEUE_WORD_BYTES - 1) / QUEUE_WORD_BYTES);
    if (!queue_reserve(queue, queue_command_bytes(&command))) {
        return false;
    }
    uint8_t *end = queue->bytes + queue->used_bytes;
    memcpy(end, &command, sizeof(command));
    if (value_bytes != 0) {
        memcpy(end + sizeof(command), value, value_bytes);
    }
    queue->used_bytes += queue_command_bytes(&command);
    return true;
}

bool trp_ecs_queue_front(
    const struct ecs_queue *queue, struct ecs_command *out_command, const void **out_value)
{
    if (queue->front_offset == queue->used_bytes) {
        return false;
    }
    memcpy(out_command, queue->bytes + queue->front_offset, sizeof(*out_command));
    *out_value = queue->bytes + queue->front_offset + sizeof(*out_command);
    return true;
}

void trp_ecs_queue_pop(struct ecs_queue *queue)
{
    struct ecs_command command;
    memcpy(&command, queue->bytes + queue->front_offset, sizeof(command));
    queue->front_offset += queue_command_bytes(&command);
    if (queue->front_offset == queue->used_bytes) {
        trp_ecs_queue_clear(queue);
    }
}

void trp_ecs_queue_clear(struct ecs_queue *queue)
{
    queue->front_offset = 0;
    queue->used_bytes = 0;
}

void trp_ecs_queue_fini(struct ecs_queue *queue)
{
    free(queue->bytes);
}

/**
 * @file queue.h
 * @brief Deferred changes, in the order in which they were made.
 *
 *     command | value, padded to 8 bytes | command | ...
 */
#ifndef TRP_ECS_QUEUE_H
#define TRP_ECS_QUEUE_H

#include "troupe/ecs.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ecs_command_kind { ECS_COMMAND_ADD, ECS_COMMAND_SET, ECS_COMMAND_REMOVE, ECS_COMMAND_DELETE };

/** A deferred change. */
struct ecs_command {
    troupe_ecs_entity_t entity;
    troupe_ecs_component_t component;
    uint16_t kind;        // an enum ecs_command_kind
    uint16_t value_words; // size of its value, in words of 8 bytes, rounded up
};

/** The deferred changes of a world. */
struct ecs_queue {
    uint8_t *bytes;
    size_t front_offset; // of the command to apply next
    size_t used_bytes;
    size_t capacity_bytes;
};

/** Append a command and its value. @return false: no memory. */
bool trp_ecs_queue_push(
    struct ecs_queue *queue, struct ecs_command command, const void *value, size_t value_bytes);

/**
 * Read the command to apply next, and leave it in the queue.
 *
 * @param out_value  Receives its value: a view, valid until the next push. Not NULL.
 * @return           false: there is none.
 */
bool trp_ecs_queue_front(
    const struct ecs_queue *queue, struct ecs_command *out_command, const void **out_value);

/** Remove the command that trp_ecs_queue_front() reads. */
void trp_ecs_queue_pop(struct ecs_queue *queue);

/** Remove all commands. */
void trp_ecs_queue_clear(struct ecs_queue *queue);

/** Free the queue. */
void trp_ecs_queue_fini(struct ecs_queue *queue);

#endif

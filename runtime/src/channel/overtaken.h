/**
 * @file overtaken.h
 * @brief Frames that commands overtook: received already, and handled after those commands, in order.
 */
#ifndef TRP_OVERTAKEN_H
#define TRP_OVERTAKEN_H

#include "wire/zmq.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** A frame as it was received. */
struct trp_overtaken_frame {
    struct trp_zmsg zmsg;
    const uint8_t *bytes; // in the zmsg
    size_t size;
    struct trp_zmsg *parts; // bodies that followed it; owned
    uint32_t part_count;
};

/** A queue of them; zero is an empty one. */
struct trp_overtaken {
    struct trp_overtaken_frame *frames; // [first, count) wait
    uint32_t first;
    uint32_t count;
    uint32_t capacity;
};

static inline bool trp_overtaken_is_empty(const struct trp_overtaken *queue)
{
    return queue->first == queue->count;
}

/**
 * Append a frame, whose zmsg and parts are moved.
 *
 * Without memory it waits for some, rather than let the frame be handled before those that came before it.
 *
 * @return false: no memory, and the queue is empty; nothing was moved.
 */
bool trp_overtaken_push(struct trp_overtaken *queue, const struct trp_overtaken_frame *frame);

/** Take the first frame; the queue is not empty. @return it; good until the next push. */
struct trp_overtaken_frame *trp_overtaken_pop(struct trp_overtaken *queue);

/** Free an empty queue. */
void trp_overtaken_fini(struct trp_overtaken *queue);

#endif

#include "channel/overtaken.h"

#include "base/check.h"
#include "base/memory.h"

#include <stdlib.h>

static bool overtaken_grow(struct trp_overtaken *queue)
{
    uint32_t capacity = queue->capacity * 2 + 4;
    uint64_t since_ns = 0;
    struct trp_overtaken_frame *grown = NULL;
    while ((grown = realloc(queue->frames, capacity * sizeof(*grown))) == NULL) {
        if (trp_overtaken_is_empty(queue)) {
            return false;
        }
        trp_memory_wait(&since_ns);
    }
    queue->frames = grown;
    queue->capacity = capacity;
    return true;
}

bool trp_overtaken_push(struct trp_overtaken *queue, const struct trp_overtaken_frame *frame)
{
    if (trp_overtaken_is_empty(queue)) {
        queue->first = queue->count = 0;
    }
    if (queue->count == queue->capacity && !overtaken_grow(queue)) {
        return false;
    }
    queue->frames[queue->count++] = *frame;
    return true;
}

struct trp_overtaken_frame *trp_overtaken_pop(struct trp_overtaken *queue)
{
    TRP_DCHECK(!trp_overtaken_is_empty(queue));
    return &queue->frames[queue->first++];
}

void trp_overtaken_fini(struct trp_overtaken *queue)
{
    TRP_DCHECK(trp_overtaken_is_empty(queue));
    free(queue->frames);
    *queue = (struct trp_overtaken){0};
}

/**
 * @file iter.h
 * @brief The library's own part of a struct troupe_ecs_iter.
 *
 * A user's iterator lies on the user's stack, so that an iteration needs no memory. The library's part in it
 * is copied out and in, so the public header need not show what it is.
 */
#ifndef TRP_ECS_ITER_H
#define TRP_ECS_ITER_H

#include "match.h"
#include "troupe/ecs.h"

#include <stdint.h>
#include <string.h>

/** Where an iteration stands. */
struct ecs_cursor {
    troupe_ecs_query_t *query;     // NULL: it is over, or there was none
    const struct ecs_match *match; // of the entities at hand; NULL: there are none
    uint64_t epoch;                // the world's when the iteration was opened; 0: it is not open
    uint64_t next_index;           // of the query's match that comes next
};

_Static_assert(sizeof(void *) <= sizeof(uint64_t), "a pointer fits into a word of an iterator");

/** Read the cursor of an iterator. Word by word, which compilers turn into plain loads. */
static inline struct ecs_cursor trp_ecs_cursor_read(const struct troupe_ecs_iter *it)
{
    struct ecs_cursor cursor;
    memcpy(&cursor.query, &it->opaque[0], sizeof(cursor.query));
    memcpy(&cursor.match, &it->opaque[1], sizeof(cursor.match));
    cursor.epoch = it->opaque[2];
    cursor.next_index = it->opaque[3];
    return cursor;
}

/** Write the cursor of an iterator. */
static inline void trp_ecs_cursor_write(struct troupe_ecs_iter *it, struct ecs_cursor cursor)
{
    memcpy(&it->opaque[0], &cursor.query, sizeof(cursor.query));
    memcpy(&it->opaque[1], &cursor.match, sizeof(cursor.match));
    it->opaque[2] = cursor.epoch;
    it->opaque[3] = cursor.next_index;
}

#endif

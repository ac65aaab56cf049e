/**
 * @file frame_pool.h
 * @brief Large frames, used again: the first touch of a fresh page costs 2 µs.
 *
 * A frame is filled on one thread and freed on another, so the pool is shared. Taking empties the
 * whole shared list into the taker's own, so no two takers ever compare the same head: there is no ABA.
 */
#ifndef TRP_FRAME_POOL_H
#define TRP_FRAME_POOL_H

#include <stdatomic.h>
#include <stdint.h>

/** The shared side, one a system. Zeroed memory is an empty one. */
struct trp_frame_pool {
    _Atomic(struct trp_spare *) head;
    _Atomic uint32_t spare_count;
};

/** A spare frame; its bytes hold the list. */
struct trp_spare {
    struct trp_spare *next;
};

/** A taker's own side, one an executor. Zeroed memory is an empty one. */
struct trp_frame_cache {
    struct trp_frame_pool *pool;
    struct trp_spare *head;
};

/** Free all spare frames. Every taker is gone, and every frame came back. */
void trp_frame_pool_fini(struct trp_frame_pool *pool);

/** Give what the cache holds back to its pool. */
void trp_frame_cache_fini(struct trp_frame_cache *cache);

/** @return a frame of ::TRP_FRAME_BYTES_MAX bytes, or NULL without memory. @threads the cache's */
uint8_t *trp_frame_take(struct trp_frame_cache *cache);

/** Give a frame back. In the shape of a ZeroMQ free function. @threads any */
void trp_frame_give_back(void *bytes, void *pool_pointer);

#endif

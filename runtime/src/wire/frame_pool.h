/**
 * @file frame_pool.h
 * @brief A pool of large frames. They are reused because the first access to a fresh page costs 2
 *        µs.
 *
 * A frame is filled on one thread and freed on another, so a system has one pool that all its
 * threads share: a stack without a lock. An executor that needs a frame takes the whole stack into
 * a cache of its own, with one exchange. No thread ever pops a single frame by compare-and-swap, so
 * the ABA problem cannot arise.
 */
#ifndef TRP_FRAME_POOL_H
#define TRP_FRAME_POOL_H

#include "wire/format.h" // TRP_FRAME_BYTES_MAX, the size of a frame of the pool

#include <stdatomic.h>
#include <stdint.h>

/** The frames of a system that no executor holds. Zeroed memory is an empty pool. */
struct trp_frame_pool {
    _Atomic(struct trp_spare *) head;
    _Atomic uint32_t spare_count; // a hint: how many frames the list has
};

/** A spare frame. The link of the list lies in its bytes. */
struct trp_spare {
    struct trp_spare *next;
};

/** The spare frames of one executor. With `pool` set, zeroed memory is an empty cache. */
struct trp_frame_cache {
    struct trp_frame_pool *pool;
    struct trp_spare *head;
};

/** Free all spare frames. No cache uses the pool any more, and all frames were given back. */
void trp_frame_pool_fini(struct trp_frame_pool *pool);

/** Free the frames of the cache. */
void trp_frame_cache_fini(struct trp_frame_cache *cache);

/** @return a frame of ::TRP_FRAME_BYTES_MAX bytes; NULL: no memory. @threads the cache's */
uint8_t *trp_frame_take(struct trp_frame_cache *cache);

/** Give a frame back to the pool. A free function for ZeroMQ. @threads any */
void trp_frame_give_back(void *bytes, void *pool_pointer);

#endif

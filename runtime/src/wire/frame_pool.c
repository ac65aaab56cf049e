#include "wire/frame_pool.h"

#include <stdlib.h>

enum {
    SPARE_COUNT_MAX = 256, // 32 MiB; frames beyond that are freed
    FRAME_ALIGNMENT = 64,
};

static void frame_list_free(struct trp_spare *spare)
{
    while (spare != NULL) {
        struct trp_spare *next = spare->next;
        free(spare);
        spare = next;
    }
}

void trp_frame_pool_fini(struct trp_frame_pool *pool)
{
    frame_list_free(atomic_exchange_explicit(&pool->head, NULL, memory_order_acquire));
}

void trp_frame_cache_fini(struct trp_frame_cache *cache)
{
    frame_list_free(cache->head);
    cache->head = NULL;
}

uint8_t *trp_frame_take(struct trp_frame_cache *cache)
{
    if (cache->head == NULL) {
        // Acquire: pairs with the release in trp_frame_give_back(): the links of the list are read
        // here.
        cache->head = atomic_exchange_explicit(&cache->pool->head, NULL, memory_order_acquire);
        if (cache->head != NULL) {
            atomic_store_explicit(&cache->pool->spare_count, 0, memory_order_relaxed);
        }
    }
    struct trp_spare *spare = cache->head;
    if (spare != NULL) {
        cache->head = spare->next;
        return (uint8_t *)spare;
    }
    return aligned_alloc(FRAME_ALIGNMENT, TRP_FRAME_BYTES_MAX);
}

void trp_frame_give_back(void *bytes, void *pool_pointer)
{
    struct trp_frame_pool *pool = pool_pointer;
    struct trp_spare *spare = bytes;
    // The count is a hint: if it is reset between these two steps, the list grows a little longer.
    if (atomic_fetch_add_explicit(&pool->spare_count, 1, memory_order_relaxed) >= SPARE_COUNT_MAX) {
        atomic_fetch_sub_explicit(&pool->spare_count, 1, memory_order_relaxed);
        free(bytes);
        return;
    }
    spare->next = atomic_load_explicit(&pool->head, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(
        &pool->head, &spare->next, spare, memory_order_release, memory_order_relaxed)) {
    }
}

#include "shared/credit_pool.h"

void trp_credit_pool_init(struct trp_credit_pool *pool, int64_t bound_messages, int64_t bound_bytes)
{
    atomic_init(&pool->free_messages, bound_messages);
    atomic_init(&pool->free_bytes, bound_bytes);
    atomic_init(&pool->reserve_messages, TRP_RESERVE_MESSAGES);
    atomic_init(&pool->waiting_count, 0);
    pool->bound_messages = bound_messages;
    pool->bound_bytes = bound_bytes;
}

/** @return how much of @p free a channel may take. */
static int64_t credit_pool_allowed(int64_t free, int64_t held, int64_t need, int64_t wish)
{
    // The threshold: held + x <= 2 * (free - x)
    int64_t most = (2 * free - held) / 3;
    if (most < need) {
        most = held == 0 && free >= need ? need : 0;
    }
    return most < wish ? most : wish;
}

int64_t trp_credit_pool_take(_Atomic int64_t *free, int64_t held, int64_t need, int64_t wish)
{
    // Relaxed: credit guards no memory. What is sent with it is ordered by the pipe it goes through.
    int64_t left = atomic_load_explicit(free, memory_order_relaxed);
    int64_t taken = 0;
    do {
        taken = credit_pool_allowed(left, held, need, wish);
        if (taken <= 0) {
            return 0;
        }
    } while (!atomic_compare_exchange_weak_explicit(
        free, &left, left - taken, memory_order_relaxed, memory_order_relaxed));
    return taken;
}

bool trp_credit_pool_take_reserve(struct trp_credit_pool *pool)
{
    if (atomic_fetch_sub_explicit(&pool->reserve_messages, 1, memory_order_relaxed) > 0) {
        return true;
    }
    atomic_fetch_add_explicit(&pool->reserve_messages, 1, memory_order_relaxed);
    return false;
}

void trp_credit_pool_give(struct trp_credit_pool *pool, int64_t messages, int64_t bytes)
{
    atomic_fetch_add_explicit(&pool->free_messages, messages, memory_order_relaxed);
    if (bytes != 0) {
        atomic_fetch_add_explicit(&pool->free_bytes, bytes, memory_order_relaxed);
    }
}

/*
 * Many threads take credit from one pool and return it at once: never more is out than the bound, and in
 * the end all of it is free again.
 */
#include "race.h"
#include "shared/credit_pool.h"

enum { THREADS = 4, ROUNDS = 50000, BOUND = 1000 };

static struct trp_credit_pool pool;
static _Atomic int64_t out_messages; // taken, and not given back yet
static _Atomic int32_t out_reserve;

static int64_t take(int64_t held, uint32_t *chance)
{
    int64_t need = 1 + race_next(chance) % 4;
    int64_t taken =
        trp_credit_pool_take(&pool.free_messages, held, need, need + race_next(chance) % BOUND);
    RACE_CHECK(taken == 0 || taken >= need);
    int64_t out = atomic_fetch_add_explicit(&out_messages, taken, memory_order_relaxed) + taken;
    RACE_CHECK(out <= BOUND);
    return taken;
}

static void give_back(int64_t messages)
{
    // Counted before it is done, so that `out_messages` is never above what really is out.
    atomic_fetch_sub_explicit(&out_messages, messages, memory_order_relaxed);
    trp_credit_pool_give(&pool, messages, 0);
}

static void use_reserve(void)
{
    if (trp_credit_pool_take_reserve(&pool)) {
        int32_t out = atomic_fetch_add_explicit(&out_reserve, 1, memory_order_relaxed) + 1;
        RACE_CHECK(out <= TRP_RESERVE_MESSAGES);
        atomic_fetch_sub_explicit(&out_reserve, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&pool.reserve_messages, 1, memory_order_relaxed);
    }
}

static void *hammer(void *data)
{
    uint32_t chance = (uint32_t)(uintptr_t)data;
    int64_t held = 0;
    for (int i = 0; i < ROUNDS; i++) {
        int64_t back = held == 0 ? 0 : race_next(&chance) % (held + 1);
        give_back(back);
        held -= back;
        held += take(held, &chance);
        use_reserve();
    }
    give_back(held);
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];
    trp_credit_pool_init(&pool, BOUND, 0);
    for (uintptr_t i = 0; i < THREADS; i++) {
        threads[i] = race_thread(hammer, (void *)(i + 1)); // NOLINT(performance-no-int-to-ptr)
    }
    for (size_t i = 0; i < THREADS; i++) {
        race_join(threads[i]);
    }
    RACE_CHECK(atomic_load(&pool.free_messages) == BOUND);
    RACE_CHECK(atomic_load(&pool.reserve_messages) == TRP_RESERVE_MESSAGES);
    (void)printf("credit pool: %d threads took and gave %d times each\n", THREADS, ROUNDS);
    return 0;
}

/*
 * How an executor's credit is shared out: a lone taker gets two thirds, n takers get about 2/(2n+1) each,
 * and never more in sum than there is.
 */
#include "chance.h"
#include "shared/credit_pool.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(credit_pool, .timeout = 10);

enum { BOUND = 10000, TAKERS_MAX = 16 };

static struct trp_credit_pool pool;

static void open_pool(void)
{
    trp_credit_pool_init(&pool, BOUND, BOUND * 100);
}

/** Let @p count takers take in turn, chunk by chunk, until none gets any more. */
static void take_in_turn(uint32_t count, int64_t chunk, int64_t *held)
{
    bool got = true;
    while (got) {
        got = false;
        for (uint32_t i = 0; i < count; i++) {
            int64_t taken = trp_credit_pool_take(&pool.free_messages, held[i], 1, chunk);
            held[i] += taken;
            got |= taken > 0;
        }
    }
}

Test(credit_pool, opens_with_all_its_credit_free)
{
    open_pool();
    cr_expect(eq(i64, atomic_load(&pool.free_messages), BOUND));
    cr_expect(eq(i64, atomic_load(&pool.free_bytes), BOUND * 100));
    cr_expect(eq(u32, atomic_load(&pool.waiting_count), 0));
}

Test(credit_pool, gives_a_lone_taker_two_thirds)
{
    static const int64_t chunks[] = {1, 7, BOUND / 16, BOUND};
    for (size_t i = 0; i < 4; i++) {
        int64_t held = 0;
        open_pool();
        take_in_turn(1, chunks[i], &held);
        cr_expect(ge(i64, held, BOUND * 2 / 3 - 1), "chunk %zu", i);
        cr_expect(le(i64, held, BOUND * 2 / 3 + 1), "chunk %zu", i);
    }
}

Test(credit_pool, shares_among_takers_and_never_gives_more_than_there_is)
{
    for (uint32_t count = 1; count <= TAKERS_MAX; count++) {
        int64_t held[TAKERS_MAX] = {0};
        int64_t sum = 0;
        open_pool();
        take_in_turn(count, 4, held);
        int64_t share = BOUND * 2 / (2 * (int64_t)count + 1);
        for (uint32_t i = 0; i < count; i++) {
            cr_expect(ge(i64, held[i], share - 16), "%u takers", count);
            cr_expect(le(i64, held[i], share + 16), "%u takers", count);
            sum += held[i];
        }
        cr_expect(le(i64, sum, BOUND));
        cr_expect(eq(i64, sum + atomic_load(&pool.free_messages), BOUND));
    }
}

Test(credit_pool, gives_nothing_to_a_taker_that_holds_twice_what_is_free)
{
    _Atomic int64_t left = 100;
    cr_expect(eq(i64, trp_credit_pool_take(&left, 200, 1, 50), 0));
    cr_expect(eq(i64, trp_credit_pool_take(&left, 5000, 1, 50), 0));
    cr_expect(eq(i64, trp_credit_pool_take(&left, 190, 1, 50), 3)); // 193 <= 2 * 97
    cr_expect(eq(i64, atomic_load(&left), 97));
}

Test(credit_pool, gives_no_more_than_the_wish)
{
    _Atomic int64_t left = 1000;
    cr_expect(eq(i64, trp_credit_pool_take(&left, 0, 1, 10), 10));
    cr_expect(eq(i64, atomic_load(&left), 990));
}

Test(credit_pool, gives_the_need_or_nothing)
{
    _Atomic int64_t left = 90;
    cr_expect(eq(i64, trp_credit_pool_take(&left, 1, 60, 80), 0)); // 59 would be allowed
    cr_expect(eq(i64, atomic_load(&left), 90));
    cr_expect(eq(i64, trp_credit_pool_take(&left, 1, 59, 80), 59));
}

Test(credit_pool, gives_a_taker_without_any_its_need_if_that_is_free)
{
    _Atomic int64_t left = 90;
    cr_expect(eq(i64, trp_credit_pool_take(&left, 0, 91, 91), 0));
    cr_expect(eq(i64, trp_credit_pool_take(&left, 0, 90, 95), 90)); // more than two thirds
    cr_expect(eq(i64, atomic_load(&left), 0));
    cr_expect(eq(i64, trp_credit_pool_take(&left, 0, 1, 5), 0));
}

Test(credit_pool, gives_the_last_one_to_a_taker_without_any)
{
    _Atomic int64_t left = 1;
    cr_expect(eq(i64, trp_credit_pool_take(&left, 0, 1, 5), 1));
}

Test(credit_pool, frees_what_is_returned)
{
    open_pool();
    int64_t held = 0;
    take_in_turn(1, 100, &held);
    cr_expect(eq(i64, trp_credit_pool_take(&pool.free_messages, held, 1, 1), 0));

    trp_credit_pool_give(&pool, held, 0);

    cr_expect(eq(i64, atomic_load(&pool.free_messages), BOUND));
    cr_expect(gt(i64, trp_credit_pool_take(&pool.free_messages, 0, 1, 1), 0));
}

Test(credit_pool, has_a_reserve_and_no_more)
{
    open_pool();
    for (int i = 0; i < TRP_RESERVE_MESSAGES; i++) {
        cr_assert(trp_credit_pool_take_reserve(&pool));
    }
    cr_expect(not(trp_credit_pool_take_reserve(&pool)));
    cr_expect(not(trp_credit_pool_take_reserve(&pool)));
    atomic_fetch_add(&pool.reserve_messages, 1);
    cr_expect(trp_credit_pool_take_reserve(&pool));
    cr_expect(not(trp_credit_pool_take_reserve(&pool)));
}

Test(credit_pool, keeps_its_sum_whatever_is_taken_and_returned)
{
    struct chance chance = chance_open("credit_pool");
    int64_t held[TAKERS_MAX] = {0};
    open_pool();
    for (int step = 0; step < 50000; step++) {
        int64_t *mine = &held[chance_below(&chance, TAKERS_MAX)];
        if (chance_one_in(&chance, 2) && *mine > 0) {
            int64_t back = 1 + chance_below(&chance, (uint32_t)*mine);
            *mine -= back;
            trp_credit_pool_give(&pool, back, 0);
        } else {
            int64_t need = 1 + chance_below(&chance, 20);
            int64_t wish = need + chance_below(&chance, BOUND);
            int64_t before = *mine;
            int64_t taken = trp_credit_pool_take(&pool.free_messages, before, need, wish);
            *mine += taken;
            cr_assert(taken == 0 || (taken >= need && taken <= wish));
            cr_assert(
                taken == 0 || before == 0 || *mine <= 2 * atomic_load(&pool.free_messages),
                "%lld held",
                (long long)*mine);
        }
        int64_t sum = atomic_load(&pool.free_messages);
        cr_assert(ge(i64, sum, 0));
        for (uint32_t i = 0; i < TAKERS_MAX; i++) {
            sum += held[i];
        }
        cr_assert(eq(i64, sum, BOUND));
    }
}

Test(credit_pool, has_all_its_credit_again_once_it_is_given_back)
{
    open_pool();
    int64_t messages = trp_credit_pool_take(&pool.free_messages, 0, 1, 100);
    int64_t bytes = trp_credit_pool_take(&pool.free_bytes, 0, 1, 4096);

    trp_credit_pool_give(&pool, messages, bytes);

    cr_expect(eq(i64, atomic_load(&pool.free_messages), BOUND));
    cr_expect(eq(i64, atomic_load(&pool.free_bytes), BOUND * 100));
}

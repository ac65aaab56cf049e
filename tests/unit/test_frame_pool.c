/*
 * The pool of large frames: frames that were given back are taken again, and the pool keeps no more
 * than its maximum.
 */
#include "wire/frame_pool.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <malloc.h>

TestSuite(frame_pool, .timeout = 10);

static struct trp_frame_pool pool;
static struct trp_frame_cache cache = {.pool = &pool};

static uint8_t *take(void)
{
    uint8_t *frame = trp_frame_take(&cache);
    cr_assert(frame != NULL);
    return frame;
}

/** @return how many frames the pool has; they are taken out and freed. */
static uint32_t drain(void)
{
    uint32_t count = 0;
    uint8_t *frame = NULL;
    while (cache.head != NULL || atomic_load(&pool.head) != NULL) {
        frame = take();
        free(frame);
        count++;
    }
    return count;
}

Test(frame_pool, hands_out_frames_of_full_size_and_aligned)
{
    uint8_t *frame = take();

    memset(frame, 0xFF, TRP_FRAME_BYTES_MAX); // AddressSanitizer sees a frame that is too small

    cr_expect(ge(sz, malloc_usable_size(frame), TRP_FRAME_BYTES_MAX));
    cr_expect(eq(sz, (uintptr_t)frame % 64, 0));
    free(frame);
}

Test(frame_pool, hands_out_again_what_was_given_back)
{
    uint8_t *frame = take();

    trp_frame_give_back(frame, &pool);

    cr_expect(eq(ptr, take(), frame));
    free(frame);
}

Test(frame_pool, hands_out_no_frame_twice)
{
    uint8_t *frames[64];
    for (size_t i = 0; i < 64; i++) {
        frames[i] = take();
    }
    for (size_t i = 0; i < 64; i++) {
        trp_frame_give_back(frames[i], &pool);
    }

    for (size_t i = 0; i < 64; i++) {
        frames[i] = take();
        for (size_t other = 0; other < i; other++) {
            cr_expect(ne(ptr, frames[i], frames[other]));
        }
    }
    for (size_t i = 0; i < 64; i++) {
        free(frames[i]);
    }
}

Test(frame_pool, takes_the_whole_shared_list_at_once)
{
    struct trp_frame_cache other = {.pool = &pool};
    uint8_t *frames[3] = {take(), take(), take()};
    for (size_t i = 0; i < 3; i++) {
        trp_frame_give_back(frames[i], &pool);
    }

    free(take());

    cr_expect(eq(ptr, atomic_load(&pool.head), NULL));
    cr_expect(ne(ptr, cache.head, NULL)); // the other two are in this cache
    trp_frame_cache_fini(&other);
    cr_expect(eq(u32, drain(), 2));
}

Test(frame_pool, keeps_no_more_than_its_maximum)
{
    enum { COUNT = 300, CAP = 256 };
    static uint8_t *frames[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        frames[i] = take();
    }

    for (size_t i = 0; i < COUNT; i++) {
        trp_frame_give_back(frames[i], &pool);
    }

    cr_expect(eq(u32, drain(), CAP));
}

Test(frame_pool, keeps_frames_again_after_it_was_full)
{
    enum { COUNT = 300, CAP = 256 };
    static uint8_t *frames[COUNT];
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < COUNT; i++) {
            frames[i] = take();
        }
        for (size_t i = 0; i < COUNT; i++) {
            trp_frame_give_back(frames[i], &pool);
        }
    }
    cr_expect(eq(u32, drain(), CAP));
}

Test(frame_pool, frees_what_is_left_in_cache_and_pool)
{
    uint8_t *frames[2] = {take(), take()};
    trp_frame_give_back(frames[0], &pool);
    trp_frame_give_back(frames[1], &pool);
    frames[0] = take(); // now one is in the cache
    trp_frame_give_back(frames[0], &pool);

    trp_frame_cache_fini(&cache);
    trp_frame_pool_fini(&pool); // the leak checker sees a frame that is left

    cr_expect(eq(ptr, cache.head, NULL));
    cr_expect(eq(ptr, atomic_load(&pool.head), NULL));
}

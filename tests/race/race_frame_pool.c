/*
 * The pool of frames under load: each thread takes frames, writes to them, and passes them to other threads, which give
 * them back. No frame is ever used by two threads at once.
 */
#include "race.h"
#include "wire/frame_pool.h"

enum { THREADS = 4, ROUNDS = 20000, SLOTS = 16, MARK_STRIDE = 4096 };

static struct trp_frame_pool pool;
static _Atomic(uint8_t *) slots[SLOTS];

static void mark(uint8_t *frame, uint8_t mark)
{
    for (size_t at = 0; at < TRP_FRAME_BYTES_MAX; at += MARK_STRIDE) {
        frame[at] = mark;
    }
}

static void check_mark(const uint8_t *frame)
{
    for (size_t at = 0; at < TRP_FRAME_BYTES_MAX; at += MARK_STRIDE) {
        RACE_CHECK(frame[at] == frame[0]);
    }
}

static void *hammer(void *data)
{
    uint32_t chance = (uint32_t)(uintptr_t)data;
    struct trp_frame_cache cache = {.pool = &pool};
    for (int i = 0; i < ROUNDS; i++) {
        uint8_t *frame = trp_frame_take(&cache);
        RACE_CHECK(frame != NULL);
        mark(frame, (uint8_t)race_next(&chance));
        // Release and acquire, as a frame changes hands through a pipe.
        frame = atomic_exchange_explicit(
            &slots[race_next(&chance) % SLOTS], frame, memory_order_acq_rel);
        if (frame != NULL) {
            check_mark(frame);
            trp_frame_give_back(frame, &pool);
        }
    }
    trp_frame_cache_fini(&cache);
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) {
        threads[i] = race_thread(hammer, (void *)(i + 1)); // NOLINT(performance-no-int-to-ptr)
    }
    for (size_t i = 0; i < THREADS; i++) {
        race_join(threads[i]);
    }
    for (size_t i = 0; i < SLOTS; i++) {
        uint8_t *frame = atomic_exchange(&slots[i], NULL);
        if (frame != NULL) {
            check_mark(frame);
            trp_frame_give_back(frame, &pool);
        }
    }
    trp_frame_pool_fini(&pool);
    (void)printf(
        "frame pool: %d frames changed hands among %d threads\n", THREADS * ROUNDS, THREADS);
    return 0;
}

/*
 * The doorbell, rung and slept at by several threads: each ring and each call wakes the sleeper, whatever it is
 * about to do. A sleep that ends by its timeout although the bell was rung would be a lost wake-up.
 */
#include "race.h"
#include "shared/doorbell.h"

#include <sched.h>

enum { ROUNDS = 20000, CALLS = 2000 };

static struct trp_doorbell doorbells[2];
static struct trp_doorbell called;

static const uint64_t long_ns = UINT64_C(20000000000);

/** Wait for the ring that has number @p heard + 1. */
static void await(struct trp_doorbell *doorbell, uint64_t heard)
{
    while (atomic_load_explicit(&doorbell->bell, memory_order_acquire) == heard) {
        RACE_CHECK(trp_doorbell_sleep(doorbell, heard, long_ns));
    }
}

static void *echo(void *unused)
{
    for (uint64_t i = 0; i < ROUNDS; i++) {
        await(&doorbells[1], i);
        trp_doorbell_ring(&doorbells[0], TRP_MARK_RUNG);
    }
    return unused;
}

static void *call(void *unused)
{
    for (int i = 0; i < CALLS; i++) {
        (void)trp_doorbell_call(&called);
        while (atomic_load(&called.sleeper) == TRP_SLEEPER_CALLED) {
            (void)sched_yield();
        }
    }
    return unused;
}

int main(void)
{
    pthread_t thread;
    trp_doorbell_init(&doorbells[0]);
    trp_doorbell_init(&doorbells[1]);
    thread = race_thread(echo, NULL);
    for (uint64_t i = 0; i < ROUNDS; i++) {
        trp_doorbell_ring(&doorbells[1], TRP_MARK_RUNG);
        await(&doorbells[0], i);
    }
    race_join(thread);
    trp_doorbell_init(&called);
    thread = race_thread(call, NULL);
    for (int i = 0; i < CALLS; i++) {
        RACE_CHECK(trp_doorbell_sleep(&called, 0, long_ns));
    }
    race_join(thread);
    (void)printf("doorbell: %d rings each way, %d calls\n", ROUNDS, CALLS);
    return 0;
}

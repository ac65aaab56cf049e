/*
 * The doorbell, rung and slept at: whoever rings or calls wakes the sleeper, whatever it is about to do. A
 * sleep that ends by its timeout while something was rung would be a wake-up lost.
 */
#include "channel/mailbox.h"
#include "race.h"

#include <sched.h>

enum { ROUNDS = 20000, CALLS = 2000 };

static struct trp_gate gates[2];
static struct trp_gate called;

static const uint64_t long_ns = UINT64_C(20000000000);

/** Wait for the ring that has number @p heard + 1. */
static void await(struct trp_gate *gate, uint64_t received)
{
    while (atomic_load_explicit(&gate->bell, memory_order_acquire) == received) {
        RACE_CHECK(trp_gate_sleep(gate, received, long_ns));
    }
}

static void *echo(void *unused)
{
    for (uint64_t i = 0; i < ROUNDS; i++) {
        await(&gates[1], i);
        trp_gate_ring(&gates[0], TRP_MARK_RUNG);
    }
    return unused;
}

static void *call(void *unused)
{
    for (int i = 0; i < CALLS; i++) {
        (void)trp_gate_call(&called);
        while (atomic_load(&called.sleeper) == TRP_SLEEPER_CALLED) {
            (void)sched_yield();
        }
    }
    return unused;
}

int main(void)
{
    pthread_t thread;
    trp_gate_init(&gates[0], 1, 0);
    trp_gate_init(&gates[1], 1, 0);
    thread = race_thread(echo, NULL);
    for (uint64_t i = 0; i < ROUNDS; i++) {
        trp_gate_ring(&gates[1], TRP_MARK_RUNG);
        await(&gates[0], i);
    }
    race_join(thread);
    trp_gate_init(&called, 1, 0);
    thread = race_thread(call, NULL);
    for (int i = 0; i < CALLS; i++) {
        RACE_CHECK(trp_gate_sleep(&called, 0, long_ns));
    }
    race_join(thread);
    (void)printf("doorbell: %d rings each way, %d calls\n", ROUNDS, CALLS);
    return 0;
}

#include "shared/credit_pool.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

void trp_gate_init(struct trp_gate *gate, int64_t bound_messages, int64_t bound_bytes)
{
    atomic_init(&gate->bell, 0);
    atomic_init(&gate->command_bell, 0);
    atomic_init(&gate->sleeper, TRP_SLEEPER_NONE);
    atomic_init(&gate->free_messages, bound_messages);
    atomic_init(&gate->free_bytes, bound_bytes);
    atomic_init(&gate->reserve_messages, TRP_RESERVE_MESSAGES);
    atomic_init(&gate->waiting_count, 0);
    gate->bound_messages = bound_messages;
    gate->bound_bytes = bound_bytes;
}

static int64_t gate_allowed(int64_t free, int64_t stash, int64_t need, int64_t wish)
{
    // held + x <= 2 * (free - x)
    int64_t most = (2 * free - stash) / 3;
    if (most < need) {
        most = stash == 0 && free >= need ? need : 0;
    }
    return most < wish ? most : wish;
}

int64_t trp_gate_take(_Atomic int64_t *free, int64_t stash, int64_t need, int64_t wish)
{
    // Credit guards no memory, the pipe does: relaxed is enough.
    int64_t left = atomic_load_explicit(free, memory_order_relaxed);
    int64_t taken = 0;
    do {
        taken = gate_allowed(left, stash, need, wish);
        if (taken <= 0) {
            return 0;
        }
    } while (!atomic_compare_exchange_weak_explicit(
        free, &left, left - taken, memory_order_relaxed, memory_order_relaxed));
    return taken;
}

bool trp_gate_take_reserve(struct trp_gate *gate)
{
    if (atomic_fetch_sub_explicit(&gate->reserve_messages, 1, memory_order_relaxed) > 0) {
        return true;
    }
    atomic_fetch_add_explicit(&gate->reserve_messages, 1, memory_order_relaxed);
    return false;
}

void trp_gate_give(struct trp_gate *gate, int64_t messages, int64_t bytes)
{
    atomic_fetch_add_explicit(&gate->free_messages, messages, memory_order_relaxed);
    if (bytes != 0) {
        atomic_fetch_add_explicit(&gate->free_bytes, bytes, memory_order_relaxed);
    }
}

bool trp_gate_sleep(struct trp_gate *gate, uint64_t heard, uint64_t timeout_ns)
{
    // This store, then the look at the bell; in trp_gate_ring() the bell, then the look at this. One
    // of the two sees the other, since all four are in one order.
    uint32_t none = TRP_SLEEPER_NONE;
    bool woken = !atomic_compare_exchange_strong(&gate->sleeper, &none, TRP_SLEEPER_ASLEEP) ||
                 (int64_t)(atomic_load(&gate->bell) - heard) > 0;
    if (!woken) {
        const struct timespec timeout = {
            .tv_sec = (time_t)(timeout_ns / UINT64_C(1000000000)),
            .tv_nsec = (long)(timeout_ns % UINT64_C(1000000000)),
        };
        (void)syscall(
            SYS_futex, &gate->sleeper, FUTEX_WAIT_PRIVATE, TRP_SLEEPER_ASLEEP, &timeout, NULL, 0);
    }
    return atomic_exchange(&gate->sleeper, TRP_SLEEPER_NONE) != TRP_SLEEPER_ASLEEP || woken;
}

static void gate_wake(struct trp_gate *gate)
{
    (void)syscall(SYS_futex, &gate->sleeper, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

void trp_gate_wake(struct trp_gate *gate)
{
    // Of those who ring at the same time, one makes the call.
    uint32_t asleep = TRP_SLEEPER_ASLEEP;
    if (atomic_compare_exchange_strong(&gate->sleeper, &asleep, TRP_SLEEPER_NONE)) {
        gate_wake(gate);
    }
}

bool trp_gate_call(struct trp_gate *gate)
{
    if (atomic_exchange(&gate->sleeper, TRP_SLEEPER_CALLED) != TRP_SLEEPER_ASLEEP) {
        return false;
    }
    gate_wake(gate);
    return true;
}

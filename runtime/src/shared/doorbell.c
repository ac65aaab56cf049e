#include "shared/doorbell.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

void trp_doorbell_init(struct trp_doorbell *doorbell)
{
    atomic_init(&doorbell->bell, 0);
    atomic_init(&doorbell->command_bell, 0);
    atomic_init(&doorbell->sleeper, TRP_SLEEPER_NONE);
}

bool trp_doorbell_sleep(struct trp_doorbell *doorbell, uint64_t seen, uint64_t timeout_ns)
{
    // Here `sleeper` is stored, then `bell` loaded; trp_doorbell_ring() stores `bell`, then loads `sleeper`.
    // All four are sequentially consistent, so at least one side sees the other's store.
    uint32_t none = TRP_SLEEPER_NONE;
    bool woken = !atomic_compare_exchange_strong(&doorbell->sleeper, &none, TRP_SLEEPER_ASLEEP) ||
                 (int64_t)(atomic_load(&doorbell->bell) - seen) > 0;
    if (!woken) {
        const struct timespec timeout = {
            .tv_sec = (time_t)(timeout_ns / UINT64_C(1000000000)),
            .tv_nsec = (long)(timeout_ns % UINT64_C(1000000000)),
        };
        (void)syscall(
            SYS_futex,
            &doorbell->sleeper,
            FUTEX_WAIT_PRIVATE,
            TRP_SLEEPER_ASLEEP,
            &timeout,
            NULL,
            0);
    }
    return atomic_exchange(&doorbell->sleeper, TRP_SLEEPER_NONE) != TRP_SLEEPER_ASLEEP || woken;
}

static void doorbell_wake(struct trp_doorbell *doorbell)
{
    (void)syscall(SYS_futex, &doorbell->sleeper, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

void trp_doorbell_wake(struct trp_doorbell *doorbell)
{
    // Of several threads that ring at the same time, one makes the system call.
    uint32_t asleep = TRP_SLEEPER_ASLEEP;
    if (atomic_compare_exchange_strong(&doorbell->sleeper, &asleep, TRP_SLEEPER_NONE)) {
        doorbell_wake(doorbell);
    }
}

bool trp_doorbell_call(struct trp_doorbell *doorbell)
{
    if (atomic_exchange(&doorbell->sleeper, TRP_SLEEPER_CALLED) != TRP_SLEEPER_ASLEEP) {
        return false;
    }
    doorbell_wake(doorbell);
    return true;
}

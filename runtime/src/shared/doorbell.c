#include "shared/doorbell.h"

#include "base/clock.h"
#include "base/saturate.h"

#include <errno.h>
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

/** Sleep while the executor is asleep, until @p end_ns of the monotonic clock. */
static void doorbell_wait(struct trp_doorbell *doorbell, uint64_t end_ns)
{
    const struct timespec end = {
        .tv_sec = (time_t)(end_ns / UINT64_C(1000000000)),
        .tv_nsec = (long)(end_ns % UINT64_C(1000000000)),
    };
    long result = 0;
    do {
        // Relative timeouts would begin anew after a signal, and after a wake-up that was meant for the sleep before.
        result = syscall(
            SYS_futex,
            &doorbell->sleeper,
            FUTEX_WAIT_BITSET_PRIVATE,
            TRP_SLEEPER_ASLEEP,
            &end,
            NULL,
            FUTEX_BITSET_MATCH_ANY);
    } while ((result == 0 || errno == EINTR) &&
             atomic_load(&doorbell->sleeper) == TRP_SLEEPER_ASLEEP);
}

bool trp_doorbell_sleep(struct trp_doorbell *doorbell, uint64_t seen, uint64_t timeout_ns)
{
    // Here `sleeper` is stored, then `bell` loaded; trp_doorbell_ring() stores `bell`, then loads `sleeper`.
    // All four are sequentially consistent, so at least one side sees the other's store.
    uint32_t none = TRP_SLEEPER_NONE;
    bool woken = !atomic_compare_exchange_strong(&doorbell->sleeper, &none, TRP_SLEEPER_ASLEEP) ||
                 (int64_t)(atomic_load(&doorbell->bell) - seen) > 0;
    if (!woken) {
        doorbell_wait(doorbell, trp_add_saturated(trp_clock_monotonic(NULL), timeout_ns));
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

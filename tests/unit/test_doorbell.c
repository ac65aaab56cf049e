/*
 * The doorbell of one executor: when a sleep does not begin, when it ends, and what does not end it.
 */
#include "shared/doorbell.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

TestSuite(doorbell, .timeout = 10);

static const uint64_t long_ns = UINT64_C(60000000000);

static struct trp_doorbell doorbell;

Test(doorbell, ends_a_sleep_at_once_if_it_rang_before)
{
    trp_doorbell_init(&doorbell);
    trp_doorbell_ring(&doorbell, TRP_MARK_RUNG);

    cr_expect(trp_doorbell_sleep(&doorbell, 0, long_ns));

    cr_expect(eq(u32, atomic_load(&doorbell.sleeper), TRP_SLEEPER_NONE));
}

Test(doorbell, ends_a_sleep_at_once_if_the_executor_was_called_before)
{
    trp_doorbell_init(&doorbell);

    cr_expect(not(trp_doorbell_call(&doorbell))); // so the caller writes to the descriptor, too
    cr_expect(trp_doorbell_sleep(&doorbell, 0, long_ns));

    cr_expect(eq(u32, atomic_load(&doorbell.sleeper), TRP_SLEEPER_NONE));
}

Test(doorbell, ends_a_sleep_when_its_time_has_passed)
{
    trp_doorbell_init(&doorbell);

    cr_expect(not(trp_doorbell_sleep(&doorbell, 0, 1000000)));

    cr_expect(eq(u32, atomic_load(&doorbell.sleeper), TRP_SLEEPER_NONE));
}

static void nothing(int number)
{
    (void)number;
}

/** Disturb the thread that sleeps: by a signal, and as a waker does that comes too late. */
static void *disturb(void *sleeper)
{
    for (int i = 0; i < 3; i++) {
        while (syscall(SYS_futex, &doorbell.sleeper, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) == 0) {
        }
        cr_expect(zero(int, pthread_kill(*(pthread_t *)sleeper, SIGUSR1)));
    }
    trp_doorbell_ring(&doorbell, TRP_MARK_RUNG);
    return NULL;
}

Test(doorbell, sleeps_on_after_a_signal_and_after_a_wake_up_meant_for_the_sleep_before)
{
    trp_doorbell_init(&doorbell);
    const struct sigaction action = {.sa_handler = nothing};
    cr_assert(zero(int, sigaction(SIGUSR1, &action, NULL)));
    pthread_t self = pthread_self();
    pthread_t thread;
    cr_assert(zero(int, pthread_create(&thread, NULL, disturb, &self)));

    cr_expect(trp_doorbell_sleep(&doorbell, 0, long_ns));

    cr_expect(eq(u64, atomic_load(&doorbell.bell), 1));
    cr_assert(zero(int, pthread_join(thread, NULL)));
}

Test(doorbell, counts_commands_apart_and_rings_only_for_frames_that_say_so)
{
    trp_doorbell_init(&doorbell);

    trp_doorbell_ring(&doorbell, TRP_MARK_RUNG | TRP_MARK_COUNTED);
    trp_doorbell_ring(&doorbell, TRP_MARK_RUNG);
    trp_doorbell_ring(&doorbell, TRP_MARK_COUNTED);
    trp_doorbell_ring(&doorbell, 0);

    cr_expect(eq(u64, atomic_load(&doorbell.bell), 2));
    cr_expect(eq(u64, atomic_load(&doorbell.command_bell), 2));
}

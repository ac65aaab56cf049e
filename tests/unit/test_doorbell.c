/*
 * The doorbell of one executor, without other threads: when a sleep does not begin, and when it ends.
 */
#include "shared/doorbell.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

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

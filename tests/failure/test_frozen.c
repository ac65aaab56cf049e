/*
 * A process that is frozen between counting a command and writing it. Here the doorbell of executor 0 counts a command
 * that nobody sends; and a process is frozen right after it has asked an actor of executor 0 to stop.
 */
#include "support/echo_system.h"
#include "support/fixture.h"
#include "support/measure.h"

#include "actor/executor.h"
#include "node/system.h"
#include "shared/slot.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

TestSuite(frozen, .timeout = 60);

static void expect_echoes(struct fixture *fixture, troupe_ref_t echo, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        fixture_ask(fixture, echo, ECHO_REQUEST, &i, sizeof(i));
        cr_assert(eq(u64, *FIXTURE_RECEIVE(fixture, ECHO_REPLY, uint64_t), i));
    }
}

BACKEND_TEST(frozen, a_command_that_was_counted_and_never_sent_holds_up_nobody_for_long)
{
    fixture_register_backends();
    if ((fixture_traits(placement) & TROUPE_TRAIT_ISOLATES_CRASHES) == 0) {
        cr_skip("commands within a process are sent by threads, which are not frozen alone");
    }
    struct fixture *fixture = fixture_open(
        placement, &(struct fixture_options){.behaviours = TROUPE_BEHAVIOURS(&echo_behaviour)});
    troupe_ref_t echo = fixture_spawn(fixture, &echo_behaviour);
    expect_echoes(fixture, echo, 1);
    struct trp_slot *slot = fixture_system(fixture)->executor->slot;
    uint64_t start_ns = measure_now_ns();

    (void)atomic_fetch_add(&slot->doorbell.command_bell, 1);
    expect_echoes(fixture, echo, 100);
    (void)atomic_fetch_add(&slot->doorbell.command_bell, 1);
    expect_echoes(fixture, echo, 100);

    cr_expect(lt(u64, measure_now_ns() - start_ns, 5 * MEASURE_SECOND_NS));
    (void)fixture_close(&fixture);
}

/* A real one. ----------------------------------------------------------------------------------- */

enum { STOP_AND_FREEZE = 0x00610001, FREEZER_PID };

/** Asks an actor to stop and freezes its process, without a pause in between. */
static void freezer_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    if (troupe_message_type(message) == FREEZER_PID) {
        int32_t pid = getpid();
        REPORT(ctx, message, FREEZER_PID, &pid);
        return;
    }
    const troupe_ref_t *victim = TROUPE_BODY(message, troupe_ref_t);
    MUST(troupe_stop_actor(ctx, *victim));
    MUST_BE(raise(SIGSTOP) == 0);
}

static const struct troupe_behaviour freezer = {.name = "freezer", .receive = freezer_receive};

Test(frozen, a_process_frozen_after_it_asked_for_a_stop_silences_nobody)
{
    static const struct fixture_placement placements[] = {
        {.name = "process", .place = "process"}, {.name = "process_tcp", .place = "process+tcp"}};
    for (size_t i = 0; i < 10; i++) {
        struct fixture *fixture = fixture_open(
            &placements[i % 2],
            &(struct fixture_options){.behaviours = TROUPE_BEHAVIOURS(&echo_behaviour, &freezer)});
        troupe_ref_t echo = fixture_spawn(fixture, &echo_behaviour);
        troupe_ref_t frozen = fixture_spawn(fixture, &freezer);
        const struct troupe_spawn_options spawn = {.behaviour = &echo_behaviour, .place = "ecs"};
        troupe_ref_t victim = fixture_spawn_with(fixture, &spawn);
        fixture_ask(fixture, frozen, FREEZER_PID, NULL, 0);
        pid_t pid = *FIXTURE_RECEIVE(fixture, FREEZER_PID, int32_t);
        fixture_send(fixture, frozen, STOP_AND_FREEZE, &victim, sizeof(victim));

        expect_echoes(fixture, echo, 200);

        MUST_BE(kill(pid, SIGCONT) == 0);
        (void)fixture_close(&fixture);
    }
}

SUBJECTS(&echo_behaviour, &freezer);

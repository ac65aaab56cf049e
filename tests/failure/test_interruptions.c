/*
 * A timer that interrupts system calls all the time, with a handler that does not restart them: nothing fails by it.
 */
#include "support/audit.h"
#include "support/echo_system.h"
#include "support/fixture.h"
#include "support/measure.h"

#include <signal.h>
#include <sys/time.h>

TestSuite(interruptions, .timeout = 100);

enum { PERIOD_US = 200, ROUNDS = 12 };

static void on_alarm(int number)
{
    (void)number;
}

static void interrupt_every(suseconds_t period_us)
{
    const struct sigaction action = {.sa_handler = on_alarm}; // without SA_RESTART
    const struct itimerval timer = {{0, period_us}, {0, period_us}};
    MUST_BE(sigaction(SIGALRM, &action, NULL) == 0);
    MUST_BE(setitimer(ITIMER_REAL, &timer, NULL) == 0);
}

Test(interruptions, systems_spawns_and_first_messages_do_not_fail)
{
    static const char *const places[] = {
        "ecs", "thread", "thread+ipc", "thread+tcp", "thread:2+ipc", "process", "process+tcp"};
    interrupt_every(measure_is_sanitized() ? 10 * PERIOD_US : PERIOD_US);
    for (int round = 0; round < ROUNDS; round++) {
        troupe_system_t *system = echo_system_new();
        troupe_inbox_t *inbox = echo_inbox_new(system);
        troupe_ref_t first = TROUPE_REF_NONE;
        MUST(echo_spawn(troupe_inbox_context(inbox), "thread+ipc", &first));
        for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
            struct echo_spawned there = echo_ask_to_spawn(inbox, first, places[i]);
            MUST(there.err);
            MUST(i == 0 ? TROUPE_OK : echo_ask(inbox, there.ref, i));
        }
        echo_system_end(&system, &inbox);
    }
    interrupt_every(0);
}

SUBJECTS(&echo_behaviour);

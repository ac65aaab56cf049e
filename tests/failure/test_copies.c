/*
 * Copies of a process by fork() or daemon(): of the program once its system is made, and of a process actor in a callback. A
 * copy is told what it may do, never spins, and does not disturb the process that it is a copy of.
 */
#include "support/audit.h"
#include "support/child.h"
#include "support/echo_system.h"
#include "support/fixture.h"
#include "support/measure.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(copies, .timeout = 60);

static void must_refuse(enum troupe_err err)
{
    MUST_BE(err == TROUPE_ERR_INVAL);
    MUST_BE(strstr(troupe_error_detail(), "is a copy, by fork()") != NULL);
}

/** Use the copy of a system, then make one of its own. */
static int use_the_copy(troupe_system_t *system, troupe_inbox_t *inbox, troupe_ref_t echo)
{
    troupe_message_t *message = NULL;
    const struct troupe_outgoing outgoing = {.to = echo, .type = ECHO_REQUEST};
    must_refuse(troupe_system_run(system));
    must_refuse(troupe_system_progress(system, NULL));
    must_refuse(troupe_system_destroy(&system));
    must_refuse(troupe_send(troupe_system_context(system), echo, ECHO_REQUEST, NULL, 0));
    must_refuse(echo_spawn(troupe_system_context(system), "process", NULL));
    must_refuse(troupe_inbox_receive(inbox, MEASURE_SECOND_NS, &message));
    must_refuse(troupe_inbox_ask(inbox, &outgoing, MEASURE_SECOND_NS, &message));
    troupe_system_t *own = echo_system_new();
    troupe_inbox_t *own_inbox = echo_inbox_new(own);
    troupe_ref_t own_echo = TROUPE_REF_NONE;
    MUST(echo_spawn(troupe_inbox_context(own_inbox), "process", &own_echo));
    MUST(echo_ask(own_inbox, own_echo, 1));
    echo_system_end(&own, &own_inbox);
    return 0;
}

static int copy_the_program(void *data)
{
    (void)data;
    troupe_system_t *system = echo_system_new();
    troupe_inbox_t *inbox = echo_inbox_new(system);
    troupe_ref_t echo = TROUPE_REF_NONE;
    MUST(echo_spawn(troupe_inbox_context(inbox), "process", &echo));
    MUST(echo_ask(inbox, echo, 1));
    pid_t copy = fork();
    MUST_BE(copy >= 0);
    if (copy == 0) {
        _exit(use_the_copy(system, inbox, echo));
    }
    int status = -1;
    MUST_BE(waitpid(copy, &status, 0) == copy && status == 0);
    MUST(echo_ask(inbox, echo, 2));
    echo_system_end(&system, &inbox);
    return 0;
}

Test(copies, of_a_program_are_refused_and_may_make_a_system_of_their_own)
{
    child_succeeds(copy_the_program, NULL);
}

/* In a callback. -------------------------------------------------------------------------------- */

enum { FORK = 0x00650001, FORKED };

/** Forks; the copy returns from the callback as well. */
static void forker_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    int32_t status = -1;
    pid_t copy = fork();
    MUST_BE(copy >= 0);
    if (copy > 0) {
        MUST_BE(waitpid(copy, &status, 0) == copy);
        status = WEXITSTATUS(status);
        REPORT(ctx, message, FORKED, &status);
    }
}

static const struct troupe_behaviour forker = {.name = "forker", .receive = forker_receive};

BACKEND_TEST(copies, of_an_actor_end_where_its_callback_returns)
{
    struct fixture *fixture = fixture_open(
        placement, &(struct fixture_options){.behaviours = TROUPE_BEHAVIOURS(&forker)});
    troupe_ref_t ref = fixture_spawn(fixture, &forker);
    for (int i = 0; i < 3; i++) {
        fixture_ask(fixture, ref, FORK, NULL, 0);
        cr_expect(eq(i32, *FIXTURE_RECEIVE(fixture, FORKED, int32_t), 1));
    }
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.unknown + stats.dead, 0));
}

SUBJECTS(&echo_behaviour, &forker);

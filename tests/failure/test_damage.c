/*
 * A process actor that writes into the memory that all processes share, where it must not: the damage is named, and the
 * system ends in order.
 */
#include "support/child.h"
#include "support/fixture.h"
#include "support/subjects.h"

#include "actor/executor.h"
#include "shared/shared.h"

#include <string.h>

TestSuite(damage_of_shared_memory, .timeout = 60);

enum { SCRIBBLE = 1 };

/** Overwrite what says how much of the tables is used. */
static void scribbler_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state, (void)message;
    struct trp_shared *shared = trp_executor_of(ctx)->runtime->shared;
    atomic_store(&shared->ledger_high, UINT32_C(0xDEADBEEF));
}

static const struct troupe_behaviour scribbler = {
    .name = "scribbler", .receive = scribbler_receive};

static int run(void *data)
{
    (void)data;
    const struct troupe_system_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&scribbler), .stop_timeout_ns = 1000000000};
    troupe_system_t *system = NULL;
    troupe_ref_t ref = TROUPE_REF_NONE;
    MUST(troupe_system_new(&options, &system));
    const struct troupe_spawn_options spawn = {.behaviour = &scribbler, .place = "process"};
    MUST(troupe_spawn(troupe_system_context(system), &spawn, &ref));
    MUST(troupe_send(troupe_system_context(system), ref, SCRIBBLE, NULL, 0));
    enum troupe_err err = troupe_system_run(system);
    return err == TROUPE_ERR_SYSTEM || err == TROUPE_ERR_TIMEDOUT ? 3 : 4;
}

Test(damage_of_shared_memory, is_named_and_ends_the_system)
{
    struct child *child = child_start(run, NULL);

    struct child_end end = child_end(&child);

    cr_expect(eq(int, end.status, 3), "%s", end.err);
    cr_expect(
        strstr(end.err, "is damaged: the number of ledgers is 3735928559") != NULL, "%s", end.err);
}

SUBJECTS(&scribbler);

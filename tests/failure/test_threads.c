// ctest: serial
/*
 * Threads run out, or cannot run on the wanted CPUs.
 *
 * The limit of threads counts all threads of a user, so it is set to 1, which is always reached, and the children drop
 * root, which is exempt.
 */
#include "support/child.h"
#include "support/echo_system.h"
#include "support/fixture.h"

#include <string.h>
#include <unistd.h>

/** The soft limit as it was; the hard one stays, so that it can be set again. */
static struct rlimit limit_before;

static void forbid_threads(void)
{
    MUST_BE(getrlimit(RLIMIT_NPROC, &limit_before) == 0);
    child_limit_softly(RLIMIT_NPROC, 1);
}

static void allow_threads(void)
{
    MUST_BE(setrlimit(RLIMIT_NPROC, &limit_before) == 0);
}

static int spawn_without_threads(void *data)
{
    (void)data;
    child_drop_root();
    troupe_system_t *system = echo_system_new();
    troupe_inbox_t *inbox = echo_inbox_new(system);
    troupe_ref_t before = TROUPE_REF_NONE;
    MUST(echo_spawn(troupe_inbox_context(inbox), "thread", &before));

    forbid_threads();
    static const char *const places[] = {"thread", "thread:2", "thread"};
    for (int i = 0; i < 300; i++) { // often: a failure must free everything
        troupe_ref_t ref = {7, 7, 7, 7};
        enum troupe_err err = echo_spawn(troupe_inbox_context(inbox), places[i % 3], &ref);
        MUST_BE(err == TROUPE_ERR_LIMIT);
        MUST_BE(strstr(troupe_error_detail(), "no pthread for 'echo'") != NULL);
        MUST_BE(strstr(troupe_error_detail(), "limit of processes") != NULL);
        MUST_BE(ref.node == 7);
    }
    MUST(echo_ask(inbox, before, 1));

    allow_threads();
    for (uint64_t i = 0; i < 3; i++) {
        troupe_ref_t after = TROUPE_REF_NONE;
        MUST(echo_spawn(troupe_inbox_context(inbox), places[i], &after));
        MUST(echo_ask(inbox, after, i));
    }
    struct troupe_stats stats;
    troupe_system_stats(system, &stats);
    MUST_BE(stats.executors_started == 6); // executor 0, the inbox's, and four that have an actor
    echo_system_end(&system, &inbox);
    return 0;
}

Test(threads, run_out_with_an_error_while_running_ones_go_on)
{
    child_succeeds(spawn_without_threads, NULL);
}

static int actor_spawns_without_threads(void *data)
{
    (void)data;
    child_drop_root();
    troupe_system_t *system = echo_system_new();
    troupe_inbox_t *inbox = echo_inbox_new(system);
    troupe_ref_t chief = TROUPE_REF_NONE;
    MUST(echo_spawn(troupe_inbox_context(inbox), "thread", &chief));

    forbid_threads();
    MUST_BE(echo_ask_to_spawn(inbox, chief, "thread").err == TROUPE_ERR_LIMIT);
    MUST_BE(echo_ask_to_spawn(inbox, chief, "thread:2").err == TROUPE_ERR_LIMIT);

    allow_threads();
    struct echo_spawned spawned = echo_ask_to_spawn(inbox, chief, "thread:2");
    MUST(spawned.err);
    MUST(echo_ask(inbox, spawned.ref, 1));
    echo_system_end(&system, &inbox);
    return 0;
}

Test(threads, run_out_with_an_error_for_an_actor_that_spawns)
{
    child_succeeds(actor_spawns_without_threads, NULL);
}

static int new_without_threads(void *data)
{
    (void)data;
    child_drop_root();
    const struct troupe_system_options options = {.behaviours = TROUPE_BEHAVIOURS(&echo_behaviour)};
    troupe_system_t *system = NULL;

    forbid_threads();
    MUST_BE(troupe_system_new(&options, &system) == TROUPE_ERR_LIMIT);
    MUST_BE(system == NULL);
    MUST_BE(strstr(troupe_error_detail(), "thread") != NULL);

    allow_threads();
    system = echo_system_new();
    troupe_inbox_t *inbox = echo_inbox_new(system);
    echo_system_end(&system, &inbox);
    return 0;
}

Test(threads, a_system_without_its_own_threads_is_not_made)
{
    child_succeeds(new_without_threads, NULL);
}

/* CPUs. ---------------------------------------------------------------------------------------- */

static void spawn_on_no_cpu(troupe_context_t *ctx, void *data)
{
    static const char *const places[] = {"thread", "thread:2"};
    troupe_ref_t *echo = data;
    for (int i = 0; i < 2; i++) {
        troupe_ref_t ref = TROUPE_REF_NONE;
        struct troupe_spawn_options options = {
            .behaviour = &echo_behaviour,
            .place = places[i],
            .cpu_mask = UINT64_C(1) << 63,
        };
        cr_expect(eq(int, troupe_spawn(ctx, &options, &ref), TROUPE_ERR_INVAL));
        cr_expect(strstr(troupe_error_detail(), "cpu_mask") != NULL, "%s", troupe_error_detail());
        cr_expect(troupe_ref_is_none(ref));
    }
    cr_expect(eq(int, echo_spawn(ctx, "thread", echo), TROUPE_OK));
}

Test(threads, a_cpu_mask_without_a_cpu_is_refused_with_a_text)
{
    if (sysconf(_SC_NPROCESSORS_CONF) >= 64) {
        cr_skip("this machine has a CPU for each bit of a mask");
    }
    const struct fixture_placement here = {.name = "ecs", .place = "ecs"};
    struct fixture *fixture = fixture_open(
        &here,
        &(struct fixture_options){
            .behaviours = TROUPE_BEHAVIOURS(&echo_behaviour), .places_nothing = true});
    troupe_ref_t echo = TROUPE_REF_NONE;
    uint64_t number = 1;

    fixture_call(fixture, spawn_on_no_cpu, &echo);

    fixture_ask(fixture, echo, ECHO_REQUEST, &number, sizeof(number));
    cr_expect(eq(u64, *FIXTURE_RECEIVE(fixture, ECHO_REPLY, uint64_t), number));
    fixture_close(&fixture);
}

SUBJECTS(&echo_behaviour);

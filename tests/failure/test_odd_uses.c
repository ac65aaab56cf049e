/*
 * Uses that are rare and still have one right answer: limits of the system that is below, signals that were ignored
 * before, names that are too long, references to what is gone, and texts of a failing init.
 */
#include "support/audit.h"
#include "support/child.h"
#include "support/echo_system.h"
#include "support/fixture.h"

#include "node/spawn.h"
#include "node/system.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(odd_uses, .timeout = 60);

/* Limits below. --------------------------------------------------------------------------------- */

static int start_with_small_files(void *data)
{
    (void)data;
    const struct troupe_system_options options = {.behaviours = TROUPE_BEHAVIOURS(&echo_behaviour)};
    troupe_system_t *system = NULL;
    child_limit(RLIMIT_FSIZE, 4096);
    MUST_BE(troupe_system_new(&options, &system) == TROUPE_ERR_SYSTEM);
    MUST_BE(strstr(troupe_error_detail(), "ulimit -f") != NULL);
    return 0;
}

Test(odd_uses, a_limit_of_file_sizes_is_named)
{
    child_succeeds(start_with_small_files, NULL);
}

/* Signals that were ignored before. ------------------------------------------------------------- */

static enum troupe_err idle_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)ctx, (void)state, (void)args, (void)args_bytes;
    child_say("ready\n");
    return TROUPE_OK;
}

static void idle_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)ctx, (void)state, (void)message;
}

static const struct troupe_behaviour idle = {
    .name = "idle", .init = idle_init, .receive = idle_receive};

static int run_in_the_background(void *data)
{
    (void)data;
    (void)signal(SIGINT, SIG_IGN); // as a shell does for `program &`
    return child_troupe_main("program", TROUPE_BEHAVIOURS(&idle));
}

Test(odd_uses, a_signal_that_was_ignored_at_the_start_stays_so)
{
    struct child *child = child_start(run_in_the_background, NULL);
    child_wait_for(child, "ready");
    child_signal(child, SIGINT);
    child_signal(child, SIGTERM);

    struct child_end end = child_end(&child);

    cr_expect(eq(int, end.status, 128 + SIGTERM), "%s", end.err);
}

/* Names. ---------------------------------------------------------------------------------------- */

Test(odd_uses, a_behaviour_with_a_name_that_is_too_long_is_refused)
{
    static char name[400];
    memset(name, 'n', sizeof(name) - 1);
    const struct troupe_behaviour long_named = {.name = name, .receive = idle_receive};
    const struct troupe_system_options options = {.behaviours = TROUPE_BEHAVIOURS(&long_named)};
    troupe_system_t *system = NULL;

    cr_expect(eq(int, troupe_system_new(&options, &system), TROUPE_ERR_INVAL));
    cr_expect(strstr(troupe_error_detail(), "256 bytes") != NULL, "%s", troupe_error_detail());

    name[256] = '\0'; // that many are allowed, with the longest arguments and name
    static char args[32768];
    static char actor_name[256];
    memset(actor_name, 'a', sizeof(actor_name) - 1);
    cr_assert(eq(int, troupe_system_new(&options, &system), TROUPE_OK));
    const struct troupe_spawn_options spawn = {
        .behaviour = &long_named,
        .name = actor_name,
        .args = args,
        .args_bytes = sizeof(args),
        .place = "process",
    };
    troupe_ref_t ref = TROUPE_REF_NONE;
    cr_expect(eq(int, troupe_spawn(troupe_system_context(system), &spawn, &ref), TROUPE_OK));
    troupe_system_stop(system);
    cr_expect(eq(int, troupe_system_run(system), TROUPE_OK));
    audit_and_destroy(&system);
}

/* References to what is gone. ------------------------------------------------------------------- */

static void end_another_process(troupe_context_t *ctx, void *data)
{
    troupe_ref_t elsewhere = *(const troupe_ref_t *)data;
    elsewhere.node += 7; // a process that there is not
    cr_expect(eq(int, troupe_stop_actor(ctx, elsewhere), TROUPE_OK));
    cr_expect(eq(int, troupe_kill(ctx, elsewhere), TROUPE_OK));
}

BACKEND_TEST(odd_uses, a_stop_or_a_kill_for_another_process_ends_nobody_here)
{
    struct fixture *fixture = fixture_open(
        placement, &(struct fixture_options){.behaviours = TROUPE_BEHAVIOURS(&echo_behaviour)});
    troupe_ref_t echo = fixture_spawn(fixture, &echo_behaviour);

    fixture_call(fixture, end_another_process, &echo);

    uint64_t number = 5;
    fixture_ask(fixture, echo, ECHO_REQUEST, &number, sizeof(number));
    cr_expect(eq(u64, *FIXTURE_RECEIVE(fixture, ECHO_REPLY, uint64_t), number));
    (void)fixture_close(&fixture);
}

/* A run directory that was removed. ---------------------------------------------------------------- */

static int work_without_a_directory(void *data)
{
    (void)data;
    char command[256];
    troupe_system_t *own = echo_system_new();
    troupe_inbox_t *inbox = echo_inbox_new(own);
    troupe_ref_t echo = TROUPE_REF_NONE;
    troupe_ref_t late = TROUPE_REF_NONE;
    MUST(echo_spawn(troupe_inbox_context(inbox), "process", &echo));
    MUST(echo_ask(inbox, echo, 1));
    (void)snprintf(command, sizeof(command), "rm -r '%s'", own->runtime.shared->run_dir);
    MUST_BE(system(command) == 0);

    MUST(echo_ask(inbox, echo, 2)); // what is connected goes on
    troupe_context_t *ctx = troupe_system_context(own);
    MUST_BE(troupe_send(ctx, echo, ECHO_REQUEST, NULL, 0) == TROUPE_ERR_SYSTEM);
    MUST_BE(strstr(troupe_error_detail(), "run directory") != NULL);
    MUST_BE(echo_spawn(ctx, "process", &late) == TROUPE_ERR_SYSTEM);
    MUST_BE(strstr(troupe_error_detail(), own->runtime.shared->run_dir) != NULL);
    echo_system_end(&own, &inbox);
    return 0;
}

Test(odd_uses, a_removed_run_directory_is_an_error_and_not_a_silence)
{
    child_succeeds(work_without_a_directory, NULL);
}

/* An inbox within a callback. -------------------------------------------------------------------- */

static troupe_system_t *inbox_system; // the subjects of that test live in the test's own process

/** Opens an inbox, sends to it, receives that, and closes it again, all in one callback. */
static void inboxer_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    uint64_t number = 8;
    troupe_inbox_t *inbox = NULL;
    troupe_message_t *received = NULL;
    MUST(troupe_inbox_new(inbox_system, &inbox));
    troupe_ref_t to = troupe_self(troupe_inbox_context(inbox));
    MUST(troupe_send(ctx, to, ECHO_REQUEST, &number, sizeof(number)));
    troupe_flush(ctx);
    MUST(troupe_inbox_receive(inbox, ECHO_DEADLINE_NS, &received));
    troupe_message_destroy(&received);
    MUST(troupe_send(ctx, to, ECHO_REQUEST, &number, sizeof(number))); // nobody receives that
    MUST(troupe_inbox_destroy(&inbox));
    MUST(troupe_reply(ctx, message, ECHO_REPLY, &number, sizeof(number)));
}

static const struct troupe_behaviour inboxer = {.name = "inboxer", .receive = inboxer_receive};

BACKEND_TEST(odd_uses, an_inbox_closes_in_the_callback_of_an_actor_that_sent_to_it)
{
    fixture_register_backends();
    if ((fixture_traits(placement) & TROUPE_TRAIT_ISOLATES_CRASHES) != 0) {
        cr_skip("an actor in another process has no handle of the system");
    }
    struct fixture *fixture = fixture_open(
        placement, &(struct fixture_options){.behaviours = TROUPE_BEHAVIOURS(&inboxer)});
    inbox_system = fixture_system(fixture);
    troupe_ref_t ref = fixture_spawn(fixture, &inboxer);
    for (int i = 0; i < 3; i++) {
        fixture_ask(fixture, ref, ECHO_REQUEST, NULL, 0);
        (void)fixture_receive(fixture, ECHO_REPLY);
    }
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead, 3));
}

/* A full mailbox. -------------------------------------------------------------------------------- */

Test(odd_uses, the_main_program_is_not_told_to_wait_for_a_notice)
{
    const struct troupe_system_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&idle), .mailbox_messages = 10};
    const struct troupe_spawn_options spawn = {.behaviour = &idle};
    troupe_system_t *system = NULL;
    troupe_ref_t ref = TROUPE_REF_NONE;
    enum troupe_err err = TROUPE_OK;
    MUST(troupe_system_new(&options, &system));
    MUST(troupe_spawn(troupe_system_context(system), &spawn, &ref));
    while (err == TROUPE_OK) {
        err = troupe_send(troupe_system_context(system), ref, 1, NULL, 0);
    }
    cr_expect(eq(int, err, TROUPE_ERR_FULL));
    cr_expect(strstr(troupe_error_detail(), "run the system") != NULL, "%s", troupe_error_detail());
    troupe_system_stop(system);
    MUST(troupe_system_run(system));
    audit_and_destroy(&system);
}

/* Texts of a failing init. ---------------------------------------------------------------------- */

/** Fails as a function of Troupe did; or, with arguments, in its own way after that. */
static enum troupe_err failing_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)state, (void)args;
    troupe_ref_t ref = TROUPE_REF_NONE;
    enum troupe_err err = troupe_lookup(ctx, "nobody at all", &ref);
    return args_bytes == 0 ? err : TROUPE_ERR_TOOBIG;
}

static const struct troupe_behaviour failing = {
    .name = "failing", .init = failing_init, .receive = idle_receive};

/** @return how a failing actor ended that was the root of its system. */
static struct troupe_exit exit_of_failing(const char *place, size_t args_bytes)
{
    const struct troupe_system_options options = {.behaviours = TROUPE_BEHAVIOURS(&failing)};
    const struct troupe_spawn_options spawn = {
        .behaviour = &failing, .args = "own", .args_bytes = args_bytes, .place = place};
    troupe_system_t *system = NULL;
    troupe_ref_t ref = TROUPE_REF_NONE;
    struct troupe_exit exit = {.reason = TROUPE_EXIT_NORMAL};
    MUST(troupe_system_new(&options, &system));
    MUST(trp_spawn(troupe_system_context(system), &spawn, true, &ref)); // the root from the start
    MUST(troupe_system_run(system));
    MUST(troupe_system_root_exit(system, &exit));
    audit_and_destroy(&system);
    return exit;
}

BACKEND_TEST(odd_uses, the_exit_of_a_failing_init_has_the_words_of_its_own_error)
{
    fixture_register_backends();
    struct troupe_exit exit = exit_of_failing(placement->place, 0);
    cr_expect(eq(int, exit.reason, TROUPE_EXIT_INIT_FAILED));
    cr_expect(strstr(exit.text, "'nobody at all'") != NULL, "%s", exit.text);

    exit = exit_of_failing(placement->place, 4);
    cr_expect(eq(int, exit.code, TROUPE_ERR_TOOBIG));
    cr_expect(strstr(exit.text, "too large") != NULL, "%s", exit.text);
}

SUBJECTS(&echo_behaviour, &idle, &failing, &inboxer);

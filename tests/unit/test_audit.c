/*
 * The audit finds which counters do not balance: here they are falsified while a system runs.
 */
#include "support/child.h"

#include "channel/channel.h"
#include "node/system.h"
#include "troupe/troupe.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <stdio.h>
#include <stdlib.h>

TestSuite(audit, .timeout = 30);

static void sink_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)ctx, (void)state, (void)message;
}

static const struct troupe_behaviour sink = {.name = "sink", .receive = sink_receive};

/** Make a system in which the main program has sent one message to a sink on a thread. */
static troupe_system_t *open_system(void)
{
    const struct troupe_system_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&sink),
        .stop_timeout_ns = 200000000, // half of it is waited for what never comes
    };
    troupe_system_t *system = NULL;
    cr_assert(eq(int, troupe_system_new(&options, &system), TROUPE_OK));
    troupe_context_t *ctx = troupe_system_context(system);
    const struct troupe_spawn_options spawn = {.behaviour = &sink, .place = "thread"};
    troupe_ref_t ref = TROUPE_REF_NONE;
    cr_assert(eq(int, troupe_spawn(ctx, &spawn, &ref), TROUPE_OK));
    cr_assert(eq(int, troupe_send(ctx, ref, 1, NULL, 0), TROUPE_OK));
    return system;
}

/** @return the audit, to be freed; *out_balances is its result. */
static char *audit_of(troupe_system_t *system, bool *out_balances)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *file = open_memstream(&text, &bytes);
    cr_assert(ne(ptr, file, NULL));
    *out_balances = troupe_system_audit(system, file);
    (void)fclose(file);
    return text;
}

/** End the system, and expect an audit that prints @p what; NULL: one that balances. */
static void expect_audit(troupe_system_t *system, const char *what)
{
    bool balances = false;
    troupe_system_stop(system);
    cr_assert(eq(int, troupe_system_run(system), TROUPE_OK), "%s", troupe_error_detail());
    char *text = audit_of(system, &balances);
    cr_expect(eq(int, balances, what == NULL), "%s", text);
    cr_expect(strstr(text, what != NULL ? what : "the counters balance") != NULL, "%s", text);
    free(text);
    cr_expect(eq(int, troupe_system_destroy(&system), TROUPE_OK));
}

Test(audit, balances_where_nothing_is_wrong)
{
    expect_audit(open_system(), NULL);
}

Test(audit, names_the_channel_on_which_messages_are_missing)
{
    troupe_system_t *system = open_system();
    struct trp_channel *channel = trp_idmap_find(&system->executor->channels.by_peer, 1);
    cr_assert(ne(ptr, channel, NULL));
    trp_count(&channel->ledger->accepted, 2);
    expect_audit(
        system,
        "NOT BALANCED: the channel from executor 0 (ecs) to executor 1 (sink) ended: it accepted 3 "
        "messages and has an outcome for 1, 2 too few");
}

Test(audit, names_the_channel_on_which_messages_have_two_outcomes)
{
    troupe_system_t *system = open_system();
    trp_count(&system->executor->channels.loop->ledger->dead[TROUPE_DEAD_STOPPED], 4);
    expect_audit(
        system, "to executor 0 (ecs) ended: it accepted 0 messages and has an outcome for 4");
}

Test(audit, finds_nothing_wrong_with_what_waits_while_the_system_runs)
{
    troupe_system_t *system = open_system();
    trp_count(&system->executor->channels.loop->ledger->accepted, 5);
    bool balances = false;
    char *text = audit_of(system, &balances);
    cr_expect(balances, "%s", text);
    cr_expect(strstr(text, "waiting 5") != NULL, "%s", text);
    free(text);
    expect_audit(system, "it accepted 5 messages and has an outcome for 0, 5 too few");
}

/* As an exit status. ---------------------------------------------------------------------------- */

static enum troupe_err forger_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)state, (void)args, (void)args_bytes;
    trp_count(&trp_executor_of(ctx)->channels.loop->ledger->accepted, 1);
    troupe_stop(ctx);
    return TROUPE_OK;
}

static const struct troupe_behaviour forger = {
    .name = "forger", .init = forger_init, .receive = sink_receive};

static enum troupe_err quitter_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)state, (void)args, (void)args_bytes;
    troupe_fail(ctx, 7, "enough");
    return TROUPE_OK;
}

static const struct troupe_behaviour quitter = {
    .name = "quitter", .init = quitter_init, .receive = sink_receive};

static int run_forger(void *line)
{
    return child_troupe_main_unaudited(line, TROUPE_BEHAVIOURS(&forger));
}

Test(audit, of_a_program_is_its_exit_status)
{
    char with[] = "forger --audit";
    char without[] = "forger --stats";
    struct child_end end = child_run(run_forger, with);
    cr_expect(eq(int, end.status, 3), "%s", end.err);
    cr_expect(strstr(end.audit, "NOT BALANCED") != NULL, "%s", end.audit);
    end = child_run(run_forger, without);
    cr_expect(eq(int, end.status, 0), "%s", end.err);
}

static int run_failing(void *line)
{
    return child_troupe_main(line, TROUPE_BEHAVIOURS(&quitter));
}

Test(audit, of_a_child_is_checked_whatever_its_status_and_kept_apart)
{
    char line[] = "quitter";
    struct child_end end = child_run(run_failing, line);
    cr_expect(eq(int, end.status, 7), "%s", end.err);
    cr_expect(strstr(end.err, "enough") != NULL, "%s", end.err);
    cr_expect(strstr(end.err, "accepted") == NULL, "%s", end.err);
    cr_expect(strstr(end.audit, "the counters balance\n") != NULL, "%s", end.audit);
}

/*
 * What an inbox takes while it settles with a process that died counts as work: whoever waits for it looks
 * again before it sleeps. Here a process "dies" just when the message has arrived.
 */
#include "support/echo_system.h"
#include "support/fixture.h"
#include "support/measure.h"

#include "actor/executor.h"
#include "actor/inbox_mail.h"
#include "api/asking.h"
#include "api/inbox.h"
#include "shared/shared.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <sched.h>

TestSuite(inbox_turns, .timeout = 60);

static struct stage {
    troupe_system_t *system;
    troupe_inbox_t *inbox;
    troupe_ref_t echo;
} stage_open(void)
{
    struct stage stage = {.system = echo_system_new()};
    stage.inbox = echo_inbox_new(stage.system);
    MUST(echo_spawn(troupe_system_context(stage.system), "thread", &stage.echo));
    return stage;
}

/** Wait until something has arrived at the inbox's mailbox. */
static void await_arrival(const troupe_inbox_t *inbox)
{
    struct troupe_executor *executor = inbox->executor;
    uint64_t deadline_ns = measure_now_ns() + ECHO_DEADLINE_NS;
    while (!trp_mailbox_has_mail(&executor->mailbox)) {
        MUST_BE(measure_now_ns() < deadline_ns);
        (void)sched_yield();
    }
}

static void note_an_exit(const troupe_inbox_t *inbox)
{
    (void)atomic_fetch_add(&inbox->executor->runtime->shared->process_exit_count, 1);
}

/** Take one step of the inbox that may sleep for long. @return whether it came back soon. */
static bool step_is_short(troupe_inbox_t *inbox)
{
    uint64_t start_ns = measure_now_ns();
    trp_inbox_step(inbox, 5 * MEASURE_SECOND_NS);
    return measure_now_ns() - start_ns < 2 * MEASURE_SECOND_NS;
}

Test(inbox_turns, a_reply_taken_with_an_exit_ends_the_wait_for_it)
{
    struct stage stage = stage_open();
    uint64_t number = 5;
    MUST_BE(echo_ask(stage.inbox, stage.echo, 1) == TROUPE_OK); // both channels are open now
    const struct troupe_outgoing outgoing = {
        .to = stage.echo, .type = ECHO_REQUEST, .body = &number, .body_bytes = sizeof(number)};
    stage.inbox->ask = ++stage.inbox->ask_count;
    MUST(trp_inbox_send_ask(&stage.inbox->executor->context, &outgoing, stage.inbox->ask));
    await_arrival(stage.inbox);
    note_an_exit(stage.inbox);

    cr_expect(step_is_short(stage.inbox));

    cr_expect(eq(u64, stage.inbox->ask, 0), "the reply was not taken in that step");
    troupe_message_destroy(&stage.inbox->reply);
    echo_system_end(&stage.system, &stage.inbox);
}

Test(inbox_turns, a_message_taken_with_an_exit_ends_the_wait_for_one)
{
    struct stage stage = stage_open();
    uint64_t number = 5;
    MUST_BE(echo_ask(stage.inbox, stage.echo, 1) == TROUPE_OK);
    troupe_context_t *ctx = troupe_inbox_context(stage.inbox);
    MUST(troupe_send(ctx, stage.echo, ECHO_REQUEST, &number, sizeof(number)));
    await_arrival(stage.inbox);
    note_an_exit(stage.inbox);

    cr_expect(step_is_short(stage.inbox));

    troupe_message_t *message = NULL;
    cr_expect(eq(int, troupe_inbox_receive(stage.inbox, 0, &message), TROUPE_OK));
    troupe_message_destroy(&message);
    echo_system_end(&stage.system, &stage.inbox);
}

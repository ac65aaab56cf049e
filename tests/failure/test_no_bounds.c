/*
 * The largest value of each option and argument is no bound, or as good as none: sums with it do not wrap.
 */
#include "support/audit.h"
#include "support/backend_clone.h"
#include "support/echo_system.h"
#include "support/fixture.h"
#include "support/measure.h"

TestSuite(no_bounds, .timeout = 60);

static troupe_system_t *unbounded_system(void)
{
    const struct troupe_system_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&echo_behaviour),
        .mailbox_messages = UINT32_MAX,
        .mailbox_bytes = SIZE_MAX,
        .stop_timeout_ns = UINT64_MAX,
        .callback_timeout_ns = UINT64_MAX,
    };
    troupe_system_t *system = NULL;
    MUST(troupe_system_new(&options, &system));
    return system;
}

BACKEND_TEST(no_bounds, a_system_of_the_largest_bounds_works_and_ends_in_order)
{
    MUST(troupe_backend_register(&backend_clone));
    troupe_system_t *system = unbounded_system();
    troupe_inbox_t *inbox = echo_inbox_new(system);
    troupe_ref_t echo = TROUPE_REF_NONE;
    MUST(echo_spawn(troupe_inbox_context(inbox), "thread", &echo));
    struct echo_spawned there = echo_ask_to_spawn(inbox, echo, placement->place);
    MUST(there.err);
    bool is_here = there.ref.node == 1 && there.ref.executor == 0;
    if (!is_here) { // executor 0 runs only below
        cr_expect(eq(int, echo_ask(inbox, there.ref, 7), TROUPE_OK), "%s", troupe_error_detail());
    }
    cr_expect(eq(int, echo_ask(inbox, echo, 8), TROUPE_OK), "%s", troupe_error_detail());
    uint64_t start_ns = measure_now_ns();
    echo_system_end(&system, &inbox);
    cr_expect(lt(u64, measure_now_ns() - start_ns, 10 * MEASURE_SECOND_NS));
}

static void expect_progress(troupe_system_t *system, struct troupe_budget budget)
{
    uint64_t start_ns = measure_now_ns();
    cr_expect(eq(int, troupe_system_progress(system, &budget), TROUPE_OK));
    cr_expect(lt(u64, measure_now_ns() - start_ns, 5 * MEASURE_SECOND_NS));
}

Test(no_bounds, the_largest_budgets_handle_what_is_there_and_return)
{
    troupe_system_t *system = echo_system_new();
    troupe_context_t *ctx = troupe_system_context(system);
    troupe_ref_t echo = TROUPE_REF_NONE;
    MUST(echo_spawn(ctx, NULL, &echo));
    const struct troupe_budget budgets[] = {
        {.messages = UINT64_MAX}, {.ns = UINT64_MAX}, {.messages = UINT64_MAX, .ns = UINT64_MAX}};
    struct troupe_stats stats;
    for (size_t i = 0; i < 3; i++) {
        MUST(troupe_send(ctx, echo, 1, NULL, 0));
        expect_progress(system, budgets[i]);
        troupe_system_stats(system, &stats);
        cr_expect(eq(u64, stats.handled, stats.accepted), "budget %zu handled nothing", i);
    }
    troupe_system_stop(system);
    MUST(troupe_system_run(system));
    audit_and_destroy(&system);
}

static void on_reply(
    troupe_context_t *ctx,
    void *state,
    uint64_t tag,
    enum troupe_err err,
    const troupe_message_t *reply)
{
    (void)state;
    const troupe_ref_t *echo =
        (const troupe_ref_t *)(uintptr_t)tag; // NOLINT(performance-no-int-to-ptr)
    MUST(err);
    MUST_BE(troupe_message_type(reply) == ECHO_REPLY);
    const struct troupe_outgoing outgoing = {
        .to = *echo, .type = ECHO_REQUEST, .ttl_ns = UINT64_MAX};
    MUST(troupe_send_message(ctx, &outgoing));
}

/** Ask, send and set timers with the largest times; only what is not a timer is to happen. */
static void use_the_largest_times(troupe_context_t *ctx, void *data)
{
    const troupe_ref_t *echo = data;
    const struct troupe_outgoing outgoing = {
        .to = *echo, .type = ECHO_REQUEST, .ttl_ns = UINT64_MAX};
    const struct troupe_outgoing never = {.to = troupe_self(ctx), .type = ECHO_STOP};
    MUST(troupe_send_after(ctx, UINT64_MAX, &never, NULL));
    MUST(troupe_send_every(ctx, UINT64_MAX, &never, NULL));
    const struct troupe_ask_options ask = {
        .on_reply = on_reply, .timeout_ns = UINT64_MAX, .tag = (uint64_t)(uintptr_t)echo};
    MUST(troupe_ask(ctx, &outgoing, &ask));
}

BACKEND_TEST(no_bounds, the_largest_times_are_for_ever_and_never_now)
{
    struct fixture *fixture = fixture_open(
        placement, &(struct fixture_options){.behaviours = TROUPE_BEHAVIOURS(&echo_behaviour)});
    troupe_ref_t echo = fixture_spawn(fixture, &echo_behaviour);

    fixture_call(fixture, use_the_largest_times, &echo);

    (void)fixture_receive(fixture, ECHO_REPLY);
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead, 0), "a message expired, or a timer fired");
}

SUBJECTS(&echo_behaviour);

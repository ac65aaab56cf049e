/*
 * troupe_check(): a result that is an error ends the running actor, with its code and its text.
 */
#include "support/fixture.h"

#include <string.h>

enum {
    CHECK_OK = 1, // ask: check a call that succeeds; replied to with CHECKED
    CHECK_ERROR,  // likewise, a call that fails
    CHECK_TWO,    // likewise, two calls that fail, one after the other
    CHECKED,      // uint32_t: 1 if troupe_check() returned true
};

static uint32_t check_reserved_type(troupe_context_t *ctx)
{
    return troupe_check(ctx, troupe_send(ctx, troupe_self(ctx), TROUPE_MESSAGE_RESERVED, NULL, 0));
}

static void checker_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    uint32_t result = 0;
    switch (troupe_message_type(message)) {
    case CHECKED:
        return; // from itself
    case CHECK_OK:
        result = troupe_check(ctx, troupe_send(ctx, troupe_self(ctx), CHECKED, NULL, 0));
        break;
    case CHECK_ERROR:
        result = check_reserved_type(ctx);
        break;
    default:
        result = check_reserved_type(ctx);
        result |= troupe_check(ctx, troupe_unregister(ctx, "a name of no actor"));
        break;
    }
    REPORT(ctx, message, CHECKED, &result);
}

static const struct troupe_behaviour checker = {.name = "checker", .receive = checker_receive};

static void monitor(troupe_context_t *ctx, void *data)
{
    MUST(troupe_monitor(ctx, *(const troupe_ref_t *)data, NULL));
}

static struct fixture *open_with_checker(
    const struct fixture_placement *placement, troupe_ref_t *out_checker)
{
    struct fixture *fixture = fixture_open(
        placement, &(struct fixture_options){.behaviours = TROUPE_BEHAVIOURS(&checker)});
    *out_checker = fixture_spawn(fixture, &checker);
    fixture_call(fixture, monitor, out_checker);
    return fixture;
}

static uint32_t ask_to_check(struct fixture *fixture, troupe_ref_t ref, uint32_t type)
{
    fixture_ask(fixture, ref, type, NULL, 0);
    return *FIXTURE_RECEIVE(fixture, CHECKED, uint32_t);
}

BACKEND_TEST(checks, a_result_without_error_is_true_and_the_actor_goes_on)
{
    troupe_ref_t ref = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_checker(placement, &ref);

    cr_expect(eq(u32, ask_to_check(fixture, ref, CHECK_OK), 1));

    cr_expect(eq(u32, ask_to_check(fixture, ref, CHECK_OK), 1), "it still replies");
    cr_expect(eq(u32, fixture_pending_count(fixture, TROUPE_MESSAGE_DOWN), 0));
    (void)fixture_close(&fixture);
}

BACKEND_TEST(checks, an_error_is_false_and_ends_the_actor_with_code_and_text)
{
    troupe_ref_t ref = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_checker(placement, &ref);

    cr_expect(eq(u32, ask_to_check(fixture, ref, CHECK_ERROR), 0));

    const struct troupe_down *down =
        FIXTURE_RECEIVE(fixture, TROUPE_MESSAGE_DOWN, struct troupe_down);
    cr_expect(eq(int, down->exit.reason, TROUPE_EXIT_ERROR));
    cr_expect(eq(int, down->exit.code, TROUPE_ERR_INVAL));
    cr_expect(strstr(down->exit.text, "message type") != NULL, "%s", down->exit.text);
    (void)fixture_close(&fixture);
}

BACKEND_TEST(checks, the_first_of_two_errors_is_the_exit_reason)
{
    troupe_ref_t ref = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_checker(placement, &ref);

    cr_expect(eq(u32, ask_to_check(fixture, ref, CHECK_TWO), 0));

    const struct troupe_down *down =
        FIXTURE_RECEIVE(fixture, TROUPE_MESSAGE_DOWN, struct troupe_down);
    cr_expect(eq(int, down->exit.code, TROUPE_ERR_INVAL));
    (void)fixture_close(&fixture);
}

BACKEND_TEST(checks, the_main_program_gets_the_truth_and_goes_on)
{
    troupe_ref_t ref = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_checker(placement, &ref);
    troupe_context_t *main_program = troupe_system_context(fixture_system(fixture));

    cr_expect(troupe_check(main_program, TROUPE_OK));
    cr_expect(not(troupe_check(main_program, TROUPE_ERR_NOMEM)));

    cr_expect(eq(u32, ask_to_check(fixture, ref, CHECK_OK), 1), "the system goes on");
    (void)fixture_close(&fixture);
}

SUBJECTS(&checker);

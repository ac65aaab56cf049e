/*
 * A system's handles where they are of no use: its context once the system has ended, and running or destroying it
 * within one of its own callbacks. Errors with a text, and no harm.
 */
#include "support/audit.h"
#include "support/backend_clone.h"
#include "support/echo_system.h"
#include "support/fixture.h"

#include <string.h>

TestSuite(after_the_end, .timeout = 60);

static void on_reply(
    troupe_context_t *ctx,
    void *state,
    uint64_t tag,
    enum troupe_err err,
    const troupe_message_t *reply)
{
    (void)ctx, (void)state, (void)tag, (void)err, (void)reply;
}

static void expect_ended(enum troupe_err err, const char *what)
{
    cr_expect(err == TROUPE_ERR_CLOSED, "%s: %s", what, troupe_strerror(err));
    cr_expect(strstr(troupe_error_detail(), "has ended") != NULL, "%s", troupe_error_detail());
}

static void use_everything(troupe_context_t *ctx, troupe_ref_t echo)
{
    static _Alignas(8) char bytes[8] = "";
    struct troupe_body body = {.data = bytes, .bytes = sizeof(bytes)};
    const struct troupe_outgoing outgoing = {.to = echo, .type = ECHO_REQUEST};
    const struct troupe_ask_options ask = {.on_reply = on_reply};
    const struct troupe_reply_to reply_to = {.ref = echo, .ask = 1};
    troupe_ref_t ref = TROUPE_REF_NONE;
    troupe_monitor_t monitor = 0;
    troupe_timer_t timer = 0;
    expect_ended(troupe_send(ctx, echo, ECHO_REQUEST, NULL, 0), "send");
    expect_ended(troupe_send(ctx, echo, ECHO_REQUEST, bytes, 8), "send of a word");
    expect_ended(troupe_send_message(ctx, &outgoing), "send_message");
    expect_ended(troupe_send_body(ctx, echo, ECHO_REQUEST, &body), "send_body");
    expect_ended(troupe_ask(ctx, &outgoing, &ask), "ask");
    expect_ended(troupe_reply_later(ctx, reply_to, ECHO_REPLY, NULL, 0), "reply_later");
    expect_ended(troupe_send_after(ctx, 1, &outgoing, &timer), "send_after");
    expect_ended(echo_spawn(ctx, NULL, &ref), "spawn");
    expect_ended(echo_spawn(ctx, "thread", &ref), "spawn of a thread");
    expect_ended(echo_spawn(ctx, "process", &ref), "spawn of a process");
    expect_ended(troupe_stop_actor(ctx, echo), "stop_actor");
    expect_ended(troupe_kill(ctx, echo), "kill");
    expect_ended(troupe_monitor(ctx, echo, &monitor), "monitor");
    expect_ended(troupe_link(ctx, echo), "link");
    expect_ended(troupe_register(ctx, "name"), "register");
    expect_ended(troupe_lookup(ctx, "name", &ref), "lookup");
    expect_ended(troupe_dead_letters_subscribe(ctx, true), "dead_letters_subscribe");
    troupe_flush(ctx);
    cr_expect(gt(u64, troupe_now(ctx), 0), "the time goes on");
}

BACKEND_TEST(after_the_end, the_context_of_an_ended_system_is_refused_and_still_there)
{
    MUST(troupe_backend_register(&backend_clone));
    troupe_system_t *system = echo_system_new();
    troupe_context_t *ctx = troupe_system_context(system);
    troupe_ref_t echo = TROUPE_REF_NONE;
    MUST(echo_spawn(ctx, placement->place, &echo));
    MUST(troupe_send(ctx, echo, 1, NULL, 0)); // a type it ignores
    troupe_system_stop(system);
    MUST(troupe_system_run(system));

    use_everything(ctx, echo);

    expect_ended(troupe_system_progress(system, NULL), "progress");
    cr_expect(eq(int, troupe_system_run(system), TROUPE_OK), "a run after the end has no work");
    audit_and_destroy(&system);
}

static void expect_within(enum troupe_err err, const char *what)
{
    cr_expect(err == TROUPE_ERR_INVAL, "%s: %s", what, troupe_strerror(err));
    cr_expect(strstr(troupe_error_detail(), what) != NULL, "%s", troupe_error_detail());
    cr_expect(
        strstr(troupe_error_detail(), "within a callback") != NULL, "%s", troupe_error_detail());
}

static void end_it_within(troupe_context_t *ctx, void *data)
{
    (void)ctx;
    troupe_system_t *system = *(troupe_system_t **)data;
    expect_within(troupe_system_run(system), "troupe_system_run()");
    expect_within(troupe_system_progress(system, NULL), "troupe_system_progress()");
    expect_within(troupe_system_destroy(&system), "troupe_system_destroy()");
    cr_expect(ne(ptr, system, NULL));
}

Test(after_the_end, running_or_ending_a_system_within_its_callback_is_refused)
{
    static const struct fixture_placement placement = {.name = "ecs", .place = "ecs"};
    struct fixture *fixture = fixture_open(
        &placement, &(struct fixture_options){.behaviours = TROUPE_BEHAVIOURS(&echo_behaviour)});
    troupe_system_t *system = fixture_system(fixture);
    troupe_ref_t echo = fixture_spawn(fixture, &echo_behaviour);

    fixture_call(fixture, end_it_within, &system);

    uint64_t number = 3;
    fixture_ask(fixture, echo, ECHO_REQUEST, &number, sizeof(number));
    cr_expect(eq(u64, *FIXTURE_RECEIVE(fixture, ECHO_REPLY, uint64_t), number));
    (void)fixture_close(&fixture);
}

SUBJECTS(&echo_behaviour);

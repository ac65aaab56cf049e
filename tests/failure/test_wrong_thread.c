/*
 * Contexts and inboxes on a thread that does not own them: an error, and no harm. Contexts are checked in debug builds
 * only, for the check would cost more than a send; inboxes are checked in all.
 */
#include "support/echo_system.h"
#include "support/fixture.h"

#include <pthread.h>
#include <string.h>

/** Run @p run on another thread, and return when it has returned. */
static void elsewhere(void *(*run)(void *), void *data)
{
    pthread_t thread;
    cr_assert(pthread_create(&thread, NULL, run, data) == 0);
    cr_assert(pthread_join(thread, NULL) == 0);
}

/** What the other thread is to try. */
struct attempt {
    troupe_system_t *system;
    troupe_context_t *ctx;
    troupe_ref_t echo;
    troupe_inbox_t *inbox;
};

#ifdef TROUPE_DCHECK_ENABLED

static void expect_refused(enum troupe_err err, const char *what)
{
    cr_expect(err == TROUPE_ERR_THREAD, "%s: %s", what, troupe_strerror(err));
    cr_expect(strstr(troupe_error_detail(), "another thread") != NULL, "%s", troupe_error_detail());
}

static void *use_context(void *data)
{
    const struct attempt *attempt = data;
    troupe_context_t *ctx = attempt->ctx;
    uint64_t number = 1;
    _Alignas(8) char bytes[8] = "";
    struct troupe_body body = {.data = bytes, .bytes = sizeof(bytes)};
    const struct troupe_outgoing outgoing = {.to = attempt->echo, .type = ECHO_REQUEST};
    troupe_ref_t ref = TROUPE_REF_NONE;
    troupe_timer_t timer = 0;
    expect_refused(TROUPE_SEND(ctx, attempt->echo, ECHO_REQUEST, &number), "send");
    expect_refused(troupe_send_body(ctx, attempt->echo, ECHO_REQUEST, &body), "give");
    expect_refused(echo_spawn(ctx, NULL, &ref), "spawn");
    expect_refused(echo_spawn(ctx, "thread", &ref), "spawn");
    expect_refused(troupe_stop_actor(ctx, attempt->echo), "stop_actor");
    expect_refused(troupe_send_after(ctx, 1, &outgoing, &timer), "send_after");
    expect_refused(troupe_send_every(ctx, 1, &outgoing, &timer), "send_every");
    expect_refused(troupe_timer_cancel(ctx, 1), "timer_cancel");
    expect_refused(troupe_register(ctx, "name"), "register");
    expect_refused(troupe_become(ctx, &echo_behaviour), "become");
    return NULL;
}

static void *use_system(void *data)
{
    struct attempt *attempt = data;
    troupe_system_t *system = attempt->system;
    expect_refused(troupe_system_progress(system, NULL), "progress");
    expect_refused(troupe_system_run(system), "run");
    expect_refused(troupe_system_destroy(&system), "destroy");
    cr_expect(eq(ptr, system, attempt->system));
    return NULL;
}

/** An actor's own context, in the hands of another thread while its callback runs. */
static void call_while_another_thread_tries(troupe_context_t *ctx, void *data)
{
    struct attempt *attempt = data;
    attempt->ctx = ctx;
    elsewhere(use_context, attempt);
    uint64_t number = 7;
    cr_expect(eq(int, TROUPE_SEND(ctx, attempt->echo, ECHO_REQUEST, &number), TROUPE_OK));
}

BACKEND_TEST(wrong_thread, a_context_is_refused_on_another_thread_and_still_works_on_its_own)
{
    struct fixture *fixture = fixture_open(
        placement, &(struct fixture_options){.behaviours = TROUPE_BEHAVIOURS(&echo_behaviour)});
    troupe_system_t *system = fixture_system(fixture);
    struct attempt attempt = {
        .system = system,
        .ctx = troupe_system_context(system),
        .echo = fixture_spawn(fixture, &echo_behaviour),
    };

    elsewhere(use_context, &attempt);
    elsewhere(use_system, &attempt);
    fixture_call(fixture, call_while_another_thread_tries, &attempt);

    cr_expect(eq(u64, *FIXTURE_RECEIVE(fixture, ECHO_REPLY, uint64_t), 7));
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead, 0));
}

#endif

static void *use_inbox(void *data)
{
    struct attempt *attempt = data;
    troupe_inbox_t *inbox = attempt->inbox;
    const struct troupe_outgoing outgoing = {.to = attempt->echo, .type = ECHO_REQUEST};
    troupe_message_t *message = NULL;
    cr_expect(eq(ptr, troupe_inbox_context(inbox), NULL));
    cr_expect(eq(int, troupe_inbox_receive(inbox, 1, &message), TROUPE_ERR_THREAD));
    cr_expect(eq(int, troupe_inbox_ask(inbox, &outgoing, 1, &message), TROUPE_ERR_THREAD));
    cr_expect(eq(int, troupe_inbox_destroy(&inbox), TROUPE_ERR_THREAD));
    cr_expect(eq(ptr, inbox, attempt->inbox));
    cr_expect(eq(ptr, message, NULL));
    cr_expect(strstr(troupe_error_detail(), "thread") != NULL, "%s", troupe_error_detail());
    return NULL;
}

Test(wrong_thread, an_inbox_is_refused_on_another_thread_and_still_works_on_its_own)
{
    troupe_system_t *system = echo_system_new();
    struct attempt attempt = {.system = system, .inbox = echo_inbox_new(system)};
    cr_assert(eq(
        int, echo_spawn(troupe_inbox_context(attempt.inbox), "thread", &attempt.echo), TROUPE_OK));

    elsewhere(use_inbox, &attempt);

    cr_expect(eq(int, echo_ask(attempt.inbox, attempt.echo, 3), TROUPE_OK));
    echo_system_end(&system, &attempt.inbox);
}

SUBJECTS(&echo_behaviour);

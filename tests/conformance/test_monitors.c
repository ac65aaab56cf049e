/*
 * Every exit is observable, by monitors and by links: once, with the reason, after the last message.
 */
#include "support/fixture.h"

#include <stdio.h>
#include <string.h>

enum {
    STOP = 1,    // stop
    FAIL,        // fail with code 7
    MONITOR,     // monitor the troupe_ref_t, and report its DOWN to the sender
    MONITORING,  // done
    LINK,        // link to the troupe_ref_t
    LINK_TRAP,   // likewise, trapping exits
    UNLINK,      // undo it
    LINKED,      // done
    REPORT_DOWN, // to the sender of MONITOR: struct troupe_down
    COUNT_DOWN,  // send NUMBER counting down from the uint64_t, then stop
    NUMBER,      // uint64_t
    PING,        // replied to with PING
};

enum { CODE = 7, NUMBERS = 1000, CHAIN = 8, WATCHERS = 6 };

/* Subjects follow their messages, and end. ----------------------------------------------------- */

struct subject {
    troupe_ref_t reply_to; // gets its reports
};

static void subject_on_down(
    troupe_context_t *ctx, const struct subject *subject, const troupe_message_t *message)
{
    const struct troupe_down *down = TROUPE_BODY(message, struct troupe_down);
    MUST_BE(down != NULL);
    MUST(TROUPE_SEND(ctx, subject->reply_to, REPORT_DOWN, down));
}

static void subject_count_down(troupe_context_t *ctx, const troupe_message_t *message)
{
    for (uint64_t n = *TROUPE_BODY(message, uint64_t); n > 0; n--) {
        MUST(TROUPE_SEND(ctx, troupe_message_sender(message), NUMBER, &n));
    }
    troupe_stop(ctx);
}

static void subject_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct subject *subject = state;
    const troupe_ref_t *peer = TROUPE_BODY(message, troupe_ref_t);
    switch (troupe_message_type(message)) {
    case STOP:
        troupe_stop(ctx);
        break;
    case FAIL:
        troupe_fail(ctx, CODE, "out of ink");
        break;
    case MONITOR:
        subject->reply_to = troupe_message_sender(message);
        MUST(troupe_monitor(ctx, *peer, NULL));
        MUST(troupe_reply(ctx, message, MONITORING, NULL, 0));
        break;
    case LINK:
    case LINK_TRAP:
        subject->reply_to = troupe_message_sender(message);
        troupe_trap_exit(ctx, troupe_message_type(message) == LINK_TRAP);
        MUST(troupe_link(ctx, *peer));
        MUST(troupe_reply(ctx, message, LINKED, NULL, 0));
        break;
    case UNLINK:
        MUST(troupe_unlink(ctx, *peer));
        MUST(troupe_reply(ctx, message, LINKED, NULL, 0));
        break;
    case COUNT_DOWN:
        subject_count_down(ctx, message);
        break;
    case PING:
        MUST(troupe_reply(ctx, message, PING, NULL, 0));
        break;
    case TROUPE_MESSAGE_DOWN:
    case TROUPE_MESSAGE_EXIT:
        subject_on_down(ctx, subject, message);
        break;
    default:
        break;
    }
}

static const struct troupe_behaviour subject = {
    .name = "subject", .state_bytes = sizeof(struct subject), .receive = subject_receive};

/* Failing actors cannot start. ----------------------------------------------------------------- */

static enum troupe_err failing_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)ctx;
    (void)state;
    (void)args;
    (void)args_bytes;
    return TROUPE_ERR_TOOBIG;
}

static const struct troupe_behaviour failing = {
    .name = "failing", .init = failing_init, .receive = subject_receive};

/* What the scenario does. ---------------------------------------------------------------------- */

static struct fixture *ends_open(const struct fixture_placement *placement)
{
    return fixture_open(
        placement, &(struct fixture_options){.behaviours = TROUPE_BEHAVIOURS(&subject, &failing)});
}

struct monitor_order {
    troupe_ref_t actor;
    const char *name; // instead
    bool of_executor;
    troupe_monitor_t monitor; // out
    enum troupe_err err;      // out
};

static void act_monitor(troupe_context_t *ctx, void *data)
{
    struct monitor_order *order = data;
    if (order->name != NULL) {
        order->err = troupe_monitor_name(ctx, order->name, &order->monitor);
    } else if (order->of_executor) {
        order->err = troupe_monitor_executor(ctx, order->actor, &order->monitor);
    } else {
        order->err = troupe_monitor(ctx, order->actor, &order->monitor);
    }
}

static troupe_monitor_t scenario_monitors(struct fixture *fixture, troupe_ref_t actor)
{
    struct monitor_order order = {.actor = actor};
    fixture_call(fixture, act_monitor, &order);
    cr_assert(eq(int, order.err, TROUPE_OK));
    cr_assert(ne(u64, order.monitor, 0));
    return order.monitor;
}

static void act_demonitor(troupe_context_t *ctx, void *data)
{
    const struct monitor_order *order = data;
    cr_assert(eq(int, (int)troupe_demonitor(ctx, order->monitor), TROUPE_OK));
    cr_assert(eq(int, (int)troupe_demonitor(ctx, order->monitor), TROUPE_ERR_NOENT));
}

static void act_kill(troupe_context_t *ctx, void *data)
{
    cr_assert(eq(int, (int)troupe_kill(ctx, *(troupe_ref_t *)data), TROUPE_OK));
}

static void act_stop(troupe_context_t *ctx, void *data)
{
    cr_assert(eq(int, (int)troupe_stop_actor(ctx, *(troupe_ref_t *)data), TROUPE_OK));
}

static const struct troupe_down *receive_down(struct fixture *fixture, troupe_ref_t actor)
{
    const struct troupe_down *down =
        FIXTURE_RECEIVE(fixture, TROUPE_MESSAGE_DOWN, struct troupe_down);
    cr_assert(troupe_ref_equal(down->actor, actor));
    return down;
}

static void make_link(struct fixture *fixture, troupe_ref_t target, troupe_ref_t to, uint32_t how)
{
    fixture_send(fixture, target, how, &to, sizeof(to));
    (void)fixture_receive(fixture, LINKED);
    fixture_ask(
        fixture, to, PING, NULL, 0); // its monitor request is ordered before its own messages only
    (void)fixture_receive(fixture, PING);
}

/** Two subjects, one of which has linked to the other. */
struct pair {
    struct fixture *fixture;
    troupe_ref_t one;
    troupe_ref_t other;
};

/** @param how  LINK or LINK_TRAP. */
static struct pair pair_open(const struct fixture_placement *placement, uint32_t how)
{
    struct pair pair = {.fixture = ends_open(placement)};
    pair.one = fixture_spawn(pair.fixture, &subject);
    pair.other = fixture_spawn(pair.fixture, &subject);
    make_link(pair.fixture, pair.one, pair.other, how);
    return pair;
}

/** The actor replies, and nothing else was received before. */
static void expect_alive(struct fixture *fixture, troupe_ref_t actor)
{
    fixture_ask(fixture, actor, PING, NULL, 0);
    const struct received *reply = fixture_receive_any(fixture);
    cr_assert(eq(u32, reply->type, PING));
}

/* Monitors. ------------------------------------------------------------------------------------ */

BACKEND_TEST(monitors, a_monitor_reports_an_actor_that_stopped_itself)
{
    struct fixture *fixture = ends_open(placement);
    troupe_ref_t actor = fixture_spawn(fixture, &subject);
    troupe_monitor_t monitor = scenario_monitors(fixture, actor);
    fixture_send(fixture, actor, STOP, NULL, 0);
    const struct troupe_down *down = receive_down(fixture, actor);
    cr_expect(eq(u64, down->monitor, monitor));
    cr_expect(eq(int, down->exit.reason, TROUPE_EXIT_NORMAL));
    (void)fixture_close(&fixture);
}

BACKEND_TEST(monitors, a_monitor_reports_the_code_and_the_text_of_a_failure)
{
    struct fixture *fixture = ends_open(placement);
    troupe_ref_t actor = fixture_spawn(fixture, &subject);
    (void)scenario_monitors(fixture, actor);
    fixture_send(fixture, actor, FAIL, NULL, 0);
    const struct troupe_down *down = receive_down(fixture, actor);
    cr_expect(eq(int, down->exit.reason, TROUPE_EXIT_ERROR));
    cr_expect(eq(int, down->exit.code, CODE));
    cr_expect(strcmp(down->exit.text, "out of ink") == 0);
    (void)fixture_close(&fixture);
}

BACKEND_TEST(monitors, a_monitor_reports_an_actor_that_was_asked_to_stop)
{
    struct fixture *fixture = ends_open(placement);
    troupe_ref_t actor = fixture_spawn(fixture, &subject);
    (void)scenario_monitors(fixture, actor);
    fixture_call(fixture, act_stop, &actor);
    cr_expect(eq(int, receive_down(fixture, actor)->exit.reason, TROUPE_EXIT_SHUTDOWN));
    (void)fixture_close(&fixture);
}

BACKEND_TEST(monitors, a_monitor_reports_an_actor_that_was_killed)
{
    struct fixture *fixture = ends_open(placement);
    troupe_ref_t actor = fixture_spawn(fixture, &subject);
    (void)scenario_monitors(fixture, actor);
    expect_alive(fixture, actor);
    fixture_call(fixture, act_kill, &actor);
    cr_expect(eq(int, receive_down(fixture, actor)->exit.reason, TROUPE_EXIT_KILLED));
    (void)fixture_close(&fixture);
}

BACKEND_TEST(monitors, a_monitor_reports_an_actor_that_could_not_start)
{
    struct fixture *fixture = ends_open(placement);
    troupe_ref_t actor = fixture_spawn(fixture, &failing);
    (void)scenario_monitors(fixture, actor);
    const struct troupe_down *down = receive_down(fixture, actor);
    cr_expect(eq(int, down->exit.reason, TROUPE_EXIT_INIT_FAILED));
    cr_expect(eq(int, down->exit.code, TROUPE_ERR_TOOBIG));
    (void)fixture_close(&fixture);
}

BACKEND_TEST(monitors, an_exit_is_reported_after_the_last_message)
{
    struct fixture *fixture = ends_open(placement);
    troupe_ref_t actor = fixture_spawn(fixture, &subject);
    (void)scenario_monitors(fixture, actor);
    uint64_t numbers = NUMBERS;
    fixture_send(fixture, actor, COUNT_DOWN, &numbers, sizeof(numbers));
    for (uint64_t n = NUMBERS; n > 0; n--) {
        const struct received *received = fixture_receive_any(fixture);
        cr_assert(eq(u32, received->type, NUMBER));
        cr_assert(eq(u64, *(const uint64_t *)received->body, n));
    }
    const struct received *last = fixture_receive_any(fixture);
    cr_expect(eq(u32, last->type, TROUPE_MESSAGE_DOWN));
    (void)fixture_close(&fixture);
}

BACKEND_TEST(monitors, a_monitor_on_an_ended_actor_reports_at_once)
{
    struct fixture *fixture = ends_open(placement);
    troupe_ref_t actor = fixture_spawn(fixture, &subject);
    (void)scenario_monitors(fixture, actor);
    fixture_send(fixture, actor, FAIL, NULL, 0);
    (void)receive_down(fixture, actor);
    troupe_monitor_t late = scenario_monitors(fixture, actor);
    const struct troupe_down *down = receive_down(fixture, actor);
    cr_expect(eq(u64, down->monitor, late));
    // Its exit is known until its row is reused or freed.
    bool is_known = down->exit.reason == TROUPE_EXIT_ERROR;
    cr_expect(is_known || down->exit.reason == TROUPE_EXIT_UNKNOWN);
    (void)fixture_close(&fixture);
}

BACKEND_TEST(monitors, a_removed_monitor_reports_nothing)
{
    struct fixture *fixture = ends_open(placement);
    troupe_ref_t actor = fixture_spawn(fixture, &subject);
    struct monitor_order order = {.monitor = scenario_monitors(fixture, actor)};
    troupe_monitor_t other = scenario_monitors(fixture, actor);
    fixture_call(fixture, act_demonitor, &order);
    fixture_send(fixture, actor, STOP, NULL, 0);
    cr_expect(eq(u64, receive_down(fixture, actor)->monitor, other));
    fixture_settle(fixture);
    cr_expect(eq(u32, fixture_pending_count(fixture, TROUPE_MESSAGE_DOWN), 0));
    (void)fixture_close(&fixture);
}

BACKEND_TEST(monitors, each_of_many_monitors_reports_once)
{
    struct fixture *fixture = ends_open(placement);
    troupe_ref_t actor = fixture_spawn(fixture, &subject);
    troupe_ref_t watchers[WATCHERS];
    for (int i = 0; i < WATCHERS; i++) {
        watchers[i] = fixture_spawn(fixture, &subject);
        fixture_send(fixture, watchers[i], MONITOR, &actor, sizeof(actor));
    }
    for (int i = 0; i < WATCHERS; i++) {
        (void)fixture_receive(fixture, MONITORING);
    }
    fixture_send(fixture, actor, FAIL, NULL, 0);
    for (int i = 0; i < WATCHERS; i++) {
        const struct troupe_down *down = FIXTURE_RECEIVE(fixture, REPORT_DOWN, struct troupe_down);
        cr_expect(troupe_ref_equal(down->actor, actor));
        cr_expect(eq(int, down->exit.code, CODE));
    }
    for (int i = 0; i < WATCHERS; i++) {
        expect_alive(fixture, watchers[i]);
    }
    (void)fixture_close(&fixture);
}

BACKEND_TEST(monitors, a_monitor_on_an_unregistered_name_reports_at_once)
{
    struct fixture *fixture = ends_open(placement);
    struct monitor_order order = {.name = "nobody"};
    fixture_call(fixture, act_monitor, &order);
    cr_assert(eq(int, order.err, TROUPE_OK));
    const struct troupe_down *down = receive_down(fixture, TROUPE_REF_NONE);
    cr_expect(eq(u64, down->monitor, order.monitor));
    cr_expect(eq(int, down->exit.reason, TROUPE_EXIT_UNKNOWN));
    (void)fixture_close(&fixture);
}

BACKEND_TEST(monitors, a_monitor_on_an_executor_reports_its_end)
{
    struct fixture *fixture = ends_open(placement);
    troupe_ref_t actor = fixture_spawn(fixture, &subject);
    struct monitor_order order = {.actor = actor, .of_executor = true};
    fixture_call(fixture, act_monitor, &order);
    if (fixture_share_executor(actor, fixture_scenario(fixture))) {
        cr_expect(eq(int, order.err, TROUPE_ERR_INVAL));
        fixture_close(&fixture);
        return;
    }
    cr_assert(eq(int, order.err, TROUPE_OK));
    if (fixture_executor_count(placement) == 0) { // a pool lasts as long as the system
        fixture_send(fixture, actor, STOP, NULL, 0);
        const struct troupe_down *down =
            FIXTURE_RECEIVE(fixture, TROUPE_MESSAGE_DOWN, struct troupe_down);
        cr_expect(eq(u32, down->actor.executor, actor.executor));
        cr_expect(eq(u32, down->actor.generation, 0));
    }
    (void)fixture_close(&fixture);
}

/* Links. --------------------------------------------------------------------------------------- */

BACKEND_TEST(monitors, a_linked_actor_exits_with_the_same_reason)
{
    struct pair pair = pair_open(placement, LINK);
    (void)scenario_monitors(pair.fixture, pair.one);
    fixture_send(pair.fixture, pair.other, FAIL, NULL, 0);
    const struct troupe_down *down = receive_down(pair.fixture, pair.one);
    cr_expect(eq(int, down->exit.reason, TROUPE_EXIT_ERROR));
    cr_expect(eq(int, down->exit.code, CODE));
    (void)fixture_close(&pair.fixture);
}

BACKEND_TEST(monitors, a_link_works_from_either_side)
{
    struct pair pair = pair_open(placement, LINK);
    make_link(pair.fixture, pair.other, pair.one, LINK); // twice is once
    (void)scenario_monitors(pair.fixture, pair.other);
    fixture_send(pair.fixture, pair.one, FAIL, NULL, 0);
    cr_expect(eq(int, receive_down(pair.fixture, pair.other)->exit.code, CODE));
    (void)fixture_close(&pair.fixture);
}

BACKEND_TEST(monitors, a_normal_exit_is_not_propagated)
{
    struct pair pair = pair_open(placement, LINK);
    (void)scenario_monitors(pair.fixture, pair.other);
    fixture_send(pair.fixture, pair.other, STOP, NULL, 0);
    (void)receive_down(pair.fixture, pair.other);
    expect_alive(pair.fixture, pair.one);
    (void)fixture_close(&pair.fixture);
}

BACKEND_TEST(monitors, an_actor_that_traps_exits_gets_a_message_and_goes_on)
{
    struct pair pair = pair_open(placement, LINK_TRAP);
    fixture_send(pair.fixture, pair.other, FAIL, NULL, 0);
    const struct troupe_down *down = FIXTURE_RECEIVE(pair.fixture, REPORT_DOWN, struct troupe_down);
    cr_expect(troupe_ref_equal(down->actor, pair.other));
    cr_expect(eq(u64, down->monitor, 0));
    cr_expect(eq(int, down->exit.code, CODE));
    expect_alive(pair.fixture, pair.one);
    (void)fixture_close(&pair.fixture);
}

BACKEND_TEST(monitors, an_unlinked_actor_goes_on)
{
    struct pair pair = pair_open(placement, LINK);
    make_link(pair.fixture, pair.one, pair.other, UNLINK);
    (void)scenario_monitors(pair.fixture, pair.one);
    fixture_send(pair.fixture, pair.one, FAIL, NULL, 0);
    (void)receive_down(pair.fixture, pair.one);
    expect_alive(pair.fixture, pair.other);
    (void)fixture_close(&pair.fixture);
}

BACKEND_TEST(monitors, a_chain_of_linked_actors_exits_as_a_whole)
{
    struct fixture *fixture = ends_open(placement);
    troupe_ref_t chain[CHAIN];
    for (int i = 0; i < CHAIN; i++) {
        chain[i] = fixture_spawn(fixture, &subject);
        (void)scenario_monitors(fixture, chain[i]);
        if (i > 0) {
            make_link(fixture, chain[i], chain[i - 1], LINK);
        }
    }
    fixture_send(fixture, chain[CHAIN / 2], FAIL, NULL, 0);
    for (int i = 0; i < CHAIN; i++) {
        const struct troupe_down *down =
            FIXTURE_RECEIVE(fixture, TROUPE_MESSAGE_DOWN, struct troupe_down);
        cr_expect(eq(int, down->exit.code, CODE));
    }
    (void)fixture_close(&fixture);
}

BACKEND_TEST(monitors, a_link_to_an_ended_actor_reports_its_exit)
{
    struct fixture *fixture = ends_open(placement);
    troupe_ref_t ended = fixture_spawn(fixture, &subject);
    (void)scenario_monitors(fixture, ended);
    fixture_send(fixture, ended, FAIL, NULL, 0);
    (void)receive_down(fixture, ended);
    troupe_ref_t one = fixture_spawn(fixture, &subject);
    fixture_send(fixture, one, LINK_TRAP, &ended, sizeof(ended));
    (void)fixture_receive(fixture, LINKED);
    const struct troupe_down *down = FIXTURE_RECEIVE(fixture, REPORT_DOWN, struct troupe_down);
    cr_expect(troupe_ref_equal(down->actor, ended));
    expect_alive(fixture, one);
    (void)fixture_close(&fixture);
}

SUBJECTS(&subject, &failing);

/*
 * Inboxes: threads that run no actors exchange messages with actors.
 */
#include "support/audit.h"
#include "support/echo_system.h"
#include "support/fixture.h"
#include "support/measure.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

static void on_no_reply(
    troupe_context_t *ctx,
    void *state,
    uint64_t tag,
    enum troupe_err err,
    const troupe_message_t *reply)
{
    (void)ctx, (void)state, (void)tag, (void)err, (void)reply;
}

/** A system with an echo on a thread, and an inbox to ask it through. */
struct stage {
    troupe_system_t *system;
    troupe_inbox_t *inbox;
    troupe_context_t *ctx;
    troupe_ref_t echo;
};

static struct stage stage_open(void)
{
    struct stage stage = {.system = echo_system_new()};
    stage.inbox = echo_inbox_new(stage.system);
    stage.ctx = troupe_inbox_context(stage.inbox);
    cr_assert(eq(int, echo_spawn(stage.ctx, "thread", &stage.echo), TROUPE_OK));
    return stage;
}

/** Close it, and see that every message has an outcome. */
static struct troupe_stats stage_close(struct stage *stage)
{
    cr_expect(eq(int, troupe_inbox_destroy(&stage->inbox), TROUPE_OK));
    troupe_system_stop(stage->system);
    cr_expect(eq(int, troupe_system_run(stage->system), TROUPE_OK));
    struct troupe_stats stats;
    troupe_system_stats(stage->system, &stats);
    cr_expect(audit_balances(stage->system));
    cr_expect(eq(u64, stats.executors_ended, stats.executors_started));
    cr_expect(eq(int, troupe_system_destroy(&stage->system), TROUPE_OK));
    return stats;
}

Test(inboxes, an_ask_gets_its_reply)
{
    struct stage stage = stage_open();

    for (uint64_t i = 0; i < 1000; i++) {
        cr_assert(eq(int, echo_ask(stage.inbox, stage.echo, i), TROUPE_OK));
    }
    stage_close(&stage);
}

Test(inboxes, an_ask_without_a_reply_ends_in_time)
{
    struct stage stage = stage_open();
    const struct troupe_outgoing outgoing = {
        .to = stage.echo, .type = 77}; // it keeps silent on these
    troupe_message_t *reply = NULL;

    uint64_t start_ns = measure_now_ns();
    enum troupe_err err = troupe_inbox_ask(stage.inbox, &outgoing, 50 * MEASURE_MS_NS, &reply);
    uint64_t took_ns = measure_now_ns() - start_ns;

    cr_expect(eq(int, err, TROUPE_ERR_TIMEDOUT));
    cr_expect(eq(ptr, reply, NULL));
    cr_expect(ge(u64, took_ns, 50 * MEASURE_MS_NS));
    cr_expect(lt(u64, took_ns, MEASURE_SECOND_NS));
    cr_expect(eq(int, echo_ask(stage.inbox, stage.echo, 2), TROUPE_OK));
    stage_close(&stage);
}

static void expect_inval(enum troupe_err err, const char *text)
{
    cr_expect(eq(int, err, TROUPE_ERR_INVAL));
    cr_expect(strstr(troupe_error_detail(), text) != NULL, "%s", troupe_error_detail());
}

Test(inboxes, what_is_null_is_refused_with_a_text)
{
    struct stage stage = stage_open();
    troupe_context_t *ctx = stage.ctx;
    troupe_message_t *reply = NULL;
    const struct troupe_spawn_options empty = {0};

    expect_inval(troupe_send_message(ctx, NULL), "`outgoing` is NULL");
    expect_inval(troupe_ask(ctx, NULL, NULL), "`outgoing` is NULL");
    expect_inval(troupe_inbox_ask(stage.inbox, NULL, 0, &reply), "`outgoing` is NULL");
    expect_inval(troupe_send_after(ctx, 0, NULL, NULL), "`outgoing` is NULL");
    expect_inval(troupe_send_every(ctx, 1, NULL, NULL), "`outgoing` is NULL");
    expect_inval(troupe_send_body(ctx, stage.echo, 1, NULL), "`body` is NULL");
    expect_inval(troupe_spawn(ctx, NULL, NULL), "set `behaviour`");
    expect_inval(troupe_spawn(ctx, &empty, NULL), "set `behaviour`");
    stage_close(&stage);
}

Test(inboxes, a_message_on_behalf_of_an_ask_without_its_sender_is_refused)
{
    struct stage stage = stage_open();
    const struct troupe_outgoing outgoing = {
        .to = stage.echo, .type = 1, .on_behalf_of = {.ask = 7}};

    expect_inval(troupe_send_message(stage.ctx, &outgoing), "troupe_message_reply_to()");
    stage_close(&stage);
}

Test(inboxes, a_receive_without_messages_ends_in_time)
{
    struct stage stage = stage_open();
    troupe_message_t *message = NULL;

    cr_expect(eq(int, troupe_inbox_receive(stage.inbox, 0, &message), TROUPE_ERR_TIMEDOUT));
    uint64_t start_ns = measure_now_ns();
    cr_expect(eq(
        int, troupe_inbox_receive(stage.inbox, 50 * MEASURE_MS_NS, &message), TROUPE_ERR_TIMEDOUT));
    uint64_t took_ns = measure_now_ns() - start_ns;

    cr_expect(ge(u64, took_ns, 50 * MEASURE_MS_NS));
    cr_expect(lt(u64, took_ns, MEASURE_SECOND_NS));
    cr_expect(eq(ptr, message, NULL));
    stage_close(&stage);
}

Test(inboxes, an_ask_to_an_ended_actor_fails_with_noent)
{
    struct stage stage = stage_open();
    cr_expect(eq(int, troupe_send(stage.ctx, stage.echo, ECHO_STOP, NULL, 0), TROUPE_OK));

    cr_expect(eq(int, echo_ask(stage.inbox, stage.echo, 1), TROUPE_ERR_NOENT)); // it is going
    echo_wait_for_exits(stage.system, stage.inbox, 1);
    cr_expect(eq(int, echo_ask(stage.inbox, stage.echo, 2), TROUPE_ERR_NOENT)); // it has ended
    cr_expect(strstr(troupe_error_detail(), "had no receiver: stopped") != NULL);
    struct troupe_stats stats = stage_close(&stage);
    cr_expect(eq(u64, stats.dead_by_reason[TROUPE_DEAD_STOPPED], 2));
}

Test(inboxes, expired_messages_are_not_received)
{
    struct stage stage = stage_open();
    troupe_context_t *main_ctx = troupe_system_context(stage.system);
    struct troupe_outgoing outgoing = {.to = troupe_self(stage.ctx)};
    for (uint32_t i = 0; i < 10; i++) {
        outgoing.type = i;
        outgoing.ttl_ns = i % 2 == 0 ? 1 : 1000 * MEASURE_SECOND_NS;
        cr_expect(eq(int, troupe_send_message(main_ctx, &outgoing), TROUPE_OK));
    }

    for (uint32_t i = 1; i < 10; i += 2) {
        troupe_message_t *message = NULL;
        cr_assert(
            eq(int, troupe_inbox_receive(stage.inbox, ECHO_DEADLINE_NS, &message), TROUPE_OK));
        cr_expect(eq(u32, troupe_message_type(message), i));
        troupe_message_destroy(&message);
    }
    struct troupe_stats stats = stage_close(&stage);
    cr_expect(eq(u64, stats.dead_by_reason[TROUPE_DEAD_EXPIRED], 5));
}

Test(inboxes, messages_that_arrive_during_an_ask_wait_to_be_received)
{
    struct stage stage = stage_open();

    for (uint64_t i = 0; i < 100; i++) { // plain sends: the replies are messages
        cr_expect(eq(int, TROUPE_SEND(stage.ctx, stage.echo, ECHO_REQUEST, &i), TROUPE_OK));
    }
    cr_expect(eq(int, echo_ask(stage.inbox, stage.echo, 4711), TROUPE_OK));

    for (uint64_t i = 0; i < 100; i++) {
        troupe_message_t *message = NULL;
        cr_assert(
            eq(int, troupe_inbox_receive(stage.inbox, ECHO_DEADLINE_NS, &message), TROUPE_OK));
        cr_expect(eq(u64, *TROUPE_BODY(message, uint64_t), i));
        cr_expect(troupe_ref_equal(troupe_message_sender(message), stage.echo));
        troupe_message_destroy(&message);
    }
    struct troupe_stats stats = stage_close(&stage);
    cr_expect(eq(u64, stats.dead, 0));
}

Test(inboxes, asks_and_timers_that_need_callbacks_are_refused_with_a_text)
{
    struct stage stage = stage_open();
    const struct troupe_outgoing outgoing = {.to = stage.echo, .type = ECHO_REQUEST};

    cr_expect(
        eq(int,
           troupe_ask(
               stage.ctx, &outgoing, &(const struct troupe_ask_options){.on_reply = on_no_reply}),
           TROUPE_ERR_UNSUPPORTED));
    cr_expect(strstr(troupe_error_detail(), "inbox") != NULL, "%s", troupe_error_detail());
    cr_expect(eq(int, troupe_send_after(stage.ctx, 1, &outgoing, NULL), TROUPE_ERR_UNSUPPORTED));
    cr_expect(strstr(troupe_error_detail(), "inbox") != NULL, "%s", troupe_error_detail());
    cr_expect(eq(int, troupe_send_every(stage.ctx, 1, &outgoing, NULL), TROUPE_ERR_UNSUPPORTED));
    cr_expect(eq(int, troupe_register(stage.ctx, "inbox"), TROUPE_ERR_INVAL));
    stage_close(&stage);
}

/* Bounds. -------------------------------------------------------------------------------------- */

enum { BOUND = 32, HOLD = 1, HOLDING, DROP };

/** Reports that it blocks, and blocks until the pipe of its message has a byte. */
static void holder_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    if (troupe_message_type(message) == HOLD) {
        int fd = *TROUPE_BODY(message, int);
        MUST(troupe_reply(ctx, message, HOLDING, NULL, 0));
        troupe_flush(ctx);
        char byte = 0;
        MUST_BE(read(fd, &byte, 1) == 1);
    }
}

static const struct troupe_behaviour holder = {.name = "holder", .receive = holder_receive};

/** How many sends of an inbox were refused, and how many ROOM notices it got. */
struct refusals {
    uint64_t refused;
    uint64_t rooms;
};

static void on_room(struct stage *stage, struct refusals *refusals)
{
    troupe_message_t *message = NULL;
    cr_assert(eq(int, troupe_inbox_receive(stage->inbox, ECHO_DEADLINE_NS, &message), TROUPE_OK));
    cr_assert(eq(u32, troupe_message_type(message), TROUPE_MESSAGE_ROOM));
    cr_expect(troupe_ref_equal(TROUPE_BODY(message, struct troupe_room)->to, stage->echo));
    troupe_message_destroy(&message);
    refusals->rooms++;
}

/** Have the holder hold until a byte is written to @p gate, as soon as it has room for the ask. */
static void hold(struct stage *stage, const int *gate, struct refusals *refusals)
{
    const struct troupe_outgoing outgoing = {
        .to = stage->echo, .type = HOLD, .body = gate, .body_bytes = sizeof(*gate)};
    troupe_message_t *reply = NULL;
    enum troupe_err err = TROUPE_OK;
    while ((err = troupe_inbox_ask(stage->inbox, &outgoing, ECHO_DEADLINE_NS, &reply)) ==
           TROUPE_ERR_FULL) {
        refusals->refused++;
        on_room(stage, refusals);
    }
    cr_assert(eq(int, err, TROUPE_OK));
    troupe_message_destroy(&reply);
}

/** Send until the holder has refused so many. */
static void flood(struct stage *stage, uint32_t count, struct refusals *refusals)
{
    uint32_t accepted = 0;
    for (uint32_t refused = 0; refused < count;) {
        enum troupe_err err = troupe_send(stage->ctx, stage->echo, DROP, NULL, 0);
        accepted += err == TROUPE_OK ? 1 : 0;
        refused += err == TROUPE_ERR_FULL ? 1 : 0;
        cr_assert(le(u32, accepted, BOUND));
    }
    refusals->refused += count;
}

Test(inboxes, refused_sends_get_one_room_notice)
{
    const struct troupe_system_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&holder), .mailbox_messages = BOUND};
    struct stage stage = {0};
    cr_assert(eq(int, troupe_system_new(&options, &stage.system), TROUPE_OK));
    stage.inbox = echo_inbox_new(stage.system);
    stage.ctx = troupe_inbox_context(stage.inbox);
    const struct troupe_spawn_options spawn = {.behaviour = &holder, .place = "thread"};
    cr_assert(eq(int, troupe_spawn(stage.ctx, &spawn, &stage.echo), TROUPE_OK));
    struct refusals refusals = {0};
    int gate[2];
    cr_assert(pipe(gate) == 0);

    for (int round = 0; round < 3; round++) {
        troupe_message_t *message = NULL;
        hold(&stage, &gate[0], &refusals);
        flood(&stage, 10, &refusals);
        cr_expect(
            eq(int, troupe_inbox_receive(stage.inbox, 0, &message), TROUPE_ERR_TIMEDOUT),
            "no ROOM while there is none");

        cr_assert(write(gate[1], "", 1) == 1);

        on_room(&stage, &refusals);
        cr_expect(eq(int, troupe_send(stage.ctx, stage.echo, DROP, NULL, 0), TROUPE_OK));
        cr_assert(
            eq(int, troupe_inbox_receive(stage.inbox, 0, &message), TROUPE_ERR_TIMEDOUT),
            "and no second ROOM");
    }
    struct troupe_stats stats = stage_close(&stage);
    cr_expect(eq(u64, stats.refused, refusals.refused));
    cr_expect(eq(u64, stats.rooms, refusals.rooms));
}

/* Ends. ---------------------------------------------------------------------------------------- */

Test(inboxes, messages_left_in_a_closed_inbox_become_dead_letters)
{
    enum { MAIL = 50 };
    struct stage stage = stage_open();
    for (uint64_t i = 0; i < MAIL; i++) {
        cr_expect(eq(int, TROUPE_SEND(stage.ctx, stage.echo, ECHO_REQUEST, &i), TROUPE_OK));
    }
    cr_expect(eq(int, echo_ask(stage.inbox, stage.echo, 1), TROUPE_OK)); // behind all of it

    struct troupe_stats stats = stage_close(&stage);

    cr_expect(eq(u64, stats.dead_by_reason[TROUPE_DEAD_STOPPED], MAIL));
    cr_expect(eq(u64, stats.dead, MAIL));
}

Test(inboxes, an_inbox_may_outlive_the_run_and_the_system_waits_for_it)
{
    struct stage stage = stage_open();
    cr_expect(eq(int, echo_ask(stage.inbox, stage.echo, 1), TROUPE_OK));
    troupe_system_stop(stage.system);
    cr_assert(eq(int, troupe_system_run(stage.system), TROUPE_OK));

    troupe_system_t *before = stage.system;
    cr_expect(eq(int, troupe_system_destroy(&stage.system), TROUPE_ERR_TIMEDOUT));
    cr_expect(eq(ptr, stage.system, before));
    cr_expect(strstr(troupe_error_detail(), "inbox") != NULL, "%s", troupe_error_detail());
    uint64_t start_ns = measure_now_ns();
    cr_expect(eq(int, echo_ask(stage.inbox, stage.echo, 2), TROUPE_ERR_NOENT));
    cr_expect(lt(u64, measure_now_ns() - start_ns, MEASURE_SECOND_NS), "not at its deadline");
    troupe_ref_t ref = TROUPE_REF_NONE;
    cr_expect(eq(int, echo_spawn(stage.ctx, "thread", &ref), TROUPE_ERR_CLOSED));
    troupe_inbox_t *another = NULL;
    cr_expect(eq(int, troupe_inbox_new(stage.system, &another), TROUPE_ERR_CLOSED));
    cr_expect(eq(ptr, another, NULL));
    troupe_message_t *message = NULL;
    cr_expect(eq(int, troupe_inbox_receive(stage.inbox, 0, &message), TROUPE_ERR_TIMEDOUT));

    cr_expect(eq(int, troupe_inbox_destroy(&stage.inbox), TROUPE_OK));
    struct troupe_stats stats;
    troupe_system_stats(stage.system, &stats);
    cr_expect(eq(u64, stats.accepted, stats.handled + stats.dead));
    cr_expect(eq(u64, stats.dead_by_reason[TROUPE_DEAD_STOPPED], 1));
    audit_and_destroy(&stage.system);
}

Test(inboxes, many_can_be_opened_and_closed)
{
    struct stage stage = stage_open();

    for (uint64_t i = 0; i < 500; i++) {
        troupe_inbox_t *inbox = echo_inbox_new(stage.system);
        cr_assert(eq(int, echo_ask(inbox, stage.echo, i), TROUPE_OK));
        cr_assert(eq(int, troupe_inbox_destroy(&inbox), TROUPE_OK));
        cr_assert(eq(ptr, inbox, NULL));
    }
    cr_expect(eq(int, echo_ask(stage.inbox, stage.echo, 1), TROUPE_OK));
    stage_close(&stage);
}

/* Threads with inboxes. ------------------------------------------------------------------------ */

enum { CLIENTS = 8, QUESTIONS = 500 };

/** What the threads share. */
struct inn {
    troupe_system_t *system;
    troupe_ref_t echoes[3];
    _Atomic int left;
};

/** Ask every actor, on an inbox of its own; the last thread stops the system. */
static void *client_run(void *data)
{
    struct inn *inn = data;
    troupe_inbox_t *inbox = echo_inbox_new(inn->system);
    for (uint64_t i = 0; i < QUESTIONS; i++) {
        MUST(echo_ask(inbox, inn->echoes[i % 3], i));
    }
    MUST(troupe_inbox_destroy(&inbox));
    if (atomic_fetch_sub(&inn->left, 1) == 1) {
        troupe_system_stop(inn->system);
    }
    return NULL;
}

Test(inboxes, eight_threads_ask_at_once_while_the_owner_runs)
{
    struct inn inn = {.system = echo_system_new(), .left = CLIENTS};
    static const char *const places[] = {"ecs", "thread", "thread:2"};
    for (int i = 0; i < 3; i++) {
        MUST(echo_spawn(troupe_system_context(inn.system), places[i], &inn.echoes[i]));
    }
    pthread_t guests[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        cr_assert(pthread_create(&guests[i], NULL, client_run, &inn) == 0);
    }

    cr_expect(eq(int, troupe_system_run(inn.system), TROUPE_OK));

    for (int i = 0; i < CLIENTS; i++) {
        cr_assert(pthread_join(guests[i], NULL) == 0);
    }
    struct troupe_stats stats;
    troupe_system_stats(inn.system, &stats);
    cr_expect(eq(u64, stats.handled, 2 * CLIENTS * QUESTIONS)); // each question and each reply
    cr_expect(eq(u64, stats.accepted, stats.handled));
    cr_expect(audit_balances(inn.system));
    cr_expect(eq(u64, stats.executors_ended, stats.executors_started));
    cr_expect(eq(int, troupe_system_destroy(&inn.system), TROUPE_OK));
}

/** Ask until the system has ended, whenever that is. */
static void *lingerer_run(void *data)
{
    struct inn *inn = data;
    troupe_inbox_t *inbox = echo_inbox_new(inn->system);
    (void)atomic_fetch_sub(&inn->left, 1);
    enum troupe_err err = TROUPE_OK;
    for (uint64_t i = 0; err == TROUPE_OK; i++) {
        err = echo_ask(inbox, inn->echoes[i % 3], i);
    }
    MUST_BE(err == TROUPE_ERR_NOENT);
    MUST(troupe_inbox_destroy(&inbox));
    return NULL;
}

Test(inboxes, a_system_ends_in_order_while_threads_ask)
{
    struct inn inn = {.system = echo_system_new(), .left = CLIENTS};
    static const char *const places[] = {"ecs", "thread", "thread:2"};
    for (int i = 0; i < 3; i++) {
        MUST(echo_spawn(troupe_system_context(inn.system), places[i], &inn.echoes[i]));
    }
    pthread_t guests[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        cr_assert(pthread_create(&guests[i], NULL, lingerer_run, &inn) == 0);
    }
    struct troupe_stats stats;
    uint64_t deadline_ns = measure_now_ns() + ECHO_DEADLINE_NS;
    do { // until all of them are at it
        MUST(troupe_system_progress(inn.system, NULL));
        troupe_system_stats(inn.system, &stats);
        cr_assert(lt(u64, measure_now_ns(), deadline_ns));
    } while (atomic_load(&inn.left) > 0 || stats.handled < 1000);

    troupe_system_stop(inn.system);
    cr_expect(eq(int, troupe_system_run(inn.system), TROUPE_OK));

    for (int i = 0; i < CLIENTS; i++) {
        cr_assert(pthread_join(guests[i], NULL) == 0);
    }
    troupe_system_stats(inn.system, &stats);
    cr_expect(audit_balances(inn.system));
    cr_expect(eq(u64, stats.executors_ended, stats.executors_started));
    cr_expect(eq(int, troupe_system_destroy(&inn.system), TROUPE_OK));
}

// ctest: serial
/*
 * A foreign loop that runs executor 0: its epoll wakes when there is something to do and sleeps when there is not.
 * Wake-ups are counted, because a loop that never sleeps would pass every other test.
 */
#include "support/audit.h"
#include "support/echo_system.h"
#include "support/fixture.h"
#include "support/measure.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { BALL = 1, TICK, GRAIN, START };

/* The loop. ------------------------------------------------------------------------------------ */

/** An epoll loop of the program's own, with a system in it. */
struct loop {
    int epoll_fd;
    troupe_system_t *system;
    uint64_t wakes;
    enum troupe_err turned; // what the latest turn returned
};

static struct loop loop_open(const struct troupe_behaviour *const *behaviours)
{
    const struct troupe_system_options options = {.behaviours = behaviours};
    struct loop loop = {.epoll_fd = epoll_create1(EPOLL_CLOEXEC)};
    cr_assert(eq(int, troupe_system_new(&options, &loop.system), TROUPE_OK));
    int fd = troupe_system_fd(loop.system);
    cr_assert(fd >= 0, "%s", troupe_error_detail());
    cr_assert(eq(int, troupe_system_fd(loop.system), fd));
    struct epoll_event event = {.events = EPOLLIN};
    cr_assert(epoll_ctl(loop.epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0, "%s", strerror(errno));
    return loop;
}

static void loop_close(struct loop *loop)
{
    audit_and_destroy(&loop->system);
    (void)close(loop->epoll_fd);
}

/** @return whether there is something to do, within so many milliseconds. */
static bool loop_is_ready(const struct loop *loop, int timeout_ms)
{
    struct epoll_event event;
    return epoll_wait(loop->epoll_fd, &event, 1, timeout_ms) == 1;
}

/** Sleep until there is something to do, and do it. */
static void loop_turn(struct loop *loop, const struct troupe_budget *budget)
{
    if (troupe_system_timeout_ns(loop->system) != 0) {
        cr_assert(loop_is_ready(loop, 10000), "nothing to do, and not done yet");
    }
    loop->wakes++;
    loop->turned = troupe_system_progress(loop->system, budget);
}

/** Go on until nothing is left to do for @p quiet_ms. */
static void loop_settle(struct loop *loop, int quiet_ms)
{
    uint64_t deadline_ns = measure_now_ns() + 10 * MEASURE_SECOND_NS;
    while (troupe_system_timeout_ns(loop->system) == 0 || loop_is_ready(loop, quiet_ms)) {
        loop->turned = troupe_system_progress(loop->system, NULL);
        cr_assert(lt(u64, measure_now_ns(), deadline_ns), "the loop never comes to rest");
    }
}

/* Traffic. ------------------------------------------------------------------------------------- */

/** What an actor has counted, where the test can see it: on the test's own thread. */
struct counts {
    uint64_t seen;
    uint64_t until;
    bool is_done;
};

struct player {
    troupe_ref_t partner;
    struct counts *counts;
};

static enum troupe_err player_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    MUST_BE(args_bytes == sizeof(struct player));
    memcpy(state, args, args_bytes);
    const struct player *self = state;
    return !troupe_ref_is_none(self->partner) ? troupe_send(ctx, self->partner, BALL, NULL, 0)
                                              : TROUPE_OK;
}

static void player_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    const struct player *self = state;
    struct counts *counts = self->counts;
    if (++counts->seen < counts->until) {
        MUST(troupe_reply(ctx, message, BALL, NULL, 0));
    } else {
        counts->is_done = true;
    }
}

static const struct troupe_behaviour player = {
    .name = "player",
    .state_bytes = sizeof(struct player),
    .init = player_init,
    .receive = player_receive,
};

static void wall_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    MUST(troupe_reply(ctx, message, BALL, NULL, 0));
}

static const struct troupe_behaviour wall = {.name = "wall", .receive = wall_receive};

/** Start a player on executor 0, and the wall that it plays with in another place. */
static void play(struct loop *loop, const char *place, struct counts *counts)
{
    troupe_context_t *ctx = troupe_system_context(loop->system);
    struct player args = {.counts = counts};
    const struct troupe_spawn_options partner = {.behaviour = &wall, .place = place};
    cr_assert(eq(int, troupe_spawn(ctx, &partner, &args.partner), TROUPE_OK));
    const struct troupe_spawn_options options = {
        .behaviour = &player, .args = &args, .args_bytes = sizeof(args)};
    cr_assert(eq(int, troupe_spawn(ctx, &options, NULL), TROUPE_OK));
}

Test(embedding, wakes_about_once_for_each_message_of_a_thread)
{
    struct loop loop = loop_open(TROUPE_BEHAVIOURS(&player, &wall));
    struct counts counts = {.until = 2000};
    play(&loop, "thread", &counts);

    while (!counts.is_done) {
        loop_turn(&loop, NULL);
    }

    cr_expect(
        loop.wakes < 3 * counts.until + 100, "woke %llu times", (unsigned long long)loop.wakes);
    loop_settle(&loop, 50);
    cr_expect(not(loop_is_ready(&loop, 100)), "it is quiet when idle");
    loop_close(&loop);
}

Test(embedding, continues_with_what_executor_0_sends_itself)
{
    struct loop loop = loop_open(TROUPE_BEHAVIOURS(&player, &wall));
    struct counts counts = {.until = 2000};
    play(&loop, "ecs", &counts);

    while (!counts.is_done) {
        loop_turn(&loop, NULL);
    }

    loop_settle(&loop, 0);
    cr_expect(not(loop_is_ready(&loop, 100)), "it is quiet when idle");
    cr_expect(eq(u64, (uint64_t)troupe_system_timeout_ns(loop.system), (uint64_t)-1));
    loop_close(&loop);
}

Test(embedding, is_quiet_from_the_start)
{
    struct loop loop = loop_open(TROUPE_BEHAVIOURS(&player, &wall));

    loop_settle(&loop, 0);

    cr_expect(not(loop_is_ready(&loop, 100)));
    cr_expect(troupe_system_timeout_ns(loop.system) == -1);
    loop_close(&loop);
}

Test(embedding, is_readable_when_the_main_program_has_sent)
{
    struct loop loop = loop_open(TROUPE_BEHAVIOURS(&player, &wall));
    struct counts counts = {.until = 1};
    struct player args = {.counts = &counts};
    troupe_ref_t ref = TROUPE_REF_NONE;
    const struct troupe_spawn_options options = {
        .behaviour = &player, .args = &args, .args_bytes = sizeof(args)};
    troupe_context_t *ctx = troupe_system_context(loop.system);
    cr_assert(eq(int, troupe_spawn(ctx, &options, &ref), TROUPE_OK));
    loop_settle(&loop, 0);

    cr_assert(eq(int, troupe_send(ctx, ref, BALL, NULL, 0), TROUPE_OK));

    cr_expect(troupe_system_timeout_ns(loop.system) == 0);
    cr_expect(loop_is_ready(&loop, 0));
    while (!counts.is_done) {
        loop_turn(&loop, NULL);
    }
    loop_close(&loop);
}

/* Timers. -------------------------------------------------------------------------------------- */

static enum troupe_err ticker_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    MUST_BE(args_bytes == sizeof(struct player));
    memcpy(state, args, args_bytes);
    const struct troupe_outgoing tick = {.to = troupe_self(ctx), .type = TICK};
    return troupe_send_every(ctx, 20 * MEASURE_MS_NS, &tick, NULL);
}

static void ticker_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)message;
    const struct player *self = state;
    if (++self->counts->seen == self->counts->until) {
        self->counts->is_done = true;
        troupe_stop(ctx);
    }
}

static const struct troupe_behaviour ticker = {
    .name = "ticker",
    .state_bytes = sizeof(struct player),
    .init = ticker_init,
    .receive = ticker_receive,
};

Test(embedding, wakes_for_timers_and_not_between)
{
    struct loop loop = loop_open(TROUPE_BEHAVIOURS(&ticker));
    struct counts counts = {.until = 15};
    struct player args = {.counts = &counts};
    const struct troupe_spawn_options options = {
        .behaviour = &ticker, .args = &args, .args_bytes = sizeof(args)};
    cr_assert(eq(int, troupe_spawn(troupe_system_context(loop.system), &options, NULL), TROUPE_OK));
    loop_settle(&loop, 0);

    int64_t timeout_ns = troupe_system_timeout_ns(loop.system);
    cr_expect(
        timeout_ns >= 0 && timeout_ns <= (int64_t)(20 * MEASURE_MS_NS),
        "%lld",
        (long long)timeout_ns);
    uint64_t start_ns = measure_now_ns();
    while (!counts.is_done) {
        loop_turn(&loop, NULL);
    }

    cr_expect(ge(u64, measure_now_ns() - start_ns, 14 * 20 * MEASURE_MS_NS - MEASURE_MS_NS));
    cr_expect(loop.wakes <= 4 * counts.until, "woke %llu times", (unsigned long long)loop.wakes);
    loop_settle(&loop, 30); // it may wake once more without a receiver
    cr_expect(not(loop_is_ready(&loop, 60)), "its timer ended with it");
    cr_expect(troupe_system_timeout_ns(loop.system) == -1);
    loop_close(&loop);
}

/* Budgets. ------------------------------------------------------------------------------------- */

struct mill {
    struct counts *counts;
    uint64_t grain_ns;
};

static enum troupe_err mill_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)ctx;
    MUST_BE(args_bytes == sizeof(struct mill));
    memcpy(state, args, args_bytes);
    return TROUPE_OK;
}

static void mill_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)ctx, (void)message;
    const struct mill *self = state;
    uint64_t until_ns = self->grain_ns == 0 ? 0 : measure_now_ns() + self->grain_ns;
    while (self->grain_ns != 0 && measure_now_ns() < until_ns) {
    }
    self->counts->seen++;
}

static const struct troupe_behaviour mill = {
    .name = "mill", .state_bytes = sizeof(struct mill), .init = mill_init, .receive = mill_receive};

static troupe_ref_t spawn_mill(struct loop *loop, struct counts *counts, uint64_t grain_ns)
{
    const struct mill args = {.counts = counts, .grain_ns = grain_ns};
    const struct troupe_spawn_options options = {
        .behaviour = &mill, .args = &args, .args_bytes = sizeof(args)};
    troupe_ref_t ref = TROUPE_REF_NONE;
    cr_assert(
        eq(int, troupe_spawn(troupe_system_context(loop->system), &options, &ref), TROUPE_OK));
    loop_settle(loop, 0);
    return ref;
}

Test(embedding, a_budget_of_messages_ends_a_turn_between_frames)
{
    enum { GRAINS = 4000, FLUSH_EVERY = 10, BUDGET = 100 };
    struct loop loop = loop_open(TROUPE_BEHAVIOURS(&mill));
    struct counts counts = {0};
    troupe_ref_t ref = spawn_mill(&loop, &counts, 0);
    troupe_context_t *ctx = troupe_system_context(loop.system);
    for (int i = 0; i < GRAINS; i++) {
        cr_assert(eq(int, troupe_send(ctx, ref, GRAIN, NULL, 0), TROUPE_OK));
        if (i % FLUSH_EVERY == 0) {
            troupe_flush(ctx); // so a frame holds ten
        }
    }

    uint64_t most = 0;
    while (counts.seen < GRAINS) {
        uint64_t before = counts.seen;
        loop_turn(&loop, &(struct troupe_budget){.messages = BUDGET});
        most = counts.seen - before > most ? counts.seen - before : most;
        if (counts.seen < GRAINS) {
            cr_assert(loop_is_ready(&loop, 0), "work that is left over keeps the loop awake");
            cr_expect(troupe_system_timeout_ns(loop.system) == 0);
        }
    }

    cr_expect(ge(u64, most, BUDGET));
    cr_expect(most <= BUDGET + FLUSH_EVERY, "a turn handled %llu", (unsigned long long)most);
    loop_settle(&loop, 0);
    loop_close(&loop);
}

Test(embedding, a_budget_of_time_ends_a_turn_between_frames)
{
    enum { GRAINS = 100 };
    struct loop loop = loop_open(TROUPE_BEHAVIOURS(&mill));
    struct counts counts = {0};
    troupe_ref_t ref = spawn_mill(&loop, &counts, MEASURE_MS_NS);
    troupe_context_t *ctx = troupe_system_context(loop.system);
    for (int i = 0; i < GRAINS; i++) {
        cr_assert(eq(int, troupe_send(ctx, ref, GRAIN, NULL, 0), TROUPE_OK));
        troupe_flush(ctx);
    }

    uint64_t most = 0;
    while (counts.seen < GRAINS) {
        uint64_t before = counts.seen;
        loop_turn(&loop, &(struct troupe_budget){.ns = 5 * MEASURE_MS_NS});
        most = counts.seen - before > most ? counts.seen - before : most;
    }

    // Each takes a millisecond, so that 5 or 6 fit; twice that for a busy machine.
    cr_expect(most <= 12, "a turn handled %llu", (unsigned long long)most);
    loop_settle(&loop, 0);
    loop_close(&loop);
}

Test(embedding, without_a_budget_a_turn_is_all_messages_that_have_arrived)
{
    enum { GRAINS = 4000 };
    struct loop loop = loop_open(TROUPE_BEHAVIOURS(&mill));
    struct counts counts = {0};
    troupe_ref_t ref = spawn_mill(&loop, &counts, 0);
    troupe_context_t *ctx = troupe_system_context(loop.system);
    for (int i = 0; i < GRAINS; i++) {
        cr_assert(eq(int, troupe_send(ctx, ref, GRAIN, NULL, 0), TROUPE_OK));
    }

    loop_turn(&loop, NULL);

    cr_expect(eq(u64, counts.seen, GRAINS));
    loop_close(&loop);
}

/* The end. ------------------------------------------------------------------------------------- */

static void *stop_it(void *system)
{
    troupe_system_stop(system);
    return NULL;
}

Test(embedding, a_stop_from_another_thread_wakes_the_loop_and_ends_it)
{
    struct loop loop = loop_open(TROUPE_BEHAVIOURS(&player, &wall));
    loop_settle(&loop, 0);
    pthread_t thread;
    cr_assert(pthread_create(&thread, NULL, stop_it, loop.system) == 0);

    loop_turn(&loop, NULL);

    cr_expect(eq(int, loop.turned, TROUPE_ERR_CLOSED));
    cr_expect(troupe_system_timeout_ns(loop.system) == 0);
    cr_expect(
        eq(int, troupe_system_progress(loop.system, NULL), TROUPE_ERR_CLOSED), "and stays so");
    cr_assert(pthread_join(thread, NULL) == 0);
    loop_close(&loop);
}

Test(embedding, a_loop_that_ends_during_traffic_ends_in_order)
{
    struct loop loop = loop_open(TROUPE_BEHAVIOURS(&player, &wall));
    struct counts counts = {.until = UINT64_MAX};
    play(&loop, "thread", &counts);
    while (counts.seen < 500) {
        loop_turn(&loop, NULL);
    }

    troupe_system_stop(loop.system);
    loop_turn(&loop, NULL);
    cr_expect(eq(int, loop.turned, TROUPE_ERR_CLOSED));
    cr_expect(eq(int, troupe_system_run(loop.system), TROUPE_OK));
    struct troupe_stats stats;
    troupe_system_stats(loop.system, &stats);
    cr_expect(eq(u64, stats.executors_ended, stats.executors_started));
    loop_close(&loop);
}

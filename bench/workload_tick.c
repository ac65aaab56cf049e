// A turn of an executor where few actors have messages: what does it cost to send 100 actors a message each and
// handle their replies, while 900 others have none, or 999,900?
//
// The same 100 each time, evenly spread over all actors, so that what is measured is the turn and not the
// cache. With --actors 1000 and --actors 1000000 the figures should be the same.
//
// Not measured: the spawns, and a first round, which follows them.
#include "worker.h"
#include "workloads.h"

#include <stdlib.h>

/** How many have messages in a turn. */
#define TICK_MAIL 100

static void idle_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    uint64_t number = bench_number(message);
    enum troupe_err err =
        troupe_send(ctx, troupe_message_sender(message), BENCH_REPLY, &number, sizeof(number));
    if (err != TROUPE_OK) {
        bench_fail(ctx, "answer", err);
    }
}

static const struct troupe_behaviour idle = {.name = "idle", .receive = idle_receive};

struct ticker {
    struct bench_worker worker;
    troupe_ref_t listeners[TICK_MAIL];
    uint32_t awaited;
    bool is_warm; // the first round is over
};

static bool ticker_spawn(troupe_context_t *ctx, struct ticker *self)
{
    const struct troupe_spawn_options options = {.behaviour = &idle};
    uint64_t count = self->worker.setup.plan.actors;
    for (uint64_t i = 0; i < count; i++) {
        troupe_ref_t ref = TROUPE_REF_NONE;
        enum troupe_err err = troupe_spawn(ctx, &options, &ref);
        if (err != TROUPE_OK) {
            bench_fail(ctx, "spawn all actors (fewer --actors?)", err);
            return false;
        }
        self->listeners[i * TICK_MAIL / count] = ref; // the last of each hundredth
    }
    return true;
}

/** Send the next messages, or those of the first round, which do not count. */
static void ticker_tick(troupe_context_t *ctx, struct ticker *self)
{
    struct bench_worker *worker = &self->worker;
    uint64_t left = self->is_warm ? worker->setup.send_count - worker->sent : TICK_MAIL;
    self->awaited = left < TICK_MAIL ? (uint32_t)left : TICK_MAIL;
    for (uint32_t i = 0; i < self->awaited; i++) {
        bench_worker_send_or_queue(ctx, worker, self->listeners[i], BENCH_NUMBER, worker->sent);
        worker->sent += self->is_warm ? 1 : 0;
    }
}

static void ticker_on_reply(troupe_context_t *ctx, struct ticker *self, uint64_t number)
{
    bool counts = self->is_warm;
    if (--self->awaited == 0 && !self->is_warm) {
        self->is_warm = true;
        bench_worker_start(ctx, &self->worker);
    }
    if (counts) {
        bench_worker_count(ctx, &self->worker, 1, number);
    }
    if (self->awaited == 0 && self->worker.sent < self->worker.setup.send_count) {
        ticker_tick(ctx, self);
    }
}

static void ticker_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct ticker *self = state;
    if (troupe_message_type(message) == BENCH_REPLY) {
        ticker_on_reply(ctx, self, bench_number(message));
        return;
    }
    bench_worker_control(ctx, &self->worker, message);
    if (troupe_message_type(message) == BENCH_RUN && ticker_spawn(ctx, self)) {
        ticker_tick(ctx, self);
    }
}

static void ticker_fini(troupe_context_t *ctx, void *state, const struct troupe_exit *exit)
{
    (void)ctx;
    (void)exit;
    bench_worker_fini(&((struct ticker *)state)->worker);
}

static const struct troupe_behaviour ticker = {
    .name = "ticker",
    .state_bytes = sizeof(struct ticker),
    .receive = ticker_receive,
    .fini = ticker_fini,
};

static void tick_describe_part(
    const struct bench_plan *plan, uint32_t index, struct bench_part *out_part)
{
    (void)index;
    *out_part = (struct bench_part){
        .behaviour = &ticker,
        .send_count = plan->messages,
        .receive_count = plan->messages,
        .backlog_count = TICK_MAIL,
    };
}

const struct bench_workload bench_tick = {
    .name = "tick",
    .question = "turns of an executor of 1,000,000 actors, 100 of which have messages",
    .actors = 1000000,
    .actors_min = TICK_MAIL,
    .actors_max = 10000000,
    .parts_more = 1,
    .messages_ecs = 1000000,
    .messages_apart = 100000,
    .messages_process = 100000,
    .is_entities = true,
    .floor = BENCH_FLOOR_NONE,
    .behaviours = (const struct troupe_behaviour *const[]){&ticker, &idle, NULL},
    .describe_part = tick_describe_part,
};

// Messages one way, as fast as the receiver lets them come: one to one, many to one, one to many.
//
// "Counting actor" in the Savina suite (S. Imam, V. Sarkar, "Savina: An Actor Benchmark Suite",
// AGERE! 2014); the fans are the two shapes that its larger programs are made of.
//
// Not measured: latency. A message waits behind all that were sent before it. The mailbox is
// bounded, so part of what is measured is refused sends and ROOM notices.
#include "worker.h"
#include "workloads.h"

struct flow {
    struct bench_worker worker;
    uint32_t peer; // whose turn it is
};

/** Send what is left, round the peers, until one has no room. */
static void source_pump(troupe_context_t *ctx, struct flow *self)
{
    struct bench_worker *worker = &self->worker;
    while (worker->sent < worker->setup.send_count) {
        uint64_t number = worker->setup.number_first + worker->sent;
        troupe_ref_t to = worker->peers[self->peer];
        if (!bench_worker_send(ctx, worker, to, BENCH_NUMBER, number)) {
            return; // `sent` and `peer` say where we were
        }
        worker->sent++;
        self->peer = self->peer + 1 == worker->setup.peer_count ? 0 : self->peer + 1;
    }
    bench_worker_finish_if_done(ctx, worker);
}

static void source_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct flow *self = state;
    struct bench_worker *worker = &self->worker;
    uint32_t type = troupe_message_type(message);
    bench_worker_control(ctx, worker, message);
    if (worker->sent == worker->setup.send_count) {
        return;
    }
    if (type == BENCH_RUN) {
        bench_worker_start(ctx, worker);
        source_pump(ctx, self);
    } else if (type == TROUPE_MESSAGE_ROOM) {
        source_pump(ctx, self);
    }
}

static void sink_become_batched(troupe_context_t *ctx);

static void sink_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct bench_worker *worker = &((struct flow *)state)->worker;
    if (troupe_message_type(message) == BENCH_NUMBER) {
        bench_worker_count(ctx, worker, 1, bench_number(message));
        return;
    }
    bench_worker_control(ctx, worker, message);
    if (troupe_message_type(message) == BENCH_SETUP && worker->setup.plan.is_batching != 0) {
        sink_become_batched(ctx);
    }
}

/** Count the numbers of a run for one sink at once. */
static void sinks_receive_batch(
    troupe_context_t *ctx,
    void *const states[],
    const troupe_message_t *const messages[],
    size_t count)
{
    for (size_t i = 0, next = 0; i < count; i = next) {
        if (!troupe_batch_select(ctx, i)) { // it may report, and does so in its own name
            next = i + 1;
            continue;
        }
        uint64_t sum = 0;
        for (next = i; next < count && states[next] == states[i]; next++) {
            sum += bench_number(messages[next]);
        }
        bench_worker_count(ctx, &((struct flow *)states[i])->worker, next - i, sum);
    }
}

static void flow_fini(troupe_context_t *ctx, void *state, const struct troupe_exit *exit)
{
    (void)ctx;
    (void)exit;
    bench_worker_fini(&((struct flow *)state)->worker);
}

#define FLOW(behaviour_name, receive_fn)                                                       \
    {                                                                                          \
        .name = (behaviour_name), .state_bytes = sizeof(struct flow), .receive = (receive_fn), \
        .fini = flow_fini,                                                                     \
    }

static const struct troupe_behaviour producer = FLOW("producer", source_receive);
static const struct troupe_behaviour counter = FLOW("counter", sink_receive);
static const struct troupe_behaviour source = FLOW("source", source_receive);
static const struct troupe_behaviour sink = FLOW("sink", sink_receive);
static const struct troupe_behaviour batched_sink = {
    .name = "batched_sink",
    .state_bytes = sizeof(struct flow),
    .receive = sink_receive,
    .receive_batch = sinks_receive_batch,
    .fini = flow_fini,
};

static void sink_become_batched(troupe_context_t *ctx)
{
    enum troupe_err err = troupe_become(ctx, &batched_sink);
    if (err != TROUPE_OK) {
        bench_fail(ctx, "take batches", err);
    }
}

static void counting_describe_part(
    const struct bench_plan *plan, uint32_t index, struct bench_part *out_part)
{
    if (index == 0) {
        *out_part = (struct bench_part){
            .behaviour = &producer,
            .send_count = plan->messages,
            .peer_first = 1,
            .peer_count = 1,
        };
        return;
    }
    *out_part = (struct bench_part){.behaviour = &counter, .receive_count = plan->messages};
}

static void fan_in_describe_part(
    const struct bench_plan *plan, uint32_t index, struct bench_part *out_part)
{
    if (index == plan->actors) {
        *out_part = (struct bench_part){.behaviour = &sink, .receive_count = plan->messages};
        return;
    }
    // Those before it send one more each while the remainder lasts.
    uint64_t remainder = plan->messages % plan->actors;
    uint64_t before = index * (plan->messages / plan->actors);
    *out_part = (struct bench_part){
        .behaviour = &source,
        .number_first = before + (index < remainder ? index : remainder),
        .send_count = bench_share_of(plan->messages, index, plan->actors),
        .peer_first = plan->actors,
        .peer_count = 1,
    };
}

static void fan_out_describe_part(
    const struct bench_plan *plan, uint32_t index, struct bench_part *out_part)
{
    if (index == 0) {
        *out_part = (struct bench_part){
            .behaviour = &source,
            .send_count = plan->messages,
            .peer_first = 1,
            .peer_count = plan->actors,
        };
        return;
    }
    *out_part = (struct bench_part){
        .behaviour = &sink,
        .receive_count = bench_share_of(plan->messages, index - 1, plan->actors),
    };
}

const struct bench_workload bench_counting = {
    .name = "counting",
    .question = "messages one way, from one actor to one",
    .actors = 2,
    .actors_min = 2,
    .actors_max = 2,
    .messages_ecs = 10000000,
    .messages_apart = 10000000,
    .messages_process = 5000000,
    .floor = BENCH_FLOOR_FLOW,
    .behaviours = (const struct troupe_behaviour *const[]){&producer, &counter, NULL},
    .batched = &batched_sink,
    .describe_part = counting_describe_part,
};

const struct bench_workload bench_fan_in = {
    .name = "fan_in",
    .question = "messages one way, from 60 actors to one",
    .actors = 60,
    .actors_min = 1,
    .actors_max = 10000,
    .parts_more = 1,
    .messages_ecs = 6000000,
    .messages_apart = 1200000,
    .messages_process = 1200000,
    .floor = BENCH_FLOOR_FLOW,
    .behaviours = (const struct troupe_behaviour *const[]){&source, &sink, NULL},
    .batched = &batched_sink,
    .describe_part = fan_in_describe_part,
};

const struct bench_workload bench_fan_out = {
    .name = "fan_out",
    .question = "messages one way, from one actor to 60 in turn",
    .actors = 60,
    .actors_min = 1,
    .actors_max = 10000,
    .parts_more = 1,
    .messages_ecs = 6000000,
    .messages_apart = 1200000,
    .messages_process = 1200000,
    .floor = BENCH_FLOOR_FLOW,
    .behaviours = (const struct troupe_behaviour *const[]){&source, &sink, NULL},
    .batched = &batched_sink,
    .describe_part = fan_out_describe_part,
};

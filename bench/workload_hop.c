// One number passed on and on: the cost of one hop, with nothing else going on.
//
// "Ping pong" and "thread ring" in the Savina suite (S. Imam, V. Sarkar, "Savina: An Actor
// Benchmark Suite", AGERE! 2014). Ping pong is a ring of two whose actors have names of their own,
// so that a placement rule can distinguish them.
//
// Not measured: throughput. There is one message on its way at any time, so nothing can be batched.
#include "worker.h"
#include "workloads.h"

struct hopper {
    struct bench_worker worker;
};

/** Send number @p number on to the next, unless all have been sent. */
static void hopper_pass(troupe_context_t *ctx, struct bench_worker *worker, uint64_t number)
{
    if (number < worker->setup.plan.messages) {
        bench_worker_send_or_queue(ctx, worker, worker->peers[0], BENCH_NUMBER, number);
    }
}

static void hopper_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct bench_worker *worker = &((struct hopper *)state)->worker;
    uint32_t type = troupe_message_type(message);
    if (type == BENCH_NUMBER) {
        uint64_t number = bench_number(message);
        hopper_pass(ctx, worker, number + 1);
        bench_worker_count(ctx, worker, 1, number);
        return;
    }
    bool starts = type == BENCH_RUN && worker->setup.index == 0;
    if (starts) {
        bench_worker_start(
            ctx, worker); // first: in a short run it has nothing to receive, and reports
    }
    bench_worker_control(ctx, worker, message);
    if (starts) {
        hopper_pass(ctx, worker, 0);
    }
}

static void hopper_fini(troupe_context_t *ctx, void *state, const struct troupe_exit *exit)
{
    (void)ctx;
    (void)exit;
    bench_worker_fini(&((struct hopper *)state)->worker);
}

#define HOPPER(behaviour_name)                                                                     \
    {                                                                                              \
        .name = (behaviour_name), .state_bytes = sizeof(struct hopper), .receive = hopper_receive, \
        .fini = hopper_fini,                                                                       \
    }

static const struct troupe_behaviour ping = HOPPER("ping");
static const struct troupe_behaviour pong = HOPPER("pong");
static const struct troupe_behaviour ring = HOPPER("ring");

static void hop_describe_part(
    const struct bench_plan *plan, uint32_t index, struct bench_part *out_part)
{
    // Number k goes to part k + 1, counted round: part i handles those that part i - 1 sends.
    uint32_t before = (index + plan->actors - 1) % plan->actors;
    *out_part = (struct bench_part){
        .behaviour = &ring,
        .receive_count = bench_share_of(plan->messages, before, plan->actors),
        .peer_first = (index + 1) % plan->actors,
        .peer_count = 1,
        .backlog_count = 1,
    };
}

static void ping_pong_describe_part(
    const struct bench_plan *plan, uint32_t index, struct bench_part *out_part)
{
    hop_describe_part(plan, index, out_part);
    out_part->behaviour = index == 0 ? &ping : &pong;
}

const struct bench_workload bench_ping_pong = {
    .name = "ping_pong",
    .question = "one hop between two actors, there and back",
    .actors = 2,
    .actors_min = 2,
    .actors_max = 2,
    .messages_ecs = 1000000,
    .messages_apart = 200000,
    .messages_process = 50000,
    .floor = BENCH_FLOOR_ROUND,
    .behaviours = (const struct troupe_behaviour *const[]){&ping, &pong, NULL},
    .describe_part = ping_pong_describe_part,
};

const struct bench_workload bench_ring = {
    .name = "ring",
    .question = "one hop around a ring of 100 actors",
    .actors = 100,
    .actors_min = 1,
    .actors_max = 100000,
    .messages_ecs = 1000000,
    .messages_apart = 20000,
    .messages_process = 10000,
    .floor = BENCH_FLOOR_ROUND,
    .behaviours = (const struct troupe_behaviour *const[]){&ring, NULL},
    .describe_part = hop_describe_part,
};

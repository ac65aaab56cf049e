// Many actors, each with one ping on its way to another picked by chance, which replies it.
//
// "Big" in the Savina suite (S. Imam, V. Sarkar, "Savina: An Actor Benchmark Suite", AGERE! 2014),
// with its 120 actors. Pings and pongs both are messages. The seed of the system is fixed, so every
// run makes the same choices.
//
// Not measured: a mailbox under pressure. At most one ping an actor is on its way.
#include "worker.h"
#include "workloads.h"

struct big {
    struct bench_worker worker;
};

/** Ping number k is replied to with number k + this, so that all numbers together are 0 to N - 1. */
static uint64_t big_pings(const struct bench_worker *worker)
{
    return worker->setup.plan.messages / 2;
}

static void big_ping(troupe_context_t *ctx, struct bench_worker *worker)
{
    if (worker->sent == worker->setup.send_count) {
        return;
    }
    // Anybody but itself: one of the others, counted on from its own place.
    uint32_t others = worker->setup.peer_count - 1;
    uint32_t step = 1 + (uint32_t)((troupe_random(ctx) >> 32) * others >> 32);
    uint32_t index = worker->setup.index + step;
    index -= index < worker->setup.peer_count ? 0 : worker->setup.peer_count;
    uint64_t number = worker->setup.number_first + worker->sent;
    worker->sent++;
    bench_worker_send_or_queue(ctx, worker, worker->peers[index], BENCH_NUMBER, number);
}

static void big_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct bench_worker *worker = &((struct big *)state)->worker;
    uint32_t type = troupe_message_type(message);
    if (type == BENCH_NUMBER) {
        uint64_t number = bench_number(message) + big_pings(worker);
        bench_worker_send_or_queue(
            ctx, worker, troupe_message_sender(message), BENCH_REPLY, number);
    } else if (type == BENCH_REPLY) {
        // The sender of a ping counts it too, by its pong: how many pings an actor gets is random,
        // so it could not know which is the last.
        uint64_t number = bench_number(message);
        big_ping(ctx, worker);
        bench_worker_count(ctx, worker, 2, number + (number - big_pings(worker)));
    } else {
        bench_worker_control(ctx, worker, message);
    }
    if (type == BENCH_RUN && worker->setup.send_count > 0) {
        bench_worker_start(ctx, worker);
        big_ping(ctx, worker);
    }
}

static void big_fini(troupe_context_t *ctx, void *state, const struct troupe_exit *exit)
{
    (void)ctx;
    (void)exit;
    bench_worker_fini(&((struct big *)state)->worker);
}

static const struct troupe_behaviour big = {
    .name = "big",
    .state_bytes = sizeof(struct big),
    .receive = big_receive,
    .fini = big_fini,
};

static void big_describe_part(
    const struct bench_plan *plan, uint32_t index, struct bench_part *out_part)
{
    uint64_t pings = plan->messages / 2;
    uint64_t remainder = pings % plan->actors;
    uint64_t before = index * (pings / plan->actors);
    uint64_t share = bench_share_of(pings, index, plan->actors);
    *out_part = (struct bench_part){
        .behaviour = &big,
        .number_first = before + (index < remainder ? index : remainder),
        .send_count = share,
        .receive_count = 2 * share,
        .peer_first = 0,
        .peer_count = plan->actors,
        .backlog_count = plan->actors, // a pong to each of the others, and a ping of its own
    };
}

const struct bench_workload bench_big = {
    .name = "big",
    .question = "120 actors, each pinging others by chance",
    .actors = 120,
    .actors_min = 2,
    .actors_max = 1000, // each gets the references of all others
    .messages_ecs = 1000000,
    .messages_apart = 60000,
    .messages_process = 60000,
    .rounds_up = true,
    .floor = BENCH_FLOOR_NONE,
    .behaviours = (const struct troupe_behaviour *const[]){&big, NULL},
    .describe_part = big_describe_part,
};

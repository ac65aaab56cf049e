// A lone message to an executor that another channel floods: how long does it wait?
//
// The probe sends a number, has its reply, and sends the next. Its echo lives on the executor of a drain,
// which is sent as much as its mailbox takes meanwhile:
//
//     probe <--> hall_echo
//     flood ---> hall_drain        --place 'hall*=thread:1' --place 'flood=thread'
//
// The figure is a hop, half of a round; with it comes the 99th of 100 rounds, whole. Not measured: what
// gets through of the flood; its messages are not counted.
#include "worker.h"
#include "workloads.h"

#include <stdlib.h>

enum { LONE_PROBE, LONE_ECHO, LONE_FLOOD, LONE_DRAIN, LONE_PARTS };

struct lone {
    struct bench_worker worker;
    uint64_t sent_ns; // when the number that is on its way was sent
    uint64_t *rounds; // how long each took
    uint64_t count;   // of them
    bool is_over;     // of a flood: it has to stop
};

/* The probe. ----------------------------------------------------------------------------------- */

static void probe_send(troupe_context_t *ctx, struct lone *self, uint64_t number)
{
    self->sent_ns = troupe_now(ctx);
    bench_worker_send_or_queue(ctx, &self->worker, self->worker.peers[0], BENCH_NUMBER, number);
}

static void probe_start(troupe_context_t *ctx, struct lone *self)
{
    self->rounds = calloc(self->worker.setup.plan.messages / 2 + 1, sizeof(*self->rounds));
    if (self->rounds == NULL) {
        bench_fail(ctx, "note how long rounds take", TROUPE_ERR_NOMEM);
        return;
    }
    bench_worker_start(ctx, &self->worker);
    probe_send(ctx, self, 0);
}

static int compare_rounds(const void *a, const void *b)
{
    const uint64_t *x = a;
    const uint64_t *y = b;
    return (*x > *y) - (*x < *y);
}

static void probe_end(troupe_context_t *ctx, struct lone *self)
{
    qsort(self->rounds, (size_t)self->count, sizeof(*self->rounds), compare_rounds);
    self->worker.share.reply_ns = self->rounds[self->count * 99 / 100];
    bench_worker_send_or_queue(ctx, &self->worker, self->worker.peers[1], BENCH_REPLY, 0);
}

static void probe_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct lone *self = state;
    struct bench_worker *worker = &self->worker;
    uint32_t type = troupe_message_type(message);
    if (type != BENCH_REPLY) {
        bench_worker_control(ctx, worker, message);
        if (type == BENCH_RUN) {
            probe_start(ctx, self);
        }
        return;
    }
    uint64_t number = bench_number(message);
    self->rounds[self->count++] = troupe_now(ctx) - self->sent_ns;
    if (number + 1 < worker->setup.plan.messages) {
        probe_send(ctx, self, number + 1);
    } else {
        probe_end(ctx, self);
    }
    bench_worker_count(ctx, worker, 1, number);
}

static void echo_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct bench_worker *worker = &((struct lone *)state)->worker;
    if (troupe_message_type(message) != BENCH_NUMBER) {
        bench_worker_control(ctx, worker, message);
        return;
    }
    uint64_t number = bench_number(message);
    bench_worker_send_or_queue(
        ctx, worker, troupe_message_sender(message), BENCH_REPLY, number + 1);
    bench_worker_count(ctx, worker, 1, number);
}

/* The flood. ----------------------------------------------------------------------------------- */

static void flood_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct lone *self = state;
    struct bench_worker *worker = &self->worker;
    if (troupe_message_type(message) == BENCH_REPLY) {
        self->is_over = true;
        return;
    }
    bench_worker_control(ctx, worker, message);
    uint64_t number = 0;
    while (worker->is_running && !self->is_over &&
           bench_worker_send(ctx, worker, worker->peers[0], BENCH_NUMBER, number)) {
        number++;
    }
}

static void drain_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    if (troupe_message_type(message) != BENCH_NUMBER) {
        bench_worker_control(ctx, &((struct lone *)state)->worker, message);
    }
}

static void lone_fini(troupe_context_t *ctx, void *state, const struct troupe_exit *exit)
{
    (void)ctx;
    (void)exit;
    struct lone *self = state;
    free(self->rounds);
    bench_worker_fini(&self->worker);
}

#define LONE(behaviour_name, receive_fn)                                                       \
    {                                                                                          \
        .name = (behaviour_name), .state_bytes = sizeof(struct lone), .receive = (receive_fn), \
        .fini = lone_fini,                                                                     \
    }

static const struct troupe_behaviour probe = LONE("probe", probe_receive);
static const struct troupe_behaviour echo = LONE("hall_echo", echo_receive);
static const struct troupe_behaviour flood = LONE("flood", flood_receive);
static const struct troupe_behaviour drain = LONE("hall_drain", drain_receive);

static void lone_describe_part(
    const struct bench_plan *plan, uint32_t index, struct bench_part *out_part)
{
    static const struct troupe_behaviour *const behaviours[LONE_PARTS] = {
        [LONE_PROBE] = &probe,
        [LONE_ECHO] = &echo,
        [LONE_FLOOD] = &flood,
        [LONE_DRAIN] = &drain,
    };
    bool counts = index == LONE_PROBE || index == LONE_ECHO;
    *out_part = (struct bench_part){
        .behaviour = behaviours[index],
        .receive_count = counts ? plan->messages / 2 : 0,
        .peer_first = index == LONE_FLOOD ? LONE_DRAIN : LONE_ECHO, // and for the probe the flood
        .peer_count = index == LONE_PROBE ? 2 : 1,
        .backlog_count = 2,
    };
}

const struct bench_workload bench_lone = {
    .name = "lone",
    .question = "one hop to an executor that another channel floods, and the 99th of 100 rounds",
    .actors = LONE_PARTS,
    .actors_min = LONE_PARTS,
    .actors_max = LONE_PARTS,
    .messages_ecs = 2000,
    .messages_apart = 2000,
    .messages_process = 2000,
    .rounds_up = true,
    .floor = BENCH_FLOOR_NONE,
    .behaviours = (const struct troupe_behaviour *const[]){&probe, &echo, &flood, &drain, NULL},
    .describe_part = lone_describe_part,
};

// Actors started: each is spawned, handles a first message and replies to it. All at once, or each
// after the reply of the one before.
//
// "Fork join (actor creation)" in the Savina suite (S. Imam, V. Sarkar, "Savina: An Actor Benchmark
// Suite", AGERE! 2014), where each actor handles one message; here it replies as well, which confirms it.
//
// The end of all of them comes with the end of the system, and is a figure of its own: from when the root
// has the last report until the system has ended, divided by the actors.
#include "worker.h"
#include "workloads.h"

#include <stdlib.h>

/** One that is spawned. Small: there are a million of them. */
struct spawned {
    troupe_ref_t pending_to; // none, unless its reply was refused
    uint64_t number;
};

static void spawned_reply(troupe_context_t *ctx, struct spawned *self, troupe_ref_t to)
{
    enum troupe_err err = TROUPE_SEND(ctx, to, BENCH_REPLY, &self->number);
    if (err == TROUPE_ERR_FULL) {
        self->pending_to = to;
    } else if (err != TROUPE_OK) {
        bench_fail(ctx, "answer", err);
    }
}

static void spawned_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct spawned *self = state;
    if (troupe_message_type(message) == BENCH_NUMBER) {
        self->number = bench_number(message);
        spawned_reply(ctx, self, troupe_message_sender(message));
    } else {
        spawned_reply(ctx, self, self->pending_to); // ROOM
    }
}

static const struct troupe_behaviour spawned = {
    .name = "spawned",
    .state_bytes = sizeof(struct spawned),
    .receive = spawned_receive,
};

/* All at once. --------------------------------------------------------------------------------- */

struct spawner {
    struct bench_worker worker;
    troupe_ref_t latest;
    bool has_first_message; // the latest has got its first message
};

static bool spawner_spawn(troupe_context_t *ctx, struct spawner *self)
{
    uint64_t cpu_mask = self->worker.setup.plan.cpu_mask;
    struct troupe_spawn_options options = {
        .behaviour = &spawned,
        .cpu_mask = bench_cpu_of(cpu_mask, (uint32_t)self->worker.sent),
    };
    enum troupe_err err = troupe_spawn(ctx, &options, &self->latest);
    if (err != TROUPE_OK) {
        bench_fail(ctx, "spawn all actors (fewer --messages?)", err);
    }
    return err == TROUPE_OK;
}

/** Spawn and greet what is left, until there is no room for a greeting. */
static void spawner_pump(troupe_context_t *ctx, struct spawner *self)
{
    struct bench_worker *worker = &self->worker;
    while (worker->sent < worker->setup.send_count) {
        if (self->has_first_message && !spawner_spawn(ctx, self)) {
            return;
        }
        self->has_first_message =
            bench_worker_send(ctx, worker, self->latest, BENCH_NUMBER, worker->sent);
        if (!self->has_first_message) {
            return;
        }
        worker->sent++;
    }
}

static void spawner_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct spawner *self = state;
    uint32_t type = troupe_message_type(message);
    if (type == BENCH_REPLY) {
        bench_worker_count(ctx, &self->worker, 1, bench_number(message));
        return;
    }
    bench_worker_control(ctx, &self->worker, message);
    if (type == BENCH_RUN) {
        bench_worker_start(ctx, &self->worker);
        self->has_first_message = true; // no actor waits for its first message yet
        spawner_pump(ctx, self);
    } else if (type == TROUPE_MESSAGE_ROOM) {
        spawner_pump(ctx, self);
    }
}

static void spawner_fini(troupe_context_t *ctx, void *state, const struct troupe_exit *exit)
{
    (void)ctx;
    (void)exit;
    bench_worker_fini(&((struct spawner *)state)->worker);
}

static const struct troupe_behaviour spawner = {
    .name = "spawner",
    .state_bytes = sizeof(struct spawner),
    .receive = spawner_receive,
    .fini = spawner_fini,
};

static void spawn_describe_part(
    const struct bench_plan *plan, uint32_t index, struct bench_part *out_part)
{
    (void)index;
    *out_part = (struct bench_part){
        .behaviour = &spawner,
        .send_count = plan->messages,
        .receive_count = plan->messages,
    };
}

const struct bench_workload bench_spawn = {
    .name = "spawn",
    .question = "actors started, each with a first message and its reply",
    .parts_more = 1,
    .messages_ecs = 1000000,
    .messages_apart = 1000,
    .messages_process = 300,
    .counts_actors = true,
    .floor = BENCH_FLOOR_NONE,
    .behaviours = (const struct troupe_behaviour *const[]){&spawner, &spawned, NULL},
    .describe_part = spawn_describe_part,
};

/* One after the other. ------------------------------------------------------------------------- */

struct starter {
    struct bench_worker worker;
    troupe_ref_t *started;
    uint64_t *reply_ns;  // of each, from its spawn to its first reply
    uint64_t spawned_ns; // when the latest was
};

static void starter_start_next(troupe_context_t *ctx, struct starter *self)
{
    struct bench_worker *worker = &self->worker;
    uint64_t index = worker->share.received;
    uint64_t cpu_mask = worker->setup.plan.cpu_mask;
    struct troupe_spawn_options options = {
        .behaviour = &spawned,
        .cpu_mask = bench_cpu_of(cpu_mask, (uint32_t)index),
    };
    self->spawned_ns = troupe_now(ctx);
    enum troupe_err err = troupe_spawn(ctx, &options, &self->started[index]);
    if (err != TROUPE_OK) {
        bench_fail(ctx, "start all actors (fewer --actors?)", err);
        return;
    }
    bench_worker_send_or_queue(ctx, worker, self->started[index], BENCH_NUMBER, index);
}

static int compare_times(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

/** Handle the first reply of the latest. */
static void starter_on_first_reply(troupe_context_t *ctx, struct starter *self, uint64_t number)
{
    struct bench_share *share = &self->worker.share;
    uint64_t now_ns = troupe_now(ctx);
    self->reply_ns[share->received++] = now_ns - self->spawned_ns;
    share->checksum += number;
    if (share->received < self->worker.setup.receive_count) {
        starter_start_next(ctx, self);
        return;
    }
    share->last_ns = now_ns;
    qsort(self->reply_ns, (size_t)share->received, sizeof(*self->reply_ns), compare_times);
    share->reply_ns = self->reply_ns[share->received / 2];
    bench_worker_send_or_queue(ctx, &self->worker, self->started[0], BENCH_NUMBER, 0);
}

/** Ask all actors again, outside of the measured time: those that reply are alive at the same time. */
static void starter_on_second_reply(troupe_context_t *ctx, struct starter *self)
{
    struct bench_worker *worker = &self->worker;
    uint64_t index = ++worker->share.alive;
    if (index < worker->setup.receive_count) {
        bench_worker_send_or_queue(ctx, worker, self->started[index], BENCH_NUMBER, index);
        return;
    }
    worker->sent = worker->setup.send_count; // only now, so that it reports no sooner
    bench_worker_finish_if_done(ctx, worker);
}

static void starter_run(troupe_context_t *ctx, struct starter *self)
{
    size_t count = (size_t)self->worker.setup.receive_count;
    self->started = calloc(count, sizeof(*self->started));
    self->reply_ns = calloc(count, sizeof(*self->reply_ns));
    if (self->started == NULL || self->reply_ns == NULL) {
        bench_fail(ctx, "remember so many actors", TROUPE_ERR_NOMEM);
        return;
    }
    bench_worker_start(ctx, &self->worker);
    starter_start_next(ctx, self);
}

static void starter_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct starter *self = state;
    uint32_t type = troupe_message_type(message);
    if (type != BENCH_REPLY) {
        bench_worker_control(ctx, &self->worker, message);
        if (type == BENCH_RUN) {
            starter_run(ctx, self);
        }
    } else if (self->worker.share.last_ns == 0) {
        starter_on_first_reply(ctx, self, bench_number(message));
    } else {
        starter_on_second_reply(ctx, self);
    }
}

static void starter_fini(troupe_context_t *ctx, void *state, const struct troupe_exit *exit)
{
    (void)ctx;
    (void)exit;
    struct starter *self = state;
    free(self->started);
    free(self->reply_ns);
    bench_worker_fini(&self->worker);
}

static const struct troupe_behaviour starter = {
    .name = "starter",
    .state_bytes = sizeof(struct starter),
    .receive = starter_receive,
    .fini = starter_fini,
};

static void start_describe_part(
    const struct bench_plan *plan, uint32_t index, struct bench_part *out_part)
{
    (void)index;
    *out_part = (struct bench_part){
        .behaviour = &starter,
        .send_count = plan->messages,
        .receive_count = plan->messages,
        .backlog_count = 1,
    };
}

const struct bench_workload bench_start = {
    .name = "start",
    .question = "actors started one by one, each after the other's first answer",
    .parts_more = 1,
    .messages_ecs = 100000,
    .messages_apart = 1000,
    .messages_process = 300,
    .counts_actors = true,
    .floor = BENCH_FLOOR_NONE,
    .behaviours = (const struct troupe_behaviour *const[]){&starter, &spawned, NULL},
    .describe_part = start_describe_part,
};

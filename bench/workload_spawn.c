// Actors started: each is spawned, meets a first message and answers it.
//
// "Fork join (actor creation)" in the Savina suite (S. Imam, V. Sarkar, "Savina: An Actor Benchmark
// Suite", AGERE! 2014), where each actor meets one message; here it answers too, so that we know.
//
// Not measured: the end of the actors, which comes with the end of the system, after the last
// answer.
#include "worker.h"
#include "workloads.h"

/** One that is spawned. Small: there are a million of them. */
struct spawned {
    troupe_ref_t owed_to; // nobody, unless its answer was refused
    uint64_t number;
};

static void spawned_answer(troupe_context_t *ctx, struct spawned *self, troupe_ref_t to)
{
    enum troupe_err err = TROUPE_SEND(ctx, to, BENCH_ANSWER, &self->number);
    if (err == TROUPE_ERR_FULL) {
        self->owed_to = to;
    } else if (err != TROUPE_OK) {
        bench_give_up(ctx, "answer", err);
    }
}

static void spawned_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct spawned *self = state;
    if (troupe_message_type(message) == BENCH_NUMBER) {
        self->number = bench_number(message);
        spawned_answer(ctx, self, troupe_message_sender(message));
    } else {
        spawned_answer(ctx, self, self->owed_to); // ROOM
    }
}

static const struct troupe_behaviour spawned = {
    .name = "spawned",
    .state_bytes = sizeof(struct spawned),
    .receive = spawned_receive,
};

struct spawner {
    struct bench_worker worker;
    troupe_ref_t latest;
    bool is_greeted; // the latest has got its first message
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
        bench_give_up(ctx, "spawn all actors (fewer --messages?)", err);
    }
    return err == TROUPE_OK;
}

/** Spawn and greet what is left, until there is no room for a greeting. */
static void spawner_pump(troupe_context_t *ctx, struct spawner *self)
{
    struct bench_worker *worker = &self->worker;
    while (worker->sent < worker->setup.send_count) {
        if (self->is_greeted && !spawner_spawn(ctx, self)) {
            return;
        }
        self->is_greeted = bench_worker_send(ctx, worker, self->latest, BENCH_NUMBER, worker->sent);
        if (!self->is_greeted) {
            return;
        }
        worker->sent++;
    }
}

static void spawner_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct spawner *self = state;
    uint32_t type = troupe_message_type(message);
    if (type == BENCH_ANSWER) {
        bench_worker_count(ctx, &self->worker, 1, bench_number(message));
        return;
    }
    bench_worker_control(ctx, &self->worker, message);
    if (type == BENCH_RUN) {
        bench_worker_start(ctx, &self->worker);
        self->is_greeted = true; // nobody waits for a greeting yet
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

static void spawn_cast(const struct bench_plan *plan, uint32_t index, struct bench_part *out_part)
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
    .question = "actors started, each with a first message met and answered",
    .parts_more = 1,
    .messages_world = 1000000,
    .messages_apart = 1000,
    .counts_actors = true,
    .floor = BENCH_FLOOR_NONE,
    .behaviours = (const struct troupe_behaviour *const[]){&spawner, &spawned, NULL},
    .cast = spawn_cast,
};

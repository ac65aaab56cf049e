/*
 * The root actor of a run: it spawns the workers of a plan, asks each to set itself up, asks each
 * to run, sums what they report and ends.
 *
 *     START --> SETTING_UP -- all READY --> RUNNING -- all REPORT --> ends, a tally as exit text
 *
 * The tally leaves through the exit text because that is the one path from an actor to the main
 * program that is the same wherever the actor lives: a static variable would not reach out of
 * another process, and an inbox would need a thread that gets in the way of the measurement.
 *
 * No worker runs before all are set up: the root's SETUP and a peer's first number come on
 * different paths, and between different senders no order is promised.
 */
#include "worker.h"

#include <inttypes.h>
#include <stdlib.h>

/** How long the workers may take. */
#define ROOT_DEADLINE_NS (UINT64_C(3600) * 1000 * 1000 * 1000)

enum root_phase { ROOT_SETTING_UP, ROOT_RUNNING };

struct root {
    struct bench_plan plan;
    const struct bench_workload *workload;
    troupe_ref_t *workers;
    unsigned char *setup; // a struct bench_setup and room for every worker's reference
    uint32_t worker_count;
    enum root_phase phase;
    uint32_t asked_count;
    uint32_t replied_count;
    struct bench_share sum;
};

bool bench_tally_parse(const char *text, struct bench_tally *out_tally)
{
    uint64_t numbers[6] = {0};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        char *end = NULL;
        numbers[i] = strtoull(text, &end, 10);
        if (end == text) {
            return false;
        }
        text = end;
    }
    *out_tally = (struct bench_tally){
        .elapsed_ns = numbers[0],
        .messages = numbers[1],
        .checksum = numbers[2],
        .reply_ns = numbers[3],
        .alive = numbers[4],
        .ended_ns = numbers[5],
    };
    return true;
}

static void root_end(troupe_context_t *ctx, const struct root *self)
{
    char text[TROUPE_EXIT_TEXT_BYTES];
    uint64_t elapsed_ns = self->sum.last_ns - self->sum.first_ns;
    (void)snprintf(
        text,
        sizeof(text),
        "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64,
        elapsed_ns,
        self->sum.received,
        self->sum.checksum,
        self->sum.reply_ns,
        self->sum.alive,
        troupe_now(ctx));
    troupe_fail(ctx, BENCH_EXIT_RESULT, text);
}

static void root_add(struct root *self, const struct bench_share *share)
{
    bool starts = share->first_ns != 0;
    if (starts && (self->sum.first_ns == 0 || share->first_ns < self->sum.first_ns)) {
        self->sum.first_ns = share->first_ns;
    }
    if (share->last_ns > self->sum.last_ns) {
        self->sum.last_ns = share->last_ns;
    }
    self->sum.received += share->received;
    self->sum.checksum += share->checksum;
    self->sum.reply_ns += share->reply_ns; // of one worker, which starts all
    self->sum.alive += share->alive;
}

static void root_ask(troupe_context_t *ctx, struct root *self);

static void root_on_reply(
    troupe_context_t *ctx,
    void *state,
    uint64_t tag,
    enum troupe_err err,
    const troupe_message_t *reply)
{
    (void)tag;
    struct root *self = state;
    if (err != TROUPE_OK) {
        bench_fail(ctx, "get the reply of a worker", err);
        return;
    }
    if (self->phase == ROOT_RUNNING) {
        const struct bench_share *share = TROUPE_BODY(reply, struct bench_share);
        if (share == NULL) {
            bench_fail(ctx, "read a worker's report", TROUPE_ERR_INVAL);
            return;
        }
        root_add(self, share);
    }
    self->replied_count++;
    if (self->replied_count < self->worker_count) {
        return;
    }
    if (self->phase == ROOT_RUNNING) {
        root_end(ctx, self);
        return;
    }
    self->phase = ROOT_RUNNING;
    self->asked_count = 0;
    self->replied_count = 0;
    root_ask(ctx, self);
}

/** Fill in the setup of worker @p index. @return its size in bytes. */
static size_t root_write_setup(struct root *self, uint32_t index)
{
    struct bench_part part = {0};
    self->workload->describe_part(&self->plan, index, &part);
    struct bench_setup setup = {
        .plan = self->plan,
        .number_first = part.number_first,
        .send_count = part.send_count,
        .receive_count = part.receive_count,
        .index = index,
        .peer_count = part.peer_count,
        .backlog_count_max = part.backlog_count,
    };
    size_t peers_bytes = part.peer_count * sizeof(*self->workers);
    memcpy(self->setup, &setup, sizeof(setup));
    memcpy(self->setup + sizeof(setup), self->workers + part.peer_first, peers_bytes);
    return sizeof(setup) + peers_bytes;
}

/** Ask those workers that are left in this phase; where one is full, go on at the ROOM notice. */
static void root_ask(troupe_context_t *ctx, struct root *self)
{
    while (self->asked_count < self->worker_count) {
        // RUN goes round backwards: part 0 is the one that starts, and the others should be awake.
        bool is_setup = self->phase == ROOT_SETTING_UP;
        uint32_t index = is_setup ? self->asked_count : self->worker_count - 1 - self->asked_count;
        struct troupe_outgoing outgoing = {
            .to = self->workers[index],
            .type = is_setup ? BENCH_SETUP : BENCH_RUN,
            .body = is_setup ? self->setup : NULL,
            .body_bytes = is_setup ? root_write_setup(self, index) : 0,
        };
        enum troupe_err err = troupe_ask(
            ctx,
            &outgoing,
            &(const struct troupe_ask_options){
                .timeout_ns = ROOT_DEADLINE_NS, .on_reply = root_on_reply, .tag = index});
        if (err == TROUPE_ERR_FULL) {
            return;
        }
        if (err != TROUPE_OK) {
            bench_fail(ctx, "ask a worker", err);
            return;
        }
        self->asked_count++;
    }
}

static void root_start(troupe_context_t *ctx, struct root *self)
{
    for (uint32_t i = 0; i < self->worker_count; i++) {
        struct bench_part part = {0};
        self->workload->describe_part(&self->plan, i, &part);
        struct troupe_spawn_options options = {
            .behaviour = part.behaviour,
            .cpu_mask = bench_cpu_of(self->plan.cpu_mask, i),
        };
        enum troupe_err err = troupe_spawn(ctx, &options, &self->workers[i]);
        if (err != TROUPE_OK) {
            bench_fail(ctx, "spawn all workers (fewer --actors?)", err);
            return;
        }
    }
    root_ask(ctx, self);
}

static enum troupe_err root_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)ctx;
    struct root *self = state;
    if (args == NULL || args_bytes != sizeof(self->plan)) {
        return TROUPE_ERR_INVAL;
    }
    memcpy(&self->plan, args, sizeof(self->plan));
    self->workload = bench_workload_get(self->plan.workload_index);
    if (self->workload == NULL) {
        return TROUPE_ERR_INVAL;
    }
    self->worker_count = bench_part_count(&self->plan);
    size_t workers_bytes = self->worker_count * sizeof(*self->workers);
    self->workers = malloc(workers_bytes);
    self->setup = malloc(sizeof(struct bench_setup) + workers_bytes);
    if (self->workers == NULL || self->setup == NULL) {
        free(self->workers); // `fini` is not called after an error
        free(self->setup);
        return TROUPE_ERR_NOMEM;
    }
    return TROUPE_OK;
}

static void root_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct root *self = state;
    if (troupe_message_type(message) == BENCH_START) {
        root_start(ctx, self);
    } else {
        root_ask(ctx, self); // ROOM: where we were
    }
}

static void root_fini(troupe_context_t *ctx, void *state, const struct troupe_exit *exit)
{
    (void)ctx;
    (void)exit;
    struct root *self = state;
    free(self->workers);
    free(self->setup);
}

const struct troupe_behaviour bench_root = {
    .name = "bench_root",
    .state_bytes = sizeof(struct root),
    .init = root_init,
    .receive = root_receive,
    .fini = root_fini,
};

/*
 * The floor: the same traffic on raw libzmq, as a program without Troupe would be written.
 *
 *     flow      PUSH --> PULL   each part a pthread; one message a zmq_msg_send, default high-water
 *                               marks, blocking; as libzmq's own perf/inproc_thr.cpp
 *     round     PAIR <-> PAIR   each part a pthread that receives a number and sends the next one;
 *                               as libzmq's own perf/inproc_lat.cpp
 *     in turn   PAIR --> PAIR   both in one thread, each message sent and received before the next
 *
 * The same parts as in our run, pinned alike, and the same sum at the end. Threads and sockets are
 * made before the clock starts and ended after it stopped.
 */
#include "bench.h"

#include <zmq.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct floor_run;

/** One part: a thread and its sockets. */
struct floor_part {
    struct floor_run *run;
    struct bench_part part;
    uint32_t index;
    pthread_t thread;
    void *in;          // NULL when it only sends
    void **out;        // a socket for each peer
    bool shares_in;    // its only `out` is `in`: the two of a ping pong share one pair
    uint64_t first_ns; // 0 when it starts nothing
    uint64_t last_ns;  // 0 when it meets nothing
    uint64_t received;
    uint64_t checksum;
    int err; // of zmq_errno(); 0 when all went well
};

struct floor_run {
    enum bench_floor_kind kind;
    const struct bench_plan *plan;
    void *context;
    uint32_t part_count;
    struct floor_part *parts;
    pthread_barrier_t barrier; // all threads and the main one
};

static uint64_t floor_now(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/**
 * Say what failed and end the program. Threads that wait for a number that will not come cannot be
 * told to stop, so there is no way on from here.
 */
static _Noreturn void floor_die(const char *what, int err)
{
    (void)fprintf(
        stderr,
        "troupe-bench: the floor: %s: %s; try fewer --actors, or leave --floor out\n",
        what,
        zmq_strerror(err));
    _Exit(EXIT_FAILURE);
}

/* Messages. ------------------------------------------------------------------------------------ */

/** Send a body of the plan's size that starts with @p number. @return 0 or an error number. */
static int floor_send(void *socket, const struct bench_plan *plan, uint64_t number)
{
    zmq_msg_t message;
    if (zmq_msg_init_size(&message, (size_t)plan->size_bytes) != 0) {
        return zmq_errno();
    }
    unsigned char *body = zmq_msg_data(&message);
    memcpy(body, &number, sizeof(number));
    if (plan->size_bytes > sizeof(number)) {
        memset(body + sizeof(number), 0, (size_t)plan->size_bytes - sizeof(number));
    }
    while (zmq_msg_send(&message, socket, 0) < 0) {
        if (zmq_errno() != EINTR) {
            int err = zmq_errno();
            (void)zmq_msg_close(&message);
            return err;
        }
    }
    return 0;
}

/** Receive into @p message, which is used again and again. @return 0 or an error number. */
static int floor_receive(void *socket, zmq_msg_t *message, uint64_t *out_number)
{
    while (zmq_msg_recv(message, socket, 0) < 0) {
        if (zmq_errno() != EINTR) {
            return zmq_errno();
        }
    }
    memcpy(out_number, zmq_msg_data(message), sizeof(*out_number));
    return 0;
}

/* Threads. ------------------------------------------------------------------------------------- */

static void floor_source(struct floor_part *self)
{
    self->first_ns = floor_now();
    for (uint64_t i = 0; i < self->part.send_count && self->err == 0; i++) {
        void *socket = self->out[i % self->part.peer_count];
        self->err = floor_send(socket, self->run->plan, self->part.number_first + i);
    }
}

static void floor_sink(struct floor_part *self, zmq_msg_t *message)
{
    while (self->received < self->part.receive_count && self->err == 0) {
        uint64_t number = 0;
        self->err = floor_receive(self->in, message, &number);
        self->checksum += number;
        self->received++;
    }
    self->last_ns = floor_now();
}

static void floor_hopper(struct floor_part *self, zmq_msg_t *message)
{
    const struct bench_plan *plan = self->run->plan;
    if (self->index == 0) {
        self->first_ns = floor_now();
        self->err = floor_send(self->out[0], plan, 0);
    }
    while (self->received < self->part.receive_count && self->err == 0) {
        uint64_t number = 0;
        self->err = floor_receive(self->in, message, &number);
        self->checksum += number;
        self->received++;
        if (self->err == 0 && number + 1 < plan->messages) {
            self->err = floor_send(self->out[0], plan, number + 1);
        }
    }
    self->last_ns = floor_now();
}

static void *floor_thread(void *opaque)
{
    struct floor_part *self = opaque;
    zmq_msg_t message;
    (void)zmq_msg_init(&message); // cannot fail
    (void)pthread_barrier_wait(&self->run->barrier);
    if (self->run->kind == BENCH_FLOOR_ROUND) {
        floor_hopper(self, &message);
    } else if (self->part.send_count > 0) {
        floor_source(self);
    } else if (self->part.receive_count > 0) {
        floor_sink(self, &message);
    }
    (void)zmq_msg_close(&message);
    if (self->err != 0) {
        floor_die("a message", self->err);
    }
    return NULL;
}

/** Start the thread of a part where the plan pins it. @return 0 or an error number. */
static int floor_start(struct floor_part *self)
{
    uint64_t cpu_mask = bench_cpu_of(self->run->plan->cpu_mask, self->index);
    pthread_attr_t attributes;
    int err = pthread_attr_init(&attributes);
    if (err != 0) {
        return err;
    }
    if (cpu_mask != 0) {
        cpu_set_t cpus;
        CPU_ZERO(&cpus);
        CPU_SET((size_t)__builtin_ctzll(cpu_mask), &cpus);
        err = pthread_attr_setaffinity_np(&attributes, sizeof(cpus), &cpus);
    }
    if (err == 0) {
        err = pthread_create(&self->thread, &attributes, floor_thread, self);
    }
    (void)pthread_attr_destroy(&attributes);
    return err;
}

/* Sockets. ------------------------------------------------------------------------------------- */

/** Make a socket and bind or connect it to part @p index. @return it, or NULL; zmq_errno() says. */
static void *floor_socket(struct floor_run *run, int type, bool binds, uint32_t index)
{
    char endpoint[64];
    (void)snprintf(endpoint, sizeof(endpoint), "inproc://floor-%u", index);
    void *socket = zmq_socket(run->context, type);
    if (socket == NULL) {
        return NULL;
    }
    int refused = binds ? zmq_bind(socket, endpoint) : zmq_connect(socket, endpoint);
    if (refused != 0) {
        (void)zmq_close(socket);
        return NULL;
    }
    return socket;
}

/** Bind what a part receives from. @return whether it could. */
static bool floor_bind(struct floor_run *run, struct floor_part *self)
{
    self->out = calloc((size_t)self->part.peer_count + 1, sizeof(*self->out));
    if (self->out == NULL) {
        errno = ENOMEM;
        return false;
    }
    // The second of two connects to the first's socket, and that pair serves both ways.
    self->shares_in = run->kind == BENCH_FLOOR_ROUND && run->part_count == 2;
    if (self->part.receive_count == 0 && run->kind == BENCH_FLOOR_FLOW) {
        return true;
    }
    bool connects = self->shares_in && self->index == 1;
    int type = run->kind == BENCH_FLOOR_ROUND ? ZMQ_PAIR : ZMQ_PULL;
    self->in = floor_socket(run, type, !connects, connects ? 0 : self->index);
    return self->in != NULL;
}

/** Connect to those that a part sends to. @return whether it could. */
static bool floor_connect(struct floor_run *run, struct floor_part *self)
{
    if (self->shares_in) {
        self->out[0] = self->in;
        return true;
    }
    int type = run->kind == BENCH_FLOOR_ROUND ? ZMQ_PAIR : ZMQ_PUSH;
    for (uint32_t i = 0; i < self->part.peer_count; i++) {
        self->out[i] = floor_socket(run, type, false, self->part.peer_first + i);
        if (self->out[i] == NULL) {
            return false;
        }
    }
    return true;
}

static void floor_close(struct floor_part *self)
{
    for (uint32_t i = 0; self->out != NULL && i < self->part.peer_count; i++) {
        if (self->out[i] != NULL && !self->shares_in) {
            (void)zmq_close(self->out[i]);
        }
    }
    if (self->in != NULL) {
        (void)zmq_close(self->in);
    }
    free(self->out);
}

/* Runs. ---------------------------------------------------------------------------------------- */

/** Make the parts and their sockets. @return whether it could; zmq_errno() says why not. */
static bool floor_set_up(struct floor_run *run)
{
    const struct bench_workload *workload = bench_workload_get(run->plan->workload_index);
    run->parts = calloc(run->part_count, sizeof(*run->parts));
    if (run->parts == NULL || workload == NULL) {
        errno = ENOMEM;
        return false;
    }
    for (uint32_t i = 0; i < run->part_count; i++) {
        struct floor_part *part = &run->parts[i];
        part->run = run;
        part->index = i;
        workload->cast(run->plan, i, &part->part);
        // A sink that is sent nothing has no socket, so nobody must connect to it either.
        if (part->part.send_count > 0 && part->part.peer_count > part->part.send_count) {
            part->part.peer_count = (uint32_t)part->part.send_count;
        } else if (run->kind == BENCH_FLOOR_FLOW && part->part.send_count == 0) {
            part->part.peer_count = 0;
        }
        if (!floor_bind(run, part)) {
            return false;
        }
    }
    for (uint32_t i = 0; i < run->part_count; i++) {
        if (!floor_connect(run, &run->parts[i])) {
            return false;
        }
    }
    return true;
}

/** Run all threads to their end and sum up. */
static void floor_go(struct floor_run *run, struct bench_tally *out_tally)
{
    int err = pthread_barrier_init(&run->barrier, NULL, run->part_count + 1);
    if (err != 0) {
        floor_die("no barrier", err);
    }
    for (uint32_t i = 0; i < run->part_count; i++) {
        err = floor_start(&run->parts[i]);
        if (err != 0) {
            floor_die("no thread", err);
        }
    }
    (void)pthread_barrier_wait(&run->barrier);
    uint64_t first_ns = UINT64_MAX;
    uint64_t last_ns = 0;
    for (uint32_t i = 0; i < run->part_count; i++) {
        struct floor_part *part = &run->parts[i];
        (void)pthread_join(part->thread, NULL);
        first_ns = part->first_ns != 0 && part->first_ns < first_ns ? part->first_ns : first_ns;
        last_ns = part->last_ns > last_ns ? part->last_ns : last_ns;
        out_tally->messages += part->received;
        out_tally->checksum += part->checksum;
    }
    out_tally->elapsed_ns = last_ns - first_ns;
    (void)pthread_barrier_destroy(&run->barrier);
}

/** Both ends in this thread. @return 0 or an error number. */
static int floor_in_turn(struct floor_run *run, struct bench_tally *out_tally)
{
    void *in = floor_socket(run, ZMQ_PAIR, true, 0);
    void *out = in == NULL ? NULL : floor_socket(run, ZMQ_PAIR, false, 0);
    int err = out == NULL ? zmq_errno() : 0;
    zmq_msg_t message;
    (void)zmq_msg_init(&message); // cannot fail
    uint64_t first_ns = floor_now();
    for (uint64_t i = 0; i < run->plan->messages && err == 0; i++) {
        uint64_t number = 0;
        err = floor_send(out, run->plan, i);
        if (err == 0) {
            err = floor_receive(in, &message, &number);
        }
        out_tally->checksum += number;
        out_tally->messages++;
    }
    out_tally->elapsed_ns = floor_now() - first_ns;
    (void)zmq_msg_close(&message);
    if (out != NULL) {
        (void)zmq_close(out);
    }
    if (in != NULL) {
        (void)zmq_close(in);
    }
    return err;
}

static int floor_apart(struct floor_run *run, struct bench_tally *out_tally)
{
    run->part_count = bench_part_count(run->plan);
    // A ring of n has 2 n sockets, a fan of n has 2 n too; some are the context's own.
    (void)zmq_ctx_set(run->context, ZMQ_MAX_SOCKETS, (int)(2 * run->part_count + 16));
    int err = floor_set_up(run) ? 0 : zmq_errno();
    if (err == 0) {
        floor_go(run, out_tally);
    }
    for (uint32_t i = 0; run->parts != NULL && i < run->part_count; i++) {
        floor_close(&run->parts[i]);
    }
    free(run->parts);
    return err;
}

bool bench_floor_run(
    enum bench_floor_kind kind, const struct bench_plan *plan, struct bench_tally *out_tally)
{
    struct floor_run run = {.kind = kind, .plan = plan, .context = zmq_ctx_new()};
    *out_tally = (struct bench_tally){0};
    int err = run.context == NULL ? zmq_errno() : 0;
    if (err == 0) {
        bool is_in_turn = kind == BENCH_FLOOR_IN_TURN;
        err = is_in_turn ? floor_in_turn(&run, out_tally) : floor_apart(&run, out_tally);
        (void)zmq_ctx_term(run.context);
    }
    if (err != 0) {
        (void)fprintf(
            stderr, "troupe-bench: the floor: %s; try fewer --actors\n", zmq_strerror(err));
    }
    return err == 0;
}

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
 * made before the clock starts and ended after it stopped. Between processes see floor_process.c.
 */
#include "floor.h"

#include <zmq.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

struct floor_run;

/** A part that is a thread. */
struct floor_slot {
    struct floor_run *run;
    struct floor_part part;
    pthread_t thread;
    bool shares_in; // its only `out` is `in`: the two of a ping pong share one pair
};

struct floor_run {
    enum bench_floor_kind kind;
    const struct bench_plan *plan;
    void *context;
    uint32_t part_count;
    struct floor_slot *seats;
    pthread_barrier_t barrier; // all threads and the main one
};

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

/* Threads. ------------------------------------------------------------------------------------- */

static void *floor_thread(void *opaque)
{
    struct floor_slot *self = opaque;
    (void)pthread_barrier_wait(&self->run->barrier);
    floor_part_run(&self->part);
    if (self->part.err != 0) {
        floor_die("a message", self->part.err);
    }
    return NULL;
}

/** Start the thread of a part where the plan pins it. @return 0 or an error number. */
static int floor_start(struct floor_slot *self)
{
    uint64_t cpu_mask = bench_cpu_of(self->run->plan->cpu_mask, self->part.index);
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
static bool floor_bind(struct floor_run *run, struct floor_slot *slot)
{
    struct floor_part *self = &slot->part;
    self->out = calloc((size_t)self->part.peer_count + 1, sizeof(*self->out));
    if (self->out == NULL) {
        errno = ENOMEM;
        return false;
    }
    // The second of two connects to the first's socket, and that pair serves both ways.
    slot->shares_in = run->kind == BENCH_FLOOR_ROUND && run->part_count == 2;
    if (!floor_part_receives(self)) {
        return true;
    }
    bool connects = slot->shares_in && self->index == 1;
    int type = run->kind == BENCH_FLOOR_ROUND ? ZMQ_PAIR : ZMQ_PULL;
    self->in = floor_socket(run, type, !connects, connects ? 0 : self->index);
    return self->in != NULL;
}

/** Connect to those that a part sends to. @return whether it could. */
static bool floor_connect(struct floor_run *run, struct floor_slot *slot)
{
    struct floor_part *self = &slot->part;
    if (slot->shares_in) {
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

static void floor_close(struct floor_slot *slot)
{
    struct floor_part *self = &slot->part;
    for (uint32_t i = 0; self->out != NULL && i < self->part.peer_count; i++) {
        if (self->out[i] != NULL && !slot->shares_in) {
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
    run->seats = calloc(run->part_count, sizeof(*run->seats));
    if (run->seats == NULL) {
        errno = ENOMEM;
        return false;
    }
    for (uint32_t i = 0; i < run->part_count; i++) {
        run->seats[i].run = run;
        floor_part_init(&run->seats[i].part, run->kind, run->plan, i);
        if (!floor_bind(run, &run->seats[i])) {
            return false;
        }
    }
    for (uint32_t i = 0; i < run->part_count; i++) {
        if (!floor_connect(run, &run->seats[i])) {
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
        err = floor_start(&run->seats[i]);
        if (err != 0) {
            floor_die("no thread", err);
        }
    }
    (void)pthread_barrier_wait(&run->barrier);
    uint64_t first_ns = UINT64_MAX;
    uint64_t last_ns = 0;
    for (uint32_t i = 0; i < run->part_count; i++) {
        (void)pthread_join(run->seats[i].thread, NULL);
        floor_part_add(&run->seats[i].part, out_tally, &first_ns, &last_ns);
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

static int floor_threads(struct floor_run *run, struct bench_tally *out_tally)
{
    run->part_count = bench_part_count(run->plan);
    // A ring of n has 2 n sockets, a fan of n has 2 n too; some are the context's own.
    (void)zmq_ctx_set(run->context, ZMQ_MAX_SOCKETS, (int)(2 * run->part_count + 16));
    int err = floor_set_up(run) ? 0 : zmq_errno();
    if (err == 0) {
        floor_go(run, out_tally);
    }
    for (uint32_t i = 0; run->seats != NULL && i < run->part_count; i++) {
        floor_close(&run->seats[i]);
    }
    free(run->seats);
    return err;
}

/** Run all in this process. @return 0 or an error number. */
static int floor_here(
    enum bench_floor_kind kind, const struct bench_plan *plan, struct bench_tally *out_tally)
{
    struct floor_run run = {.kind = kind, .plan = plan, .context = zmq_ctx_new()};
    if (run.context == NULL) {
        return zmq_errno();
    }
    bool is_in_turn = kind == BENCH_FLOOR_IN_TURN;
    int err = is_in_turn ? floor_in_turn(&run, out_tally) : floor_threads(&run, out_tally);
    (void)zmq_ctx_term(run.context);
    return err;
}

bool bench_floor_run(
    const struct bench_floor *floor, const struct bench_plan *plan, struct bench_tally *out_tally)
{
    *out_tally = (struct bench_tally){0};
    bool is_here = floor->transport == BENCH_TRANSPORT_INPROC;
    int err = is_here ? floor_here(floor->kind, plan, out_tally)
                      : floor_processes(floor, plan, out_tally);
    if (err != 0) {
        (void)fprintf(
            stderr, "troupe-bench: the floor: %s; try fewer --actors\n", zmq_strerror(err));
    }
    return err == 0;
}

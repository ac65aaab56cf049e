/*
 * One part of the floor: blocking sends and receives, as a plain program would write them.
 */
#include "floor.h"

#include <errno.h>
#include <string.h>
#include <time.h>

uint64_t floor_now(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* Messages. ------------------------------------------------------------------------------------ */

int floor_send(void *socket, const struct bench_plan *plan, uint64_t number)
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

int floor_receive(void *socket, zmq_msg_t *message, uint64_t *out_number)
{
    while (zmq_msg_recv(message, socket, 0) < 0) {
        if (zmq_errno() != EINTR) {
            return zmq_errno();
        }
    }
    memcpy(out_number, zmq_msg_data(message), sizeof(*out_number));
    return 0;
}

/* Parts. --------------------------------------------------------------------------------------- */

void floor_part_init(
    struct floor_part *self,
    enum bench_floor_kind kind,
    const struct bench_plan *plan,
    uint32_t index)
{
    *self = (struct floor_part){.kind = kind, .plan = plan, .index = index};
    bench_workload_get(plan->workload_index)->describe_part(plan, index, &self->part);
    // A sink that is sent nothing has no socket, so no part must connect to it either.
    if (self->part.send_count > 0 && self->part.peer_count > self->part.send_count) {
        self->part.peer_count = (uint32_t)self->part.send_count;
    } else if (kind == BENCH_FLOOR_FLOW && self->part.send_count == 0) {
        self->part.peer_count = 0;
    }
}

bool floor_part_receives(const struct floor_part *self)
{
    return self->part.receive_count > 0 || self->kind == BENCH_FLOOR_ROUND;
}

static void part_source(struct floor_part *self)
{
    self->first_ns = floor_now();
    for (uint64_t i = 0; i < self->part.send_count && self->err == 0; i++) {
        void *socket = self->out[i % self->part.peer_count];
        self->err = floor_send(socket, self->plan, self->part.number_first + i);
    }
}

static void part_sink(struct floor_part *self, zmq_msg_t *message)
{
    while (self->received < self->part.receive_count && self->err == 0) {
        uint64_t number = 0;
        self->err = floor_receive(self->in, message, &number);
        self->checksum += number;
        self->received++;
    }
    self->last_ns = floor_now();
}

static void part_hopper(struct floor_part *self, zmq_msg_t *message)
{
    if (self->index == 0) {
        self->first_ns = floor_now();
        self->err = floor_send(self->out[0], self->plan, 0);
    }
    while (self->received < self->part.receive_count && self->err == 0) {
        uint64_t number = 0;
        self->err = floor_receive(self->in, message, &number);
        self->checksum += number;
        self->received++;
        if (self->err == 0 && number + 1 < self->plan->messages) {
            self->err = floor_send(self->out[0], self->plan, number + 1);
        }
    }
    self->last_ns = floor_now();
}

void floor_part_run(struct floor_part *self)
{
    zmq_msg_t message;
    (void)zmq_msg_init(&message); // cannot fail
    if (self->kind == BENCH_FLOOR_ROUND) {
        part_hopper(self, &message);
    } else if (self->part.send_count > 0) {
        part_source(self);
    } else if (self->part.receive_count > 0) {
        part_sink(self, &message);
    }
    (void)zmq_msg_close(&message);
}

void floor_part_add(
    const struct floor_part *self, struct bench_tally *tally, uint64_t *first_ns, uint64_t *last_ns)
{
    if (self->first_ns != 0 && self->first_ns < *first_ns) {
        *first_ns = self->first_ns;
    }
    *last_ns = self->last_ns > *last_ns ? self->last_ns : *last_ns;
    tally->messages += self->received;
    tally->checksum += self->checksum;
}

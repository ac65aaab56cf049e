/**
 * @file floor.h
 * @brief What the floor between threads and the floor between processes share: one part of a plan
 *        on raw libzmq, from its first message to its last.
 *
 * The caller of a part makes its sockets; the part itself does not know which peers they reach, or how.
 */
#ifndef BENCH_FLOOR_H
#define BENCH_FLOOR_H

#include "bench.h"

#include <zmq.h>

#include <stdbool.h>
#include <stdint.h>

/** One part: its share of the plan, its sockets and what it counted. */
struct floor_part {
    enum bench_floor_kind kind;
    const struct bench_plan *plan;
    struct bench_part part;
    uint32_t index;
    void *in;          // NULL when it only sends
    void **out;        // a socket for each peer
    uint64_t first_ns; // 0 when it starts nothing
    uint64_t last_ns;  // 0 when it handles nothing
    uint64_t received;
    uint64_t checksum;
    int err; // of zmq_errno(); 0 when all went well
};

/** Fill in what part @p index of @p plan does; its sockets are for the caller to make. */
void floor_part_init(
    struct floor_part *self,
    enum bench_floor_kind kind,
    const struct bench_plan *plan,
    uint32_t index);

/** @return whether the part receives from anybody. */
bool floor_part_receives(const struct floor_part *self);

/** Do all that the part does; `err` says how it went. Blocks until it is done. */
void floor_part_run(struct floor_part *self);

/** Add what a part counted; *first_ns and *last_ns are widened by it. */
void floor_part_add(
    const struct floor_part *self,
    struct bench_tally *tally,
    uint64_t *first_ns,
    uint64_t *last_ns);

/** Send a body of the plan's size that starts with @p number. @return 0 or an error number. */
int floor_send(void *socket, const struct bench_plan *plan, uint64_t number);

/** Receive into @p message, which is used again and again. @return 0 or an error number. */
int floor_receive(void *socket, zmq_msg_t *message, uint64_t *out_number);

/** @return the monotonic time, the same for all processes of a host. */
uint64_t floor_now(void);

/** Run @p plan, each part in a process. @return 0, or an error number; standard error says more. */
int floor_processes(
    const struct bench_floor *floor, const struct bench_plan *plan, struct bench_tally *out_tally);

#endif

/**
 * @file worker.h
 * @brief The half of a workload's actor that is the same in all of them.
 *
 *     bench_root                 worker
 *         | -- ask SETUP ----------> |  its peers, and how much to send
 *         | <--------- READY ------- |
 *         | -- ask RUN ------------> |  starters send their first message
 *         |                          |  ... the traffic that is measured ...
 *         | <--------- REPORT ------ |  when it has received and sent all of its own
 *
 * Every worker knows beforehand how much it will receive, so no message announces the end and the only
 * messages in the measured time are the workload's own. Answers to asks always have room, so a full
 * mailbox can never swallow a report.
 *
 * A worker whose send is refused queues it in its backlog and continues at the ROOM notice.
 *
 * Each function is called from a callback of the actor that holds the worker.
 */
#ifndef BENCH_WORKER_H
#define BENCH_WORKER_H

#include "bench.h"

#include <string.h>

/** Types of the messages between the actors of a benchmark. */
enum bench_message {
    BENCH_SETUP = 2,  /**< A struct bench_setup and its peers' references. */
    BENCH_READY = 3,  /**< No body. */
    BENCH_RUN = 4,    /**< No body. */
    BENCH_REPORT = 5, /**< A struct bench_share. */
    BENCH_NUMBER = 6, /**< What is measured. This and the next start with a number. */
    BENCH_REPLY = 7,  /**< What comes back. */
};

/** The setup of a worker. The references of its peers follow. */
struct bench_setup {
    struct bench_plan plan;
    uint64_t number_first;
    uint64_t send_count;
    uint64_t receive_count;
    uint32_t index;
    uint32_t peer_count;
    uint32_t backlog_count_max;
    uint32_t unused; // keeps the references that follow where they are aligned
};

/** What a worker counted. A time of 0: not measured. */
struct bench_share {
    uint64_t first_ns; /**< When it sent its first message, if it started. */
    uint64_t last_ns;  /**< When it received its last. */
    uint64_t received;
    uint64_t checksum;
    uint64_t reply_ns; /**< See struct bench_tally; 0: not measured. */
    uint64_t alive;    /**< How many actors replied when all had been started; likewise. */
};

/** A message that was refused. */
struct bench_backlog {
    troupe_ref_t to;
    uint32_t type;
    uint64_t number;
};

/** A worker: the first field of its actor's state. */
struct bench_worker {
    struct bench_setup setup;
    struct bench_share share;
    uint64_t sent; /**< Of its own, not counting replies. */

    troupe_ref_t *peers;
    void *bytes; /**< A body to copy from. */
    struct troupe_body
        body_to_send; /**< A body for troupe_send_body(); empty when the last one was accepted. */

    struct bench_backlog *backlog;
    uint32_t backlog_count;

    struct troupe_reply_to reply_to; /**< For the report. */
    bool is_running;
    bool has_reported;
};

/** @return the number that a message starts with. */
static inline uint64_t bench_number(const troupe_message_t *message)
{
    uint64_t number = 0;
    memcpy(&number, troupe_message_body(message), sizeof(number));
    return number;
}

/** Free what the worker holds. */
void bench_worker_fini(struct bench_worker *self);

/** Handle what is no traffic: SETUP is replied to, RUN is noted, the backlog is sent at ROOM. */
void bench_worker_control(
    troupe_context_t *ctx, struct bench_worker *self, const troupe_message_t *message);

/** Send a number as a body of its own, or, after a send that failed, handle the error. @return as bench_worker_send() */
bool bench_worker_send_slow(
    troupe_context_t *ctx,
    struct bench_worker *self,
    troupe_ref_t to,
    uint32_t type,
    uint64_t number,
    enum troupe_err err);

/** Send a number. @return whether it was accepted; if not, carry on at the ROOM notice. */
static inline bool bench_worker_send(
    troupe_context_t *ctx,
    struct bench_worker *self,
    troupe_ref_t to,
    uint32_t type,
    uint64_t number)
{
    enum troupe_err err = TROUPE_OK;
    if (self->setup.plan.sends_bodies == 0) {
        memcpy(self->bytes, &number, sizeof(number));
        err = troupe_send(ctx, to, type, self->bytes, (size_t)self->setup.plan.size_bytes);
        if (err == TROUPE_OK) {
            return true;
        }
    }
    return bench_worker_send_slow(ctx, self, to, type, number, err);
}

/** Send a number, now or as soon as there is room for it. */
void bench_worker_send_or_queue(
    troupe_context_t *ctx,
    struct bench_worker *self,
    troupe_ref_t to,
    uint32_t type,
    uint64_t number);

/** Note the time of the first message. */
void bench_worker_start(troupe_context_t *ctx, struct bench_worker *self);

/** Reply RUN when all is handled and sent. */
void bench_worker_finish_if_done(troupe_context_t *ctx, struct bench_worker *self);

/** Count @p count messages that were handled, whose numbers sum up to @p sum. */
static inline void bench_worker_count(
    troupe_context_t *ctx, struct bench_worker *self, uint64_t count, uint64_t sum)
{
    self->share.checksum += sum;
    self->share.received += count;
    if (self->share.received >= self->setup.receive_count) {
        bench_worker_finish_if_done(ctx, self);
    }
}

/** End the benchmark: print what could not be done on standard error, and stop the system. */
void bench_fail(troupe_context_t *ctx, const char *what, enum troupe_err err);

#endif

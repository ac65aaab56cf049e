/*
 * The half of a workload's actor that is the same in all of them. See worker.h for the course of
 * it.
 */
#include "worker.h"

#include <stdio.h>
#include <stdlib.h>

void bench_fail(troupe_context_t *ctx, const char *what, enum troupe_err err)
{
    (void)fprintf(
        stderr,
        "troupe-bench: %s: cannot %s: %s. %s\n",
        troupe_self_name(ctx),
        what,
        troupe_strerror(err),
        troupe_error_detail());
    troupe_shutdown(ctx);
}

void bench_worker_fini(struct bench_worker *self)
{
    free(self->peers);
    free(self->bytes);
    free(self->backlog);
    troupe_body_free(&self->body_to_send);
    self->peers = NULL;
    self->bytes = NULL;
    self->backlog = NULL;
}

static enum troupe_err worker_set_up(struct bench_worker *self, const troupe_message_t *message)
{
    const unsigned char *body = troupe_message_body(message);
    if (body == NULL || troupe_message_body_bytes(message) < sizeof(self->setup)) {
        return TROUPE_ERR_INVAL;
    }
    memcpy(&self->setup, body, sizeof(self->setup));

    // One more than needed: an array of none is then no special case.
    self->peers = calloc((size_t)self->setup.peer_count + 1, sizeof(*self->peers));
    self->backlog = calloc((size_t)self->setup.backlog_count_max + 1, sizeof(*self->backlog));
    self->bytes = calloc(1, (size_t)self->setup.plan.size_bytes);
    if (self->peers == NULL || self->backlog == NULL || self->bytes == NULL) {
        return TROUPE_ERR_NOMEM; // `fini` frees what there is
    }
    size_t peers_bytes = self->setup.peer_count * sizeof(*self->peers);
    memcpy(self->peers, body + sizeof(self->setup), peers_bytes);
    return TROUPE_OK;
}

static void worker_send_backlog(troupe_context_t *ctx, struct bench_worker *self)
{
    // All of them, whoever has room: what is refused again comes back to the list by itself.
    uint32_t backlog_count = self->backlog_count;
    self->backlog_count = 0;
    for (uint32_t i = 0; i < backlog_count; i++) {
        struct bench_backlog entry = self->backlog[i];
        bench_worker_send_or_queue(ctx, self, entry.to, entry.type, entry.number);
    }
}

void bench_worker_control(
    troupe_context_t *ctx, struct bench_worker *self, const troupe_message_t *message)
{
    switch (troupe_message_type(message)) {
    case BENCH_SETUP: {
        enum troupe_err err = worker_set_up(self, message);
        if (err == TROUPE_OK) {
            err = troupe_reply(ctx, message, BENCH_READY, NULL, 0);
        }
        if (err != TROUPE_OK) {
            bench_fail(ctx, "set up", err);
        }
        break;
    }
    case BENCH_RUN:
        self->reply_to = troupe_message_reply_to(message);
        self->is_running = true;
        bench_worker_finish_if_done(ctx, self); // it may have nothing to do at all
        break;
    case TROUPE_MESSAGE_ROOM:
        worker_send_backlog(ctx, self);
        break;
    default:
        bench_fail(ctx, "tell what a message means", TROUPE_ERR_INVAL);
        break;
    }
}

static enum troupe_err worker_send_body(
    troupe_context_t *ctx,
    struct bench_worker *self,
    troupe_ref_t to,
    uint32_t type,
    uint64_t number)
{
    if (self->body_to_send.data == NULL) {
        enum troupe_err err =
            troupe_body_new((size_t)self->setup.plan.size_bytes, &self->body_to_send);
        if (err != TROUPE_OK) {
            return err;
        }
    }
    memcpy(self->body_to_send.data, &number, sizeof(number));
    return troupe_send_body(ctx, to, type, &self->body_to_send);
}

bool bench_worker_send_slow(
    troupe_context_t *ctx,
    struct bench_worker *self,
    troupe_ref_t to,
    uint32_t type,
    uint64_t number,
    enum troupe_err err)
{
    if (err == TROUPE_OK) {
        err = worker_send_body(ctx, self, to, type, number);
    }
    if (err != TROUPE_OK && err != TROUPE_ERR_FULL) {
        bench_fail(ctx, "send", err);
    }
    return err == TROUPE_OK;
}

void bench_worker_send_or_queue(
    troupe_context_t *ctx,
    struct bench_worker *self,
    troupe_ref_t to,
    uint32_t type,
    uint64_t number)
{
    if (bench_worker_send(ctx, self, to, type, number)) {
        return;
    }
    if (self->backlog_count == self->setup.backlog_count_max) {
        bench_fail(ctx, "owe more than it counted on", TROUPE_ERR_FULL);
        return;
    }
    self->backlog[self->backlog_count++] = (struct bench_backlog){to, type, number};
}

void bench_worker_start(troupe_context_t *ctx, struct bench_worker *self)
{
    self->share.first_ns = troupe_now(ctx);
}

void bench_worker_finish_if_done(troupe_context_t *ctx, struct bench_worker *self)
{
    if (self->share.received < self->setup.receive_count || self->sent < self->setup.send_count) {
        return;
    }
    if (self->share.last_ns == 0 && self->setup.receive_count > 0) {
        self->share.last_ns = troupe_now(ctx);
    }
    // Mail of a quick peer can come before RUN, and be all there is.
    if (!self->is_running || self->has_reported) {
        return;
    }
    self->has_reported = true;
    enum troupe_err err =
        troupe_reply_later(ctx, self->reply_to, BENCH_REPORT, &self->share, sizeof(self->share));
    if (err != TROUPE_OK) {
        bench_fail(ctx, "report", err);
    }
}

/*
 * The half of a workload's actor that is the same in all of them. See worker.h for the course of
 * it.
 */
#include "worker.h"

#include <stdio.h>
#include <stdlib.h>

void bench_give_up(troupe_context_t *ctx, const char *what, enum troupe_err err)
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
    free(self->debts);
    troupe_body_free(&self->to_give);
    self->peers = NULL;
    self->bytes = NULL;
    self->debts = NULL;
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
    self->debts = calloc((size_t)self->setup.debt_count_max + 1, sizeof(*self->debts));
    self->bytes = calloc(1, (size_t)self->setup.plan.size_bytes);
    if (self->peers == NULL || self->debts == NULL || self->bytes == NULL) {
        return TROUPE_ERR_NOMEM; // `fini` frees what there is
    }
    size_t peers_bytes = self->setup.peer_count * sizeof(*self->peers);
    memcpy(self->peers, body + sizeof(self->setup), peers_bytes);
    return TROUPE_OK;
}

static void worker_pay_debts(troupe_context_t *ctx, struct bench_worker *self)
{
    // All of them, whoever has room: what is refused again comes back to the list by itself.
    uint32_t debt_count = self->debt_count;
    self->debt_count = 0;
    for (uint32_t i = 0; i < debt_count; i++) {
        struct bench_debt debt = self->debts[i];
        bench_worker_post(ctx, self, debt.to, debt.type, debt.number);
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
            bench_give_up(ctx, "set up", err);
        }
        break;
    }
    case BENCH_RUN:
        self->asker = troupe_message_reply_to(message);
        self->is_running = true;
        bench_worker_finish_if_done(ctx, self); // it may have nothing to do at all
        break;
    case TROUPE_MESSAGE_ROOM:
        worker_pay_debts(ctx, self);
        break;
    default:
        bench_give_up(ctx, "tell what a message means", TROUPE_ERR_INVAL);
        break;
    }
}

static enum troupe_err worker_give(
    troupe_context_t *ctx,
    struct bench_worker *self,
    troupe_ref_t to,
    uint32_t type,
    uint64_t number)
{
    if (self->to_give.data == NULL) {
        enum troupe_err err = troupe_body_new((size_t)self->setup.plan.size_bytes, &self->to_give);
        if (err != TROUPE_OK) {
            return err;
        }
    }
    memcpy(self->to_give.data, &number, sizeof(number));
    return troupe_send_body(ctx, to, type, &self->to_give);
}

bool bench_worker_stumble(
    troupe_context_t *ctx,
    struct bench_worker *self,
    troupe_ref_t to,
    uint32_t type,
    uint64_t number,
    enum troupe_err err)
{
    if (err == TROUPE_OK) {
        err = worker_give(ctx, self, to, type, number);
    }
    if (err != TROUPE_OK && err != TROUPE_ERR_FULL) {
        bench_give_up(ctx, "send", err);
    }
    return err == TROUPE_OK;
}

void bench_worker_post(
    troupe_context_t *ctx,
    struct bench_worker *self,
    troupe_ref_t to,
    uint32_t type,
    uint64_t number)
{
    if (bench_worker_send(ctx, self, to, type, number)) {
        return;
    }
    if (self->debt_count == self->setup.debt_count_max) {
        bench_give_up(ctx, "owe more than it counted on", TROUPE_ERR_FULL);
        return;
    }
    self->debts[self->debt_count++] = (struct bench_debt){to, type, number};
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
        troupe_reply_later(ctx, self->asker, BENCH_REPORT, &self->share, sizeof(self->share));
    if (err != TROUPE_OK) {
        bench_give_up(ctx, "report", err);
    }
}

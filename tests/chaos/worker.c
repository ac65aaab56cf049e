/*
 * A worker sends to all others, and monitors them or is linked to them. It reports what it counted when it is asked to pause.
 */
#include "chaos.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    PERIOD_NS = 1000000,
    BURST_EAGER = 4, // messages at a time
    BURST = 40,
    REST_BYTES_MAX = 200, // after a numbered header
    BODY_BYTES_MAX = 1 << 16,
    ASK_NS = 200000000,
};

struct worker_peer {
    troupe_ref_t ref;
    uint64_t next; // number of the next message
};

struct worker {
    struct chaos_worker_args args;
    struct worker_peer peers[CHAOS_SLOTS];
    struct chaos_sequence sequence;
    struct chaos_report report;
    uint32_t record_next; // index of the next record
    bool going;
    bool spinning;           // a SPIN is in its messages
    bool stalled;            // it had no room
    bool has_reported_ready; // it reported to the controller that it is ready
    troupe_timer_t timer;
};

/** Abort the worker unless the condition holds. */
static void worker_require(bool condition, const char *what)
{
    if (!condition) {
        (void)fprintf(stderr, "worker: %s: %s\n", what, troupe_error_detail());
        abort();
    }
}

/** The mailbox may be full, or its owner have ended: only other errors are failures. */
static bool worker_sent(enum troupe_err err)
{
    worker_require(err == TROUPE_OK || err == TROUPE_ERR_FULL || err == TROUPE_ERR_NOENT, "send");
    return err == TROUPE_OK;
}

/** A worker that shares a process may find no room, and sends it at ROOM. */
static void worker_report_ready(troupe_context_t *ctx, struct worker *worker)
{
    pid_t pid = getpid();
    worker->has_reported_ready =
        worker_sent(TROUPE_SEND(ctx, worker->args.controller, CHAOS_READY, &pid));
}

static enum troupe_err worker_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    struct worker *worker = state;
    worker_require(args_bytes == sizeof(worker->args), "arguments");
    memcpy(&worker->args, args, args_bytes);
    worker->peers[CHAOS_CONTROLLER].ref = worker->args.controller;
    troupe_trap_exit(ctx, true);
#if defined(__SANITIZE_ADDRESS__)
    if (worker->args.slot < CHAOS_PROCESSES) {
        (void)signal(SIGSEGV, SIG_DFL); // a sanitizer would make an exit of it
    }
#endif
    worker_report_ready(ctx, worker);
    return TROUPE_OK;
}

/* Speaking. ------------------------------------------------------------------------------------ */

static void worker_on_reply(
    troupe_context_t *ctx,
    void *state,
    uint64_t tag,
    enum troupe_err err,
    const troupe_message_t *reply)
{
    (void)ctx, (void)tag, (void)reply;
    struct worker *worker = state;
    worker->report.asks_over++;
    worker->report.asks_late += err == TROUPE_ERR_TIMEDOUT;
    worker_require(
        err == TROUPE_OK || err == TROUPE_ERR_NOENT || err == TROUPE_ERR_TIMEDOUT, "ask");
}

static bool worker_send_body(
    troupe_context_t *ctx, troupe_ref_t to, const struct chaos_numbered *numbered)
{
    struct troupe_body large_body;
    size_t bytes = sizeof(*numbered) + troupe_random(ctx) % BODY_BYTES_MAX;
    worker_require(troupe_body_new(bytes, &large_body) == TROUPE_OK, "memory");
    memcpy(large_body.data, numbered, sizeof(*numbered));
    bool sent = worker_sent(troupe_send_body(ctx, to, CHAOS_NUMBERED, &large_body));
    troupe_body_free(&large_body);
    return sent;
}

static bool worker_ask(
    troupe_context_t *ctx,
    struct worker *worker,
    troupe_ref_t to,
    const struct chaos_numbered *numbered)
{
    const struct troupe_outgoing outgoing = {
        .to = to, .type = CHAOS_QUESTION, .body = numbered, .body_bytes = sizeof(*numbered)};
    bool sent = worker_sent(troupe_ask(
        ctx,
        &outgoing,
        &(const struct troupe_ask_options){.timeout_ns = ASK_NS, .on_reply = worker_on_reply}));
    worker->report.asks += sent;
    return sent;
}

/** Send one message to a random worker, in a random way. */
static void worker_send_one(troupe_context_t *ctx, struct worker *worker)
{
    uint64_t bits = troupe_random(ctx);
    struct worker_peer *peer = &worker->peers[(bits >> 32) % CHAOS_SLOTS];
    if (troupe_ref_is_none(peer->ref)) {
        return;
    }
    unsigned char body[sizeof(struct chaos_numbered) + REST_BYTES_MAX] = {0};
    const struct chaos_numbered numbered = {.slot = worker->args.slot, .number = peer->next};
    memcpy(body, &numbered, sizeof(numbered));
    bool sent = false;
    if (bits % 64 == 0) {
        sent = worker_send_body(ctx, peer->ref, &numbered);
    } else if (bits % 16 == 1) {
        sent = worker_ask(ctx, worker, peer->ref, &numbered);
    } else {
        size_t bytes = sizeof(numbered) + bits / 64 % REST_BYTES_MAX;
        sent = worker_sent(troupe_send(ctx, peer->ref, CHAOS_NUMBERED, body, bytes));
    }
    peer->next += sent;
}

/** Go on by a message to itself. */
static void worker_spin(troupe_context_t *ctx, struct worker *worker)
{
    worker->spinning = worker_sent(troupe_send(ctx, troupe_self(ctx), CHAOS_SPIN, NULL, 0));
    worker->stalled = !worker->spinning;
}

static void worker_go(troupe_context_t *ctx, struct worker *worker)
{
    if (worker->going) {
        return;
    }
    worker->going = true;
    if (worker->args.is_eager != 0) {
        if (!worker->spinning) {
            worker_spin(ctx, worker);
        }
        return;
    }
    const struct troupe_outgoing tick = {.to = troupe_self(ctx), .type = CHAOS_SPIN};
    worker_require(troupe_send_every(ctx, PERIOD_NS, &tick, &worker->timer) == TROUPE_OK, "timer");
}

static void worker_on_spin(troupe_context_t *ctx, struct worker *worker)
{
    bool is_eager = worker->args.is_eager != 0;
    worker->spinning = false;
    if (!worker->going) {
        return;
    }
    for (int i = 0; i < (is_eager ? BURST_EAGER : BURST); i++) {
        worker_send_one(ctx, worker);
    }
    if (is_eager) {
        worker_spin(ctx, worker);
    }
}

/* Hearing of others. --------------------------------------------------------------------------- */

static struct chaos_record *worker_find_record(struct worker *worker, troupe_ref_t actor)
{
    for (uint32_t i = 0; i < CHAOS_RECORDS; i++) {
        if (troupe_ref_equal(worker->report.records[i].actor, actor)) {
            return &worker->report.records[i];
        }
    }
    return NULL;
}

/** Record a worker whose exit is to be reported, in place of one that is done. */
static struct chaos_record *worker_add_record(struct worker *worker, troupe_ref_t actor)
{
    struct chaos_record *record = worker_find_record(worker, actor);
    for (uint32_t i = 0; record == NULL && i < CHAOS_RECORDS; i++) {
        struct chaos_record *at = &worker->report.records[worker->record_next++ % CHAOS_RECORDS];
        if (troupe_ref_is_none(at->actor) || at->is_reported != 0) {
            record = at;
            *record = (struct chaos_record){.actor = actor};
        }
    }
    worker_require(record != NULL, "room for a record");
    return record;
}

static void worker_on_new(
    troupe_context_t *ctx, struct worker *worker, const struct chaos_new *announced)
{
    uint32_t slot = announced->slot;
    worker->peers[slot] = (struct worker_peer){.ref = announced->ref};
    struct chaos_record *record = worker_add_record(worker, announced->ref);
    if (!chaos_is_linked(worker->args.slot, slot)) {
        worker_require(troupe_monitor(ctx, announced->ref, NULL) == TROUPE_OK, "monitor");
    } else if (worker->args.slot < slot) {
        worker_require(troupe_link(ctx, announced->ref) == TROUPE_OK, "link");
    } else {
        record->is_passive = 1;
    }
}

static void worker_on_down(struct worker *worker, const struct troupe_down *down)
{
    struct chaos_record *record = worker_add_record(worker, down->actor);
    record->reported++;
    record->reason = down->exit.reason;
    record->code = down->exit.code;
    record->is_reported = 0;
}

static void worker_on_message(
    troupe_context_t *ctx, struct worker *worker, const troupe_message_t *message)
{
    struct chaos_report *report = &worker->report;
    troupe_ref_t from = troupe_message_sender(message);
    struct chaos_numbered numbered;
    worker_require(troupe_message_body_bytes(message) >= sizeof(numbered), "a numbered message");
    memcpy(&numbered, troupe_message_body(message), sizeof(numbered));
    enum chaos_order order = chaos_sequence_check(&worker->sequence, from, &numbered);
    struct chaos_record *record = worker_find_record(worker, from);
    report->sequence_state++;
    report->duplicates += order == CHAOS_DUPLICATE;
    report->missing += order == CHAOS_MISSING;
    if (record != NULL) {
        report->after_end += record->reported > 0;
        record->is_confirmed = 1;
    }
    if (troupe_message_type(message) == CHAOS_QUESTION) {
        (void)worker_sent(troupe_reply(ctx, message, CHAOS_REPLY, NULL, 0));
    }
}

/** @return whether an actor is the current instance of some slot. */
static bool worker_is_current(const struct worker *worker, troupe_ref_t actor)
{
    for (uint32_t slot = 0; slot < CHAOS_SLOTS; slot++) {
        if (troupe_ref_equal(worker->peers[slot].ref, actor)) {
            return true;
        }
    }
    return false;
}

static void worker_pause(
    troupe_context_t *ctx, struct worker *worker, const troupe_message_t *message)
{
    if (worker->going && worker->args.is_eager == 0) {
        (void)troupe_timer_cancel(ctx, worker->timer);
    }
    worker->going = false;
    (void)worker_sent(troupe_reply(ctx, message, CHAOS_REPORT, NULL, 0));
}

static void worker_account(
    troupe_context_t *ctx, struct worker *worker, const troupe_message_t *message)
{
    struct chaos_report *report = &worker->report;
    if (!worker_sent(troupe_reply(ctx, message, CHAOS_REPORT, report, sizeof(*report)))) {
        return;
    }
    for (uint32_t i = 0; i < CHAOS_RECORDS; i++) {
        struct chaos_record *record = &report->records[i];
        record->is_reported = record->reported > 0 || !worker_is_current(worker, record->actor);
    }
}

static void worker_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct worker *worker = state;
    switch (troupe_message_type(message)) {
    case CHAOS_NUMBERED:
    case CHAOS_QUESTION:
        worker_on_message(ctx, worker, message);
        return;
    case CHAOS_SPIN:
        worker_on_spin(ctx, worker);
        return;
    case TROUPE_MESSAGE_ROOM:
        if (!worker->has_reported_ready) {
            worker_report_ready(ctx, worker);
        }
        if (worker->stalled && worker->going) {
            worker_spin(ctx, worker);
        }
        return;
    case CHAOS_NEW:
        worker_on_new(ctx, worker, TROUPE_BODY(message, struct chaos_new));
        return;
    case TROUPE_MESSAGE_DOWN:
    case TROUPE_MESSAGE_EXIT:
        worker_on_down(worker, TROUPE_BODY(message, struct troupe_down));
        return;
    case CHAOS_GO:
        worker_go(ctx, worker);
        return;
    case CHAOS_PAUSE:
        worker_pause(ctx, worker, message);
        return;
    case CHAOS_ACCOUNT:
        worker_account(ctx, worker, message);
        return;
    default:
        worker_require(false, "known message");
    }
}

const struct troupe_behaviour chaos_worker = {
    .name = "worker",
    .state_bytes = sizeof(struct worker),
    .init = worker_init,
    .receive = worker_receive,
};

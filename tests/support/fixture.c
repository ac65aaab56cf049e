/*
 * The fixture: a system, the scenario's actor, and the loop in which the test waits for messages.
 *
 *     test --fixture_call--> CALL --> scenario's actor: calls the function, so it is the sender
 *     test <--fixture_receive-- list of what the scenario's actor received <-- subjects
 *
 * The test and the scenario's actor share one thread: the actor's callbacks run while the test waits, which is
 * troupe_system_progress() and a poll of troupe_system_fd(). So nothing here needs a lock.
 */
#include "fixture.h"

#include "audit.h"
#include "backend_clone.h"
#include <troupe/backend.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/** The main program's message to the scenario's actor. Body: a struct cue. */
#define FIXTURE_CALL UINT32_C(0x7FFF0002)

/** Longer than the fixture waits, so that a lost reply fails the test rather than ends the ask. */
#define FIXTURE_ASK_TIMEOUT_NS (UINT64_C(4) * FIXTURE_DEADLINE_NS)

/** A message in a list; its body follows it. */
struct entry {
    struct received received;
    struct entry *next;
    max_align_t body[];
};

struct fixture {
    struct fixture_placement placement;
    troupe_system_t *system;
    troupe_ref_t scenario;
    struct entry *pending;        // in the order they came
    struct entry *received;       // kept until the end, as the test may still read them
    uint64_t refused_outside;     // refused sends of the main program, which gets no ROOM
    enum troupe_err progress_err; // what the latest turn returned
    bool has_run;
    const struct troupe_behaviour **behaviours; // the test's and the scenario's
};

/** One fixture_call(). */
struct call {
    fixture_call_fn *function;
    void *data;
    bool is_done;
};

/** The body of ::FIXTURE_CALL: a pointer, as both are always in one process. */
struct cue {
    struct call *call;
};

/**
 * Nanoseconds that never go back, from the operating system: the fixture outlives any test clock.
 */
static uint64_t fixture_now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static void fixture_check(enum troupe_err err, const char *what)
{
    cr_assert(err == TROUPE_OK, "%s: %s: %s", what, troupe_strerror(err), troupe_error_detail());
}

/* The scenario's actor. ------------------------------------------------------------------------ */

static void fixture_append(struct fixture *fixture, struct entry *entry)
{
    struct entry **end = &fixture->pending;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = entry;
}

static void fixture_keep(
    struct fixture *fixture, const troupe_message_t *message, struct received received)
{
    size_t body_bytes = message == NULL ? 0 : troupe_message_body_bytes(message);
    struct entry *entry = calloc(1, sizeof(*entry) + body_bytes);
    cr_assert(entry != NULL, "no memory for a message of %zu bytes", body_bytes);
    entry->received = received;
    if (message != NULL) {
        entry->received.type = troupe_message_type(message);
        entry->received.from = troupe_message_sender(message);
        entry->received.body = entry->body;
        entry->received.body_bytes = body_bytes;
    }
    if (body_bytes > 0) {
        memcpy(entry->body, troupe_message_body(message), body_bytes);
    }
    fixture_append(fixture, entry);
}

static enum troupe_err scenario_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)ctx;
    struct fixture **fixture = state;
    cr_assert(eq(sz, args_bytes, sizeof(*fixture)));
    memcpy(fixture, args, sizeof(*fixture));
    return TROUPE_OK;
}

static void scenario_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct fixture *fixture = *(struct fixture **)state;
    if (troupe_message_type(message) == FIXTURE_CALL) {
        struct call *call = TROUPE_BODY(message, struct cue)->call;
        call->function(ctx, call->data);
        call->is_done = true;
        return;
    }
    fixture_keep(fixture, message, (struct received){.reply_to = troupe_message_reply_to(message)});
}

static void scenario_on_reply(
    troupe_context_t *ctx,
    void *state,
    uint64_t tag,
    enum troupe_err err,
    const troupe_message_t *reply)
{
    (void)ctx;
    (void)tag;
    struct fixture *fixture = *(struct fixture **)state;
    struct received received = {.type = FIXTURE_NO_REPLY, .err = err, .is_reply = true};
    fixture_keep(fixture, reply, received);
}

static const struct troupe_behaviour scenario = {
    .name = "scenario",
    .state_bytes = sizeof(struct fixture *),
    .init = scenario_init,
    .receive = scenario_receive,
};

/* Placements. ---------------------------------------------------------------------------------- */

void fixture_register_backends(void)
{
    fixture_check(troupe_backend_register(&backend_clone), "troupe_backend_register");
}

uint32_t fixture_traits(const struct fixture_placement *placement)
{
    size_t name_bytes = strcspn(placement->place, ":+");
    const struct troupe_backend_ops *ops = NULL;
    for (uint32_t index = 0; (ops = troupe_backend_get(index)) != NULL; index++) {
        if (strlen(ops->name) == name_bytes &&
            strncmp(ops->name, placement->place, name_bytes) == 0) {
            return ops->traits;
        }
    }
    cr_fatal("no backend is known for '%s'", placement->place);
    return 0;
}

uint32_t fixture_executor_count(const struct fixture_placement *placement)
{
    if ((fixture_traits(placement) & TROUPE_TRAIT_CALLERS_THREAD) != 0) {
        return 1;
    }
    const char *count = strchr(placement->place, ':');
    return count == NULL ? 0 : (uint32_t)strtoul(count + 1, NULL, 10);
}

uint32_t fixture_many(const struct fixture_placement *placement)
{
    if (fixture_executor_count(placement) != 0) {
        return 1000;
    }
    return (fixture_traits(placement) & TROUPE_TRAIT_ISOLATES_CRASHES) != 0 ? 12 : 50;
}

uint32_t fixture_at_most(const struct fixture_placement *placement, uint32_t count)
{
    uint32_t crowd = fixture_many(placement);
    return count < crowd ? count : crowd;
}

bool fixture_share_executor(troupe_ref_t a, troupe_ref_t b)
{
    return a.node == b.node && a.executor == b.executor;
}

/* Waiting. ------------------------------------------------------------------------------------- */

static void fixture_fail_late(struct fixture *fixture, const char *what)
{
    (void)troupe_system_audit(fixture->system, stderr);
    cr_fatal(
        "%s: waited %llu s for %s; the counters are on standard error",
        fixture->placement.place,
        (unsigned long long)(FIXTURE_DEADLINE_NS / UINT64_C(1000000000)),
        what);
}

/** Run one turn, with callbacks of the scenario. */
static void fixture_turn(struct fixture *fixture)
{
    // A turn in which a subject stopped the system did its work too: fixture_wait() complains, if
    // the test still waits for something.
    fixture->progress_err = troupe_system_progress(fixture->system, NULL);
}

/** Sleep until the system has something to do or @p deadline_ns passes, which fails the test. */
static void fixture_wait(struct fixture *fixture, uint64_t deadline_ns, const char *what)
{
    fixture_check(fixture->progress_err, "troupe_system_progress");
    uint64_t now_ns = fixture_now_ns();
    if (now_ns >= deadline_ns) {
        fixture_fail_late(fixture, what);
    }
    int64_t idle_ns = troupe_system_timeout_ns(fixture->system);
    uint64_t left_ns = deadline_ns - now_ns;
    if (idle_ns >= 0 && (uint64_t)idle_ns < left_ns) {
        left_ns = (uint64_t)idle_ns;
    }
    struct pollfd ready = {.fd = troupe_system_fd(fixture->system), .events = POLLIN};
    cr_assert(ready.fd >= 0, "troupe_system_fd: %s", troupe_error_detail());
    struct timespec left = {
        .tv_sec = (time_t)(left_ns / UINT64_C(1000000000)),
        .tv_nsec = (long)(left_ns % UINT64_C(1000000000)),
    };
    (void)ppoll(&ready, 1, &left, NULL);
}

void fixture_settle(struct fixture *fixture)
{
    uint64_t deadline_ns = fixture_now_ns() + FIXTURE_DEADLINE_NS;
    do {
        fixture_turn(fixture);
        if (fixture_now_ns() >= deadline_ns) {
            fixture_fail_late(fixture, "the world to settle");
        }
    } while (troupe_system_timeout_ns(fixture->system) == 0);
}

/* Open, close. --------------------------------------------------------------------------------- */

/** @return the behaviours of the test and the scenario, ended by NULL. */
static const struct troupe_behaviour **fixture_behaviours(
    const struct troupe_behaviour *const *behaviours)
{
    size_t count = 0;
    while (behaviours[count] != NULL) {
        count++;
    }
    const struct troupe_behaviour **all = calloc(count + 2, sizeof(*all));
    cr_assert(all != NULL, "no memory for %zu behaviours", count);
    memcpy(all, behaviours, count * sizeof(const struct troupe_behaviour *));
    all[count] = &scenario;
    return all;
}

static void fixture_spawn_scenario(struct fixture *fixture)
{
    struct troupe_spawn_options options = {
        .behaviour = &scenario,
        .args = &fixture,
        .args_bytes = sizeof(fixture),
    };
    fixture->scenario = fixture_spawn_with(fixture, &options);
}

struct fixture *fixture_open(
    const struct fixture_placement *placement, const struct fixture_options *options)
{
    fixture_register_backends();
    subjects_check(options->behaviours);
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    cr_assert(fixture != NULL, "no memory for the fixture");
    fixture->placement = *placement;
    fixture->behaviours = fixture_behaviours(options->behaviours);

    char rule[64];
    (void)snprintf(rule, sizeof(rule), "*=%s", placement->place);
    const char *rules[4] = {"scenario=ecs"};
    size_t count = 1;
    if (options->first_rule != NULL) {
        rules[count++] = options->first_rule;
    }
    if (!options->places_nothing) {
        rules[count++] = rule;
    }
    struct troupe_system_options system_options = {
        .behaviours = fixture->behaviours,
        .place = rules,
        .place_default = options->place_default,
        .mailbox_messages = options->mailbox_messages,
        .mailbox_bytes = options->mailbox_bytes,
        .seed = options->seed,
        .clock = options->clock,
        .clock_data = options->clock_data,
        .stop_timeout_ns =
            options->stop_timeout_ns == 0 ? FIXTURE_DEADLINE_NS : options->stop_timeout_ns,
    };
    fixture_check(troupe_system_new(&system_options, &fixture->system), "troupe_system_new");
    fixture_spawn_scenario(fixture);
    return fixture;
}

/** Set by the alarm that ends a run, with the system to stop. */
static troupe_system_t *volatile alarm_system;
static volatile sig_atomic_t alarm_went_off;

static void fixture_on_alarm(int number)
{
    (void)number;
    alarm_went_off = 1;
    troupe_system_stop(alarm_system);
}

void fixture_run(struct fixture *fixture)
{
    alarm_system = fixture->system;
    alarm_went_off = 0;
    (void)signal(SIGALRM, fixture_on_alarm);
    (void)alarm((unsigned)(FIXTURE_DEADLINE_NS / UINT64_C(1000000000)));
    enum troupe_err err = troupe_system_run(fixture->system);
    (void)alarm(0);
    fixture->has_run = true;
    if (alarm_went_off != 0) {
        fixture_fail_late(fixture, "troupe_system_run() to return");
    }
    fixture_check(err, "troupe_system_run");
}

static void fixture_audit(const struct fixture *fixture, const struct troupe_stats *stats)
{
    uint64_t dead = 0;
    for (uint32_t reason = 0; reason < TROUPE_DEAD_REASON_COUNT; reason++) {
        dead += stats->dead_by_reason[reason];
    }
    uint64_t refused = stats->refused - fixture->refused_outside;
    cr_expect(
        audit_balances(fixture->system), "the counters balance, and nothing waits after the end");
    cr_expect(eq(u64, stats->dead, dead), "dead letters by reason sum up");
    cr_expect(eq(u64, stats->frames_undecodable, 0), "every frame was understood");
    cr_expect(eq(u64, stats->actors_ended, stats->actors_started), "who started has ended");
    cr_expect(eq(u64, stats->executors_ended, stats->executors_started), "and so its executor");
    cr_expect(le(u64, stats->rooms, refused), "no ROOM without a refusal");
    cr_expect(refused == 0 || stats->rooms > 0, "refusals were answered by ROOM");
}

static void fixture_free_entries(struct entry *entry)
{
    while (entry != NULL) {
        struct entry *next = entry->next;
        free(entry);
        entry = next;
    }
}

struct troupe_stats fixture_close(struct fixture **fixture_p)
{
    struct fixture *fixture = *fixture_p;
    if (!fixture->has_run) {
        troupe_system_stop(fixture->system);
        fixture_run(fixture);
    }
    struct troupe_stats stats;
    troupe_system_stats(fixture->system, &stats);
    fixture_audit(fixture, &stats);
    fixture_check(troupe_system_destroy(&fixture->system), "troupe_system_destroy");
    cr_expect(fixture->system == NULL, "the system is gone");
    fixture_free_entries(fixture->pending);
    fixture_free_entries(fixture->received);
    free(fixture->behaviours);
    free(fixture);
    *fixture_p = NULL;
    return stats;
}

troupe_system_t *fixture_system(const struct fixture *fixture)
{
    return fixture->system;
}

troupe_ref_t fixture_scenario(const struct fixture *fixture)
{
    return fixture->scenario;
}

/* Sending. ------------------------------------------------------------------------------------- */

void fixture_call(struct fixture *fixture, fixture_call_fn *function, void *data)
{
    struct call call = {.function = function, .data = data};
    struct cue cue = {.call = &call};
    troupe_context_t *ctx = troupe_system_context(fixture->system);
    uint64_t deadline_ns = fixture_now_ns() + FIXTURE_DEADLINE_NS;
    enum troupe_err err = TROUPE_OK;
    // The main program gets no ROOM: it runs a turn, which empties the mailbox, and tries again.
    while ((err = TROUPE_SEND(ctx, fixture->scenario, FIXTURE_CALL, &cue)) == TROUPE_ERR_FULL) {
        fixture->refused_outside++;
        fixture_turn(fixture);
        fixture_check(fixture->progress_err, "troupe_system_progress");
        if (fixture_now_ns() >= deadline_ns) {
            fixture_fail_late(fixture, "room in the scenario's mailbox");
        }
    }
    fixture_check(err, "troupe_send to the scenario");
    for (;;) {
        fixture_turn(fixture);
        if (call.is_done) {
            return;
        }
        fixture_wait(fixture, deadline_ns, "the function of fixture_call() to run");
    }
}

troupe_ref_t fixture_spawn(struct fixture *fixture, const struct troupe_behaviour *behaviour)
{
    return fixture_spawn_with(fixture, &(struct troupe_spawn_options){.behaviour = behaviour});
}

troupe_ref_t fixture_spawn_with(struct fixture *fixture, const struct troupe_spawn_options *options)
{
    troupe_ref_t ref = TROUPE_REF_NONE;
    fixture_check(
        troupe_spawn(troupe_system_context(fixture->system), options, &ref), "troupe_spawn");
    cr_assert(not(troupe_ref_is_none(ref)), "a spawned actor has a reference");
    return ref;
}

troupe_ref_t fixture_spawn_reporter(
    struct fixture *fixture, const struct troupe_behaviour *behaviour)
{
    struct troupe_spawn_options options = {
        .behaviour = behaviour,
        .args = &fixture->scenario,
        .args_bytes = sizeof(fixture->scenario),
    };
    return fixture_spawn_with(fixture, &options);
}

/** Something to send, and the result. */
struct sending {
    struct troupe_outgoing outgoing;
    bool is_ask;
    enum troupe_err err; // out
};

static void fixture_call_send(troupe_context_t *ctx, void *data)
{
    struct sending *sending = data;
    const struct troupe_outgoing *outgoing = &sending->outgoing;
    sending->err =
        sending->is_ask
            ? troupe_ask(
                  ctx,
                  outgoing,
                  &(const struct troupe_ask_options){
                      .timeout_ns = FIXTURE_ASK_TIMEOUT_NS, .on_reply = scenario_on_reply})
            : troupe_send(ctx, outgoing->to, outgoing->type, outgoing->body, outgoing->body_bytes);
}

/** Send as the scenario; where a mailbox is full, when there is room again. */
static void fixture_send_or_wait(struct fixture *fixture, struct sending *sending)
{
    fixture_call(fixture, fixture_call_send, sending);
    while (sending->err == TROUPE_ERR_FULL) {
        (void)fixture_receive(fixture, TROUPE_MESSAGE_ROOM);
        fixture_call(fixture, fixture_call_send, sending);
    }
    fixture_check(sending->err, sending->is_ask ? "troupe_ask" : "troupe_send");
}

void fixture_send(
    struct fixture *fixture, troupe_ref_t to, uint32_t type, const void *body, size_t body_bytes)
{
    struct sending sending = {
        .outgoing = {.to = to, .type = type, .body = body, .body_bytes = body_bytes}};
    fixture_send_or_wait(fixture, &sending);
}

void fixture_ask(
    struct fixture *fixture, troupe_ref_t to, uint32_t type, const void *body, size_t body_bytes)
{
    struct sending sending = {
        .outgoing = {.to = to, .type = type, .body = body, .body_bytes = body_bytes},
        .is_ask = true};
    fixture_send_or_wait(fixture, &sending);
}

/* Receiving. ----------------------------------------------------------------------------------- */

/** Any type at all, for fixture_take(). */
#define FIXTURE_ANY UINT32_MAX

/** Move the first pending message of @p type to the received ones; NULL when there is none. */
static const struct received *fixture_take(struct fixture *fixture, uint32_t type)
{
    struct entry **place = &fixture->pending;
    while (*place != NULL && type != FIXTURE_ANY && (*place)->received.type != type) {
        place = &(*place)->next;
    }
    struct entry *entry = *place;
    if (entry == NULL) {
        return NULL;
    }
    *place = entry->next;
    entry->next = fixture->received;
    fixture->received = entry;
    return &entry->received;
}

const struct received *fixture_receive(struct fixture *fixture, uint32_t type)
{
    char what[48];
    (void)snprintf(what, sizeof(what), "a message of type %#x", (unsigned)type);
    uint64_t deadline_ns = fixture_now_ns() + FIXTURE_DEADLINE_NS;
    const struct received *received = NULL;
    for (;;) {
        if ((received = fixture_take(fixture, type)) != NULL) {
            return received;
        }
        fixture_turn(fixture);
        if ((received = fixture_take(fixture, type)) != NULL) {
            return received;
        }
        fixture_wait(fixture, deadline_ns, what);
    }
}

const struct received *fixture_receive_any(struct fixture *fixture)
{
    return fixture_receive(fixture, FIXTURE_ANY);
}

const void *fixture_receive_body(struct fixture *fixture, uint32_t type, size_t body_bytes)
{
    const struct received *received = fixture_receive(fixture, type);
    cr_assert(eq(sz, received->body_bytes, body_bytes), "the body of type %#x", (unsigned)type);
    return received->body;
}

uint32_t fixture_pending_count(const struct fixture *fixture, uint32_t type)
{
    uint32_t count = 0;
    for (const struct entry *entry = fixture->pending; entry != NULL; entry = entry->next) {
        count += entry->received.type == type ? 1 : 0;
    }
    return count;
}

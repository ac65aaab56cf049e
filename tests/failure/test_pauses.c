// ctest: timeout 90
/*
 * Processes that are stopped for 2 s and continued: nothing is lost, nothing is out of order, no exit is reported.
 *
 *     controller, on ecs --spawns, monitors--> producer --numbers, questions--> consumer    each in a process
 *
 * Four pairs: over ipc and over tcp, and in each either the producer or the consumer is stopped. Then the same in a program
 * that is stopped itself, alone or with all its processes; and so at a random moment while its channels are opened:
 * TROUPE_PAUSES times, or 2.
 */
#include "support/child.h"
#include "support/fixture.h"
#include "support/measure.h"

#include "unit/chance.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    PID = 1,  // from each to the controller: pid_t
    RUNNING,  // from a consumer to the controller
    NUMBER,   // from a producer to its consumer: uint64_t
    QUESTION, // likewise
    QUESTION_REPLY,
    TICK,
    FINISH, // from the controller to producers
    LAST,   // from a producer to its consumer
    COUNT,  // to the controller: struct count
};

enum {
    PAIRS = 4,
    WORKERS = 2 * PAIRS, // the consumer of pair i is 2 i, its producer 2 i + 1
    BURST = 20,
    TICK_NS = 1000000,
    RUNNING_NUMBERS = 100,
    ASK_TICKS = 50,
    PAUSE_MS = 2000,
    PAUSES = 2,        // while channels are new
    NEW_NS = 40000000, // how long they are
};

#define PAUSE_NS (PAUSE_MS * MEASURE_MS_NS)
#define AFTER_NS (200 * MEASURE_MS_NS) // that they go on after the pause

struct worker_args {
    troupe_ref_t controller;
    troupe_ref_t peer; // a producer's consumer
    uint32_t index;
};

/** What a worker counted, in the end. */
struct count {
    uint32_t index;
    uint32_t ends; // that were told
    uint64_t numbers;
    uint64_t disordered;
    uint64_t unanswered;
};

struct worker {
    struct worker_args args;
    struct count count;
    uint64_t ticks;
    uint64_t asks;
    uint64_t asks_over;
    bool finishing;
    bool done;
};

static enum troupe_err worker_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    struct worker *worker = state;
    MUST_BE(args_bytes == sizeof(worker->args));
    memcpy(&worker->args, args, args_bytes);
    worker->count.index = worker->args.index;
    pid_t pid = getpid();
    return TROUPE_SEND(ctx, worker->args.controller, PID, &pid);
}

/* A producer. ---------------------------------------------------------------------------------- */

static enum troupe_err producer_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    struct worker *worker = state;
    const struct troupe_outgoing tick = {.to = troupe_self(ctx), .type = TICK};
    MUST(worker_init(ctx, state, args, args_bytes));
    MUST(troupe_monitor(ctx, worker->args.peer, NULL));
    return troupe_send_every(ctx, TICK_NS, &tick, NULL);
}

static void producer_on_reply(
    troupe_context_t *ctx,
    void *state,
    uint64_t tag,
    enum troupe_err err,
    const troupe_message_t *reply)
{
    (void)ctx, (void)tag, (void)reply;
    struct worker *worker = state;
    worker->asks_over++;
    worker->count.unanswered += err != TROUPE_OK;
}

/** @return whether it was sent; a full mailbox has room later. */
static bool producer_sent(enum troupe_err err)
{
    MUST_BE(err == TROUPE_OK || err == TROUPE_ERR_FULL);
    return err == TROUPE_OK;
}

static void producer_send_burst(troupe_context_t *ctx, struct worker *worker)
{
    for (int i = 0; i < BURST; i++) {
        if (!producer_sent(TROUPE_SEND(ctx, worker->args.peer, NUMBER, &worker->count.numbers))) {
            return;
        }
        worker->count.numbers++;
    }
    if (worker->ticks++ % ASK_TICKS == 0) {
        const struct troupe_outgoing outgoing = {.to = worker->args.peer, .type = QUESTION};
        worker->asks += producer_sent(troupe_ask(
            ctx, &outgoing, &(const struct troupe_ask_options){.on_reply = producer_on_reply}));
    }
}

static void producer_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct worker *worker = state;
    switch (troupe_message_type(message)) {
    case FINISH:
        worker->finishing = true;
        return;
    case TROUPE_MESSAGE_DOWN:
        worker->count.ends++;
        return;
    case TICK:
        if (!worker->finishing) {
            producer_send_burst(ctx, worker);
        } else if (
            !worker->done && worker->asks == worker->asks_over &&
            producer_sent(troupe_send(ctx, worker->args.peer, LAST, NULL, 0))) {
            worker->done = true;
            MUST(TROUPE_SEND(ctx, worker->args.controller, COUNT, &worker->count));
        }
        return;
    default:
        return;
    }
}

static const struct troupe_behaviour producer = {
    .name = "producer",
    .state_bytes = sizeof(struct worker),
    .init = producer_init,
    .receive = producer_receive,
};

/* A consumer. ---------------------------------------------------------------------------------- */

static void consumer_check(
    troupe_context_t *ctx, struct worker *worker, const troupe_message_t *message)
{
    if (worker->count.numbers == 0) {
        MUST(troupe_monitor(ctx, troupe_message_sender(message), NULL));
    }
    worker->count.disordered += *TROUPE_BODY(message, uint64_t) != worker->count.numbers;
    if (++worker->count.numbers == RUNNING_NUMBERS) {
        MUST(troupe_send(ctx, worker->args.controller, RUNNING, NULL, 0));
    }
}

static void consumer_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct worker *worker = state;
    switch (troupe_message_type(message)) {
    case NUMBER:
        consumer_check(ctx, worker, message);
        return;
    case QUESTION:
        MUST(troupe_reply(ctx, message, QUESTION_REPLY, NULL, 0));
        return;
    case TROUPE_MESSAGE_DOWN:
        worker->count.ends++;
        return;
    case LAST:
        MUST(TROUPE_SEND(ctx, worker->args.controller, COUNT, &worker->count));
        return;
    default:
        return;
    }
}

static const struct troupe_behaviour consumer = {
    .name = "consumer",
    .state_bytes = sizeof(struct worker),
    .init = worker_init,
    .receive = consumer_receive,
};

/* The controller. ------------------------------------------------------------------------------ */

enum controller_state { GETTING_READY, PAUSED, GOING_ON, FINISHING };

struct controller_args {
    bool stops_itself; // it is stopped from outside, and stops no worker
    bool is_early;     // and was before all were ready
};

struct controller {
    struct controller_args args;
    enum controller_state state;
    troupe_ref_t worker[WORKERS];
    pid_t pids[WORKERS];
    struct count counts[WORKERS];
    uint32_t pid_count;
    uint32_t running_count;
    uint32_t count_count;
    uint64_t until_ns;
    uint64_t ticked_ns;
};

static enum troupe_err controller_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    static const char *const places[PAIRS] = {
        "process+ipc", "process+ipc", "process+tcp", "process+tcp"};
    struct controller *controller = state;
    MUST_BE(args_bytes == sizeof(controller->args));
    memcpy(&controller->args, args, args_bytes);
    for (uint32_t i = 0; i < WORKERS; i++) {
        const struct worker_args worker = {
            .controller = troupe_self(ctx),
            .peer = i % 2 == 0 ? TROUPE_REF_NONE : controller->worker[i - 1],
            .index = i,
        };
        const struct troupe_spawn_options options = {
            .behaviour = i % 2 == 0 ? &consumer : &producer,
            .args = &worker,
            .args_bytes = sizeof(worker),
            .place = places[i / 2],
        };
        MUST(troupe_spawn(ctx, &options, &controller->worker[i]));
        MUST(troupe_monitor(ctx, controller->worker[i], NULL));
    }
    const struct troupe_outgoing tick = {.to = troupe_self(ctx), .type = TICK};
    if (controller->args.is_early) {
        child_say("spawned");
    }
    return troupe_send_every(ctx, TICK_NS, &tick, NULL);
}

/** Stop a consumer and a producer that have ipc, and so by tcp; or have them go on. */
static void controller_signal(const struct controller *controller, int number)
{
    for (uint32_t pair = 0; pair < PAIRS && !controller->args.stops_itself; pair++) {
        MUST_BE(kill(controller->pids[2 * pair + pair % 2], number) == 0);
    }
}

static void controller_tick(troupe_context_t *ctx, struct controller *controller)
{
    uint64_t now_ns = measure_now_ns();
    bool was_stopped =
        controller->ticked_ns != 0 && now_ns - controller->ticked_ns > PAUSE_NS * 3 / 4;
    bool is_over = now_ns >= controller->until_ns;
    controller->ticked_ns = now_ns;
    if (controller->state == GETTING_READY && controller->running_count == PAIRS &&
        controller->pid_count == WORKERS) {
        controller->state = controller->args.is_early ? GOING_ON : PAUSED;
        controller->until_ns = now_ns + (controller->args.is_early ? AFTER_NS : PAUSE_NS);
        controller_signal(controller, SIGSTOP);
        if (controller->args.stops_itself) {
            child_say("ready");
        }
    } else if (
        controller->state == PAUSED && (controller->args.stops_itself ? was_stopped : is_over)) {
        controller->state = GOING_ON;
        controller->until_ns = now_ns + AFTER_NS;
        controller_signal(controller, SIGCONT);
    } else if (controller->state == GOING_ON && is_over) {
        controller->state = FINISHING;
        for (uint32_t i = 1; i < WORKERS; i += 2) {
            MUST(troupe_send(ctx, controller->worker[i], FINISH, NULL, 0));
        }
    }
}

/** All have counted: compare. */
static void controller_end(troupe_context_t *ctx, const struct controller *controller)
{
    for (uint32_t i = 0; i < WORKERS; i++) {
        const struct count *count = &controller->counts[i];
        char text[TROUPE_EXIT_TEXT_BYTES];
        (void)snprintf(
            text,
            sizeof(text),
            "%u: %llu of %llu, %llu disordered, %llu unanswered, %u ends",
            (unsigned)i,
            (unsigned long long)controller->counts[i & ~1u].numbers,
            (unsigned long long)controller->counts[i | 1u].numbers,
            (unsigned long long)count->disordered,
            (unsigned long long)count->unanswered,
            (unsigned)count->ends);
        if (count->disordered != 0 || count->unanswered != 0 || count->ends != 0 ||
            controller->counts[i & ~1u].numbers != controller->counts[i | 1u].numbers) {
            troupe_fail(ctx, 2, text);
            return;
        }
    }
    troupe_stop(ctx);
}

static void controller_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct controller *controller = state;
    troupe_ref_t from = troupe_message_sender(message);
    switch (troupe_message_type(message)) {
    case TICK:
        controller_tick(ctx, controller);
        return;
    case PID:
        for (uint32_t i = 0; i < WORKERS; i++) {
            if (troupe_ref_equal(controller->worker[i], from)) {
                controller->pids[i] = *TROUPE_BODY(message, pid_t);
                controller->pid_count++;
            }
        }
        return;
    case RUNNING:
        controller->running_count++;
        return;
    case COUNT:
        controller->counts[TROUPE_BODY(message, struct count)->index] =
            *TROUPE_BODY(message, struct count);
        if (++controller->count_count == WORKERS) {
            controller_end(ctx, controller);
        }
        return;
    case TROUPE_MESSAGE_DOWN:
        troupe_fail(ctx, 3, "somebody's end was told");
        return;
    default:
        return;
    }
}

static const struct troupe_behaviour controller = {
    .name = "controller",
    .state_bytes = sizeof(struct controller),
    .init = controller_init,
    .receive = controller_receive,
};

/* The tests. ----------------------------------------------------------------------------------- */

/** Run it. @return 0, or the exit code of the controller, whose text is on standard error. */
static int system_run(void *data)
{
    const struct controller_args *args = data;
    troupe_system_t *system = NULL;
    const struct troupe_system_options options = {
        .behaviours = subjects, .stop_timeout_ns = FIXTURE_DEADLINE_NS};
    MUST(troupe_system_new(&options, &system));
    const struct troupe_spawn_options spawn = {
        .behaviour = &controller, .args = args, .args_bytes = sizeof(*args), .place = "ecs"};
    troupe_ref_t ref = TROUPE_REF_NONE;
    MUST(troupe_spawn(troupe_system_context(system), &spawn, &ref));
    troupe_system_set_root(system, ref);
    MUST(troupe_system_run(system));
    struct troupe_exit exit;
    MUST(troupe_system_root_exit(system, &exit));
    struct troupe_stats stats;
    troupe_system_stats(system, &stats);
    MUST_BE(troupe_system_audit(system, stderr));
    MUST_BE(stats.unknown == 0);
    MUST_BE(stats.dead == stats.dead_by_reason[TROUPE_DEAD_STOPPED]); // ticks, at the end
    MUST(troupe_system_destroy(&system));
    (void)fprintf(stderr, "controller: %s %s\n", troupe_exit_reason_text(exit.reason), exit.text);
    return exit.reason == TROUPE_EXIT_NORMAL ? 0 : 1;
}

Test(pauses, a_sender_or_receiver_that_is_stopped_for_2_s_loses_nothing, .timeout = 50)
{
    struct controller_args args = {.stops_itself = false};
    child_succeeds(system_run, &args);
}

/** As system_run(), in a process group that can be stopped as a whole. */
static int system_run_in_group(void *data)
{
    MUST_BE(setpgid(0, 0) == 0);
    return system_run(data);
}

Test(pauses, a_program_that_is_stopped_for_2_s_loses_nothing, .timeout = 50)
{
    struct controller_args args = {.stops_itself = true};
    struct child *alone = child_start(system_run, &args);
    struct child *all = child_start(system_run_in_group, &args);
    child_wait_for(alone, "ready");
    child_wait_for(all, "ready");
    child_signal(alone, SIGSTOP);
    cr_assert(kill(-child_pid(all), SIGSTOP) == 0);
    struct pollfd end = {.fd = (int)syscall(SYS_pidfd_open, child_pid(alone), 0), .events = POLLIN};
    cr_assert(poll(&end, 1, PAUSE_MS) == 0, "it does not end while it is stopped");
    (void)close(end.fd);
    child_signal(alone, SIGCONT);
    cr_assert(kill(-child_pid(all), SIGCONT) == 0);

    struct child_end ended = child_end(&alone);
    cr_expect(eq(int, ended.status, 0), "stopped alone: %s", ended.err);
    ended = child_end(&all);
    cr_expect(eq(int, ended.status, 0), "stopped with all its processes: %s", ended.err);
}

Test(pauses, a_program_that_is_stopped_while_its_channels_are_new_loses_nothing, .timeout = 600)
{
    struct controller_args args = {.stops_itself = true, .is_early = true};
    struct chance chance = chance_open("pauses");
    const char *text = getenv("TROUPE_PAUSES");
    long count = text != NULL ? strtol(text, NULL, 10) : PAUSES;
    for (long i = 0; i < count; i++) {
        struct child *all = child_start(system_run_in_group, &args);
        child_wait_for(all, "spawned");
        // This waits for no event: whatever state they are in, nothing is lost.
        const struct timespec until_new = {.tv_nsec = chance_below(&chance, NEW_NS)};
        (void)nanosleep(&until_new, NULL);
        cr_assert(kill(-child_pid(all), SIGSTOP) == 0);
        (void)poll(NULL, 0, PAUSE_MS);
        cr_assert(kill(-child_pid(all), SIGCONT) == 0);
        struct child_end ended = child_end(&all);
        cr_expect(
            eq(int, ended.status, 0), "stopped after %ld ns: %s", until_new.tv_nsec, ended.err);
    }
}

SUBJECTS(&producer, &consumer, &controller);

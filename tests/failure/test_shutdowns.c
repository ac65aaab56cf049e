// ctest: serial
// ctest: timeout 300
/*
 * Shutdowns that cannot be in order: a program exits within its deadline whatever its actors do, and reports which
 * actor was in the way, in which callback, and where.
 *
 *     stage --order--> idle, busy, stuck, dying ... at random places
 *     test  --SIGINT--> the program; each actor that printed that it is stuck is named
 *
 * 25 random shutdowns, or as many as TROUPE_SHUTDOWNS says.
 */
#include "support/child.h"
#include "support/echo_system.h"
#include "support/fixture.h"
#include "support/measure.h"

#include "unit/chance.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CREW_MAX = 6, SHUTDOWNS = 25 };

/** What an actor is to do: the types of the orders. */
enum order { IDLE = 1, BUSY, STICK, STICK_AT_END, FAIL, DIE, ORDER_COUNT, READY, SPIN };

/** How long a shutdown may take; as in the launch file. */
#define STOP_NS (UINT64_C(400) * MEASURE_MS_NS)

/**
 * How much longer a shutdown may take: 50 ms to settle the exits of killed processes, 50 to print stacks or to let
 * ZeroMQ linger, and the exit itself. On a busy machine it waits for the processor as well.
 */
#define SLACK_NS      (UINT64_C(150) * MEASURE_MS_NS)
#define SLACK_BUSY_NS (UINT64_C(1000) * MEASURE_MS_NS)

/** What the program of a test does; set before its child is started. */
static struct {
    uint32_t count;
    enum order orders[CREW_MAX];
    const char *places[CREW_MAX];
} scenario;

/* The crew. ------------------------------------------------------------------------------------ */

struct sailor {
    bool sticks_at_end;
};

/** Never return, whatever signals arrive. */
_Noreturn static void stick(troupe_context_t *ctx)
{
    char line[64];
    (void)snprintf(line, sizeof(line), "stuck: %s.\n", troupe_self_name(ctx));
    child_say(line);
    for (;;) {
        (void)poll(NULL, 0, -1);
    }
}

static enum troupe_err sailor_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)state;
    return troupe_send(ctx, fixture_ref_of(args, args_bytes), READY, NULL, 0);
}

static void sailor_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct sailor *self = state;
    switch (troupe_message_type(message)) {
    case BUSY:
    case SPIN:
        fixture_ignore(troupe_send(ctx, troupe_self(ctx), SPIN, NULL, 0));
        break;
    case STICK:
        stick(ctx);
    case STICK_AT_END:
        self->sticks_at_end = true;
        break;
    case FAIL:
        troupe_fail(ctx, 3, "ordered to");
        break;
    case DIE:
        (void)raise(SIGKILL);
        break;
    default:
        break;
    }
}

static void sailor_fini(troupe_context_t *ctx, void *state, const struct troupe_exit *exit)
{
    (void)exit;
    if (((const struct sailor *)state)->sticks_at_end) {
        stick(ctx);
    }
}

static const struct troupe_behaviour sailor = {
    .name = "sailor",
    .state_bytes = sizeof(struct sailor),
    .init = sailor_init,
    .receive = sailor_receive,
    .fini = sailor_fini,
};

/* The stage. ----------------------------------------------------------------------------------- */

struct stage {
    troupe_ref_t crew[CREW_MAX];
    uint32_t ready_count;
};

static enum troupe_err stage_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)args, (void)args_bytes;
    struct stage *self = state;
    const troupe_ref_t ref = troupe_self(ctx);
    for (uint32_t i = 0; i < scenario.count; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "sailor-%u", (unsigned)i);
        const struct troupe_spawn_options options = {
            .behaviour = &sailor,
            .name = name,
            .args = &ref,
            .args_bytes = sizeof(ref),
            .place = scenario.places[i],
        };
        MUST(troupe_spawn(ctx, &options, &self->crew[i]));
    }
    return TROUPE_OK;
}

static void stage_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct stage *self = state;
    if (troupe_message_type(message) != READY || ++self->ready_count < scenario.count) {
        return;
    }
    for (uint32_t i = 0; i < scenario.count; i++) {
        fixture_ignore(troupe_send(ctx, self->crew[i], scenario.orders[i], NULL, 0));
    }
    troupe_flush(ctx);
    child_say("ready\n");
}

static const struct troupe_behaviour stage = {
    .name = "stage",
    .state_bytes = sizeof(struct stage),
    .init = stage_init,
    .receive = stage_receive,
};

static int run_scenario(void *data)
{
    MUST_BE(setenv("TROUPE_LAUNCH", data, 1) == 0);
    return child_troupe_main("program", TROUPE_BEHAVIOURS(&stage, &sailor));
}

/** Run the scenario, interrupt it once all actors are stuck that are to be, and wait for its exit. */
static struct child_end run_and_interrupt(void)
{
    struct fixture_journal launch;
    fixture_journal_open(&launch);
    fixture_journal_add(&launch, "options");
    fixture_journal_add(&launch, "    stop-timeout = 400ms");
    struct child *child = child_start(run_scenario, launch.path);
    child_wait_for(child, "ready");
    for (uint32_t i = 0; i < scenario.count; i++) {
        char line[32];
        (void)snprintf(line, sizeof(line), "stuck: sailor-%u.", (unsigned)i);
        if (scenario.orders[i] == STICK) {
            child_wait_for(child, line);
        }
    }
    child_signal(child, SIGINT);
    struct child_end end = child_end(&child);
    (void)fixture_journal_close(&launch);
    return end;
}

/** Run the scenario with one actor. */
static struct child_end run_one(const char *place, enum order order)
{
    scenario.count = 1;
    scenario.places[0] = place;
    scenario.orders[0] = order;
    return run_and_interrupt();
}

static void expect_in_time(const struct child_end *end)
{
    cr_expect(eq(int, end->signal, 0), "it exited by itself: %s", end->err);
    cr_expect(
        end->ns < STOP_NS + SLACK_BUSY_NS,
        "it took %llu ms: %s",
        (unsigned long long)(end->ns / MEASURE_MS_NS),
        end->err);
}

static void expect_says(const struct child_end *end, const char *text)
{
    cr_expect(strstr(end->err, text) != NULL, "'%s' is not in: %s", text, end->err);
}

Test(shutdowns, a_stuck_thread_is_named_with_its_callback_and_its_stack)
{
    struct child_end end = run_one("thread", STICK);

    expect_in_time(&end);
    cr_expect(eq(int, end.status, 1), "%s", end.err);
    expect_says(&end, "troupe: not stopped within 300 ms of 400 ms; still running:\n");
    expect_says(&end, "'sailor-0' (thread), open: actors 1, waiting mail 1");
    expect_says(
        &end,
        "; actor 'sailor-0' (behaviour 'sailor') has been in a callback (a message of type 3)");
    expect_says(
        &end, "troupe: stack of actor 'sailor-0' (row 0, behaviour 'sailor') in a callback (a ");
    expect_says(&end, "[0x");
    cr_expect(
        strstr(end.err, "executor 0") == NULL,
        "the executor that waits is not listed: %s",
        end.err);
}

Test(shutdowns, a_stuck_process_is_named_and_killed_and_the_others_stop_in_order)
{
    struct child_end end = run_one("process", STICK);

    expect_in_time(&end);
    cr_expect(eq(int, end.status, 128 + SIGINT), "%s", end.err);
    expect_says(&end, "'sailor-0' (process, process ");
    expect_says(&end, "has been in a callback (a message of type 3) for at least ");
    expect_says(
        &end, "troupe: stack of actor 'sailor-0' (row 0, behaviour 'sailor') in a callback (a ");
}

Test(shutdowns, a_stuck_world_is_named_and_the_program_ends)
{
    struct child_end end = run_one("ecs", STICK);

    expect_in_time(&end);
    cr_expect(eq(int, end.status, 1), "%s", end.err);
    expect_says(&end, "troupe: still running when the time to stop was over: actor 'sailor-0' ");
    expect_says(&end, "in a callback (a message of type 3), on executor 0 'ecs' (ecs)");
}

Test(shutdowns, a_stuck_fini_is_named)
{
    struct child_end end = run_one("thread", STICK_AT_END);

    expect_in_time(&end);
    cr_expect(eq(int, end.status, 1), "%s", end.err);
    expect_says(
        &end,
        "; actor 'sailor-0' (behaviour 'sailor') has been in a callback (fini) for at least ");
}

Test(shutdowns, a_shutdown_in_order_prints_nothing)
{
    struct child_end end = run_one("thread", BUSY);

    expect_in_time(&end);
    cr_expect(eq(int, end.status, 128 + SIGINT), "%s", end.err);
    cr_expect(strcmp(end.err, "") == 0, "%s", end.err);
}

/* At random. ------------------------------------------------------------------------------------ */

static void choose_scenario(struct chance *chance)
{
    static const char *const places[] = {"ecs", "thread", "thread:2", "process", "process:2"};
    scenario.count = 1 + chance_below(chance, CREW_MAX);
    for (uint32_t i = 0; i < scenario.count; i++) {
        scenario.places[i] = places[chance_below(chance, 5)];
        scenario.orders[i] = IDLE + chance_below(chance, ORDER_COUNT - IDLE);
        bool is_process = strncmp(scenario.places[i], "process", 7) == 0;
        bool is_pooled = strchr(scenario.places[i], ':') != NULL;
        if (scenario.orders[i] == DIE && !is_process) {
            scenario.orders[i] = FAIL;
        }
        // An actor that shares an executor with a stuck or dead one may never get its order.
        if ((scenario.orders[i] == STICK || scenario.orders[i] == DIE) &&
            (is_pooled || strcmp(scenario.places[i], "ecs") == 0)) {
            scenario.orders[i] = chance_one_in(chance, 2) ? BUSY : STICK_AT_END;
        }
    }
    if (chance_one_in(chance, 4)) { // except the last actor on executor 0
        scenario.places[scenario.count - 1] = "ecs";
        scenario.orders[scenario.count - 1] = STICK;
    }
}

/** Expect each actor that printed that it is stuck to be named. */
static void expect_all_named(const struct child_end *end)
{
    for (uint32_t i = 0; i < scenario.count; i++) {
        char said[32];
        char name[32];
        (void)snprintf(said, sizeof(said), "stuck: sailor-%u.", (unsigned)i);
        (void)snprintf(name, sizeof(name), "'sailor-%u'", (unsigned)i);
        if (strstr(end->out, said) != NULL) {
            cr_expect(
                strstr(end->err, name) != NULL,
                "%s, on %s, is not named: %s",
                name,
                scenario.places[i],
                end->err);
        }
    }
}

Test(shutdowns, random_shutdowns_are_in_time_and_name_the_stuck_actors, .timeout = 3600)
{
    struct chance chance = chance_open("shutdowns");
    const char *text = getenv("TROUPE_SHUTDOWNS");
    long count = text != NULL ? strtol(text, NULL, 10) : SHUTDOWNS;
    long late_count = 0;
    uint64_t worst_ns = 0;
    for (long i = 0; i < count; i++) {
        choose_scenario(&chance);
        struct child_end end = run_and_interrupt();
        expect_in_time(&end);
        expect_all_named(&end);
        cr_expect(
            end.status == 1 || end.status == 128 + SIGINT, "status %d: %s", end.status, end.err);
        late_count += end.ns > STOP_NS + SLACK_NS ? 1 : 0;
        worst_ns = end.ns > worst_ns ? end.ns : worst_ns;
    }
    (void)fprintf(
        stderr,
        "shutdowns: %ld ends, %ld late, the longest took %llu ms\n",
        count,
        late_count,
        (unsigned long long)(worst_ns / MEASURE_MS_NS));
    cr_expect(late_count <= 1 + count / 10, "what a machine lets wait, it does not let wait often");
}

/* At any time. ---------------------------------------------------------------------------------- */

enum { HOLD = 100, HOLDING };

/** Blocks its thread until the pipe in the message has a byte. */
static void holder_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    int fd = *TROUPE_BODY(message, int);
    const struct troupe_outgoing beat = {.to = troupe_self(ctx), .type = HOLD};
    MUST(troupe_send_after(ctx, 3600 * MEASURE_SECOND_NS, &beat, NULL));
    MUST(troupe_reply(ctx, message, HOLDING, NULL, 0));
    troupe_flush(ctx);
    char byte = 0;
    MUST_BE(read(fd, &byte, 1) == 1);
}

static const struct troupe_behaviour holder = {.name = "holder", .receive = holder_receive};

/** @return what troupe_system_print_active() prints; to be freed. */
static char *why_alive(troupe_system_t *system)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *file = open_memstream(&text, &bytes);
    MUST_BE(file != NULL);
    troupe_system_print_active(system, file);
    MUST_BE(fclose(file) == 0);
    return text;
}

Test(shutdowns, what_keeps_a_system_alive_can_be_printed_at_any_time)
{
    const struct troupe_system_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&holder), .stop_timeout_ns = ECHO_DEADLINE_NS};
    troupe_system_t *system = NULL;
    MUST(troupe_system_new(&options, &system));
    char *empty = why_alive(system);
    cr_expect(strstr(empty, "troupe: active: actors 0, ") != NULL, "%s", empty);
    free(empty);
    troupe_inbox_t *inbox = echo_inbox_new(system);
    const struct troupe_spawn_options spawn = {
        .behaviour = &holder, .place = "thread", .name = "the keeper"};
    int gate[2];
    MUST_BE(pipe(gate) == 0);
    struct troupe_outgoing hold = {.type = HOLD, .body = &gate[0], .body_bytes = sizeof(gate[0])};
    MUST(troupe_spawn(troupe_inbox_context(inbox), &spawn, &hold.to));
    troupe_message_t *answer = NULL;
    MUST(troupe_inbox_ask(inbox, &hold, ECHO_DEADLINE_NS, &answer));
    troupe_message_destroy(&answer);

    char *text = why_alive(system);
    cr_expect(strstr(text, "' (inbox), open: ") != NULL, "%s", text);
    cr_expect(strstr(text, "'the keeper' (thread), open: actors 1, ") != NULL, "%s", text);
    cr_expect(
        strstr(
            text,
            "actor 'the keeper' (behaviour 'holder') has been in a callback (a message of type "
            "100)") != NULL,
        "%s",
        text);
    free(text);

    MUST_BE(write(gate[1], "", 1) == 1);
    echo_system_end(&system, &inbox);
    (void)close(gate[0]);
    (void)close(gate[1]);
}

SUBJECTS(&stage, &sailor, &holder, &echo_behaviour);

/*
 * SIGINT and SIGTERM: a program of actors stops in order within 2 s, whatever its actors do, and a second signal ends
 * it at once.
 */
#include "support/audit.h"
#include "support/child.h"
#include "support/echo_system.h"
#include "support/fixture.h"
#include "support/measure.h"

#include <troupe/backend.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { CREW = 24, TOKEN = 1, BEAT, DROP };

/** How long the program may take to exit after a signal. A sanitized one takes several times as long. */
#define END_NS ((measure_is_sanitized() ? UINT64_C(16) : UINT64_C(4)) * MEASURE_SECOND_NS)

static void say_end(troupe_context_t *ctx, void *state, const struct troupe_exit *exit)
{
    (void)state, (void)exit;
    char line[64];
    (void)snprintf(line, sizeof(line), "end of %s\n", troupe_self_name(ctx));
    child_say(line);
}

static size_t count_ends(const struct child_end *end)
{
    size_t count = 0;
    for (const char *at = end->out; (at = strstr(at, "end of ")) != NULL; at++) {
        count++;
    }
    return count;
}

/** The first actor of each program: gets the first message of the others, and prints that. */
static void say_ready(bool *is_ready)
{
    if (!*is_ready) {
        *is_ready = true;
        child_say("ready\n");
    }
}

/* A busy ring. --------------------------------------------------------------------------------- */

struct link_state {
    troupe_ref_t next;
    bool is_ready; // of the first
};

static const struct troupe_behaviour ring_link;

static enum troupe_err link_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)ctx;
    struct link_state *self = state;
    self->is_ready = true;
    self->next = fixture_ref_of(args, args_bytes);
    return TROUPE_OK;
}

static enum troupe_err ring_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)args, (void)args_bytes;
    struct link_state *self = state;
    self->next = troupe_self(ctx);
    for (int i = 1; i < CREW; i++) {
        const struct troupe_spawn_options options = {
            .behaviour = &ring_link, .args = &self->next, .args_bytes = sizeof(self->next)};
        MUST(troupe_spawn(ctx, &options, &self->next));
    }
    return troupe_send(ctx, self->next, TOKEN, NULL, 0);
}

static void link_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)message;
    struct link_state *self = state;
    say_ready(&self->is_ready);
    fixture_ignore(troupe_send(ctx, self->next, TOKEN, NULL, 0)); // fails once the system stops
}

static const struct troupe_behaviour ring_link = {
    .name = "link",
    .state_bytes = sizeof(struct link_state),
    .init = link_init,
    .receive = link_receive,
    .fini = say_end,
};

static const struct troupe_behaviour ring = {
    .name = "ring",
    .state_bytes = sizeof(struct link_state),
    .init = ring_init,
    .receive = link_receive,
    .fini = say_end,
};

/* An idle clock. ------------------------------------------------------------------------------- */

static const struct troupe_behaviour sleeper;

static enum troupe_err clock_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)state, (void)args, (void)args_bytes;
    for (int i = 1; i < CREW; i++) {
        const struct troupe_spawn_options options = {.behaviour = &sleeper};
        MUST(troupe_spawn(ctx, &options, NULL));
    }
    const struct troupe_outgoing beat = {.to = troupe_self(ctx), .type = BEAT};
    return troupe_send_every(ctx, 20 * MEASURE_MS_NS, &beat, NULL);
}

static void clock_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)ctx, (void)message;
    struct link_state *self = state;
    say_ready(&self->is_ready);
}

static void sleeper_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)ctx, (void)state, (void)message;
}

static const struct troupe_behaviour sleeper = {
    .name = "sleeper", .receive = sleeper_receive, .fini = say_end};

static const struct troupe_behaviour idle_clock = {
    .name = "clock",
    .state_bytes = sizeof(struct link_state),
    .init = clock_init,
    .receive = clock_receive,
    .fini = say_end,
};

/* A flood. ------------------------------------------------------------------------------------- */

static const struct troupe_behaviour flooder;

static enum troupe_err drain_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)state, (void)args, (void)args_bytes;
    const troupe_ref_t self = troupe_self(ctx);
    for (int i = 1; i < CREW; i++) {
        const struct troupe_spawn_options options = {
            .behaviour = &flooder, .args = &self, .args_bytes = sizeof(self)};
        MUST(troupe_spawn(ctx, &options, NULL));
    }
    return TROUPE_OK;
}

static void drain_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)ctx, (void)message;
    struct link_state *self = state;
    say_ready(&self->is_ready);
    uint64_t until_ns = measure_now_ns() + 20000; // slower than any of them
    while (measure_now_ns() < until_ns) {
    }
}

static void flooder_pour(troupe_context_t *ctx, const struct link_state *self)
{
    enum troupe_err err = TROUPE_OK;
    while (err == TROUPE_OK) { // until a ROOM
        err = troupe_send(ctx, self->next, DROP, NULL, 0);
    }
}

static enum troupe_err flooder_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    struct link_state *self = state;
    self->next = fixture_ref_of(args, args_bytes);
    flooder_pour(ctx, self);
    return TROUPE_OK;
}

static void flooder_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)message;
    flooder_pour(ctx, state);
}

static const struct troupe_behaviour flooder = {
    .name = "flooder",
    .state_bytes = sizeof(struct link_state),
    .init = flooder_init,
    .receive = flooder_receive,
    .fini = say_end,
};

static const struct troupe_behaviour drain = {
    .name = "drain",
    .state_bytes = sizeof(struct link_state),
    .init = drain_init,
    .receive = drain_receive,
    .fini = say_end,
};

/* Programs. ------------------------------------------------------------------------------------ */

/** A program and where its actors live. */
struct program {
    const struct troupe_behaviour *const *behaviours;
    const struct fixture_placement *placement;
    struct fixture_journal launch; // its launch file; "": none
};

static int run_program(void *data)
{
    const struct program *program = data;
    char line[128];
    const char *launch = program->launch.path;
    (void)snprintf(
        line,
        sizeof(line),
        "program --place *=%s%s%s",
        program->placement->place,
        launch[0] != '\0' ? " --launch " : "",
        launch);
    fixture_register_backends();
    return child_troupe_main(line, program->behaviours);
}

/** A sanitized program stops several times as slowly: have its launch file give it more time. */
static void allow_for_sanitizer(struct program *program)
{
    if (measure_is_sanitized()) {
        fixture_journal_open(&program->launch);
        fixture_journal_add(&program->launch, "options");
        fixture_journal_add(&program->launch, "    stop-timeout = 8s");
    }
}

static void expect_an_end_in_order(struct program *program, int number)
{
    allow_for_sanitizer(program);
    struct child *child = child_start(run_program, program);
    child_wait_for(child, "ready");

    child_signal(child, number);

    struct child_end end = child_end(&child);
    (void)unlink(program->launch.path);
    cr_expect(end.status == 128 + number, "status %d: %s", end.status, end.err);
    cr_expect(eq(int, end.signal, 0), "it exited by itself");
    cr_expect(end.ns < END_NS, "it took %llu ms", (unsigned long long)(end.ns / MEASURE_MS_NS));
    fixture_register_backends();
    if ((fixture_traits(program->placement) & TROUPE_TRAIT_ISOLATES_CRASHES) != 0) {
        // An actor that had no process yet when the system was asked to stop never started.
        cr_expect(ge(sz, count_ends(&end), 1), "%s", end.out);
        cr_expect(le(sz, count_ends(&end), CREW), "%s", end.out);
    } else {
        cr_expect(eq(sz, count_ends(&end), CREW), "%s", end.out);
    }
}

BACKEND_TEST(signals, an_interrupt_stops_a_busy_ring_in_order)
{
    struct program program = {
        .behaviours = TROUPE_BEHAVIOURS(&ring, &ring_link), .placement = placement};
    expect_an_end_in_order(&program, SIGINT);
}

BACKEND_TEST(signals, a_termination_stops_a_busy_ring_in_order)
{
    struct program program = {
        .behaviours = TROUPE_BEHAVIOURS(&ring, &ring_link), .placement = placement};
    expect_an_end_in_order(&program, SIGTERM);
}

BACKEND_TEST(signals, an_interrupt_stops_an_idle_clock_in_order)
{
    struct program program = {
        .behaviours = TROUPE_BEHAVIOURS(&idle_clock, &sleeper), .placement = placement};
    expect_an_end_in_order(&program, SIGINT);
}

BACKEND_TEST(signals, a_termination_stops_an_idle_clock_in_order)
{
    struct program program = {
        .behaviours = TROUPE_BEHAVIOURS(&idle_clock, &sleeper), .placement = placement};
    expect_an_end_in_order(&program, SIGTERM);
}

BACKEND_TEST(signals, an_interrupt_stops_a_flood_in_order)
{
    struct program program = {
        .behaviours = TROUPE_BEHAVIOURS(&drain, &flooder), .placement = placement};
    expect_an_end_in_order(&program, SIGINT);
}

BACKEND_TEST(signals, a_termination_stops_a_flood_in_order)
{
    struct program program = {
        .behaviours = TROUPE_BEHAVIOURS(&drain, &flooder), .placement = placement};
    expect_an_end_in_order(&program, SIGTERM);
}

/* A stuck callback. ---------------------------------------------------------------------------- */

static enum troupe_err stick(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)ctx, (void)state, (void)args, (void)args_bytes;
    child_say("ready\n");
    while (pause() != 0) { // always: it returns an error once a signal was handled
    }
    return TROUPE_OK;
}

static const struct troupe_behaviour sticky = {
    .name = "sticky", .init = stick, .receive = sleeper_receive};

static void expect_the_second_ends_at_once(int first, int second)
{
    const struct fixture_placement placement = {.name = "thread", .place = "thread"};
    struct program program = {.behaviours = TROUPE_BEHAVIOURS(&sticky), .placement = &placement};
    struct child *child = child_start(run_program, &program);
    child_wait_for(child, "ready");
    child_signal(child, first);
    child_wait_until_handled(child, first);

    child_signal(child, second);

    struct child_end end = child_end(&child);
    cr_expect(end.signal == second, "it ended with status %d: %s", end.status, end.err);
    cr_expect(end.ns < MEASURE_SECOND_NS / 2, "after %llu ns", (unsigned long long)end.ns);
}

Test(signals, a_second_interrupt_ends_the_program_at_once)
{
    expect_the_second_ends_at_once(SIGINT, SIGINT);
}

Test(signals, a_second_termination_ends_the_program_at_once)
{
    expect_the_second_ends_at_once(SIGTERM, SIGTERM);
}

Test(signals, a_termination_after_an_interrupt_ends_the_program_at_once)
{
    expect_the_second_ends_at_once(SIGINT, SIGTERM);
}

Test(signals, a_program_whose_actor_is_stuck_ends_with_1_and_names_it)
{
    const struct fixture_placement placement = {.name = "thread", .place = "thread"};
    struct program program = {.behaviours = TROUPE_BEHAVIOURS(&sticky), .placement = &placement};
    struct child *child = child_start(run_program, &program);
    child_wait_for(child, "ready");

    child_signal(child, SIGINT);

    struct child_end end = child_end(&child);
    cr_expect(eq(int, end.status, 1));
    cr_expect(strstr(end.err, "'sticky'") != NULL, "%s", end.err);
    cr_expect(end.ns < END_NS, "it took %llu ms", (unsigned long long)(end.ns / MEASURE_MS_NS));
}

/* A stuck callback in an embedded system. -------------------------------------------------------- */

enum { HOLD = 100, HOLDING };

/** Blocks its thread until the pipe in the message has a byte. */
static void holder_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    int fd = *TROUPE_BODY(message, int);
    MUST(troupe_reply(ctx, message, HOLDING, NULL, 0));
    troupe_flush(ctx);
    char byte = 0;
    MUST_BE(read(fd, &byte, 1) == 1);
}

static const struct troupe_behaviour holder = {.name = "holder", .receive = holder_receive};

Test(signals, a_run_with_a_stuck_actor_times_out_with_its_name_and_can_be_ended_later)
{
    const struct troupe_system_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&holder),
        .stop_timeout_ns = 300 * MEASURE_MS_NS,
    };
    troupe_system_t *system = NULL;
    MUST(troupe_system_new(&options, &system));
    troupe_inbox_t *inbox = echo_inbox_new(system);
    const struct troupe_spawn_options spawn = {
        .behaviour = &holder, .place = "thread", .name = "the stuck one"};
    troupe_ref_t ref = TROUPE_REF_NONE;
    MUST(troupe_spawn(troupe_inbox_context(inbox), &spawn, &ref));
    int gate[2];
    MUST_BE(pipe2(gate, O_CLOEXEC) == 0);
    const struct troupe_outgoing hold = {
        .to = ref, .type = HOLD, .body = &gate[0], .body_bytes = sizeof(gate[0])};
    troupe_message_t *answer = NULL;
    MUST(troupe_inbox_ask(inbox, &hold, ECHO_DEADLINE_NS, &answer));
    troupe_message_destroy(&answer);

    troupe_system_stop(system);
    uint64_t start_ns = measure_now_ns();
    cr_expect(eq(int, troupe_system_run(system), TROUPE_ERR_TIMEDOUT));
    uint64_t took_ns = measure_now_ns() - start_ns;
    cr_expect(strstr(troupe_error_detail(), "the stuck one") != NULL, "%s", troupe_error_detail());
    cr_expect(
        took_ns >= 250 * MEASURE_MS_NS && took_ns < MEASURE_SECOND_NS,
        "%llu ns",
        (unsigned long long)took_ns);
    troupe_system_t *before = system;
    cr_expect(
        eq(int, troupe_system_destroy(&system), TROUPE_ERR_TIMEDOUT)); // an inbox is open as well
    cr_expect(eq(ptr, system, before));

    MUST_BE(write(gate[1], "", 1) == 1);
    cr_expect(eq(int, troupe_inbox_destroy(&inbox), TROUPE_OK));
    cr_expect(eq(int, troupe_system_run(system), TROUPE_OK));
    cr_expect(audit_balances(system));
    cr_expect(eq(int, troupe_system_destroy(&system), TROUPE_OK));
}

SUBJECTS(&ring_link, &ring, &sleeper, &idle_clock, &flooder, &drain, &sticky, &holder);

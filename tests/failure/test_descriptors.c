// ctest: serial
/*
 * Descriptors run out. libzmq would abort the process, so the runtime stops well before: with an error
 * and words, while those who run go on.
 */
#include "support/child.h"
#include "support/echo_system.h"
#include "support/fixture.h"
#include "support/measure.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DESCRIPTORS = 600, ECHOES_MAX = DESCRIPTORS };

/** Run a child with several limits, so that it meets them at each step of what it does. */
static void succeeds_with_any_limit(child_fn *run)
{
    for (rlim_t limit = DESCRIPTORS - 6; limit <= DESCRIPTORS; limit++) {
        child_succeeds(run, &limit);
    }
}

/** Echoes on threads of their own, spawned until there is no descriptor for one more. */
struct choir {
    troupe_ref_t echoes[ECHOES_MAX];
    size_t count;
};

static void expect_limit(enum troupe_err err)
{
    MUST_BE(err == TROUPE_ERR_LIMIT);
    MUST_BE(strstr(troupe_error_detail(), "descriptors are free") != NULL);
    MUST_BE(strstr(troupe_error_detail(), "raise the limit of open files") != NULL);
}

static void choir_fill(struct choir *choir, troupe_inbox_t *port)
{
    enum troupe_err err = TROUPE_OK;
    for (;;) {
        MUST_BE(choir->count < ECHOES_MAX);
        troupe_ref_t *echo = &choir->echoes[choir->count];
        err = echo_spawn(troupe_inbox_context(port), "thread", echo);
        if (err != TROUPE_OK) {
            break;
        }
        MUST(echo_ask(port, *echo, choir->count)); // who was started can answer
        choir->count++;
    }
    expect_limit(err);
}

/** Fill up until there are @p count again: ZeroMQ closes in its own time what it was given back. */
static void choir_refill(struct choir *choir, troupe_inbox_t *port, size_t count)
{
    uint64_t deadline_ns = measure_now_ns() + ECHO_DEADLINE_NS;
    for (;;) {
        choir_fill(choir, port);
        if (choir->count >= count) {
            return;
        }
        MUST_BE(measure_now_ns() < deadline_ns);
        troupe_message_t *message = NULL;
        fixture_ignore(troupe_inbox_receive(port, MEASURE_MS_NS, &message));
        troupe_message_destroy(&message);
    }
}

static void choir_sing(const struct choir *choir, troupe_inbox_t *port)
{
    for (size_t i = 0; i < choir->count; i++) {
        MUST(echo_ask(port, choir->echoes[i], i));
    }
}

/** Let the first half leave, and wait until their executors are gone. */
static void choir_halve(struct choir *choir, troupe_system_t *system, troupe_inbox_t *port)
{
    size_t leaving = choir->count / 2;
    struct troupe_stats stats;
    troupe_system_stats(system, &stats);
    for (size_t i = 0; i < leaving; i++) {
        MUST(troupe_send(troupe_inbox_context(port), choir->echoes[i], ECHO_STOP, NULL, 0));
    }
    echo_wait_for_exits(system, port, stats.executors_ended + leaving);
    choir->count -= leaving;
    memmove(choir->echoes, choir->echoes + leaving, choir->count * sizeof(*choir->echoes));
}

static int fill_with_threads(void *data)
{
    const rlim_t *limit = data;
    child_limit(RLIMIT_NOFILE, *limit);
    static struct choir choir;
    troupe_system_t *system = echo_system_new();
    troupe_inbox_t *port = echo_inbox_new(system);

    choir_fill(&choir, port);
    MUST_BE(choir.count > 10);
    choir_sing(&choir, port);
    size_t most = choir.count;
    for (int round = 0; round < 3; round++) {
        choir_halve(&choir, system, port);
        choir_sing(&choir, port);
        choir_refill(&choir, port, most - most / 4); // what was given back can be had again
        choir_sing(&choir, port);
    }
    echo_system_end(&system, &port);
    return 0;
}

Test(descriptors, run_out_with_an_error_while_running_ones_go_on)
{
    succeeds_with_any_limit(fill_with_threads);
}

static int refuse_without_a_trace(void *data)
{
    const rlim_t *limit = data;
    child_limit(RLIMIT_NOFILE, *limit);
    static struct choir choir;
    troupe_system_t *system = echo_system_new();
    troupe_inbox_t *port = echo_inbox_new(system);
    choir_fill(&choir, port);

    struct troupe_stats before;
    struct troupe_stats after;
    troupe_system_stats(system, &before);
    troupe_ref_t ref = {7, 7, 7, 7};
    for (int i = 0; i < 100; i++) {
        expect_limit(echo_spawn(troupe_inbox_context(port), "thread", &ref));
    }
    MUST_BE(ref.node == 7);
    troupe_system_stats(system, &after);
    MUST_BE(after.executors_started == before.executors_started);
    // Each executor that was started has its actor: "nothing was started" of the one that failed.
    choir_sing(&choir, port);
    troupe_system_stats(system, &after);
    MUST_BE(after.executors_started == choir.count + 2); // executor 0, and the port's
    echo_system_end(&system, &port);
    return 0;
}

Test(descriptors, a_refused_spawn_starts_nothing)
{
    succeeds_with_any_limit(refuse_without_a_trace);
}

static int first_message_without_descriptors(void *data)
{
    (void)data;
    child_limit(RLIMIT_NOFILE, DESCRIPTORS);
    static struct child_hoard hoard;
    troupe_system_t *system = echo_system_new();
    troupe_inbox_t *known = echo_inbox_new(system);
    troupe_inbox_t *fresh = echo_inbox_new(system);
    troupe_ref_t echo = TROUPE_REF_NONE;
    MUST(echo_spawn(troupe_inbox_context(known), "thread", &echo));
    MUST(echo_ask(known, echo, 1));

    child_hoard_take(&hoard);
    expect_limit(echo_ask(fresh, echo, 2));
    expect_limit(troupe_send(troupe_inbox_context(fresh), echo, ECHO_STOP, NULL, 0));
    MUST(echo_ask(known, echo, 3)); // who knows each other needs nothing new
    troupe_ref_t more = TROUPE_REF_NONE;
    expect_limit(echo_spawn(troupe_inbox_context(known), "thread", &more));
    expect_limit(echo_spawn(troupe_inbox_context(known), "thread:2", &more));
    troupe_inbox_t *port = NULL;
    expect_limit(troupe_inbox_new(system, &port));
    MUST_BE(port == NULL);

    child_hoard_give(&hoard);
    MUST(echo_ask(fresh, echo, 4));
    MUST(echo_spawn(troupe_inbox_context(fresh), "thread", &more));
    MUST(echo_ask(fresh, more, 5));
    MUST(troupe_inbox_destroy(&fresh));
    echo_system_end(&system, &known);
    return 0;
}

Test(descriptors, a_first_message_without_one_is_an_error_and_later_works)
{
    child_succeeds(first_message_without_descriptors, NULL);
}

static int end_without_descriptors(void *data)
{
    (void)data;
    child_limit(RLIMIT_NOFILE, DESCRIPTORS);
    static struct child_hoard hoard;
    troupe_system_t *system = echo_system_new();
    troupe_inbox_t *port = echo_inbox_new(system);
    troupe_ref_t chief = TROUPE_REF_NONE;
    MUST(echo_spawn(troupe_inbox_context(port), "thread", &chief));
    for (int i = 0; i < 8; i++) { // whom only the chief knows
        MUST(echo_ask_to_spawn(port, chief, "thread").err);
    }

    child_hoard_take(&hoard);
    uint64_t start_ns = measure_now_ns();
    echo_system_end(&system, &port); // MUST()s that it is in order
    MUST_BE(measure_now_ns() - start_ns < 2 * MEASURE_SECOND_NS);
    child_hoard_give(&hoard);
    return 0;
}

Test(descriptors, a_system_without_any_ends_in_order)
{
    child_succeeds(end_without_descriptors, NULL);
}

static int few_free_at_the_bottom(void *data)
{
    (void)data;
    child_limit(RLIMIT_NOFILE, DESCRIPTORS);
    static struct child_hoard hoard;
    troupe_system_t *system = echo_system_new();
    troupe_inbox_t *port = echo_inbox_new(system);
    child_hoard_take(&hoard);
    for (size_t i = 0; i < 3; i++) { // the lowest numbers are free, and few others
        (void)close(hoard.fds[i]);
    }

    troupe_ref_t echo = TROUPE_REF_NONE;
    expect_limit(echo_spawn(troupe_inbox_context(port), "thread", &echo));

    child_hoard_give(&hoard);
    MUST(echo_spawn(troupe_inbox_context(port), "thread", &echo));
    MUST(echo_ask(port, echo, 1));
    echo_system_end(&system, &port);
    return 0;
}

Test(descriptors, a_few_that_are_free_below_many_that_are_not_are_too_few)
{
    child_succeeds(few_free_at_the_bottom, NULL);
}

static int new_without_descriptors(void *data)
{
    (void)data;
    child_limit(RLIMIT_NOFILE, DESCRIPTORS);
    static struct child_hoard hoard;
    const struct troupe_system_options options = {.behaviours = TROUPE_BEHAVIOURS(&echo_behaviour)};
    troupe_system_t *system = NULL;

    child_hoard_take(&hoard);
    expect_limit(troupe_system_new(&options, &system));
    MUST_BE(system == NULL);
    for (size_t i = 0; i < 100; i++) { // some, but too few
        (void)close(hoard.fds[--hoard.count]);
    }
    expect_limit(troupe_system_new(&options, &system));
    MUST_BE(system == NULL);

    child_hoard_give(&hoard);
    system = echo_system_new();
    troupe_inbox_t *port = echo_inbox_new(system);
    echo_system_end(&system, &port);
    return 0;
}

Test(descriptors, a_system_is_not_made_of_too_few)
{
    child_succeeds(new_without_descriptors, NULL);
}

/* A ROOM that needs a descriptor. ---------------------------------------------------------------- */

enum { HOLD = 1, MUD, HOLDING };

/** Tells that it holds, and does until the pipe it is told has a byte. */
static void bog_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    if (troupe_message_type(message) != HOLD) {
        return;
    }
    int fd = *TROUPE_BODY(message, int);
    MUST(troupe_reply(ctx, message, HOLDING, NULL, 0));
    troupe_flush(ctx);
    char byte = 0;
    MUST_BE(read(fd, &byte, 1) == 1);
}

static const struct troupe_behaviour bog = {.name = "bog", .receive = bog_receive};

/** Flood the bog until it refuses, while it holds. */
static void flood_bog(troupe_context_t *ctx, troupe_ref_t ref)
{
    enum troupe_err err = TROUPE_OK;
    for (int i = 0; i < 1000 && err == TROUPE_OK; i++) {
        err = troupe_send(ctx, ref, MUD, NULL, 0);
    }
    MUST_BE(err == TROUPE_ERR_FULL);
}

static int room_without_descriptors(void *data)
{
    (void)data;
    child_limit(RLIMIT_NOFILE, DESCRIPTORS);
    static struct child_hoard hoard;
    const struct troupe_system_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&bog), .mailbox_messages = 32};
    troupe_system_t *system = NULL;
    MUST(troupe_system_new(&options, &system));
    troupe_inbox_t *known = echo_inbox_new(system);
    troupe_inbox_t *fresh = echo_inbox_new(system); // to which the bog has no link
    const struct troupe_spawn_options spawn = {.behaviour = &bog, .place = "thread"};
    troupe_ref_t ref = TROUPE_REF_NONE;
    MUST(troupe_spawn(troupe_inbox_context(known), &spawn, &ref));
    int gate[2];
    MUST_BE(pipe2(gate, O_CLOEXEC) == 0);
    const struct troupe_outgoing hold = {
        .to = ref, .type = HOLD, .body = &gate[0], .body_bytes = sizeof(gate[0])};
    troupe_message_t *message = NULL;
    MUST(troupe_inbox_ask(known, &hold, ECHO_DEADLINE_NS, &message));
    troupe_message_destroy(&message);
    flood_bog(troupe_inbox_context(fresh), ref);

    child_hoard_take(&hoard);
    MUST_BE(write(gate[1], "", 1) == 1);
    // It works off all of it now, and finds no descriptor to say that there is room.
    struct troupe_stats stats;
    uint64_t deadline_ns = measure_now_ns() + ECHO_DEADLINE_NS;
    do {
        troupe_system_stats(system, &stats);
        MUST_BE(measure_now_ns() < deadline_ns);
        fixture_ignore(troupe_inbox_receive(known, MEASURE_MS_NS, &message));
    } while (stats.waiting > 0);
    child_hoard_give(&hoard);

    MUST(troupe_inbox_receive(fresh, ECHO_DEADLINE_NS, &message));
    MUST_BE(troupe_message_type(message) == TROUPE_MESSAGE_ROOM);
    troupe_message_destroy(&message);
    MUST(troupe_inbox_destroy(&fresh));
    echo_system_end(&system, &known);
    return 0;
}

Test(descriptors, a_room_that_found_none_comes_when_there_is_one)
{
    child_succeeds(room_without_descriptors, NULL);
}

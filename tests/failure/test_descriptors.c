// ctest: serial
/*
 * Descriptors run out. libzmq would abort the process, so the runtime refuses well before that, with an error and
 * its text, and what runs goes on.
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

/** Run a child with several limits, so that each of its steps is the one that fails. */
static void succeeds_with_any_limit(child_fn *run)
{
    for (rlim_t limit = DESCRIPTORS - 6; limit <= DESCRIPTORS; limit++) {
        child_succeeds(run, &limit);
    }
}

/** Echo actors on threads of their own, spawned until there is no descriptor for one more. */
struct echoes {
    troupe_ref_t refs[ECHOES_MAX];
    size_t count;
};

static void expect_limit(enum troupe_err err)
{
    MUST_BE(err == TROUPE_ERR_LIMIT);
    MUST_BE(strstr(troupe_error_detail(), "descriptors are free") != NULL);
    MUST_BE(strstr(troupe_error_detail(), "raise the limit of open files") != NULL);
}

static void echoes_fill(struct echoes *echoes, troupe_inbox_t *inbox)
{
    enum troupe_err err = TROUPE_OK;
    for (;;) {
        MUST_BE(echoes->count < ECHOES_MAX);
        troupe_ref_t *echo = &echoes->refs[echoes->count];
        err = echo_spawn(troupe_inbox_context(inbox), "thread", echo);
        if (err != TROUPE_OK) {
            break;
        }
        MUST(echo_ask(inbox, *echo, echoes->count)); // a started actor can reply
        echoes->count++;
    }
    expect_limit(err);
}

/** Spawn until there are @p count again: ZeroMQ closes descriptors some time after their sockets. */
static void echoes_refill(struct echoes *echoes, troupe_inbox_t *inbox, size_t count)
{
    uint64_t deadline_ns = measure_now_ns() + ECHO_DEADLINE_NS;
    for (;;) {
        echoes_fill(echoes, inbox);
        if (echoes->count >= count) {
            return;
        }
        MUST_BE(measure_now_ns() < deadline_ns);
        troupe_message_t *message = NULL;
        fixture_ignore(troupe_inbox_receive(inbox, MEASURE_MS_NS, &message));
        troupe_message_destroy(&message);
    }
}

static void echoes_ask_all(const struct echoes *echoes, troupe_inbox_t *inbox)
{
    for (size_t i = 0; i < echoes->count; i++) {
        MUST(echo_ask(inbox, echoes->refs[i], i));
    }
}

/** Stop the first half, and wait until their executors have ended. */
static void echoes_stop_half(struct echoes *echoes, troupe_system_t *system, troupe_inbox_t *inbox)
{
    size_t stopping = echoes->count / 2;
    struct troupe_stats stats;
    troupe_system_stats(system, &stats);
    for (size_t i = 0; i < stopping; i++) {
        MUST(troupe_send(troupe_inbox_context(inbox), echoes->refs[i], ECHO_STOP, NULL, 0));
    }
    echo_wait_for_exits(system, inbox, stats.executors_ended + stopping);
    echoes->count -= stopping;
    memmove(echoes->refs, echoes->refs + stopping, echoes->count * sizeof(*echoes->refs));
}

static int fill_with_threads(void *data)
{
    const rlim_t *limit = data;
    child_limit(RLIMIT_NOFILE, *limit);
    static struct echoes echoes;
    troupe_system_t *system = echo_system_new();
    troupe_inbox_t *inbox = echo_inbox_new(system);

    echoes_fill(&echoes, inbox);
    MUST_BE(echoes.count > 10);
    echoes_ask_all(&echoes, inbox);
    size_t most = echoes.count;
    for (int round = 0; round < 3; round++) {
        echoes_stop_half(&echoes, system, inbox);
        echoes_ask_all(&echoes, inbox);
        echoes_refill(&echoes, inbox, most - most / 4); // freed descriptors can be used again
        echoes_ask_all(&echoes, inbox);
    }
    echo_system_end(&system, &inbox);
    return 0;
}

Test(descriptors, run_out_with_an_error_while_running_actors_go_on)
{
    succeeds_with_any_limit(fill_with_threads);
}

static int refuse_without_effect(void *data)
{
    const rlim_t *limit = data;
    child_limit(RLIMIT_NOFILE, *limit);
    static struct echoes echoes;
    troupe_system_t *system = echo_system_new();
    troupe_inbox_t *inbox = echo_inbox_new(system);
    echoes_fill(&echoes, inbox);

    struct troupe_stats before;
    struct troupe_stats after;
    troupe_system_stats(system, &before);
    troupe_ref_t ref = {7, 7, 7, 7};
    for (int i = 0; i < 100; i++) {
        expect_limit(echo_spawn(troupe_inbox_context(inbox), "thread", &ref));
    }
    MUST_BE(ref.node == 7);
    troupe_system_stats(system, &after);
    MUST_BE(after.executors_started == before.executors_started);
    // Each executor that was started has its actor: the failed spawns started nothing.
    echoes_ask_all(&echoes, inbox);
    troupe_system_stats(system, &after);
    MUST_BE(after.executors_started == echoes.count + 2); // executor 0, and the inbox's
    echo_system_end(&system, &inbox);
    return 0;
}

Test(descriptors, a_refused_spawn_starts_nothing)
{
    succeeds_with_any_limit(refuse_without_effect);
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
    MUST(echo_ask(known, echo, 3)); // their channels are open already
    troupe_ref_t more = TROUPE_REF_NONE;
    expect_limit(echo_spawn(troupe_inbox_context(known), "thread", &more));
    expect_limit(echo_spawn(troupe_inbox_context(known), "thread:2", &more));
    troupe_inbox_t *inbox = NULL;
    expect_limit(troupe_inbox_new(system, &inbox));
    MUST_BE(inbox == NULL);

    child_hoard_give(&hoard);
    MUST(echo_ask(fresh, echo, 4));
    MUST(echo_spawn(troupe_inbox_context(fresh), "thread", &more));
    MUST(echo_ask(fresh, more, 5));
    MUST(troupe_inbox_destroy(&fresh));
    echo_system_end(&system, &known);
    return 0;
}

Test(descriptors, a_first_message_without_one_is_an_error_and_works_later)
{
    child_succeeds(first_message_without_descriptors, NULL);
}

static int end_without_descriptors(void *data)
{
    (void)data;
    child_limit(RLIMIT_NOFILE, DESCRIPTORS);
    static struct child_hoard hoard;
    troupe_system_t *system = echo_system_new();
    troupe_inbox_t *inbox = echo_inbox_new(system);
    troupe_ref_t spawner = TROUPE_REF_NONE;
    MUST(echo_spawn(troupe_inbox_context(inbox), "thread", &spawner));
    for (int i = 0; i < 8; i++) { // to which only the spawner has a channel
        MUST(echo_ask_to_spawn(inbox, spawner, "thread").err);
    }

    child_hoard_take(&hoard);
    uint64_t start_ns = measure_now_ns();
    echo_system_end(&system, &inbox); // checks that it ends in order
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
    troupe_inbox_t *inbox = echo_inbox_new(system);
    child_hoard_take(&hoard);
    for (size_t i = 0; i < 3; i++) { // the lowest numbers are free, and few others
        (void)close(hoard.fds[i]);
    }

    troupe_ref_t echo = TROUPE_REF_NONE;
    expect_limit(echo_spawn(troupe_inbox_context(inbox), "thread", &echo));

    child_hoard_give(&hoard);
    MUST(echo_spawn(troupe_inbox_context(inbox), "thread", &echo));
    MUST(echo_ask(inbox, echo, 1));
    echo_system_end(&system, &inbox);
    return 0;
}

Test(descriptors, a_few_free_ones_below_many_open_ones_are_too_few)
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
    troupe_inbox_t *inbox = echo_inbox_new(system);
    echo_system_end(&system, &inbox);
    return 0;
}

Test(descriptors, a_system_cannot_be_made_with_too_few)
{
    child_succeeds(new_without_descriptors, NULL);
}

/* A ROOM that needs a descriptor. ---------------------------------------------------------------- */

enum { BLOCK = 1, MESSAGE, BLOCKING };

/** On BLOCK, replies BLOCKING, and blocks until a byte comes from the pipe that it was sent. */
static void receiver_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    if (troupe_message_type(message) != BLOCK) {
        return;
    }
    int fd = *TROUPE_BODY(message, int);
    MUST(troupe_reply(ctx, message, BLOCKING, NULL, 0));
    troupe_flush(ctx);
    char byte = 0;
    MUST_BE(read(fd, &byte, 1) == 1);
}

static const struct troupe_behaviour receiver = {.name = "receiver", .receive = receiver_receive};

/** Flood the receiver until a send is refused, while it blocks. */
static void flood(troupe_context_t *ctx, troupe_ref_t ref)
{
    enum troupe_err err = TROUPE_OK;
    for (int i = 0; i < 1000 && err == TROUPE_OK; i++) {
        err = troupe_send(ctx, ref, MESSAGE, NULL, 0);
    }
    MUST_BE(err == TROUPE_ERR_FULL);
}

static int room_without_descriptors(void *data)
{
    (void)data;
    child_limit(RLIMIT_NOFILE, DESCRIPTORS);
    static struct child_hoard hoard;
    const struct troupe_system_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&receiver), .mailbox_messages = 32};
    troupe_system_t *system = NULL;
    MUST(troupe_system_new(&options, &system));
    troupe_inbox_t *known = echo_inbox_new(system);
    troupe_inbox_t *fresh = echo_inbox_new(system); // to which the receiver has no channel
    const struct troupe_spawn_options spawn = {.behaviour = &receiver, .place = "thread"};
    troupe_ref_t ref = TROUPE_REF_NONE;
    MUST(troupe_spawn(troupe_inbox_context(known), &spawn, &ref));
    int gate[2];
    MUST_BE(pipe2(gate, O_CLOEXEC) == 0);
    const struct troupe_outgoing block = {
        .to = ref, .type = BLOCK, .body = &gate[0], .body_bytes = sizeof(gate[0])};
    troupe_message_t *message = NULL;
    MUST(troupe_inbox_ask(known, &block, ECHO_DEADLINE_NS, &message));
    troupe_message_destroy(&message);
    flood(troupe_inbox_context(fresh), ref);

    child_hoard_take(&hoard);
    MUST_BE(write(gate[1], "", 1) == 1);
    // It handles all messages now, and has no descriptor for the channel on which it would grant credit.
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

Test(descriptors, a_room_delayed_for_want_of_one_comes_when_one_is_free)
{
    child_succeeds(room_without_descriptors, NULL);
}

/*
 * Signals as messages: who asks for one gets each; who does not ask is left alone; and what cannot be had
 * is refused in words.
 */
#include "support/audit.h"
#include "support/child.h"
#include "support/fixture.h"
#include "support/measure.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/** What the program of a test does; set before its child is started. */
static struct {
    int number;
    const char *place;
    const int *signals;
} plot;

struct listener {
    int number;
    uint32_t count;
};

static enum troupe_err listener_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    MUST_BE(args_bytes == sizeof(int));
    struct listener *self = state;
    memcpy(&self->number, args, sizeof(self->number));
    enum troupe_err err = troupe_signals_subscribe(ctx, self->number);
    if (err == TROUPE_OK) {
        err = troupe_signals_subscribe(ctx, self->number); // twice is once
        child_say("ready\n");
    } else {
        child_say(troupe_error_detail());
        troupe_shutdown(ctx);
    }
    return err;
}

static void listener_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    const struct troupe_signal *signal = TROUPE_BODY(message, struct troupe_signal);
    MUST_BE(troupe_message_type(message) == TROUPE_MESSAGE_SIGNAL && signal != NULL);
    MUST_BE(troupe_ref_is_none(troupe_message_sender(message)));
    char line[96];
    (void)snprintf(
        line,
        sizeof(line),
        "signal %d of %s, value %d\n",
        signal->number,
        signal->uid == getuid() && signal->pid > 0 ? "ours" : "somebody",
        signal->value);
    child_say(line);
    if (signal->value == 0) {
        troupe_shutdown(ctx);
    }
}

static const struct troupe_behaviour listener = {
    .name = "listener",
    .state_bytes = sizeof(struct listener),
    .init = listener_init,
    .receive = listener_receive,
};

static int run_listener(void *data)
{
    (void)data;
    const struct troupe_system_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&listener), .signals = plot.signals};
    troupe_system_t *system = NULL;
    if (troupe_system_new(&options, &system) != TROUPE_OK) {
        (void)fprintf(stderr, "%s\n", troupe_error_detail());
        return 3;
    }
    const struct troupe_spawn_options spawn = {
        .behaviour = &listener,
        .args = &plot.number,
        .args_bytes = sizeof(plot.number),
        .place = plot.place,
    };
    MUST(troupe_spawn(troupe_system_context(system), &spawn, NULL));
    MUST(troupe_system_run(system));
    audit_and_destroy(&system);
    return 0;
}

static const int hangup[] = {SIGHUP, SIGUSR1, 0};

BACKEND_TEST(signal_messages, who_asks_for_a_signal_gets_it)
{
    plot.number = SIGHUP;
    plot.place = placement->place;
    plot.signals = hangup;
    fixture_register_backends();
    struct child *child = child_start(run_listener, NULL);
    child_wait_for(child, "ready");

    child_signal(child, SIGHUP);

    struct child_end end = child_end(&child);
    cr_expect(eq(int, end.status, 0), "%s", end.err);
    char line[64];
    (void)snprintf(line, sizeof(line), "signal %d of ours, value 0\n", SIGHUP);
    cr_expect(strstr(end.out, line) != NULL, "%s", end.out);
}

Test(signal_messages, a_signal_that_nobody_blocked_is_refused_in_words)
{
    plot.number = SIGUSR2;
    plot.place = "ecs";
    plot.signals = hangup;
    struct child_end end = child_run(run_listener, NULL);

    cr_expect(eq(int, end.status, 0), "%s", end.err);
    cr_expect(strstr(end.out, "was not blocked when the system was made") != NULL, "%s", end.out);
}

Test(signal_messages, what_no_actor_can_have_is_refused_when_the_system_is_made)
{
    static const int lists[][2] = {{SIGKILL, 0}, {SIGSTOP, 0}, {SIGSEGV, 0}, {-1, 0}, {999, 0}};
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        plot.signals = lists[i];
        struct child_end end = child_run(run_listener, NULL);
        cr_expect(eq(int, end.status, 3), "%s", end.err);
        cr_expect(strstr(end.err, "cannot be a message") != NULL, "%s", end.err);
    }
}

/* Many. ----------------------------------------------------------------------------------------- */

enum { MANY = 500 };

static int run_many(void *data)
{
    (void)data;
    const int signals[] = {SIGRTMIN, 0};
    plot.signals = signals;
    plot.number = SIGRTMIN;
    plot.place = "thread";
    return run_listener(NULL);
}

Test(signal_messages, more_than_are_read_at_once_all_come_in_order)
{
    struct child *child = child_start(run_many, NULL);
    child_wait_for(child, "ready");
    for (int i = 1; i <= MANY; i++) {
        const union sigval value = {.sival_int = i == MANY ? 0 : i};
        cr_assert(sigqueue(child_pid(child), SIGRTMIN, value) == 0);
    }

    struct child_end end = child_end(&child);
    cr_expect(eq(int, end.status, 0), "%s", end.err);
    const char *at = end.out;
    for (int i = 1; i <= MANY; i++) {
        char line[64];
        int bytes = snprintf(
            line, sizeof(line), "signal %d of ours, value %d\n", SIGRTMIN, i == MANY ? 0 : i);
        const char *found = strstr(at, line);
        cr_assert(found != NULL, "no %d in order", i);
        at = found + bytes;
    }
}

/* Programs of troupe_main(). -------------------------------------------------------------------- */

static enum troupe_err owner_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)state, (void)args, (void)args_bytes;
    MUST(troupe_signals_subscribe(ctx, SIGINT));
    child_say("ready\n");
    return TROUPE_OK;
}

static void owner_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    uint32_t *count = state;
    MUST_BE(TROUPE_BODY(message, struct troupe_signal)->number == SIGINT);
    if (++*count == 1) {
        child_say("once\n");
        return;
    }
    child_say("twice\n");
    troupe_signals_unsubscribe(ctx);
    troupe_stop(ctx);
}

static const struct troupe_behaviour owner = {
    .name = "owner",
    .state_bytes = sizeof(uint32_t),
    .init = owner_init,
    .receive = owner_receive,
};

/** As a program that leaves interrupts to its actors. */
static void block_interrupts(void)
{
    sigset_t interrupt;
    (void)sigemptyset(&interrupt);
    (void)sigaddset(&interrupt, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &interrupt, NULL);
}

static int run_owner(void *data)
{
    (void)data;
    block_interrupts();
    return child_troupe_main("program", TROUPE_BEHAVIOURS(&owner));
}

Test(signal_messages, an_interrupt_that_the_program_blocks_is_up_to_its_actor)
{
    struct child *child = child_start(run_owner, NULL);
    child_wait_for(child, "ready");

    child_signal(child, SIGINT);
    child_wait_for(child, "once");
    child_signal(child, SIGINT);

    struct child_end end = child_end(&child);
    cr_expect(eq(int, end.status, 0), "%s", end.err);
    cr_expect(strstr(end.out, "twice\n") != NULL, "%s", end.out);
}

/* Subscribers that die. ------------------------------------------------------------------------- */

enum { HERE = 1 };

/** Tells the guard its process, and hears of interrupts there. */
static enum troupe_err scout_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)state;
    const pid_t pid = getpid();
    MUST(troupe_signals_subscribe(ctx, SIGINT));
    return TROUPE_SEND(ctx, fixture_ref_of(args, args_bytes), HERE, &pid);
}

static void scout_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)ctx, (void)state;
    MUST_BE(troupe_message_type(message) == TROUPE_MESSAGE_SIGNAL);
    child_say("the scout heard it\n");
}

static const struct troupe_behaviour scout = {
    .name = "scout", .init = scout_init, .receive = scout_receive};

/** Hears of interrupts, and of the end of a scout in a process of its own. */
static enum troupe_err guard_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)state, (void)args, (void)args_bytes;
    const troupe_ref_t self = troupe_self(ctx);
    const struct troupe_spawn_options options = {
        .behaviour = &scout, .args = &self, .args_bytes = sizeof(self), .place = "process"};
    troupe_ref_t ref = TROUPE_REF_NONE;
    MUST(troupe_spawn(ctx, &options, &ref));
    MUST(troupe_monitor(ctx, ref, NULL));
    return troupe_signals_subscribe(ctx, SIGINT);
}

static void guard_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    uint32_t *count = state;
    char line[64];
    switch (troupe_message_type(message)) {
    case HERE:
        (void)snprintf(line, sizeof(line), "scout %d.\n", (int)*TROUPE_BODY(message, pid_t));
        child_say(line);
        break;
    case TROUPE_MESSAGE_DOWN:
        child_say("the scout is gone\n");
        break;
    default:
        (void)snprintf(line, sizeof(line), "the guard heard %u\n", (unsigned)++*count);
        child_say(line);
        if (*count == 3) {
            troupe_stop(ctx);
        }
    }
}

static const struct troupe_behaviour guard = {
    .name = "guard",
    .state_bytes = sizeof(uint32_t),
    .init = guard_init,
    .receive = guard_receive,
};

static int run_guard(void *data)
{
    (void)data;
    block_interrupts();
    return child_troupe_main("program", TROUPE_BEHAVIOURS(&guard, &scout));
}

/** @return the number in the scout's word. */
static pid_t scout_pid(const struct child *child)
{
    int pid = 0;
    cr_assert(sscanf(child_printed(child), "scout %d.", &pid) == 1 && pid > 0);
    return pid;
}

Test(signal_messages, a_subscriber_whose_process_dies_is_told_no_more_and_others_are)
{
    struct child *child = child_start(run_guard, NULL);
    child_wait_for(child, ".\n");
    child_signal(child, SIGINT);
    child_wait_for(child, "the scout heard it");
    child_wait_for(child, "the guard heard 1");

    cr_assert(kill(scout_pid(child), SIGKILL) == 0);
    child_signal(child, SIGINT); // its end may not be known yet
    child_wait_for(child, "the guard heard 2");
    child_wait_for(child, "the scout is gone");
    child_signal(child, SIGINT);

    struct child_end end = child_end(&child);
    cr_expect(eq(int, end.status, 0), "%s", end.err);
    cr_expect(strstr(end.out, "the guard heard 3") != NULL, "%s", end.out);
    cr_expect(strcmp(end.err, "") == 0, "%s", end.err);
    cr_expect(strstr(end.audit, "dead letters") == NULL, "%s", end.audit);
}

Test(signal_messages, outside_of_an_actor_nobody_can_ask)
{
    const struct troupe_system_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&listener), .signals = hangup};
    troupe_system_t *system = NULL;
    MUST(troupe_system_new(&options, &system));

    cr_expect(
        eq(int, troupe_signals_subscribe(troupe_system_context(system), SIGHUP), TROUPE_ERR_INVAL));
    troupe_signals_unsubscribe(troupe_system_context(system));

    audit_and_destroy(&system);
}

SUBJECTS(&listener, &owner, &guard, &scout);

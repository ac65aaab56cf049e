/*
 * Signals as messages: a subscriber gets each signal, other actors get none, and a subscription that cannot be had is
 * refused with the reason.
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
} scenario;

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
    enum troupe_err err = troupe_signals_subscribe(ctx, self->number, true);
    if (err == TROUPE_OK) {
        err = troupe_signals_subscribe(ctx, self->number, true); // twice is as once
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
        signal->uid == getuid() && signal->pid > 0 ? "ours" : "another user",
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
        .behaviours = TROUPE_BEHAVIOURS(&listener), .signals = scenario.signals};
    troupe_system_t *system = NULL;
    if (troupe_system_new(&options, &system) != TROUPE_OK) {
        (void)fprintf(stderr, "%s\n", troupe_error_detail());
        return 3;
    }
    const struct troupe_spawn_options spawn = {
        .behaviour = &listener,
        .args = &scenario.number,
        .args_bytes = sizeof(scenario.number),
        .place = scenario.place,
    };
    MUST(troupe_spawn(troupe_system_context(system), &spawn, NULL));
    MUST(troupe_system_run(system));
    audit_and_destroy(&system);
    return 0;
}

static const int hangup[] = {SIGHUP, SIGUSR1, 0};

BACKEND_TEST(signal_messages, a_subscriber_gets_the_signal)
{
    scenario.number = SIGHUP;
    scenario.place = placement->place;
    scenario.signals = hangup;
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

Test(signal_messages, a_signal_that_was_not_blocked_is_refused_with_the_remedy)
{
    scenario.number = SIGUSR2;
    scenario.place = "ecs";
    scenario.signals = hangup;
    struct child_end end = child_run(run_listener, NULL);

    cr_expect(eq(int, end.status, 0), "%s", end.err);
    cr_expect(strstr(end.out, "was not blocked when the system was made") != NULL, "%s", end.out);
}

Test(signal_messages, a_signal_that_cannot_be_a_message_is_refused_to_an_actor)
{
    static const int numbers[] = {0, -3, 999, SIGSEGV, SIGKILL};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        scenario.number = numbers[i];
        scenario.place = "ecs";
        scenario.signals = hangup;
        struct child_end end = child_run(run_listener, NULL);

        cr_expect(eq(int, end.status, 0), "%s", end.err);
        cr_expect(strstr(end.out, "cannot be a message") != NULL, "%s", end.out);
    }
}

Test(signal_messages, a_signal_that_cannot_be_a_message_is_refused_when_the_system_is_made)
{
    static const int lists[][2] = {{SIGKILL, 0}, {SIGSTOP, 0}, {SIGSEGV, 0}, {-1, 0}, {999, 0}};
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        scenario.signals = lists[i];
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
    scenario.signals = signals;
    scenario.number = SIGRTMIN;
    scenario.place = "thread";
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
    MUST(troupe_signals_subscribe(ctx, SIGINT, true));
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
    MUST(troupe_signals_subscribe(ctx, SIGINT, false));
    troupe_stop(ctx);
}

static const struct troupe_behaviour owner = {
    .name = "owner",
    .state_bytes = sizeof(uint32_t),
    .init = owner_init,
    .receive = owner_receive,
};

/** Block SIGINT, as a program does that leaves it to its actors. */
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

Test(signal_messages, an_interrupt_that_the_program_blocks_is_handled_by_its_actor)
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

/** Tell the guard its process number, and subscribe to interrupts. */
static enum troupe_err scout_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)state;
    const pid_t pid = getpid();
    MUST(troupe_signals_subscribe(ctx, SIGINT, true));
    return TROUPE_SEND(ctx, fixture_ref_of(args, args_bytes), HERE, &pid);
}

static void scout_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)ctx, (void)state;
    MUST_BE(troupe_message_type(message) == TROUPE_MESSAGE_SIGNAL);
    child_say("the scout was notified\n");
}

static const struct troupe_behaviour scout = {
    .name = "scout", .init = scout_init, .receive = scout_receive};

/** Subscribe to interrupts, and monitor a scout in a process of its own. */
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
    return troupe_signals_subscribe(ctx, SIGINT, true);
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
        child_say("the scout exited\n");
        break;
    default:
        (void)snprintf(line, sizeof(line), "the guard was notified %u\n", (unsigned)++*count);
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

/** @return the process number that the scout reported. */
static pid_t scout_pid(const struct child *child)
{
    int pid = 0;
    cr_assert(sscanf(child_printed(child), "scout %d.", &pid) == 1 && pid > 0);
    return pid;
}

Test(signal_messages, when_the_process_of_a_subscriber_dies_the_others_still_get_signals)
{
    struct child *child = child_start(run_guard, NULL);
    child_wait_for(child, ".\n");
    child_signal(child, SIGINT);
    child_wait_for(child, "the scout was notified");
    child_wait_for(child, "the guard was notified 1");

    cr_assert(kill(scout_pid(child), SIGKILL) == 0);
    child_signal(child, SIGINT); // the exit may not be settled yet
    child_wait_for(child, "the guard was notified 2");
    child_wait_for(child, "the scout exited");
    child_signal(child, SIGINT);

    struct child_end end = child_end(&child);
    cr_expect(eq(int, end.status, 0), "%s", end.err);
    cr_expect(strstr(end.out, "the guard was notified 3") != NULL, "%s", end.out);
    cr_expect(strcmp(end.err, "") == 0, "%s", end.err);
    cr_expect(strstr(end.audit, "dead letters") == NULL, "%s", end.audit);
}

/* Unsubscribing. -------------------------------------------------------------------------------- */

/** Subscribe to two signals; at the first unsubscribe from it, at the second from all, for a third one. */
static enum troupe_err chooser_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)state, (void)args, (void)args_bytes;
    MUST(troupe_signals_subscribe(ctx, SIGUSR2, false)); // without a subscription it does nothing
    MUST_BE(troupe_signals_subscribe(ctx, 0, true) == TROUPE_ERR_INVAL);
    MUST(troupe_signals_subscribe(ctx, SIGHUP, true));
    MUST(troupe_signals_subscribe(ctx, SIGUSR1, true));
    child_say("two\n");
    return TROUPE_OK;
}

static void chooser_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    switch (TROUPE_BODY(message, struct troupe_signal)->number) {
    case SIGHUP:
        MUST(troupe_signals_subscribe(ctx, SIGHUP, false));
        child_say("one\n");
        break;
    case SIGUSR1:
        MUST(troupe_signals_subscribe(ctx, 0, false));
        MUST(troupe_signals_subscribe(ctx, SIGUSR2, true));
        child_say("another\n");
        break;
    default:
        child_say("last\n");
        troupe_shutdown(ctx);
    }
}

static const struct troupe_behaviour chooser = {
    .name = "chooser", .init = chooser_init, .receive = chooser_receive};

static int run_chooser(void *data)
{
    (void)data;
    static const int signals[] = {SIGHUP, SIGUSR1, SIGUSR2, 0};
    const struct troupe_system_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&chooser), .signals = signals};
    troupe_system_t *system = NULL;
    MUST(troupe_system_new(&options, &system));
    const struct troupe_spawn_options spawn = {.behaviour = &chooser, .place = scenario.place};
    MUST(troupe_spawn(troupe_system_context(system), &spawn, NULL));
    MUST(troupe_system_run(system));
    audit_and_destroy(&system);
    return 0;
}

/** Signals of lower numbers are read first, so one that is still subscribed to would come before the next one sent. */
BACKEND_TEST(signal_messages, an_actor_unsubscribes_from_one_signal_or_from_all)
{
    scenario.place = placement->place;
    fixture_register_backends();
    struct child *child = child_start(run_chooser, NULL);
    child_wait_for(child, "two\n");
    child_signal(child, SIGHUP);
    child_wait_for(child, "one\n");
    child_signal(child, SIGHUP);
    child_signal(child, SIGUSR1);
    child_wait_for(child, "another\n");
    child_signal(child, SIGUSR1);
    child_signal(child, SIGUSR2);

    struct child_end end = child_end(&child);
    cr_expect(eq(int, end.status, 0), "%s", end.err);
    cr_expect(strcmp(end.out, "two\none\nanother\nlast\n") == 0, "%s", end.out);
}

/* Refusals. ------------------------------------------------------------------------------------- */

enum { SUBSCRIBERS_MAX = 64 };

static enum troupe_err subscribed[SUBSCRIBERS_MAX + 1];

static enum troupe_err member_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)state;
    uint32_t index = 0;
    MUST_BE(args_bytes == sizeof(index));
    memcpy(&index, args, sizeof(index));
    subscribed[index] = troupe_signals_subscribe(ctx, SIGHUP, true);
    if (index == SUBSCRIBERS_MAX) {
        MUST_BE(strstr(troupe_error_detail(), "64 actors are subscribed") != NULL);
        troupe_shutdown(ctx);
    }
    return TROUPE_OK;
}

static void member_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)ctx, (void)state, (void)message;
}

static const struct troupe_behaviour member = {
    .name = "member", .init = member_init, .receive = member_receive};

Test(signal_messages, the_65th_subscriber_is_refused)
{
    const struct troupe_system_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&member), .signals = hangup};
    troupe_system_t *system = NULL;
    MUST(troupe_system_new(&options, &system));
    for (uint32_t i = 0; i <= SUBSCRIBERS_MAX; i++) {
        const struct troupe_spawn_options spawn = {
            .behaviour = &member, .args = &i, .args_bytes = sizeof(i), .place = "ecs"};
        MUST(troupe_spawn(troupe_system_context(system), &spawn, NULL));
    }

    MUST(troupe_system_run(system));

    for (uint32_t i = 0; i < SUBSCRIBERS_MAX; i++) {
        cr_expect(eq(int, subscribed[i], TROUPE_OK), "number %u", i);
    }
    cr_expect(eq(int, subscribed[SUBSCRIBERS_MAX], TROUPE_ERR_LIMIT));
    audit_and_destroy(&system);
}

Test(signal_messages, outside_of_an_actor_there_is_no_subscription)
{
    const struct troupe_system_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&listener), .signals = hangup};
    troupe_system_t *system = NULL;
    MUST(troupe_system_new(&options, &system));

    troupe_context_t *ctx = troupe_system_context(system);
    cr_expect(eq(int, troupe_signals_subscribe(ctx, SIGHUP, true), TROUPE_ERR_INVAL));
    cr_expect(eq(int, troupe_signals_subscribe(ctx, 0, false), TROUPE_ERR_INVAL));

    audit_and_destroy(&system);
}

SUBJECTS(&listener, &owner, &guard, &scout, &chooser);

/*
 * The operating system or the allocator refuses a call in a process that carries an actor: in libzmq, in libc, anywhere.
 * That may end the process. Its exit is reported once, and nothing else is affected: its parent and other processes go
 * on, and the counters balance.
 *
 *     a trial    a system of its own, in a child of the test:
 *                  controller   in the system's first process; monitors, asks, kills in the end
 *                  bystander    in a process without faults
 *                  victim       in a process with a fault (faults.h), from its start or while it works
 *
 * The kernel refuses each system call from some moment on; single calls, calls from one on, and random calls fail as the
 * seed says: 20 such trials, or as many as TROUPE_FAULTS says.
 */
// ctest: timeout 120
#include "support/audit.h"
#include "support/child.h"
#include "support/fixture.h"
#include "support/measure.h"

#include "failure/faults.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(faults, .timeout = 3600);

enum { BEGIN = 1, REQUEST, REPLY, WORK, WORKED, HELLO, HELLO_BACK, LARGE };

enum {
    WORKS = 4, // how often the victim is asked to work
    LARGE_BYTES = 100000,
    ASK_MS = 400,
    END_MS = 8000, // how long the end of a process that was killed may take to be reported
    TRIAL_SECONDS = 18,
    TRIALS = 20,
};

/** The environment variables that tell the victim's process of its fault. */
#define FAULT_AT_START "TROUPE_TEST_FAULT"
#define FAULT_AT_WORK  "TROUPE_TEST_FAULT_AT_WORK"

static void drop(enum troupe_err err)
{
    (void)err; // with a fault anything may fail
}

/* Actors in other processes. ------------------------------------------------------------------- */

static void idler_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    drop(troupe_reply(ctx, message, HELLO_BACK, NULL, 0));
}

static const struct troupe_behaviour idler = {.name = "idler", .receive = idler_receive};

/** Do what takes sockets, threads, memory and connections. */
static void victim_work(troupe_context_t *ctx, const troupe_message_t *message)
{
    const troupe_ref_t *bystander = TROUPE_BODY(message, troupe_ref_t);
    drop(troupe_send(ctx, *bystander, HELLO, NULL, 0));
    const struct troupe_spawn_options options = {.behaviour = &idler, .place = "thread"};
    troupe_ref_t ref = TROUPE_REF_NONE;
    if (troupe_spawn(ctx, &options, &ref) == TROUPE_OK) {
        drop(troupe_send(ctx, ref, HELLO, NULL, 0));
    }
    struct troupe_body body;
    if (troupe_body_new(LARGE_BYTES, &body) == TROUPE_OK &&
        troupe_send_body(ctx, troupe_message_sender(message), LARGE, &body) != TROUPE_OK) {
        troupe_body_free(&body);
    }
    drop(troupe_reply(ctx, message, WORKED, NULL, 0));
}

static void victim_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    static bool is_armed;
    if (troupe_message_type(message) != WORK) {
        return;
    }
    const char *text = getenv(FAULT_AT_WORK);
    if (text != NULL && !is_armed) {
        is_armed = true;
        MUST_BE(fault_arm(text));
    }
    victim_work(ctx, message);
}

static const struct troupe_behaviour victim = {.name = "victim", .receive = victim_receive};

static void bystander_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    if (troupe_message_type(message) == REQUEST) {
        MUST(troupe_reply(ctx, message, REPLY, NULL, 0));
    } else if (troupe_message_type(message) == HELLO) {
        drop(troupe_reply(ctx, message, HELLO_BACK, NULL, 0));
    }
}

static const struct troupe_behaviour bystander = {
    .name = "bystander", .receive = bystander_receive};

/* The controller. ------------------------------------------------------------------------------ */

/** What a trial is about, and what came of it. */
struct trial {
    const char *variable;
    char text[64];
};

/** What the controller is at. */
enum controller_step { ASK_SOUND_FIRST = 1, ASK_VICTIM, ASK_SOUND_LAST };

struct controller_state {
    troupe_ref_t bystander;
    troupe_ref_t victim;
    uint32_t works;
    uint32_t ends; // of the victim that were reported
    bool is_done;  // with asking
    struct troupe_exit exit;
};

static void controller_on_reply(
    troupe_context_t *ctx,
    void *state,
    uint64_t tag,
    enum troupe_err err,
    const troupe_message_t *reply);

static void controller_ask(
    troupe_context_t *ctx,
    troupe_ref_t to,
    uint32_t type,
    uint64_t ms,
    enum controller_step step,
    const troupe_ref_t *body)
{
    const struct troupe_outgoing outgoing = {
        .to = to, .type = type, .body = body, .body_bytes = body == NULL ? 0 : sizeof(*body)};
    MUST(troupe_ask(
        ctx,
        &outgoing,
        &(const struct troupe_ask_options){
            .timeout_ns = ms * MEASURE_MS_NS, .on_reply = controller_on_reply, .tag = step}));
}

/** Whether the victim's exit was reported, and the others reply. */
static void controller_settle(troupe_context_t *ctx, const struct controller_state *controller)
{
    if (!controller->is_done || controller->ends == 0) {
        return;
    }
    (void)printf(
        "end %s: %s\n", troupe_exit_reason_text(controller->exit.reason), controller->exit.text);
    troupe_shutdown(ctx);
}

/** Give the victim its process, with its fault. No other actor is started after it. */
static void controller_start_victim(troupe_context_t *ctx, struct controller_state *controller)
{
    const struct troupe_spawn_options options = {.behaviour = &victim, .place = "process"};
    const char *text = getenv("TROUPE_TEST_TRIAL");
    char *end = NULL;
    MUST_BE(text != NULL && (end = strchr(text, '=')) != NULL);
    char name[64];
    (void)snprintf(name, sizeof(name), "%.*s", (int)(end - text), text);
    MUST_BE(setenv(name, end + 1, 1) == 0);
    MUST(troupe_spawn(ctx, &options, &controller->victim));
    MUST(troupe_monitor(ctx, controller->victim, NULL));
    controller_ask(ctx, controller->victim, WORK, ASK_MS, ASK_VICTIM, &controller->bystander);
}

/** The victim has done, or failed, what it was asked to do. */
static void controller_go_on(
    troupe_context_t *ctx, struct controller_state *controller, enum troupe_err err)
{
    if (err == TROUPE_OK && ++controller->works < WORKS) {
        controller_ask(ctx, controller->victim, WORK, ASK_MS, ASK_VICTIM, &controller->bystander);
        return;
    }
    MUST(troupe_kill(ctx, controller->victim)); // whatever it does
    controller_ask(ctx, controller->bystander, REQUEST, END_MS, ASK_SOUND_LAST, NULL);
}

static void controller_on_reply(
    troupe_context_t *ctx,
    void *state,
    uint64_t tag,
    enum troupe_err err,
    const troupe_message_t *reply)
{
    (void)reply;
    struct controller_state *controller = state;
    switch ((enum controller_step)tag) {
    case ASK_SOUND_FIRST:
        MUST(err);
        controller_start_victim(ctx, controller);
        break;
    case ASK_VICTIM:
        MUST_BE(err != TROUPE_OK || controller->ends == 0); // nothing arrives after an exit
        controller_go_on(ctx, controller, err);
        break;
    case ASK_SOUND_LAST:
        MUST(err);
        controller->is_done = true;
        controller_settle(ctx, controller);
        break;
    }
}

static void controller_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct controller_state *controller = state;
    if (troupe_message_type(message) == BEGIN) {
        const struct troupe_spawn_options options = {.behaviour = &bystander, .place = "process"};
        MUST(troupe_spawn(ctx, &options, &controller->bystander));
        controller_ask(ctx, controller->bystander, REQUEST, END_MS, ASK_SOUND_FIRST, NULL);
    } else if (troupe_message_type(message) == TROUPE_MESSAGE_DOWN) {
        const struct troupe_down *down = TROUPE_BODY(message, struct troupe_down);
        MUST_BE(troupe_ref_equal(down->actor, controller->victim));
        MUST_BE(++controller->ends == 1);
        MUST_BE(down->exit.reason != TROUPE_EXIT_NORMAL);
        controller->exit = down->exit;
        controller_settle(ctx, controller);
    }
}

static const struct troupe_behaviour controller = {
    .name = "controller",
    .state_bytes = sizeof(struct controller_state),
    .receive = controller_receive};

/* Trials. -------------------------------------------------------------------------------------- */

static int endure(void *data)
{
    const struct trial *trial = data;
    char text[128];
    (void)snprintf(text, sizeof(text), "%s=%s", trial->variable, trial->text);
    MUST_BE(setenv("TROUPE_TEST_TRIAL", text, 1) == 0);
    child_limit(RLIMIT_CORE, 0);
    (void)alarm(TRIAL_SECONDS); // ends a process that hangs
    const struct troupe_system_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&controller, &bystander, &victim, &idler),
        .stop_timeout_ns = 5 * MEASURE_SECOND_NS,
    };
    troupe_system_t *system = NULL;
    MUST(troupe_system_new(&options, &system));
    troupe_context_t *ctx = troupe_system_context(system);
    const struct troupe_spawn_options spawn = {.behaviour = &controller, .place = "ecs"};
    troupe_ref_t ref = TROUPE_REF_NONE;
    MUST(troupe_spawn(ctx, &spawn, &ref));
    MUST(troupe_send(ctx, ref, BEGIN, NULL, 0));
    MUST(troupe_system_run(system));
    struct troupe_stats stats;
    troupe_system_stats(system, &stats);
    MUST_BE(stats.sequence_gaps == 0);
    audit_and_destroy(&system);
    return 0;
}

/** In a process that is to carry the victim. */
enum { BEFORE_SUBJECTS = 101 };

__attribute__((constructor(BEFORE_SUBJECTS))) static void faults_enter(void)
{
    const char *text = getenv(FAULT_AT_START);
    if (text != NULL && getenv("TROUPE_CHILD") != NULL && !fault_arm(text)) {
        abort();
    }
}

/** @return whether the trial ended well. */
static bool try(const struct trial *trial)
{
    struct trial copy = *trial;
    struct child_end end = child_run(endure, &copy);
    bool is_well = end.status == 0 && strstr(end.out, "end ") != NULL;
    cr_expect(
        is_well,
        "%s='%s' ended with status %d; it printed '%s', and said:\n%s",
        trial->variable,
        trial->text,
        end.status,
        end.out,
        end.err);
    if (getenv("TROUPE_FAULTS") != NULL) {
        const char *reported = strstr(end.out, "end ");
        (void)fprintf(
            stderr,
            "%s %-24s %s",
            trial->variable,
            trial->text,
            reported == NULL ? "nothing told\n" : reported);
    }
    return is_well;
}

/** Refuse a system call to the victim from its start, or from its first work on. */
static void refuse(enum fault_kind kind, bool at_start)
{
    if (kind == FAULT_MMAP && !FAULT_HAS_MALLOC) {
        return; // a sanitizer needs it, and reports its want as an error of the program
    }
    struct trial trial = {.variable = at_start ? FAULT_AT_START : FAULT_AT_WORK};
    (void)snprintf(trial.text, sizeof(trial.text), "%s kernel", fault_whats[kind].name);
    (void)try(&trial);
}

Test(faults, a_process_refused_a_system_call_from_its_start_has_its_exit_reported)
{
    for (unsigned kind = 0; kind < FAULT_MALLOC; kind++) {
        refuse((enum fault_kind)kind, true);
    }
}

Test(faults, a_process_refused_a_system_call_at_work_has_its_exit_reported)
{
    for (unsigned kind = 0; kind < FAULT_MALLOC; kind++) {
        refuse((enum fault_kind)kind, false);
    }
}

/** Choose a trial. */
static struct trial choose(struct chance *chance)
{
    // clone3 is the kernel's to refuse: libc calls it itself.
    static const enum fault_kind kinds[] = {
        FAULT_SOCKET,
        FAULT_EVENTFD,
        FAULT_EPOLL_CREATE,
        FAULT_EPOLL_CTL,
        FAULT_ACCEPT,
        FAULT_BIND,
        FAULT_MALLOC,
        FAULT_MALLOC,
        FAULT_MALLOC,
    };
    static const char *const hows[] = {"once", "from", "chance"};
    uint32_t kind_count = sizeof(kinds) / sizeof(kinds[0]) - (FAULT_HAS_MALLOC ? 0 : 3);
    const struct fault_what *what = &fault_whats[kinds[chance_below(chance, kind_count)]];
    struct trial trial = {.variable = chance_one_in(chance, 2) ? FAULT_AT_START : FAULT_AT_WORK};
    uint32_t most = what->call < 0 ? 400 : 20;
    (void)snprintf(
        trial.text,
        sizeof(trial.text),
        "%s %s %" PRIu32 " %" PRIu32,
        what->name,
        hows[chance_below(chance, 3)],
        chance_below(chance, most) + 1,
        chance_below(chance, 1000000));
    return trial;
}

Test(faults, of_any_call_end_at_most_one_process)
{
    struct chance chance = chance_open("faults");
    const char *text = getenv("TROUPE_FAULTS");
    unsigned long count = text == NULL ? TRIALS : strtoul(text, NULL, 10);
    uint32_t failed = 0;
    for (unsigned long i = 0; i < count && failed < 5; i++) {
        const struct trial trial = choose(&chance);
        failed += try(&trial) ? 0 : 1;
    }
}

SUBJECTS(&controller, &bystander, &victim, &idler);

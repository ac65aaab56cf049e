/*
 * What a crash leaves: a report that names the running actor and callback, and a stack; then the signal ends the process
 * as if it had not been caught. A crash of a process of actors ends that process alone.
 *
 *     stage --CRASH, an ask--> crasher, on the placement under test
 *       ^                      |
 *       +------ NOENT ---------+  if it had a process of its own
 */
#include "support/audit.h"
#include "support/child.h"
#include "support/fixture.h"
#include "support/measure.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CRASH = 7, ADDRESS = 16, DEPTH_MAX = 1 << 30 };

/** How a crasher blows up; a number beyond is a signal it raises. */
enum { BY_ADDRESS = 1000, BY_ABORT, BY_STACK };

/** What the program of a test does; set before its child is started, and read there. */
static struct {
    const char *place;
    int how;
    enum troupe_output output;
} plot;

static int crasher_recurse(volatile int depth)
{
    volatile char ground[4096];
    ground[0] = (char)depth;
    return depth < DEPTH_MAX ? crasher_recurse(depth + 1) + ground[0] : 0;
}

static void crasher_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)ctx, (void)state;
    const struct rlimit none = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &none);
    int how = *TROUPE_BODY(message, int);
    if (how == BY_ADDRESS) {
        volatile uintptr_t address =
            ADDRESS; // read at run time: the compiler would refuse the constant
        *(volatile int *)address = 0;
    } else if (how == BY_ABORT) {
        abort();
    } else if (how == BY_STACK) {
        (void)crasher_recurse(0);
    } else {
        (void)raise(how);
    }
}

static const struct troupe_behaviour crasher = {.name = "crasher", .receive = crasher_receive};

static void stage_on_reply(
    troupe_context_t *ctx,
    void *state,
    uint64_t tag,
    enum troupe_err err,
    const troupe_message_t *reply)
{
    (void)state, (void)tag, (void)reply;
    char line[64];
    (void)snprintf(line, sizeof(line), "the ask: %s\n", troupe_strerror(err));
    child_say(line);
    troupe_shutdown(ctx);
}

static enum troupe_err stage_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)state, (void)args, (void)args_bytes;
    const struct troupe_spawn_options options = {
        .behaviour = &crasher, .name = "the crasher", .place = plot.place};
    struct troupe_outgoing outgoing = {
        .type = CRASH, .body = &plot.how, .body_bytes = sizeof(plot.how)};
    MUST(troupe_spawn(ctx, &options, &outgoing.to));
    return troupe_ask(
        ctx,
        &outgoing,
        &(const struct troupe_ask_options){
            .timeout_ns = FIXTURE_DEADLINE_NS, .on_reply = stage_on_reply});
}

static void stage_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)ctx, (void)state, (void)message;
}

static const struct troupe_behaviour stage = {
    .name = "stage", .init = stage_init, .receive = stage_receive};

static int run_plot(void *data)
{
    (void)data;
    return child_troupe_main("program", TROUPE_BEHAVIOURS(&stage, &crasher));
}

/** Have a crasher blow up somewhere. */
static struct child_end crash(const char *place, int how)
{
    plot.place = place;
    plot.how = how;
    return child_run(run_plot, NULL);
}

static void expect_report(const char *text, const char *signal, const char *backend)
{
    char first[64];
    char last[64];
    (void)snprintf(first, sizeof(first), " is terminated by %s", signal);
    (void)snprintf(last, sizeof(last), "(%s)\n", backend);
    cr_expect(strstr(text, first) != NULL, "%s", text);
    cr_expect(
        strstr(text, "actor 'the crasher' (row ") != NULL &&
            strstr(
                text, ", behaviour 'crasher') in a callback (a message of type 7), on executor ") !=
                NULL,
        "%s",
        text);
    cr_expect(strstr(text, last) != NULL, "%s", text);
    cr_expect(strstr(text, "[0x") != NULL, "there is a stack: %s", text);
}

/** Under a sanitizer fatal signals are its own. */
#define SKIP_SANITIZED()                                 \
    do {                                                 \
        if (measure_is_sanitized()) {                    \
            cr_skip("a sanitizer has its own handlers"); \
        }                                                \
    } while (0)

static void expect_the_program_dies(const char *place, int how, int number, const char *signal)
{
    SKIP_SANITIZED();
    struct child_end end = crash(place, how);

    cr_expect(eq(int, end.signal, number), "status %d: %s", end.status, end.err);
    expect_report(end.err, signal, place);
}

Test(crashes, a_fault_on_executor_0_is_reported_and_ends_the_program)
{
    expect_the_program_dies("ecs", BY_ADDRESS, SIGSEGV, "SIGSEGV at address 0x10, in ");
}

Test(crashes, a_fault_in_a_thread_is_reported_and_ends_the_program)
{
    expect_the_program_dies("thread", BY_ADDRESS, SIGSEGV, "SIGSEGV at address 0x10, in ");
}

Test(crashes, an_abort_is_reported_and_ends_the_program)
{
    expect_the_program_dies("thread", BY_ABORT, SIGABRT, "SIGABRT, sent by process ");
}

Test(crashes, a_stack_overflow_on_executor_0_is_reported)
{
    expect_the_program_dies("ecs", BY_STACK, SIGSEGV, "SIGSEGV at address 0x");
}

Test(crashes, a_stack_overflow_in_a_thread_is_reported)
{
    expect_the_program_dies("thread", BY_STACK, SIGSEGV, "SIGSEGV at address 0x");
}

Test(crashes, each_fatal_signal_is_reported)
{
    SKIP_SANITIZED();
    static const struct {
        int number;
        const char *name;
    } signals[] = {
        {SIGSEGV, "SIGSEGV, sent by process "},
        {SIGBUS, "SIGBUS, sent by process "},
        {SIGFPE, "SIGFPE, sent by process "},
        {SIGILL, "SIGILL, sent by process "},
        {SIGABRT, "SIGABRT, sent by process "},
        {SIGSYS, "SIGSYS, sent by process "},
    };
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        expect_the_program_dies("thread", signals[i].number, signals[i].number, signals[i].name);
    }
}

Test(crashes, a_fault_in_a_process_is_reported_and_its_parent_lives)
{
    SKIP_SANITIZED();
    struct child_end end = crash("process", BY_ADDRESS);

    cr_expect(eq(int, end.status, 0), "%s", end.err);
    char line[64];
    (void)snprintf(line, sizeof(line), "the ask: %s\n", troupe_strerror(TROUPE_ERR_NOENT));
    cr_expect(strcmp(end.out, line) == 0, "%s", end.out);
    expect_report(end.err, "SIGSEGV at address 0x10, in ", "process");
}

/** A system of its own whose processes' output has a prefix, and that reports how the crasher ended. */
static int run_prefixed(void *data)
{
    (void)data;
    const struct troupe_system_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&stage, &crasher), .output = TROUPE_OUTPUT_PREFIX};
    troupe_system_t *system = NULL;
    MUST(troupe_system_new(&options, &system));
    const struct troupe_spawn_options spawn = {.behaviour = &stage};
    MUST(troupe_spawn(troupe_system_context(system), &spawn, NULL));
    MUST(troupe_system_run(system));
    audit_and_destroy(&system);
    return 0;
}

Test(crashes, a_process_reports_to_the_log_of_its_parent_in_whole_lines)
{
    SKIP_SANITIZED();
    plot.place = "process";
    plot.how = BY_ADDRESS;
    struct child_end end = child_run(run_prefixed, NULL);

    cr_expect(eq(int, end.status, 0), "%s", end.err);
    expect_report(end.err, "SIGSEGV at address 0x10, in ", "process");
    for (const char *line = end.err; *line != '\0';) {
        size_t bytes = strcspn(line, "\n");
        cr_expect(strncmp(line, "[the crasher] ", 11) == 0, "%.*s", (int)bytes, line);
        line += bytes + (line[bytes] == '\n' ? 1 : 0);
    }
}

/** A program that embeds a system keeps its own handlers. */
static void host_on_fault(int number)
{
    (void)number;
    child_say("the host's handler\n");
    _exit(42);
}

static int run_embedded(void *data)
{
    (void)data;
    (void)signal(SIGSEGV, host_on_fault);
    return run_prefixed(NULL);
}

Test(crashes, a_program_that_embeds_a_system_keeps_its_handlers)
{
    SKIP_SANITIZED();
    plot.place = "ecs";
    plot.how = SIGSEGV;
    struct child_end end = child_run(run_embedded, NULL);

    cr_expect(eq(int, end.status, 42), "%s", end.err);
    cr_expect(strstr(end.err, "is terminated by") == NULL, "%s", end.err);
}

SUBJECTS(&stage, &crasher);

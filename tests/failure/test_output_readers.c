/*
 * Whoever reads the prefixed output of processes may be slow, stop, or have made the pipe non-blocking: that holds up the
 * output, and nothing else; and no line of it is lost.
 */
#include "support/child.h"
#include "support/echo_system.h"
#include "support/fixture.h"
#include "support/measure.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

TestSuite(output_readers, .timeout = 60);

enum { LINES = 4000, PRINT = 0x00640001 };

static void printer_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state, (void)message;
    for (int i = 0; i < LINES; i++) {
        (void)printf("line %d of many that are longer than they need to be, to fill a pipe\n", i);
    }
    (void)fflush(stdout);
    troupe_stop(ctx);
}

static const struct troupe_behaviour printer = {.name = "printer", .receive = printer_receive};

static troupe_system_t *prefixed_system(uint64_t stop_timeout_ns)
{
    const struct troupe_system_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&echo_behaviour, &printer),
        .output = TROUPE_OUTPUT_PREFIX,
        .stop_timeout_ns = stop_timeout_ns,
    };
    troupe_system_t *system = NULL;
    MUST(troupe_system_new(&options, &system));
    return system;
}

/** Make standard output a pipe. @return its other end. */
static int take_stdout(int flags)
{
    int ends[2];
    MUST_BE(pipe2(ends, O_CLOEXEC) == 0);
    MUST_BE(fcntl(ends[1], F_SETFL, flags) == 0);
    MUST_BE(dup2(ends[1], STDOUT_FILENO) == STDOUT_FILENO);
    (void)close(ends[1]);
    return ends[0];
}

static troupe_ref_t start_printer(troupe_inbox_t *inbox)
{
    troupe_context_t *ctx = troupe_inbox_context(inbox);
    const struct troupe_spawn_options options = {.behaviour = &printer, .place = "process"};
    troupe_ref_t ref = TROUPE_REF_NONE;
    MUST(troupe_spawn(ctx, &options, &ref));
    MUST(troupe_send(ctx, ref, PRINT, NULL, 0));
    return ref;
}

/** A program whose output nobody reads. */
static int print_for_nobody(void *data)
{
    (void)data;
    int reader = take_stdout(0);
    troupe_system_t *system = prefixed_system(MEASURE_SECOND_NS);
    troupe_inbox_t *inbox = echo_inbox_new(system);
    troupe_ref_t stuck = start_printer(inbox);
    uint64_t start_ns = measure_now_ns();
    for (uint64_t i = 0; i < 5; i++) { // processes start, reply and end
        troupe_ref_t echo = TROUPE_REF_NONE;
        MUST(echo_spawn(troupe_inbox_context(inbox), "process", &echo));
        MUST(echo_ask(inbox, echo, i));
        MUST(troupe_send(troupe_inbox_context(inbox), echo, ECHO_STOP, NULL, 0));
        echo_wait_for_exits(system, inbox, i + 1);
    }
    MUST_BE(measure_now_ns() - start_ns < 5 * MEASURE_SECOND_NS);
    MUST(troupe_kill(troupe_inbox_context(inbox), stuck)); // it waits for the reader
    MUST(troupe_inbox_destroy(&inbox));
    troupe_system_stop(system);
    MUST(troupe_system_run(system));
    MUST(troupe_system_destroy(&system));
    MUST_BE(measure_now_ns() - start_ns < 10 * MEASURE_SECOND_NS);
    (void)close(reader);
    return 0;
}

Test(output_readers, one_that_stops_holds_up_nothing_but_the_output)
{
    child_succeeds(print_for_nobody, NULL);
}

/** Reads in small pieces, and counts the lines. */
static void *read_slowly(void *data)
{
    int fd = *(const int *)data;
    static char piece[512];
    ssize_t got = 0;
    uintptr_t lines = 0;
    while ((got = read(fd, piece, sizeof(piece))) > 0) {
        for (ssize_t i = 0; i < got; i++) {
            lines += piece[i] == '\n' ? 1 : 0;
        }
        (void)sched_yield();
    }
    return (void *)lines; // NOLINT(performance-no-int-to-ptr)
}

static int print_without_blocking(void *data)
{
    (void)data;
    pthread_t thread;
    void *lines = NULL;
    int reader = take_stdout(O_NONBLOCK);
    MUST_BE(pthread_create(&thread, NULL, read_slowly, &reader) == 0);
    troupe_system_t *system = prefixed_system(ECHO_DEADLINE_NS);
    troupe_inbox_t *inbox = echo_inbox_new(system);
    (void)start_printer(inbox);
    echo_system_end(&system, &inbox);
    (void)close(STDOUT_FILENO);
    MUST_BE(pthread_join(thread, &lines) == 0);
    MUST_BE((uintptr_t)lines == LINES);
    return 0;
}

Test(output_readers, a_pipe_that_does_not_block_loses_no_line)
{
    child_succeeds(print_without_blocking, NULL);
}

SUBJECTS(&echo_behaviour, &printer);

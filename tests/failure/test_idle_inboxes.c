/*
 * An inbox from which nobody receives: actors that have sent to it, and their processes, end all the same. What they
 * sent can be received later.
 */
#include "support/audit.h"
#include "support/echo_system.h"
#include "support/fixture.h"
#include "support/measure.h"
#include "support/subjects.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

TestSuite(idle_inboxes, .timeout = 60);

enum { ECHOES = 4, MESSAGES = 10 };

struct stage {
    troupe_system_t *system;
    troupe_inbox_t *inbox;
    troupe_ref_t echoes[ECHOES];
};

/** Open a system whose echoes, at @p place, have answered the inbox once. */
static struct stage stage_open(const char *place)
{
    struct stage stage = {.system = echo_system_new()};
    stage.inbox = echo_inbox_new(stage.system);
    for (uint32_t i = 0; i < ECHOES; i++) {
        MUST(echo_spawn(troupe_system_context(stage.system), place, &stage.echoes[i]));
        MUST(echo_ask(stage.inbox, stage.echoes[i], i));
    }
    return stage;
}

/** @return how many children this process has. */
static uint32_t count_children(void)
{
    char line[4096] = "";
    FILE *file = fopen("/proc/thread-self/children", "re");
    MUST_BE(file != NULL);
    (void)!fgets(line, sizeof(line), file);
    (void)fclose(file);
    uint32_t count = 0;
    for (const char *at = line; (at = strchr(at, ' ')) != NULL; at++) {
        count++;
    }
    return count;
}

/** Run the system, and leave the inbox alone, until so many executors have ended. @return false: too late */
static bool await_exits(const struct stage *stage, uint64_t count)
{
    uint64_t deadline_ns = measure_now_ns() + ECHO_DEADLINE_NS;
    struct troupe_stats stats = {0};
    while (stats.executors_ended < count) {
        if (measure_now_ns() > deadline_ns) {
            return false;
        }
        MUST(troupe_system_progress(stage->system, NULL));
        (void)sched_yield();
        troupe_system_stats(stage->system, &stats);
    }
    return true;
}

static void expect_the_end_at(const char *place)
{
    struct stage stage = stage_open(place);
    troupe_context_t *ctx = troupe_inbox_context(stage.inbox);
    for (uint64_t i = 0; i < MESSAGES; i++) { // plain sends: the replies are messages
        MUST(troupe_send(ctx, stage.echoes[0], ECHO_REQUEST, &i, sizeof(i)));
    }
    for (uint32_t i = 0; i < ECHOES; i++) {
        MUST(troupe_send(ctx, stage.echoes[i], ECHO_STOP, NULL, 0));
    }

    cr_expect(await_exits(&stage, ECHOES), "%s: the inbox keeps them", place);

    for (uint64_t i = 0; i < MESSAGES; i++) {
        troupe_message_t *message = NULL;
        cr_assert(
            eq(int, troupe_inbox_receive(stage.inbox, ECHO_DEADLINE_NS, &message), TROUPE_OK));
        cr_expect(eq(u64, *TROUPE_BODY(message, uint64_t), i));
        troupe_message_destroy(&message);
    }
    echo_system_end(&stage.system, &stage.inbox);
    cr_expect(eq(u32, count_children(), 0));
}

Test(idle_inboxes, keep_no_actor_on_a_thread)
{
    expect_the_end_at("thread");
}

Test(idle_inboxes, keep_no_actor_on_a_thread_that_sends_by_ipc)
{
    expect_the_end_at("thread+ipc");
}

Test(idle_inboxes, keep_no_actor_on_a_thread_that_sends_by_tcp)
{
    expect_the_end_at("thread+tcp");
}

Test(idle_inboxes, keep_no_process)
{
    expect_the_end_at("process");
}

Test(idle_inboxes, keep_no_process_that_sends_by_tcp)
{
    expect_the_end_at("process+tcp");
}

SUBJECTS(&echo_behaviour);

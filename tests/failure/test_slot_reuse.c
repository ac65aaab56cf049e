// ctest: timeout 180
/*
 * Executors and inboxes that come and go: there may be more of them, one after the other, than a system has slots, in a
 * program without process actors, too. What they used is used again, so memory does not grow.
 *
 * TROUPE_TEST_SLOTS=70000 tries the whole number; a few thousand show the same in less time.
 */
#include "support/audit.h"
#include "support/echo_system.h"
#include "support/fixture.h"
#include "support/measure.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(slot_reuse, .timeout = 170);

enum { WARM_UP = 1000 }; // after so many, memory does not grow

static uint32_t tenant_count(uint32_t usual)
{
    const char *text = getenv("TROUPE_TEST_SLOTS");
    return text == NULL ? usual : (uint32_t)strtoul(text, NULL, 10);
}

/** @return how much memory this process has, in KiB. */
static uint64_t resident_kib(void)
{
    char line[128] = "";
    FILE *file = fopen("/proc/self/statm", "re");
    MUST_BE(file != NULL && fgets(line, sizeof(line), file) != NULL);
    (void)fclose(file);
    uint64_t pages = strtoull(strchr(line, ' '), NULL, 10);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE) / 1024;
}

/** Look at memory after a warm-up; then say whether it grew by no more than 1 %. */
struct meter {
    uint64_t before_kib;
};

static void meter_check(const struct meter *meter, const char *what, uint32_t count)
{
    uint64_t after_kib = resident_kib();
    (void)printf(
        "%u %s: %llu KiB, then %llu KiB\n",
        count,
        what,
        (unsigned long long)meter->before_kib,
        (unsigned long long)after_kib);
#ifndef __SANITIZE_ADDRESS__ // which keeps what was freed
    cr_expect(le(u64, after_kib * 100, meter->before_kib * 101), "%s leave memory behind", what);
#endif
}

Test(slot_reuse, inboxes_come_and_go_without_end)
{
    troupe_system_t *system = echo_system_new();
    uint32_t count = tenant_count(10000);
    struct meter meter = {0};
    for (uint32_t i = 0; i < count; i++) {
        troupe_inbox_t *inbox = echo_inbox_new(system);
        MUST(troupe_inbox_destroy(&inbox));
        if (i == WARM_UP) {
            meter.before_kib = resident_kib();
        }
    }
    meter_check(&meter, "inboxes", count);
    troupe_system_stop(system);
    MUST(troupe_system_run(system));
    audit_and_destroy(&system);
}

/** Run the system until so many executors have ended. */
static void await_exits(troupe_system_t *system, uint64_t count)
{
    uint64_t deadline_ns = measure_now_ns() + ECHO_DEADLINE_NS;
    struct troupe_stats stats = {0};
    for (;;) {
        MUST(troupe_system_progress(system, NULL));
        troupe_system_stats(system, &stats);
        if (stats.executors_ended >= count) {
            return;
        }
        MUST_BE(measure_now_ns() < deadline_ns);
        (void)sched_yield();
    }
}

Test(slot_reuse, actors_on_threads_come_and_go_without_end)
{
    troupe_system_t *system = echo_system_new();
    troupe_context_t *ctx = troupe_system_context(system);
    uint32_t count = tenant_count(3000);
    struct meter meter = {0};
    for (uint32_t i = 0; i < count; i++) {
        troupe_ref_t echo = TROUPE_REF_NONE;
        MUST(echo_spawn(ctx, "thread", &echo));
        MUST(troupe_send(ctx, echo, ECHO_STOP, NULL, 0));
        await_exits(system, i + 1);
        if (i == WARM_UP) {
            meter.before_kib = resident_kib();
        }
    }
    meter_check(&meter, "actors on threads", count);
    troupe_system_stop(system);
    MUST(troupe_system_run(system));
    audit_and_destroy(&system);
}

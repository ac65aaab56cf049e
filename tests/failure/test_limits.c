/*
 * The limits of process actors: each limit holds for that process and for no other.
 */
#include "support/audit.h"
#include "support/fixture.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

TestSuite(limits, .timeout = 60);

enum { MEASURE = 1, MEASURED, BURN };

/** What a process could take. */
struct measured {
    uint64_t mapped_bytes; // until the first refusal, in steps of 16 MiB, 1 GiB at most
    uint32_t opened;       // files until the first refusal, 2,000 at most
    uint32_t cpu_count;
    int32_t nice;
    uint64_t core_bytes;
};

static uint64_t map_all(void)
{
    const size_t step = (size_t)16 << 20;
    static void *maps[64];
    size_t count = 0;
    while (count < 64 &&
           (maps[count] = mmap(NULL, step, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) !=
               MAP_FAILED) {
        count++;
    }
    uint64_t bytes = count * step;
    while (count > 0) {
        (void)munmap(maps[--count], step);
    }
    return bytes;
}

static uint32_t open_all(void)
{
    static int fds[2000];
    uint32_t count = 0;
    while (count < 2000 && (fds[count] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0) {
        count++;
    }
    for (uint32_t i = 0; i < count; i++) {
        (void)close(fds[i]);
    }
    return count;
}

static void taker_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    if (troupe_message_type(message) == BURN) {
        for (volatile uint64_t turns = 0;; turns++) {
        }
    }
    cpu_set_t cpus;
    struct rlimit core;
    MUST_BE(sched_getaffinity(0, sizeof(cpus), &cpus) == 0);
    MUST_BE(getrlimit(RLIMIT_CORE, &core) == 0);
    const struct measured measured = {
        .mapped_bytes = map_all(),
        .opened = open_all(),
        .cpu_count = (uint32_t)CPU_COUNT(&cpus),
        .nice = getpriority(PRIO_PROCESS, 0),
        .core_bytes = core.rlim_cur,
    };
    REPORT(ctx, message, MEASURED, &measured);
}

static const struct troupe_behaviour taker = {.name = "taker", .receive = taker_receive};

static const struct fixture_placement in_a_process = {.name = "process", .place = "process"};

/** Ask a taker with @p limits what it could take. */
static struct measured measure_at(
    const struct fixture_placement *placement, const struct troupe_limits *limits)
{
    struct fixture_options options = {.behaviours = TROUPE_BEHAVIOURS(&taker)};
    struct fixture *fixture = fixture_open(placement, &options);
    const struct troupe_spawn_options spawn = {.behaviour = &taker, .limits = *limits};
    troupe_ref_t ref = fixture_spawn_with(fixture, &spawn);
    fixture_ask(fixture, ref, MEASURE, NULL, 0);
    struct measured measured = *FIXTURE_RECEIVE(fixture, MEASURED, struct measured);
    fixture_close(&fixture);
    return measured;
}

static struct measured measure(const struct troupe_limits *limits)
{
    return measure_at(&in_a_process, limits);
}

Test(limits, without_limits_a_process_has_those_of_its_parent)
{
    struct measured measured = measure(&(struct troupe_limits){0});
    cr_expect(eq(u64, measured.mapped_bytes, (uint64_t)1 << 30));
    cr_expect(eq(u32, measured.opened, 2000));
    cr_expect(eq(i32, measured.nice, getpriority(PRIO_PROCESS, 0)));
}

Test(limits, the_largest_ones_are_none)
{
    struct measured measured = measure(&(struct troupe_limits){
        .memory_bytes = UINT64_MAX,
        .core_bytes = UINT64_MAX - 1,
        .cpu_seconds = UINT32_MAX,
        .file_count = UINT32_MAX,
    });
    cr_expect(eq(u64, measured.mapped_bytes, (uint64_t)1 << 30));
    cr_expect(eq(u32, measured.opened, 2000));
}

#ifndef __SANITIZE_ADDRESS__ // whose shadow takes more than any limit
Test(limits, address_space_is_counted_beyond_what_the_runtime_holds)
{
    struct measured measured =
        measure(&(struct troupe_limits){.memory_bytes = (uint64_t)128 << 20});
    cr_expect(ge(u64, measured.mapped_bytes, (uint64_t)64 << 20));
    cr_expect(le(u64, measured.mapped_bytes, (uint64_t)128 << 20));
}
#endif

Test(limits, files_are_counted_beyond_what_the_runtime_keeps)
{
    struct measured measured = measure(&(struct troupe_limits){.file_count = 100});
    cr_expect(ge(u32, measured.opened, 100));
    cr_expect(le(u32, measured.opened, 400));
}

Test(limits, cpus_niceness_and_core_files_are_set)
{
    struct measured measured =
        measure(&(struct troupe_limits){.cpu_mask = 1, .nice = 3, .core_bytes = TROUPE_CORE_NONE});
    cr_expect(eq(u32, measured.cpu_count, 1));
    cr_expect(eq(i32, measured.nice, getpriority(PRIO_PROCESS, 0) + 3));
    cr_expect(eq(u64, measured.core_bytes, 0));
}

Test(limits, cpus_are_set_on_threads_and_pools_of_them_too)
{
    static const struct fixture_placement placements[] = {
        {.name = "thread", .place = "thread"}, {.name = "thread_2", .place = "thread:2"}};
    for (size_t i = 0; i < 2; i++) {
        struct measured measured =
            measure_at(&placements[i], &(struct troupe_limits){.cpu_mask = 1});
        cr_expect(eq(u32, measured.cpu_count, 1), "%s", placements[i].name);
    }
}

Test(limits, a_process_that_uses_up_its_cpu_time_is_killed_and_its_exit_names_the_signal)
{
    const char *const place[] = {"taker=process", NULL};
    const char *const limit[] = {"taker=cpu:1s,core:0", NULL};
    const struct troupe_system_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&taker),
        .place = place,
        .limit = limit,
    };
    troupe_system_t *system = NULL;
    cr_assert(eq(int, troupe_system_new(&options, &system), TROUPE_OK));
    troupe_ref_t ref = TROUPE_REF_NONE;
    const struct troupe_spawn_options spawn = {.behaviour = &taker};
    troupe_context_t *ctx = troupe_system_context(system);
    cr_assert(eq(int, troupe_spawn(ctx, &spawn, &ref), TROUPE_OK));
    troupe_system_set_root(system, ref);
    cr_assert(eq(int, troupe_send(ctx, ref, BURN, NULL, 0), TROUPE_OK));

    cr_assert(eq(int, troupe_system_run(system), TROUPE_OK));

    struct troupe_exit exit;
    cr_assert(eq(int, troupe_system_root_exit(system, &exit), TROUPE_OK));
    cr_expect(eq(int, exit.reason, TROUPE_EXIT_CRASHED));
    cr_expect(eq(int, exit.code, SIGXCPU));
    struct troupe_stats stats;
    troupe_system_stats(system, &stats);
    cr_expect(eq(u64, stats.accepted, 1));
    cr_expect(eq(u64, stats.unknown, 1));
    cr_expect(audit_balances(system));
    cr_expect(eq(int, troupe_system_destroy(&system), TROUPE_OK));
}

SUBJECTS(&taker);

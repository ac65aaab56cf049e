#include "node/rlimits.h"

#include "base/descriptors.h"
#include "base/saturate.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static enum troupe_err rlimits_explain(const char *what)
{
    return TRP_EXPLAIN(
        TROUPE_ERR_INVAL, "the limit `%s` cannot be set here: errno %d", what, errno);
}

enum troupe_err trp_rlimits_set_threads(const struct troupe_limits *limits)
{
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    for (unsigned cpu = 0; cpu < 64; cpu++) {
        if ((limits->cpu_mask >> cpu & 1) != 0) {
            CPU_SET(cpu, &cpus);
        }
    }
    if (limits->cpu_mask != 0 && sched_setaffinity(0, sizeof(cpus), &cpus) != 0) {
        return rlimits_explain("cpus");
    }
    errno = 0;
    if (limits->nice != 0 && nice(limits->nice) == -1 && errno != 0) {
        return rlimits_explain("nice");
    }
    if (limits->memory_bytes != 0) {
        // Each further arena of malloc takes 64 MiB of address space before a byte of it is used.
        (void)mallopt(M_ARENA_MAX, 1); // NOLINT(concurrency-mt-unsafe): no other thread yet
    }
    return TROUPE_OK;
}

/** @return the address space this process holds, in bytes; 0: it is not known. */
static uint64_t rlimits_held_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    uint64_t pages = 0;
    if (file != NULL) {
        char text[64] = "";
        pages = fgets(text, sizeof(text), file) == NULL ? 0 : strtoull(text, NULL, 10);
        (void)fclose(file);
    }
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/** @return the lowest free descriptor, which is about how many are open. */
static uint64_t rlimits_held_files(void)
{
    int lowest = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
    (void)close(lowest);
    return lowest < 0 ? 0 : (uint64_t)lowest;
}

/** Lower a limit, never raise it. @return false: the operating system refuses. */
static bool rlimits_set(int resource, uint64_t soft, uint64_t hard)
{
    struct rlimit limit;
    if (getrlimit((__rlimit_resource_t)resource, &limit) != 0) {
        return false;
    }
    limit.rlim_cur = soft < limit.rlim_max ? soft : limit.rlim_max;
    limit.rlim_max = hard < limit.rlim_max ? hard : limit.rlim_max;
    return setrlimit((__rlimit_resource_t)resource, &limit) == 0;
}

enum troupe_err trp_rlimits_set_process(const struct troupe_limits *limits)
{
    if (limits->core_bytes != 0) {
        uint64_t bytes = limits->core_bytes == TROUPE_CORE_NONE ? 0 : limits->core_bytes;
        if (!rlimits_set(RLIMIT_CORE, bytes, bytes)) {
            return rlimits_explain("core");
        }
    }
    // At the soft limit comes SIGXCPU, which shows in the exit; at the hard one SIGKILL, which cannot be ignored.
    if (limits->cpu_seconds != 0 &&
        !rlimits_set(RLIMIT_CPU, limits->cpu_seconds, (uint64_t)limits->cpu_seconds + 1)) {
        return rlimits_explain("cpu");
    }
    if (limits->file_count != 0) {
        uint64_t files = rlimits_held_files() + TRP_DESCRIPTORS_FREE_MIN + limits->file_count;
        if (!rlimits_set(RLIMIT_NOFILE, files, files)) {
            return rlimits_explain("files");
        }
    }
    if (limits->memory_bytes != 0) {
        uint64_t bytes = trp_add_saturated(rlimits_held_bytes(), limits->memory_bytes);
        if (!rlimits_set(RLIMIT_AS, bytes, bytes)) {
            return rlimits_explain("mem");
        }
    }
    return TROUPE_OK;
}

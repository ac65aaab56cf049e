#include "measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static uint64_t measure_clock_ns(clockid_t clock)
{
    struct timespec now;
    (void)clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * MEASURE_SECOND_NS + (uint64_t)now.tv_nsec;
}

uint64_t measure_now_ns(void)
{
    return measure_clock_ns(CLOCK_MONOTONIC);
}

uint64_t measure_cpu_ns(void)
{
    return measure_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

uint64_t measure_resident_bytes(void)
{
    unsigned long long total = 0;
    unsigned long long resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%llu %llu", &total, &resident) != 2) {
        abort(); // a test that cannot measure has no result
    }
    (void)fclose(file);
    return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t measure_descriptors_max(void)
{
    struct rlimit limit = {0};
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_max;
}

bool measure_is_sanitized(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return true;
#elif defined(__has_feature)
#    if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
    return true;
#    else
    return false;
#    endif
#else
    return false;
#endif
}

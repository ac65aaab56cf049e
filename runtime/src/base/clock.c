#include "base/clock.h"

#include <pthread.h>
#include <time.h>

enum { CALIBRATION_NS = 50000 };

static pthread_once_t clock_once = PTHREAD_ONCE_INIT;
static uint64_t clock_cycles_per_1024_ns; // written once, under clock_once

uint64_t trp_clock_monotonic(void *unused)
{
    (void)unused;
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static void clock_measure(void)
{
    uint64_t start_ns = trp_clock_monotonic(NULL);
    uint64_t start = trp_cycles();
    uint64_t now_ns = start_ns;
    while (now_ns - start_ns < CALIBRATION_NS) {
        now_ns = trp_clock_monotonic(NULL);
    }
    clock_cycles_per_1024_ns = (trp_cycles() - start) * 1024 / (now_ns - start_ns);
}

void trp_cycles_calibrate(void)
{
    (void)pthread_once(&clock_once, clock_measure);
}

uint64_t trp_cycles_of_ns(uint64_t ns)
{
    return ns * clock_cycles_per_1024_ns / 1024;
}

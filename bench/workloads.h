/**
 * @file workloads.h
 * @brief The workloads, one file a family; workloads.c lists them.
 */
#ifndef BENCH_WORKLOADS_H
#define BENCH_WORKLOADS_H

#include "bench.h"

extern const struct bench_workload bench_ping_pong;
extern const struct bench_workload bench_ring;
extern const struct bench_workload bench_counting;
extern const struct bench_workload bench_fan_in;
extern const struct bench_workload bench_fan_out;
extern const struct bench_workload bench_big;
extern const struct bench_workload bench_lone;
extern const struct bench_workload bench_spawn;
extern const struct bench_workload bench_start;
extern const struct bench_workload bench_tick;
extern const struct bench_workload bench_query;
extern const struct bench_workload bench_component;

/** @return how many of @p count things the @p index -th of @p sharers gets, dealt out in turn. */
static inline uint64_t bench_share_of(uint64_t count, uint32_t index, uint32_t sharers)
{
    return count / sharers + (index < count % sharers ? 1 : 0);
}

#endif

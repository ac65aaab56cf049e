/*
 * The list of workloads, and what holds for all of them: messages are numbered from 0, each number
 * is handled once, and the numbers are summed.
 */
#include "workloads.h"

/** Behaviours of all workloads, with room to spare. */
#define BEHAVIOUR_COUNT_MAX 32

const struct bench_workload *bench_workload_get(uint32_t index)
{
    static const struct bench_workload *const workloads[] = {
        &bench_ping_pong,
        &bench_ring,
        &bench_counting,
        &bench_fan_in,
        &bench_fan_out,
        &bench_big,
        &bench_lone,
        &bench_spawn,
        &bench_start,
        &bench_tick,
        &bench_query,
        &bench_component,
    };
    return index < sizeof(workloads) / sizeof(workloads[0]) ? workloads[index] : NULL;
}

/** Add @p behaviour to @p list unless it is there: the two fans share theirs. */
static void list_add(const struct troupe_behaviour **list, const struct troupe_behaviour *behaviour)
{
    size_t count = 0;
    while (list[count] != NULL && list[count] != behaviour) {
        count++;
    }
    if (count < BEHAVIOUR_COUNT_MAX) {
        list[count] = behaviour;
    }
}

const struct troupe_behaviour *const *bench_behaviours(void)
{
    // The same at each call; the first is the main thread's, before there is any other.
    static const struct troupe_behaviour *list[BEHAVIOUR_COUNT_MAX + 1];
    list_add(list, &bench_root);
    const struct bench_workload *workload = NULL;
    for (uint32_t i = 0; (workload = bench_workload_get(i)) != NULL; i++) {
        for (size_t k = 0; workload->behaviours[k] != NULL; k++) {
            list_add(list, workload->behaviours[k]);
        }
        if (workload->batched != NULL) {
            list_add(list, workload->batched);
        }
    }
    return list;
}

uint32_t bench_part_count(const struct bench_plan *plan)
{
    const struct bench_workload *workload = bench_workload_get(plan->workload_index);
    if (workload == NULL) {
        return 0;
    }
    bool has_many = !workload->counts_actors && !workload->is_entities;
    return (has_many ? plan->actors : 0) + workload->parts_more;
}

uint64_t bench_checksum(const struct bench_plan *plan)
{
    // Halved before it is multiplied, so that it cannot wrap at the most messages.
    uint64_t n = plan->messages;
    return n % 2 == 0 ? n / 2 * (n - 1) : n * ((n - 1) / 2);
}

uint64_t bench_cpu_of(uint64_t cpu_mask, uint32_t index)
{
    if (cpu_mask == 0) {
        return 0;
    }
    uint32_t cpu_count = (uint32_t)__builtin_popcountll(cpu_mask);
    for (uint32_t skip = index % cpu_count; skip > 0; skip--) {
        cpu_mask &= cpu_mask - 1; // drops the lowest bit
    }
    return cpu_mask & (~cpu_mask + 1);
}

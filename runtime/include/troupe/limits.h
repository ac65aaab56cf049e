/**
 * @file troupe/limits.h
 * @brief What a process actor may take of its machine.
 *
 * Limits hold for an executor that is a process of its own, from before its first actor starts; those
 * of a pool (`process:N`) are set by the actor that starts it. On other backends only `cpu_mask` means
 * something, and the rest is passed over: a thread cannot be limited apart from its process.
 *
 * As a rule, on a command line or in a launch file, they are written
 *
 *     GLOB=LIMIT[,LIMIT]...      mem:64M  cpu:10s  files:100  core:0  nice:5  cpus:0-1,4
 *     GLOB=none                  none, where a later rule would match
 *
 * with K, M and G for 1024, its square and its cube, and s or m for seconds or minutes.
 */
#ifndef TROUPE_LIMITS_H
#define TROUPE_LIMITS_H

#include <stdint.h>

/** No core file at all: for @ref troupe_limits.core_bytes, where 0 says "as the parent". */
#define TROUPE_CORE_NONE UINT64_MAX

/** What an actor may take. Zero-initialise, then set what you care about: 0 is no limit of ours. */
struct troupe_limits {
    /**
     * Address space in bytes: how much more its actors may take, beyond what the runtime itself holds
     * when the first of them starts. An allocation over it fails. 0: no limit.
     */
    uint64_t memory_bytes;

    /** Largest core file in bytes; ::TROUPE_CORE_NONE: none is written. 0: as the parent. */
    uint64_t core_bytes;

    /** CPUs it may run on, a bit each; 0: any. */
    uint64_t cpu_mask;

    /** CPU time in seconds, after which the process is killed. 0: no limit. */
    uint32_t cpu_seconds;

    /**
     * Descriptors its actors may have open, beyond those that the runtime keeps for itself. 0: no
     * limit.
     */
    uint32_t file_count;

    /**
     * Added to the niceness of the parent: 1 to 39 yields to others. Below 0, down to -40, it goes
     * before them, which takes a privilege. 0: as the parent.
     */
    int32_t nice;
};

#endif

/**
 * @file troupe/limits.h
 * @brief Resource limits of actors that run in processes of their own.
 *
 * Limits apply to an executor that is a process of its own, and are set before its first actor
 * starts. A process of a pool (`process:N`) has the limits of the actor for which it was started.
 * On threads, pools of them included, only `cpu_mask` has an effect, as a thread cannot be limited apart from its
 * process; on `ecs` no limit has.
 *
 * In rules, on the command line or in a launch file, limits are written
 *
 *     GLOB=LIMIT[,LIMIT]...      mem:64M  cpu:10s  files:100  core:0  nice:5  cpus:0-1,4
 *     GLOB=none                  no limits, although a later rule matches
 *
 * K, M and G are 1024, its square and its cube; s and m are seconds and minutes.
 */
#ifndef TROUPE_LIMITS_H
#define TROUPE_LIMITS_H

#include <stdint.h>

/**
 * No core file at all, as a value of @ref troupe_limits.core_bytes, whose 0 means "as the parent".
 */
#define TROUPE_CORE_NONE UINT64_MAX

/** Limits of an actor. Zero-initialise, then set the ones you need; 0 sets no limit. */
struct troupe_limits {
    /**
     * Address space in bytes that its actors may use, in addition to what the runtime uses when the
     * first of them starts. An allocation beyond it fails. 0: no limit.
     */
    uint64_t memory_bytes;

    /**
     * Size of the largest core file in bytes; ::TROUPE_CORE_NONE: none is written; 0: as the
     * parent.
     */
    uint64_t core_bytes;

    /** CPUs that it may run on, one bit each; 0: any. */
    uint64_t cpu_mask;

    /** CPU time in seconds, after which the process is killed. 0: no limit. */
    uint32_t cpu_seconds;

    /**
     * Descriptors that its actors may have open, in addition to those of the runtime. 0: no limit.
     */
    uint32_t file_count;

    /**
     * Added to the niceness of the parent. 1 to 39 lowers the priority; -1 to -40 raises it, which
     * needs a privilege. 0: as the parent.
     */
    int32_t nice;
};

#endif

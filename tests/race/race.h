/**
 * @file race.h
 * @brief What the race programs share: they are plain programs, and any mistake ends them at once.
 */
#ifndef TROUPE_TESTS_RACE_H
#define TROUPE_TESTS_RACE_H

#include "troupe/troupe.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/** End the program unless @p condition holds. */
#define RACE_CHECK(condition) ((condition) ? (void)0 : race_failed(__FILE__, __LINE__, #condition))

/** End the program unless the call returned ::TROUPE_OK. */
#define RACE_OK(call) RACE_CHECK((call) == TROUPE_OK)

_Noreturn static inline void race_failed(const char *file, int line, const char *condition)
{
    (void)fprintf(stderr, "%s:%d: not so: %s (%s)\n", file, line, condition, troupe_error_detail());
    exit(1);
}

/** @return the seed of this run: from `TROUPE_TEST_SEED`, else from the clock; printed once. */
static inline uint64_t race_seed(void)
{
    static uint64_t seed; // 0: not chosen yet
    if (seed == 0) {
        const char *text = getenv("TROUPE_TEST_SEED");
        struct timespec now;
        (void)clock_gettime(CLOCK_REALTIME, &now);
        seed = text != NULL ? strtoull(text, NULL, 10)
                            : (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
        (void)fprintf(
            stderr,
            "seed %" PRIu64 " (TROUPE_TEST_SEED=%" PRIu64 " to run it again)\n",
            seed,
            seed);
    }
    return seed;
}

/** Make a system of race_seed(). */
static inline troupe_system_t *race_open(const struct troupe_system_options *options)
{
    struct troupe_system_options seeded = *options;
    seeded.seed = race_seed();
    troupe_system_t *system = NULL;
    RACE_OK(troupe_system_new(&seeded, &system));
    return system;
}

/** Spawn an actor somewhere, with @p args as its arguments. */
static inline troupe_ref_t race_spawn(
    troupe_context_t *ctx,
    const struct troupe_behaviour *behaviour,
    const char *place,
    const void *args,
    size_t args_bytes)
{
    const struct troupe_spawn_options options = {
        .behaviour = behaviour,
        .place = place,
        .args = args,
        .args_bytes = args_bytes,
    };
    troupe_ref_t ref = TROUPE_REF_NONE;
    RACE_OK(troupe_spawn(ctx, &options, &ref));
    return ref;
}

/** @return whether the counters balance; if not, where is on standard error. */
static inline bool race_balances(troupe_system_t *system)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *file = open_memstream(&text, &bytes);
    RACE_CHECK(file != NULL);
    bool closes = troupe_system_audit(system, file);
    (void)fclose(file);
    (void)fputs(closes ? "" : text, stderr);
    free(text);
    return closes;
}

/** Run the system until it stops by itself, audit its counters, print them and free it. */
static inline struct troupe_stats race_close(troupe_system_t **system_p, const char *what)
{
    struct troupe_stats stats;
    RACE_OK(troupe_system_run(*system_p));
    troupe_system_stats(*system_p, &stats);
    (void)printf(
        "%s: %" PRIu64 " messages handled, %" PRIu64 " dead, %" PRIu64 " refused, %" PRIu64
        " rooms; %" PRIu64 " actors on %" PRIu64 " executors\n",
        what,
        stats.handled,
        stats.dead,
        stats.refused,
        stats.rooms,
        stats.actors_started,
        stats.executors_started);
    RACE_CHECK(race_balances(*system_p));
    RACE_CHECK(stats.frames_undecodable == 0);
    RACE_CHECK(stats.actors_started == stats.actors_ended);
    RACE_OK(troupe_system_destroy(system_p));
    return stats;
}

/** Send where it does not matter what becomes of it. */
static inline void race_send(troupe_context_t *ctx, troupe_ref_t to, uint32_t type)
{
    (void)!troupe_send(ctx, to, type, NULL, 0);
}

/** Start a thread that runs @p main on @p data. */
static inline pthread_t race_thread(void *(*main)(void *data), void *data)
{
    pthread_t thread;
    RACE_CHECK(pthread_create(&thread, NULL, main, data) == 0);
    return thread;
}

static inline void race_join(pthread_t thread)
{
    RACE_CHECK(pthread_join(thread, NULL) == 0);
}

/** @return the next number of a small generator, for choices that need not be good. */
static inline uint32_t race_next(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 16;
}

#endif

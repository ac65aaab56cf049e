/*
 * A tick runs the systems phase by phase, in each phase in the order in which they were made.
 */
#include "pipeline.h"

#include "deferred.h"
#include "query.h"
#include "system.h"

#include <time.h>

/** How long systems take is measured by the machine's clock, whichever clock the system of actors has. */
static uint64_t pipeline_now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* Running a system. ----------------------------------------------------------------------------- */

/** @return what a system's callback is passed, before the first table. */
static struct troupe_ecs_iter pipeline_iter(troupe_ecs_t *ecs, const struct ecs_system *system)
{
    struct troupe_ecs_iter it = troupe_ecs_query_iter(system->query);
    it.ecs = ecs;
    it.ctx = trp_ecs_context(ecs);
    it.system = system->id;
    it.data = system->data;
    it.delta_ns = ecs->pipeline.time_ns - system->ran_ns;
    it.delta_time = (float)((double)it.delta_ns * 1e-9);
    return it;
}

/** Call a system for each table that its query matches. @return how many entities these have. */
static uint64_t pipeline_call(
    troupe_ecs_t *ecs, const struct ecs_system *system, struct troupe_ecs_iter *it)
{
    if (system->query == NULL) {
        ecs->defer.begin_count++;
        system->callback(it);
        ecs->defer.begin_count--;
        (void)trp_ecs_apply(ecs); // what there is no memory for stays deferred
        return 0;
    }
    uint64_t entity_count = 0;
    while (system->callback != NULL && troupe_ecs_query_next(it)) { // it may delete itself
        entity_count += it->count;
        system->callback(it);
    }
    troupe_ecs_iter_fini(it);
    return entity_count;
}

static void pipeline_run(troupe_ecs_t *ecs, struct ecs_system *system)
{
    struct troupe_ecs_iter it = pipeline_iter(ecs, system);
    const uint64_t start_ns = pipeline_now_ns();
    system->ran_ns = ecs->pipeline.time_ns;
    system->entity_count = pipeline_call(ecs, system, &it);
    const uint64_t run_ns = pipeline_now_ns() - start_ns;
    system->run_ns_last = run_ns;
    system->run_ns_max = run_ns > system->run_ns_max ? run_ns : system->run_ns_max;
    system->run_ns_sum += run_ns;
    system->run_count++;
}

/* The tick. ------------------------------------------------------------------------------------- */

static bool pipeline_is_due(const struct ecs_pipeline *pipeline, const struct ecs_system *system)
{
    return system->is_enabled && system->callback != NULL &&
           pipeline->time_ns - system->ran_ns >= system->interval_ns;
}

static void pipeline_run_all(troupe_ecs_t *ecs)
{
    struct ecs_pipeline *pipeline = &ecs->pipeline;
    pipeline->is_ticking = true;
    for (unsigned phase = TROUPE_ECS_ON_LOAD; phase <= TROUPE_ECS_ON_STORE; phase++) {
        for (struct ecs_system *at = pipeline->systems; at != NULL; at = at->next) {
            if ((unsigned)at->phase == phase && pipeline_is_due(pipeline, at)) {
                pipeline_run(ecs, at);
            }
        }
    }
    pipeline->is_ticking = false;
    trp_ecs_systems_sweep(ecs);
}

/** Advance the world's time, and plan the next tick: at a multiple of the period, without those missed. */
static void pipeline_advance(struct ecs_pipeline *pipeline, uint64_t now_ns)
{
    const uint64_t period_ns = pipeline->period_ns;
    const uint64_t delta_ns = pipeline->has_ticked ? now_ns - pipeline->ticked_ns : period_ns;
    pipeline->time_ns += pipeline->fixed_delta_ns != 0 ? pipeline->fixed_delta_ns : delta_ns;
    pipeline->ticked_ns = now_ns;
    pipeline->has_ticked = true;
    const bool is_on_time = now_ns >= pipeline->due_ns && now_ns - pipeline->due_ns < period_ns;
    const uint64_t from_ns = is_on_time ? pipeline->due_ns : now_ns;
    pipeline->due_ns = period_ns < UINT64_MAX - from_ns ? from_ns + period_ns : UINT64_MAX;
}

uint64_t trp_ecs_tick(troupe_ecs_t *ecs, bool now)
{
    struct ecs_pipeline *pipeline = &ecs->pipeline;
    if (pipeline->is_ticking) {
        return UINT64_MAX; // a system calls troupe_system_progress()
    }
    trp_ecs_close_iterations(ecs);
    (void)trp_ecs_apply(ecs); // there may be memory now for what was left
    if (pipeline->system_count == 0) {
        pipeline->has_ticked = false; // without systems, time does not advance
        return UINT64_MAX;
    }
    uint64_t now_ns = ecs->host->now(ecs->executor);
    if (now || now_ns >= pipeline->due_ns) {
        pipeline_advance(pipeline, now_ns);
        pipeline_run_all(ecs);
        now_ns = ecs->host->now(ecs->executor);
    }
    return pipeline->due_ns > now_ns ? pipeline->due_ns - now_ns : 0;
}

/* Setting. -------------------------------------------------------------------------------------- */

enum troupe_err troupe_ecs_set_period(troupe_ecs_t *ecs, uint64_t period_ns)
{
    enum troupe_err err = trp_ecs_check(ecs);
    if (err != TROUPE_OK) {
        return err;
    }
    ecs->pipeline.period_ns = period_ns == 0 ? TROUPE_ECS_PERIOD_DEFAULT_NS : period_ns;
    ecs->pipeline.due_ns = 0;
    return TROUPE_OK;
}

enum troupe_err troupe_ecs_set_delta(troupe_ecs_t *ecs, uint64_t delta_ns)
{
    enum troupe_err err = trp_ecs_check(ecs);
    if (err != TROUPE_OK) {
        return err;
    }
    ecs->pipeline.fixed_delta_ns = delta_ns;
    return TROUPE_OK;
}

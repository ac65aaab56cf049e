/*
 * Systems, and the tick that runs them: phase by phase, in the order in which they were made.
 */
#include "store.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/** The times of systems are told by the machine's clock, whatever the world goes by. */
static uint64_t pipeline_now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

bool trp_ecs_has_system(const troupe_ecs_t *ecs, const char *name)
{
    const struct ecs_system *system = ecs->systems;
    while (system != NULL && (system->callback == NULL || strcmp(system->name, name) != 0)) {
        system = system->next;
    }
    return system != NULL;
}

static struct ecs_system *pipeline_find(const troupe_ecs_t *ecs, troupe_ecs_system_t id)
{
    struct ecs_system *system = ecs->systems;
    while (system != NULL && (system->id != id || system->callback == NULL)) {
        system = system->next;
    }
    if (system == NULL) {
        trp_error_set_detail("there is no system %u: it was removed, or never made", id);
    }
    return system;
}

/* Making. --------------------------------------------------------------------------------------- */

static enum troupe_err pipeline_check(
    const troupe_ecs_t *ecs, const struct troupe_ecs_system_options *options)
{
    enum troupe_err err = trp_ecs_check(ecs);
    if (err == TROUPE_OK) {
        err = trp_ecs_check_name(ecs, options->name, "system");
    }
    if (err == TROUPE_OK && options->callback == NULL) {
        err = TRP_EXPLAIN(TROUPE_ERR_INVAL, "system '%s' has no callback", options->name);
    }
    if (err == TROUPE_OK && (unsigned)options->phase > TROUPE_ECS_ON_STORE) {
        err = TRP_EXPLAIN(
            TROUPE_ERR_INVAL,
            "system '%s': %u is no phase",
            options->name,
            (unsigned)options->phase);
    }
    return err;
}

static void pipeline_free(struct ecs_system *system)
{
    (void)troupe_ecs_query_destroy(&system->query);
    free(system->name);
    free(system);
}

enum troupe_err troupe_ecs_system_new(
    troupe_ecs_t *ecs,
    const struct troupe_ecs_system_options *options,
    troupe_ecs_system_t *out_system)
{
    enum troupe_err err = pipeline_check(ecs, options);
    if (err != TROUPE_OK) {
        return err;
    }
    struct ecs_system *system = calloc(1, sizeof(*system));
    char *name = strdup(options->name);
    if (system == NULL || name == NULL) {
        err = TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for system '%s'", options->name);
    } else if (options->terms[0].component != 0) {
        err = troupe_ecs_query_new(ecs, options->terms, &system->query);
    }
    if (err != TROUPE_OK) {
        free(name);
        free(system);
        return err;
    }
    system->id = ++ecs->system_last;
    system->name = name;
    system->phase =
        options->phase == TROUPE_ECS_PHASE_DEFAULT ? TROUPE_ECS_ON_UPDATE : options->phase;
    system->callback = options->callback;
    system->data = options->data;
    system->interval_ns = options->interval_ns;
    system->ran_ns = ecs->time_ns;
    system->enabled = true;
    struct ecs_system **at = &ecs->systems;
    while (*at != NULL) {
        at = &(*at)->next;
    }
    *at = system;
    ecs->system_count++;
    if (out_system != NULL) {
        *out_system = system->id;
    }
    return TROUPE_OK;
}

/** Free the systems that were removed. */
static void pipeline_sweep(troupe_ecs_t *ecs)
{
    for (struct ecs_system **at = &ecs->systems; *at != NULL;) {
        struct ecs_system *system = *at;
        if (system->callback != NULL) {
            at = &system->next;
        } else {
            *at = system->next;
            pipeline_free(system);
        }
    }
}

enum troupe_err troupe_ecs_system_delete(troupe_ecs_t *ecs, troupe_ecs_system_t id)
{
    enum troupe_err err = trp_ecs_check(ecs);
    if (err != TROUPE_OK) {
        return err;
    }
    struct ecs_system *system = pipeline_find(ecs, id);
    if (system == NULL) {
        return TROUPE_ERR_NOENT;
    }
    system->callback = NULL;
    ecs->system_count--;
    if (!ecs->is_ticking) {
        pipeline_sweep(ecs);
    }
    return TROUPE_OK;
}

void trp_ecs_systems_fini(troupe_ecs_t *ecs)
{
    for (struct ecs_system *system = ecs->systems; system != NULL; system = system->next) {
        system->callback = NULL;
    }
    pipeline_sweep(ecs);
    ecs->system_count = 0;
}

/* Running. -------------------------------------------------------------------------------------- */

/** @return what a system's callback gets, before any table. */
static struct troupe_ecs_iter pipeline_iter(troupe_ecs_t *ecs, const struct ecs_system *system)
{
    struct troupe_ecs_iter it = troupe_ecs_query_iter(system->query);
    it.ecs = ecs;
    it.ctx = ecs->host->context(ecs->executor);
    it.system = system->id;
    it.data = system->data;
    it.delta_ns = ecs->time_ns - system->ran_ns;
    it.delta_time = (float)((double)it.delta_ns * 1e-9);
    return it;
}

/** Run the callback of a system on all it meets. @return how many entities that were. */
static uint64_t pipeline_call(
    troupe_ecs_t *ecs, const struct ecs_system *system, struct troupe_ecs_iter *it)
{
    if (system->query == NULL) {
        ecs->defer_count++;
        system->callback(it);
        ecs->defer_count--;
        (void)trp_ecs_apply(ecs); // without memory for all of it, the rest is kept
        return 0;
    }
    uint64_t entity_count = 0;
    // It may remove itself in the middle of it.
    while (system->callback != NULL && troupe_ecs_query_next(it)) {
        entity_count += it->count;
        system->callback(it);
    }
    troupe_ecs_iter_fini(it);
    return entity_count;
}

static void pipeline_run(troupe_ecs_t *ecs, struct ecs_system *system)
{
    struct troupe_ecs_iter it = pipeline_iter(ecs, system);
    uint64_t start_ns = pipeline_now_ns();
    system->ran_ns = ecs->time_ns;
    system->entity_count = pipeline_call(ecs, system, &it);
    system->last_ns = pipeline_now_ns() - start_ns;
    system->max_ns = system->last_ns > system->max_ns ? system->last_ns : system->max_ns;
    system->sum_ns += system->last_ns;
    system->run_count++;
}

static bool pipeline_is_due(const troupe_ecs_t *ecs, const struct ecs_system *system)
{
    return system->enabled && system->callback != NULL &&
           ecs->time_ns - system->ran_ns >= system->interval_ns;
}

static void pipeline_run_all(troupe_ecs_t *ecs)
{
    ecs->is_ticking = true;
    for (unsigned phase = TROUPE_ECS_ON_LOAD; phase <= TROUPE_ECS_ON_STORE; phase++) {
        for (struct ecs_system *system = ecs->systems; system != NULL; system = system->next) {
            if ((unsigned)system->phase == phase && pipeline_is_due(ecs, system)) {
                pipeline_run(ecs, system);
            }
        }
    }
    ecs->is_ticking = false;
    pipeline_sweep(ecs);
}

/** Let the world's time go on, and say when the next tick is due: the beat is kept, what was missed is not. */
static void pipeline_advance(troupe_ecs_t *ecs, uint64_t now_ns)
{
    uint64_t delta_ns = ecs->has_ticked ? now_ns - ecs->ticked_ns : ecs->period_ns;
    ecs->time_ns += ecs->fixed_delta_ns != 0 ? ecs->fixed_delta_ns : delta_ns;
    ecs->ticked_ns = now_ns;
    ecs->has_ticked = true;
    bool in_beat = now_ns >= ecs->due_ns && now_ns - ecs->due_ns < ecs->period_ns;
    uint64_t from_ns = in_beat ? ecs->due_ns : now_ns;
    ecs->due_ns = ecs->period_ns < UINT64_MAX - from_ns ? from_ns + ecs->period_ns : UINT64_MAX;
}

uint64_t trp_ecs_tick(troupe_ecs_t *ecs, bool now)
{
    if (ecs->is_ticking) {
        return UINT64_MAX; // a system drives its own world
    }
    trp_ecs_close_iterations(ecs);
    (void)trp_ecs_apply(ecs); // what was left for want of memory; there may be some now
    if (ecs->system_count == 0) {
        ecs->has_ticked = false; // and time stands still
        return UINT64_MAX;
    }
    uint64_t now_ns = ecs->host->now(ecs->executor);
    if (now || now_ns >= ecs->due_ns) {
        pipeline_advance(ecs, now_ns);
        pipeline_run_all(ecs);
        now_ns = ecs->host->now(ecs->executor);
    }
    return ecs->due_ns > now_ns ? ecs->due_ns - now_ns : 0;
}

/* Looking and setting. -------------------------------------------------------------------------- */

enum troupe_err troupe_ecs_system_enable(troupe_ecs_t *ecs, troupe_ecs_system_t id, bool on)
{
    enum troupe_err err = trp_ecs_check(ecs);
    if (err != TROUPE_OK) {
        return err;
    }
    struct ecs_system *system = pipeline_find(ecs, id);
    if (system == NULL) {
        return TROUPE_ERR_NOENT;
    }
    if (on && !system->enabled) {
        system->ran_ns = ecs->time_ns; // the time of its rest is not made up for
    }
    system->enabled = on;
    return TROUPE_OK;
}

enum troupe_err troupe_ecs_system_stats(
    const troupe_ecs_t *ecs, troupe_ecs_system_t id, struct troupe_ecs_system_stats *out_stats)
{
    enum troupe_err err = trp_ecs_check(ecs);
    if (err != TROUPE_OK) {
        return err;
    }
    const struct ecs_system *system = pipeline_find(ecs, id);
    if (system == NULL) {
        return TROUPE_ERR_NOENT;
    }
    *out_stats = (struct troupe_ecs_system_stats){
        .name = system->name,
        .phase = system->phase,
        .run_count = system->run_count,
        .entity_count = system->entity_count,
        .run_ns_last = system->last_ns,
        .run_ns_max = system->max_ns,
        .run_ns_sum = system->sum_ns,
    };
    return TROUPE_OK;
}

troupe_ecs_system_t troupe_ecs_system_next(const troupe_ecs_t *ecs, troupe_ecs_system_t id)
{
    if (trp_ecs_check(ecs) != TROUPE_OK) {
        return 0;
    }
    const struct ecs_system *system = ecs->systems;
    while (system != NULL && (system->id <= id || system->callback == NULL)) {
        system = system->next;
    }
    return system == NULL ? 0 : system->id;
}

enum troupe_err troupe_ecs_set_period(troupe_ecs_t *ecs, uint64_t period_ns)
{
    enum troupe_err err = trp_ecs_check(ecs);
    if (err != TROUPE_OK) {
        return err;
    }
    ecs->period_ns = period_ns == 0 ? TROUPE_ECS_PERIOD_DEFAULT_NS : period_ns;
    ecs->due_ns = 0;
    return TROUPE_OK;
}

enum troupe_err troupe_ecs_set_delta(troupe_ecs_t *ecs, uint64_t delta_ns)
{
    enum troupe_err err = trp_ecs_check(ecs);
    if (err != TROUPE_OK) {
        return err;
    }
    ecs->fixed_delta_ns = delta_ns;
    return TROUPE_OK;
}

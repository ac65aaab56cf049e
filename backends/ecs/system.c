#include "system.h"

#include "base/error.h"

#include <stdlib.h>

static struct ecs_system *ecs_system_find(const troupe_ecs_t *ecs, troupe_ecs_system_t id)
{
    struct ecs_system *system = ecs->pipeline.systems;
    while (system != NULL && (system->id != id || system->callback == NULL)) {
        system = system->next;
    }
    if (system == NULL) {
        trp_error_set_detail("there is no system %u: it was deleted, or never made", id);
    }
    return system;
}

/* Making. --------------------------------------------------------------------------------------- */

static enum troupe_err ecs_system_check(
    const troupe_ecs_t *ecs, const struct troupe_ecs_system_options *options)
{
    enum troupe_err err = trp_ecs_check(ecs);
    if (err == TROUPE_OK) {
        err = trp_ecs_registry_check_name(&ecs->registry, options->name, "system");
    }
    if (err == TROUPE_OK && options->callback == NULL) {
        err = TRP_EXPLAIN(TROUPE_ERR_INVAL, "system '%s' has no callback", options->name);
    }
    if (err == TROUPE_OK && (unsigned)options->phase > TROUPE_ECS_ON_STORE) {
        err = TRP_EXPLAIN(
            TROUPE_ERR_INVAL,
            "system '%s': %u is not a phase of enum troupe_ecs_phase",
            options->name,
            (unsigned)options->phase);
    }
    return err;
}

/** Make a system and its query. It has no name yet, and is not one of the world's. */
static enum troupe_err ecs_system_make(
    troupe_ecs_t *ecs,
    const struct troupe_ecs_system_options *options,
    struct ecs_system **out_system)
{
    struct ecs_system *system = calloc(1, sizeof(*system));
    if (system == NULL) {
        return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for system '%s'", options->name);
    }
    if (options->terms[0].component != 0) {
        enum troupe_err err = troupe_ecs_query_new(ecs, options->terms, &system->query);
        if (err != TROUPE_OK) {
            free(system);
            return err;
        }
    }
    system->phase =
        options->phase == TROUPE_ECS_PHASE_DEFAULT ? TROUPE_ECS_ON_UPDATE : options->phase;
    system->callback = options->callback;
    system->data = options->data;
    system->interval_ns = options->interval_ns;
    system->ran_ns = ecs->pipeline.time_ns;
    system->is_enabled = true;
    *out_system = system;
    return TROUPE_OK;
}

static void ecs_system_free(struct ecs_system *system)
{
    (void)troupe_ecs_query_destroy(&system->query);
    free(system);
}

static void ecs_system_append(struct ecs_pipeline *pipeline, struct ecs_system *system)
{
    struct ecs_system **at = &pipeline->systems;
    while (*at != NULL) {
        at = &(*at)->next;
    }
    *at = system;
    system->id = ++pipeline->last_id;
    pipeline->system_count++;
}

enum troupe_err troupe_ecs_system_new(
    troupe_ecs_t *ecs,
    const struct troupe_ecs_system_options *options,
    troupe_ecs_system_t *out_system)
{
    struct ecs_system *system = NULL;
    enum troupe_err err = ecs_system_check(ecs, options);
    if (err == TROUPE_OK) {
        err = ecs_system_make(ecs, options, &system);
    }
    if (err != TROUPE_OK) {
        return err;
    }
    system->name = trp_ecs_registry_add_name(&ecs->registry, options->name);
    if (system->name == NULL) {
        ecs_system_free(system);
        return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for system '%s'", options->name);
    }
    ecs_system_append(&ecs->pipeline, system);
    if (out_system != NULL) {
        *out_system = system->id;
    }
    return TROUPE_OK;
}

/* Deleting. ------------------------------------------------------------------------------------- */

/** Delete a system, and leave it in the list: systems may be running. */
static void ecs_system_delete(troupe_ecs_t *ecs, struct ecs_system *system)
{
    trp_ecs_registry_remove_name(&ecs->registry, system->name);
    system->name = NULL;
    system->callback = NULL;
    ecs->pipeline.system_count--;
}

void trp_ecs_systems_sweep(troupe_ecs_t *ecs)
{
    for (struct ecs_system **at = &ecs->pipeline.systems; *at != NULL;) {
        struct ecs_system *system = *at;
        if (system->callback != NULL) {
            at = &system->next;
        } else {
            *at = system->next;
            ecs_system_free(system);
        }
    }
}

enum troupe_err troupe_ecs_system_delete(troupe_ecs_t *ecs, troupe_ecs_system_t id)
{
    enum troupe_err err = trp_ecs_check(ecs);
    if (err != TROUPE_OK) {
        return err;
    }
    struct ecs_system *system = ecs_system_find(ecs, id);
    if (system == NULL) {
        return TROUPE_ERR_NOENT;
    }
    ecs_system_delete(ecs, system);
    if (!ecs->pipeline.is_ticking) {
        trp_ecs_systems_sweep(ecs);
    }
    return TROUPE_OK;
}

void trp_ecs_systems_fini(troupe_ecs_t *ecs)
{
    for (struct ecs_system *at = ecs->pipeline.systems; at != NULL; at = at->next) {
        if (at->callback != NULL) {
            ecs_system_delete(ecs, at);
        }
    }
    trp_ecs_systems_sweep(ecs);
}

/* Reading and setting. -------------------------------------------------------------------------- */

enum troupe_err troupe_ecs_system_enable(troupe_ecs_t *ecs, troupe_ecs_system_t id, bool on)
{
    enum troupe_err err = trp_ecs_check(ecs);
    if (err != TROUPE_OK) {
        return err;
    }
    struct ecs_system *system = ecs_system_find(ecs, id);
    if (system == NULL) {
        return TROUPE_ERR_NOENT;
    }
    if (on && !system->is_enabled) {
        system->ran_ns = ecs->pipeline.time_ns; // its delta does not cover the time it was disabled
    }
    system->is_enabled = on;
    return TROUPE_OK;
}

enum troupe_err troupe_ecs_system_stats(
    const troupe_ecs_t *ecs, troupe_ecs_system_t id, struct troupe_ecs_system_stats *out_stats)
{
    enum troupe_err err = trp_ecs_check(ecs);
    if (err != TROUPE_OK) {
        return err;
    }
    const struct ecs_system *system = ecs_system_find(ecs, id);
    if (system == NULL) {
        return TROUPE_ERR_NOENT;
    }
    *out_stats = (struct troupe_ecs_system_stats){
        .name = system->name,
        .phase = system->phase,
        .run_count = system->run_count,
        .entity_count = system->entity_count,
        .run_ns_last = system->run_ns_last,
        .run_ns_max = system->run_ns_max,
        .run_ns_sum = system->run_ns_sum,
    };
    return TROUPE_OK;
}

troupe_ecs_system_t troupe_ecs_system_next(const troupe_ecs_t *ecs, troupe_ecs_system_t id)
{
    if (trp_ecs_check(ecs) != TROUPE_OK) {
        return 0;
    }
    const struct ecs_system *system = ecs->pipeline.systems;
    while (system != NULL && (system->id <= id || system->callback == NULL)) {
        system = system->next;
    }
    return system == NULL ? 0 : system->id;
}

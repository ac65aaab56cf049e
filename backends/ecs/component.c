/*
 * Components: what entities can have. They are registered once and stay; names are shared with systems.
 */
#include "store.h"

#include <stdlib.h>
#include <string.h>

enum troupe_err trp_ecs_explain_component(const troupe_ecs_t *ecs, troupe_ecs_component_t component)
{
    return TRP_EXPLAIN(
        TROUPE_ERR_INVAL,
        "there is no component %u among the %u of this world; register it with "
        "troupe_ecs_component_new()",
        component,
        ecs->component_count);
}

static troupe_ecs_component_t component_find(const troupe_ecs_t *ecs, const char *name)
{
    for (uint32_t i = 0; i < ecs->component_count; i++) {
        if (strcmp(ecs->components[i].name, name) == 0) {
            return i + 1;
        }
    }
    return 0;
}

enum troupe_err trp_ecs_check_name(const troupe_ecs_t *ecs, const char *name, const char *what)
{
    if (name == NULL || *name == '\0') {
        return TRP_EXPLAIN(TROUPE_ERR_INVAL, "a %s needs a name", what);
    }
    const char *taken = NULL;
    if (component_find(ecs, name) != 0) {
        taken = "component";
    } else if (trp_ecs_has_system(ecs, name)) {
        taken = "system";
    }
    if (taken != NULL) {
        return TRP_EXPLAIN(
            TROUPE_ERR_EXISTS,
            "a %s is called '%s' already; give the %s another name",
            taken,
            name,
            what);
    }
    return TROUPE_OK;
}

enum troupe_err trp_ecs_register(
    troupe_ecs_t *ecs, const char *name, size_t bytes, troupe_ecs_component_t *out_component)
{
    void *components = ecs->components;
    char *copy = strdup(name);
    if (copy == NULL || !trp_ecs_grow(
                            &components,
                            &ecs->component_capacity,
                            ecs->component_count + 1,
                            sizeof(*ecs->components))) {
        free(copy);
        return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for component '%s'", name);
    }
    ecs->components = components;
    ecs->components[ecs->component_count++] =
        (struct ecs_component){.name = copy, .bytes = (uint32_t)bytes};
    *out_component = ecs->component_count;
    return TROUPE_OK;
}

void trp_ecs_components_fini(troupe_ecs_t *ecs)
{
    for (uint32_t i = 0; i < ecs->component_count; i++) {
        trp_ecs_observers_fini(&ecs->components[i]);
        free(ecs->components[i].name);
    }
    free(ecs->components);
}

enum troupe_err troupe_ecs_component_new(
    troupe_ecs_t *ecs,
    const struct troupe_ecs_component_options *options,
    troupe_ecs_component_t *out_component)
{
    enum troupe_err err = trp_ecs_check(ecs);
    if (err != TROUPE_OK) {
        return err;
    }
    if (options->bytes > TROUPE_ECS_COMPONENT_BYTES_MAX) {
        return TRP_EXPLAIN(
            TROUPE_ERR_INVAL,
            "a component of %zu bytes is over %d; keep a pointer in it",
            options->bytes,
            TROUPE_ECS_COMPONENT_BYTES_MAX);
    }
    troupe_ecs_component_t known = options->name == NULL ? 0 : component_find(ecs, options->name);
    if (known > TROUPE_ECS_ACTOR) {
        if (ecs->components[known - 1].bytes == options->bytes) {
            *out_component = known;
            return TROUPE_OK;
        }
        return TRP_EXPLAIN(
            TROUPE_ERR_EXISTS,
            "component '%s' has %u bytes already, not %zu; give this one another name",
            options->name,
            ecs->components[known - 1].bytes,
            options->bytes);
    }
    err = trp_ecs_check_name(ecs, options->name, "component");
    if (err == TROUPE_OK && ecs->component_count == TROUPE_ECS_COMPONENTS_MAX) {
        err = TRP_EXPLAIN(
            TROUPE_ERR_LIMIT,
            "%d components are registered; no room for '%s'",
            TROUPE_ECS_COMPONENTS_MAX,
            options->name);
    }
    return err == TROUPE_OK ? trp_ecs_register(ecs, options->name, options->bytes, out_component)
                            : err;
}

troupe_ecs_component_t troupe_ecs_component_lookup(const troupe_ecs_t *ecs, const char *name)
{
    return trp_ecs_check(ecs) == TROUPE_OK ? component_find(ecs, name) : 0;
}

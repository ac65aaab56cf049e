#include "registry.h"

#include "array.h"
#include "base/error.h"

#include <stdlib.h>
#include <string.h>

/* Names. ---------------------------------------------------------------------------------------- */

/** @return the entry of a name; NULL: it is free. */
static const struct ecs_name *registry_find(const struct ecs_registry *registry, const char *name)
{
    for (uint32_t i = 0; i < registry->name_count; i++) {
        if (strcmp(registry->names[i].text, name) == 0) {
            return &registry->names[i];
        }
    }
    return NULL;
}

/** Take a name. @return its copy; NULL: no memory. */
static char *registry_take(
    struct ecs_registry *registry, const char *name, troupe_ecs_component_t component)
{
    struct ecs_name *names = trp_ecs_array_grow(
        registry->names, &registry->name_capacity, registry->name_count + 1, sizeof(*names));
    if (names == NULL) {
        return NULL;
    }
    registry->names = names;
    char *text = strdup(name);
    if (text != NULL) {
        names[registry->name_count++] = (struct ecs_name){.text = text, .component = component};
    }
    return text;
}

enum troupe_err trp_ecs_registry_check_name(
    const struct ecs_registry *registry, const char *name, const char *kind)
{
    if (name == NULL || *name == '\0') {
        return TRP_EXPLAIN(TROUPE_ERR_INVAL, "a %s needs a name", kind);
    }
    const struct ecs_name *taken = registry_find(registry, name);
    if (taken == NULL) {
        return TROUPE_OK;
    }
    return TRP_EXPLAIN(
        TROUPE_ERR_EXISTS,
        "there is already a %s named '%s'; give the %s another name",
        taken->component != 0 ? "component" : "system",
        name,
        kind);
}

const char *trp_ecs_registry_add_name(struct ecs_registry *registry, const char *name)
{
    return registry_take(registry, name, 0);
}

void trp_ecs_registry_remove_name(struct ecs_registry *registry, const char *name)
{
    uint32_t i = 0;
    while (registry->names[i].text != name) {
        i++;
    }
    free(registry->names[i].text);
    registry->names[i] = registry->names[--registry->name_count];
}

/* Components. ----------------------------------------------------------------------------------- */

enum troupe_err trp_ecs_explain_component(
    const struct ecs_registry *registry, troupe_ecs_component_t component)
{
    return TRP_EXPLAIN(
        TROUPE_ERR_INVAL,
        "there is no component %u: this world has %u; register it with troupe_ecs_component_new()",
        component,
        registry->component_count);
}

troupe_ecs_component_t trp_ecs_registry_find(const struct ecs_registry *registry, const char *name)
{
    const struct ecs_name *found = registry_find(registry, name);
    return found != NULL ? found->component : 0;
}

enum troupe_err trp_ecs_registry_add(
    struct ecs_registry *registry,
    const char *name,
    size_t bytes,
    troupe_ecs_component_t *out_component)
{
    const uint32_t id = registry->component_count + 1;
    struct ecs_component *components = trp_ecs_array_grow(
        registry->components, &registry->component_capacity, id, sizeof(*components));
    const char *text = NULL;
    if (components != NULL) {
        registry->components = components;
        text = registry_take(registry, name, id);
    }
    if (text == NULL) {
        return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for component '%s'", name);
    }
    components[id - 1] = (struct ecs_component){.name = text, .bytes = (uint32_t)bytes};
    registry->component_count = id;
    *out_component = id;
    return TROUPE_OK;
}

void trp_ecs_registry_fini(struct ecs_registry *registry)
{
    for (uint32_t i = 0; i < registry->name_count; i++) {
        free(registry->names[i].text);
    }
    free(registry->names);
    free(registry->components);
}

/**
 * @file registry.h
 * @brief The registered components, and the names that components and systems share.
 */
#ifndef TRP_ECS_REGISTRY_H
#define TRP_ECS_REGISTRY_H

#include "troupe/ecs.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ecs_observer;

/** A component. */
struct ecs_component {
    const char *name; // owned by the registry's names
    uint32_t bytes;
    uint32_t observed;              // events that some observer wants; see observer.c
    struct ecs_observer *observers; // in the order in which they were made
};

/** A name that is taken. */
struct ecs_name {
    char *text;
    troupe_ecs_component_t component; // 0: the name of a system
};

/** What is registered in a world. Components stay until the world ends. */
struct ecs_registry {
    struct ecs_component *components; // by component id - 1
    uint32_t component_count;
    uint32_t component_capacity;
    struct ecs_name *names;
    uint32_t name_count;
    uint32_t name_capacity;
};

/** @return whether that component is registered. */
static inline bool trp_ecs_is_registered(
    const struct ecs_registry *registry, troupe_ecs_component_t component)
{
    return component - 1 < registry->component_count;
}

/** @return a registered component. */
static inline struct ecs_component *trp_ecs_component(
    const struct ecs_registry *registry, troupe_ecs_component_t component)
{
    return &registry->components[component - 1];
}

/** Set the error detail for a component that is not registered. @return TROUPE_ERR_INVAL. */
enum troupe_err trp_ecs_explain_component(
    const struct ecs_registry *registry, troupe_ecs_component_t component);

/** @return the component of that name; 0: there is none. */
troupe_ecs_component_t trp_ecs_registry_find(const struct ecs_registry *registry, const char *name);

/**
 * Check that a name is not empty and not taken.
 *
 * @param kind  "component" or "system", for the error detail.
 * @return      TROUPE_OK, TROUPE_ERR_INVAL or TROUPE_ERR_EXISTS.
 */
enum troupe_err trp_ecs_registry_check_name(
    const struct ecs_registry *registry, const char *name, const char *kind);

/** Register a component under a name that was checked. @return TROUPE_OK, or TROUPE_ERR_NOMEM. */
enum troupe_err trp_ecs_registry_add(
    struct ecs_registry *registry,
    const char *name,
    size_t bytes,
    troupe_ecs_component_t *out_component);

/** Take a name that was checked for a system. @return the copy, until it is removed; NULL: no memory. */
const char *trp_ecs_registry_add_name(struct ecs_registry *registry, const char *name);

/** Free the name of a system, by the pointer that was returned for it. */
void trp_ecs_registry_remove_name(struct ecs_registry *registry, const char *name);

/** Free all of it. The components have no observers any more. */
void trp_ecs_registry_fini(struct ecs_registry *registry);

#endif

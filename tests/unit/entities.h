/**
 * @file entities.h
 * @brief A world of entities to try things in, and short words for what must not fail.
 */
#ifndef TROUPE_TESTS_ENTITIES_H
#define TROUPE_TESTS_ENTITIES_H

#include "support/audit.h"

#include <troupe/ecs.h>
#include <troupe/troupe.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <string.h>

#define EXPECT_OK(call)                                                               \
    do {                                                                              \
        enum troupe_err entities_err = (call);                                        \
        cr_assert(entities_err == TROUPE_OK, "%s: %s", #call, troupe_error_detail()); \
    } while (0)

/** Check that a call is refused with @p expected, and that the detail has @p words in it. */
#define EXPECT_REFUSED(call, expected, words)                                                  \
    do {                                                                                       \
        enum troupe_err entities_err = (call);                                                 \
        cr_expect(entities_err == (expected), "%s: %s", #call, troupe_strerror(entities_err)); \
        cr_expect(                                                                             \
            strstr(troupe_error_detail(), (words)) != NULL,                                    \
            "%s: '%s' lacks '%s'",                                                             \
            #call,                                                                             \
            troupe_error_detail(),                                                             \
            (words));                                                                          \
    } while (0)

struct position {
    float x, y;
};

struct velocity {
    float x, y;
};

/** The stage of a test. */
struct stage {
    troupe_system_t *system;
    troupe_ecs_t *ecs;
    troupe_ecs_component_t position;
    troupe_ecs_component_t velocity;
    troupe_ecs_component_t tag;
};

static void entities_idle_receive(
    troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)ctx, (void)state, (void)message;
}

/** An actor that does nothing: a system has one behaviour at least. */
static const struct troupe_behaviour entities_idle = {
    .name = "idle", .receive = entities_idle_receive};

static inline troupe_ecs_component_t entities_component(
    troupe_ecs_t *ecs, const char *name, size_t bytes)
{
    const struct troupe_ecs_component_options options = {.name = name, .bytes = bytes};
    troupe_ecs_component_t component = 0;
    EXPECT_OK(troupe_ecs_component_new(ecs, &options, &component));
    return component;
}

static inline void stage_open_with(struct stage *stage, const struct troupe_system_options *options)
{
    EXPECT_OK(troupe_system_new(options, &stage->system));
    stage->ecs = troupe_ecs_world(troupe_system_context(stage->system));
    cr_assert(stage->ecs != NULL, "%s", troupe_error_detail());
    stage->position = entities_component(stage->ecs, "position", sizeof(struct position));
    stage->velocity = entities_component(stage->ecs, "velocity", sizeof(struct velocity));
    stage->tag = entities_component(stage->ecs, "tag", 0);
}

static inline void stage_open(struct stage *stage)
{
    const struct troupe_system_options options = {.behaviours = TROUPE_BEHAVIOURS(&entities_idle)};
    stage_open_with(stage, &options);
}

/** End the system, look whether all its messages have an outcome, and free it. */
static inline void stage_close(struct stage *stage)
{
    if (stage->system != NULL) {
        troupe_system_stop(stage->system);
        cr_expect(eq(int, troupe_system_run(stage->system), TROUPE_OK));
        cr_expect(audit_balances(stage->system));
    }
    cr_expect(eq(int, troupe_system_destroy(&stage->system), TROUPE_OK));
}

static inline troupe_ecs_entity_t entities_new(troupe_ecs_t *ecs)
{
    troupe_ecs_entity_t entity = 0;
    EXPECT_OK(troupe_ecs_new(ecs, &entity));
    return entity;
}

/** Make an entity that is at @p x. */
static inline troupe_ecs_entity_t entities_at(const struct stage *stage, float x)
{
    troupe_ecs_entity_t entity = entities_new(stage->ecs);
    const struct position position = {x, -x};
    EXPECT_OK(TROUPE_ECS_SET(stage->ecs, entity, stage->position, &position));
    return entity;
}

/** @return where an entity is; it has to be somewhere. */
static inline float entities_x(const struct stage *stage, troupe_ecs_entity_t entity)
{
    const struct position *position =
        TROUPE_ECS_GET(stage->ecs, entity, stage->position, struct position);
    cr_assert(position != NULL, "%s", troupe_error_detail());
    return position->x;
}

/** @return how many entities have a component. */
static inline uint32_t entities_count(troupe_ecs_t *ecs, troupe_ecs_component_t component)
{
    troupe_ecs_query_t *query = NULL;
    EXPECT_OK(troupe_ecs_query_new(
        ecs, (const struct troupe_ecs_term[]){{.component = component}, {0}}, &query));
    uint32_t count = 0;
    struct troupe_ecs_iter it = troupe_ecs_query_iter(query);
    while (troupe_ecs_query_next(&it)) {
        count += it.count;
    }
    EXPECT_OK(troupe_ecs_query_destroy(&query));
    return count;
}

#endif

/*
 * Executor 0 is made with the system, and runs on the thread that calls troupe_system_run() or troupe_system_progress():
 * there is nothing to start, and nothing to wait for.
 *
 * The world is made when it is first asked for, and is emptied when all actors of the executor have exited.
 */
#include "ecs.h"

#include "actors.h"
#include "base/error.h"
#include "change.h"
#include "observer.h"
#include "pipeline.h"
#include "query.h"
#include "system.h"
#include "troupe/context.h"
#include "world.h"

#include <stdlib.h>

struct ecs_self {
    const struct troupe_host *host;
    struct troupe_ecs *world; // NULL: it was never asked for
    bool has_ended;
};

/* The world. ------------------------------------------------------------------------------------ */

static void ecs_world_free(troupe_ecs_t *ecs)
{
    trp_ecs_systems_fini(ecs);
    trp_ecs_queries_fini(ecs);
    trp_ecs_observers_fini(ecs);
    trp_ecs_graph_fini(&ecs->graph);
    trp_ecs_registry_fini(&ecs->registry);
    trp_ecs_queue_fini(&ecs->defer.queue);
    free(ecs->records.array);
    free(ecs->actors);
    free(ecs);
}

/** Make a world that has one component, TROUPE_ECS_ACTOR. @return NULL: no memory. */
static troupe_ecs_t *ecs_world_new(const struct troupe_host *host, troupe_executor_t *executor)
{
    troupe_ecs_t *ecs = calloc(1, sizeof(*ecs));
    if (ecs == NULL) {
        return NULL;
    }
    ecs->host = host;
    ecs->executor = executor;
    ecs->owner = pthread_self();
    ecs->epoch = 1;
    ecs->pipeline.period_ns = TROUPE_ECS_PERIOD_DEFAULT_NS;
    troupe_ecs_component_t actor = 0;
    if (!trp_ecs_graph_init(&ecs->graph, &ecs->registry) ||
        trp_ecs_registry_add(&ecs->registry, "actor", sizeof(troupe_ref_t), &actor) != TROUPE_OK) {
        ecs_world_free(ecs);
        return NULL;
    }
    TRP_CHECK(actor == TROUPE_ECS_ACTOR);
    return ecs;
}

/** Delete all systems and entities. Observers are notified of what the entities have. */
static void ecs_world_empty(troupe_ecs_t *ecs)
{
    trp_ecs_close_iterations(ecs);
    ecs->defer.begin_count = 0;
    trp_ecs_systems_fini(ecs);
    for (uint32_t i = 0; i < ecs->records.count; i++) { // observers may make more
        const uint64_t generation = ecs->records.array[i].generation;
        trp_ecs_delete_now(ecs, generation << 32 | i);
    }
    trp_ecs_queue_clear(&ecs->defer.queue); // its entities are deleted
}

troupe_ecs_t *troupe_ecs_world(troupe_context_t *ctx)
{
    troupe_executor_t *executor = NULL;
    void *data = NULL;
    if (troupe_backend_self(ctx, &trp_backend_ecs, &executor, &data) != TROUPE_OK) {
        return NULL;
    }
    struct ecs_self *self = data;
    if (self->has_ended) {
        trp_error_set_detail("the world has ended, with all actors of the system");
        return NULL;
    }
    if (self->world == NULL) {
        self->world = ecs_world_new(self->host, executor);
    }
    if (self->world == NULL) {
        trp_error_set_detail("no memory for the world");
    }
    return self->world;
}

troupe_ecs_entity_t troupe_ecs_self(troupe_context_t *ctx)
{
    troupe_ecs_entity_t entity = 0;
    troupe_ecs_t *ecs = troupe_ecs_world(ctx);
    if (ecs == NULL || troupe_ecs_entity_of(ecs, troupe_self(ctx), &entity) != TROUPE_OK) {
        return 0;
    }
    return entity;
}

/* The backend. ---------------------------------------------------------------------------------- */

static enum troupe_err ecs_init(const struct troupe_host *host, void **out_self)
{
    struct ecs_self *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        host->set_error_detail("no memory for the backend 'ecs'");
        return TROUPE_ERR_NOMEM;
    }
    self->host = host;
    *out_self = self;
    return TROUPE_OK;
}

static void ecs_run_once(void *self, troupe_executor_t *executor)
{
    ((const struct ecs_self *)self)->host->run_turn(executor);
}

static uint64_t ecs_tick(void *self, troupe_executor_t *executor, bool now)
{
    (void)executor;
    struct troupe_ecs *world = ((const struct ecs_self *)self)->world;
    return world == NULL ? UINT64_MAX : trp_ecs_tick(world, now);
}

static void ecs_actor_ended(void *self, troupe_executor_t *executor, uint32_t index)
{
    (void)executor;
    struct troupe_ecs *world = ((const struct ecs_self *)self)->world;
    if (world != NULL) {
        trp_ecs_actor_exited(world, index);
    }
}

static void ecs_ended(void *data, troupe_executor_t *executor)
{
    (void)executor;
    struct ecs_self *self = data;
    if (self->world != NULL && !self->has_ended) {
        ecs_world_empty(self->world);
    }
    self->has_ended = true;
}

static void ecs_fini(void *data)
{
    struct ecs_self *self = data;
    if (self->world != NULL) {
        ecs_world_free(self->world);
    }
    free(self);
}

const struct troupe_backend_ops trp_backend_ecs = {
    .version = TROUPE_BACKEND_VERSION,
    .traits = TROUPE_TRAIT_CALLERS_THREAD | TROUPE_TRAIT_DETERMINISTIC,
    .name = "ecs",
    .description = "entities of one world, on the thread that runs the system",
    .init = ecs_init,
    .run_once = ecs_run_once,
    .fini = ecs_fini,
    .tick = ecs_tick,
    .actor_ended = ecs_actor_ended,
    .stopped = ecs_ended,
};

#include "ecs.h"

#include "store.h"

#include <stdlib.h>
#include <string.h>

/*
 * Executor 0 is made with the system and is carried by whoever calls troupe_run() or
 * troupe_progress(): there is nothing to start, and nothing to wait for.
 *
 * The entity-component world comes into being when somebody first asks for it, and ends with the last of
 * the executor's actors.
 */

enum { ECS_GROW_FIRST = 8 };

struct ecs_self {
    const struct troupe_host *host;
    struct troupe_ecs *world; // NULL: nobody asked for it, or it has ended
    bool has_ended;
};

/* The world. ------------------------------------------------------------------------------------ */

enum troupe_err trp_ecs_refuse(const troupe_ecs_t *ecs)
{
    if (ecs == NULL) {
        return TRP_EXPLAIN(
            TROUPE_ERR_UNSUPPORTED,
            "there are no entities here: troupe_ecs_world() is NULL for who lives on a thread or "
            "in "
            "another process; place it on 'ecs'");
    }
    return TRP_EXPLAIN(
        TROUPE_ERR_THREAD,
        "entities are used on the thread that made the system; send a message to an actor there");
}

bool trp_ecs_grow(void **array_p, uint32_t *capacity, uint32_t count, size_t bytes)
{
    if (count <= *capacity) {
        return true;
    }
    uint64_t grown = *capacity == 0 ? ECS_GROW_FIRST : *capacity;
    while (grown < count) {
        grown *= 2;
    }
    grown = grown > UINT32_MAX ? UINT32_MAX : grown;
    void *array = realloc(*array_p, (size_t)grown * bytes);
    if (array == NULL) {
        return false;
    }
    *array_p = array;
    *capacity = (uint32_t)grown;
    return true;
}

static void world_free(troupe_ecs_t *ecs)
{
    trp_ecs_systems_fini(ecs);
    trp_ecs_queries_fini(ecs);
    trp_ecs_components_fini(ecs);
    trp_ecs_tables_fini(ecs);
    free(ecs->records);
    free(ecs->actors);
    free(ecs->queue.bytes);
    free(ecs);
}

/** Make a world that has one component: of those that are actors. @return NULL: no memory. */
static troupe_ecs_t *world_new(const struct troupe_host *host, troupe_executor_t *executor)
{
    troupe_ecs_t *ecs = calloc(1, sizeof(*ecs));
    if (ecs == NULL) {
        return NULL;
    }
    ecs->host = host;
    ecs->executor = executor;
    ecs->owner = pthread_self();
    ecs->period_ns = TROUPE_ECS_PERIOD_DEFAULT_NS;
    troupe_ecs_component_t actor = 0;
    if (!trp_ecs_tables_init(ecs) ||
        trp_ecs_register(ecs, "actor", sizeof(troupe_ref_t), &actor) != TROUPE_OK) {
        world_free(ecs);
        return NULL;
    }
    TRP_CHECK(actor == TROUPE_ECS_ACTOR);
    return ecs;
}

/** Delete all entities, and tell the observers of each. */
static void world_empty(troupe_ecs_t *ecs)
{
    trp_ecs_close_iterations(ecs);
    ecs->defer_count = 0;
    trp_ecs_systems_fini(ecs);
    for (uint32_t i = 0; i < ecs->record_count; i++) { // observers may make more
        troupe_ecs_entity_t entity = (troupe_ecs_entity_t)ecs->records[i].generation << 32 | i;
        trp_ecs_delete_now(ecs, entity);
    }
    ecs->queue.at = 0; // of what observers asked for, nothing is there to be changed
    ecs->queue.used = 0;
}

troupe_ecs_t *troupe_ecs_world(troupe_context_t *ctx)
{
    troupe_executor_t *executor = NULL;
    void *data = NULL;
    if (troupe_backend_self(ctx, &trp_backend_ecs, &executor, &data) != TROUPE_OK) {
        return NULL;
    }
    struct ecs_self *self = data;
    if (self->world == NULL && !self->has_ended) {
        self->world = world_new(self->host, executor);
    }
    if (self->world == NULL) {
        trp_error_set_detail(
            self->has_ended ? "the world has ended" : "no memory for a world of entities");
    }
    return self->world;
}

/* The backend. ---------------------------------------------------------------------------------- */

static enum troupe_err ecs_init(const struct troupe_host *host, void **out_self)
{
    struct ecs_self *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        host->explain("no memory for the backend 'ecs'");
        return TROUPE_ERR_NOMEM;
    }
    self->host = host;
    *out_self = self;
    return TROUPE_OK;
}

static void ecs_run_once(void *self, troupe_executor_t *executor)
{
    ((const struct ecs_self *)self)->host->turn(executor);
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
        trp_ecs_actor_ended(world, index);
    }
}

static void ecs_ended(void *data, troupe_executor_t *executor)
{
    (void)executor;
    struct ecs_self *self = data;
    if (self->world != NULL && !self->has_ended) {
        world_empty(self->world);
    }
    self->has_ended = true;
}

static void ecs_fini(void *data)
{
    struct ecs_self *self = data;
    if (self->world != NULL) {
        world_free(self->world);
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
    .ended = ecs_ended,
};

// The world as an entity-component world: what a query costs for each entity it walks, and what it
// costs to add a component to an entity or to remove one.
//
// 1,000,000 entities, but no more than there are messages, have a position and a velocity, two
// floats each. A message stands for an entity that is moved on, or for one component added or removed.
//
// Not measured: making the entities; observers; stashed changes.
#include "worker.h"
#include "workloads.h"
#include <troupe/ecs.h>

#include <stdlib.h>

/** How many entities, unless the command line says. */
#define WORLD_ENTITIES 1000000

/** Most entities. */
#define WORLD_ENTITIES_MAX 10000000

/** Two floats. */
struct world_pair {
    float x, y;
};

struct entities {
    struct bench_worker worker;
    troupe_ecs_t *ecs;
    troupe_ecs_component_t position;
    troupe_ecs_component_t velocity;
    troupe_ecs_component_t mark;
    troupe_ecs_query_t *moving;
    troupe_ecs_entity_t *all;
    uint32_t count;
};

static enum troupe_err entities_register(
    struct entities *self, const char *name, troupe_ecs_component_t *out_component)
{
    const struct troupe_ecs_component_options options = {
        .name = name, .bytes = sizeof(struct world_pair)};
    return troupe_ecs_component_new(self->ecs, &options, out_component);
}

static enum troupe_err entities_add_one(struct entities *self, uint32_t index)
{
    const struct world_pair start = {0, (float)index};
    const struct world_pair step = {1, 0};
    enum troupe_err err = troupe_ecs_new(self->ecs, &self->all[index]);
    if (err == TROUPE_OK) {
        err = TROUPE_ECS_SET(self->ecs, self->all[index], self->position, &start);
    }
    if (err == TROUPE_OK) {
        err = TROUPE_ECS_SET(self->ecs, self->all[index], self->velocity, &step);
    }
    return err;
}

/** Make the entities, before the clock starts. */
static enum troupe_err entities_make(troupe_context_t *ctx, struct entities *self, uint64_t count)
{
    uint32_t most = self->worker.setup.plan.actors;
    self->ecs = troupe_ecs_world(ctx);
    self->count = count < most ? (uint32_t)count : most;
    self->all = calloc((size_t)self->count + 1, sizeof(*self->all));
    enum troupe_err err = self->all == NULL ? TROUPE_ERR_NOMEM : TROUPE_OK;
    err = err == TROUPE_OK ? entities_register(self, "position", &self->position) : err;
    err = err == TROUPE_OK ? entities_register(self, "velocity", &self->velocity) : err;
    err = err == TROUPE_OK ? entities_register(self, "mark", &self->mark) : err;
    for (uint32_t i = 0; i < self->count && err == TROUPE_OK; i++) {
        err = entities_add_one(self, i);
    }
    if (err == TROUPE_OK) {
        const struct troupe_ecs_term terms[] = {
            {.component = self->position}, {.component = self->velocity}, {0}};
        err = troupe_ecs_query_new(self->ecs, terms, &self->moving);
    }
    return err;
}

/** Say what was done, as the entities themselves show it, and when that was. */
static void entities_report(
    troupe_context_t *ctx, struct entities *self, uint64_t done, uint64_t last_ns)
{
    struct bench_plan counted = self->worker.setup.plan;
    counted.messages = done;
    self->worker.share.last_ns = last_ns;
    bench_worker_count(ctx, &self->worker, done, bench_checksum(&counted));
    if (done < self->worker.setup.receive_count) {
        bench_fail(ctx, "do all of it", TROUPE_ERR_NOENT);
    }
}

static void entities_fini(troupe_context_t *ctx, void *state, const struct troupe_exit *exit)
{
    (void)ctx;
    (void)exit;
    struct entities *self = state;
    free(self->all);
    bench_worker_fini(&self->worker);
}

/* A query. ------------------------------------------------------------------------------------- */

/** Move on at most @p left entities. @return how many were not. */
static uint64_t query_pass(const struct entities *self, uint64_t left)
{
    struct troupe_ecs_iter it = troupe_ecs_query_iter(self->moving);
    while (left > 0 && troupe_ecs_query_next(&it)) {
        struct world_pair *p = TROUPE_ECS_FIELD(&it, struct world_pair, 0);
        const struct world_pair *v = TROUPE_ECS_FIELD(&it, struct world_pair, 1);
        uint32_t count = it.count < left ? it.count : (uint32_t)left;
        for (uint32_t i = 0; i < count; i++) {
            p[i].x += v[i].x;
            p[i].y += v[i].y;
        }
        left -= count;
    }
    troupe_ecs_iter_fini(&it);
    return left;
}

/** @return how often all entities were moved on, in sum. */
static uint64_t query_count(const struct entities *self)
{
    uint64_t moved = 0;
    for (uint32_t i = 0; i < self->count; i++) {
        const struct world_pair *p =
            TROUPE_ECS_GET(self->ecs, self->all[i], self->position, struct world_pair);
        moved += p != NULL && p->y == (float)i ? (uint64_t)p->x : 0;
    }
    return moved;
}

static void query_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct entities *self = state;
    bench_worker_control(ctx, &self->worker, message);
    if (troupe_message_type(message) != BENCH_RUN) {
        return;
    }
    uint64_t left = self->worker.setup.receive_count;
    enum troupe_err err = entities_make(ctx, self, left);
    if (err != TROUPE_OK) {
        bench_fail(ctx, "make its entities", err);
        return;
    }
    bench_worker_start(ctx, &self->worker);
    while (left > 0) {
        left = query_pass(self, left);
    }
    uint64_t last_ns = troupe_now(ctx);
    entities_report(ctx, self, query_count(self), last_ns);
}

static const struct troupe_behaviour query = {
    .name = "query",
    .state_bytes = sizeof(struct entities),
    .receive = query_receive,
    .fini = entities_fini,
};

static void query_describe_part(
    const struct bench_plan *plan, uint32_t index, struct bench_part *out_part)
{
    (void)index;
    *out_part = (struct bench_part){.behaviour = &query, .receive_count = plan->messages};
}

const struct bench_workload bench_query = {
    .name = "query",
    .question = "entities walked by a query over two components",
    .actors = WORLD_ENTITIES,
    .actors_min = 1,
    .actors_max = WORLD_ENTITIES_MAX,
    .parts_more = 1,
    .messages_ecs = 100000000,
    .is_entities = true,
    .floor = BENCH_FLOOR_NONE,
    .behaviours = (const struct troupe_behaviour *const[]){&query, NULL},
    .describe_part = query_describe_part,
};

/* A component more, a component less. ---------------------------------------------------------- */

/** Add the mark to so many entities, or remove it. @return how often that was done. */
static uint64_t component_pass(struct entities *self, uint32_t count, bool add)
{
    uint64_t done = 0;
    for (uint32_t i = 0; i < count; i++) {
        enum troupe_err err = add ? troupe_ecs_add(self->ecs, self->all[i], self->mark)
                                  : troupe_ecs_remove(self->ecs, self->all[i], self->mark);
        done += err == TROUPE_OK ? 1 : 0;
    }
    return done;
}

/** @return whether all entities have what they had at first, and no mark. */
static bool component_is_whole(const struct entities *self)
{
    for (uint32_t i = 0; i < self->count; i++) {
        const struct world_pair *p =
            TROUPE_ECS_GET(self->ecs, self->all[i], self->position, struct world_pair);
        if (p == NULL || p->y != (float)i || troupe_ecs_has(self->ecs, self->all[i], self->mark)) {
            return false;
        }
    }
    return true;
}

static void component_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct entities *self = state;
    bench_worker_control(ctx, &self->worker, message);
    if (troupe_message_type(message) != BENCH_RUN) {
        return;
    }
    uint64_t pairs = self->worker.setup.receive_count / 2;
    enum troupe_err err = entities_make(ctx, self, pairs);
    if (err != TROUPE_OK) {
        bench_fail(ctx, "make its entities", err);
        return;
    }
    uint64_t done = 0;
    bench_worker_start(ctx, &self->worker);
    while (pairs > 0) {
        uint32_t count = pairs < self->count ? (uint32_t)pairs : self->count;
        done += component_pass(self, count, true);
        done += component_pass(self, count, false);
        pairs -= count;
    }
    uint64_t last_ns = troupe_now(ctx);
    entities_report(ctx, self, component_is_whole(self) ? done : 0, last_ns);
}

static const struct troupe_behaviour component = {
    .name = "component",
    .state_bytes = sizeof(struct entities),
    .receive = component_receive,
    .fini = entities_fini,
};

static void component_describe_part(
    const struct bench_plan *plan, uint32_t index, struct bench_part *out_part)
{
    (void)index;
    *out_part = (struct bench_part){.behaviour = &component, .receive_count = plan->messages};
}

const struct bench_workload bench_component = {
    .name = "component",
    .question = "components added to entities, and removed",
    .actors = WORLD_ENTITIES,
    .actors_min = 1,
    .actors_max = WORLD_ENTITIES_MAX,
    .parts_more = 1,
    .messages_ecs = 10000000,
    .rounds_up = true,
    .is_entities = true,
    .floor = BENCH_FLOOR_NONE,
    .behaviours = (const struct troupe_behaviour *const[]){&component, NULL},
    .describe_part = component_describe_part,
};

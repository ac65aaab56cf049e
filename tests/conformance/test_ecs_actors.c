/*
 * Actors with components: on executor 0 an actor has them; elsewhere it runs without.
 */
#include "support/fixture.h"

#include <troupe/backend.h>
#include <troupe/ecs.h>

enum { STEP = 1, WHERE, HERE };

/** Counts its steps in its state, and in a component if it can have one. */
struct walker {
    uint32_t steps;
    troupe_ecs_component_t steps_component;
};

/** A report of a walker. */
struct here {
    uint32_t steps;
    uint32_t component_steps;
    uint32_t is_entity;
    enum troupe_err set; // the result of setting its component
};

static enum troupe_err walker_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)args, (void)args_bytes;
    struct walker *self = state;
    const struct troupe_ecs_component_options options = {.name = "steps", .bytes = 4};
    enum troupe_err err =
        troupe_ecs_component_new(troupe_ecs_world(ctx), &options, &self->steps_component);
    return err == TROUPE_ERR_UNSUPPORTED ? TROUPE_OK : err;
}

static void walker_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct walker *self = state;
    troupe_ecs_t *ecs = troupe_ecs_world(ctx);
    self->steps += troupe_message_type(message) == STEP ? 1 : 0;
    struct here here = {
        .steps = self->steps,
        .is_entity = troupe_ecs_self(ctx) != 0 ? 1 : 0,
        .set = TROUPE_ECS_SET(ecs, troupe_ecs_self(ctx), self->steps_component, &self->steps),
    };
    const uint32_t *steps =
        TROUPE_ECS_GET(ecs, troupe_ecs_self(ctx), self->steps_component, uint32_t);
    here.component_steps = steps == NULL ? 0 : *steps;
    if (troupe_message_type(message) == WHERE) {
        REPORT(ctx, message, HERE, &here);
    }
}

static const struct troupe_behaviour walker = {
    .name = "walker",
    .state_bytes = sizeof(struct walker),
    .init = walker_init,
    .receive = walker_receive,
};

BACKEND_TEST(ecs_actors, run_with_and_without_their_components)
{
    struct fixture *fixture = fixture_open(
        placement, &(struct fixture_options){.behaviours = TROUPE_BEHAVIOURS(&walker)});
    troupe_ref_t ref = fixture_spawn(fixture, &walker);
    for (int i = 0; i < 3; i++) {
        fixture_send(fixture, ref, STEP, NULL, 0);
    }
    fixture_ask(fixture, ref, WHERE, NULL, 0);
    const struct here *here = FIXTURE_RECEIVE(fixture, HERE, struct here);

    bool is_ecs = (fixture_traits(placement) & TROUPE_TRAIT_CALLERS_THREAD) != 0;
    cr_expect(eq(u32, here->steps, 3));
    cr_expect(eq(u32, here->is_entity, is_ecs ? 1 : 0));
    cr_expect(eq(int, here->set, is_ecs ? TROUPE_OK : TROUPE_ERR_UNSUPPORTED));
    cr_expect(eq(u32, here->component_steps, is_ecs ? 3 : 0));

    troupe_ecs_t *ecs = troupe_ecs_world(troupe_system_context(fixture_system(fixture)));
    troupe_ecs_entity_t entity = 0;
    cr_expect(
        eq(int, troupe_ecs_entity_of(ecs, ref, &entity), is_ecs ? TROUPE_OK : TROUPE_ERR_NOENT));
    (void)fixture_close(&fixture);
}

SUBJECTS(&walker);

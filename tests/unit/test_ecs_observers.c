/*
 * Observers: told of each component that is added or removed, in that moment, whatever does it.
 */
#include "entities.h"

static struct stage stage;

/** What an observer has heard. */
struct heard {
    uint32_t added;
    uint32_t removed;
    float last_x;
    troupe_ecs_observer_t observer;
};

static struct heard heard;

static void hear(struct troupe_ecs_iter *it)
{
    struct heard *to = it->data;
    const struct position *position = TROUPE_ECS_FIELD(it, struct position, 0);
    cr_assert(it->count == 1 && it->ctx != NULL && it->component == stage.position);
    cr_assert(troupe_ecs_has(it->ecs, it->entities[0], it->component));
    to->added += it->event == TROUPE_ECS_ON_ADD ? 1 : 0;
    to->removed += it->event == TROUPE_ECS_ON_REMOVE ? 1 : 0;
    to->last_x = position->x;
}

static void observe(troupe_ecs_component_t component, troupe_ecs_iter_fn *callback, void *data)
{
    const struct troupe_ecs_observer_options options = {
        .component = component,
        .events = TROUPE_ECS_ON_ADD | TROUPE_ECS_ON_REMOVE,
        .callback = callback,
        .data = data,
    };
    EXPECT_OK(troupe_ecs_observer_new(stage.ecs, &options, &heard.observer));
}

static void open_stage(void)
{
    heard = (struct heard){0};
    stage_open(&stage);
}

static void close_stage(void)
{
    stage_close(&stage);
}

TestSuite(ecs_observers, .timeout = 20, .init = open_stage, .fini = close_stage);

Test(
    ecs_observers,
    are_told_of_what_is_added_with_its_value_and_of_what_is_removed_while_it_is_there)
{
    observe(stage.position, hear, &heard);
    troupe_ecs_entity_t entity = entities_at(&stage, 3);
    cr_expect(heard.added == 1 && heard.removed == 0 && heard.last_x == 3.0F);
    const struct position position = {5, 5};
    EXPECT_OK(TROUPE_ECS_SET(stage.ecs, entity, stage.position, &position)); // not added
    cr_expect(eq(u32, heard.added, 1));

    EXPECT_OK(troupe_ecs_remove(stage.ecs, entity, stage.position));

    cr_expect(heard.added == 1 && heard.removed == 1 && heard.last_x == 5.0F);
}

Test(ecs_observers, are_told_when_an_entity_is_deleted_or_the_world_ends)
{
    observe(stage.position, hear, &heard);
    EXPECT_OK(troupe_ecs_delete(stage.ecs, entities_at(&stage, 3)));
    cr_expect(eq(u32, heard.removed, 1));
    (void)entities_at(&stage, 4);
    (void)entities_at(&stage, 5);

    stage_close(&stage);

    cr_expect(eq(u32, heard.removed, 3));
}

Test(ecs_observers, are_told_of_what_was_deferred_when_it_is_applied)
{
    observe(stage.position, hear, &heard);
    EXPECT_OK(troupe_ecs_defer_begin(stage.ecs));
    (void)entities_at(&stage, 3);
    cr_expect(eq(u32, heard.added, 0));
    EXPECT_OK(troupe_ecs_defer_end(stage.ecs));
    cr_expect(eq(u32, heard.added, 1));
}

/** Follow a position with a velocity, and take the whole away with the tag. */
static void follow(struct troupe_ecs_iter *it)
{
    if (it->event == TROUPE_ECS_ON_ADD) {
        EXPECT_OK(troupe_ecs_add(it->ecs, it->entities[0], stage.velocity));
        cr_expect(not(troupe_ecs_has(it->ecs, it->entities[0], stage.velocity)), "deferred");
    } else {
        EXPECT_OK(troupe_ecs_delete(it->ecs, it->entities[0]));
    }
}

Test(ecs_observers, may_change_things_themselves)
{
    observe(stage.position, follow, NULL);
    troupe_ecs_entity_t entity = entities_at(&stage, 3);
    cr_expect(troupe_ecs_has(stage.ecs, entity, stage.velocity));

    EXPECT_OK(troupe_ecs_remove(stage.ecs, entity, stage.position));

    cr_expect(not(troupe_ecs_is_alive(stage.ecs, entity)));
}

Test(ecs_observers, that_are_removed_hear_nothing_more)
{
    observe(stage.position, hear, &heard);
    EXPECT_OK(troupe_ecs_observer_delete(stage.ecs, heard.observer));
    (void)entities_at(&stage, 3);
    cr_expect(eq(u32, heard.added, 0));
    EXPECT_REFUSED(
        troupe_ecs_observer_delete(stage.ecs, heard.observer), TROUPE_ERR_NOENT, "no observer");
}

static void hear_once(struct troupe_ecs_iter *it)
{
    hear(it);
    EXPECT_OK(troupe_ecs_observer_delete(it->ecs, heard.observer));
}

Test(ecs_observers, may_remove_themselves)
{
    observe(stage.position, hear_once, &heard);
    (void)entities_at(&stage, 3);
    (void)entities_at(&stage, 4);
    cr_expect(eq(u32, heard.added, 1));
}

/*
 * Observers: they run for each component that is added or removed, at that moment, whatever the cause.
 */
#include "entities.h"

static struct stage stage;

/** How often an observer ran. */
struct counted {
    uint32_t added;
    uint32_t removed;
    float last_x;
    troupe_ecs_observer_t observer;
};

static struct counted counted;

static void count_event(struct troupe_ecs_iter *it)
{
    struct counted *to = it->data;
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
    EXPECT_OK(troupe_ecs_observer_new(stage.ecs, &options, &counted.observer));
}

static void open_stage(void)
{
    counted = (struct counted){0};
    stage_open(&stage);
}

static void close_stage(void)
{
    stage_close(&stage);
}

TestSuite(ecs_observers, .timeout = 20, .init = open_stage, .fini = close_stage);

Test(ecs_observers, run_when_a_component_is_added_with_its_value_and_before_it_is_removed)
{
    observe(stage.position, count_event, &counted);
    troupe_ecs_entity_t entity = entities_at(&stage, 3);
    cr_expect(counted.added == 1 && counted.removed == 0 && counted.last_x == 3.0F);
    const struct position position = {5, 5};
    EXPECT_OK(
        TROUPE_ECS_SET(stage.ecs, entity, stage.position, &position)); // it has one: not an event
    cr_expect(eq(u32, counted.added, 1));

    EXPECT_OK(troupe_ecs_remove(stage.ecs, entity, stage.position));

    cr_expect(counted.added == 1 && counted.removed == 1 && counted.last_x == 5.0F);
}

Test(ecs_observers, run_when_an_entity_is_deleted_or_the_world_ends)
{
    observe(stage.position, count_event, &counted);
    EXPECT_OK(troupe_ecs_delete(stage.ecs, entities_at(&stage, 3)));
    cr_expect(eq(u32, counted.removed, 1));
    (void)entities_at(&stage, 4);
    (void)entities_at(&stage, 5);

    stage_close(&stage);

    cr_expect(eq(u32, counted.removed, 3));
}

Test(ecs_observers, run_when_a_deferred_change_is_applied)
{
    observe(stage.position, count_event, &counted);
    EXPECT_OK(troupe_ecs_defer_begin(stage.ecs));
    (void)entities_at(&stage, 3);
    cr_expect(eq(u32, counted.added, 0));
    EXPECT_OK(troupe_ecs_defer_end(stage.ecs));
    cr_expect(eq(u32, counted.added, 1));
}

/** Add a velocity to each position that is added, and delete the entity when its position is removed. */
static void follow(struct troupe_ecs_iter *it)
{
    if (it->event == TROUPE_ECS_ON_ADD) {
        EXPECT_OK(troupe_ecs_add(it->ecs, it->entities[0], stage.velocity));
        cr_expect(not(troupe_ecs_has(it->ecs, it->entities[0], stage.velocity)), "deferred");
    } else {
        EXPECT_OK(troupe_ecs_delete(it->ecs, it->entities[0]));
    }
}

Test(ecs_observers, may_change_entities_themselves)
{
    observe(stage.position, follow, NULL);
    troupe_ecs_entity_t entity = entities_at(&stage, 3);
    cr_expect(troupe_ecs_has(stage.ecs, entity, stage.velocity));

    EXPECT_OK(troupe_ecs_remove(stage.ecs, entity, stage.position));

    cr_expect(not(troupe_ecs_is_alive(stage.ecs, entity)));
}

Test(ecs_observers, that_are_deleted_do_not_run_again)
{
    observe(stage.position, count_event, &counted);
    EXPECT_OK(troupe_ecs_observer_delete(stage.ecs, counted.observer));
    (void)entities_at(&stage, 3);
    cr_expect(eq(u32, counted.added, 0));
    EXPECT_REFUSED(
        troupe_ecs_observer_delete(stage.ecs, counted.observer), TROUPE_ERR_NOENT, "no observer");
}

static void count_event_once(struct troupe_ecs_iter *it)
{
    count_event(it);
    EXPECT_OK(troupe_ecs_observer_delete(it->ecs, counted.observer));
}

Test(ecs_observers, may_delete_themselves)
{
    observe(stage.position, count_event_once, &counted);
    (void)entities_at(&stage, 3);
    (void)entities_at(&stage, 4);
    cr_expect(eq(u32, counted.added, 1));
}

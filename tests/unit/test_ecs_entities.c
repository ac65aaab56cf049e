/*
 * Entities and their components: values that are set can be read, the id of a deleted entity never becomes
 * that of another, and random changes give what a plain model gives.
 */
#include "chance.h"
#include "entities.h"

static struct stage stage;

static void open_stage(void)
{
    stage_open(&stage);
}

static void close_stage(void)
{
    stage_close(&stage);
}

TestSuite(ecs_entities, .timeout = 40, .init = open_stage, .fini = close_stage);

/* Entities. ------------------------------------------------------------------------------------ */

Test(ecs_entities, are_there_until_they_are_deleted)
{
    troupe_ecs_entity_t entity = entities_new(stage.ecs);
    cr_expect(ne(u64, entity, 0));
    cr_expect(troupe_ecs_is_alive(stage.ecs, entity));

    EXPECT_OK(troupe_ecs_delete(stage.ecs, entity));

    cr_expect(not(troupe_ecs_is_alive(stage.ecs, entity)));
    cr_expect(not(troupe_ecs_is_alive(stage.ecs, 0)));
}

Test(ecs_entities, that_are_deleted_do_not_share_an_id_with_later_ones)
{
    troupe_ecs_entity_t gone = entities_at(&stage, 1);
    EXPECT_OK(troupe_ecs_delete(stage.ecs, gone));
    troupe_ecs_entity_t next = entities_at(&stage, 2);
    cr_assert(eq(u32, (uint32_t)gone, (uint32_t)next), "the index is used again");

    const struct position position = {9, 9};
    EXPECT_REFUSED(troupe_ecs_delete(stage.ecs, gone), TROUPE_ERR_NOENT, "deleted");
    EXPECT_REFUSED(troupe_ecs_add(stage.ecs, gone, stage.tag), TROUPE_ERR_NOENT, "deleted");
    EXPECT_REFUSED(troupe_ecs_remove(stage.ecs, gone, stage.position), TROUPE_ERR_NOENT, "deleted");
    EXPECT_REFUSED(
        TROUPE_ECS_SET(stage.ecs, gone, stage.position, &position), TROUPE_ERR_NOENT, "deleted");
    cr_expect(eq(ptr, TROUPE_ECS_GET(stage.ecs, gone, stage.position, struct position), NULL));
    cr_expect(not(troupe_ecs_has(stage.ecs, gone, stage.position)));
    cr_expect(entities_x(&stage, next) == 2.0F);
}

Test(ecs_entities, keep_their_values_when_others_are_deleted)
{
    troupe_ecs_entity_t entities[100];
    for (int i = 0; i < 100; i++) {
        entities[i] = entities_at(&stage, (float)i);
    }
    for (int i = 0; i < 100; i += 3) {
        EXPECT_OK(troupe_ecs_delete(stage.ecs, entities[i]));
    }
    for (int i = 0; i < 100; i++) {
        const struct position *position =
            TROUPE_ECS_GET(stage.ecs, entities[i], stage.position, struct position);
        cr_expect(eq(int, position == NULL, i % 3 == 0));
        cr_expect(position == NULL || position->x == (float)i);
    }
    cr_expect(eq(u32, entities_count(stage.ecs, stage.position), 66));
}

/* Components. ---------------------------------------------------------------------------------- */

Test(ecs_entities, have_the_value_that_was_set_or_zeros_if_it_was_only_added)
{
    troupe_ecs_entity_t entity = entities_at(&stage, 3);
    EXPECT_OK(troupe_ecs_add(stage.ecs, entity, stage.velocity));
    EXPECT_OK(troupe_ecs_add(stage.ecs, entity, stage.position)); // it has it: nothing happens

    const struct position *position =
        TROUPE_ECS_GET(stage.ecs, entity, stage.position, struct position);
    const struct velocity *velocity =
        TROUPE_ECS_GET(stage.ecs, entity, stage.velocity, struct velocity);
    cr_assert(position != NULL && velocity != NULL);
    cr_expect(position->x == 3.0F && position->y == -3.0F);
    cr_expect(velocity->x == 0.0F && velocity->y == 0.0F);
}

Test(ecs_entities, can_be_set_to_the_value_of_another_component_while_rows_move)
{
    troupe_ecs_component_t before = entities_component(stage.ecs, "before", 8);
    enum { ENTITIES = 40 }; // more than a table has room for at first
    troupe_ecs_entity_t entities[ENTITIES];
    for (uint32_t i = 0; i < ENTITIES; i++) {
        entities[i] = entities_at(&stage, (float)i);
    }
    for (uint32_t i = 0; i < ENTITIES; i++) { // its own value; the last row fills its place
        EXPECT_OK(TROUPE_ECS_SET(
            stage.ecs,
            entities[i],
            before,
            TROUPE_ECS_GET(stage.ecs, entities[i], stage.position, struct position)));
    }

    for (uint32_t i = 0; i < ENTITIES; i++) {
        const struct position *value =
            TROUPE_ECS_GET(stage.ecs, entities[i], before, struct position);
        cr_expect(value->x == (float)i && entities_x(&stage, entities[i]) == (float)i);
    }
}

Test(ecs_entities, can_be_set_to_the_value_of_an_entity_of_a_table_that_grows)
{
    enum { ENTITIES = 300 };
    troupe_ecs_entity_t last = entities_at(&stage, 7);
    for (uint32_t i = 0; i < ENTITIES; i++) {
        troupe_ecs_entity_t next = entities_new(stage.ecs);
        EXPECT_OK(TROUPE_ECS_SET(
            stage.ecs,
            next,
            stage.position,
            TROUPE_ECS_GET(stage.ecs, last, stage.position, struct position)));
        cr_assert(entities_x(&stage, next) == 7.0F, "entity %u", i);
        EXPECT_OK(TROUPE_ECS_SET( // to itself
            stage.ecs,
            next,
            stage.position,
            TROUPE_ECS_GET(stage.ecs, next, stage.position, struct position)));
        last = next;
    }
    cr_expect(entities_x(&stage, last) == 7.0F);
}

Test(ecs_entities, lose_what_is_removed_and_keep_the_rest)
{
    troupe_ecs_entity_t entity = entities_at(&stage, 3);
    EXPECT_OK(troupe_ecs_add(stage.ecs, entity, stage.velocity));
    EXPECT_OK(troupe_ecs_remove(stage.ecs, entity, stage.velocity));

    cr_expect(not(troupe_ecs_has(stage.ecs, entity, stage.velocity)));
    cr_expect(entities_x(&stage, entity) == 3.0F);
    EXPECT_REFUSED(
        troupe_ecs_remove(stage.ecs, entity, stage.velocity), TROUPE_ERR_NOENT, "'velocity'");
}

Test(ecs_entities, can_be_tagged)
{
    troupe_ecs_entity_t entity = entities_at(&stage, 3);
    EXPECT_OK(troupe_ecs_add(stage.ecs, entity, stage.tag));
    cr_expect(troupe_ecs_has(stage.ecs, entity, stage.tag));
    EXPECT_OK(troupe_ecs_set(stage.ecs, entity, stage.tag, NULL, 0)); // as troupe_ecs_add()
    cr_expect(eq(ptr, troupe_ecs_get(stage.ecs, entity, stage.tag, 0), NULL), "there is no value");
    EXPECT_OK(troupe_ecs_remove(stage.ecs, entity, stage.tag));
    cr_expect(not(troupe_ecs_has(stage.ecs, entity, stage.tag)));
}

Test(ecs_entities, have_components_of_any_size)
{
    char name[16];
    uint8_t bytes[100];
    memset(bytes, 7, sizeof(bytes));
    troupe_ecs_entity_t entities[2] = {entities_new(stage.ecs), entities_new(stage.ecs)};
    for (size_t size = 1; size <= sizeof(bytes); size++) {
        (void)snprintf(name, sizeof(name), "of %zu", size);
        troupe_ecs_component_t component = entities_component(stage.ecs, name, size);
        for (int i = 0; i < 2; i++) {
            EXPECT_OK(troupe_ecs_set(stage.ecs, entities[i], component, bytes, size));
        }
    }
    EXPECT_OK(troupe_ecs_delete(stage.ecs, entities[0]));
    for (size_t size = 1; size <= sizeof(bytes); size++) {
        (void)snprintf(name, sizeof(name), "of %zu", size);
        const void *value = troupe_ecs_get(
            stage.ecs, entities[1], troupe_ecs_component_lookup(stage.ecs, name), size);
        cr_expect(value != NULL && memcmp(value, bytes, size) == 0, "%zu", size);
    }
}

Test(ecs_components, are_found_again_under_the_same_name_and_size, .timeout = 20)
{
    open_stage();
    cr_expect(eq(
        u32, entities_component(stage.ecs, "position", sizeof(struct position)), stage.position));
    cr_expect(eq(u32, troupe_ecs_component_lookup(stage.ecs, "position"), stage.position));
    cr_expect(eq(u32, troupe_ecs_component_lookup(stage.ecs, "unknown"), 0));
    cr_expect(eq(u32, troupe_ecs_component_lookup(stage.ecs, "actor"), TROUPE_ECS_ACTOR));
    close_stage();
}

/* Deferring. ------------------------------------------------------------------------------------ */

Test(ecs_entities, change_in_order_when_deferred_changes_are_applied)
{
    troupe_ecs_entity_t entity = entities_at(&stage, 1);
    const struct position position = {5, 5};
    EXPECT_OK(troupe_ecs_defer_begin(stage.ecs));
    EXPECT_OK(troupe_ecs_defer_begin(stage.ecs)); // pairs nest
    EXPECT_OK(troupe_ecs_remove(stage.ecs, entity, stage.position));
    EXPECT_OK(TROUPE_ECS_SET(stage.ecs, entity, stage.position, &position));
    EXPECT_OK(troupe_ecs_add(stage.ecs, entity, stage.tag));
    EXPECT_OK(troupe_ecs_remove(stage.ecs, entity, stage.velocity)); // it has none: skipped
    EXPECT_OK(troupe_ecs_defer_end(stage.ecs));
    cr_expect(entities_x(&stage, entity) == 1.0F);
    cr_expect(not(troupe_ecs_has(stage.ecs, entity, stage.tag)));

    EXPECT_OK(troupe_ecs_defer_end(stage.ecs));

    cr_expect(entities_x(&stage, entity) == 5.0F);
    cr_expect(troupe_ecs_has(stage.ecs, entity, stage.tag));
    EXPECT_REFUSED(troupe_ecs_defer_end(stage.ecs), TROUPE_ERR_INVAL, "defer_begin");
}

Test(ecs_entities, that_are_deleted_have_their_deferred_changes_skipped)
{
    troupe_ecs_entity_t entity = entities_at(&stage, 1);
    EXPECT_OK(troupe_ecs_defer_begin(stage.ecs));
    troupe_ecs_entity_t made = entities_new(stage.ecs); // not deferred
    EXPECT_OK(troupe_ecs_add(stage.ecs, made, stage.tag));
    EXPECT_OK(troupe_ecs_delete(stage.ecs, entity));
    EXPECT_OK(troupe_ecs_delete(stage.ecs, entity)); // not applied yet
    EXPECT_OK(troupe_ecs_add(stage.ecs, entity, stage.tag));
    cr_expect(troupe_ecs_is_alive(stage.ecs, entity));
    EXPECT_OK(troupe_ecs_defer_end(stage.ecs));

    cr_expect(not(troupe_ecs_is_alive(stage.ecs, entity)));
    cr_expect(troupe_ecs_has(stage.ecs, made, stage.tag));
    cr_expect(eq(u32, entities_count(stage.ecs, stage.tag), 1));
}

/* A model. ------------------------------------------------------------------------------------- */

enum { MODEL_ENTITIES = 300, MODEL_COMPONENTS = 12, MODEL_STEPS = 60000 };

/** What random changes should lead to. */
struct model {
    troupe_ecs_entity_t entities[MODEL_ENTITIES]; // 0: not there
    uint32_t has[MODEL_ENTITIES];                 // a bit for each component
    uint32_t values[MODEL_ENTITIES][MODEL_COMPONENTS];
    troupe_ecs_component_t components[MODEL_COMPONENTS];
};

static void model_step(struct model *model, struct chance *chance)
{
    uint32_t i = chance_below(chance, MODEL_ENTITIES);
    uint32_t c = chance_below(chance, MODEL_COMPONENTS);
    if (model->entities[i] == 0) {
        model->entities[i] = entities_new(stage.ecs);
        model->has[i] = 0;
        return;
    }
    switch (chance_below(chance, 8)) {
    case 0:
        EXPECT_OK(troupe_ecs_delete(stage.ecs, model->entities[i]));
        model->entities[i] = 0;
        break;
    case 1:
    case 2:
        (void)troupe_ecs_remove(stage.ecs, model->entities[i], model->components[c]);
        model->has[i] &= ~(1u << c);
        break;
    case 3:
        EXPECT_OK(troupe_ecs_add(stage.ecs, model->entities[i], model->components[c]));
        model->values[i][c] = (model->has[i] & 1u << c) != 0 ? model->values[i][c] : 0;
        model->has[i] |= 1u << c;
        break;
    default:
        model->values[i][c] = (uint32_t)chance_bits(chance);
        EXPECT_OK(TROUPE_ECS_SET(
            stage.ecs, model->entities[i], model->components[c], &model->values[i][c]));
        model->has[i] |= 1u << c;
        break;
    }
}

/** Compare the world with what it should be. */
static void model_compare(const struct model *model)
{
    uint32_t counts[MODEL_COMPONENTS] = {0};
    for (uint32_t i = 0; i < MODEL_ENTITIES; i++) {
        for (uint32_t c = 0; model->entities[i] != 0 && c < MODEL_COMPONENTS; c++) {
            const uint32_t *value =
                TROUPE_ECS_GET(stage.ecs, model->entities[i], model->components[c], uint32_t);
            bool has = (model->has[i] & 1u << c) != 0;
            cr_assert(eq(int, value != NULL, has), "entity %u, component %u", i, c);
            cr_assert(value == NULL || *value == model->values[i][c]);
            counts[c] += has ? 1 : 0;
        }
    }
    for (uint32_t c = 0; c < MODEL_COMPONENTS; c++) {
        cr_assert(eq(u32, entities_count(stage.ecs, model->components[c]), counts[c]));
    }
}

Test(ecs_entities, match_a_model_after_random_changes)
{
    static struct model model;
    struct chance chance = chance_open("ecs_entities");
    for (uint32_t c = 0; c < MODEL_COMPONENTS; c++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "number %u", c);
        model.components[c] = entities_component(stage.ecs, name, sizeof(uint32_t));
    }
    for (uint32_t step = 0; step < MODEL_STEPS; step++) {
        bool defers = chance_one_in(&chance, 100);
        if (defers) {
            EXPECT_OK(troupe_ecs_defer_begin(stage.ecs));
        }
        for (uint32_t i = 0; i < (defers ? 50 : 1); i++) {
            model_step(&model, &chance);
        }
        if (defers) {
            EXPECT_OK(troupe_ecs_defer_end(stage.ecs));
        }
        if (step % 5000 == 0) {
            model_compare(&model);
        }
    }
    model_compare(&model);
}

/*
 * Queries: which entities they find, also new ones, and that nothing moves during an iteration.
 */
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

TestSuite(ecs_queries, .timeout = 20, .init = open_stage, .fini = close_stage);

static troupe_ecs_query_t *query_of(const struct troupe_ecs_term *terms)
{
    troupe_ecs_query_t *query = NULL;
    EXPECT_OK(troupe_ecs_query_new(stage.ecs, terms, &query));
    return query;
}

static uint32_t count_all(troupe_ecs_query_t *query)
{
    uint32_t count = 0;
    struct troupe_ecs_iter it = troupe_ecs_query_iter(query);
    while (troupe_ecs_query_next(&it)) {
        count += it.count;
    }
    return count;
}

Test(ecs_queries, find_entities_that_match_all_terms)
{
    troupe_ecs_query_t *both = query_of((const struct troupe_ecs_term[]){
        {.component = stage.position}, {.component = stage.velocity}, {0}});
    troupe_ecs_query_t *still = query_of((const struct troupe_ecs_term[]){
        {.component = stage.position}, {.component = stage.velocity, .oper = TROUPE_ECS_NOT}, {0}});
    for (int i = 0; i < 10; i++) {
        troupe_ecs_entity_t entity = entities_at(&stage, 1);
        if (i < 4) {
            EXPECT_OK(troupe_ecs_add(stage.ecs, entity, stage.velocity));
        }
        if (i % 2 == 0) {
            EXPECT_OK(troupe_ecs_add(stage.ecs, entity, stage.tag)); // another table
        }
    }
    (void)entities_new(stage.ecs);
    cr_expect(eq(u32, count_all(both), 4));
    cr_expect(eq(u32, count_all(still), 6));
    EXPECT_OK(troupe_ecs_query_destroy(&both));
    EXPECT_OK(troupe_ecs_query_destroy(&both)); // NULL: does nothing
}

Test(ecs_queries, give_fields_as_arrays_and_none_where_an_optional_one_is_missing)
{
    troupe_ecs_entity_t moving = entities_at(&stage, 1);
    EXPECT_OK(troupe_ecs_add(stage.ecs, moving, stage.velocity));
    (void)entities_at(&stage, 2);
    troupe_ecs_query_t *query = query_of((const struct troupe_ecs_term[]){
        {.component = stage.position},
        {.component = stage.velocity, .oper = TROUPE_ECS_OPTIONAL},
        {0}});

    uint32_t tables = 0;
    struct troupe_ecs_iter it = troupe_ecs_query_iter(query);
    while (troupe_ecs_query_next(&it)) {
        const struct position *p = TROUPE_ECS_FIELD(&it, struct position, 0);
        const struct velocity *v = TROUPE_ECS_FIELD(&it, struct velocity, 1);
        cr_assert(p != NULL && it.count == 1);
        cr_expect(it.component == 0 && it.event == 0 && it.system == 0 && it.delta_ns == 0);
        cr_expect(eq(int, v != NULL, it.entities[0] == moving));
        cr_expect(p->x == (v != NULL ? 1.0F : 2.0F));
        cr_expect(eq(ptr, troupe_ecs_field(&it, 1, 0), NULL));
        cr_expect(strstr(troupe_error_detail(), "'position' has 8 bytes, not 1") != NULL);
        cr_expect(eq(ptr, TROUPE_ECS_FIELD(&it, struct position, 2), NULL));
        tables++;
    }
    cr_expect(eq(u32, tables, 2));
}

Test(ecs_queries, defer_changes_until_they_end)
{
    for (int i = 0; i < 100; i++) {
        (void)entities_at(&stage, (float)i);
    }
    troupe_ecs_query_t *query =
        query_of((const struct troupe_ecs_term[]){{.component = stage.position}, {0}});
    uint32_t count = 0;
    struct troupe_ecs_iter it = troupe_ecs_query_iter(query);
    while (troupe_ecs_query_next(&it)) {
        const struct position *p = TROUPE_ECS_FIELD(&it, struct position, 0);
        for (uint32_t i = 0; i < it.count; i++) {
            float x = p[i].x;
            troupe_ecs_entity_t made = entities_new(stage.ecs);
            EXPECT_OK(TROUPE_ECS_SET(stage.ecs, made, stage.position, &p[i]));
            EXPECT_OK(troupe_ecs_add(stage.ecs, it.entities[i], stage.tag));
            if (i % 2 == 0) {
                EXPECT_OK(troupe_ecs_delete(stage.ecs, it.entities[i]));
            }
            cr_assert(p[i].x == x && troupe_ecs_is_alive(stage.ecs, it.entities[i]));
            cr_assert(not(troupe_ecs_has(stage.ecs, it.entities[i], stage.tag)));
            count++;
        }
    }
    cr_expect(eq(u32, count, 100), "entities that the loop made are not part of it");
    cr_expect(eq(u32, count_all(query), 150));
    cr_expect(eq(u32, entities_count(stage.ecs, stage.tag), 50));
}

Test(ecs_queries, can_be_left_early)
{
    troupe_ecs_entity_t entity = entities_at(&stage, 1);
    troupe_ecs_query_t *query =
        query_of((const struct troupe_ecs_term[]){{.component = stage.position}, {0}});
    struct troupe_ecs_iter it = troupe_ecs_query_iter(query);
    cr_assert(troupe_ecs_query_next(&it));
    EXPECT_OK(troupe_ecs_add(stage.ecs, entity, stage.tag));
    EXPECT_REFUSED(troupe_ecs_query_destroy(&query), TROUPE_ERR_INVAL, "iter_fini");

    troupe_ecs_iter_fini(&it);

    cr_expect(troupe_ecs_has(stage.ecs, entity, stage.tag));
    cr_expect(not(troupe_ecs_query_next(&it)));
    troupe_ecs_iter_fini(&it); // at its end: does nothing
    EXPECT_OK(troupe_ecs_query_destroy(&query));
}

Test(ecs_queries, that_are_left_before_their_first_table_are_at_their_end)
{
    (void)entities_at(&stage, 1);
    troupe_ecs_query_t *query =
        query_of((const struct troupe_ecs_term[]){{.component = stage.position}, {0}});
    struct troupe_ecs_iter it = troupe_ecs_query_iter(query);

    troupe_ecs_iter_fini(&it);

    cr_expect(not(troupe_ecs_query_next(&it)));
    EXPECT_OK(troupe_ecs_query_destroy(&query));
}

Test(ecs_queries, may_be_iterated_within_one_another)
{
    for (int i = 0; i < 5; i++) {
        EXPECT_OK(troupe_ecs_add(stage.ecs, entities_at(&stage, 1), stage.velocity));
    }
    troupe_ecs_query_t *query =
        query_of((const struct troupe_ecs_term[]){{.component = stage.position}, {0}});
    uint32_t pairs = 0;
    struct troupe_ecs_iter outer = troupe_ecs_query_iter(query);
    while (troupe_ecs_query_next(&outer)) {
        for (uint32_t i = 0; i < outer.count; i++) {
            pairs += count_all(query);
            EXPECT_OK(troupe_ecs_add(stage.ecs, outer.entities[i], stage.tag));
        }
    }
    cr_expect(eq(u32, pairs, 25));
    cr_expect(eq(u32, entities_count(stage.ecs, stage.tag), 5));
}

Test(ecs_queries, that_are_left_open_are_closed_by_the_next_tick)
{
    troupe_ecs_entity_t entity = entities_at(&stage, 1);
    troupe_ecs_query_t *query =
        query_of((const struct troupe_ecs_term[]){{.component = stage.position}, {0}});
    struct troupe_ecs_iter it = troupe_ecs_query_iter(query);
    cr_assert(troupe_ecs_query_next(&it));
    EXPECT_OK(troupe_ecs_add(stage.ecs, entity, stage.tag));

    EXPECT_OK(troupe_system_progress(stage.system, NULL));

    cr_expect(troupe_ecs_has(stage.ecs, entity, stage.tag));
    cr_expect(not(troupe_ecs_query_next(&it)));
    EXPECT_OK(troupe_ecs_remove(stage.ecs, entity, stage.tag));
    cr_expect(not(troupe_ecs_has(stage.ecs, entity, stage.tag)));
}

Test(ecs_queries, over_nothing_find_nothing)
{
    cr_expect(eq(u32, count_all(NULL), 0));
}

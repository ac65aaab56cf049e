/*
 * The ECS world without memory: each of its allocations fails once, and each together with some that follow. The call
 * returns TROUPE_ERR_NOMEM and has changed nothing; stashed changes are retained. When the calls are repeated with
 * memory, the result is as if no allocation had failed.
 */
// ctest: timeout 120
#include "../unit/entities.h"
#include "failure/ration.h"

TestSuite(ecs_allocations, .timeout = 300);

enum { ENTITIES = 40, COMPONENTS = 12, IN_A_ROW = 3, TRIES = 200 };

static uint32_t added;
static uint32_t removed;

static void count_change(struct troupe_ecs_iter *it)
{
    added += it->event == TROUPE_ECS_ON_ADD ? 1 : 0;
    removed += it->event == TROUPE_ECS_ON_REMOVE ? 1 : 0;
}

/** Repeat a call until there is memory for it. */
#define UNTIL_OK(call)                                                                             \
    do {                                                                                           \
        enum troupe_err until_err = TROUPE_ERR_NOMEM;                                              \
        for (int until_try = 0; until_err == TROUPE_ERR_NOMEM && until_try < TRIES; until_try++) { \
            until_err = (call);                                                                    \
        }                                                                                          \
        cr_assert(until_err == TROUPE_OK, "%s: %s", #call, troupe_error_detail());                 \
    } while (0)

/** What one run works with. */
struct run {
    troupe_system_t *system;
    troupe_ecs_t *ecs;
    troupe_ecs_component_t components[COMPONENTS];
    troupe_ecs_entity_t entities[ENTITIES];
    troupe_ecs_query_t *query;
    uint32_t entity_count; // of the system
};

static void visit(struct troupe_ecs_iter *it)
{
    struct run *run = it->data;
    run->entity_count += it->count;
    for (uint32_t i = 0; i < it->count; i++) {
        UNTIL_OK(troupe_ecs_add(it->ecs, it->entities[i], run->components[2]));
    }
}

static void run_open(struct run *run)
{
    troupe_context_t *ctx = troupe_system_context(run->system);
    for (int try = 0; run->ecs == NULL && try < TRIES; try++) {
        run->ecs = troupe_ecs_world(ctx);
    }
    cr_assert(run->ecs != NULL);
    for (uint32_t c = 0; c < COMPONENTS; c++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "%u", c);
        const struct troupe_ecs_component_options options = {
            .name = name, .bytes = c * sizeof(uint32_t)};
        UNTIL_OK(troupe_ecs_component_new(run->ecs, &options, &run->components[c]));
    }
    const struct troupe_ecs_term terms[] = {{.component = run->components[0]}, {0}};
    UNTIL_OK(troupe_ecs_query_new(run->ecs, terms, &run->query));
    const struct troupe_ecs_observer_options observer = {
        .component = run->components[1],
        .events = TROUPE_ECS_ON_ADD | TROUPE_ECS_ON_REMOVE,
        .callback = count_change,
    };
    UNTIL_OK(troupe_ecs_observer_new(run->ecs, &observer, NULL));
    struct troupe_ecs_system_options system = {.name = "visit", .callback = visit, .data = run};
    system.terms[0].component = run->components[1];
    UNTIL_OK(troupe_ecs_system_new(run->ecs, &system, NULL));
}

/** Give each entity components 0 to 3, by twos and threes more, and take some away again. */
static void run_change(struct run *run)
{
    const uint32_t values[COMPONENTS] = {1, 2, 3};
    for (uint32_t i = 0; i < ENTITIES; i++) {
        UNTIL_OK(troupe_ecs_new(run->ecs, &run->entities[i]));
        UNTIL_OK(troupe_ecs_add(run->ecs, run->entities[i], run->components[0]));
        UNTIL_OK(troupe_ecs_set(
            run->ecs, run->entities[i], run->components[1], values, sizeof(uint32_t)));
        uint32_t other = 3 + i % (COMPONENTS - 3);
        UNTIL_OK(troupe_ecs_set(
            run->ecs, run->entities[i], run->components[other], values, other * sizeof(uint32_t)));
        if (i % 4 == 0) {
            UNTIL_OK(troupe_ecs_remove(run->ecs, run->entities[i], run->components[1]));
        }
    }
}

/** Delete entities in a loop over a query. */
static void run_iterate(struct run *run)
{
    uint32_t count = 0;
    struct troupe_ecs_iter it = troupe_ecs_query_iter(run->query);
    while (troupe_ecs_query_next(&it)) {
        for (uint32_t i = 0; i < it.count; i++, count++) {
            if ((uint32_t)it.entities[i] % 5 == 0) {
                UNTIL_OK(troupe_ecs_delete(run->ecs, it.entities[i]));
            } else {
                UNTIL_OK(troupe_ecs_remove(run->ecs, it.entities[i], run->components[3]));
            }
        }
    }
    cr_assert(eq(u32, count, ENTITIES));
    // Changes there was no memory for were kept, and the next change would apply them first.
    UNTIL_OK(troupe_ecs_defer_begin(run->ecs));
    enum troupe_err err = troupe_ecs_defer_end(run->ecs);
    for (int try = 0; err == TROUPE_ERR_NOMEM && try < TRIES; try++) {
        UNTIL_OK(troupe_ecs_defer_begin(run->ecs));
        err = troupe_ecs_defer_end(run->ecs);
    }
    cr_assert(eq(int, err, TROUPE_OK));
}

/** Check the result, which does not depend on the allocations that failed. */
static void run_check(struct run *run)
{
    uint32_t with_1 = 0;
    for (uint32_t i = 0; i < ENTITIES; i++) {
        bool deleted = (uint32_t)run->entities[i] % 5 == 0;
        cr_expect(ne(int, troupe_ecs_is_alive(run->ecs, run->entities[i]), deleted));
        bool has_1 = troupe_ecs_has(run->ecs, run->entities[i], run->components[1]);
        cr_expect(eq(int, has_1, !deleted && i % 4 != 0));
        cr_expect(eq(int, troupe_ecs_has(run->ecs, run->entities[i], run->components[2]), has_1));
        cr_expect(not(troupe_ecs_has(run->ecs, run->entities[i], run->components[3])));
        with_1 += has_1 ? 1 : 0;
    }
    cr_expect(eq(u32, added, ENTITIES));
    cr_expect(eq(u32, removed, ENTITIES - with_1));
    cr_expect(eq(u32, run->entity_count, with_1));
}

/** Run it all with some allocations failing. @return how many did. */
static uint64_t run_once(uint64_t first, uint64_t last)
{
    const struct troupe_system_options options = {.behaviours = TROUPE_BEHAVIOURS(&entities_idle)};
    struct run run = {0};
    added = 0;
    removed = 0;
    atomic_store(&ration.count, 0);
    atomic_store(&ration.failed, 0);
    EXPECT_OK(troupe_system_new(&options, &run.system));
    ration_open(first, last);
    run_open(&run);
    run_change(&run);
    run_iterate(&run);
    EXPECT_OK(troupe_system_progress(run.system, NULL));
    UNTIL_OK(troupe_ecs_add(run.ecs, run.entities[1], run.components[0])); // catches up
    run_check(&run);
    EXPECT_OK(troupe_system_destroy(&run.system));
    cr_assert(eq(u32, ration_close(), 0), "allocation %llu", (unsigned long long)first);
    return atomic_load(&ration.failed);
}

Test(ecs_allocations, each_failure_is_an_error_and_changes_nothing)
{
    uint64_t number = 1;
    while (run_once(number, number) != 0) {
        number++;
    }
    cr_expect(gt(u64, number, 100), "only %llu allocations", (unsigned long long)number);
}

Test(ecs_allocations, several_failures_in_a_row_are_errors_and_change_nothing)
{
    uint64_t number = 1;
    while (run_once(number, number + IN_A_ROW) != 0) {
        number++;
    }
}

Test(ecs_allocations, a_change_that_cannot_be_applied_is_retained_until_there_is_memory)
{
    struct stage stage;
    stage_open(&stage);
    troupe_ecs_entity_t entity = entities_at(&stage, 1);
    EXPECT_OK(troupe_ecs_defer_begin(stage.ecs));
    EXPECT_OK(troupe_ecs_add(stage.ecs, entity, stage.velocity)); // a table that is not there yet
    EXPECT_OK(troupe_ecs_add(stage.ecs, entity, stage.tag));

    ration_open(1, UINT64_MAX);
    cr_expect(eq(int, troupe_ecs_defer_end(stage.ecs), TROUPE_ERR_NOMEM));
    cr_expect(eq(int, troupe_ecs_remove(stage.ecs, entity, stage.position), TROUPE_ERR_NOMEM));
    (void)ration_close();
    cr_expect(not(troupe_ecs_has(stage.ecs, entity, stage.velocity)));
    EXPECT_OK(troupe_system_progress(stage.system, NULL));

    cr_expect(troupe_ecs_has(stage.ecs, entity, stage.velocity));
    cr_expect(troupe_ecs_has(stage.ecs, entity, stage.tag));
    cr_expect(troupe_ecs_has(stage.ecs, entity, stage.position));
    stage_close(&stage);
}

Test(ecs_allocations, a_value_that_lies_in_the_world_is_read_before_changes_that_were_retained)
{
    struct stage stage;
    stage_open(&stage);
    troupe_ecs_entity_t first = entities_at(&stage, 1);
    troupe_ecs_entity_t second = entities_at(&stage, 2);
    troupe_ecs_entity_t third = entities_new(stage.ecs);
    EXPECT_OK(troupe_ecs_defer_begin(stage.ecs));
    EXPECT_OK(
        troupe_ecs_add(stage.ecs, first, stage.velocity)); // the row of `second` fills its place
    ration_open(1, UINT64_MAX);
    cr_expect(eq(int, troupe_ecs_defer_end(stage.ecs), TROUPE_ERR_NOMEM));
    (void)ration_close();

    EXPECT_OK(TROUPE_ECS_SET(
        stage.ecs,
        third,
        stage.position,
        TROUPE_ECS_GET(stage.ecs, first, stage.position, struct position)));

    cr_expect(entities_x(&stage, third) == 1.0F);
    cr_expect(entities_x(&stage, second) == 2.0F);
    stage_close(&stage);
}

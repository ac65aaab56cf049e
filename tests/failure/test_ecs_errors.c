/*
 * Wrong uses of the ECS world: each returns its error with a text, and nothing changes.
 */
#include "../unit/entities.h"

#include <pthread.h>

static struct stage stage;

static void open_stage(void)
{
    stage_open(&stage);
}

static void close_stage(void)
{
    stage_close(&stage);
}

TestSuite(ecs_errors, .timeout = 20, .init = open_stage, .fini = close_stage);

static void nothing(struct troupe_ecs_iter *it)
{
    (void)it;
}

/* Components. ---------------------------------------------------------------------------------- */

static enum troupe_err register_as(const char *name, size_t bytes)
{
    const struct troupe_ecs_component_options options = {.name = name, .bytes = bytes};
    troupe_ecs_component_t component = UINT32_MAX;
    enum troupe_err err = troupe_ecs_component_new(stage.ecs, &options, &component);
    cr_expect(eq(int, err == TROUPE_OK, component != UINT32_MAX), "it is written on success only");
    return err;
}

Test(ecs_errors, a_component_has_a_unique_name_and_one_size)
{
    const struct troupe_ecs_system_options options = {.name = "move", .callback = nothing};
    EXPECT_OK(troupe_ecs_system_new(stage.ecs, &options, NULL));
    EXPECT_REFUSED(register_as("position", 12), TROUPE_ERR_EXISTS, "has 8 bytes already, not 12");
    EXPECT_REFUSED(register_as("move", 8), TROUPE_ERR_EXISTS, "a system named 'move'");
    EXPECT_REFUSED(
        register_as("actor", sizeof(troupe_ref_t)), TROUPE_ERR_EXISTS, "a component named");
    EXPECT_REFUSED(register_as(NULL, 8), TROUPE_ERR_INVAL, "needs a name");
    EXPECT_REFUSED(register_as("", 8), TROUPE_ERR_INVAL, "needs a name");
    EXPECT_REFUSED(
        register_as("huge", TROUPE_ECS_COMPONENT_BYTES_MAX + 1), TROUPE_ERR_INVAL, "pointer");
    EXPECT_OK(register_as("large", TROUPE_ECS_COMPONENT_BYTES_MAX));
}

Test(ecs_errors, the_number_of_components_is_limited)
{
    enum troupe_err err = TROUPE_OK;
    uint32_t count = 4; // those of the stage, and that of actors
    while (err == TROUPE_OK) {
        char name[16];
        (void)snprintf(name, sizeof(name), "%u", count);
        err = register_as(name, 4);
        count += err == TROUPE_OK ? 1 : 0;
    }
    EXPECT_REFUSED(register_as("one more", 4), TROUPE_ERR_LIMIT, "4096 components");
    cr_expect(eq(u32, count, TROUPE_ECS_COMPONENTS_MAX));

    // The last one works like the first.
    troupe_ecs_component_t last = troupe_ecs_component_lookup(stage.ecs, "4095");
    troupe_ecs_entity_t entity = entities_at(&stage, 1);
    const uint32_t value = 5;
    EXPECT_OK(TROUPE_ECS_SET(stage.ecs, entity, last, &value));
    cr_expect(eq(u32, *TROUPE_ECS_GET(stage.ecs, entity, last, uint32_t), 5));
}

Test(ecs_errors, a_component_that_was_not_registered_is_an_error)
{
    troupe_ecs_entity_t entity = entities_at(&stage, 1);
    const uint32_t value = 5;
    const troupe_ecs_component_t none[] = {0, 99, UINT32_MAX};
    for (size_t i = 0; i < 3; i++) {
        troupe_ecs_component_t no = none[i];
        EXPECT_REFUSED(troupe_ecs_add(stage.ecs, entity, no), TROUPE_ERR_INVAL, "no component");
        EXPECT_REFUSED(troupe_ecs_remove(stage.ecs, entity, no), TROUPE_ERR_INVAL, "no component");
        EXPECT_REFUSED(
            TROUPE_ECS_SET(stage.ecs, entity, no, &value), TROUPE_ERR_INVAL, "no component");
        cr_expect(not(troupe_ecs_has(stage.ecs, entity, no)));
        cr_expect(eq(ptr, TROUPE_ECS_GET(stage.ecs, entity, no, uint32_t), NULL));
    }
}

Test(ecs_errors, a_size_must_be_that_of_the_component)
{
    troupe_ecs_entity_t entity = entities_at(&stage, 1);
    const double large[2] = {0};
    EXPECT_REFUSED(
        TROUPE_ECS_SET(stage.ecs, entity, stage.position, &large),
        TROUPE_ERR_INVAL,
        "'position' has 8 bytes, not 16");
    EXPECT_REFUSED(
        troupe_ecs_set(stage.ecs, entity, stage.position, NULL, 8), TROUPE_ERR_INVAL, "no value");
    EXPECT_REFUSED(
        troupe_ecs_set(stage.ecs, entity, stage.tag, large, 4), TROUPE_ERR_INVAL, "has 0 bytes");
    cr_expect(eq(ptr, troupe_ecs_get(stage.ecs, entity, stage.position, 4), NULL));
    cr_expect(strstr(troupe_error_detail(), "not 4") != NULL, "%s", troupe_error_detail());
    cr_expect(eq(ptr, troupe_ecs_get(stage.ecs, entity, stage.velocity, 8), NULL));
    cr_expect(strstr(troupe_error_detail(), "has no component 'velocity'") != NULL);
}

Test(ecs_errors, the_component_of_actors_cannot_be_changed)
{
    troupe_ecs_entity_t entity = entities_at(&stage, 1);
    const troupe_ref_t ref = {1, 0, 0, 1};
    EXPECT_REFUSED(
        TROUPE_ECS_SET(stage.ecs, entity, TROUPE_ECS_ACTOR, &ref), TROUPE_ERR_INVAL, "'actor'");
    EXPECT_REFUSED(
        troupe_ecs_add(stage.ecs, entity, TROUPE_ECS_ACTOR), TROUPE_ERR_INVAL, "'actor'");
    EXPECT_REFUSED(
        troupe_ecs_remove(stage.ecs, entity, TROUPE_ECS_ACTOR), TROUPE_ERR_INVAL, "'actor'");
}

Test(ecs_errors, the_entity_of_an_actor_cannot_be_deleted)
{
    const struct troupe_spawn_options options = {.behaviour = &entities_idle};
    troupe_ref_t ref = TROUPE_REF_NONE;
    EXPECT_OK(troupe_spawn(troupe_system_context(stage.system), &options, &ref));
    troupe_ecs_entity_t entity = 0;
    EXPECT_OK(troupe_ecs_entity_of(stage.ecs, ref, &entity)); // before it has started, too
    EXPECT_REFUSED(troupe_ecs_delete(stage.ecs, entity), TROUPE_ERR_INVAL, "troupe_stop_actor");
    EXPECT_REFUSED(
        troupe_ecs_entity_of(stage.ecs, TROUPE_REF_NONE, &entity), TROUPE_ERR_NOENT, "no actor");
    cr_expect(eq(u64, troupe_ecs_self(troupe_system_context(stage.system)), 0));
}

/* Queries, systems, observers. ----------------------------------------------------------------- */

Test(ecs_errors, a_query_has_terms)
{
    troupe_ecs_query_t *query = NULL;
    struct troupe_ecs_term terms[TROUPE_ECS_TERMS_MAX + 2] = {{0}};
    EXPECT_REFUSED(
        troupe_ecs_query_new(stage.ecs, terms, &query), TROUPE_ERR_INVAL, "at least one term");
    terms[0] = (struct troupe_ecs_term){.component = stage.position, .oper = TROUPE_ECS_NOT};
    EXPECT_REFUSED(
        troupe_ecs_query_new(stage.ecs, terms, &query), TROUPE_ERR_INVAL, "at least one term");
    terms[0] = (struct troupe_ecs_term){stage.position, (enum troupe_ecs_oper)9};
    EXPECT_REFUSED(
        troupe_ecs_query_new(stage.ecs, terms, &query), TROUPE_ERR_INVAL, "not an operator");
    terms[0] = (struct troupe_ecs_term){99, TROUPE_ECS_AND};
    EXPECT_REFUSED(
        troupe_ecs_query_new(stage.ecs, terms, &query), TROUPE_ERR_INVAL, "no component 99");
    for (int i = 0; i <= TROUPE_ECS_TERMS_MAX; i++) {
        terms[i] = (struct troupe_ecs_term){.component = stage.position, .oper = TROUPE_ECS_AND};
    }
    EXPECT_REFUSED(
        troupe_ecs_query_new(stage.ecs, terms, &query), TROUPE_ERR_INVAL, "at most 16 terms");
    cr_expect(eq(ptr, query, NULL));
}

Test(ecs_errors, a_system_has_a_name_a_phase_and_a_callback)
{
    troupe_ecs_system_t system = 0;
    struct troupe_ecs_system_options options = {.callback = nothing};
    EXPECT_REFUSED(
        troupe_ecs_system_new(stage.ecs, &options, &system), TROUPE_ERR_INVAL, "needs a name");
    options.name = "position";
    EXPECT_REFUSED(
        troupe_ecs_system_new(stage.ecs, &options, &system),
        TROUPE_ERR_EXISTS,
        "a component named 'position'");
    options.name = "move";
    options.phase = (enum troupe_ecs_phase)20;
    EXPECT_REFUSED(
        troupe_ecs_system_new(stage.ecs, &options, &system), TROUPE_ERR_INVAL, "not a phase");
    options.phase = TROUPE_ECS_ON_UPDATE;
    options.terms[0].component = 99;
    EXPECT_REFUSED(
        troupe_ecs_system_new(stage.ecs, &options, &system), TROUPE_ERR_INVAL, "no component");
    options.terms[0].component = 0;
    options.callback = NULL;
    EXPECT_REFUSED(
        troupe_ecs_system_new(stage.ecs, &options, &system), TROUPE_ERR_INVAL, "no callback");
    cr_expect(eq(u32, system, 0));
    cr_expect(eq(u32, troupe_ecs_system_next(stage.ecs, 0), 0));
    EXPECT_REFUSED(troupe_ecs_system_enable(stage.ecs, 5, true), TROUPE_ERR_NOENT, "no system 5");
}

Test(ecs_errors, an_observer_has_an_event_and_a_callback)
{
    struct troupe_ecs_observer_options options = {
        .component = stage.position, .events = TROUPE_ECS_ON_ADD};
    EXPECT_REFUSED(
        troupe_ecs_observer_new(stage.ecs, &options, NULL), TROUPE_ERR_INVAL, "callback");
    options.callback = nothing;
    options.events = 0;
    EXPECT_REFUSED(troupe_ecs_observer_new(stage.ecs, &options, NULL), TROUPE_ERR_INVAL, "ON_ADD");
    options.events = 8;
    EXPECT_REFUSED(troupe_ecs_observer_new(stage.ecs, &options, NULL), TROUPE_ERR_INVAL, "ON_ADD");
    options.component = 99;
    EXPECT_REFUSED(
        troupe_ecs_observer_new(stage.ecs, &options, NULL), TROUPE_ERR_INVAL, "no component");
}

/* Elsewhere. ----------------------------------------------------------------------------------- */

/** Call each function where none is allowed. */
static void expect_all_refused(troupe_ecs_t *ecs, enum troupe_err expected, const char *text)
{
    const struct troupe_ecs_component_options component_options = {.name = "c", .bytes = 1};
    const struct troupe_ecs_system_options system_options = {.name = "s", .callback = nothing};
    const struct troupe_ecs_observer_options observer_options = {
        .component = 2, .events = 1, .callback = nothing};
    const struct troupe_ecs_term terms[] = {{.component = 2}, {0}};
    const struct position position = {0};
    struct troupe_ecs_system_stats stats;
    troupe_ecs_query_t *query = NULL;
    troupe_ecs_component_t component = 0;
    troupe_ecs_entity_t entity = 0;
    EXPECT_REFUSED(troupe_ecs_new(ecs, &entity), expected, text);
    EXPECT_REFUSED(troupe_ecs_delete(ecs, 1), expected, text);
    EXPECT_REFUSED(troupe_ecs_entity_of(ecs, TROUPE_REF_NONE, &entity), expected, text);
    EXPECT_REFUSED(troupe_ecs_component_new(ecs, &component_options, &component), expected, text);
    EXPECT_REFUSED(troupe_ecs_add(ecs, 1, 2), expected, text);
    EXPECT_REFUSED(troupe_ecs_remove(ecs, 1, 2), expected, text);
    EXPECT_REFUSED(TROUPE_ECS_SET(ecs, 1, 2, &position), expected, text);
    EXPECT_REFUSED(troupe_ecs_defer_begin(ecs), expected, text);
    EXPECT_REFUSED(troupe_ecs_defer_end(ecs), expected, text);
    EXPECT_REFUSED(troupe_ecs_query_new(ecs, terms, &query), expected, text);
    EXPECT_REFUSED(troupe_ecs_system_new(ecs, &system_options, NULL), expected, text);
    EXPECT_REFUSED(troupe_ecs_system_delete(ecs, 1), expected, text);
    EXPECT_REFUSED(troupe_ecs_system_enable(ecs, 1, true), expected, text);
    EXPECT_REFUSED(troupe_ecs_system_stats(ecs, 1, &stats), expected, text);
    EXPECT_REFUSED(troupe_ecs_set_period(ecs, 1), expected, text);
    EXPECT_REFUSED(troupe_ecs_set_delta(ecs, 1), expected, text);
    EXPECT_REFUSED(troupe_ecs_observer_new(ecs, &observer_options, NULL), expected, text);
    EXPECT_REFUSED(troupe_ecs_observer_delete(ecs, 1), expected, text);
    cr_expect(not(troupe_ecs_is_alive(ecs, 1)));
    cr_expect(not(troupe_ecs_has(ecs, 1, 2)));
    cr_expect(eq(ptr, TROUPE_ECS_GET(ecs, 1, 2, struct position), NULL));
    cr_expect(eq(u32, troupe_ecs_component_lookup(ecs, "position"), 0));
    cr_expect(eq(u32, troupe_ecs_system_next(ecs, 0), 0));
    cr_expect(troupe_ref_is_none(troupe_ecs_actor_of(ecs, 1)));
}

Test(ecs_errors, calls_without_a_world_change_nothing)
{
    expect_all_refused(NULL, TROUPE_ERR_UNSUPPORTED, "place it on 'ecs'");
}

Test(ecs_errors, the_world_ends_with_the_system)
{
    troupe_context_t *ctx = troupe_system_context(stage.system);
    troupe_ecs_entity_t entity = entities_at(&stage, 1);
    troupe_system_stop(stage.system);
    EXPECT_OK(troupe_system_run(stage.system));

    cr_expect(eq(ptr, troupe_ecs_world(ctx), NULL));
    cr_expect(strstr(troupe_error_detail(), "has ended") != NULL, "%s", troupe_error_detail());
    cr_expect(not(troupe_ecs_is_alive(stage.ecs, entity)), "its entities are deleted");
}

static void *trespass(void *data)
{
    troupe_ecs_query_t *query = data;
    struct troupe_ecs_iter it = troupe_ecs_query_iter(query);
    expect_all_refused(stage.ecs, TROUPE_ERR_THREAD, "thread that made the system");
    cr_expect(not(troupe_ecs_query_next(&it)));
    EXPECT_REFUSED(troupe_ecs_query_destroy(&query), TROUPE_ERR_THREAD, "thread that made");
    cr_expect(eq(ptr, troupe_ecs_world(troupe_system_context(stage.system)), NULL));
    cr_expect(strstr(troupe_error_detail(), "another thread") != NULL, "%s", troupe_error_detail());

    troupe_inbox_t *inbox = NULL;
    EXPECT_OK(troupe_inbox_new(stage.system, &inbox));
    cr_expect(eq(ptr, troupe_ecs_world(troupe_inbox_context(inbox)), NULL));
    cr_expect(eq(u64, troupe_ecs_self(troupe_inbox_context(inbox)), 0));
    EXPECT_OK(troupe_inbox_destroy(&inbox));
    return NULL;
}

Test(ecs_errors, calls_from_another_thread_change_nothing)
{
    troupe_ecs_entity_t entity = entities_at(&stage, 1);
    troupe_ecs_query_t *query = NULL;
    EXPECT_OK(troupe_ecs_query_new(
        stage.ecs, (const struct troupe_ecs_term[]){{.component = stage.position}, {0}}, &query));
    pthread_t thread;
    cr_assert(pthread_create(&thread, NULL, trespass, query) == 0);
    cr_assert(pthread_join(thread, NULL) == 0);
    cr_expect(entities_x(&stage, entity) == 1.0F);
}

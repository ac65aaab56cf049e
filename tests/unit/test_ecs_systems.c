/*
 * Systems: when they run, for which entities, how long, and that they and actors communicate by messages.
 */
#include "support/measure.h"

#include "entities.h"

static struct stage stage;

/** A clock that the test advances. */
static uint64_t clock_ns;

static uint64_t read_clock(void *data)
{
    (void)data;
    return clock_ns;
}

static void open_stage(void)
{
    clock_ns = 1000;
    const struct troupe_system_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&entities_idle),
        .clock = read_clock,
    };
    stage_open_with(&stage, &options);
}

static void close_stage(void)
{
    stage_close(&stage);
}

TestSuite(ecs_systems, .timeout = 20, .init = open_stage, .fini = close_stage);

/** The names of the systems that ran, a letter each. */
static char journal[64];

static void note(struct troupe_ecs_iter *it)
{
    struct troupe_ecs_system_stats stats;
    EXPECT_OK(troupe_ecs_system_stats(it->ecs, it->system, &stats));
    strncat(journal, stats.name, sizeof(journal) - strlen(journal) - 1);
}

static troupe_ecs_system_t system_of(const struct troupe_ecs_system_options *options)
{
    troupe_ecs_system_t system = 0;
    EXPECT_OK(troupe_ecs_system_new(stage.ecs, options, &system));
    return system;
}

static void note_in(const char *name, enum troupe_ecs_phase phase)
{
    const struct troupe_ecs_system_options options = {
        .name = name, .phase = phase, .callback = note};
    (void)system_of(&options);
}

static void tick(void)
{
    EXPECT_OK(troupe_system_progress(stage.system, NULL));
}

Test(ecs_systems, run_phase_by_phase_and_in_each_as_they_were_made)
{
    note_in("h", TROUPE_ECS_ON_STORE);
    note_in("d", TROUPE_ECS_PHASE_DEFAULT);
    note_in("c", TROUPE_ECS_PRE_UPDATE);
    note_in("a", TROUPE_ECS_ON_LOAD);
    note_in("e", TROUPE_ECS_ON_UPDATE);
    note_in("g", TROUPE_ECS_PRE_STORE);
    note_in("b", TROUPE_ECS_POST_LOAD);
    note_in("f", TROUPE_ECS_POST_UPDATE);
    note_in("v", TROUPE_ECS_ON_VALIDATE);
    tick();
    cr_expect(strcmp(journal, "abcdevfgh") == 0, "%s", journal);
}

static void move(struct troupe_ecs_iter *it)
{
    struct position *p = TROUPE_ECS_FIELD(it, struct position, 0);
    const struct velocity *v = TROUPE_ECS_FIELD(it, struct velocity, 1);
    for (uint32_t i = 0; i < it->count; i++) {
        p[i].x += v[i].x * it->delta_time;
        p[i].y += v[i].y * it->delta_time;
    }
}

Test(ecs_systems, run_for_matching_entities_with_the_time_since_their_last_run)
{
    const struct troupe_ecs_system_options options = {
        .name = "move",
        .terms = {{.component = stage.position}, {.component = stage.velocity}},
        .callback = move,
    };
    (void)system_of(&options);
    troupe_ecs_entity_t moving = entities_at(&stage, 0);
    troupe_ecs_entity_t still = entities_at(&stage, 7);
    EXPECT_OK(
        TROUPE_ECS_SET(stage.ecs, moving, stage.velocity, (&(const struct velocity){100, 0})));
    tick(); // the first is one period long
    clock_ns += MEASURE_SECOND_NS;
    tick();

    float x = entities_x(&stage, moving);
    cr_expect(x > 101.6F && x < 101.7F, "%f", (double)x);
    cr_expect(entities_x(&stage, still) == 7.0F);

    EXPECT_OK(troupe_ecs_set_delta(stage.ecs, MEASURE_SECOND_NS / 2));
    tick(); // the clock stands still
    x = entities_x(&stage, moving);
    cr_expect(x > 151.6F && x < 151.7F, "%f", (double)x);
}

static void tag_all(struct troupe_ecs_iter *it)
{
    for (uint32_t i = 0; i < it->count; i++) {
        EXPECT_OK(troupe_ecs_add(it->ecs, it->entities[i], stage.tag));
        EXPECT_OK(troupe_ecs_remove(it->ecs, it->entities[i], stage.position));
    }
}

static void expect_tagged(struct troupe_ecs_iter *it)
{
    uint32_t *count = it->data;
    *count += it->count;
}

Test(ecs_systems, see_the_changes_of_the_system_before_them)
{
    uint32_t seen = 0;
    const struct troupe_ecs_system_options tagging = {
        .name = "tagging", .terms = {{.component = stage.position}}, .callback = tag_all};
    const struct troupe_ecs_system_options counting = {
        .name = "counting",
        .terms = {{.component = stage.tag}, {.component = stage.position, .oper = TROUPE_ECS_NOT}},
        .callback = expect_tagged,
        .data = &seen,
    };
    (void)system_of(&tagging);
    (void)system_of(&counting);
    for (int i = 0; i < 50; i++) {
        (void)entities_at(&stage, 1);
    }
    tick();
    cr_expect(eq(u32, seen, 50));
}

Test(ecs_systems, run_at_their_own_intervals)
{
    const struct troupe_ecs_system_options options = {
        .name = "s",
        .callback = note,
        .interval_ns = 10,
    };
    (void)system_of(&options);
    EXPECT_OK(troupe_ecs_set_delta(stage.ecs, 4));
    for (int i = 0; i < 9; i++) {
        tick(); // at 4, 8, 12, ..., 36
    }
    cr_expect(strcmp(journal, "sss") == 0, "%s", journal); // 12, 24, 36
}

Test(ecs_systems, can_be_disabled_and_deleted)
{
    const struct troupe_ecs_system_options options = {
        .name = "o",
        .callback = note,
    };
    troupe_ecs_system_t system = system_of(&options);
    tick();
    EXPECT_OK(troupe_ecs_system_enable(stage.ecs, system, false));
    tick();
    EXPECT_OK(troupe_ecs_system_enable(stage.ecs, system, true));
    tick();
    EXPECT_OK(troupe_ecs_system_delete(stage.ecs, system));
    tick();
    cr_expect(strcmp(journal, "oo") == 0, "%s", journal);
    EXPECT_REFUSED(troupe_ecs_system_delete(stage.ecs, system), TROUPE_ERR_NOENT, "no system");
    cr_expect(ne(u32, system_of(&options), system), "its name is free, its number is not");
}

static void do_nothing(struct troupe_ecs_iter *it)
{
    (void)it;
}

/** Delete the running system, and make another one of its name. */
static void delete_itself(struct troupe_ecs_iter *it)
{
    note(it);
    EXPECT_OK(troupe_ecs_system_delete(it->ecs, it->system));
    const struct troupe_ecs_system_options options = {.name = "i", .callback = do_nothing};
    (void)system_of(&options);
}

Test(ecs_systems, may_delete_themselves_between_two_tables)
{
    EXPECT_OK(troupe_ecs_add(stage.ecs, entities_at(&stage, 1), stage.tag));
    (void)entities_at(&stage, 1);
    const struct troupe_ecs_system_options options = {
        .name = "i",
        .terms = {{.component = stage.position}},
        .callback = delete_itself,
    };
    (void)system_of(&options);
    tick();
    tick();
    cr_expect(strcmp(journal, "i") == 0, "%s", journal);
}

static void take_a_millisecond(struct troupe_ecs_iter *it)
{
    (void)it;
    uint64_t until_ns = measure_now_ns() + MEASURE_MS_NS;
    while (measure_now_ns() < until_ns) {
    }
}

Test(ecs_systems, report_how_long_they_run)
{
    const struct troupe_ecs_system_options slow = {
        .name = "slow", .phase = TROUPE_ECS_PRE_UPDATE, .callback = take_a_millisecond};
    const struct troupe_ecs_system_options moving = {
        .name = "move",
        .terms = {{.component = stage.position}, {.component = stage.velocity}},
        .callback = move};
    troupe_ecs_system_t system = system_of(&slow);
    (void)system_of(&moving);
    EXPECT_OK(troupe_ecs_add(stage.ecs, entities_at(&stage, 1), stage.velocity));
    tick();
    tick();

    struct troupe_ecs_system_stats stats;
    cr_expect(eq(u32, troupe_ecs_system_next(stage.ecs, 0), system));
    EXPECT_OK(troupe_ecs_system_stats(stage.ecs, system, &stats));
    cr_expect(strcmp(stats.name, "slow") == 0 && stats.phase == TROUPE_ECS_PRE_UPDATE);
    cr_expect(eq(u64, stats.run_count, 2));
    cr_expect(ge(u64, stats.run_ns_last, MEASURE_MS_NS));
    cr_expect(ge(u64, stats.run_ns_sum, 2 * MEASURE_MS_NS));
    cr_expect(ge(u64, stats.run_ns_max, stats.run_ns_last));
    system = troupe_ecs_system_next(stage.ecs, system);
    EXPECT_OK(troupe_ecs_system_stats(stage.ecs, system, &stats));
    cr_expect(strcmp(stats.name, "move") == 0 && stats.entity_count == 1);
    cr_expect(eq(u32, troupe_ecs_system_next(stage.ecs, system), 0));
    EXPECT_REFUSED(
        troupe_ecs_system_stats(stage.ecs, system + 1, &stats), TROUPE_ERR_NOENT, "no system");
}

/* With actors. ---------------------------------------------------------------------------------- */

enum { STEP = 1 };

/** An actor that counts its messages, and spends some time on each. */
struct walker {
    uint32_t *steps;
    uint64_t each_ns;
};

static enum troupe_err walker_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    memcpy(state, args, args_bytes);
    troupe_ecs_entity_t self = troupe_ecs_self(ctx);
    cr_assert(self != 0, "%s", troupe_error_detail());
    return troupe_ecs_add(
        troupe_ecs_world(ctx),
        self,
        troupe_ecs_component_lookup(troupe_ecs_world(ctx), "position"));
}

static void walker_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)message;
    const struct walker *self = state;
    troupe_ecs_t *ecs = troupe_ecs_world(ctx);
    struct position *position = TROUPE_ECS_GET(
        ecs, troupe_ecs_self(ctx), troupe_ecs_component_lookup(ecs, "position"), struct position);
    cr_assert(position != NULL, "%s", troupe_error_detail());
    position->x += 1;
    ++*self->steps;
    uint64_t until_ns = measure_now_ns() + self->each_ns;
    while (measure_now_ns() < until_ns) {
    }
}

static const struct troupe_behaviour walker = {
    .name = "walker",
    .state_bytes = sizeof(struct walker),
    .init = walker_init,
    .receive = walker_receive,
};

static troupe_ref_t spawn_walker(const struct walker *args)
{
    const struct troupe_spawn_options options = {
        .behaviour = &walker, .args = args, .args_bytes = sizeof(*args)};
    troupe_ref_t ref = TROUPE_REF_NONE;
    EXPECT_OK(troupe_spawn(troupe_system_context(stage.system), &options, &ref));
    return ref;
}

/** Of all walkers. They may run after the test, until the end of the system. */
static uint32_t steps;

static void open_walk(void)
{
    steps = 0;
    const struct troupe_system_options options = {.behaviours = TROUPE_BEHAVIOURS(&walker)};
    stage_open_with(&stage, &options);
}

TestSuite(ecs_walk, .timeout = 20, .init = open_walk, .fini = close_stage);

/** Send a STEP to each actor that has a position. */
static void urge(struct troupe_ecs_iter *it)
{
    const troupe_ref_t *actors = TROUPE_ECS_FIELD(it, troupe_ref_t, 0);
    for (uint32_t i = 0; i < it->count; i++) {
        EXPECT_OK(troupe_send(it->ctx, actors[i], STEP, NULL, 0));
    }
}

static void urge_all(void)
{
    const struct troupe_ecs_system_options options = {
        .name = "urge",
        .terms = {{.component = TROUPE_ECS_ACTOR}, {.component = stage.position}},
        .callback = urge};
    (void)system_of(&options);
}

Test(ecs_walk, systems_and_actors_communicate_by_messages)
{
    troupe_ref_t ref = spawn_walker(&(const struct walker){.steps = &steps});
    tick(); // it starts
    urge_all();
    tick();
    tick();
    cr_expect(eq(u32, steps, 2), "what is sent in a tick is received in that tick");

    troupe_ecs_entity_t entity = 0;
    EXPECT_OK(troupe_ecs_entity_of(stage.ecs, ref, &entity));
    cr_expect(troupe_ref_equal(troupe_ecs_actor_of(stage.ecs, entity), ref));
    cr_expect(entities_x(&stage, entity) == 2.0F);
}

Test(ecs_walk, an_actor_that_exits_loses_its_components)
{
    troupe_ref_t ref = spawn_walker(&(const struct walker){.steps = &steps});
    tick();
    troupe_ecs_entity_t entity = 0;
    EXPECT_OK(troupe_ecs_entity_of(stage.ecs, ref, &entity));
    cr_expect(eq(u32, entities_count(stage.ecs, TROUPE_ECS_ACTOR), 1));

    EXPECT_OK(troupe_stop_actor(troupe_system_context(stage.system), ref));
    tick();

    cr_expect(not(troupe_ecs_is_alive(stage.ecs, entity)));
    cr_expect(eq(u32, entities_count(stage.ecs, stage.position), 0));
    cr_expect(troupe_ref_is_none(troupe_ecs_actor_of(stage.ecs, entity)));
    EXPECT_REFUSED(troupe_ecs_entity_of(stage.ecs, ref, &entity), TROUPE_ERR_NOENT, "has exited");
}

/** How often the component of actors was added, and removed. */
struct actor_events {
    uint32_t added_count;
    uint32_t removed_count;
    troupe_ref_t actor;
};

static void count_actor(struct troupe_ecs_iter *it)
{
    struct actor_events *events = it->data;
    events->actor = *TROUPE_ECS_FIELD(it, troupe_ref_t, 0);
    events->added_count += it->event == TROUPE_ECS_ON_ADD ? 1 : 0;
    events->removed_count += it->event == TROUPE_ECS_ON_REMOVE ? 1 : 0;
}

Test(ecs_walk, the_component_of_actors_can_be_observed)
{
    static struct actor_events events; // observers run until the end of the system
    const struct troupe_ecs_observer_options options = {
        .component = TROUPE_ECS_ACTOR,
        .events = TROUPE_ECS_ON_ADD | TROUPE_ECS_ON_REMOVE,
        .callback = count_actor,
        .data = &events,
    };
    EXPECT_OK(troupe_ecs_observer_new(stage.ecs, &options, NULL));
    troupe_ref_t ref = spawn_walker(&(const struct walker){.steps = &steps});
    tick();
    cr_expect(events.added_count == 1 && events.removed_count == 0);
    cr_expect(troupe_ref_equal(events.actor, ref));

    EXPECT_OK(troupe_stop_actor(troupe_system_context(stage.system), ref));
    tick();

    cr_expect(events.added_count == 1 && events.removed_count == 1);
}

/** What an observer found when it asked for the entity of the actor that it was called for. */
struct asked {
    uint32_t call_count;
    uint32_t same_count;
};

static void ask_for_the_entity(struct troupe_ecs_iter *it)
{
    struct asked *asked = it->data;
    troupe_ecs_entity_t entity = 0;
    EXPECT_OK(troupe_ecs_entity_of(it->ecs, *TROUPE_ECS_FIELD(it, troupe_ref_t, 0), &entity));
    asked->call_count++;
    asked->same_count += entity == it->entities[0] ? 1 : 0;
}

static void observe_actors(struct asked *asked)
{
    const struct troupe_ecs_observer_options options = {
        .component = TROUPE_ECS_ACTOR,
        .events = TROUPE_ECS_ON_ADD,
        .callback = ask_for_the_entity,
        .data = asked,
    };
    EXPECT_OK(troupe_ecs_observer_new(stage.ecs, &options, NULL));
}

Test(ecs_walk, an_observer_of_actors_that_asks_for_the_entity_gets_the_one_there_is)
{
    static struct asked asked;
    observe_actors(&asked);
    troupe_ref_t ref = spawn_walker(&(const struct walker){.steps = &steps});
    troupe_ecs_entity_t entity = 0;
    EXPECT_OK(troupe_ecs_entity_of(stage.ecs, ref, &entity));

    cr_expect(asked.call_count == 1 && asked.same_count == 1);
    cr_expect(eq(u32, entities_count(stage.ecs, TROUPE_ECS_ACTOR), 1));
}

Test(ecs_walk, an_actor_has_one_entity_when_it_is_asked_for_while_changes_are_deferred)
{
    static struct asked asked;
    observe_actors(&asked);
    troupe_ref_t ref = spawn_walker(&(const struct walker){.steps = &steps});
    troupe_ecs_entity_t entities[2] = {0};
    EXPECT_OK(troupe_ecs_defer_begin(stage.ecs));
    EXPECT_OK(troupe_ecs_entity_of(stage.ecs, ref, &entities[0]));
    EXPECT_OK(troupe_ecs_entity_of(stage.ecs, ref, &entities[1]));
    EXPECT_REFUSED(
        troupe_ecs_delete(stage.ecs, entities[0]), TROUPE_ERR_INVAL, "troupe_stop_actor");
    EXPECT_OK(troupe_ecs_defer_end(stage.ecs));

    cr_expect(eq(u64, entities[0], entities[1]));
    cr_expect(troupe_ref_equal(troupe_ecs_actor_of(stage.ecs, entities[0]), ref));
    cr_expect(asked.call_count == 1 && asked.same_count == 1);
    EXPECT_REFUSED(
        troupe_ecs_delete(stage.ecs, entities[0]), TROUPE_ERR_INVAL, "troupe_stop_actor");
    tick(); // it starts, and becomes something
    cr_expect(eq(u32, entities_count(stage.ecs, TROUPE_ECS_ACTOR), 1));
}

Test(ecs_walk, an_actor_may_be_killed_in_a_loop_over_a_query)
{
    for (int i = 0; i < 5; i++) {
        (void)spawn_walker(&(const struct walker){.steps = &steps});
    }
    tick();
    troupe_ecs_query_t *query = NULL;
    EXPECT_OK(troupe_ecs_query_new(
        stage.ecs, (const struct troupe_ecs_term[]){{.component = TROUPE_ECS_ACTOR}, {0}}, &query));
    struct troupe_ecs_iter it = troupe_ecs_query_iter(query);
    uint32_t count = 0;
    while (troupe_ecs_query_next(&it)) {
        const troupe_ref_t *actors = TROUPE_ECS_FIELD(&it, troupe_ref_t, 0);
        for (uint32_t i = 0; i < it.count; i++) {
            EXPECT_OK(troupe_kill(it.ctx, actors[i]));
            cr_expect(troupe_ecs_is_alive(stage.ecs, it.entities[i]));
            count++;
        }
    }
    cr_expect(eq(u32, count, 5));
    cr_expect(eq(u32, entities_count(stage.ecs, TROUPE_ECS_ACTOR), 0));
}

Test(ecs_walk, messages_get_what_systems_leave_of_a_budget_and_always_some)
{
    troupe_ref_t ref =
        spawn_walker(&(const struct walker){.steps = &steps, .each_ns = MEASURE_MS_NS / 100});
    tick();
    const struct troupe_ecs_system_options slow = {.name = "slow", .callback = take_a_millisecond};
    (void)system_of(&slow);
    troupe_context_t *ctx = troupe_system_context(stage.system);
    const uint8_t bytes[256] = {0}; // so that it takes many frames
    uint32_t sent = 0;
    while (troupe_send(ctx, ref, STEP, bytes, sizeof(bytes)) == TROUPE_OK) {
        sent++;
    }
    // Each step takes 10 us, so neither budget is enough for all of them.
    struct troupe_budget budget = {.ns = MEASURE_MS_NS / 2};
    EXPECT_OK(troupe_system_progress(stage.system, &budget));
    cr_expect(gt(u32, steps, 0), "systems took all of it, and messages had their share");
    cr_expect(lt(u32, steps, sent));

    uint32_t before = steps;
    budget = (struct troupe_budget){.messages = 10};
    EXPECT_OK(troupe_system_progress(stage.system, &budget));
    cr_expect(gt(u32, steps, before));
    cr_expect(lt(u32, steps, sent));
}

/* In troupe_system_run(). ------------------------------------------------------------------------------ */

/** When ticks came. */
struct beat {
    uint32_t count;
    uint64_t first_ns;
    uint64_t last_ns;
};

static void beat(struct troupe_ecs_iter *it)
{
    struct beat *self = it->data;
    uint64_t now_ns = measure_now_ns();
    self->first_ns = self->count == 0 ? now_ns : self->first_ns;
    self->last_ns = now_ns;
    if (++self->count == 20) {
        troupe_shutdown(it->ctx);
    }
}

Test(ecs_walk, a_system_that_runs_ticks_once_a_period)
{
    struct beat counted = {0};
    const struct troupe_ecs_system_options options = {
        .name = "beat", .callback = beat, .data = &counted};
    (void)system_of(&options);
    EXPECT_OK(troupe_ecs_set_period(stage.ecs, 5 * MEASURE_MS_NS));
    uint64_t cpu_ns = measure_cpu_ns();

    EXPECT_OK(troupe_system_run(stage.system));

    cr_expect(eq(u32, counted.count, 20), "and none after it was asked to stop");
    cr_expect(ge(u64, counted.last_ns - counted.first_ns, 90 * MEASURE_MS_NS));
    cr_expect(lt(u64, measure_cpu_ns() - cpu_ns, 60 * MEASURE_MS_NS), "it sleeps in between");
}

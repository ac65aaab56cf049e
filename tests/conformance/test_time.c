/*
 * Promise 9, time and randomness come from the context: from the system's clock and seed, so that a run can be
 * replayed. Timers fire in order, never early, and as often as they should.
 */
#include "support/fixture.h"

#include <troupe/backend.h>

#include <stdatomic.h>
#include <string.h>
#include <time.h>

enum {
    SET = 1,       // to a timer timers: ask for FIRED, struct set
    FIRE,          // from its timers: uint32_t, which
    FIRED,         // struct fired
    REPEAT,        // ask for REPEATED
    BEAT,          // from its repeating timer
    END_BEAT,      // from a later timer
    REPEATED,      // struct repeated
    CANCEL,        // ask for CANCELLED
    CANCELLED,     // struct cancelled
    SET_AND_STOP,  // to a stopper: set a timer to me, and stop
    FIRED_LATE,    // from its timer, or from the scenario's own
    DRAW,          // ask for DRAWN
    DRAWN,         // uint64_t[DRAW_COUNT]
    CLOCK,         // ask for TIME
    TIME,          // uint64_t, nanoseconds
    CHECK_CLOCK,   // ask for CLOCK_CHECKED
    CLOCK_CHECKED, // uint64_t, how often time went back
    CATCH_UP,      // to a timer timers: reply with CAUGHT_UP at once
    CAUGHT_UP,     // nothing
};

enum { TIMER_COUNT = 6, DRAW_COUNT = 16, MS = 1000000 };

/* The timers of timers. ------------------------------------------------------------------------ */

struct set {
    uint64_t delays_ns[TIMER_COUNT];
};

struct fired {
    uint32_t order[TIMER_COUNT];
    uint64_t early_count; // of them, those that came before their time
};

struct repeated {
    uint64_t beats;
    uint64_t due_count; // by the time it was cancelled
    uint64_t early_count;
    uint32_t cancel_err;
    uint32_t second_cancel_err;
};

struct cancelled {
    uint32_t pending_err;
    uint32_t again_err;
    uint32_t none_err;
    uint32_t fired_err;
    uint32_t fire_count;
};

struct timers {
    struct troupe_reply_to reply_to;
    uint64_t start_ns;
    struct set set;
    struct fired fired;
    uint32_t fired_count;
    struct repeated repeated;
    struct cancelled cancelled;
    troupe_timer_t timer;
};

enum { PERIOD_NS = MS, BEAT_COUNT = 5 };

static void timers_set(troupe_context_t *ctx, struct timers *timers, const struct set *set)
{
    timers->set = *set;
    timers->start_ns = troupe_now(ctx);
    for (uint32_t i = 0; i < TIMER_COUNT; i++) {
        struct troupe_outgoing outgoing = {
            .to = troupe_self(ctx), .type = FIRE, .body = &i, .body_bytes = sizeof(i)};
        MUST(troupe_send_after(ctx, set->delays_ns[i], &outgoing, NULL));
    }
}

static void timers_on_fired(troupe_context_t *ctx, struct timers *timers, uint32_t which)
{
    uint64_t elapsed_ns = troupe_now(ctx) - timers->start_ns;
    timers->fired.early_count += elapsed_ns < timers->set.delays_ns[which];
    timers->fired.order[timers->fired_count++] = which;
    if (timers->fired_count == TIMER_COUNT) {
        MUST(troupe_reply_later(
            ctx, timers->reply_to, FIRED, &timers->fired, sizeof(timers->fired)));
    }
}

static void timers_repeat(troupe_context_t *ctx, struct timers *timers)
{
    timers->start_ns = troupe_now(ctx);
    struct troupe_outgoing beat = {.to = troupe_self(ctx), .type = BEAT};
    MUST(troupe_send_every(ctx, PERIOD_NS, &beat, &timers->timer));
    MUST_BE(timers->timer != 0);
}

static void timers_on_beat(troupe_context_t *ctx, struct timers *timers)
{
    struct repeated *repeated = &timers->repeated;
    repeated->beats++;
    uint64_t elapsed_ns = troupe_now(ctx) - timers->start_ns;
    repeated->early_count += elapsed_ns < repeated->beats * PERIOD_NS;
    if (repeated->beats != BEAT_COUNT) {
        return;
    }
    repeated->due_count = elapsed_ns / PERIOD_NS;
    repeated->cancel_err = (uint32_t)troupe_timer_cancel(ctx, timers->timer);
    repeated->second_cancel_err = (uint32_t)troupe_timer_cancel(ctx, timers->timer);
    struct troupe_outgoing end = {.to = troupe_self(ctx), .type = END_BEAT};
    MUST(troupe_send_after(ctx, 10 * PERIOD_NS, &end, NULL));
}

static void timers_cancel(troupe_context_t *ctx, struct timers *timers)
{
    struct troupe_outgoing fire = {.to = troupe_self(ctx), .type = CANCELLED};
    struct troupe_outgoing beat = {.to = troupe_self(ctx), .type = CLOCK};
    troupe_timer_t pending = 0;
    MUST(troupe_send_after(ctx, 3 * MS, &fire, &pending));
    MUST(troupe_send_after(ctx, 6 * MS, &beat, &timers->timer));
    timers->cancelled.pending_err = (uint32_t)troupe_timer_cancel(ctx, pending);
    timers->cancelled.again_err = (uint32_t)troupe_timer_cancel(ctx, pending);
    timers->cancelled.none_err = (uint32_t)troupe_timer_cancel(ctx, 0);
}

static void timers_on_cancelled(troupe_context_t *ctx, struct timers *timers)
{
    timers->cancelled.fired_err = (uint32_t)troupe_timer_cancel(ctx, timers->timer);
    MUST(troupe_reply_later(
        ctx, timers->reply_to, CANCELLED, &timers->cancelled, sizeof(timers->cancelled)));
}

static void timers_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct timers *timers = state;
    if (troupe_message_reply_to(message).ask != 0) {
        timers->reply_to = troupe_message_reply_to(message);
    }
    switch (troupe_message_type(message)) {
    case SET:
        timers_set(ctx, timers, TROUPE_BODY(message, struct set));
        break;
    case FIRE:
        timers_on_fired(ctx, timers, *TROUPE_BODY(message, uint32_t));
        break;
    case REPEAT:
        timers_repeat(ctx, timers);
        break;
    case BEAT:
        timers_on_beat(ctx, timers);
        break;
    case END_BEAT:
        MUST(troupe_reply_later(
            ctx, timers->reply_to, REPEATED, &timers->repeated, sizeof(timers->repeated)));
        break;
    case CANCEL:
        timers_cancel(ctx, timers);
        break;
    case CANCELLED:
        timers->cancelled.fire_count++;
        break;
    case CLOCK:
        timers_on_cancelled(ctx, timers);
        break;
    case CATCH_UP:
        MUST(troupe_reply(ctx, message, CAUGHT_UP, NULL, 0));
        break;
    default:
        break;
    }
}

static const struct troupe_behaviour timers = {
    .name = "timers", .state_bytes = sizeof(struct timers), .receive = timers_receive};

static struct fixture *open_with_timers(
    const struct fixture_placement *placement, troupe_ref_t *out_ref)
{
    struct fixture_options options = {.behaviours = TROUPE_BEHAVIOURS(&timers)};
    struct fixture *fixture = fixture_open(placement, &options);
    *out_ref = fixture_spawn(fixture, &timers);
    return fixture;
}

static const struct set shuffled = {{9 * MS, 3 * MS, 12 * MS, 0, 6 * MS, 1 * MS}};

BACKEND_TEST(clocks, timers_fire_in_the_order_in_which_they_are_due)
{
    troupe_ref_t ref = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_timers(placement, &ref);

    fixture_ask(fixture, ref, SET, &shuffled, sizeof(shuffled));

    static const uint32_t expected[TIMER_COUNT] = {3, 5, 1, 4, 0, 2};
    const struct fired *fired = FIXTURE_RECEIVE(fixture, FIRED, struct fired);
    for (int i = 0; i < TIMER_COUNT; i++) {
        cr_expect(eq(u32, fired->order[i], expected[i]));
    }
    fixture_close(&fixture);
}

BACKEND_TEST(clocks, a_timer_is_never_early)
{
    troupe_ref_t ref = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_timers(placement, &ref);

    fixture_ask(fixture, ref, SET, &shuffled, sizeof(shuffled));

    cr_expect(eq(u64, FIXTURE_RECEIVE(fixture, FIRED, struct fired)->early_count, 0));
    fixture_close(&fixture);
}

BACKEND_TEST(clocks, a_repeating_timer_repeats_until_it_is_cancelled)
{
    troupe_ref_t ref = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_timers(placement, &ref);

    fixture_ask(fixture, ref, REPEAT, NULL, 0);

    const struct repeated *repeated = FIXTURE_RECEIVE(fixture, REPEATED, struct repeated);
    cr_expect(ge(u64, repeated->beats, BEAT_COUNT));
    cr_expect(le(u64, repeated->beats, repeated->due_count)); // some may have been on their way
    cr_expect(eq(u64, repeated->early_count, 0));
    cr_expect(eq(u32, repeated->cancel_err, TROUPE_OK));
    cr_expect(eq(u32, repeated->second_cancel_err, TROUPE_ERR_NOENT));
    fixture_close(&fixture);
}

BACKEND_TEST(clocks, a_cancelled_timer_never_fires_and_a_fired_timer_cannot_be_cancelled)
{
    troupe_ref_t ref = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_timers(placement, &ref);

    fixture_ask(fixture, ref, CANCEL, NULL, 0);

    const struct cancelled *cancelled = FIXTURE_RECEIVE(fixture, CANCELLED, struct cancelled);
    cr_expect(eq(u32, cancelled->fire_count, 0));
    cr_expect(eq(u32, cancelled->pending_err, TROUPE_OK));
    cr_expect(eq(u32, cancelled->again_err, TROUPE_ERR_NOENT));
    cr_expect(eq(u32, cancelled->none_err, TROUPE_ERR_NOENT));
    cr_expect(eq(u32, cancelled->fired_err, TROUPE_ERR_NOENT));
    fixture_close(&fixture);
}

/* The stopper dies before its timers. ---------------------------------------------------------- */

static void stopper_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    troupe_ref_t to = troupe_message_sender(message);
    uint32_t is_last = 0;
    struct troupe_outgoing word = {
        .to = to, .type = FIRED_LATE, .body = &is_last, .body_bytes = sizeof(is_last)};
    MUST(troupe_send_after(ctx, 2 * MS, &word, NULL));
    MUST(troupe_send_every(ctx, 2 * MS, &word, NULL));
    troupe_stop(ctx);
    // The reply marks the time from which on the stopper's timers would have been received.
    MUST(troupe_reply(ctx, message, SET_AND_STOP, NULL, 0));
}

static const struct troupe_behaviour stopper = {.name = "stopper", .receive = stopper_receive};

static void send_set_and_stop(troupe_context_t *ctx, void *data)
{
    (void)data;
    uint32_t is_last = 1;
    struct troupe_outgoing word = {
        .to = troupe_self(ctx),
        .type = FIRED_LATE,
        .body = &is_last,
        .body_bytes = sizeof(is_last)};
    cr_assert(eq(int, troupe_send_after(ctx, 10 * MS, &word, NULL), TROUPE_OK));
}

BACKEND_TEST(clocks, timers_end_with_their_actor)
{
    struct fixture_options options = {.behaviours = TROUPE_BEHAVIOURS(&stopper)};
    struct fixture *fixture = fixture_open(placement, &options);
    troupe_ref_t ref = fixture_spawn(fixture, &stopper);

    fixture_send(fixture, ref, SET_AND_STOP, NULL, 0);
    (void)fixture_receive(fixture, SET_AND_STOP);
    fixture_call(fixture, send_set_and_stop, NULL);

    cr_expect(
        eq(u32, *FIXTURE_RECEIVE(fixture, FIRED_LATE, uint32_t), 1), "a timer outlived its actor");
    fixture_close(&fixture);
}

/* Chance. -------------------------------------------------------------------------------------- */

static void drawer_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    uint64_t drawn[DRAW_COUNT];
    for (int i = 0; i < DRAW_COUNT; i++) {
        drawn[i] = troupe_random(ctx);
    }
    REPORT(ctx, message, DRAWN, &drawn);
}

static const struct troupe_behaviour drawer = {.name = "drawer", .receive = drawer_receive};

/** What an actor draws in a system with that seed. */
struct drawn {
    uint64_t numbers[DRAW_COUNT];
};

static struct drawn draw(const struct fixture_placement *placement, uint64_t seed)
{
    struct fixture_options options = {.behaviours = TROUPE_BEHAVIOURS(&drawer), .seed = seed};
    struct fixture *fixture = fixture_open(placement, &options);
    troupe_ref_t ref = fixture_spawn(fixture, &drawer);
    fixture_send(fixture, ref, DRAW, NULL, 0);
    struct drawn drawn = *FIXTURE_RECEIVE(fixture, DRAWN, struct drawn);
    fixture_close(&fixture);
    return drawn;
}

BACKEND_TEST(clocks, the_same_seed_draws_the_same_numbers)
{
    struct drawn one = draw(placement, 42);
    struct drawn other = draw(placement, 42);

    cr_expect(memcmp(&one, &other, sizeof(one)) == 0);
}

BACKEND_TEST(clocks, another_seed_draws_different_numbers)
{
    struct drawn one = draw(placement, 42);
    struct drawn other = draw(placement, 43);

    cr_expect(memcmp(&one, &other, sizeof(one)) != 0);
}

BACKEND_TEST(clocks, without_a_seed_every_system_draws_different_numbers)
{
    struct drawn one = draw(placement, 0);
    struct drawn other = draw(placement, 0);

    cr_expect(memcmp(&one, &other, sizeof(one)) != 0);
}

BACKEND_TEST(clocks, two_actors_draw_different_numbers)
{
    struct fixture_options options = {.behaviours = TROUPE_BEHAVIOURS(&drawer), .seed = 42};
    struct fixture *fixture = fixture_open(placement, &options);
    troupe_ref_t one_ref = fixture_spawn(fixture, &drawer);
    troupe_ref_t other_ref = fixture_spawn(fixture, &drawer);

    fixture_send(fixture, one_ref, DRAW, NULL, 0);
    fixture_send(fixture, other_ref, DRAW, NULL, 0);

    const struct drawn *one = FIXTURE_RECEIVE(fixture, DRAWN, struct drawn);
    const struct drawn *other = FIXTURE_RECEIVE(fixture, DRAWN, struct drawn);
    cr_expect(memcmp(one, other, sizeof(*one)) != 0);
    fixture_close(&fixture);
}

/* The clock. ----------------------------------------------------------------------------------- */

static void clock_checker_receive(
    troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    uint64_t now_ns = troupe_now(ctx);
    if (troupe_message_type(message) == CLOCK) {
        REPORT(ctx, message, TIME, &now_ns);
        return;
    }
    uint64_t back_count = 0;
    for (int i = 0; i < 10000; i++) {
        uint64_t next_ns = troupe_now(ctx);
        back_count += next_ns < now_ns;
        now_ns = next_ns;
    }
    REPORT(ctx, message, CLOCK_CHECKED, &back_count);
}

static const struct troupe_behaviour clock_checker = {
    .name = "clock_checker", .receive = clock_checker_receive};

BACKEND_TEST(clocks, time_never_goes_back)
{
    struct fixture_options options = {.behaviours = TROUPE_BEHAVIOURS(&clock_checker)};
    struct fixture *fixture = fixture_open(placement, &options);
    troupe_ref_t ref = fixture_spawn(fixture, &clock_checker);

    fixture_send(fixture, ref, CHECK_CLOCK, NULL, 0);

    cr_expect(eq(u64, *FIXTURE_RECEIVE(fixture, CLOCK_CHECKED, uint64_t), 0));
    fixture_close(&fixture);
}

/** The monotonic clock, a million seconds ahead. Any thread calls it. */
static uint64_t clock_ahead(void *clock_data)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return *(const uint64_t *)clock_data + (uint64_t)now.tv_sec * UINT64_C(1000000000) +
           (uint64_t)now.tv_nsec;
}

BACKEND_TEST(clocks, every_actor_of_a_process_reads_the_clock_of_its_system)
{
    static uint64_t ahead_ns = UINT64_C(1000000000000000);
    struct fixture_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&clock_checker),
        .clock = clock_ahead,
        .clock_data = &ahead_ns};
    struct fixture *fixture = fixture_open(placement, &options);
    troupe_ref_t ref = fixture_spawn(fixture, &clock_checker);
    // The clock is a function of this process: elsewhere the monotonic one is read.
    bool is_apart = (fixture_traits(placement) & TROUPE_TRAIT_ISOLATES_CRASHES) != 0;
    uint64_t expected_ahead_ns = is_apart ? 0 : ahead_ns;
    uint64_t before_ns = clock_ahead(&expected_ahead_ns);

    fixture_send(fixture, ref, CLOCK, NULL, 0);

    uint64_t time_ns = *FIXTURE_RECEIVE(fixture, TIME, uint64_t);
    cr_expect(ge(u64, time_ns, before_ns));
    cr_expect(le(u64, time_ns, clock_ahead(&expected_ahead_ns)));
    fixture_close(&fixture);
}

/** The monotonic clock and what the test has added to it. */
static atomic_ullong clock_jumped_ns;

static uint64_t clock_jumps(void *clock_data)
{
    (void)clock_data;
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return atomic_load(&clock_jumped_ns) + (uint64_t)now.tv_sec * UINT64_C(1000000000) +
           (uint64_t)now.tv_nsec;
}

enum { SLEEP = 0x00540001, SLEEPS, WAKE };

/** Told to SLEEP, it says so, and sets an alarm for in an hour; that is told to who sent it. */
struct sleeper {
    struct troupe_reply_to reply_to;
};

static void sleeper_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct sleeper *self = state;
    if (troupe_message_type(message) == WAKE) {
        MUST(troupe_reply_later(ctx, self->reply_to, WAKE, NULL, 0));
        return;
    }
    self->reply_to = troupe_message_reply_to(message);
    const struct troupe_outgoing alarm = {.to = troupe_self(ctx), .type = WAKE};
    MUST(troupe_send_after(ctx, UINT64_C(3600000000000), &alarm, NULL));
    MUST(troupe_reply_later(ctx, self->reply_to, SLEEPS, NULL, 0));
}

static const struct troupe_behaviour sleeper = {
    .name = "sleeper", .state_bytes = sizeof(struct sleeper), .receive = sleeper_receive};

BACKEND_TEST(clocks, a_clock_that_jumps_reaches_timers_of_sleeping_executors)
{
    fixture_register_backends();
    if ((fixture_traits(placement) & TROUPE_TRAIT_ISOLATES_CRASHES) != 0) {
        cr_skip("the clock is a function of the first process");
    }
    struct fixture_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&sleeper), .clock = clock_jumps};
    struct fixture *fixture = fixture_open(placement, &options);
    troupe_ref_t ref = fixture_spawn(fixture, &sleeper);
    fixture_send(fixture, ref, SLEEP, NULL, 0);
    (void)fixture_receive(fixture, SLEEPS);
    fixture_settle(fixture);

    (void)atomic_fetch_add(&clock_jumped_ns, UINT64_C(3600000000000));

    (void)fixture_receive(fixture, WAKE);
    fixture_close(&fixture);
}

/* A manual clock, in a system of one process. -------------------------------------------------- */

static uint64_t clock_is_manual(void *clock_data)
{
    return atomic_load((atomic_ullong *)clock_data);
}

static atomic_ullong manual_start_ns = 1000;

static struct fixture *open_with_manual_clock(
    const struct fixture_placement *placement, troupe_ref_t *out_ref)
{
    fixture_register_backends();
    if ((fixture_traits(placement) & TROUPE_TRAIT_ISOLATES_CRASHES) != 0) {
        cr_skip("the clock is a function of the first process");
    }
    struct fixture_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&timers),
        .clock = clock_is_manual,
        .clock_data = &manual_start_ns,
    };
    struct fixture *fixture = fixture_open(placement, &options);
    *out_ref = fixture_spawn(fixture, &timers);
    return fixture;
}

/** Have the timers actor handle all that was sent and due before. */
static void catch_up(struct fixture *fixture, troupe_ref_t timers_ref)
{
    fixture_send(fixture, timers_ref, CATCH_UP, NULL, 0);
    (void)fixture_receive(fixture, CAUGHT_UP);
}

BACKEND_TEST(clocks, a_timer_fires_exactly_when_a_manual_clock_reaches_its_time)
{
    troupe_ref_t ref = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_manual_clock(placement, &ref);
    static const struct set hours = {{3600, 3600, 3600, 3600, 3600, 3600}};
    fixture_ask(fixture, ref, SET, &hours, sizeof(hours));
    catch_up(fixture, ref);

    atomic_fetch_add(&manual_start_ns, 3599);
    catch_up(fixture, ref);
    uint32_t early = fixture_pending_count(fixture, FIRED);
    atomic_fetch_add(&manual_start_ns, 1);

    const struct fired *fired = FIXTURE_RECEIVE(fixture, FIRED, struct fired);
    cr_expect(eq(u32, early, 0));
    cr_expect(eq(u64, fired->early_count, 0));
    fixture_close(&fixture);
}

static void set_long_period(troupe_context_t *ctx, void *data)
{
    (void)data;
    struct troupe_outgoing beat = {.to = troupe_self(ctx), .type = BEAT};
    cr_assert(eq(int, troupe_send_every(ctx, 1000, &beat, NULL), TROUPE_OK));
}

BACKEND_TEST(clocks, a_late_executor_skips_missed_periods)
{
    troupe_ref_t ref = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_manual_clock(placement, &ref);
    fixture_call(fixture, set_long_period, NULL);

    atomic_fetch_add(&manual_start_ns, 100500);
    (void)fixture_receive(fixture, BEAT);
    catch_up(fixture, ref);
    uint32_t flood = fixture_pending_count(fixture, BEAT);
    atomic_fetch_add(&manual_start_ns, 1000);
    (void)fixture_receive(fixture, BEAT);
    catch_up(fixture, ref);

    cr_expect(eq(u32, flood, 0));
    cr_expect(eq(u32, fixture_pending_count(fixture, BEAT), 0));
    fixture_close(&fixture);
}

/* The beat counter shuts the system down at the third beat. --------------------------------------- */

static void beat_counter_receive(
    troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    uint32_t *count = state;
    MUST_BE(troupe_message_type(message) == BEAT);
    if (++*count == 3) {
        troupe_shutdown(ctx);
    }
}

static const struct troupe_behaviour beat_counter = {
    .name = "beat_counter", .state_bytes = sizeof(uint32_t), .receive = beat_counter_receive};

Test(clocks, a_repeating_timer_of_the_main_program_repeats, .timeout = 10)
{
    const struct troupe_system_options options = {.behaviours = TROUPE_BEHAVIOURS(&beat_counter)};
    troupe_system_t *system = NULL;
    cr_assert(eq(int, troupe_system_new(&options, &system), TROUPE_OK));
    troupe_context_t *ctx = troupe_system_context(system);
    struct troupe_outgoing beat = {.type = BEAT};
    cr_assert(eq(int, TROUPE_SPAWN(ctx, &beat.to, .behaviour = &beat_counter), TROUPE_OK));
    troupe_timer_t timer = 0;
    cr_assert(eq(int, troupe_send_every(ctx, MS, &beat, &timer), TROUPE_OK));

    cr_expect(eq(int, troupe_system_run(system), TROUPE_OK)); // returns at the third beat

    cr_expect(eq(int, troupe_timer_cancel(ctx, timer), TROUPE_OK));
    troupe_system_destroy(&system);
}

SUBJECTS(&timers, &stopper, &drawer, &clock_checker, &sleeper);

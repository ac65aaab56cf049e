// ctest: serial
/*
 * A system that has nothing to do takes no processor: less than 1 % of a core, with 100 entities and 20 threads, before
 * and after a burst.
 */
#include "support/audit.h"
#include "support/echo_system.h"
#include "support/fixture.h"
#include "support/measure.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

enum { ENTITIES = 100, THREADS = 20, ROUNDS = 20, REST = 1 };

/** What a sampler measured while all actors were idle. */
static uint64_t idle_cpu_ns;
static uint64_t idle_ns;

/** Measures a second in which nothing happens, and then ends the system. */
struct sampler {
    uint64_t cpu_ns;
    uint64_t now_ns;
    uint64_t awaited;
    troupe_ref_t idlers[ENTITIES + THREADS];
    bool has_burst;
};

static void sampler_begin(troupe_context_t *ctx, struct sampler *self)
{
    self->cpu_ns = measure_cpu_ns();
    self->now_ns = measure_now_ns();
    const struct troupe_outgoing end = {.to = troupe_self(ctx), .type = REST};
    MUST(troupe_send_after(ctx, MEASURE_SECOND_NS, &end, NULL));
}

static void sampler_on_reply(
    troupe_context_t *ctx,
    void *state,
    uint64_t tag,
    enum troupe_err err,
    const troupe_message_t *reply)
{
    (void)tag, (void)reply;
    struct sampler *self = state;
    MUST(err);
    if (--self->awaited == 0) {
        sampler_begin(ctx, self);
    }
}

/** A burst: asks, for their replies always have room. */
static void sampler_wake_all(troupe_context_t *ctx, struct sampler *self)
{
    static const uint64_t number;
    for (int i = 0; i < ENTITIES + THREADS; i++) {
        for (int round = 0; round < ROUNDS; round++) {
            const struct troupe_outgoing outgoing = {
                .to = self->idlers[i],
                .type = ECHO_REQUEST,
                .body = &number,
                .body_bytes = sizeof(number),
            };
            MUST(troupe_ask(
                ctx, &outgoing, &(const struct troupe_ask_options){.on_reply = sampler_on_reply}));
            self->awaited++;
        }
    }
}

static enum troupe_err sampler_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    struct sampler *self = state;
    MUST_BE(args_bytes == sizeof(self->has_burst));
    memcpy(&self->has_burst, args, args_bytes);
    for (int i = 0; i < ENTITIES + THREADS; i++) {
        MUST(echo_spawn(ctx, i < ENTITIES ? "ecs" : "thread", &self->idlers[i]));
    }
    if (self->has_burst) {
        sampler_wake_all(ctx, self);
    } else {
        sampler_begin(ctx, self);
    }
    return TROUPE_OK;
}

static void sampler_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct sampler *self = state;
    if (troupe_message_type(message) == REST) {
        idle_cpu_ns = measure_cpu_ns() - self->cpu_ns;
        idle_ns = measure_now_ns() - self->now_ns;
        troupe_shutdown(ctx);
    }
}

static const struct troupe_behaviour sampler = {
    .name = "sampler",
    .state_bytes = sizeof(struct sampler),
    .init = sampler_init,
    .receive = sampler_receive,
};

static troupe_system_t *open_with_sampler(bool has_burst)
{
    // Kept by the system, so it must outlive this function.
    static const struct troupe_behaviour *const behaviours[] = {&sampler, &echo_behaviour, NULL};
    const struct troupe_system_options options = {.behaviours = behaviours};
    troupe_system_t *system = NULL;
    MUST(troupe_system_new(&options, &system));
    const struct troupe_spawn_options spawn = {
        .behaviour = &sampler, .args = &has_burst, .args_bytes = sizeof(has_burst)};
    MUST(troupe_spawn(troupe_system_context(system), &spawn, NULL));
    return system;
}

static void expect_below_1_percent(void)
{
    (void)fprintf(
        stderr,
        "idle for %llu ms: %llu µs of processor\n",
        (unsigned long long)(idle_ns / MEASURE_MS_NS),
        (unsigned long long)(idle_cpu_ns / 1000));
    cr_expect(ge(u64, idle_ns, MEASURE_SECOND_NS));
    cr_expect(lt(u64, idle_cpu_ns, idle_ns / 100));
}

static void expect_an_idle_run(bool has_burst)
{
    troupe_system_t *system = open_with_sampler(has_burst);

    cr_expect(eq(int, troupe_system_run(system), TROUPE_OK));

    expect_below_1_percent();
    audit_and_destroy(&system);
}

Test(idle, a_run_takes_no_processor)
{
    expect_an_idle_run(false);
}

Test(idle, a_run_takes_no_processor_after_a_burst)
{
    expect_an_idle_run(true);
}

/** As troupe_system_run(), in a loop of one's own that sleeps until there is something to do. */
static void expect_an_idle_loop(bool has_burst)
{
    troupe_system_t *system = open_with_sampler(has_burst);
    struct pollfd ready = {.fd = troupe_system_fd(system), .events = POLLIN};
    cr_assert(ready.fd >= 0, "%s", troupe_error_detail());

    while (troupe_system_progress(system, NULL) == TROUPE_OK) {
        bool has_work = troupe_system_timeout_ns(system) == 0;
        cr_assert(poll(&ready, 1, has_work ? 0 : 10000) >= 0);
    }

    expect_below_1_percent();
    audit_and_destroy(&system);
}

Test(idle, a_custom_loop_takes_no_processor)
{
    expect_an_idle_loop(false);
}

Test(idle, a_custom_loop_takes_no_processor_after_a_burst)
{
    expect_an_idle_loop(true);
}

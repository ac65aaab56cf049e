/*
 * Time and randomness come from the context, so a run can be replayed: the same seed and the same clock give the same
 * trace, message by message.
 */
#include "support/audit.h"
#include "support/fixture.h"
#include "support/measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WALKERS = 10, STEPS = 40, STEP = 1, HELLO };

/** A manual clock, and the trace of what happened. */
struct trace {
    uint64_t now_ns;
    char *text;
    size_t bytes;
    FILE *file;
    troupe_ref_t walkers[WALKERS];
};

/** The course that is being run: all of it is on the test's own thread. */
static struct trace *trace;

static uint64_t trace_now(void *data)
{
    const struct trace *self = data;
    return self->now_ns;
}

static void trace_note(troupe_context_t *ctx, const char *what, uint64_t number)
{
    (void)fprintf(
        trace->file,
        "[%10llu] %s %s %llu\n",
        (unsigned long long)troupe_now(ctx),
        troupe_self_name(ctx),
        what,
        (unsigned long long)number);
}

struct walker {
    uint32_t steps;
};

/** Take the next step after a while that chance decides. */
static enum troupe_err walker_go_on(troupe_context_t *ctx)
{
    const struct troupe_outgoing step = {.to = troupe_self(ctx), .type = STEP};
    uint64_t delay_ns = troupe_random(ctx) % (10 * MEASURE_MS_NS);
    return troupe_send_after(ctx, delay_ns, &step, NULL);
}

static enum troupe_err walker_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)state, (void)args, (void)args_bytes;
    return walker_go_on(ctx);
}

static void walker_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct walker *self = state;
    if (troupe_message_type(message) == HELLO) {
        trace_note(ctx, "is greeted by", troupe_message_sender(message).index);
        return;
    }
    uint64_t chance = troupe_random(ctx);
    trace_note(ctx, "steps", chance);
    fixture_ignore(troupe_send(ctx, trace->walkers[chance % WALKERS], HELLO, NULL, 0));
    if (++self->steps == STEPS) {
        troupe_stop(ctx);
    } else {
        MUST(walker_go_on(ctx));
    }
}

static void walker_fini(troupe_context_t *ctx, void *state, const struct troupe_exit *exit)
{
    const struct walker *self = state;
    (void)exit;
    trace_note(ctx, "ends after", self->steps);
}

static const struct troupe_behaviour walker = {
    .name = "walker",
    .state_bytes = sizeof(struct walker),
    .init = walker_init,
    .receive = walker_receive,
    .fini = walker_fini,
};

static void trace_spawn(troupe_system_t *system)
{
    static const char *const names[WALKERS] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"};
    for (int i = 0; i < WALKERS; i++) {
        const struct troupe_spawn_options options = {.behaviour = &walker, .name = names[i]};
        MUST(troupe_spawn(troupe_system_context(system), &options, &trace->walkers[i]));
    }
}

/** Run a system whose clock jumps to the next due timer. @return what happened; to be freed */
static char *run_trace(uint64_t seed)
{
    static struct trace self;
    self = (struct trace){.now_ns = 1000};
    trace = &self;
    self.file = open_memstream(&self.text, &self.bytes);
    cr_assert(self.file != NULL);
    const struct troupe_system_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&walker),
        .seed = seed,
        .clock = trace_now,
        .clock_data = &self,
    };
    troupe_system_t *system = NULL;
    MUST(troupe_system_new(&options, &system));
    trace_spawn(system);
    int64_t timeout_ns = 0;
    do {
        self.now_ns += (uint64_t)timeout_ns;
        MUST(troupe_system_progress(system, NULL));
    } while ((timeout_ns = troupe_system_timeout_ns(system)) >= 0);
    audit_and_destroy(&system);
    (void)fclose(self.file);
    return self.text;
}

Test(replay, the_same_seed_and_clock_give_the_same_course)
{
    char *first = run_trace(4711);
    char *second = run_trace(4711);

    cr_expect(strcmp(first, second) == 0, "%s\nand then\n%s", first, second);
    cr_expect(strstr(first, "j ends after 40") != NULL, "%s", first);
    free(first);
    free(second);
}

Test(replay, another_seed_gives_another_course)
{
    char *first = run_trace(4711);
    char *second = run_trace(4712);

    cr_expect(strcmp(first, second) != 0);
    free(first);
    free(second);
}

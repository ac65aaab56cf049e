#include "process.h"

/*
 * The name is known, so that a rule which asks for it gets an answer in words and not a typing
 * error's. Nothing is ever started.
 */

static enum troupe_err process_init(const struct troupe_host *host, void **out_self)
{
    (void)out_self;
    host->explain("backend 'process' is not there yet; place these actors on thread or ecs");
    return TROUPE_ERR_UNSUPPORTED;
}

static enum troupe_err process_start(
    void *self,
    troupe_executor_t *executor,
    const struct troupe_executor_spec *spec,
    void **out_carrier)
{
    (void)self;
    (void)executor;
    (void)spec;
    (void)out_carrier;
    return TROUPE_ERR_UNSUPPORTED;
}

static void process_wait(void *self, void *carrier)
{
    (void)self;
    (void)carrier;
}

const struct troupe_backend_ops trp_backend_process = {
    .version = TROUPE_BACKEND_VERSION,
    .traits = TROUPE_TRAIT_PARALLEL | TROUPE_TRAIT_ISOLATES_CRASHES | TROUPE_TRAIT_PREEMPTS,
    .name = "process",
    .description = "a child process for each actor, or process:N for a pool (not there yet)",
    .init = process_init,
    .start = process_start,
    .wait = process_wait,
};

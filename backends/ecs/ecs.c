#include "ecs.h"

#include <stddef.h>

/*
 * Executor 0 is made with the system and is carried by whoever calls troupe_run() or
 * troupe_progress(): there is nothing to start, and nothing to wait for.
 */

static const struct troupe_host *ecs_host; // the runtime's one table, the same for every system

static enum troupe_err ecs_init(const struct troupe_host *host, void **out_self)
{
    ecs_host = host;
    *out_self = NULL;
    return TROUPE_OK;
}

static void ecs_run_once(void *self, troupe_executor_t *executor)
{
    (void)self;
    ecs_host->turn(executor);
}

const struct troupe_backend_ops trp_backend_ecs = {
    .version = TROUPE_BACKEND_VERSION,
    .traits = TROUPE_TRAIT_CALLERS_THREAD | TROUPE_TRAIT_DETERMINISTIC,
    .name = "ecs",
    .description = "entities of one world, on the thread that runs the system",
    .init = ecs_init,
    .run_once = ecs_run_once,
};

#include "ecs.h"

#include <stdlib.h>

/*
 * Executor 0 is made with the system and is carried by whoever calls troupe_run() or
 * troupe_progress(): there is nothing to start, and nothing to wait for.
 */

struct ecs_self {
    const struct troupe_host *host;
};

static enum troupe_err ecs_init(const struct troupe_host *host, void **out_self)
{
    struct ecs_self *self = malloc(sizeof(*self));
    if (self == NULL) {
        host->explain("no memory for the backend 'ecs'");
        return TROUPE_ERR_NOMEM;
    }
    self->host = host;
    *out_self = self;
    return TROUPE_OK;
}

static void ecs_run_once(void *self, troupe_executor_t *executor)
{
    ((const struct ecs_self *)self)->host->turn(executor);
}

static void ecs_fini(void *self)
{
    free(self);
}

const struct troupe_backend_ops trp_backend_ecs = {
    .version = TROUPE_BACKEND_VERSION,
    .traits = TROUPE_TRAIT_CALLERS_THREAD | TROUPE_TRAIT_DETERMINISTIC,
    .name = "ecs",
    .description = "entities of one world, on the thread that runs the system",
    .init = ecs_init,
    .run_once = ecs_run_once,
    .fini = ecs_fini,
};

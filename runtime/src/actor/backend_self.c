#include "actor/executor.h"
#include "base/error.h"
#include "troupe/backend.h"

#include <pthread.h>

enum troupe_err troupe_backend_self(
    troupe_context_t *ctx,
    const struct troupe_backend_ops *ops,
    troupe_executor_t **out_executor,
    void **out_self)
{
    struct troupe_executor *executor = trp_executor_of(ctx);
    if (!pthread_equal(executor->owner, pthread_self())) {
        return trp_explain_thread(executor);
    }
    if (executor->ops != ops) {
        return TRP_EXPLAIN(
            TROUPE_ERR_UNSUPPORTED,
            "executor %u ('%s') does not run on backend '%s', or not in the process that made the "
            "system",
            executor->id,
            executor->name,
            ops->name);
    }
    *out_executor = executor;
    *out_self = executor->backend_self;
    return TROUPE_OK;
}

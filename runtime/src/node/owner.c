#include "node/owner.h"

#include "actor/executor.h"
#include "base/error.h"

enum troupe_err trp_owner_check(const troupe_system_t *system, const char *what)
{
    const struct troupe_executor *executor = system->executor;
    if (system->runtime.pid != trp_forked_pid) {
        return trp_forked_explain();
    }
    if (!pthread_equal(executor->owner, pthread_self())) {
        return trp_explain_thread(executor);
    }
    if (executor->context.actor != NULL || executor->in_turn) {
        return TRP_EXPLAIN(
            TROUPE_ERR_INVAL,
            "%s within a callback of the system itself; call it once the callback has returned, or "
            "troupe_shutdown() there",
            what);
    }
    return TROUPE_OK;
}

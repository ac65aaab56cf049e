#include "node/backend_host.h"

#include "actor/actor_table.h"
#include "actor/end.h"
#include "actor/executor.h"
#include "actor/runtime.h"
#include "loop/close.h"
#include "loop/loop.h"
#include "node/system.h"
#include "observe/crash.h"

#include <signal.h>
#include <string.h>

/* What backends may ask (struct troupe_host). ---------------------------------------------------- */

void trp_backend_host_run(struct troupe_executor *executor)
{
    executor->owner = pthread_self();
    executor->is_looping = true;
    executor->mailbox.has_thread = true;
    // As on the owner's thread, for programs that actors start inherit it.
    (void)pthread_sigmask(SIG_SETMASK, &executor->runtime->signal_mask, NULL);
    trp_crash_enter(executor);
    (void)trp_forked_enter(executor);
    while (!executor->channels.ending) {
        if (!trp_executor_turn(executor) && !executor->channels.ending) {
            // Another executor or inbox may have been the last that kept this process.
            trp_executor_end_if_done(executor);
            trp_executor_wait(executor, trp_executor_sleep_ns(executor));
        }
    }
    trp_executor_stop_actors(executor);
    bool closed = trp_executor_close(executor, UINT64_MAX);
    TRP_CHECK(closed);
    executor->is_looping = false;
    (void)trp_forked_enter(NULL);
    trp_crash_leave();
    executor->runtime->ops->executor_ended(executor->runtime, executor);
}

static void host_exited(troupe_executor_t *executor)
{
    troupe_system_t *system = trp_system_of(executor);
    (void)pthread_mutex_lock(&system->runtime.lock);
    executor->next_finished = system->finished;
    system->finished = executor;
    system->carried_count--;
    trp_runtime_wake(
        &system->runtime); // under the lock: once it is released, the system may be freed
    (void)pthread_mutex_unlock(&system->runtime.lock);
}

static void host_run_turn(troupe_executor_t *executor)
{
    (void)trp_executor_turn(executor);
}

static uint64_t host_now(troupe_executor_t *executor)
{
    return trp_executor_now(executor);
}

static void host_set_error_detail(const char *text)
{
    (void)TRP_EXPLAIN(TROUPE_ERR_SYSTEM, "%s", text);
}

static troupe_context_t *host_context(troupe_executor_t *executor)
{
    return &executor->context;
}

static bool host_has_actor(troupe_executor_t *executor, troupe_ref_t actor)
{
    return actor.node == executor->node && actor.executor == executor->id &&
           trp_actor_table_find(&executor->actors, actor.index, actor.generation) != NULL;
}

static const struct troupe_host system_host = {
    .version = TROUPE_BACKEND_VERSION,
    .run = trp_backend_host_run,
    .exited = host_exited,
    .run_turn = host_run_turn,
    .now = host_now,
    .set_error_detail = host_set_error_detail,
    .context = host_context,
    .has_actor = host_has_actor,
};

/* Backends. ------------------------------------------------------------------------------------- */

enum troupe_err trp_backend_host_open(
    troupe_system_t *system, const struct troupe_backend_ops *ops, void **out_self)
{
    uint32_t at = 0;
    while (at < TRP_BACKEND_COUNT_MAX && system->backends[at].ops != NULL &&
           system->backends[at].ops != ops) {
        at++;
    }
    TRP_CHECK(at < TRP_BACKEND_COUNT_MAX);
    if (system->backends[at].ops == NULL) {
        void *self = NULL;
        if (ops->init != NULL) {
            enum troupe_err err = ops->init(&system_host, &self);
            if (err != TROUPE_OK) {
                return err;
            }
        }
        system->backends[at] = (struct trp_backend_state){.ops = ops, .self = self};
    }
    *out_self = system->backends[at].self;
    return TROUPE_OK;
}

enum troupe_err trp_backend_host_find(
    troupe_system_t *system,
    const char *name,
    const struct troupe_backend_ops **out_ops,
    void **out_self)
{
    const struct troupe_backend_ops *ops = NULL;
    for (uint32_t i = 0; (ops = troupe_backend_get(i)) != NULL; i++) {
        if (strcmp(ops->name, name) == 0) {
            *out_ops = ops;
            return trp_backend_host_open(system, ops, out_self);
        }
    }
    return TRP_EXPLAIN(TROUPE_ERR_UNSUPPORTED, "no backend is called '%s' here", name);
}

void trp_backend_host_close_all(troupe_system_t *system)
{
    for (uint32_t i = 0; i < TRP_BACKEND_COUNT_MAX && system->backends[i].ops != NULL; i++) {
        if (system->backends[i].ops->fini != NULL) {
            system->backends[i].ops->fini(system->backends[i].self);
        }
    }
}

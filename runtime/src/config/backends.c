#include "base/error.h"
#include "config/builtin.h"
#include "node/system.h"
#include "troupe/backend.h"

#include <pthread.h>
#include <string.h>

/*
 * The backends this process knows: the built-in ones, and those that the program registers. The list
 * only grows, and what is in it stays.
 */

static pthread_mutex_t backend_lock = PTHREAD_MUTEX_INITIALIZER;
static const struct troupe_backend_ops
    *backend_list[TRP_BACKEND_COUNT_MAX]; // guarded by backend_lock
static uint32_t backend_count;            // guarded by backend_lock

/** Put the built-in ones in front. @threads holding backend_lock */
static void backend_list_builtin(void)
{
    for (uint32_t i = 0; backend_count == i && trp_backends_builtin[i] != NULL; i++) {
        backend_list[backend_count++] = trp_backends_builtin[i];
    }
}

static enum troupe_err backend_check(const struct troupe_backend_ops *ops)
{
    if (ops->version > TROUPE_BACKEND_VERSION || ops->version == 0) {
        return TRP_EXPLAIN(
            TROUPE_ERR_UNSUPPORTED,
            "the backend's table has version %u; this library knows %u",
            ops->version,
            TROUPE_BACKEND_VERSION);
    }
    const char *missing = NULL;
    bool on_caller = (ops->traits & TROUPE_TRAIT_CALLERS_THREAD) != 0;
    bool isolates = (ops->traits & TROUPE_TRAIT_ISOLATES_CRASHES) != 0;
    if (ops->name == NULL || *ops->name == '\0') {
        missing = "name";
    } else if (ops->description == NULL) {
        missing = "description";
    } else if (on_caller && ops->run_once == NULL) {
        missing = "run_once";
    } else if (!on_caller && ops->start == NULL) {
        missing = "start";
    } else if (!on_caller && !isolates && ops->join == NULL) {
        missing = "wait";
    } else if (isolates && ops->exit_fd == NULL) {
        missing = "end_fd";
    } else if (isolates && ops->reap == NULL) {
        missing = "reap";
    } else if (isolates && ops->child_setup == NULL) {
        missing = "enter";
    }
    if (missing != NULL) {
        return TRP_EXPLAIN(
            TROUPE_ERR_INVAL,
            "the table of backend '%s' lacks `%s`",
            ops->name == NULL ? "" : ops->name,
            missing);
    }
    if (ops->name[strspn(ops->name, "abcdefghijklmnopqrstuvwxyz0123456789")] != '\0') {
        return TRP_EXPLAIN(
            TROUPE_ERR_INVAL,
            "backend name '%s': use lower-case letters and digits, as rules are written with it",
            ops->name);
    }
    return TROUPE_OK;
}

enum troupe_err troupe_backend_register(const struct troupe_backend_ops *ops)
{
    enum troupe_err err = backend_check(ops);
    if (err != TROUPE_OK) {
        return err;
    }
    bool known = false;
    (void)pthread_mutex_lock(&backend_lock);
    backend_list_builtin();
    for (uint32_t i = 0; i < backend_count && err == TROUPE_OK; i++) {
        if (backend_list[i] == ops) {
            known = true;
        } else if (strcmp(backend_list[i]->name, ops->name) == 0) {
            err =
                TRP_EXPLAIN(TROUPE_ERR_EXISTS, "another backend is called '%s' already", ops->name);
        }
    }
    if (err == TROUPE_OK && !known && backend_count == TRP_BACKEND_COUNT_MAX) {
        err = TRP_EXPLAIN(
            TROUPE_ERR_LIMIT,
            "%d backends are known; no room for '%s'",
            TRP_BACKEND_COUNT_MAX,
            ops->name);
    }
    if (err == TROUPE_OK && !known) {
        backend_list[backend_count++] = ops;
    }
    (void)pthread_mutex_unlock(&backend_lock);
    return err;
}

const struct troupe_backend_ops *troupe_backend_get(uint32_t index)
{
    (void)pthread_mutex_lock(&backend_lock);
    backend_list_builtin();
    const struct troupe_backend_ops *ops = index < backend_count ? backend_list[index] : NULL;
    (void)pthread_mutex_unlock(&backend_lock);
    return ops;
}

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
            "executor %u ('%s') is none of '%s' in the process that made the system",
            executor->id,
            executor->name,
            ops->name);
    }
    *out_executor = executor;
    *out_self = executor->backend_self;
    return TROUPE_OK;
}

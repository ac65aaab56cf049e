#include "base/error.h"
#include "config/builtin.h"
#include "troupe/backend.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/*
 * The backends that this process knows: the built-in ones, then those that the program registers.
 * An entry is never removed, so that a pointer to it stays valid.
 */

static pthread_mutex_t backend_lock = PTHREAD_MUTEX_INITIALIZER;

// Both guarded by backend_lock.
static const struct troupe_backend_ops *backend_list[TRP_BACKEND_COUNT_MAX];
static uint32_t backend_count;

/** List the built-in backends, at the first call. @threads holding backend_lock */
static void backend_list_builtin(void)
{
    for (uint32_t i = 0; backend_count == i && trp_backends_builtin[i] != NULL; i++) {
        backend_list[backend_count++] = trp_backends_builtin[i];
    }
}

/** @return the name of a field that the table must have and has not; NULL: it is complete. */
static const char *backend_missing_field(const struct troupe_backend_ops *ops)
{
    bool on_caller = (ops->traits & TROUPE_TRAIT_CALLERS_THREAD) != 0;
    bool isolates = (ops->traits & TROUPE_TRAIT_ISOLATES_CRASHES) != 0;
    const struct {
        const char *name;
        bool is_missing;
    } fields[] = {
        {"name", ops->name == NULL || *ops->name == '\0'},
        {"description", ops->description == NULL},
        {"run_once", on_caller && ops->run_once == NULL},
        {"start", !on_caller && ops->start == NULL},
        {"join", !on_caller && !isolates && ops->join == NULL},
        {"exit_fd", isolates && ops->exit_fd == NULL},
        {"reap", isolates && ops->reap == NULL},
        {"child_setup", isolates && ops->child_setup == NULL},
    };
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (fields[i].is_missing) {
            return fields[i].name;
        }
    }
    return NULL;
}

static enum troupe_err backend_check(const struct troupe_backend_ops *ops)
{
    if (ops->version > TROUPE_BACKEND_VERSION || ops->version == 0) {
        return TRP_EXPLAIN(
            TROUPE_ERR_UNSUPPORTED,
            "the table of the backend has version %u; this library supports versions 1 to %u",
            ops->version,
            TROUPE_BACKEND_VERSION);
    }
    const char *missing = backend_missing_field(ops);
    if (missing != NULL) {
        return TRP_EXPLAIN(
            TROUPE_ERR_INVAL,
            "the table of backend '%s' lacks `%s`; set it",
            ops->name == NULL ? "" : ops->name,
            missing);
    }
    if (ops->name[strspn(ops->name, "abcdefghijklmnopqrstuvwxyz0123456789")] != '\0') {
        return TRP_EXPLAIN(
            TROUPE_ERR_INVAL,
            "backend name '%s': use lower-case letters and digits only, as rules contain it",
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
            err = TRP_EXPLAIN(
                TROUPE_ERR_EXISTS, "another backend is registered as '%s' already", ops->name);
        }
    }
    if (err == TROUPE_OK && !known && backend_count == TRP_BACKEND_COUNT_MAX) {
        err = TRP_EXPLAIN(
            TROUPE_ERR_LIMIT,
            "%d backends are registered already; no room for '%s'",
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

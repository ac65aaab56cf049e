/*
 * The clone backend: thrd_create() to start an executor, thrd_join() to wait for it.
 *
 *     start --> thrd_create --> clone_main: host->run, host->exited --> join: thrd_join
 *
 * A handle is one allocation. The runtime calls `join` once for each `start`, so it is freed there.
 */
#include "backend_clone.h"

#include <signal.h>
#include <stdlib.h>
#include <threads.h>

struct clone_thread {
    const struct troupe_host *host;
    troupe_executor_t *executor;
    thrd_t thread;
};

static enum troupe_err clone_init(const struct troupe_host *host, void **out_self)
{
    struct clone_thread *self_clone = calloc(1, sizeof(*self_clone));
    if (self_clone == NULL) {
        return TROUPE_ERR_NOMEM;
    }
    self_clone->host = host;
    *out_self = self_clone;
    return TROUPE_OK;
}

static int clone_main(void *opaque)
{
    struct clone_thread *handle = opaque;
    handle->host->run(handle->executor);
    handle->host->exited(handle->executor);
    return 0;
}

/** Create the thread with all signals blocked, as they belong to the program's own threads. */
static int clone_create(struct clone_thread *handle)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int result = thrd_create(&handle->thread, clone_main, handle);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result;
}

static enum troupe_err clone_start(
    void *self,
    troupe_executor_t *executor,
    const struct troupe_executor_spec *spec,
    void **out_handle)
{
    (void)spec; // C11 has no names and no CPU sets for threads
    const struct clone_thread *self_clone = self;
    struct clone_thread *handle = calloc(1, sizeof(*handle));
    if (handle == NULL) {
        return TROUPE_ERR_NOMEM;
    }
    handle->host = self_clone->host;
    handle->executor = executor;
    if (clone_create(handle) != thrd_success) {
        self_clone->host->set_error_detail(
            "clone: no more threads; end some actors or raise the limit");
        free(handle);
        return TROUPE_ERR_LIMIT;
    }
    *out_handle = handle;
    return TROUPE_OK;
}

static void clone_join(void *self, void *opaque)
{
    (void)self;
    struct clone_thread *handle = opaque;
    (void)thrd_join(handle->thread, NULL);
    free(handle);
}

static void clone_fini(void *self)
{
    free(self);
}

const struct troupe_backend_ops backend_clone = {
    .version = TROUPE_BACKEND_VERSION,
    .traits = TROUPE_TRAIT_PARALLEL,
    .name = "clone",
    .description = "a C11 thread each, for tests",
    .init = clone_init,
    .start = clone_start,
    .join = clone_join,
    .fini = clone_fini,
};

#include "thread.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * A pthread for each executor: named after its first actor, on the CPUs it was given, with all signals blocked, because
 * the program's own threads handle them.
 */

enum {
    NAME_BYTES = 16, // of a thread's name in the kernel, with its NUL
    CPU_COUNT = 64,
};

struct thread_handle {
    const struct troupe_host *host;
    troupe_executor_t *executor;
    pthread_t thread;
    char name[NAME_BYTES];
};

struct thread_self {
    const struct troupe_host *host;
};

static enum troupe_err thread_init(const struct troupe_host *host, void **out_self)
{
    struct thread_self *self = malloc(sizeof(*self));
    if (self == NULL) {
        host->set_error_detail("no memory for the backend 'thread'");
        return TROUPE_ERR_NOMEM;
    }
    self->host = host;
    *out_self = self;
    return TROUPE_OK;
}

static void *thread_main(void *data)
{
    struct thread_handle *handle = data;
    (void)pthread_setname_np(pthread_self(), handle->name);
    handle->host->run(handle->executor);
    handle->host->exited(handle->executor); // the last use: it may be joined from here on
    return NULL;
}

/** Set the CPUs that a thread may run on. @return an errno, or 0. */
static int thread_set_cpus(pthread_attr_t *attributes, uint64_t cpu_mask)
{
    if (cpu_mask == 0) {
        return 0;
    }
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    for (unsigned cpu = 0; cpu < CPU_COUNT; cpu++) {
        if ((cpu_mask >> cpu & 1) != 0) {
            CPU_SET(cpu, &cpus);
        }
    }
    return pthread_attr_setaffinity_np(attributes, sizeof(cpus), &cpus);
}

/** Start the thread with all signals blocked: it inherits the mask of this one. @return an errno, or 0. */
static int thread_create(struct thread_handle *handle, uint64_t cpu_mask)
{
    pthread_attr_t attributes;
    int error = pthread_attr_init(&attributes);
    if (error != 0) {
        return error;
    }
    error = thread_set_cpus(&attributes, cpu_mask);
    if (error == 0) {
        sigset_t all;
        sigset_t before;
        (void)sigfillset(&all);
        (void)pthread_sigmask(SIG_SETMASK, &all, &before);
        error = pthread_create(&handle->thread, &attributes, thread_main, handle);
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    (void)pthread_attr_destroy(&attributes);
    return error;
}

static enum troupe_err thread_start(
    void *self,
    troupe_executor_t *executor,
    const struct troupe_executor_spec *spec,
    void **out_handle)
{
    const struct troupe_host *host = ((const struct thread_self *)self)->host;
    struct thread_handle *handle = calloc(1, sizeof(*handle));
    if (handle == NULL) {
        host->set_error_detail("no memory for a pthread");
        return TROUPE_ERR_NOMEM;
    }
    handle->host = host;
    handle->executor = executor;
    (void)snprintf(handle->name, sizeof(handle->name), "%.15s", spec->name);
    *out_handle = handle; // before the thread runs: it may end at once
    int error = thread_create(handle, spec->cpu_mask);
    if (error != 0) {
        free(handle);
        char text[256];
        (void)snprintf(
            text,
            sizeof(text),
            "no pthread for '%s': %s; %s",
            spec->name,
            strerror(error), // NOLINT(concurrency-mt-unsafe): glibc's is safe for known errors
            error == EINVAL
                ? "its cpu_mask names no CPU of this machine"
                : "end some, raise the limit of processes, or pool actors with thread:N");
        host->set_error_detail(text);
        return error == EINVAL ? TROUPE_ERR_INVAL : TROUPE_ERR_LIMIT;
    }
    return TROUPE_OK;
}

static void thread_join(void *self, void *data)
{
    (void)self;
    struct thread_handle *handle = data;
    (void)pthread_join(handle->thread, NULL);
    free(handle);
}

static void thread_fini(void *self)
{
    free(self);
}

const struct troupe_backend_ops trp_backend_thread = {
    .version = TROUPE_BACKEND_VERSION,
    .traits = TROUPE_TRAIT_PARALLEL,
    .name = "thread",
    .description = "a pthread for each actor, or thread:N for a pool",
    .init = thread_init,
    .start = thread_start,
    .join = thread_join,
    .fini = thread_fini,
};

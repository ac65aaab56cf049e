#include "base/memory.h"
#include "config/limits.h"
#include "node/backend_host.h"
#include "node/child_env.h"
#include "node/executors.h"
#include "node/process_manager.h"
#include "node/refresh.h"
#include "node/rlimits.h"
#include "node/system_make.h"
#include "observe/crash.h"
#include "shared/shared.h"
#include "troupe/main.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * The main function of a child:
 *
 *     environment --> shared memory --> limits --> a system with the executor it was started for --> run --> exit
 *
 * That executor is executor 0 of this process, so what its actors spawn on `ecs` lives there as well. The process
 * exits when all of its actors, and all other executors of the process, have ended.
 */

/** How long a child waits for memory that it cannot do without: 2 s. */
#define CHILD_MEMORY_PATIENCE_NS UINT64_C(2000000000)

/** Exit, and let the parent know why. @param process  NULL: it is not known which one this is. */
static _Noreturn void child_give_up(struct trp_process *process, const char *why)
{
    if (process != NULL) {
        (void)snprintf(process->exit_note, sizeof(process->exit_note), "%s", why);
    }
    (void)fprintf(stderr, "troupe: a process for actors could not start: %s\n", why);
    _exit(EXIT_FAILURE);
}

/** Exit because there is no memory for what was accepted for its actors. Takes no memory itself. */
static void child_end_of_memory(void *data)
{
    struct trp_process *process = data;
    atomic_store_explicit(&process->out_of_memory, true, memory_order_release);
    static const char text[] = "troupe: a process for actors has no memory left\n";
    (void)!write(STDERR_FILENO, text, sizeof(text) - 1);
    _exit(EXIT_FAILURE);
}

/** Use up the token of a child's environment. @return its process in shared memory; NULL: it is not valid. */
static struct trp_process *child_claim(const struct trp_child_env *env, struct trp_shared *shared)
{
    struct trp_process *process = &shared->processes[env->process_index % TRP_SHARED_PROCESSES];
    trp_shared_lock(shared);
    bool good =
        process->token == env->token && process->token != 0 &&
        atomic_load_explicit(&process->state, memory_order_relaxed) == TRP_PROCESS_REQUESTED;
    process->token = 0;
    trp_shared_unlock(shared);
    return good ? process : NULL;
}

static const struct troupe_backend_ops *child_find_backend(const struct trp_process *process)
{
    const struct troupe_backend_ops *ops = NULL;
    for (uint32_t i = 0; (ops = troupe_backend_get(i)) != NULL; i++) {
        if (strcmp(ops->name, process->backend) == 0) {
            return ops->child_setup == NULL ? NULL : ops;
        }
    }
    return NULL;
}

/** Find out which process this is, and set it up as a child of the first one. */
static struct trp_process *child_enter(
    const struct trp_child_env *env, struct trp_shared **out_shared)
{
    const int fds[] = {env->shared_fd, env->listener_fd, env->control_fd};
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        (void)fcntl(fds[i], F_SETFD, FD_CLOEXEC); // not for programs that its actors start
    }
    if (trp_shared_adopt(env->shared_fd, out_shared) != TROUPE_OK) {
        child_give_up(NULL, troupe_error_detail());
    }
    struct trp_process *process = child_claim(env, *out_shared);
    const struct troupe_backend_ops *ops = process == NULL ? NULL : child_find_backend(process);
    if (ops == NULL) {
        child_give_up(NULL, "its token is not valid, or was used before");
    }
    if (ops->child_setup(process->name, (*out_shared)->first_pid) != TROUPE_OK) {
        _exit(EXIT_FAILURE); // the parent has exited, so no report would reach anyone
    }
    return process;
}

/** Make the system of this child, with its limits. */
static enum troupe_err child_make(
    const struct trp_child_env *env,
    const struct troupe_behaviour *const *behaviours,
    struct trp_shared *shared,
    const struct trp_process *process,
    troupe_system_t **out_system)
{
    struct troupe_limits limits = {0};
    enum troupe_err err = trp_limits_parse(process->limits, 0, "shared memory", &limits);
    if (err == TROUPE_OK) {
        err = trp_rlimits_set_threads(&limits);
    }
    if (err == TROUPE_OK) {
        err = trp_system_make_child(behaviours, shared, process, env, out_system);
    }
    if (err == TROUPE_OK) {
        err = trp_child_env_read_rules(*out_system);
    }
    if (err == TROUPE_OK) {
        err = trp_process_manager_start(*out_system);
    }
    if (err == TROUPE_OK) {
        trp_refresh_on_control(*out_system);
        err = trp_rlimits_set_process(&limits);
    }
    return err;
}

/** Run until the executor this process was started for has ended, and all others here with it. */
static void child_run(troupe_system_t *system)
{
    trp_backend_host_run(system->executor);
    struct pollfd wake = {.fd = system->runtime.wake_fd, .events = POLLIN};
    for (;;) {
        (void)pthread_mutex_lock(&system->runtime.lock);
        bool done = system->carried_count == 0;
        (void)pthread_mutex_unlock(&system->runtime.lock);
        trp_executors_reap(system); // after the count was read, so the last one is among them
        if (done) {
            break;
        }
        (void)poll(&wake, 1, -1);
        uint64_t drained = 0;
        (void)!read(system->runtime.wake_fd, &drained, sizeof(drained));
    }
}

/** This process in shared memory, as long as that is mapped. */
static struct trp_process *child_process;

/** Note how this process exits, for a parent that cannot learn it by waiting. */
static void child_note_exit(int status, void *data)
{
    (void)data;
    if (child_process != NULL && getpid() == child_process->pid) { // not in a copy of it
        atomic_store_explicit(
            &child_process->last_words, trp_process_exited(status), memory_order_release);
    }
}

static _Noreturn void child_main(
    const struct trp_child_env *env, const struct troupe_behaviour *const *behaviours)
{
    struct trp_shared *shared = NULL;
    struct trp_process *process = child_enter(env, &shared);
    trp_memory_on_shortage(child_end_of_memory, process, CHILD_MEMORY_PATIENCE_NS);
    troupe_system_t *system = NULL;
    enum troupe_err err = child_make(env, behaviours, shared, process, &system);
    if (err != TROUPE_OK) {
        atomic_store_explicit(
            &process->out_of_memory, err == TROUPE_ERR_NOMEM, memory_order_release);
        child_give_up(process, troupe_error_detail());
    }
    atomic_store_explicit(&process->pid, getpid(), memory_order_relaxed);
    atomic_store_explicit(&process->state, TRP_PROCESS_RUNNING, memory_order_release);
    trp_crash_note_in(&process->last_words);
    trp_crash_install(shared, NULL);
    child_process = process;
    (void)on_exit(child_note_exit, NULL);
    child_run(system);
    trp_process_manager_stop(system);
    child_note_exit(EXIT_SUCCESS, NULL);
    child_process = NULL;
    trp_crash_note_in(NULL);
    trp_system_free(system);
    exit(EXIT_SUCCESS); // NOLINT(concurrency-mt-unsafe): no other thread of ours runs any more
}

void troupe_run_if_child(const struct troupe_behaviour *const *behaviours)
{
    struct trp_child_env env;
    const char *text = getenv(TRP_CHILD_ENV_NAME); // NOLINT(concurrency-mt-unsafe): no thread yet
    if (text == NULL) {
        return;
    }
    bool good = trp_child_env_read(text, &env);
    (void)unsetenv(TRP_CHILD_ENV_NAME); // NOLINT(concurrency-mt-unsafe): as above
    if (!good) {
        child_give_up(
            NULL, "the environment variable " TRP_CHILD_ENV_NAME " is not from Troupe; unset it");
    }
    child_main(&env, behaviours);
}

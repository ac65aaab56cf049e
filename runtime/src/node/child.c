/*
 * The course of a child:
 *
 *     child environment --> board --> a system of its own, with the executor it was started for --> run --> exit
 *
 * Its executor is the owner's world of this process: what its actors spawn on `ecs` lives there, too. It
 * ends when all of its actors, and all other executors of the process, have ended.
 */
#include "node/child.h"

#include "base/memory.h"
#include "config/limits.h"
#include "config/placement.h"
#include "config/rules.h"
#include "node/process_manager.h"
#include "node/rlimits.h"
#include "node/run_loop.h"
#include "node/system.h"
#include "observe/crash.h"
#include "shared/shared.h"
#include "troupe/main.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TICKET_NAME "TROUPE_CHILD"

/** How long a child waits for memory that it cannot do without: 2 s. */
#define LACK_PATIENCE_NS UINT64_C(2000000000)

/* Tickets. -------------------------------------------------------------------------------------- */

void trp_child_env_write(
    const struct trp_child_env *child_env, char text[static TRP_CHILD_ENV_BYTES])
{
    (void)snprintf(
        text,
        TRP_CHILD_ENV_BYTES,
        TICKET_NAME "=%d,%d,%d,%" PRIu32 ",%" PRIx64,
        child_env->shared_fd,
        child_env->listener_fd,
        child_env->control_fd,
        child_env->process_index,
        child_env->token);
}

bool trp_child_env_read(const char *text, struct trp_child_env *out_child_env)
{
    int end = 0;
    struct trp_child_env child_env;
    // A number out of range is none of ours, and then neither is the token.
    int count = sscanf( // NOLINT(cert-err34-c)
        text,
        "%d,%d,%d,%" SCNu32 ",%" SCNx64 "%n",
        &child_env.shared_fd,
        &child_env.listener_fd,
        &child_env.control_fd,
        &child_env.process_index,
        &child_env.token,
        &end);
    if (count != 5 || text[end] != '\0' || child_env.shared_fd < 0 || child_env.listener_fd < 0 ||
        child_env.control_fd < 0 || child_env.process_index >= TRP_SHARED_PROCESSES) {
        return false;
    }
    *out_child_env = child_env;
    return true;
}

/* What children need to know. ------------------------------------------------------------------- */

enum troupe_err trp_child_describe(struct troupe_system *system)
{
    size_t at = 0;
    struct trp_shared *shared = system->runtime.shared;
    const struct trp_config *config = &system->config;
    if (trp_rules_write(config->placement.rules, shared->rules, sizeof(shared->rules), &at) &&
        trp_rules_write(config->limits, shared->rules, sizeof(shared->rules), &at)) {
        return TROUPE_OK;
    }
    return TRP_EXPLAIN(
        TROUPE_ERR_LIMIT,
        "the rules of the system have more than %d bytes, so processes cannot know them; write "
        "fewer, with patterns",
        TRP_SHARED_RULES_BYTES);
}

/** Read the rules that the first process wrote. */
static enum troupe_err child_read_rules(troupe_system_t *system)
{
    size_t at = 0;
    char *bytes = system->runtime.shared->rules;
    struct trp_config *config = &system->config;
    enum troupe_err err = trp_rules_read(&config->placement.rules, &trp_placement_kind, bytes, &at);
    return err == TROUPE_OK ? trp_rules_read(&config->limits, &trp_limits_kind, bytes, &at) : err;
}

/* The course. ----------------------------------------------------------------------------------- */

/** End a child that cannot be what it was started for; its parent tells why. @param node  NULL: unknown. */
static _Noreturn void child_give_up(struct trp_process *node, const char *what)
{
    if (node != NULL) {
        (void)snprintf(node->exit_note, sizeof(node->exit_note), "%s", what);
    }
    (void)fprintf(stderr, "troupe: a process for actors could not start: %s\n", what);
    _exit(EXIT_FAILURE);
}

/** Show the child environment, which is good for one. @return the place of this process in shared memory. */
static struct trp_process *child_enter_shared(
    const struct trp_child_env *child_env, struct trp_shared *shared)
{
    struct trp_process *node = &shared->processes[child_env->process_index];
    trp_shared_lock(shared);
    bool good = node->token == child_env->token && node->token != 0 &&
                atomic_load_explicit(&node->state, memory_order_relaxed) == TRP_PROCESS_REQUESTED;
    node->token = 0;
    trp_shared_unlock(shared);
    return good ? node : NULL;
}

/** End a child that has no memory for what was accepted for its actors; its parent tells it so. */
static void child_end_of_memory(void *data)
{
    struct trp_process *node = data;
    atomic_store_explicit(&node->out_of_memory, true, memory_order_release);
    static const char words[] = "troupe: a process for actors has no memory left\n";
    (void)!write(STDERR_FILENO, words, sizeof(words) - 1);
    _exit(EXIT_FAILURE);
}

static const struct troupe_backend_ops *child_backend(const struct trp_process *node)
{
    const struct troupe_backend_ops *ops = NULL;
    for (uint32_t i = 0; (ops = troupe_backend_get(i)) != NULL; i++) {
        if (strcmp(ops->name, node->backend) == 0) {
            return ops->child_setup == NULL ? NULL : ops;
        }
    }
    return NULL;
}

/** Run until the executor this process was started for has ended, and all others here with it. */
static void child_run(troupe_system_t *system)
{
    trp_executor_run(system->executor);
    struct pollfd wake = {.fd = system->runtime.wake_fd, .events = POLLIN};
    for (;;) {
        (void)pthread_mutex_lock(&system->runtime.lock);
        bool done = system->carried_count == 0;
        (void)pthread_mutex_unlock(&system->runtime.lock);
        trp_system_reap(system); // after that look: the last one is among them
        if (done) {
            break;
        }
        (void)poll(&wake, 1, -1);
        uint64_t drained = 0;
        (void)!read(system->runtime.wake_fd, &drained, sizeof(drained));
    }
}

static _Noreturn void child_main(
    const struct trp_child_env *child_env, const struct troupe_behaviour *const *behaviours)
{
    const int fds[] = {child_env->shared_fd, child_env->listener_fd, child_env->control_fd};
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        (void)fcntl(fds[i], F_SETFD, FD_CLOEXEC); // not for what its actors start
    }
    struct trp_shared *shared = NULL;
    if (trp_shared_adopt(child_env->shared_fd, &shared) != TROUPE_OK) {
        child_give_up(NULL, troupe_error_detail());
    }
    struct trp_process *node = child_enter_shared(child_env, shared);
    const struct troupe_backend_ops *ops = node == NULL ? NULL : child_backend(node);
    if (ops == NULL) {
        child_give_up(NULL, "its ticket is not good, or was shown before");
    }
    if (ops->child_setup(node->name, shared->first_pid) != TROUPE_OK) {
        _exit(EXIT_FAILURE); // the parent is gone, and nobody is left to be told
    }
    struct troupe_limits limits = {0};
    if (trp_limits_parse(node->limits, 0, "board", &limits) != TROUPE_OK ||
        trp_rlimits_set_threads(&limits) != TROUPE_OK) {
        child_give_up(node, troupe_error_detail());
    }
    trp_memory_on_shortage(child_end_of_memory, node, LACK_PATIENCE_NS);
    troupe_system_t *system = NULL;
    enum troupe_err err = trp_system_new_child(behaviours, shared, child_env, node, &system);
    if (err == TROUPE_OK) {
        err = child_read_rules(system);
    }
    if (err == TROUPE_OK) {
        err = trp_process_manager_adopt(system, child_env->control_fd);
    }
    if (err == TROUPE_OK) {
        err = trp_rlimits_set_process(&limits);
    }
    if (err != TROUPE_OK) {
        atomic_store_explicit(&node->out_of_memory, err == TROUPE_ERR_NOMEM, memory_order_release);
        child_give_up(node, troupe_error_detail());
    }
    atomic_store_explicit(&node->pid, getpid(), memory_order_relaxed);
    atomic_store_explicit(&node->state, TRP_PROCESS_RUNNING, memory_order_release);
    trp_crash_install(shared, NULL);
    child_run(system);
    trp_system_free_child(system);
    exit(EXIT_SUCCESS); // NOLINT(concurrency-mt-unsafe): no other thread of ours runs any more
}

void troupe_run_if_child(const struct troupe_behaviour *const *behaviours)
{
    struct trp_child_env child_env;
    const char *text = getenv(TICKET_NAME); // NOLINT(concurrency-mt-unsafe): before any thread
    if (text == NULL) {
        return;
    }
    bool good = trp_child_env_read(text, &child_env);
    (void)unsetenv(TICKET_NAME); // NOLINT(concurrency-mt-unsafe): as above
    if (!good) {
        child_give_up(NULL, "the environment variable " TICKET_NAME " is none of ours; unset it");
    }
    child_main(&child_env, behaviours);
}

#include "node/system_make.h"

#include "actor/dead_letter_log.h"
#include "actor/forked.h"
#include "actor/start.h"
#include "base/clock.h"
#include "base/descriptors.h"
#include "base/idmap.h"
#include "config/config.h"
#include "loop/executor_new.h"
#include "loop/loop.h"
#include "node/backend_host.h"
#include "node/child_env.h"
#include "node/damage_stop.h"
#include "node/executors.h"
#include "node/node.h"
#include "node/signals.h"
#include "shared/records.h"
#include "shared/shared.h"
#include "wire/frame_pool.h"
#include "wire/run_dir.h"
#include "wire/zmq.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

/*
 * Making and freeing a system.
 *
 *     first process   options --> config --> operating system --> shared memory --> executor 0 --> backends
 *     child           shared memory, which has the options that all processes share --> its executor
 */

enum { ZEROMQ_THREADS = 2 };

static enum troupe_err system_check_behaviours(
    const struct troupe_behaviour *const *behaviours, uint32_t *out_count)
{
    uint32_t count = 0;
    while (behaviours != NULL && behaviours[count] != NULL) {
        const struct troupe_behaviour *behaviour = behaviours[count];
        if (behaviour->name == NULL || behaviour->name[0] == '\0' || behaviour->receive == NULL) {
            return TRP_EXPLAIN(
                TROUPE_ERR_INVAL,
                "behaviour %u ('%s') needs a name and a receive",
                count + 1,
                behaviour->name == NULL ? "" : behaviour->name);
        }
        if (strlen(behaviour->name) > TRP_BEHAVIOUR_NAME_BYTES_MAX) {
            return TRP_EXPLAIN(
                TROUPE_ERR_INVAL,
                "behaviour %u ('%.32s...') has a name of more than %d bytes",
                count + 1,
                behaviour->name,
                TRP_BEHAVIOUR_NAME_BYTES_MAX);
        }
        for (uint32_t i = 0; i < count; i++) {
            if (strcmp(behaviours[i]->name, behaviour->name) == 0) {
                return TRP_EXPLAIN(
                    TROUPE_ERR_INVAL, "two behaviours are called '%s'", behaviour->name);
            }
        }
        count++;
    }
    if (count == 0 || count > UINT16_MAX) {
        return TRP_EXPLAIN(
            TROUPE_ERR_INVAL,
            "a system has 1 to %d behaviours; this one has %u",
            UINT16_MAX,
            count);
    }
    *out_count = count;
    return TROUPE_OK;
}

/** Copy the list: that of TROUPE_BEHAVIOURS() may end with the block that it stands in. */
static enum troupe_err system_copy_behaviours(
    troupe_system_t *system, const struct troupe_behaviour *const *behaviours)
{
    system->runtime.behaviours =
        calloc(system->runtime.behaviour_count, sizeof(*system->runtime.behaviours));
    if (system->runtime.behaviours == NULL) {
        return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for a system");
    }
    memcpy(
        system->runtime.behaviours,
        behaviours,
        system->runtime.behaviour_count * sizeof(*behaviours));
    return TROUPE_OK;
}

/** Take over the options that hold for one process only. */
static enum troupe_err system_configure(
    troupe_system_t *system, const struct troupe_system_options *options)
{
    enum troupe_err err =
        system_check_behaviours(options->behaviours, &system->runtime.behaviour_count);
    if (err != TROUPE_OK) {
        return err;
    }
    system->child_program = options->child_program == NULL ? NULL : strdup(options->child_program);
    if (options->child_program != NULL && system->child_program == NULL) {
        return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for a system");
    }
    system->output = options->output;
    trp_forked_install();
    system->runtime.pid = trp_forked_pid;
    system->runtime.clock_is_real = options->clock == NULL;
    system->runtime.clock = options->clock != NULL ? options->clock : trp_clock_monotonic;
    system->runtime.clock_data = options->clock_data;
    return system_copy_behaviours(system, options->behaviours);
}

/** Take over the options that all processes of the system share. */
static enum troupe_err system_configure_all(
    troupe_system_t *system, const struct troupe_system_options *options)
{
    enum troupe_err err = trp_config_make(options, &system->config);
    if (err != TROUPE_OK) {
        return err;
    }
    system->runtime.mailbox_messages = system->config.mailbox_messages.value;
    system->runtime.mailbox_bytes = system->config.mailbox_bytes.value;
    system->stop_timeout_ns = system->config.stop_timeout_ns.value;
    system->runtime.dead_log.is_on = options->dead_letter_log;
    system->callback_timeout_ns = system->config.watchdog.value;
    system->runtime.seed = system->config.seed.value;
    if (system->runtime.seed == 0) {
        (void)!getrandom(&system->runtime.seed, sizeof(system->runtime.seed), 0);
    }
    return TROUPE_OK;
}

static void *system_probe(void *lock)
{
    (void)pthread_mutex_lock(lock);
    (void)pthread_mutex_unlock(lock);
    return NULL;
}

/** @return whether there can be two more threads: ZeroMQ makes them and aborts when it cannot. */
static bool system_has_threads(void)
{
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_t threads[ZEROMQ_THREADS];
    int count = 0;
    (void)pthread_mutex_lock(&lock); // so that they exist at the same time
    while (count < ZEROMQ_THREADS &&
           pthread_create(&threads[count], NULL, system_probe, &lock) == 0) {
        count++;
    }
    (void)pthread_mutex_unlock(&lock);
    for (int i = 0; i < count; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    return count == ZEROMQ_THREADS;
}

/** Make the shared memory, with the options that all processes of the system share. */
static enum troupe_err system_open_shared(troupe_system_t *system)
{
    enum troupe_err err = trp_shared_new(&system->runtime.shared, &system->shared_fd);
    if (err == TROUPE_OK) {
        system->runtime.node =
            atomic_fetch_add_explicit(&system->runtime.shared->next_node, 1, memory_order_relaxed);
        system->runtime.records = &system->records;
        system->runtime.shared->mailbox_messages = system->runtime.mailbox_messages;
        system->runtime.shared->mailbox_bytes = system->runtime.mailbox_bytes;
        system->runtime.shared->seed = system->runtime.seed;
        system->runtime.shared->stop_timeout_ns = system->stop_timeout_ns;
        system->runtime.shared->dead_letter_log = system->runtime.dead_log.is_on;
        system->runtime.shared->callback_timeout_ns = system->callback_timeout_ns;
        system->runtime.shared->callback_timeout_kills = system->config.watchdog_kills;
    }
    return err;
}

/** @return the farthest transport of the rules that place actors on executor 0. */
static enum trp_transport system_callers_transport(const troupe_system_t *system)
{
    enum trp_transport farthest = TRP_TRANSPORT_NEAREST;
    for (const struct trp_rule *rule = system->config.placement.rules; rule != NULL;
         rule = rule->next) {
        if ((rule->place.ops->traits & TROUPE_TRAIT_CALLERS_THREAD) != 0 &&
            rule->place.transport > farthest) {
            farthest = rule->place.transport;
        }
    }
    return farthest;
}

/** Get what a system needs of the operating system, after checking that ZeroMQ will get it, too. */
static enum troupe_err system_open(troupe_system_t *system)
{
    trp_descriptors_fill_standard();
    if (!trp_descriptors_are_free(0)) {
        return TRP_EXPLAIN(
            TROUPE_ERR_LIMIT,
            "fewer than %d descriptors are free; close some, or raise the limit of open files",
            TRP_DESCRIPTORS_FREE_MIN);
    }
    if (!system_has_threads()) {
        return TRP_EXPLAIN(
            TROUPE_ERR_LIMIT,
            "no more threads can be made; end some, or raise the limit of processes");
    }
    trp_damage_stop_add(system);
    system->runtime.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (system->runtime.wake_fd < 0) {
        return TRP_EXPLAIN(TROUPE_ERR_SYSTEM, "no eventfd: errno %d", errno);
    }
    return trp_zmq_context_new(trp_descriptors_socket_count_max(), &system->runtime.context);
}

/** Make executor 0. */
static enum troupe_err system_open_caller(troupe_system_t *system)
{
    const struct troupe_backend_ops *ops = troupe_backend_get(0);
    TRP_CHECK((ops->traits & TROUPE_TRAIT_CALLERS_THREAD) != 0);
    enum troupe_err err = trp_executors_add(
        system, TRP_MODE_CALLER, system_callers_transport(system), ops->name, &system->executor);
    if (err == TROUPE_OK) {
        system->executor->ops = ops;
        trp_executors_set_backend(system->runtime.shared, system->executor->slot, ops->name);
        (void)pthread_mutex_lock(&system->runtime.lock);
        err = trp_backend_host_open(system, ops, &system->executor->backend_self);
        (void)pthread_mutex_unlock(&system->runtime.lock);
    }
    return err;
}

/** Make ready the backends of all rules: one that cannot work here fails now, not at the first spawn. */
static enum troupe_err system_open_backends(troupe_system_t *system)
{
    enum troupe_err err = TROUPE_OK;
    (void)pthread_mutex_lock(&system->runtime.lock);
    for (const struct trp_rule *rule = system->config.placement.rules;
         rule != NULL && err == TROUPE_OK;
         rule = rule->next) {
        void *self = NULL;
        err = trp_backend_host_open(system, rule->place.ops, &self);
    }
    (void)pthread_mutex_unlock(&system->runtime.lock);
    return err;
}

void trp_system_free(troupe_system_t *system)
{
    trp_damage_stop_remove(system);
    trp_executor_free(&system->executor);
    trp_dead_log_close(&system->runtime.dead_log);
    trp_backend_host_close_all(system);
    trp_zmq_context_free(system->runtime.context);
    trp_guard_free(&system->runtime.guard);
    trp_frame_pool_fini(&system->runtime.frames);
    trp_config_fini(&system->config);
    trp_idmap_fini(&system->runtime.executors);
    trp_run_dir_close(&system->run_dir);
    trp_shared_close(&system->runtime.shared);
    const int fds[] = {
        system->runtime.wake_fd,
        system->epoll_fd,
        system->timer_fd,
        system->shared_fd,
        system->control_fd,
    };
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        if (fds[i] >= 0) {
            (void)close(fds[i]);
        }
    }
    trp_signals_free(system->signals);
    trp_records_fini(&system->records);
    free(system->runtime.behaviours);
    free(system->child_program);
    (void)pthread_mutex_destroy(&system->runtime.lock);
    (void)pthread_mutex_destroy(&system->pool_lock);
    (void)pthread_mutex_destroy(&system->start_lock);
    free(system);
}

static int32_t system_cpu_count(void)
{
    cpu_set_t cpus;
    return sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? CPU_COUNT(&cpus) : 1;
}

/** Allocate a system that has nothing yet. */
static enum troupe_err system_alloc(troupe_system_t **out_system)
{
    troupe_system_t *system = calloc(1, sizeof(*system));
    if (system == NULL) {
        return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for a system");
    }
    system->runtime.wake_fd = -1;
    system->epoll_fd = -1;
    system->timer_fd = -1;
    system->shared_fd = -1;
    system->control_fd = -1;
    system->run_dir.lock_fd = -1;
    (void)pthread_mutex_init(&system->runtime.lock, NULL);
    (void)pthread_mutex_init(&system->pool_lock, NULL);
    (void)pthread_mutex_init(&system->start_lock, NULL);
    // To spin pays off only while another core can run what is waited for.
    int32_t cpu_count = system_cpu_count();
    system->runtime.spinners.count_max = cpu_count > 1 ? cpu_count : 0;
    system->runtime.ops = &trp_node_ops;
    trp_cycles_calibrate();
    trp_descriptors_raise_limit();
    *out_system = system;
    return TROUPE_OK;
}

static enum troupe_err system_open_first(
    troupe_system_t *system, const struct troupe_system_options *options)
{
    enum troupe_err err = system_configure(system, options);
    if (err == TROUPE_OK) {
        err = system_configure_all(system, options);
    }
    if (err == TROUPE_OK) {
        err = system_open(system);
    }
    if (err == TROUPE_OK) {
        err = system_open_shared(system);
    }
    if (err == TROUPE_OK) {
        err = trp_signals_begin(system, options->signals);
    }
    if (err == TROUPE_OK) {
        err = system_open_caller(system);
    }
    if (err == TROUPE_OK) {
        err = system_open_backends(system);
    }
    return err;
}

enum troupe_err trp_system_make(
    const struct troupe_system_options *options, troupe_system_t **out_system)
{
    troupe_system_t *system = NULL;
    enum troupe_err err = system_alloc(&system);
    if (err == TROUPE_OK) {
        err = system_open_first(system, options);
        if (err != TROUPE_OK) {
            trp_system_free(system);
            return err;
        }
        *out_system = system;
    }
    return err;
}

/** Make the executor that a child was started for: it is executor 0 of its process. */
static enum troupe_err system_open_child(
    troupe_system_t *system, const struct trp_process *process, int listener_fd)
{
    trp_shared_lock(system->runtime.shared);
    struct trp_slot *slot = trp_shared_find_slot(system->runtime.shared, process->executor);
    trp_shared_unlock(system->runtime.shared);
    if (slot == NULL) {
        return TRP_EXPLAIN(
            TROUPE_ERR_NOENT, "executor %u is not in shared memory", process->executor);
    }
    trp_executors_set_backend(system->runtime.shared, slot, process->backend);
    enum troupe_err err =
        trp_executors_add_slot(system, TRP_MODE_CALLER, slot, process->name, &system->executor);
    if (err == TROUPE_OK) {
        system->executor->dedicated = process->dedicated;
        system->executor->listener_fd = listener_fd;
        trp_executor_listen(system->executor);
        if (!system->executor->mailbox.listens) {
            err = TROUPE_ERR_SYSTEM; // the detail is set; nothing could reach it
        }
    }
    return err;
}

/** Take over the options that all processes of the system share. */
static void system_configure_child(troupe_system_t *system, struct trp_shared *shared)
{
    system->runtime.shared = shared;
    (void)pthread_sigmask(SIG_BLOCK, NULL, &system->runtime.signal_mask);
    system->runtime.mailbox_messages = shared->mailbox_messages;
    system->runtime.mailbox_bytes = shared->mailbox_bytes;
    system->runtime.seed = shared->seed;
    system->runtime.dead_log.is_on = shared->dead_letter_log;
    system->stop_timeout_ns = shared->stop_timeout_ns;
    system->callback_timeout_ns = shared->callback_timeout_ns;
}

enum troupe_err trp_system_make_child(
    const struct troupe_behaviour *const *behaviours,
    struct trp_shared *shared,
    const struct trp_process *process,
    const struct trp_child_env *env,
    troupe_system_t **out_system)
{
    const struct troupe_system_options options = {.behaviours = behaviours};
    troupe_system_t *system = NULL;
    enum troupe_err err = system_alloc(&system);
    if (err == TROUPE_OK) {
        system_configure_child(system, shared);
        system->shared_fd = env->shared_fd;
        system->control_fd = env->control_fd;
        system->runtime.node = process->id;
        system->is_remote = true;
        err = system_configure(system, &options);
    }
    if (err == TROUPE_OK) {
        err = system_open(system);
    }
    if (err == TROUPE_OK) {
        err = trp_guard_new(system->runtime.context, shared->secret, &system->runtime.guard);
    }
    if (err == TROUPE_OK) {
        err = system_open_child(system, process, env->listener_fd);
    }
    *out_system = system; // whatever failed, the process ends with it
    return err;
}

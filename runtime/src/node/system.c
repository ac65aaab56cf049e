#include "node/system.h"

#include "actor/actor_table.h"
#include "actor/dead_letter_log.h"
#include "actor/end.h"
#include "actor/executor.h"
#include "actor/runtime.h"
#include "actor/send.h"
#include "base/clock.h"
#include "base/descriptors.h"
#include "base/error.h"
#include "base/idmap.h"
#include "channel/channel.h"
#include "channel/channels.h"
#include "channel/grant.h"
#include "channel/mailbox.h"
#include "config/config.h"
#include "loop/executor_new.h"
#include "loop/loop.h"
#include "node/child.h"
#include "node/launch_actors.h"
#include "node/node.h"
#include "node/process_manager.h"
#include "node/run_loop.h"
#include "node/signals.h"
#include "observe/crash.h"
#include "shared/process.h"
#include "shared/records.h"
#include "shared/root.h"
#include "shared/shared.h"
#include "shared/slot.h"
#include "shared/slot_endpoint.h"
#include "troupe/main.h"
#include "wire/format.h"
#include "wire/frame_pool.h"
#include "wire/run_dir.h"
#include "wire/zmq.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { ZEROMQ_THREADS = 2 };

/* What backends may ask (struct troupe_host). ---------------------------------------------------- */

static void host_exited(troupe_executor_t *executor)
{
    troupe_system_t *system = trp_system_of(executor);
    (void)pthread_mutex_lock(&system->runtime.lock);
    executor->next_finished = system->finished;
    system->finished = executor;
    system->carried_count--;
    trp_runtime_wake(&system->runtime); // under the lock: after it, the system may be gone
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
    .run = trp_executor_run,
    .exited = host_exited,
    .run_turn = host_run_turn,
    .now = host_now,
    .set_error_detail = host_set_error_detail,
    .context = host_context,
    .has_actor = host_has_actor,
};

enum troupe_err trp_system_backend(
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

enum troupe_err trp_system_find_backend(
    troupe_system_t *system,
    const char *name,
    const struct troupe_backend_ops **out_ops,
    void **out_self)
{
    const struct troupe_backend_ops *ops = NULL;
    for (uint32_t i = 0; (ops = troupe_backend_get(i)) != NULL; i++) {
        if (strcmp(ops->name, name) == 0) {
            *out_ops = ops;
            return trp_system_backend(system, ops, out_self);
        }
    }
    return TRP_EXPLAIN(TROUPE_ERR_UNSUPPORTED, "no backend is called '%s' here", name);
}

/* Executors. ------------------------------------------------------------------------------------ */

/** Close the ledger of an executor's channel to itself, and leave its slot. */
static void system_close_loop(troupe_system_t *system, struct troupe_executor *executor)
{
    if (executor->channels.loop != NULL && executor->channels.loop->ledger != NULL) {
        trp_records_close_ledger(system->runtime.shared, trp_system_records(system), executor->channels.loop->ledger);
        executor->channels.loop->ledger = NULL;
        executor->channels.loop->in_ledger = NULL;
    }
}

/** Have an executor listen from its next turn on. @threads holding `lock` */
static enum troupe_err system_make_listener(
    troupe_system_t *system, struct troupe_executor *executor)
{
    if (executor->slot->listens) {
        return TROUPE_OK;
    }
    int fd = -1;
    enum troupe_err err = trp_slot_listen(system->runtime.shared, executor->slot, &fd);
    if (err == TROUPE_OK) {
        executor->listener_fd = fd;
        atomic_store_explicit(&executor->attention, true, memory_order_relaxed);
        trp_executor_wake(executor);
    }
    return err;
}

enum troupe_err trp_system_go_remote(troupe_system_t *system)
{
    enum troupe_err err = TROUPE_OK;
    (void)pthread_mutex_lock(&system->runtime.lock);
    if (!system->is_remote && system->run_dir.lock_fd < 0 && trp_system_is_first(system)) {
        err = trp_run_dir_open(&system->run_dir);
        if (err == TROUPE_OK) {
            (void)snprintf(
                system->runtime.shared->run_dir,
                sizeof(system->runtime.shared->run_dir),
                "%s",
                system->run_dir.path);
        }
    }
    if (err == TROUPE_OK && !system->is_remote) {
        for (uint32_t i = 0; i < system->runtime.executors.slot_count && err == TROUPE_OK; i++) {
            struct troupe_executor *executor = system->runtime.executors.slots[i].value;
            err = executor == NULL ? TROUPE_OK : system_make_listener(system, executor);
        }
        system->is_remote = err == TROUPE_OK; // else the next who wants it goes on
    }
    (void)pthread_mutex_unlock(&system->runtime.lock);
    return err;
}

/** Make the executor of a slot, and let others find it. */
enum troupe_err trp_system_new_executor(
    troupe_system_t *system,
    enum trp_executor_mode mode,
    struct trp_slot *slot,
    const char *name,
    struct troupe_executor **out_executor)
{
    struct troupe_executor *executor = NULL;
    enum troupe_err err = TROUPE_OK;
    if (slot->transport > TRP_TRANSPORT_INPROC) {
        err = trp_system_go_remote(system);
    }
    if (err == TROUPE_OK) {
        err = trp_executor_new(&system->runtime, slot, mode, name, &executor);
    }
    if (err != TROUPE_OK) {
        return err;
    }
    (void)pthread_mutex_lock(&system->runtime.lock);
    if (system->is_remote) {
        err = system_make_listener(system, executor);
    }
    if (err == TROUPE_OK && !trp_idmap_put(&system->runtime.executors, slot->id, executor)) {
        err = TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for an executor");
    }
    (void)pthread_mutex_unlock(&system->runtime.lock);
    if (err == TROUPE_OK) {
        trp_executor_listen(executor);
    } else {
        system_close_loop(system, executor);
        trp_executor_free(&executor);
    }
    *out_executor = executor;
    return err;
}

void trp_system_wake_executor(troupe_system_t *system, uint32_t id)
{
    (void)pthread_mutex_lock(&system->runtime.lock);
    struct troupe_executor *executor = trp_idmap_find(&system->runtime.executors, id);
    if (executor != NULL) {
        trp_executor_wake(executor);
    }
    (void)pthread_mutex_unlock(&system->runtime.lock);
}

bool trp_system_is_alone(troupe_system_t *system, const struct troupe_executor *executor)
{
    if (executor != system->executor) {
        return true; // it is not its process that ends with it
    }
    (void)pthread_mutex_lock(&system->runtime.lock);
    bool alone = system->carried_count == 0 && system->inbox_count == 0;
    (void)pthread_mutex_unlock(&system->runtime.lock);
    return alone;
}

enum troupe_err trp_system_add_executor(
    troupe_system_t *system,
    enum trp_executor_mode mode,
    enum trp_transport transport,
    const char *name,
    struct troupe_executor **out_executor)
{
    struct trp_shared *shared = system->runtime.shared;
    uint32_t id = atomic_fetch_add_explicit(&shared->next_executor, 1, memory_order_relaxed);
    struct trp_slot *slot =
        trp_slot_take(shared, id, system->runtime.node, system->runtime.node, name);
    if (slot == NULL) {
        return TRP_EXPLAIN(
            TROUPE_ERR_LIMIT, "all %d executors of a system are taken", TRP_SHARED_SLOTS);
    }
    trp_shared_lock(shared); // others find it already
    slot->transport = (uint8_t)transport;
    slot->is_inbox = mode == TRP_MODE_INBOX;
    trp_shared_unlock(shared);
    enum troupe_err err = trp_system_new_executor(system, mode, slot, name, out_executor);
    if (err != TROUPE_OK) {
        trp_slot_discard(shared, slot);
    }
    return err;
}

enum troupe_err trp_system_add_inbox(
    troupe_system_t *system, struct troupe_inbox *inbox, struct troupe_executor **out_executor)
{
    struct troupe_executor *executor = NULL;
    enum troupe_err err =
        trp_system_add_executor(system, TRP_MODE_INBOX, TRP_TRANSPORT_NEAREST, "inbox", &executor);
    if (err == TROUPE_OK) {
        (void)pthread_mutex_lock(&system->runtime.lock);
        executor->inbox = inbox;
        system->inbox_count++;
        (void)pthread_mutex_unlock(&system->runtime.lock);
        *out_executor = executor;
    }
    return err;
}

void trp_system_remove_inbox(troupe_system_t *system, struct troupe_executor *executor)
{
    trp_system_remove_executor(system, executor);
    (void)pthread_mutex_lock(&system->runtime.lock);
    system->inbox_count--;
    (void)pthread_mutex_unlock(&system->runtime.lock);
}

void trp_system_remove_executor(troupe_system_t *system, struct troupe_executor *executor)
{
    (void)pthread_mutex_lock(&system->runtime.lock);
    trp_idmap_remove(&system->runtime.executors, executor->id);
    (void)pthread_mutex_unlock(&system->runtime.lock);
    system_close_loop(system, executor);
    trp_shared_lock(system->runtime.shared);
    atomic_store_explicit(&executor->slot->state, TRP_SLOT_ENDED, memory_order_release);
    trp_shared_unlock(system->runtime.shared);
    trp_runtime_wake(&system->runtime);
}

/** Note what carries an executor, for who reads of it. */
static void system_slot_backend(struct trp_shared *shared, struct trp_slot *slot, const char *name)
{
    trp_shared_lock(shared);
    (void)snprintf(slot->backend, sizeof(slot->backend), "%s", name);
    trp_shared_unlock(shared);
}

enum troupe_err trp_system_start_executor(
    troupe_system_t *system, struct troupe_executor *executor, uint64_t cpu_mask)
{
    const struct troupe_executor_spec spec = {
        .name = executor->name,
        .id = executor->id,
        .cpu_mask = cpu_mask,
    };
    system_slot_backend(system->runtime.shared, executor->slot, executor->ops->name);
    (void)pthread_mutex_lock(&system->runtime.lock);
    system->carried_count++;
    (void)pthread_mutex_unlock(&system->runtime.lock);
    // Under a lock of its own, for a backend is promised one start at a time.
    (void)pthread_mutex_lock(&system->start_lock);
    enum troupe_err err =
        executor->ops->start(executor->backend_self, executor, &spec, &executor->handle);
    (void)pthread_mutex_unlock(&system->start_lock);
    if (err != TROUPE_OK) {
        (void)pthread_mutex_lock(&system->runtime.lock);
        system->carried_count--;
        (void)pthread_mutex_unlock(&system->runtime.lock);
    }
    return err;
}

void trp_system_discard_executor(troupe_system_t *system, struct troupe_executor *executor)
{
    (void)pthread_mutex_lock(&system->runtime.lock);
    trp_idmap_remove(&system->runtime.executors, executor->id);
    (void)pthread_mutex_unlock(&system->runtime.lock);
    system_close_loop(system, executor);
    trp_slot_discard(system->runtime.shared, executor->slot);
    trp_executor_free(&executor);
}

void trp_system_discard_process(
    troupe_system_t *system, struct trp_process *process, struct trp_slot *slot)
{
    if (process != NULL) {
        trp_process_free(system->runtime.shared, process);
    }
    if (slot != NULL) {
        trp_slot_discard(system->runtime.shared, slot);
    }
}

void trp_system_reap(troupe_system_t *system)
{
    (void)pthread_mutex_lock(&system->runtime.lock);
    struct troupe_executor *executor = system->finished;
    system->finished = NULL;
    (void)pthread_mutex_unlock(&system->runtime.lock);
    while (executor != NULL) {
        struct troupe_executor *next = executor->next_finished;
        executor->ops->join(executor->backend_self, executor->handle);
        trp_executor_free(&executor);
        executor = next;
    }
}

void trp_system_actor_ended(
    troupe_system_t *system, troupe_ref_t actor, const struct troupe_exit *exit)
{
    if (trp_root_note_exit(system->runtime.shared, actor, exit)) {
        troupe_system_stop(system);
    }
}

void trp_system_set_root(troupe_system_t *system, troupe_ref_t actor)
{
    if (trp_root_set(system->runtime.shared, actor)) {
        troupe_system_stop(system);
    }
}

void troupe_system_set_root(troupe_system_t *system, troupe_ref_t actor)
{
    trp_system_set_root(system, actor);
    // It may have ended already. A look at it goes the way its START went, so it comes after it.
    struct troupe_executor *executor = system->executor;
    struct trp_channel *channel = NULL;
    const struct trp_outgoing look = {
        .to = actor,
        .kind = TRP_KIND_CHECK_ALIVE,
        .flags = TRP_FLAG_UNMETERED,
    };
    bool here = actor.executor == executor->id;
    if (!here &&
        trp_channel_open(&executor->channels, actor.executor, &channel) == TROUPE_ERR_NOENT) {
        const struct troupe_exit exit = {
            .reason = trp_slot_why_dead(system->runtime.shared, actor.executor) ==
                              TROUPE_DEAD_UNDELIVERABLE
                          ? TROUPE_EXIT_INIT_FAILED
                          : TROUPE_EXIT_NORMAL,
            .text = "ended before it became the root actor",
        };
        trp_system_actor_ended(system, actor, &exit);
    } else {
        (void)trp_send_message(executor, &look);
    }
}

enum troupe_err troupe_system_root_exit(troupe_system_t *system, struct troupe_exit *out_exit)
{
    return trp_root_exit(system->runtime.shared, out_exit)
               ? TROUPE_OK
               : TRP_EXPLAIN(
                     TROUPE_ERR_NOENT,
                     "no root actor has ended; name one with troupe_system_set_root()");
}

/* Life. ----------------------------------------------------------------------------------------- */

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

/** Keep a list of our own: TROUPE_BEHAVIOURS() makes one that may end with its block. */
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

/** Take over the options that hold for one process. */
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

/** @return whether ZeroMQ can have its two threads: it aborts when it cannot. */
static bool system_has_threads(void)
{
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_t threads[ZEROMQ_THREADS];
    int count = 0;
    (void)pthread_mutex_lock(&lock); // so that they are there at the same time
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

/** Make what all processes of the system will share. */
static enum troupe_err system_open_shared(troupe_system_t *system)
{
    enum troupe_err err = trp_shared_new(&system->runtime.shared, &system->shared_fd);
    if (err == TROUPE_OK) {
        system->runtime.node =
            atomic_fetch_add_explicit(&system->runtime.shared->next_node, 1, memory_order_relaxed);
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

/** @return by what rules say the owner's world is reached: by the farthest of them. */
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

/** Make what needs the operating system. */
static enum troupe_err system_open(troupe_system_t *system)
{
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
    enum troupe_err err = trp_system_add_executor(
        system, TRP_MODE_CALLER, system_callers_transport(system), ops->name, &system->executor);
    if (err == TROUPE_OK) {
        system->executor->ops = ops;
        system_slot_backend(system->runtime.shared, system->executor->slot, ops->name);
        (void)pthread_mutex_lock(&system->runtime.lock);
        err = trp_system_backend(system, ops, &system->executor->backend_self);
        (void)pthread_mutex_unlock(&system->runtime.lock);
    }
    return err;
}

/** Make ready the backends that rules ask for: who cannot says so now, not at the first spawn. */
static enum troupe_err system_open_backends(troupe_system_t *system)
{
    enum troupe_err err = TROUPE_OK;
    (void)pthread_mutex_lock(&system->runtime.lock);
    for (const struct trp_rule *rule = system->config.placement.rules;
         rule != NULL && err == TROUPE_OK;
         rule = rule->next) {
        void *self = NULL;
        err = trp_system_backend(system, rule->place.ops, &self);
    }
    (void)pthread_mutex_unlock(&system->runtime.lock);
    return err;
}

/** Undo any prefix of a system's making; its executors are gone or never ran. */
static void system_free(troupe_system_t *system)
{
    trp_executor_free(&system->executor);
    trp_dead_log_close(&system->runtime.dead_log);
    for (uint32_t i = 0; i < TRP_BACKEND_COUNT_MAX && system->backends[i].ops != NULL; i++) {
        if (system->backends[i].ops->fini != NULL) {
            system->backends[i].ops->fini(system->backends[i].self);
        }
    }
    trp_zmq_context_free(system->runtime.context);
    trp_frame_pool_fini(&system->runtime.frames);
    trp_config_fini(&system->config);
    trp_idmap_fini(&system->runtime.executors);
    trp_run_dir_close(&system->run_dir);
    trp_shared_close(&system->runtime.shared);
    int *fds[] = {
        &system->runtime.wake_fd, &system->epoll_fd, &system->timer_fd, &system->shared_fd};
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        if (*fds[i] >= 0) {
            (void)close(*fds[i]);
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

/** Destroy a system that could start some actors only, and say again why. */
static void system_give_up(troupe_system_t *system)
{
    char why[1024];
    (void)snprintf(why, sizeof(why), "%s", troupe_error_detail());
    (void)troupe_system_destroy(&system); // who hangs in a callback keeps it
    trp_error_set_detail("%s", why);
}

static int32_t system_cpu_count(void)
{
    cpu_set_t cpus;
    return sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? CPU_COUNT(&cpus) : 1;
}

/** Make a system that is nothing yet. */
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
    system->run_dir.lock_fd = -1;
    (void)pthread_mutex_init(&system->runtime.lock, NULL);
    (void)pthread_mutex_init(&system->pool_lock, NULL);
    (void)pthread_mutex_init(&system->start_lock, NULL);
    // Spinning is for when another core can be running what is waited for.
    int32_t cpu_count = system_cpu_count();
    system->runtime.spinners.count_max = cpu_count > 1 ? cpu_count : 0;
    system->runtime.ops = &trp_node_ops;
    trp_cycles_calibrate();
    trp_descriptors_raise_limit();
    *out_system = system;
    return TROUPE_OK;
}

enum troupe_err troupe_system_new(
    const struct troupe_system_options *options, troupe_system_t **out_system)
{
    troupe_run_if_child(options->behaviours);
    troupe_system_t *system = NULL;
    enum troupe_err err = system_alloc(&system);
    if (err != TROUPE_OK) {
        return err;
    }
    err = system_configure(system, options);
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
    if (err != TROUPE_OK) {
        system_free(system);
        return err;
    }
    if (system->callback_timeout_ns != 0) {
        err = trp_process_manager_start(system); // it is who watches
    }
    if (err == TROUPE_OK) {
        err = trp_launch_start_actors(
            &system->config.launch, options->behaviours, &system->executor->context);
    }
    if (err != TROUPE_OK) {
        system_give_up(system);
        return err;
    }
    *out_system = system;
    return TROUPE_OK;
}

/** Make the executor that a child was started for; it is the owner's world of its process. */
static enum troupe_err system_open_child(
    troupe_system_t *system, const struct trp_process *node, int listener_fd)
{
    trp_shared_lock(system->runtime.shared);
    struct trp_slot *slot = trp_shared_find_slot(system->runtime.shared, node->executor);
    trp_shared_unlock(system->runtime.shared);
    if (slot == NULL) {
        return TRP_EXPLAIN(TROUPE_ERR_NOENT, "executor %u is not on the board", node->executor);
    }
    system_slot_backend(system->runtime.shared, slot, node->backend);
    enum troupe_err err =
        trp_system_new_executor(system, TRP_MODE_CALLER, slot, node->name, &system->executor);
    if (err == TROUPE_OK) {
        system->executor->dedicated = node->dedicated;
        system->executor->listener_fd = listener_fd;
        trp_executor_listen(system->executor);
        if (!system->executor->mailbox.listens) {
            err = TROUPE_ERR_SYSTEM; // explained; nobody could reach it
        }
    }
    return err;
}

enum troupe_err trp_system_new_child(
    const struct troupe_behaviour *const *behaviours,
    struct trp_shared *shared,
    const struct trp_child_env *child_env,
    const struct trp_process *node,
    troupe_system_t **out_system)
{
    const struct troupe_system_options options = {.behaviours = behaviours};
    troupe_system_t *system = NULL;
    enum troupe_err err = system_alloc(&system);
    if (err == TROUPE_OK) {
        system->runtime.shared = shared;
        system->shared_fd = child_env->shared_fd;
        system->runtime.node = node->id;
        system->is_remote = true;
        system->runtime.mailbox_messages = shared->mailbox_messages;
        system->runtime.mailbox_bytes = shared->mailbox_bytes;
        system->runtime.seed = shared->seed;
        system->stop_timeout_ns = shared->stop_timeout_ns;
        system->runtime.dead_log.is_on = shared->dead_letter_log;
        system->callback_timeout_ns = shared->callback_timeout_ns;
        err = system_configure(system, &options);
    }
    if (err == TROUPE_OK) {
        err = system_open(system);
    }
    if (err == TROUPE_OK) {
        err = system_open_child(system, node, child_env->listener_fd);
    }
    *out_system = system; // whatever failed, the process ends with it
    return err;
}

void trp_system_free_child(troupe_system_t *system)
{
    trp_process_manager_stop(system);
    system_free(system);
}

troupe_context_t *troupe_system_context(troupe_system_t *system)
{
    return &system->executor->context;
}

void trp_system_note_stop(troupe_system_t *system)
{
    if (!atomic_exchange_explicit(&system->runtime.stop_asked, true, memory_order_acq_rel)) {
        trp_crash_set_overdue(system->executor, system->stop_timeout_ns);
    }
}

void troupe_system_stop(troupe_system_t *system)
{
    trp_system_note_stop(system);
    atomic_store_explicit(&system->runtime.shared->stop_asked, true, memory_order_release);
    if (!trp_system_is_first(system)) {
        trp_process_manager_notify_first(system);
    }
    trp_runtime_wake(&system->runtime);
}

/* Running. -------------------------------------------------------------------------------------- */

static bool system_stop_asked(const troupe_system_t *system)
{
    return atomic_load_explicit(&system->runtime.stop_asked, memory_order_acquire);
}

/** How long executor 0 may sleep, at most @p tick_ns: by a clock that is not real, in small steps. */
static uint64_t system_wait_ns(const troupe_system_t *system, uint64_t tick_ns)
{
    const uint64_t step_ns = 1000000;
    uint64_t timeout_ns = trp_executor_timeout_ns(system->executor);
    timeout_ns = tick_ns < timeout_ns ? tick_ns : timeout_ns;
    if (timeout_ns == UINT64_MAX || system->runtime.clock_is_real) {
        return timeout_ns;
    }
    return timeout_ns < step_ns ? timeout_ns : step_ns;
}

static void system_run_once(troupe_system_t *system)
{
    struct troupe_executor *executor = system->executor;
    executor->ops->run_once(executor->backend_self, executor);
}

/** Have the backend do what it does besides turns. @return how soon it is due again. */
static uint64_t system_tick(troupe_system_t *system, bool now)
{
    struct troupe_executor *executor = system->executor;
    if (executor->ops->tick == NULL || system_stop_asked(system)) {
        return UINT64_MAX;
    }
    executor->in_turn = true; // what is sent leaves with the turn that follows
    uint64_t again_ns = executor->ops->tick(executor->backend_self, executor, now);
    executor->in_turn = false;
    if (executor->stop_count > 0) {
        trp_actor_run_stops(executor);
    }
    return again_ns;
}

enum troupe_err troupe_system_run(troupe_system_t *system)
{
    struct troupe_executor *executor = system->executor;
    enum troupe_err err = trp_check_thread(&executor->context);
    if (err != TROUPE_OK) {
        return err;
    }
    while (!system_stop_asked(system)) {
        system_run_once(system);
        uint64_t tick_ns = system_tick(system, false);
        if (tick_ns != 0 && !trp_executor_has_work(executor) && !system_stop_asked(system)) {
            trp_executor_wait(executor, system_wait_ns(system, tick_ns));
        }
    }
    if (!trp_system_shut_down(system)) {
        return TROUPE_ERR_TIMEDOUT;
    }
    return TROUPE_OK;
}

/** Get the descriptors that a foreign loop waits for in step with what is to be done. */
static void system_arm(troupe_system_t *system)
{
    struct troupe_executor *executor = system->executor;
    if (system->epoll_fd < 0) {
        return;
    }
    uint64_t rest_ns = UINT64_MAX;
    if (!trp_executor_has_work(executor)) {
        // What was received without a look leaves the pipes awake: they would not say the next frame.
        rest_ns = trp_executor_prepare_idle(executor);
        (void)trp_mailbox_poll(&executor->mailbox);
    }
    if (trp_executor_has_work(executor) || system_stop_asked(system)) {
        trp_runtime_wake(&system->runtime);
    }
    uint64_t timeout_ns = system_wait_ns(system, UINT64_MAX);
    timeout_ns = timeout_ns < rest_ns ? timeout_ns : rest_ns;
    struct itimerspec when = {0};
    if (timeout_ns != UINT64_MAX) {
        timeout_ns = timeout_ns == 0 ? 1 : timeout_ns; // 0 would disarm it
        when.it_value.tv_sec = (time_t)(timeout_ns / UINT64_C(1000000000));
        when.it_value.tv_nsec = (long)(timeout_ns % UINT64_C(1000000000));
    }
    (void)timerfd_settime(system->timer_fd, 0, &when, NULL);
}

static bool system_budget_left(
    const troupe_system_t *system,
    const struct troupe_budget *budget,
    uint64_t start_ns,
    uint64_t start_count)
{
    const struct troupe_executor *executor = system->executor;
    if (budget->messages != 0 && executor->handled_count - start_count >= budget->messages) {
        return false;
    }
    return budget->ns == 0 || trp_clock_monotonic(NULL) - start_ns < budget->ns;
}

/** Have the backend do what is its own. @return the budget that is left for mail: some always is. */
static struct troupe_budget system_tick_within(
    troupe_system_t *system, const struct troupe_budget *budget)
{
    const uint64_t mail_share = 8;
    struct troupe_budget left = {0};
    uint64_t start_ns = trp_clock_monotonic(NULL);
    (void)system_tick(system, true);
    if (budget != NULL) {
        uint64_t spent_ns = trp_clock_monotonic(NULL) - start_ns;
        uint64_t least_ns = budget->ns == 0 ? 0 : budget->ns / mail_share + 1;
        left = *budget;
        left.ns = budget->ns > spent_ns + least_ns ? budget->ns - spent_ns : least_ns;
    }
    return left;
}

enum troupe_err troupe_system_progress(troupe_system_t *system, const struct troupe_budget *budget)
{
    struct troupe_executor *executor = system->executor;
    enum troupe_err err = trp_check_thread(&executor->context);
    if (err != TROUPE_OK) {
        return err;
    }
    uint64_t drained = 0;
    (void)!read(system->runtime.wake_fd, &drained, sizeof(drained));
    if (!trp_executor_has_work(executor)) {
        (void)trp_mailbox_poll(&executor->mailbox);
    }
    const struct troupe_budget left = system_tick_within(system, budget);
    uint64_t start_ns = trp_clock_monotonic(NULL);
    uint64_t start_count = executor->handled_count;
    executor->handled_limit = left.messages != 0 ? start_count + left.messages : UINT64_MAX;
    executor->turn_deadline_ns = left.ns != 0 ? start_ns + left.ns : 0;
    do {
        system_run_once(system);
    } while (budget != NULL && trp_executor_has_work(executor) && !system_stop_asked(system) &&
             system_budget_left(system, &left, start_ns, start_count));
    executor->handled_limit = UINT64_MAX;
    executor->turn_deadline_ns = 0;
    if (executor->channels.waiting_first != NULL && !trp_executor_has_work(executor)) {
        trp_channels_settle(&executor->channels, true);
    }
    system_arm(system);
    if (system_stop_asked(system)) {
        return TRP_EXPLAIN(TROUPE_ERR_CLOSED, "the system was asked to stop");
    }
    return TROUPE_OK;
}

static bool system_watch_fd(int epoll_fd, int fd)
{
    struct epoll_event event = {.events = EPOLLIN};
    return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

int troupe_system_fd(troupe_system_t *system)
{
    if (system->epoll_fd >= 0) {
        return system->epoll_fd;
    }
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    int timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (epoll_fd < 0 || timer_fd < 0 || !system_watch_fd(epoll_fd, timer_fd) ||
        !system_watch_fd(epoll_fd, system->runtime.wake_fd) ||
        !system_watch_fd(epoll_fd, system->executor->mailbox.pull_fd)) {
        (void)TRP_EXPLAIN(TROUPE_ERR_SYSTEM, "no descriptor to wait for: errno %d", errno);
        (void)close(epoll_fd);
        (void)close(timer_fd);
        return -1;
    }
    system->epoll_fd = epoll_fd;
    system->runtime.has_foreign_loop = true;
    system->timer_fd = timer_fd;
    system_arm(system);
    return epoll_fd;
}

int64_t troupe_system_timeout_ns(troupe_system_t *system)
{
    if (trp_executor_has_work(system->executor) || system_stop_asked(system)) {
        return 0;
    }
    uint64_t timeout_ns = trp_executor_timeout_ns(system->executor);
    return timeout_ns > INT64_MAX ? -1 : (int64_t)timeout_ns;
}

enum troupe_err troupe_system_destroy(troupe_system_t **system_p)
{
    troupe_system_t *system = *system_p;
    if (system == NULL) {
        return TROUPE_OK;
    }
    enum troupe_err err = trp_check_thread(&system->executor->context);
    if (err != TROUPE_OK) {
        return err;
    }
    (void)pthread_mutex_lock(&system->runtime.lock);
    uint32_t inbox_count = system->inbox_count;
    (void)pthread_mutex_unlock(&system->runtime.lock);
    if (inbox_count != 0) {
        return TRP_EXPLAIN(
            TROUPE_ERR_TIMEDOUT,
            "%u inboxes are still open; destroy them before the system",
            inbox_count);
    }
    if (!trp_system_shut_down(system)) {
        return TROUPE_ERR_TIMEDOUT;
    }
    trp_process_manager_stop(system);
    system_free(system);
    *system_p = NULL;
    return TROUPE_OK;
}

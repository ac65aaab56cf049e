#include "node/signals.h"

#include "actor/executor.h"
#include "actor/runtime.h"
#include "actor/send.h"
#include "node/process_manager.h"
#include "node/system.h"
#include "shared/shared.h"
#include "shared/subscribers.h"
#include "troupe/signals.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum {
    SIGNAL_MAX = 64, // the kernel's highest
    QUEUE = 64,
    COPY_MAX = TRP_SIGNAL_SUBSCRIBERS_MAX,
};

struct trp_signals {
    int fd;
    pthread_mutex_t lock;
    struct troupe_signal queue[QUEUE]; // guarded by `lock`
    uint32_t count;                    // guarded by `lock`
};

static uint64_t signals_bit(int number)
{
    return UINT64_C(1) << (number - 1);
}

/** @return the signals of a set that can be messages: not those that say where a thread went wrong. */
static uint64_t signals_of_set(const sigset_t *set)
{
    static const int never[] = {SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGSYS};
    uint64_t mask = 0;
    for (int number = 1; number <= SIGNAL_MAX; number++) {
        // Those that the C library keeps for itself are members of no set.
        mask |= sigismember(set, number) == 1 ? signals_bit(number) : 0;
    }
    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
        mask &= ~signals_bit(never[i]);
    }
    return mask;
}

enum troupe_err trp_signals_begin(troupe_system_t *system, const int *list)
{
    sigset_t set;
    (void)sigemptyset(&set);
    for (size_t i = 0; list != NULL && list[i] != 0; i++) {
        sigset_t one;
        (void)sigemptyset(&one);
        if (sigaddset(&one, list[i]) != 0 || signals_of_set(&one) == 0) {
            return TRP_EXPLAIN(
                TROUPE_ERR_INVAL, "signal %d of the option `signals` cannot be a message", list[i]);
        }
        (void)sigaddset(&set, list[i]);
    }
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    (void)pthread_sigmask(SIG_BLOCK, NULL, &set);
    system->runtime.shared->signals_blocked = signals_of_set(&set);
    return TROUPE_OK;
}

/* Reading. -------------------------------------------------------------------------------------- */

static void signals_fill(uint64_t mask, sigset_t *out_set)
{
    (void)sigemptyset(out_set);
    for (int number = 1; number <= SIGNAL_MAX; number++) {
        if ((mask & signals_bit(number)) != 0) {
            (void)sigaddset(out_set, number);
        }
    }
}

/** Make what signals are read by. @return NULL: no memory, or no descriptor. */
static struct trp_signals *signals_new(void)
{
    sigset_t none;
    (void)sigemptyset(&none);
    struct trp_signals *signals = calloc(1, sizeof(*signals));
    if (signals == NULL) {
        return NULL;
    }
    signals->fd = signalfd(-1, &none, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals->fd < 0) {
        free(signals);
        return NULL;
    }
    (void)pthread_mutex_init(&signals->lock, NULL);
    return signals;
}

void trp_signals_refresh(troupe_system_t *system)
{
    uint64_t wanted = trp_signal_subscribers_wanted(system->runtime.shared);
    (void)pthread_mutex_lock(&system->runtime.lock);
    if (system->signals == NULL && wanted != 0) {
        system->signals = signals_new(); // if not, the next who asks, or comes by, tries again
    }
    if (system->signals != NULL && system->signals_read != wanted) {
        sigset_t set;
        signals_fill(wanted, &set);
        (void)signalfd(system->signals->fd, &set, 0);
        system->signals_read = wanted;
        trp_process_manager_watch_once(system, system->signals->fd);
    }
    (void)pthread_mutex_unlock(&system->runtime.lock);
}

bool trp_signals_read(troupe_system_t *system, int fd)
{
    (void)pthread_mutex_lock(&system->runtime.lock);
    struct trp_signals *signals = system->signals;
    (void)pthread_mutex_unlock(&system->runtime.lock);
    if (signals == NULL || signals->fd != fd) {
        return false;
    }
    struct signalfd_siginfo info;
    (void)pthread_mutex_lock(&signals->lock);
    while (signals->count < QUEUE && read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        signals->queue[signals->count++] = (struct troupe_signal){
            .number = (int32_t)info.ssi_signo,
            .pid = (int32_t)info.ssi_pid,
            .uid = info.ssi_uid,
            .value = info.ssi_int,
        };
    }
    (void)pthread_mutex_unlock(&signals->lock);
    // It is looked at again once these were told: what waits in the kernel is not lost.
    atomic_store_explicit(&system->executor->attention, true, memory_order_release);
    trp_runtime_wake(&system->runtime);
    return true;
}

/* Telling. -------------------------------------------------------------------------------------- */

static void signals_notify_one(
    struct troupe_executor *executor,
    const struct troupe_signal *signal,
    const struct trp_signal_subscriber *subscribers,
    uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if ((subscribers[i].signals & signals_bit(signal->number)) != 0) {
            (void)trp_send_notice(
                executor, subscribers[i].ref, TROUPE_MESSAGE_SIGNAL, signal, sizeof(*signal));
        }
    }
}

void trp_signals_notify(struct troupe_executor *executor)
{
    troupe_system_t *system = trp_system_of(executor);
    if (executor != system->executor || !trp_system_is_first(system)) {
        return;
    }
    (void)pthread_mutex_lock(&system->runtime.lock);
    struct trp_signals *signals = system->signals;
    (void)pthread_mutex_unlock(&system->runtime.lock);
    if (signals == NULL) {
        return;
    }
    struct troupe_signal queue[QUEUE];
    (void)pthread_mutex_lock(&signals->lock);
    uint32_t count = signals->count;
    memcpy(queue, signals->queue, count * sizeof(*queue));
    signals->count = 0;
    (void)pthread_mutex_unlock(&signals->lock);
    if (count == 0) {
        return;
    }
    struct trp_signal_subscriber subscribers[COPY_MAX];
    struct trp_shared *shared = system->runtime.shared;
    trp_shared_lock(shared); // notices are posted without it
    uint32_t subscriber_count = shared->signal_subscriber_count;
    memcpy(subscribers, shared->signal_subscribers, subscriber_count * sizeof(*subscribers));
    trp_shared_unlock(shared);
    for (uint32_t i = 0; i < count; i++) {
        signals_notify_one(executor, &queue[i], subscribers, subscriber_count);
    }
    trp_process_manager_watch_once(system, signals->fd);
}

/* Subscribing. ---------------------------------------------------------------------------------- */

static enum troupe_err signals_check(const troupe_context_t *ctx, int number)
{
    if (ctx->actor == NULL) {
        return TRP_EXPLAIN(TROUPE_ERR_INVAL, "only an actor can ask for signals");
    }
    const struct troupe_executor *executor = (const struct troupe_executor *)(const void *)ctx;
    uint64_t blocked = executor->runtime->shared->signals_blocked;
    if (number < 1 || number > SIGNAL_MAX || (blocked & signals_bit(number)) == 0) {
        return TRP_EXPLAIN(
            TROUPE_ERR_INVAL,
            "signal %d was not blocked when the system was made; name it in the option `signals`, "
            "or block it in the first lines of main()",
            number);
    }
    return TROUPE_OK;
}

/** What is asked for has changed. */
static enum troupe_err signals_apply(troupe_system_t *system)
{
    if (!trp_system_is_first(system)) {
        trp_process_manager_notify_first(system);
        return TROUPE_OK;
    }
    enum troupe_err err = trp_process_manager_start(system);
    if (err == TROUPE_OK) {
        trp_signals_refresh(system);
    }
    return err;
}

enum troupe_err troupe_signals_subscribe(troupe_context_t *ctx, int number)
{
    struct troupe_executor *executor = trp_executor_of(ctx);
    enum troupe_err err = trp_check_thread(ctx);
    if (err == TROUPE_OK) {
        err = signals_check(ctx, number);
    }
    if (err != TROUPE_OK) {
        return err;
    }
    struct trp_shared *shared = executor->runtime->shared;
    trp_shared_lock(shared);
    err = signals_add(shared, troupe_self(ctx), number);
    trp_shared_unlock(shared);
    if (err == TROUPE_OK) {
        ctx->actor->flags |= TRP_ACTOR_SIGNALS;
        err = signals_apply(trp_system_of(executor));
    }
    return err;
}

void trp_signals_forget(troupe_system_t *system, troupe_ref_t subscriber)
{
    struct trp_shared *shared = system->runtime.shared;
    trp_shared_lock(shared);
    for (uint32_t i = 0; i < shared->signal_subscriber_count; i++) {
        if (troupe_ref_equal(shared->signal_subscribers[i].ref, subscriber)) {
            shared->signal_subscribers[i] =
                shared->signal_subscribers[--shared->signal_subscriber_count];
            break;
        }
    }
    trp_shared_unlock(shared);
    (void)signals_apply(system); // it has its thread already
}

void troupe_signals_unsubscribe(troupe_context_t *ctx)
{
    struct troupe_executor *executor = trp_executor_of(ctx);
    if (ctx->actor != NULL && (ctx->actor->flags & TRP_ACTOR_SIGNALS) != 0) {
        ctx->actor->flags &= (uint8_t)~TRP_ACTOR_SIGNALS;
        trp_signals_forget(trp_system_of(executor), troupe_self(ctx));
    }
}

void trp_signals_free(struct trp_signals *signals)
{
    if (signals != NULL) {
        (void)close(signals->fd);
        (void)pthread_mutex_destroy(&signals->lock);
        free(signals);
    }
}

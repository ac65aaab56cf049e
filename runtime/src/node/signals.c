#include "node/signals.h"

#include "actor/executor.h"
#include "actor/runtime.h"
#include "actor/send.h"
#include "node/control_socket.h"
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
    SIGNAL_MAX = 64,         // the highest number of the kernel
    SIGNAL_QUEUE_COUNT = 64, // read at a time
};

struct trp_signals {
    struct trp_event_source
        source; // the signalfd; one event at a time, so that the kernel keeps the rest
    pthread_mutex_t lock;
    struct troupe_signal queue[SIGNAL_QUEUE_COUNT]; // guarded by `lock`
    uint32_t count;                                 // guarded by `lock`
};

static uint64_t signals_bit(int number)
{
    return UINT64_C(1) << (number - 1);
}

/** @return the signals of a set that can be messages: not those that report a fault of a thread. */
static uint64_t signals_of_set(const sigset_t *set)
{
    static const int never[] = {SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGSYS};
    uint64_t mask = 0;
    for (int number = 1; number <= SIGNAL_MAX; number++) {
        // Signals that the C library keeps for itself are members of no set.
        mask |= sigismember(set, number) == 1 ? signals_bit(number) : 0;
    }
    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
        mask &= ~signals_bit(never[i]);
    }
    return mask;
}

static bool signals_can_be_message(int number)
{
    sigset_t one;
    (void)sigemptyset(&one);
    return sigaddset(&one, number) == 0 && signals_of_set(&one) != 0;
}

enum troupe_err trp_signals_begin(troupe_system_t *system, const int *list)
{
    sigset_t set;
    (void)sigemptyset(&set);
    for (size_t i = 0; list != NULL && list[i] != 0; i++) {
        if (!signals_can_be_message(list[i])) {
            return TRP_EXPLAIN(
                TROUPE_ERR_INVAL, "signal %d of the option `signals` cannot be a message", list[i]);
        }
        (void)sigaddset(&set, list[i]);
    }
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    (void)pthread_sigmask(SIG_BLOCK, NULL, &set);
    system->runtime.shared->signals_blocked = signals_of_set(&set);
    system->runtime.signal_mask = set;
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

/**
 * Read signals into the queue, up to its end. What is left stays in the kernel: the source is armed again once the
 * queue was delivered.
 */
static void signals_ready(troupe_system_t *system, void *data)
{
    struct trp_signals *signals = data;
    struct signalfd_siginfo info;
    (void)pthread_mutex_lock(&signals->lock);
    while (signals->count < SIGNAL_QUEUE_COUNT &&
           read(signals->source.fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        signals->queue[signals->count++] = (struct troupe_signal){
            .number = (int32_t)info.ssi_signo,
            .pid = (int32_t)info.ssi_pid,
            .uid = info.ssi_uid,
            .value = info.ssi_int,
        };
    }
    (void)pthread_mutex_unlock(&signals->lock);
    atomic_store_explicit(&system->executor->attention, true, memory_order_release);
    trp_runtime_wake(&system->runtime);
}

/** Make a reader of no signals yet. @return NULL: no memory, or no descriptor. */
static struct trp_signals *signals_new(troupe_system_t *system)
{
    sigset_t none;
    (void)sigemptyset(&none);
    struct trp_signals *signals = calloc(1, sizeof(*signals));
    if (signals == NULL) {
        return NULL;
    }
    signals->source = (struct trp_event_source){
        .ready = signals_ready,
        .data = signals,
        .fd = signalfd(-1, &none, SFD_CLOEXEC | SFD_NONBLOCK),
        .is_once = true,
    };
    if (signals->source.fd < 0) {
        free(signals);
        return NULL;
    }
    (void)pthread_mutex_init(&signals->lock, NULL);
    trp_process_manager_watch(system, &signals->source);
    return signals;
}

void trp_signals_refresh(troupe_system_t *system)
{
    uint64_t wanted = trp_signal_subscribers_wanted(system->runtime.shared);
    (void)pthread_mutex_lock(&system->runtime.lock);
    if (system->signals == NULL && wanted != 0 && trp_process_manager_runs(system)) {
        system->signals = signals_new(system); // if it fails, the next refresh tries again
    }
    if (system->signals != NULL && system->signals_read != wanted) {
        sigset_t set;
        signals_fill(wanted, &set);
        (void)signalfd(system->signals->source.fd, &set, 0);
        system->signals_read = wanted;
        trp_process_manager_rearm(system, &system->signals->source);
    }
    (void)pthread_mutex_unlock(&system->runtime.lock);
}

/* Delivering. ----------------------------------------------------------------------------------- */

static void signals_deliver_one(
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

void trp_signals_deliver(struct troupe_executor *executor)
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
    struct troupe_signal queue[SIGNAL_QUEUE_COUNT];
    (void)pthread_mutex_lock(&signals->lock);
    uint32_t count = signals->count;
    memcpy(queue, signals->queue, count * sizeof(*queue));
    signals->count = 0;
    (void)pthread_mutex_unlock(&signals->lock);
    if (count == 0) {
        return;
    }
    struct trp_signal_subscriber subscribers[TRP_SIGNAL_SUBSCRIBERS_MAX];
    uint32_t subscriber_count = trp_signal_subscribers_copy(system->runtime.shared, subscribers);
    for (uint32_t i = 0; i < count; i++) {
        signals_deliver_one(executor, &queue[i], subscribers, subscriber_count);
    }
    trp_process_manager_rearm(system, &signals->source);
}

/* Subscribing. ---------------------------------------------------------------------------------- */

/** Check that an actor may subscribe to a signal, or unsubscribe from it. */
static enum troupe_err signals_check(const troupe_context_t *ctx, int number, bool on)
{
    enum troupe_err err = trp_check_context(ctx);
    if (err != TROUPE_OK) {
        return err;
    }
    if (ctx->actor == NULL) {
        return TRP_EXPLAIN(TROUPE_ERR_INVAL, "only an actor can subscribe to signals");
    }
    if (!on && number == 0) {
        return TROUPE_OK;
    }
    if (!signals_can_be_message(number)) {
        return TRP_EXPLAIN(
            TROUPE_ERR_INVAL,
            "signal %d cannot be a message: it reports a fault, or is none",
            number);
    }
    const struct troupe_executor *executor = (const struct troupe_executor *)(const void *)ctx;
    uint64_t blocked = executor->runtime->shared->signals_blocked;
    if ((blocked & signals_bit(number)) == 0) {
        return TRP_EXPLAIN(
            TROUPE_ERR_INVAL,
            "signal %d was not blocked when the system was made; name it in the option `signals`, "
            "or block it in the first lines of main()",
            number);
    }
    return TROUPE_OK;
}

/** Have the first process read what is subscribed to now. */
static void signals_apply(troupe_system_t *system)
{
    if (trp_system_is_first(system)) {
        trp_signals_refresh(system);
    } else {
        trp_control_notify_first(system);
    }
}

static void signals_unsubscribe(troupe_context_t *ctx, int number)
{
    struct troupe_executor *executor = trp_executor_of(ctx);
    uint64_t signals = number == 0 ? UINT64_MAX : signals_bit(number);
    if ((ctx->actor->flags & TRP_ACTOR_SIGNALS) == 0) {
        return;
    }
    if (trp_signal_subscribers_remove(executor->runtime->shared, troupe_self(ctx), signals)) {
        ctx->actor->flags &= (uint8_t)~TRP_ACTOR_SIGNALS;
    }
    signals_apply(trp_system_of(executor));
}

enum troupe_err troupe_signals_subscribe(troupe_context_t *ctx, int number, bool on)
{
    troupe_system_t *system = trp_system_of(trp_executor_of(ctx));
    struct trp_shared *shared = system->runtime.shared;
    enum troupe_err err = signals_check(ctx, number, on);
    if (err == TROUPE_OK && !on) {
        signals_unsubscribe(ctx, number);
        return TROUPE_OK;
    }
    if (err == TROUPE_OK) {
        // A child has one already, and so has the first process, which started that child.
        err = trp_process_manager_start(system);
    }
    if (err == TROUPE_OK) {
        err = trp_signal_subscribers_add(shared, troupe_self(ctx), signals_bit(number));
    }
    if (err == TROUPE_OK) {
        ctx->actor->flags |= TRP_ACTOR_SIGNALS;
        signals_apply(system);
    }
    return err;
}

void trp_signals_forget(troupe_system_t *system, troupe_ref_t subscriber)
{
    (void)trp_signal_subscribers_remove(system->runtime.shared, subscriber, UINT64_MAX);
    signals_apply(system);
}

void trp_signals_free(struct trp_signals *signals)
{
    if (signals != NULL) {
        (void)close(signals->source.fd);
        (void)pthread_mutex_destroy(&signals->lock);
        free(signals);
    }
}

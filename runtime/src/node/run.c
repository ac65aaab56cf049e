#include "actor/end.h"
#include "actor/executor.h"
#include "actor/runtime.h"
#include "base/clock.h"
#include "base/saturate.h"
#include "channel/grant.h"
#include "channel/mailbox.h"
#include "loop/loop.h"
#include "node/owner.h"
#include "node/shutdown.h"
#include "node/stop.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

/*
 * Running executor 0 on the owner's thread: all of it in troupe_system_run(), or a step at a time for a foreign loop.
 *
 *     epoll_fd  readable on    wake_fd   other threads, and work left over by a budget
 *                              timer_fd  the next timer, or the next look at unspent credit
 *                              the mailbox
 */

/** @return how long executor 0 may sleep, at most @p tick_ns. */
static uint64_t run_wait_ns(const troupe_system_t *system, uint64_t tick_ns)
{
    const uint64_t step_ns = 1000000; // ticks follow the clock of the system too
    uint64_t timeout_ns = trp_executor_sleep_ns(system->executor);
    if (!system->runtime.clock_is_real && tick_ns != UINT64_MAX && tick_ns > step_ns) {
        tick_ns = step_ns;
    }
    return tick_ns < timeout_ns ? tick_ns : timeout_ns;
}

static void run_once(troupe_system_t *system)
{
    struct troupe_executor *executor = system->executor;
    struct troupe_executor *before = trp_forked_enter(executor);
    executor->ops->run_once(executor->backend_self, executor);
    (void)trp_forked_enter(before);
}

/** Have the backend do what it does besides turns. @return how soon that is due again. */
static uint64_t run_tick(troupe_system_t *system, bool now)
{
    struct troupe_executor *executor = system->executor;
    if (executor->ops->tick == NULL || trp_stop_is_noted(system)) {
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
    enum troupe_err err = trp_owner_check(system, "troupe_system_run()");
    if (err != TROUPE_OK) {
        return err;
    }
    while (!trp_stop_is_noted(system)) {
        run_once(system);
        uint64_t tick_ns = run_tick(system, false);
        if (tick_ns != 0 && !trp_executor_has_work(executor) && !trp_stop_is_noted(system)) {
            trp_executor_wait(executor, run_wait_ns(system, tick_ns));
        }
    }
    if (!trp_shutdown_run(system)) {
        return TROUPE_ERR_TIMEDOUT;
    }
    if (atomic_load_explicit(&system->runtime.shared->is_damaged, memory_order_acquire)) {
        return TRP_EXPLAIN(
            TROUPE_ERR_SYSTEM,
            "the memory that the processes of the system share was damaged, as a line on standard "
            "error says; look for a process actor that writes where it must not");
    }
    return TROUPE_OK;
}

/** Make the epoll descriptor of a foreign loop readable as soon as there is something to do. */
static void run_arm(troupe_system_t *system)
{
    struct troupe_executor *executor = system->executor;
    if (system->epoll_fd < 0) {
        return;
    }
    uint64_t idle_ns = UINT64_MAX;
    if (!trp_executor_has_work(executor)) {
        // A pipe that was not found empty is not asleep, and would not signal its next frame.
        idle_ns = trp_executor_prepare_idle(executor);
        (void)trp_mailbox_poll(&executor->mailbox);
    }
    if (trp_executor_has_work(executor) || trp_stop_is_noted(system)) {
        trp_runtime_wake(&system->runtime);
    }
    uint64_t timeout_ns = run_wait_ns(system, UINT64_MAX);
    timeout_ns = timeout_ns < idle_ns ? timeout_ns : idle_ns;
    struct itimerspec when = {0};
    if (timeout_ns != UINT64_MAX) {
        timeout_ns = timeout_ns == 0 ? 1 : timeout_ns; // 0 would disarm it
        when.it_value.tv_sec = (time_t)(timeout_ns / UINT64_C(1000000000));
        when.it_value.tv_nsec = (long)(timeout_ns % UINT64_C(1000000000));
    }
    (void)timerfd_settime(system->timer_fd, 0, &when, NULL);
}

static bool run_has_budget(
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

/** Have the backend do what it does besides turns. @return the budget left for mail, which is never none. */
static struct troupe_budget run_tick_within(
    troupe_system_t *system, const struct troupe_budget *budget)
{
    const uint64_t mail_share = 8;
    struct troupe_budget left = {0};
    uint64_t start_ns = trp_clock_monotonic(NULL);
    (void)run_tick(system, true);
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
    enum troupe_err err = trp_owner_check(system, "troupe_system_progress()");
    if (err != TROUPE_OK) {
        return err;
    }
    if (system->stopped) {
        return trp_explain_ended();
    }
    uint64_t drained = 0;
    (void)!read(system->runtime.wake_fd, &drained, sizeof(drained));
    if (!trp_executor_has_work(executor)) {
        (void)trp_mailbox_poll(&executor->mailbox);
    }
    const struct troupe_budget left = run_tick_within(system, budget);
    uint64_t start_ns = trp_clock_monotonic(NULL);
    uint64_t start_count = executor->handled_count;
    executor->handled_limit =
        left.messages != 0 ? trp_add_saturated(start_count, left.messages) : UINT64_MAX;
    executor->turn_deadline_ns = left.ns != 0 ? trp_add_saturated(start_ns, left.ns) : 0;
    do {
        run_once(system);
    } while (budget != NULL && trp_executor_has_work(executor) && !trp_stop_is_noted(system) &&
             run_has_budget(system, &left, start_ns, start_count));
    executor->handled_limit = UINT64_MAX;
    executor->turn_deadline_ns = 0;
    if (executor->channels.waiting_first != NULL && !trp_executor_has_work(executor)) {
        trp_channels_settle(&executor->channels, true);
    }
    run_arm(system);
    if (trp_stop_is_noted(system)) {
        return TRP_EXPLAIN(TROUPE_ERR_CLOSED, "the system was asked to stop");
    }
    return TROUPE_OK;
}

static bool run_watch_fd(int epoll_fd, int fd)
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
    if (epoll_fd < 0 || timer_fd < 0 || !run_watch_fd(epoll_fd, timer_fd) ||
        !run_watch_fd(epoll_fd, system->runtime.wake_fd) ||
        !run_watch_fd(epoll_fd, system->executor->mailbox.pull_fd)) {
        (void)TRP_EXPLAIN(
            TROUPE_ERR_SYSTEM,
            "no epoll or timer descriptor: errno %d; close some descriptors",
            errno);
        (void)close(epoll_fd);
        (void)close(timer_fd);
        return -1;
    }
    system->epoll_fd = epoll_fd;
    system->runtime.has_foreign_loop = true;
    system->timer_fd = timer_fd;
    run_arm(system);
    return epoll_fd;
}

int64_t troupe_system_timeout_ns(troupe_system_t *system)
{
    if (trp_executor_has_work(system->executor) || trp_stop_is_noted(system)) {
        return 0;
    }
    uint64_t timeout_ns = trp_executor_timeout_ns(system->executor);
    return timeout_ns > INT64_MAX ? -1 : (int64_t)timeout_ns;
}

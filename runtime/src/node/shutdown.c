#include "node/shutdown.h"

#include "base/clock.h"
#include "base/idmap.h"
#include "base/saturate.h"
#include "channel/channel.h"
#include "channel/channel_command.h"
#include "config/config.h"
#include "loop/close.h"
#include "loop/loop.h"
#include "node/child_list.h"
#include "node/executors.h"
#include "node/process_manager.h"
#include "node/refresh.h"
#include "observe/report.h"
#include "shared/activity.h"
#include "shared/shared.h"
#include "shared/shared_table.h"
#include "shared/slot.h"
#include "shared/sums.h"

#include <stdio.h>

/*
 * The end of a system, driven by the owner's thread:
 *
 *     refuse    no more spawns
 *     drain     until accepted = handled + dead, or half of the time is over
 *     stop      all executors, latest first; then the actors of executor 0
 *     close     each executor finishes its channels, so that every message has its outcome
 *
 * All of it has one deadline. The last part is a reserve, in which processes are killed:
 *
 *     |---- drain ----|---- stop, close ----|-- report what is in the way --|-- kill, close --|
 *     0              1/2                   3/4                             7/8            deadline
 */
enum {
    SHUTDOWN_STEP_NS = 1000000,
    SHUTDOWN_SAMPLE_NS = 20000000,       // how often the callbacks of all executors are sampled
    SHUTDOWN_RESERVE_SHARE = 4,          // the reserve is this part of the timeout,
    SHUTDOWN_RESERVE_NS_MAX = 500000000, // or this
    SHUTDOWN_SETTLE_NS = 50000000,       // the exits of killed processes may take so much longer
};

/** The times of a shutdown, by the monotonic clock. */
struct shutdown_times {
    uint64_t start_ns;
    uint64_t force_ns;    // from here on processes are killed
    uint64_t report_ns;   // how long the report may take
    uint64_t deadline_ns; // of all of it
};

static struct shutdown_times shutdown_times_new(uint64_t now_ns, uint64_t timeout_ns)
{
    uint64_t reserve_ns = timeout_ns / SHUTDOWN_RESERVE_SHARE;
    reserve_ns = reserve_ns < SHUTDOWN_RESERVE_NS_MAX ? reserve_ns : SHUTDOWN_RESERVE_NS_MAX;
    uint64_t deadline_ns = trp_add_saturated(now_ns, timeout_ns);
    return (struct shutdown_times){
        .start_ns = now_ns,
        .force_ns = deadline_ns - reserve_ns,
        .report_ns = reserve_ns / 2,
        .deadline_ns = deadline_ns,
    };
}

/** @return when nothing is waited for any more. */
static uint64_t shutdown_limit_ns(const troupe_system_t *system, const struct shutdown_times *times)
{
    return trp_add_saturated(
        times->deadline_ns, trp_process_manager_runs(system) ? SHUTDOWN_SETTLE_NS : 0);
}

/** Sample the callbacks now and then, so that a report can say how long they have run. */
static void shutdown_sample(troupe_system_t *system, uint64_t now_ns)
{
    if (now_ns - system->checked_ns > SHUTDOWN_SAMPLE_NS) {
        system->checked_ns = now_ns;
        trp_activity_sample_all(system->runtime.shared, now_ns);
    }
}

/** Run a turn of executor 0; if there was nothing to do, wait for a while. */
static void shutdown_step(troupe_system_t *system, uint64_t deadline_ns)
{
    struct troupe_executor *executor = system->executor;
    uint64_t now_ns = trp_clock_monotonic(NULL);
    shutdown_sample(system, now_ns);
    if (trp_executor_turn(executor) || now_ns >= deadline_ns) {
        return;
    }
    uint64_t timeout_ns = trp_executor_sleep_ns(executor);
    uint64_t left_ns = deadline_ns - now_ns;
    if (left_ns > SHUTDOWN_SAMPLE_NS) {
        left_ns = SHUTDOWN_SAMPLE_NS;
    }
    if (trp_process_manager_runs(system) && left_ns > SHUTDOWN_STEP_NS) {
        left_ns = SHUTDOWN_STEP_NS; // other processes do not wake this one when they have finished
    }
    trp_executor_wait(executor, timeout_ns < left_ns ? timeout_ns : left_ns);
}

/**
 * @return whether no message is on its way, in any process.
 *
 * Done is read before accepted, and neither ever decreases: if they are equal, nothing was on its way at
 * a moment between the two reads (F. Mattern, "Algorithms for distributed termination detection", 1987).
 */
static bool shutdown_is_quiet(troupe_system_t *system)
{
    struct trp_sums done;
    struct trp_sums accepted;
    trp_sums_total(system->runtime.shared, &done);
    trp_sums_total(system->runtime.shared, &accepted);
    return accepted.accepted == trp_sums_done(&done);
}

static void shutdown_drain(troupe_system_t *system, uint64_t deadline_ns)
{
    // Executors that run out of work from here on wake this one, which then looks again.
    atomic_store_explicit(&system->runtime.draining, true, memory_order_relaxed);
    while (!shutdown_is_quiet(system) && trp_clock_monotonic(NULL) < deadline_ns) {
        shutdown_step(system, deadline_ns);
    }
    atomic_store_explicit(&system->runtime.draining, false, memory_order_relaxed);
}

/** @return whether an executor runs a loop, in whichever process. */
static bool shutdown_is_running(const struct trp_slot *slot)
{
    return trp_slot_is_there(slot) && !slot->is_inbox;
}

/** @return the latest executor below @p below that runs a loop, or 0. */
static uint32_t shutdown_latest(troupe_system_t *system, uint32_t below)
{
    struct trp_shared *shared = system->runtime.shared;
    uint32_t latest = 0;
    trp_shared_lock(shared);
    uint32_t high = trp_shared_slot_count(shared);
    for (uint32_t i = 0; i < high; i++) {
        const struct trp_slot *slot = &shared->slots[i];
        if (shutdown_is_running(slot) && slot->id > latest && slot->id < below) {
            latest = slot->id;
        }
    }
    trp_shared_unlock(shared);
    return latest;
}

/** Set the detail: which executors are still there. */
static void shutdown_explain(troupe_system_t *system)
{
    struct trp_shared *shared = system->runtime.shared;
    char names[512] = "";
    size_t at = 0;
    trp_shared_lock(shared);
    uint32_t high = trp_shared_slot_count(shared);
    for (uint32_t i = 0; i < high; i++) {
        const struct trp_slot *slot = &shared->slots[i];
        if (trp_slot_is_there(slot) && slot->id != 0 && at < sizeof(names) - 64) {
            at += (size_t)snprintf(
                names + at,
                sizeof(names) - at,
                "%s'%.32s' (executor %u)",
                at == 0 ? "" : ", ",
                slot->name,
                slot->id);
        }
    }
    trp_shared_unlock(shared);
    (void)TRP_EXPLAIN(
        TROUPE_ERR_TIMEDOUT, "still running when the time to stop was over: %s", names);
}

/** Print once, on standard error, what is in the way. */
static void shutdown_report(troupe_system_t *system, const struct shutdown_times *times)
{
    if (!system->reported) {
        system->reported = true;
        const struct trp_report_shutdown shutdown = {
            .executor_id = system->executor->id,
            .passed_ns = times->force_ns - times->start_ns,
            .stop_timeout_ns = system->stop_timeout_ns,
            .trace_timeout_ns = times->report_ns,
        };
        trp_report_print_shutdown(&system->runtime, &shutdown);
    }
}

/** @return whether executor @p id has ended; 0: whether backends carry none any more. */
static bool shutdown_is_gone(troupe_system_t *system, uint32_t id)
{
    if (id == 0) {
        (void)pthread_mutex_lock(&system->runtime.lock);
        bool gone = system->carried_count == 0;
        (void)pthread_mutex_unlock(&system->runtime.lock);
        return gone;
    }
    trp_shared_lock(system->runtime.shared);
    const struct trp_slot *slot = trp_shared_find_slot(system->runtime.shared, id);
    bool gone = slot == NULL || !shutdown_is_running(slot);
    trp_shared_unlock(system->runtime.shared);
    return gone;
}

/** Run executor 0 until another has ended, and kill processes in the reserve. @return false at the deadline. */
static bool shutdown_await(troupe_system_t *system, uint32_t id, const struct shutdown_times *times)
{
    uint64_t limit_ns = shutdown_limit_ns(system, times);
    while (!shutdown_is_gone(system, id)) {
        uint64_t now_ns = trp_clock_monotonic(NULL);
        if (now_ns >= limit_ns) {
            shutdown_explain(system);
            return false;
        }
        bool by_force = now_ns >= times->force_ns;
        if (by_force) {
            shutdown_report(system, times);
            trp_child_list_kill_all(system);
        }
        shutdown_step(system, by_force ? limit_ns : times->force_ns);
    }
    trp_executors_reap(system);
    return true;
}

/** Ask an executor to stop: by a command, which overtakes its mail, and by the flag on its slot. */
static void shutdown_ask(troupe_system_t *system, uint32_t id)
{
    struct trp_channel *channel = trp_idmap_find(&system->executor->channels.by_peer, id);
    if (channel != NULL && channel->out_open) {
        (void)trp_channel_command(
            &system->executor->channels, channel, TRP_KIND_STOP_EXECUTOR, NULL, 0);
    }
    trp_refresh_stop_executor(system, id);
}

/** Ask all other executors to stop, and wait for them. @return false at the deadline. */
static bool shutdown_stop_others(troupe_system_t *system, const struct shutdown_times *times)
{
    // All are asked before any is waited for: one that closes needs its peers to finish their channels, and a
    // peer that was not asked would go on sending.
    uint32_t latest = UINT32_MAX;
    while ((latest = shutdown_latest(system, latest)) != 0) {
        shutdown_ask(system, latest);
    }
    while ((latest = shutdown_latest(system, UINT32_MAX)) != 0) {
        if (!shutdown_await(system, latest, times)) {
            return false;
        }
    }
    // They have left shared memory, but some may not have returned to their backend yet.
    return shutdown_await(system, 0, times);
}

/** Stop the actors of executor 0, and close it. @return false at the deadline. */
static bool shutdown_stop_caller(troupe_system_t *system, const struct shutdown_times *times)
{
    struct troupe_executor *executor = system->executor;
    trp_executor_stop_actors(executor);
    if (executor->ops->stopped != NULL) {
        executor->ops->stopped(executor->backend_self, executor);
    }
    // No other executor runs. What they left is settled even if the deadline has passed by now.
    uint64_t limit_ns = shutdown_limit_ns(system, times);
    uint64_t settled_ns = trp_clock_monotonic(NULL) + SHUTDOWN_SETTLE_NS;
    if (!trp_executor_close(executor, settled_ns > limit_ns ? settled_ns : limit_ns)) {
        shutdown_report(system, times);
        shutdown_explain(system);
        return false;
    }
    trp_executors_remove(system, executor);
    executor->mode = TRP_MODE_ENDED;
    return true;
}

bool trp_shutdown_run(troupe_system_t *system)
{
    if (system->stopped) {
        return true;
    }
    const struct shutdown_times times =
        shutdown_times_new(trp_clock_monotonic(NULL), system->stop_timeout_ns);
    atomic_store_explicit(&system->runtime.stop_asked, true, memory_order_release);
    system->reported = false;
    shutdown_drain(system, trp_add_saturated(times.start_ns, system->stop_timeout_ns / 2));
    atomic_store_explicit(&system->drained, true, memory_order_release);
    if (!shutdown_stop_others(system, &times) || !shutdown_stop_caller(system, &times)) {
        return false;
    }
    trp_config_warn(&system->config);
    system->stopped = true;
    return true;
}

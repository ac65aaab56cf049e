/*
 * The end of a system, driven by the owner's thread:
 *
 *     refuse    no more spawns
 *     drain     until accepted = handled + dead, or half of the time is over
 *     stop      all executors, latest first; then the actors of executor 0
 *     close     each executor finishes its channels, and so leaves nothing unaccounted for
 *
 * All of it has one deadline. The last of its time is a reserve for the end by force:
 *
 *     |---- drain ----|---- stop, close ----|-- say who is in the way --|-- kill, close --|
 *     0              1/2                   3/4                         7/8             the end
 */
#include "actor/executor.h"
#include "base/clock.h"
#include "base/idmap.h"
#include "channel/channel.h"
#include "channel/channel_command.h"
#include "config/config.h"
#include "loop/close.h"
#include "loop/loop.h"
#include "node/process_manager.h"
#include "node/system.h"
#include "observe/report.h"
#include "shared/activity.h"
#include "shared/shared.h"
#include "shared/slot.h"
#include "shared/sums.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    STEP_NS = 1000000,
    GLANCE_NS = 20000000, // how often it is looked what others are at
    RESERVE_SHARE = 4,    // of the time that an end may take,
    RESERVE_NS_MAX = 500000000,
    SETTLE_NS =
        50000000, // how much later what was killed may be gone: on a busy machine it is not at once
};

/** When an end is to be over. */
struct shutdown_times {
    uint64_t start_ns;
    uint64_t force_ns;    // from here on it is an end by force
    uint64_t tell_ns;     // how long it may take to say who is in the way
    uint64_t deadline_ns; // of all of it
};

static struct shutdown_times shutdown_times_new(uint64_t now_ns, uint64_t timeout_ns)
{
    uint64_t reserve_ns = timeout_ns / RESERVE_SHARE;
    reserve_ns = reserve_ns < RESERVE_NS_MAX ? reserve_ns : RESERVE_NS_MAX;
    uint64_t deadline_ns = now_ns + timeout_ns;
    return (struct shutdown_times){
        .start_ns = now_ns,
        .force_ns = deadline_ns - reserve_ns,
        .tell_ns = reserve_ns / 2,
        .deadline_ns = deadline_ns,
    };
}

/** @return when nothing is waited for any more. */
static uint64_t shutdown_limit_ns(const troupe_system_t *system, const struct shutdown_times *times)
{
    return times->deadline_ns + (trp_process_manager_runs(system) ? SETTLE_NS : 0);
}

/** See now and then what others are at, to be able to say how long. */
static void shutdown_check(troupe_system_t *system, uint64_t now_ns)
{
    if (now_ns - system->checked_ns > GLANCE_NS) {
        system->checked_ns = now_ns;
        trp_activity_sample_all(system->runtime.shared, now_ns);
    }
}

/** Do what is at hand on executor 0, else wait for a while. */
static void shutdown_step(troupe_system_t *system, uint64_t deadline_ns)
{
    struct troupe_executor *executor = system->executor;
    uint64_t now_ns = trp_clock_monotonic(NULL);
    shutdown_check(system, now_ns);
    if (trp_executor_turn(executor) || now_ns >= deadline_ns) {
        return;
    }
    uint64_t timeout_ns = trp_executor_timeout_ns(executor);
    uint64_t left_ns = deadline_ns - now_ns;
    if (left_ns > GLANCE_NS) {
        left_ns = GLANCE_NS;
    }
    if (trp_process_manager_runs(system) && left_ns > STEP_NS) {
        left_ns = STEP_NS; // other processes do not wake this one when they are done
    }
    trp_executor_wait(executor, timeout_ns < left_ns ? timeout_ns : left_ns);
}

/**
 * @return whether no message is on its way anywhere.
 *
 * Done is read before accepted, and neither ever falls: if they are equal, nothing was on its way at
 * a moment between the two reads (F. Mattern, "Algorithms for distributed termination detection", 1987).
 */
static bool shutdown_is_quiet(troupe_system_t *system)
{
    struct trp_sums done;
    struct trp_sums accepted;
    trp_sums_total(system->shared, &done);
    trp_sums_total(system->shared, &accepted);
    return accepted.accepted == trp_sums_done(&done);
}

static void shutdown_drain(troupe_system_t *system, uint64_t deadline_ns)
{
    // Executors that run out of work from here on wake this one, to look again.
    atomic_store_explicit(&system->runtime.draining, true, memory_order_relaxed);
    while (!shutdown_is_quiet(system) && trp_clock_monotonic(NULL) < deadline_ns) {
        shutdown_step(system, deadline_ns);
    }
    atomic_store_explicit(&system->runtime.draining, false, memory_order_relaxed);
}

/** @return whether an executor other than a inbox is there, in whichever process. */
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
    uint32_t high = atomic_load_explicit(&shared->slot_high, memory_order_acquire);
    for (uint32_t i = 0; i < high; i++) {
        const struct trp_slot *slot = &shared->slots[i];
        if (shutdown_is_running(slot) && slot->id > latest && slot->id < below) {
            latest = slot->id;
        }
    }
    trp_shared_unlock(shared);
    return latest;
}

/** Say which executors are in the way. */
static void shutdown_explain(troupe_system_t *system)
{
    struct trp_shared *shared = system->runtime.shared;
    char names[512] = "";
    size_t at = 0;
    trp_shared_lock(shared);
    uint32_t high = atomic_load_explicit(&shared->slot_high, memory_order_acquire);
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

/** Say on standard error who is in the way, once an end. */
static void shutdown_notify(troupe_system_t *system, const struct shutdown_times *times)
{
    if (!system->told) {
        system->told = true;
        const struct trp_view view = trp_system_view(system);
        const struct trp_report_shutdown shutdown = {
            .executor_id = system->executor->id,
            .passed_ns = times->force_ns - times->start_ns,
            .stop_timeout_ns = system->stop_timeout_ns,
            .trace_timeout_ns = times->tell_ns,
        };
        trp_report_print_shutdown(&view, &shutdown);
    }
}

/** @return whether executor @p id is gone; 0: whether all that backends carried are. */
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

/** Run executor 0 until another is gone; in the reserve, by force. @return false: the time was over first. */
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
            shutdown_notify(system, times);
            trp_process_manager_kill_all(system);
        }
        shutdown_step(system, by_force ? limit_ns : times->force_ns);
    }
    trp_system_reap(system);
    return true;
}

void trp_system_ask_to_end(troupe_system_t *system, uint32_t id)
{
    trp_shared_lock(system->runtime.shared);
    struct trp_slot *slot = trp_shared_find_slot(system->runtime.shared, id);
    uint32_t node = slot == NULL ? 0 : slot->node;
    if (slot != NULL) {
        atomic_store_explicit(&slot->stop_requested, true, memory_order_relaxed);
    }
    trp_shared_unlock(system->runtime.shared);
    if (node != system->runtime.node) {
        trp_process_manager_refresh(system, node);
        return;
    }
    (void)pthread_mutex_lock(&system->runtime.lock);
    struct troupe_executor *executor = trp_idmap_find(&system->runtime.executors, id);
    if (executor != NULL) {
        atomic_store_explicit(&executor->attention, true, memory_order_release);
        trp_executor_wake(executor);
        if (executor->ops->stop != NULL) {
            executor->ops->stop(executor->backend_self, executor->handle);
        }
    }
    (void)pthread_mutex_unlock(&system->runtime.lock);
}

/** Ask an executor to end: over the channel to it, past its mail, and by a word for where there is none. */
static void shutdown_ask(troupe_system_t *system, uint32_t id)
{
    struct trp_channel *channel = trp_idmap_find(&system->executor->channels.by_peer, id);
    if (channel != NULL && channel->out_open) {
        (void)trp_channel_command(
            &system->executor->channels, channel, TRP_KIND_STOP_EXECUTOR, NULL, 0);
    }
    trp_system_ask_to_end(system, id);
}

bool trp_system_shut_down(troupe_system_t *system)
{
    if (system->stopped) {
        return true;
    }
    const struct shutdown_times times =
        shutdown_times_new(trp_clock_monotonic(NULL), system->stop_timeout_ns);
    atomic_store_explicit(&system->runtime.stop_asked, true, memory_order_release);
    system->told = false;
    shutdown_drain(system, times.start_ns + system->stop_timeout_ns / 2);
    atomic_store_explicit(&system->drained, true, memory_order_release);
    // All are asked before any is waited for: one that ends needs its peers to turn around, and who
    // floods it would go on.
    uint32_t latest = UINT32_MAX;
    while ((latest = shutdown_latest(system, latest)) != 0) {
        shutdown_ask(system, latest);
    }
    while ((latest = shutdown_latest(system, UINT32_MAX)) != 0) {
        if (!shutdown_await(system, latest, &times)) {
            return false;
        }
    }
    // Nobody finds them any more, but some may still be about to return to their backend.
    if (!shutdown_await(system, 0, &times)) {
        return false;
    }
    trp_executor_stop_actors(system->executor);
    if (system->executor->ops->stopped != NULL) {
        system->executor->ops->stopped(system->executor->backend_self, system->executor);
    }
    // Nobody else runs. What they leave behind is to be settled, however late it is by now.
    uint64_t limit_ns = shutdown_limit_ns(system, &times);
    uint64_t settled_ns = trp_clock_monotonic(NULL) + SETTLE_NS;
    if (!trp_executor_close(system->executor, settled_ns > limit_ns ? settled_ns : limit_ns)) {
        shutdown_notify(system, &times);
        shutdown_explain(system);
        return false;
    }
    trp_system_remove_executor(system, system->executor);
    trp_config_warn(&system->config);
    system->stopped = true;
    return true;
}

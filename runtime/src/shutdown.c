/*
 * The end of a system, driven by the owner's thread:
 *
 *     refuse    no more spawns
 *     drain     until accepted = handled + dead, or half of the time is over
 *     stop      all executors, latest first; then the actors of executor 0
 *     close     each executor finishes its links, and so leaves nothing unaccounted for
 */
#include "clock.h"
#include "executor.h"
#include "link.h"
#include "report.h"
#include "system.h"
#include "warden.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    STEP_NS = 1000000,
    GLANCE_NS = 20000000, // how often it is looked what others are at
    KILLED_NS =
        2000000000, // how long the end of a process that was killed may take, on a busy machine
};

/** See now and then what others are at, to be able to say how long. */
static void shutdown_look(troupe_system_t *system, uint64_t now_ns)
{
    if (now_ns - system->looked_ns > GLANCE_NS) {
        system->looked_ns = now_ns;
        trp_activity_look_at_all(system->board, now_ns);
    }
}

/** Do what is at hand on executor 0, else wait for a while. */
static void shutdown_step(troupe_system_t *system, uint64_t deadline_ns)
{
    struct troupe_executor *executor = system->executor;
    uint64_t now_ns = trp_clock_monotonic(NULL);
    shutdown_look(system, now_ns);
    if (trp_executor_turn(executor) || now_ns >= deadline_ns) {
        return;
    }
    uint64_t timeout_ns = trp_executor_timeout_ns(executor);
    uint64_t left_ns = deadline_ns - now_ns;
    if (left_ns > GLANCE_NS) {
        left_ns = GLANCE_NS;
    }
    if (trp_warden_runs(system) && left_ns > STEP_NS) {
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
    struct troupe_stats done;
    struct troupe_stats accepted;
    trp_system_sum(system, &done);
    trp_system_sum(system, &accepted);
    return accepted.accepted == done.handled + done.dead + done.unknown;
}

static void shutdown_drain(troupe_system_t *system, uint64_t deadline_ns)
{
    // Executors that run out of work from here on wake this one, to look again.
    atomic_store_explicit(&system->draining, true, memory_order_relaxed);
    while (!shutdown_is_quiet(system) && trp_clock_monotonic(NULL) < deadline_ns) {
        shutdown_step(system, deadline_ns);
    }
    atomic_store_explicit(&system->draining, false, memory_order_relaxed);
}

/** @return whether an executor other than a port is there, in whichever process. */
static bool shutdown_is_running(const struct trp_seat *seat)
{
    enum trp_seat_state state = trp_seat_state(seat);
    return (state == TRP_SEAT_OPEN || state == TRP_SEAT_CLOSING) && !seat->is_port;
}

/** @return the latest executor below @p below that runs a loop, or 0. */
static uint32_t shutdown_latest(troupe_system_t *system, uint32_t below)
{
    struct trp_board *board = system->board;
    uint32_t latest = 0;
    trp_board_lock(board);
    uint32_t high = atomic_load_explicit(&board->seat_high, memory_order_acquire);
    for (uint32_t i = 0; i < high; i++) {
        const struct trp_seat *seat = &board->seats[i];
        if (shutdown_is_running(seat) && seat->id > latest && seat->id < below) {
            latest = seat->id;
        }
    }
    trp_board_unlock(board);
    return latest;
}

/** Say which executors are in the way. */
static void shutdown_explain(troupe_system_t *system)
{
    struct trp_board *board = system->board;
    char names[512] = "";
    size_t at = 0;
    trp_board_lock(board);
    uint32_t high = atomic_load_explicit(&board->seat_high, memory_order_acquire);
    for (uint32_t i = 0; i < high; i++) {
        const struct trp_seat *seat = &board->seats[i];
        enum trp_seat_state state = trp_seat_state(seat);
        bool there = state == TRP_SEAT_OPEN || state == TRP_SEAT_CLOSING;
        if (there && seat->id != 0 && at < sizeof(names) - 64) {
            at += (size_t)snprintf(
                names + at,
                sizeof(names) - at,
                "%s'%.32s' (executor %u)",
                at == 0 ? "" : ", ",
                seat->name,
                seat->id);
        }
    }
    trp_board_unlock(board);
    (void)TRP_EXPLAIN(
        TROUPE_ERR_TIMEDOUT, "still running when the time to stop was over: %s", names);
}

/** Say on standard error who is in the way, once an end. */
static void shutdown_tell(troupe_system_t *system)
{
    if (!system->told) {
        system->told = true;
        trp_report_in_the_way(system);
    }
}

/** @return whether executor @p id is gone; 0: whether all that backends carried are. */
static bool shutdown_is_gone(troupe_system_t *system, uint32_t id)
{
    if (id == 0) {
        (void)pthread_mutex_lock(&system->lock);
        bool gone = system->carried_count == 0;
        (void)pthread_mutex_unlock(&system->lock);
        return gone;
    }
    trp_board_lock(system->board);
    const struct trp_seat *seat = trp_board_find_seat(system->board, id);
    bool gone = seat == NULL || !shutdown_is_running(seat);
    trp_board_unlock(system->board);
    return gone;
}

/** The time is over: say once who is in the way, and end by force what can be. @return false: there is no such. */
static bool shutdown_kill(troupe_system_t *system)
{
    shutdown_tell(system);
    return trp_warden_kill_all(system);
}

/** Run executor 0 until another is gone. @return false: the deadline came first. */
static bool shutdown_await(troupe_system_t *system, uint32_t id, uint64_t deadline_ns)
{
    while (!shutdown_is_gone(system, id)) {
        uint64_t now_ns = trp_clock_monotonic(NULL);
        if (now_ns >= deadline_ns + KILLED_NS ||
            (now_ns >= deadline_ns && !shutdown_kill(system))) {
            shutdown_explain(system);
            return false;
        }
        shutdown_step(system, now_ns < deadline_ns ? deadline_ns : deadline_ns + KILLED_NS);
    }
    trp_system_reap(system);
    return true;
}

void trp_system_ask_to_end(troupe_system_t *system, uint32_t id)
{
    trp_board_lock(system->board);
    struct trp_seat *seat = trp_board_find_seat(system->board, id);
    uint32_t node = seat == NULL ? 0 : seat->node;
    if (seat != NULL) {
        atomic_store_explicit(&seat->stop_word, true, memory_order_relaxed);
    }
    trp_board_unlock(system->board);
    if (node != system->node) {
        trp_warden_poke(system, node);
        return;
    }
    (void)pthread_mutex_lock(&system->lock);
    struct troupe_executor *executor = trp_idmap_find(&system->executors, id);
    if (executor != NULL) {
        atomic_store_explicit(&executor->has_word, true, memory_order_release);
        trp_wake(executor->wake_fd);
        if (executor->ops->stop != NULL) {
            executor->ops->stop(executor->backend_self, executor->carrier);
        }
    }
    (void)pthread_mutex_unlock(&system->lock);
}

/** Ask an executor to end: over the link to it, past its mail, and by a word for where there is none. */
static void shutdown_ask(troupe_system_t *system, uint32_t id)
{
    struct trp_link *link = trp_idmap_find(&system->executor->links, id);
    if (link != NULL && link->out_open) {
        (void)trp_link_command(system->executor, link, TRP_KIND_STOP_EXECUTOR, NULL, 0);
    }
    trp_system_ask_to_end(system, id);
}

bool trp_system_shut_down(troupe_system_t *system)
{
    if (system->stopped) {
        return true;
    }
    uint64_t now_ns = trp_clock_monotonic(NULL);
    uint64_t deadline_ns = now_ns + system->stop_timeout_ns;
    atomic_store_explicit(&system->stop_asked, true, memory_order_release);
    system->told = false;
    shutdown_drain(system, now_ns + system->stop_timeout_ns / 2);
    atomic_store_explicit(&system->drained, true, memory_order_release);
    // All are asked before any is waited for: one that ends needs its peers to turn around, and who
    // floods it would go on.
    uint32_t latest = UINT32_MAX;
    while ((latest = shutdown_latest(system, latest)) != 0) {
        shutdown_ask(system, latest);
    }
    while ((latest = shutdown_latest(system, UINT32_MAX)) != 0) {
        if (!shutdown_await(system, latest, deadline_ns)) {
            return false;
        }
    }
    // Nobody finds them any more, but some may still be about to return to their backend.
    if (!shutdown_await(system, 0, deadline_ns)) {
        return false;
    }
    trp_executor_stop_actors(system->executor);
    // Where others were ended by force the time is over, and what they leave behind is to be settled.
    now_ns = trp_clock_monotonic(NULL);
    uint64_t close_ns = now_ns < deadline_ns ? deadline_ns : now_ns + KILLED_NS;
    if (!trp_executor_close(system->executor, close_ns)) {
        shutdown_tell(system);
        shutdown_explain(system);
        return false;
    }
    trp_system_remove_executor(system, system->executor);
    trp_plan_warn(&system->plan);
    system->stopped = true;
    return true;
}

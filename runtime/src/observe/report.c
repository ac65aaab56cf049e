/*
 * Who keeps a system alive: the table of troupe_system_print_active(), and that of an end whose time is over.
 *
 *     board --(its lock)--> a copy of what is known of each executor --> names --> lines
 *
 * What is printed is copied first: no lock is held while a file is written to.
 */
#include "observe/report.h"

#include "actor/actor_table.h"
#include "actor/executor.h"
#include "base/clock.h"
#include "base/idmap.h"
#include "node/system.h"
#include "observe/crash.h"
#include "shared/activity.h"
#include "shared/shared.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    PEERS = 4,
    BETWEEN_LOOKS_NS = 20000000,
    TRACE_NS =
        50000000, // how long one executor may take to tell its stack, where there is the time
    TRACES = 16,  // stacks told at one end
};

/** What is known of an executor. */
struct report_line {
    uint32_t id;
    uint32_t node;
    int32_t pid; // of its process, where that is another; 0: it is this one
    enum trp_slot_state state;
    bool is_inbox;
    char name[TRP_SLOT_NAME_BYTES];
    char backend[TRP_SLOT_BACKEND_BYTES];
    uint64_t waiting;
    uint64_t actors;
    uint32_t timers;
    struct trp_callback_sample sample;
    uint32_t peers[PEERS]; // for whose FIN, or for whom to meet its own, it waits
    uint32_t peer_count;   // of all; some may not be in `peers`
};

struct report {
    struct report_line *lines;
    uint32_t count;
};

/* Taking. --------------------------------------------------------------------------------------- */

static void report_add_peer(struct report_line *line, uint32_t id)
{
    if (line->peer_count < PEERS) {
        line->peers[line->peer_count] = id;
    }
    line->peer_count++;
}

/** Count the mail that waits for an executor, and whom it waits for. @threads holding shared memory's lock */
static void report_take_links(
    const struct trp_shared *shared, const struct trp_slot *slot, struct report_line *line)
{
    uint64_t accepted = 0;
    uint64_t done = 0;
    bool is_closing = line->state == TRP_SLOT_CLOSING;
    for (uint32_t at = slot->first_in; at != 0; at = shared->ledgers[at - 1].next_in) {
        const struct trp_ledger *ledger = &shared->ledgers[at - 1];
        done += trp_ledger_done(ledger);
        accepted += trp_counted(&ledger->accepted);
        bool is_open =
            atomic_load_explicit(&ledger->state, memory_order_relaxed) == TRP_LEDGER_OPEN;
        if (is_closing && is_open && !ledger->is_loop) {
            report_add_peer(line, ledger->from);
        }
    }
    line->waiting = accepted > done ? accepted - done : 0;
    if (!is_closing || line->peer_count != 0 ||
        atomic_load_explicit(&slot->out_open_count, memory_order_relaxed) == 0) {
        return;
    }
    uint32_t high = atomic_load_explicit(&shared->ledger_high, memory_order_acquire);
    for (uint32_t i = 0; i < high; i++) {
        const struct trp_ledger *ledger = &shared->ledgers[i];
        if (ledger->from == slot->id && !ledger->is_loop &&
            atomic_load_explicit(&ledger->state, memory_order_relaxed) == TRP_LEDGER_OPEN) {
            report_add_peer(line, ledger->to);
        }
    }
}

/** @return the number of a process; 0: it is not known. @threads holding shared memory's lock */
static int32_t report_pid(struct trp_shared *shared, uint32_t id)
{
    const struct trp_process *node = trp_shared_find_process(shared, id);
    if (node != NULL) {
        return atomic_load_explicit(&node->pid, memory_order_relaxed);
    }
    return id == TRP_NODE_FIRST ? shared->first_pid : 0;
}

/** Copy what is known of an executor. @threads holding shared memory's lock */
static void report_take_slot(
    const troupe_system_t *system,
    struct trp_slot *slot,
    uint64_t now_ns,
    struct report_line *out_line)
{
    struct trp_shared *shared = system->runtime.shared;
    const struct trp_counters *counters = &slot->counters;
    uint64_t ended = trp_counted(&counters->actors_ended);
    uint64_t started = trp_counted(&counters->actors_started);
    *out_line = (struct report_line){
        .id = slot->id,
        .node = slot->node,
        .pid = slot->node == system->runtime.node ? 0 : report_pid(shared, slot->node),
        .state = trp_slot_state(slot),
        .is_inbox = slot->is_inbox,
        .actors = started > ended ? started - ended : 0,
        .timers = atomic_load_explicit(&slot->timer_count, memory_order_relaxed),
        .sample = trp_activity_sample(slot, now_ns),
    };
    memcpy(out_line->name, slot->name, sizeof(out_line->name));
    memcpy(out_line->backend, slot->backend, sizeof(out_line->backend));
    report_take_links(shared, slot, out_line);
}

/** Copy what is known of all executors that are there. @return false: no memory. */
static bool report_take(troupe_system_t *system, struct report *out_report)
{
    struct trp_shared *shared = system->runtime.shared;
    struct report report = {0};
    uint64_t now_ns = trp_clock_monotonic(NULL);
    trp_shared_lock(shared);
    uint32_t high = atomic_load_explicit(&shared->slot_high, memory_order_acquire);
    for (uint32_t i = 0; i < high; i++) {
        report.count += trp_slot_is_there(&shared->slots[i]) ? 1 : 0;
    }
    report.lines = calloc(report.count + 1, sizeof(*report.lines));
    uint32_t at = 0;
    for (uint32_t i = 0; i < high && report.lines != NULL; i++) {
        struct trp_slot *slot = &shared->slots[i];
        if (trp_slot_is_there(slot)) {
            report_take_slot(system, slot, now_ns, &report.lines[at++]);
        }
    }
    trp_shared_unlock(shared);
    *out_report = report;
    return report.lines != NULL;
}

/** @return what is known of an executor, or NULL. */
static const struct report_line *report_find(const struct report *report, uint32_t id)
{
    for (uint32_t i = 0; i < report->count; i++) {
        if (report->lines[i].id == id) {
            return &report->lines[i];
        }
    }
    return NULL;
}

/* Names. ---------------------------------------------------------------------------------------- */

/** Copy the names of the actor that an executor of this process is at. @return false: it is past that. */
static bool report_copy_names(
    troupe_system_t *system,
    uint32_t id,
    uint64_t callback,
    struct trp_report_callback *out_callback)
{
    bool copied = false;
    (void)pthread_mutex_lock(&system->runtime.lock);
    struct troupe_executor *executor = trp_idmap_find(&system->runtime.executors, id);
    if (executor != NULL) {
        // As long as it is in that callback its actor is there; and its name is while this is locked.
        (void)pthread_mutex_lock(&executor->actors.lock);
        if (trp_counted(&executor->slot->callback) == callback) {
            const struct trp_actor *actor =
                trp_actor_table_row(&executor->actors, trp_callback_index(callback));
            const char *behaviour = actor->behaviour->name;
            const char *name = actor->name != NULL ? actor->name : behaviour;
            (void)snprintf(out_callback->actor, sizeof(out_callback->actor), "%s", name);
            (void)snprintf(
                out_callback->behaviour, sizeof(out_callback->behaviour), "%s", behaviour);
            copied = trp_counted(&executor->slot->callback) == callback;
        }
        (void)pthread_mutex_unlock(&executor->actors.lock);
    }
    (void)pthread_mutex_unlock(&system->runtime.lock);
    return copied;
}

void trp_report_name(
    troupe_system_t *system,
    uint32_t executor_id,
    const struct trp_callback_sample *sample,
    struct trp_report_callback *out_callback)
{
    trp_callback_print(sample->type, out_callback->type);
    if (!report_copy_names(system, executor_id, sample->callback, out_callback)) {
        uint32_t row = trp_callback_index(sample->callback);
        (void)snprintf(out_callback->actor, sizeof(out_callback->actor), "in row %u", row);
        out_callback->behaviour[0] = '\0';
    }
}

void trp_report_time(uint64_t ns, char *text, size_t bytes)
{
    uint64_t ms = ns / 1000000;
    if (ms < 1000) {
        (void)snprintf(text, bytes, "%" PRIu64 " ms", ms);
    } else {
        (void)snprintf(text, bytes, "%" PRIu64 ".%" PRIu64 " s", ms / 1000, ms % 1000 / 100);
    }
}

/* Printing. ------------------------------------------------------------------------------------- */

static void report_print_callback(
    troupe_system_t *system, FILE *file, const struct report_line *line)
{
    if (line->sample.callback == 0) {
        (void)fprintf(file, "; in no callback");
        return;
    }
    struct trp_report_callback callback;
    char time[32];
    trp_report_name(system, line->id, &line->sample, &callback);
    trp_report_time(line->sample.for_ns, time, sizeof(time));
    bool is_named = callback.behaviour[0] != '\0';
    (void)fprintf(
        file,
        is_named ? "; actor '%s' (behaviour '%s')" : "; the actor %s%s",
        callback.actor,
        callback.behaviour);
    (void)fprintf(file, " has been at %s for at least %s", callback.type, time);
}

static void report_print_peers(
    const struct report *report, FILE *file, const struct report_line *line)
{
    for (uint32_t i = 0; i < line->peer_count && i < PEERS; i++) {
        const struct report_line *peer = report_find(report, line->peers[i]);
        (void)fprintf(
            file,
            "%s%u '%s'",
            i == 0 ? "; waits for executor " : ", ",
            line->peers[i],
            peer != NULL ? peer->name : "?");
    }
    if (line->peer_count > PEERS) {
        (void)fprintf(file, " and %u more", line->peer_count - PEERS);
    }
}

static void report_print_line(
    troupe_system_t *system,
    const struct report *report,
    FILE *file,
    const struct report_line *line)
{
    (void)fprintf(file, "  executor %u '%s' (", line->id, line->name);
    (void)fprintf(file, "%s", line->is_inbox ? "inbox" : line->backend);
    if (line->pid != 0) {
        (void)fprintf(file, ", process %" PRId32, line->pid);
    }
    (void)fprintf(
        file,
        "), %s: actors %" PRIu64 ", waiting mail %" PRIu64 ", timers %u",
        line->state == TRP_SLOT_CLOSING ? "closing" : "open",
        line->actors,
        line->waiting,
        line->timers);
    if (!line->is_inbox) {
        report_print_callback(system, file, line);
    }
    report_print_peers(report, file, line);
    (void)fprintf(file, "\n");
}

void troupe_system_print_active(troupe_system_t *system, FILE *file)
{
    // Twice: the second look knows which callbacks were there before.
    const struct timespec pause = {.tv_nsec = BETWEEN_LOOKS_NS};
    trp_activity_sample_all(system->runtime.shared, trp_clock_monotonic(NULL));
    (void)nanosleep(&pause, NULL);
    struct report report;
    if (!report_take(system, &report)) {
        (void)fprintf(file, "troupe: no memory to say what is alive\n");
        return;
    }
    uint64_t actors = 0;
    for (uint32_t i = 0; i < report.count; i++) {
        actors += report.lines[i].actors;
    }
    bool stops = atomic_load_explicit(&system->runtime.stop_asked, memory_order_acquire);
    (void)fprintf(
        file,
        "troupe: alive, %s: actors %" PRIu64 ", executors and inboxes %u\n",
        stops ? "and asked to stop" : "and not asked to stop",
        actors,
        report.count);
    for (uint32_t i = 0; i < report.count; i++) {
        report_print_line(system, &report, file, &report.lines[i]);
    }
    free(report.lines);
}

/* In the way of the end. ------------------------------------------------------------------------ */

/** Ask an executor for its stack. */
static enum trp_crash_trace report_trace(
    troupe_system_t *system, const struct report_line *line, uint64_t timeout_ns)
{
    trp_shared_lock(system->runtime.shared);
    const struct trp_slot *slot = trp_shared_find_slot(system->runtime.shared, line->id);
    trp_shared_unlock(system->runtime.shared); // its slot stays where it is, whoever has it
    return slot == NULL ? TRP_TRACE_IMPOSSIBLE : trp_crash_trace(slot, timeout_ns);
}

/** Print the stacks of who is in a callback, where they can be had. */
static void report_print_traces(
    troupe_system_t *system, const struct report *report, uint64_t timeout_ns)
{
    uint64_t until_ns = trp_clock_monotonic(NULL) + timeout_ns;
    uint32_t told = 0;
    uint32_t untold = 0;
    for (uint32_t i = 0; i < report->count; i++) {
        const struct report_line *line = &report->lines[i];
        if (line->sample.callback == 0 || line->is_inbox || line->id == system->executor->id) {
            continue;
        }
        uint64_t now_ns = trp_clock_monotonic(NULL);
        uint64_t left_ns = now_ns < until_ns && told < TRACES ? until_ns - now_ns : 0;
        left_ns = left_ns < TRACE_NS ? left_ns : TRACE_NS;
        enum trp_crash_trace trace =
            left_ns > 0 ? report_trace(system, line, left_ns) : TRP_TRACE_IMPOSSIBLE;
        told += trace == TRP_TRACE_TOLD ? 1 : 0;
        untold += trace == TRP_TRACE_IMPOSSIBLE ? 1 : 0;
        if (trace == TRP_TRACE_SILENT) {
            (void)fprintf(stderr, "troupe: executor %u does not tell its stack\n", line->id);
        }
    }
    if (untold != 0) {
        (void)fprintf(
            stderr,
            "troupe: no stacks of %u executors: programs of troupe_main() and processes tell "
            "them, %d at most\n",
            untold,
            TRACES);
    }
}

void trp_report_in_the_way(troupe_system_t *system, uint64_t passed_ns, uint64_t timeout_ns)
{
    struct report report;
    if (!report_take(system, &report)) {
        return; // the detail of the error says the most of it
    }
    char passed[32];
    char time[32];
    trp_report_time(passed_ns, passed, sizeof(passed));
    trp_report_time(system->stop_timeout_ns, time, sizeof(time));
    (void)fprintf(stderr, "troupe: not stopped within %s of %s; in the way:\n", passed, time);
    for (uint32_t i = 0; i < report.count; i++) {
        // Executor 0 is who says this: it waits for the others.
        if (report.count == 1 || report.lines[i].id != system->executor->id) {
            report_print_line(system, &report, stderr, &report.lines[i]);
        }
    }
    report_print_traces(system, &report, timeout_ns);
    free(report.lines);
}

/*
 *     shared memory --under its lock--> a line for each executor --> names of its actor --> text
 *
 * What is printed is copied first: no lock is held while a file is written to.
 */
#include "observe/report.h"

#include "actor/actor_table.h"
#include "actor/executor.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/idmap.h"
#include "observe/crash.h"
#include "shared/activity.h"
#include "shared/ledger.h"
#include "shared/process.h"
#include "shared/shared.h"
#include "shared/shared_table.h"
#include "shared/slot.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    PEERS = 4,
    BETWEEN_SAMPLES_NS = 20000000,
    TRACE_NS = 50000000, // how long one executor may take to print its stack, at most
    TRACES = 16,         // stacks that are printed at one shutdown
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
    uint32_t peers[PEERS]; // executors whose FIN it waits for, or which have not received its own
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

static bool report_is_open(const struct trp_ledger *ledger)
{
    return atomic_load_explicit(&ledger->state, memory_order_relaxed) == TRP_LEDGER_OPEN &&
           !ledger->is_loop;
}

/** Count the mail that waits for an executor; note whose FIN it waits for. @threads holding shared memory's lock */
static void report_take_channels_in(
    const struct trp_shared *shared, const struct trp_slot *slot, struct report_line *line)
{
    uint64_t accepted = 0;
    uint64_t done = 0;
    uint32_t steps = 0;
    for (uint32_t at = trp_shared_ledger_index(shared, slot->first_in); at != 0;
         at = trp_shared_ledger_step(shared, shared->ledgers[at - 1].next_in, &steps)) {
        const struct trp_ledger *ledger = &shared->ledgers[at - 1];
        done += trp_ledger_done(ledger);
        accepted += trp_counted(&ledger->accepted);
        if (line->state == TRP_SLOT_CLOSING && report_is_open(ledger)) {
            report_add_peer(line, ledger->from);
        }
    }
    line->waiting = accepted > done ? accepted - done : 0;
}

/** Note the peers that have not received an executor's FIN. @threads holding shared memory's lock */
static void report_take_channels_out(
    const struct trp_shared *shared, const struct trp_slot *slot, struct report_line *line)
{
    if (atomic_load_explicit(&slot->out_open_count, memory_order_relaxed) == 0) {
        return;
    }
    uint32_t high = trp_shared_ledger_count(shared);
    for (uint32_t i = 0; i < high; i++) {
        const struct trp_ledger *ledger = &shared->ledgers[i];
        if (ledger->from == slot->id && report_is_open(ledger)) {
            report_add_peer(line, ledger->to);
        }
    }
}

/** @return the process id of a process; 0: it is not known. @threads holding shared memory's lock */
static int32_t report_pid(struct trp_shared *shared, uint32_t id)
{
    const struct trp_process *process = trp_process_find(shared, id);
    if (process != NULL) {
        return atomic_load_explicit(&process->pid, memory_order_relaxed);
    }
    return id == TRP_NODE_FIRST ? shared->first_pid : 0;
}

/** Copy what is known of an executor. @threads holding shared memory's lock */
static void report_take_slot(
    struct trp_runtime *runtime,
    struct trp_slot *slot,
    uint64_t now_ns,
    struct report_line *out_line)
{
    struct trp_shared *shared = runtime->shared;
    const struct trp_counters *counters = &slot->counters;
    uint64_t ended = trp_counted(&counters->actors_ended);
    uint64_t started = trp_counted(&counters->actors_started);
    *out_line = (struct report_line){
        .id = slot->id,
        .node = slot->node,
        .pid = slot->node == runtime->node ? 0 : report_pid(shared, slot->node),
        .state = trp_slot_state(slot),
        .is_inbox = slot->is_inbox,
        .actors = started > ended ? started - ended : 0,
        .timers = atomic_load_explicit(&slot->timer_count, memory_order_relaxed),
        .sample = trp_activity_sample(slot, now_ns),
    };
    memcpy(out_line->name, slot->name, sizeof(out_line->name));
    memcpy(out_line->backend, slot->backend, sizeof(out_line->backend));
    report_take_channels_in(shared, slot, out_line);
    if (out_line->state == TRP_SLOT_CLOSING && out_line->peer_count == 0) {
        report_take_channels_out(shared, slot, out_line);
    }
}

/** Copy what is known of all executors that have not ended. @return false: no memory. */
static bool report_take(struct trp_runtime *runtime, struct report *out_report)
{
    struct trp_shared *shared = runtime->shared;
    struct report report = {0};
    uint64_t now_ns = trp_clock_monotonic(NULL);
    trp_shared_lock(shared);
    uint32_t high = trp_shared_slot_count(shared);
    for (uint32_t i = 0; i < high; i++) {
        report.count += trp_slot_is_there(&shared->slots[i]) ? 1 : 0;
    }
    report.lines = calloc(report.count + 1, sizeof(*report.lines));
    uint32_t at = 0;
    for (uint32_t i = 0; i < high && report.lines != NULL; i++) {
        struct trp_slot *slot = &shared->slots[i];
        if (trp_slot_is_there(slot)) {
            report_take_slot(runtime, slot, now_ns, &report.lines[at++]);
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

/** Copy the names of the actor whose callback an executor is in. @return false: it has returned. */
static bool report_copy_names(
    struct troupe_executor *executor, uint64_t callback, struct trp_report_callback *out_callback)
{
    bool copied = false;
    // The actor exists as long as the executor is in that callback, and its name as long as this is locked.
    (void)pthread_mutex_lock(&executor->actors.lock);
    if (trp_counted(&executor->slot->callback) == callback) {
        const struct trp_actor *actor =
            trp_actor_table_row(&executor->actors, trp_callback_index(callback));
        const char *behaviour = actor->behaviour->name;
        const char *name = actor->name != NULL ? actor->name : behaviour;
        (void)snprintf(out_callback->actor, sizeof(out_callback->actor), "%s", name);
        (void)snprintf(out_callback->behaviour, sizeof(out_callback->behaviour), "%s", behaviour);
        copied = trp_counted(&executor->slot->callback) == callback;
    }
    (void)pthread_mutex_unlock(&executor->actors.lock);
    return copied;
}

void trp_report_name(
    struct trp_runtime *runtime,
    uint32_t executor_id,
    const struct trp_callback_sample *sample,
    struct trp_report_callback *out_callback)
{
    bool copied = false;
    trp_callback_print(sample->type, out_callback->type);
    (void)pthread_mutex_lock(&runtime->lock);
    struct troupe_executor *executor = trp_idmap_find(&runtime->executors, executor_id);
    if (executor != NULL) {
        copied = report_copy_names(executor, sample->callback, out_callback);
    }
    (void)pthread_mutex_unlock(&runtime->lock);
    if (!copied) {
        uint32_t row = trp_callback_index(sample->callback);
        (void)snprintf(out_callback->actor, sizeof(out_callback->actor), "in row %u", row);
        out_callback->behaviour[0] = '\0';
    }
}

void trp_report_time(uint64_t ns, char text[static TRP_REPORT_TIME_BYTES])
{
    uint64_t ms = ns / 1000000;
    if (ms < 1000) {
        (void)snprintf(text, TRP_REPORT_TIME_BYTES, "%" PRIu64 " ms", ms);
    } else {
        (void)snprintf(
            text, TRP_REPORT_TIME_BYTES, "%" PRIu64 ".%" PRIu64 " s", ms / 1000, ms % 1000 / 100);
    }
}

/* Printing. ------------------------------------------------------------------------------------- */

static void report_print_callback(
    struct trp_runtime *runtime, FILE *file, const struct report_line *line)
{
    if (line->sample.callback == 0) {
        (void)fprintf(file, "; in no callback");
        return;
    }
    struct trp_report_callback callback;
    char time[TRP_REPORT_TIME_BYTES];
    trp_report_name(runtime, line->id, &line->sample, &callback);
    trp_report_time(line->sample.for_ns, time);
    bool is_named = callback.behaviour[0] != '\0';
    (void)fprintf(
        file,
        is_named ? "; actor '%s' (behaviour '%s')" : "; the actor %s%s",
        callback.actor,
        callback.behaviour);
    (void)fprintf(file, " has been in a callback (%s) for at least %s", callback.type, time);
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
    struct trp_runtime *runtime,
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
        report_print_callback(runtime, file, line);
    }
    report_print_peers(report, file, line);
    (void)fprintf(file, "\n");
}

void trp_report_print_active(struct trp_runtime *runtime, bool is_stopping, FILE *file)
{
    // Sampled twice: the second sample knows which callbacks ran before.
    const struct timespec pause = {.tv_nsec = BETWEEN_SAMPLES_NS};
    trp_activity_sample_all(runtime->shared, trp_clock_monotonic(NULL));
    (void)nanosleep(&pause, NULL);
    struct report report;
    if (!report_take(runtime, &report)) {
        (void)fprintf(file, "troupe: no memory to print what is active\n");
        return;
    }
    uint64_t actors = 0;
    for (uint32_t i = 0; i < report.count; i++) {
        actors += report.lines[i].actors;
    }
    (void)fprintf(
        file,
        "troupe: %s: actors %" PRIu64 ", executors and inboxes %u\n",
        is_stopping ? "active and stopping" : "active",
        actors,
        report.count);
    for (uint32_t i = 0; i < report.count; i++) {
        report_print_line(runtime, &report, file, &report.lines[i]);
    }
    free(report.lines);
}

/* A shutdown that takes too long. --------------------------------------------------------------- */

/** Have an executor print its stack. */
static enum trp_crash_trace report_trace(
    struct trp_runtime *runtime, const struct report_line *line, uint64_t timeout_ns)
{
    trp_shared_lock(runtime->shared);
    const struct trp_slot *slot = trp_shared_find_slot(runtime->shared, line->id);
    trp_shared_unlock(runtime->shared); // a slot keeps its place, whichever executor has it
    return slot == NULL ? TRP_TRACE_IMPOSSIBLE : trp_crash_trace(slot, timeout_ns);
}

/** Have the executors that are in a callback print their stacks, one after the other. */
static void report_print_traces(
    struct trp_runtime *runtime,
    const struct report *report,
    const struct trp_report_shutdown *shutdown)
{
    uint64_t until_ns = trp_clock_monotonic(NULL) + shutdown->trace_timeout_ns;
    uint32_t printed = 0;
    uint32_t unprinted = 0;
    for (uint32_t i = 0; i < report->count; i++) {
        const struct report_line *line = &report->lines[i];
        if (line->sample.callback == 0 || line->is_inbox || line->id == shutdown->executor_id) {
            continue;
        }
        uint64_t now_ns = trp_clock_monotonic(NULL);
        uint64_t left_ns = now_ns < until_ns && printed < TRACES ? until_ns - now_ns : 0;
        left_ns = left_ns < TRACE_NS ? left_ns : TRACE_NS;
        enum trp_crash_trace trace =
            left_ns > 0 ? report_trace(runtime, line, left_ns) : TRP_TRACE_IMPOSSIBLE;
        printed += trace == TRP_TRACE_PRINTED ? 1 : 0;
        unprinted += trace == TRP_TRACE_IMPOSSIBLE ? 1 : 0;
        if (trace == TRP_TRACE_SILENT) {
            (void)fprintf(stderr, "troupe: executor %u did not print its stack\n", line->id);
        }
    }
    if (unprinted != 0) {
        (void)fprintf(
            stderr,
            "troupe: %u more stacks were not printed: only programs of troupe_main() and child "
            "processes can print them, and %d are printed at most\n",
            unprinted,
            TRACES);
    }
}

void trp_report_print_shutdown(
    struct trp_runtime *runtime, const struct trp_report_shutdown *shutdown)
{
    struct report report;
    if (!report_take(runtime, &report)) {
        return; // the detail of the error names the executors
    }
    char passed[TRP_REPORT_TIME_BYTES];
    char time[TRP_REPORT_TIME_BYTES];
    trp_report_time(shutdown->passed_ns, passed);
    trp_report_time(shutdown->stop_timeout_ns, time);
    (void)fprintf(stderr, "troupe: not stopped within %s of %s; still running:\n", passed, time);
    for (uint32_t i = 0; i < report.count; i++) {
        // The executor that shuts down waits for the others, and is listed only if there are none.
        if (report.count == 1 || report.lines[i].id != shutdown->executor_id) {
            report_print_line(runtime, &report, stderr, &report.lines[i]);
        }
    }
    report_print_traces(runtime, &report, shutdown);
    free(report.lines);
}

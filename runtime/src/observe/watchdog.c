#include "observe/watchdog.h"

#include "base/clock.h"
#include "observe/report.h"
#include "shared/activity.h"
#include "shared/process.h"
#include "shared/shared.h"
#include "shared/shared_table.h"
#include "shared/slot.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum {
    CHECKS = 4, // in the time that a callback may take
    PERIOD_MS_MIN = 1,
    PERIOD_MS_MAX = 250,
    MS_NS = 1000000,
    OVERDUE_MAX = 16, // reported at one check; the others are reported at the next
};

/** An executor in a callback that has run too long. */
struct watchdog_overdue {
    uint32_t id;
    char executor[TRP_SLOT_NAME_BYTES];
    struct trp_callback_sample sample;
};

int trp_watchdog_period_ms(struct trp_runtime *runtime)
{
    uint64_t timeout_ns = runtime->shared->callback_timeout_ns;
    if (timeout_ns == 0) {
        return -1;
    }
    uint64_t period_ms = timeout_ns / CHECKS / MS_NS;
    if (period_ms > PERIOD_MS_MAX) {
        return PERIOD_MS_MAX;
    }
    return period_ms < PERIOD_MS_MIN ? PERIOD_MS_MIN : (int)period_ms;
}

/** Sample an executor. @return whether its callback is to be reported. @threads holding shared memory's lock */
static bool watchdog_sample(
    struct trp_slot *slot,
    uint64_t timeout_ns,
    uint64_t now_ns,
    struct watchdog_overdue *out_overdue)
{
    struct trp_callback_sample sample = trp_activity_sample(slot, now_ns);
    if (sample.callback == 0 || sample.for_ns <= timeout_ns ||
        slot->named_callback == sample.callback) {
        return false;
    }
    slot->named_callback = sample.callback;
    *out_overdue = (struct watchdog_overdue){.id = slot->id, .sample = sample};
    (void)snprintf(out_overdue->executor, sizeof(out_overdue->executor), "%s", slot->name);
    return true;
}

/** Sample the executors of this process. @return how many callbacks are to be reported. */
static uint32_t watchdog_find(
    struct trp_runtime *runtime,
    uint64_t now_ns,
    bool was_paused,
    struct watchdog_overdue overdue[static OVERDUE_MAX])
{
    struct trp_shared *shared = runtime->shared;
    uint32_t count = 0;
    trp_shared_lock(shared);
    uint32_t high = trp_shared_slot_count(shared);
    for (uint32_t i = 0; i < high && count < OVERDUE_MAX; i++) {
        struct trp_slot *slot = &shared->slots[i];
        if (slot->node != runtime->node || !trp_slot_is_there(slot)) {
            continue;
        }
        if (was_paused) {
            trp_activity_forget(slot, now_ns);
        }
        count +=
            watchdog_sample(slot, shared->callback_timeout_ns, now_ns, &overdue[count]) ? 1 : 0;
    }
    trp_shared_unlock(shared);
    return count;
}

/** Note why this process is killed, and kill it. */
static void watchdog_kill(struct trp_runtime *runtime, const char *type)
{
    struct trp_shared *shared = runtime->shared;
    char limit[TRP_REPORT_TIME_BYTES];
    trp_report_time(shared->callback_timeout_ns, limit);
    trp_shared_lock(shared);
    struct trp_process *process = trp_process_find(shared, runtime->node);
    if (process != NULL) {
        (void)snprintf(
            process->exit_note,
            sizeof(process->exit_note),
            "its callback ran longer than %.16s (%.31s)",
            limit,
            type);
    }
    trp_shared_unlock(shared);
    (void)fflush(stderr);
    (void)kill(getpid(), SIGKILL);
}

/** Report a callback, and kill this process if it is a child and that is set. */
static void watchdog_report(struct trp_runtime *runtime, const struct watchdog_overdue *overdue)
{
    struct trp_report_callback callback;
    char time[TRP_REPORT_TIME_BYTES];
    trp_report_name(runtime, overdue->id, &overdue->sample, &callback);
    if (callback.behaviour[0] == '\0') {
        return; // it has returned just now
    }
    trp_report_time(overdue->sample.for_ns, time);
    bool kills = runtime->shared->callback_timeout_kills && runtime->node != TRP_NODE_FIRST;
    (void)fprintf(
        stderr,
        "troupe: actor '%s' (behaviour '%s') on executor %u '%s' has been in a callback (%s) for "
        "at least %s%s\n",
        callback.actor,
        callback.behaviour,
        overdue->id,
        overdue->executor,
        callback.type,
        time,
        kills ? "; its process is killed" : "");
    if (kills) {
        watchdog_kill(runtime, callback.type);
    }
}

void trp_watchdog_check(struct trp_watchdog *watchdog, struct trp_runtime *runtime)
{
    if (runtime->shared->callback_timeout_ns == 0) {
        return;
    }
    uint64_t now_ns = trp_clock_monotonic(NULL);
    uint64_t period_ns = (uint64_t)trp_watchdog_period_ms(runtime) * MS_NS;
    uint64_t passed_ns = now_ns - watchdog->checked_ns;
    if (passed_ns < period_ns) {
        return;
    }
    // If this process was stopped meanwhile, its callbacks were, too: how long they ran is not known.
    bool was_paused = passed_ns > 2 * period_ns;
    watchdog->checked_ns = now_ns;
    struct watchdog_overdue overdue[OVERDUE_MAX];
    uint32_t count = watchdog_find(runtime, now_ns, was_paused, overdue);
    for (uint32_t i = 0; i < count; i++) {
        watchdog_report(runtime, &overdue[i]);
    }
}

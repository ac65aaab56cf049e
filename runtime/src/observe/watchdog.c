#include "observe/watchdog.h"

#include "base/clock.h"
#include "node/system.h"
#include "observe/report.h"
#include "shared/activity.h"
#include "shared/shared.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum {
    LOOKS = 4, // in the time a callback may take
    PERIOD_MS_MIN = 1,
    PERIOD_MS_MAX = 250,
    MS_NS = 1000000,
    ACCUSED_MAX = 16, // at one look; the others are named at the next
};

/** An executor in a callback that has run too long. */
struct watchdog_accused {
    uint32_t id;
    char executor[TRP_SLOT_NAME_BYTES];
    struct trp_callback_sample sample;
};

int trp_watchdog_period_ms(const troupe_system_t *system)
{
    if (system->callback_timeout_ns == 0) {
        return -1;
    }
    uint64_t period_ms = system->callback_timeout_ns / LOOKS / MS_NS;
    if (period_ms > PERIOD_MS_MAX) {
        return PERIOD_MS_MAX;
    }
    return period_ms < PERIOD_MS_MIN ? PERIOD_MS_MIN : (int)period_ms;
}

/** Look at the executors of this process. @return how many are to be named. */
static uint32_t watchdog_find(
    const troupe_system_t *system,
    uint64_t now_ns,
    bool was_away,
    struct watchdog_accused accused[static ACCUSED_MAX])
{
    struct trp_shared *shared = system->runtime.shared;
    uint32_t count = 0;
    trp_shared_lock(shared);
    uint32_t high = atomic_load_explicit(&shared->slot_high, memory_order_acquire);
    for (uint32_t i = 0; i < high && count < ACCUSED_MAX; i++) {
        struct trp_slot *slot = &shared->slots[i];
        if (slot->node != system->runtime.node || !trp_slot_is_there(slot)) {
            continue;
        }
        if (was_away) {
            trp_activity_forget(slot, now_ns);
        }
        struct trp_callback_sample sample = trp_activity_sample(slot, now_ns);
        if (sample.callback != 0 && sample.for_ns > system->callback_timeout_ns &&
            slot->named_callback != sample.callback) {
            slot->named_callback = sample.callback;
            accused[count] = (struct watchdog_accused){.id = slot->id, .sample = sample};
            (void)snprintf(accused[count].executor, sizeof(accused->executor), "%s", slot->name);
            count++;
        }
    }
    trp_shared_unlock(shared);
    return count;
}

/** Leave word why this process is killed, and do so. */
static void watchdog_kill(const troupe_system_t *system, const char *type)
{
    struct trp_shared *shared = system->runtime.shared;
    char limit[32];
    trp_report_time(system->callback_timeout_ns, limit, sizeof(limit));
    trp_shared_lock(shared);
    struct trp_process *node = trp_shared_find_process(shared, system->runtime.node);
    if (node != NULL) {
        (void)snprintf(
            node->exit_note,
            sizeof(node->exit_note),
            "its callback ran longer than %.16s (%.31s)",
            limit,
            type);
    }
    trp_shared_unlock(shared);
    (void)fflush(stderr);
    (void)kill(getpid(), SIGKILL);
}

static void watchdog_name(troupe_system_t *system, const struct watchdog_accused *accused)
{
    struct trp_report_callback callback;
    char time[32];
    trp_report_name(system, accused->id, &accused->sample, &callback);
    if (callback.behaviour[0] == '\0') {
        return; // it came back just now
    }
    trp_report_time(accused->sample.for_ns, time, sizeof(time));
    bool kills = system->runtime.shared->callback_timeout_kills && !trp_system_is_first(system);
    (void)fprintf(
        stderr,
        "troupe: actor '%s' (behaviour '%s') on executor %u '%s' has been at %s for at least "
        "%s%s\n",
        callback.actor,
        callback.behaviour,
        accused->id,
        accused->executor,
        callback.type,
        time,
        kills ? "; its process is killed" : "");
    if (kills) {
        watchdog_kill(system, callback.type);
    }
}

void trp_watchdog_check(troupe_system_t *system, struct trp_watchdog *watchdog)
{
    if (system->callback_timeout_ns == 0) {
        return;
    }
    uint64_t now_ns = trp_clock_monotonic(NULL);
    uint64_t period_ns = (uint64_t)trp_watchdog_period_ms(system) * MS_NS;
    uint64_t passed_ns = now_ns - watchdog->checked_ns;
    if (passed_ns < period_ns) {
        return;
    }
    // Who was not there to look cannot say how long others have run: they may have been stopped with it.
    bool was_away = passed_ns > 2 * period_ns;
    watchdog->checked_ns = now_ns;
    struct watchdog_accused accused[ACCUSED_MAX];
    uint32_t count = watchdog_find(system, now_ns, was_away, accused);
    for (uint32_t i = 0; i < count; i++) {
        watchdog_name(system, &accused[i]);
    }
}

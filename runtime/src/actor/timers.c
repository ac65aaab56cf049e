#include "actor/timers.h"

#include "node/system.h"

#include <stdlib.h>

enum { ALARMS_AGAIN_NS = 1000000 }; // when a message that could not be sent is tried again

/** An ask was not answered in time. */
static void alarm_meet_timeout(
    struct troupe_executor *executor, struct trp_actor *actor, const struct trp_alarm *alarm)
{
    struct trp_ask ask;
    if (!trp_asks_take(&executor->asks, alarm->ask, &ask)) {
        return;
    }
    if (ask.awaits_name) {
        trp_names_forget(
            executor->system->board,
            trp_actor_ref(executor, alarm->actor_index, alarm->actor_generation),
            alarm->ask);
    }
    if (actor == NULL) {
        return;
    }
    trp_actor_fail_ask(executor, actor, alarm->actor_index, &ask, TROUPE_ERR_TIMEDOUT);
}

/** Send the message of a timer. @return false: no memory, or no descriptor. */
static bool alarm_send(struct troupe_executor *executor, const struct trp_alarm *alarm)
{
    struct trp_letter letter = {
        .to = alarm->to,
        .from_index = alarm->actor_index,
        .from_generation = alarm->actor_generation,
        .type = alarm->type,
        .kind = TRP_KIND_USER,
        .flags = TRP_FLAG_UNMETERED,
        .body = alarm->body,
        .body_bytes = alarm->body_bytes,
    };
    trp_letter_expire(executor, alarm->ttl_ns, &letter);
    return trp_post_letter(executor, &letter) == TROUPE_OK;
}

/** When a periodic alarm is due next: what was missed is skipped. */
static uint64_t alarm_next_due(uint64_t due_ns, uint64_t period_ns, uint64_t now_ns)
{
    uint64_t next_ns = due_ns + period_ns;
    return next_ns > now_ns ? next_ns : now_ns + period_ns - (now_ns - due_ns) % period_ns;
}

bool trp_alarms_run(struct troupe_executor *executor, uint64_t now_ns)
{
    bool worked = false;
    while (trp_timers_due(&executor->timers) <= now_ns) {
        uint64_t due_ns = trp_timers_due(&executor->timers);
        uint64_t timer = 0;
        struct trp_alarm *alarm = trp_timers_pop(&executor->timers, &timer);
        if (alarm == NULL) {
            break;
        }
        struct trp_actor *actor =
            trp_world_find(&executor->world, alarm->actor_index, alarm->actor_generation);
        if (actor != NULL && !trp_actor_is_up(actor)) {
            actor = NULL;
        }
        bool again = alarm->period_ns != 0 && actor != NULL;
        if (again) {
            uint64_t next_ns = alarm_next_due(due_ns, alarm->period_ns, now_ns);
            trp_timers_again(&executor->timers, timer, next_ns, alarm);
        }
        if (alarm->ask != 0) {
            alarm_meet_timeout(executor, actor, alarm);
        } else if (
            (actor != NULL || alarm->actor_generation == 0) && !alarm_send(executor, alarm) &&
            !again) { // a beat is skipped, but this is due
            trp_timers_again(&executor->timers, timer, now_ns + ALARMS_AGAIN_NS, alarm);
            again = true;
        }
        if (!again) {
            free(alarm);
        }
        worked = true;
    }
    return worked;
}

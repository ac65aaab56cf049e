#include "actor/timers.h"

#include "actor/actor_table.h"
#include "actor/asks.h"
#include "actor/executor.h"
#include "actor/receive.h"
#include "actor/send.h"
#include "base/timer_heap.h"
#include "shared/shared.h"

#include <stdlib.h>

enum { ALARMS_AGAIN_NS = 1000000 }; // when a message that could not be sent is tried again

/** An ask was not answered in time. */
static void actor_timer_handle_timeout(
    struct troupe_executor *executor, struct trp_actor *actor, const struct trp_actor_timer *timer)
{
    struct trp_ask ask;
    if (!trp_asks_take(&executor->asks, timer->ask, &ask)) {
        return;
    }
    if (ask.awaits_name) {
        trp_names_forget(
            executor->runtime->shared,
            trp_actor_ref(executor, timer->actor_index, timer->actor_generation),
            timer->ask);
    }
    if (actor == NULL) {
        return;
    }
    trp_actor_fail_ask(executor, actor, timer->actor_index, &ask, TROUPE_ERR_TIMEDOUT);
}

/** Send the message of a timer. @return false: no memory, or no descriptor. */
static bool actor_timer_send(struct troupe_executor *executor, const struct trp_actor_timer *timer)
{
    struct trp_outgoing outgoing = {
        .to = timer->to,
        .from_index = timer->actor_index,
        .from_generation = timer->actor_generation,
        .type = timer->type,
        .kind = TRP_KIND_USER,
        .flags = TRP_FLAG_UNMETERED,
        .body = timer->body,
        .body_bytes = timer->body_bytes,
    };
    trp_outgoing_set_ttl(executor, timer->ttl_ns, &outgoing);
    return trp_send_message(executor, &outgoing) == TROUPE_OK;
}

/** When a periodic alarm is due next: what was missed is skipped. */
static uint64_t actor_timer_next_due(uint64_t due_ns, uint64_t period_ns, uint64_t now_ns)
{
    uint64_t next_ns = due_ns + period_ns;
    return next_ns > now_ns ? next_ns : now_ns + period_ns - (now_ns - due_ns) % period_ns;
}

bool trp_actor_timers_run(struct troupe_executor *executor, uint64_t now_ns)
{
    bool worked = false;
    while (trp_timer_heap_due(&executor->timers) <= now_ns) {
        uint64_t due_ns = trp_timer_heap_due(&executor->timers);
        uint64_t id = 0;
        struct trp_actor_timer *timer = trp_timer_heap_pop(&executor->timers, &id);
        if (timer == NULL) {
            break;
        }
        struct trp_actor *actor =
            trp_actor_table_find(&executor->actors, timer->actor_index, timer->actor_generation);
        if (actor != NULL && !trp_actor_is_up(actor)) {
            actor = NULL;
        }
        bool again = timer->period_ns != 0 && actor != NULL;
        if (again) {
            uint64_t next_ns = actor_timer_next_due(due_ns, timer->period_ns, now_ns);
            trp_timer_heap_restart(&executor->timers, id, next_ns, timer);
        }
        if (timer->ask != 0) {
            actor_timer_handle_timeout(executor, actor, timer);
        } else if (
            (actor != NULL || timer->actor_generation == 0) && !actor_timer_send(executor, timer) &&
            !again) { // a beat is skipped, but this is due
            trp_timer_heap_restart(&executor->timers, id, now_ns + ALARMS_AGAIN_NS, timer);
            again = true;
        }
        if (!again) {
            free(timer);
        }
        worked = true;
    }
    return worked;
}

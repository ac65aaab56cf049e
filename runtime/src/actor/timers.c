#include "actor/timers.h"

#include "actor/actor_table.h"
#include "actor/asks.h"
#include "actor/executor.h"
#include "actor/receive.h"
#include "actor/send.h"
#include "actor/timer_list.h"
#include "base/saturate.h"
#include "base/timer_heap.h"

#include <inttypes.h>
#include <stdlib.h>

enum { TIMERS_RETRY_NS = 1000000 }; // until a message that could not be sent is tried again

/** An ask had no reply in time. @p actor NULL: it has ended. */
static void timers_handle_timeout(
    struct troupe_executor *executor, struct trp_actor *actor, const struct trp_actor_timer *timer)
{
    struct trp_ask ask;
    if (!trp_actor_timer_take_ask(executor, timer, &ask) || actor == NULL) {
        return;
    }
    trp_error_set_detail(
        ask.awaits_name ? "the name that the ask with tag %" PRIu64
                          " awaits was not registered in time"
                        : "the ask with tag %" PRIu64 " had no reply in time",
        ask.tag);
    trp_actor_fail_ask(executor, actor, timer->actor_index, &ask, TROUPE_ERR_TIMEDOUT);
}

/** Send the message of a timer. @return false: no memory, or no descriptor. */
static bool timers_send(struct troupe_executor *executor, const struct trp_actor_timer *timer)
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

/** @return when a periodic timer is due next: later than now, so that periods that were missed are skipped. */
static uint64_t timers_next_due(uint64_t due_ns, uint64_t period_ns, uint64_t now_ns)
{
    uint64_t next_ns = trp_add_saturated(due_ns, period_ns);
    return next_ns > now_ns ? next_ns : now_ns + period_ns - (now_ns - due_ns) % period_ns;
}

/** Run a timer that was due at @p due_ns. @return when it is due again; UINT64_MAX: it is over. */
static uint64_t timers_run(
    struct troupe_executor *executor,
    const struct trp_actor_timer *timer,
    uint64_t due_ns,
    uint64_t now_ns)
{
    struct trp_actor *actor =
        trp_actor_table_find(&executor->actors, timer->actor_index, timer->actor_generation);
    if (actor != NULL && !trp_actor_is_up(actor)) {
        actor = NULL;
    }
    if (timer->ask != 0) {
        timers_handle_timeout(executor, actor, timer);
        return UINT64_MAX;
    }
    if (actor == NULL && timer->actor_generation != 0) {
        return UINT64_MAX; // it ends with its actor
    }
    bool sent = timers_send(executor, timer); // runs no callback, so the heap stays as it is
    if (timer->period_ns != 0) {
        return timers_next_due(due_ns, timer->period_ns, now_ns);
    }
    return sent ? UINT64_MAX : now_ns + TIMERS_RETRY_NS;
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
        trp_actor_timer_unlink(executor, timer); // its actor may end meanwhile
        uint64_t next_ns = timers_run(executor, timer, due_ns, now_ns);
        if (next_ns != UINT64_MAX) {
            trp_timer_heap_restart(&executor->timers, id, next_ns, timer);
            trp_actor_timer_link(executor, timer);
        } else {
            free(timer);
        }
        worked = true;
    }
    return worked;
}

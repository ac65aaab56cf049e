#include "actor/timer_list.h"

#include "actor/asks.h"
#include "actor/executor.h"
#include "base/check.h"
#include "base/timer_heap.h"
#include "shared/names.h"

#include <stdlib.h>
#include <string.h>

enum { TIMER_LISTS_MORE = 16 };

/** Make sure that there is a list for the timers of an actor. @return false: no memory. */
static bool timer_list_make(struct troupe_executor *executor, uint32_t index)
{
    if (index >= executor->timer_list_count) {
        uint32_t count = executor->timer_list_count * 2;
        count = count > index ? count : index + TIMER_LISTS_MORE;
        struct trp_actor_timer **lists = realloc(executor->timer_lists, count * sizeof(*lists));
        if (lists == NULL) {
            return false;
        }
        memset(
            lists + executor->timer_list_count,
            0,
            (count - executor->timer_list_count) * sizeof(*lists));
        executor->timer_lists = lists;
        executor->timer_list_count = count;
    }
    return true;
}

void trp_actor_timer_link(const struct troupe_executor *executor, struct trp_actor_timer *timer)
{
    timer->previous = NULL;
    timer->next = NULL;
    if (timer->actor_generation == 0) {
        return;
    }
    struct trp_actor_timer **list = &executor->timer_lists[timer->actor_index];
    timer->next = *list;
    if (*list != NULL) {
        (*list)->previous = timer;
    }
    *list = timer;
}

uint64_t trp_actor_timer_start(
    struct troupe_executor *executor, struct trp_actor_timer *timer, uint64_t due_ns)
{
    if (timer->actor_generation != 0 && !timer_list_make(executor, timer->actor_index)) {
        return 0;
    }
    timer->id = trp_timer_heap_add(&executor->timers, due_ns, timer);
    if (timer->id != 0) {
        trp_actor_timer_link(executor, timer);
    }
    return timer->id;
}

void trp_actor_timer_unlink(
    const struct troupe_executor *executor, const struct trp_actor_timer *timer)
{
    if (timer->previous != NULL) {
        timer->previous->next = timer->next;
    } else if (timer->actor_generation != 0) {
        executor->timer_lists[timer->actor_index] = timer->next;
    }
    if (timer->next != NULL) {
        timer->next->previous = timer->previous;
    }
}

bool trp_actor_timer_cancel(struct troupe_executor *executor, uint64_t id)
{
    struct trp_actor_timer *timer = trp_timer_heap_cancel(&executor->timers, id);
    if (timer != NULL) {
        trp_actor_timer_unlink(executor, timer);
        free(timer);
    }
    return timer != NULL;
}

bool trp_actor_timer_take_ask(
    struct troupe_executor *executor, const struct trp_actor_timer *timer, struct trp_ask *out_ask)
{
    if (!trp_asks_take(&executor->asks, timer->ask, out_ask)) {
        return false;
    }
    trp_names_forget(
        executor->runtime->shared,
        out_ask->name_wait,
        trp_actor_ref(executor, timer->actor_index, timer->actor_generation),
        timer->ask);
    return true;
}

void trp_actor_timers_drop(struct troupe_executor *executor, uint32_t index)
{
    while (index < executor->timer_list_count && executor->timer_lists[index] != NULL) {
        const struct trp_actor_timer *timer = executor->timer_lists[index];
        struct trp_ask ask;
        if (timer->ask != 0) {
            (void)trp_actor_timer_take_ask(executor, timer, &ask);
        }
        bool cancelled = trp_actor_timer_cancel(executor, timer->id);
        TRP_CHECK(cancelled);
    }
}

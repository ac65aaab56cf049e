/*
 * The end of an actor: `fini`, then its name, subscriptions and row are freed, its monitors are notified, and what
 * waited for it becomes dead letters.
 */
#include "actor/end.h"

#include "actor/actor_table.h"
#include "actor/callback.h"
#include "actor/dead_letter.h"
#include "actor/executor.h"
#include "actor/monitor_notify.h"
#include "actor/send.h"
#include "actor/stash.h"
#include "actor/timer_list.h"
#include "base/counter.h"
#include "shared/activity.h"
#include "shared/ledger.h"
#include "shared/names.h"
#include "wire/format.h"
#include "wire/frame_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void trp_executor_end_if_done(struct troupe_executor *executor)
{
    bool had_actors = trp_counted(&executor->counters->actors_started) +
                          trp_counted(&executor->counters->actors_failed) >
                      0;
    if (executor->dedicated && had_actors && executor->actors.live_count == 0 &&
        executor->runtime->ops->may_end(executor->runtime, executor)) {
        executor->channels.ending = true;
    }
}

/** Have the backend free what it keeps for an actor. */
static void end_notify_backend(struct troupe_executor *executor, uint32_t index)
{
    if (executor->ops != NULL && executor->ops->actor_ended != NULL) {
        executor->ops->actor_ended(executor->backend_self, executor, index);
    }
}

void trp_actor_free(
    struct troupe_executor *executor,
    struct trp_actor *actor,
    uint32_t index,
    const struct troupe_exit *exit)
{
    troupe_ref_t ref = trp_actor_ref(executor, index, actor->generation);
    if ((actor->flags & TRP_ACTOR_NAMED) != 0) {
        trp_names_remove_actor(executor->runtime->shared, ref);
    }
    if ((actor->flags & TRP_ACTOR_SUBSCRIBED) != 0) {
        trp_subscribers_remove(executor->runtime->shared, ref);
    }
    if ((actor->flags & TRP_ACTOR_SIGNALS) != 0) {
        executor->runtime->ops->forget_signals(executor->runtime, ref);
    }
    trp_actor_timers_drop(executor, index);
    trp_monitor_notify(executor, actor, index, exit);
    end_notify_backend(executor, index);
    trp_actor_table_remove(&executor->actors, actor, index);
    trp_actor_table_note_exit(actor, exit);
}

/** Make dead letters of what was deferred for an actor that has ended. */
static void end_drop_stash(struct troupe_executor *executor, struct trp_stash_entry *stash)
{
    while (stash != NULL) {
        struct trp_stash_entry *next = stash->next;
        trp_stash_release(executor, stash);
        trp_dead_letter_item(
            executor,
            executor->channels.loop,
            &stash->item,
            stash->item.count,
            TROUPE_DEAD_STOPPED);
        free(stash);
        stash = next;
    }
}

void trp_actor_end(
    struct troupe_executor *executor,
    struct trp_actor *actor,
    uint32_t index,
    const struct troupe_exit *exit)
{
    troupe_ref_t ref = trp_actor_ref(executor, index, actor->generation);
    actor->life = TRP_LIFE_STOPPING;
    if (actor->behaviour->fini != NULL && exit->reason != TROUPE_EXIT_KILLED) {
        trp_callback_enter(
            executor, actor, trp_actor_key(index, actor->generation), TRP_CALLBACK_FINI);
        actor->behaviour->fini(&executor->context, actor->state, exit);
        trp_callback_exit(executor);
    }
    struct trp_stash_entry *stash = actor->stash;
    actor->stash = NULL;
    trp_actor_free(executor, actor, index, exit);
    trp_count(&executor->counters->actors_ended, 1);
    end_drop_stash(executor, stash);
    executor->runtime->ops->actor_ended(executor->runtime, ref, exit);
    if (executor->dedicated) {
        trp_executor_note_exit(executor, exit);
    }
    trp_executor_end_if_done(executor);
}

void trp_actor_handle_stop(struct troupe_executor *executor, const struct trp_item *item)
{
    uint32_t index = item->envelope->to_index;
    uint32_t generation = item->envelope->to_generation;
    struct trp_actor *actor = trp_actor_table_find(&executor->actors, index, generation);
    if (actor != NULL && trp_actor_is_up(actor)) {
        bool killed = item->envelope->type == TROUPE_EXIT_KILLED;
        const struct troupe_exit exit = {
            .reason = killed ? TROUPE_EXIT_KILLED : TROUPE_EXIT_SHUTDOWN,
        };
        trp_actor_end(executor, actor, index, &exit);
    } else if (trp_actor_table_is_starting(&executor->actors, index, generation)) {
        (void)trp_stash_add(executor, executor->channels.loop, item);
    }
}

void trp_actor_handle_check_alive(struct troupe_executor *executor, const struct trp_item *item)
{
    uint32_t index = item->envelope->to_index;
    uint32_t generation = item->envelope->to_generation;
    if (trp_actor_table_find(&executor->actors, index, generation) != NULL ||
        trp_actor_table_is_reserved(&executor->actors, index, generation)) {
        return; // its exit will be reported when it ends
    }
    bool failed = trp_actor_table_had(&executor->actors, index, generation) &&
                  trp_actor_table_failed(&executor->actors, index, generation);
    const struct troupe_exit exit = {
        .reason = failed ? TROUPE_EXIT_INIT_FAILED : TROUPE_EXIT_NORMAL,
        .text = "ended before it became the root actor",
    };
    executor->runtime->ops->actor_ended(
        executor->runtime, trp_actor_ref(executor, index, generation), &exit);
}

void trp_actor_run_stops(struct troupe_executor *executor)
{
    trp_forked_end_copy(executor);
    // A fini may append to the list.
    for (uint32_t i = 0; i < executor->stop_count; i++) {
        const struct trp_envelope envelope = {
            .to_index = executor->stops[i].index,
            .to_generation = executor->stops[i].generation,
            .type = executor->stops[i].reason,
        };
        const struct trp_item item = {
            .envelope = &envelope,
            .count = 1,
            .kind = TRP_KIND_STOP,
        };
        trp_actor_handle_stop(executor, &item);
    }
    executor->stop_count = 0;
}

bool trp_actor_settle(struct troupe_executor *executor, struct trp_actor *actor, uint64_t actor_key)
{
    bool runs = trp_actor_runs(actor);
    if (!runs && actor->life != TRP_LIFE_WAITING) {
        struct troupe_exit exit = executor->context.exit;
        trp_actor_end(executor, actor, (uint32_t)actor_key, &exit);
    }
    if (executor->stop_count > 0) {
        trp_actor_run_stops(executor);
        runs = runs && actor->generation == actor_key >> 32 && trp_actor_runs(actor);
    }
    return runs;
}

/*
 * The start of an actor: its START claims the row that was reserved for it, `init` runs, and what came before it
 * is delivered.
 *
 *     START --> state --> init --> messages that came before --> running
 *                 \          \
 *                  +----------+-- failed: its messages are dead letters, its monitors are notified
 */
#include "actor/start.h"

#include "actor/actor_table.h"
#include "actor/callback.h"
#include "actor/dead_letter.h"
#include "actor/end.h"
#include "actor/executor.h"
#include "actor/monitor.h"
#include "actor/receive.h"
#include "actor/send.h"
#include "actor/stash.h"
#include "base/counter.h"
#include "base/memory.h"
#include "shared/activity.h"
#include "shared/reservations.h"
#include "wire/format.h"
#include "wire/frame_read.h"
#include "wire/frame_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** Deliver what came before the actor; or make dead letters of it, if @p refusal says why the actor did not start. */
static void start_deliver_stash(
    struct troupe_executor *executor,
    struct trp_stash_entry *stash,
    const struct troupe_exit *refusal)
{
    while (stash != NULL) {
        struct trp_stash_entry *next = stash->next;
        trp_stash_release(executor, stash);
        if (stash->item.kind == TRP_KIND_MONITOR && refusal != NULL) {
            trp_monitor_refuse(executor, &stash->item, refusal);
        } else if (stash->item.kind == TRP_KIND_MONITOR) {
            trp_actor_handle_monitor(executor, &stash->item);
        } else if (refusal != NULL) {
            trp_dead_letter_item(
                executor,
                executor->channels.loop,
                &stash->item,
                stash->item.count,
                TROUPE_DEAD_UNDELIVERABLE);
        } else if (stash->item.kind == TRP_KIND_STOP) {
            trp_actor_handle_stop(executor, &stash->item);
        } else {
            trp_actor_deliver(executor, executor->channels.loop, &stash->item);
        }
        free(stash);
        stash = next;
    }
}

/** Give a starting actor its name and its state. @return false: no memory. */
static bool start_equip(
    struct troupe_executor *executor,
    struct trp_actor *actor,
    const struct trp_start *start,
    const char *name,
    uint32_t behaviour_index)
{
    actor->behaviour = executor->runtime->behaviours[behaviour_index];
    if (start->name_bytes != 0) {
        actor->name = calloc(1, (size_t)start->name_bytes + 1);
        if (actor->name == NULL) {
            return false;
        }
        memcpy(actor->name, name, start->name_bytes);
    }
    return trp_actor_table_add_state(
        &executor->actors, actor, (uint16_t)behaviour_index, actor->behaviour->state_bytes);
}

/** An actor could not start: report why, free its row, and make dead letters of its messages. */
static void start_fail(
    struct troupe_executor *executor,
    struct trp_actor *actor,
    uint32_t index,
    const struct troupe_exit *exit)
{
    troupe_ref_t ref = trp_actor_ref(executor, index, actor->generation);
    struct trp_stash_entry *stash = actor->stash;
    actor->stash = NULL;
    trp_count(&executor->counters->actors_failed, 1);
    trp_actor_free(executor, actor, index, exit);
    actor->flags |= TRP_ACTOR_FAILED;
    start_deliver_stash(executor, stash, exit);
    executor->runtime->ops->actor_ended(executor->runtime, ref, exit);
    if (executor->dedicated) {
        trp_executor_note_exit(executor, exit);
        trp_executor_note_failed(executor);
        trp_executor_end_if_done(executor);
    }
}

static enum troupe_err start_call_init(
    struct troupe_executor *executor,
    struct trp_actor *actor,
    uint32_t index,
    const void *args,
    size_t args_bytes)
{
    if (actor->behaviour->init == NULL) {
        return TROUPE_OK;
    }
    trp_callback_enter(executor, actor, trp_actor_key(index, actor->generation), TRP_CALLBACK_INIT);
    executor->context.exit = (struct troupe_exit){.reason = TROUPE_EXIT_NORMAL};
    enum troupe_err err =
        actor->behaviour->init(&executor->context, actor->state, args, args_bytes);
    trp_callback_exit(executor);
    return err;
}

/** @return whether a START is well-formed. */
static bool start_is_valid(const struct troupe_executor *executor, const struct trp_item *item)
{
    const struct trp_start *start = (const void *)item->body;
    return item->given == NULL && item->body_bytes >= sizeof(*start) &&
           (start->behaviour_bytes != 0 ||
            start->behaviour_index < executor->runtime->behaviour_count) &&
           start->name_bytes <= item->body_bytes && start->args_bytes <= item->body_bytes &&
           start->behaviour_bytes <= item->body_bytes &&
           sizeof(*start) + trp_pad8(start->name_bytes) + trp_pad8(start->behaviour_bytes) +
                   start->args_bytes <=
               item->body_bytes;
}

/** @return the index of a START's behaviour; UINT32_MAX: this process has no such behaviour. */
static uint32_t start_find_behaviour(
    const struct trp_runtime *runtime, const struct trp_start *start, const char *name)
{
    if (start->behaviour_bytes == 0) {
        return start->behaviour_index;
    }
    for (uint32_t i = 0; i < runtime->behaviour_count; i++) {
        const char *known = runtime->behaviours[i]->name;
        if (strlen(known) == start->behaviour_bytes &&
            memcmp(known, name, start->behaviour_bytes) == 0) {
            return i;
        }
    }
    return UINT32_MAX;
}

/** @return the row of the actor that is to start; NULL: it is not reserved for it, or the actor has ended. */
static struct trp_actor *start_claim(
    struct troupe_executor *executor, uint32_t index, uint32_t generation)
{
    struct trp_actor *actor = trp_actor_table_find(&executor->actors, index, generation);
    if (actor != NULL) {
        return actor;
    }
    uint64_t since_ns = 0;
    while (trp_actor_table_is_reserved(&executor->actors, index, generation) &&
           trp_actor_table_make_row(&executor->actors, index) == NULL) {
        trp_memory_wait(&since_ns); // without a row its exit could not be reported
    }
    return trp_actor_table_claim(&executor->actors, index, generation);
}

/** Set how an actor ends whose behaviour this process does not have. */
static void start_explain_unknown(
    const struct trp_start *start, const char *behaviour_name, struct troupe_exit *out_exit)
{
    *out_exit = (struct troupe_exit){.reason = TROUPE_EXIT_INIT_FAILED, .code = TROUPE_ERR_NOENT};
    (void)snprintf(
        out_exit->text,
        sizeof(out_exit->text),
        "the program of its process has no behaviour '%.*s'",
        (int)start->behaviour_bytes,
        behaviour_name);
}

/** Make an actor as its START says, and run its `init`. @return false: it failed, as *out_exit says. */
static bool start_begin(
    struct troupe_executor *executor,
    struct trp_actor *actor,
    uint32_t index,
    const struct trp_start *start,
    struct troupe_exit *out_exit)
{
    const char *name = (const char *)(start + 1);
    const char *behaviour_name = name + trp_pad8(start->name_bytes);
    const char *args = behaviour_name + trp_pad8(start->behaviour_bytes);
    uint32_t behaviour = start_find_behaviour(executor->runtime, start, behaviour_name);
    if (executor->channels.ending) {
        *out_exit = (struct troupe_exit){.reason = TROUPE_EXIT_SHUTDOWN};
        return false;
    }
    if (behaviour == UINT32_MAX) {
        start_explain_unknown(start, behaviour_name, out_exit);
        return false;
    }
    if (!start_equip(executor, actor, start, name, behaviour)) {
        *out_exit = (struct troupe_exit){.reason = TROUPE_EXIT_OUT_OF_MEMORY};
        return false;
    }
    trp_error_clear();
    enum troupe_err err = start_call_init(
        executor, actor, index, start->args_bytes != 0 ? args : NULL, start->args_bytes);
    if (err != TROUPE_OK) {
        *out_exit = (struct troupe_exit){.reason = TROUPE_EXIT_INIT_FAILED, .code = (int)err};
        (void)snprintf(out_exit->text, sizeof(out_exit->text), "%.255s", trp_error_text(err));
    }
    return err == TROUPE_OK;
}

void trp_actor_start(struct troupe_executor *executor, const struct trp_item *item)
{
    uint32_t index = item->envelope->to_index;
    struct trp_actor *actor = NULL;
    if (start_is_valid(executor, item)) {
        const struct trp_start *start = (const void *)item->body;
        if (start->reservation != 0) {
            trp_reservation_end(executor->runtime->shared, start->reservation, executor->id, index);
        }
        actor = start_claim(executor, index, item->envelope->to_generation);
    }
    if (actor == NULL) {
        trp_count(&executor->counters->actors_failed, 1);
        return;
    }
    struct troupe_exit exit;
    if (!start_begin(executor, actor, index, (const void *)item->body, &exit)) {
        start_fail(executor, actor, index, &exit);
        return;
    }
    // In its init it may have asked to stop, or have begun to wait for a reply: then it is no longer STARTING.
    if (actor->life == TRP_LIFE_STARTING) {
        trp_actor_table_set_running(&executor->actors, actor);
    }
    trp_actor_table_enlist(&executor->actors, actor, index);
    trp_count(&executor->counters->actors_started, 1);
    struct trp_stash_entry *stash = actor->stash;
    actor->stash = NULL;
    if (trp_actor_leave(executor, actor, trp_actor_key(index, actor->generation)) ||
        stash != NULL) {
        start_deliver_stash(executor, stash, NULL);
    }
}

void trp_actor_fail_reserved(struct troupe_executor *executor, uint32_t spawner_id)
{
    const struct troupe_exit exit = {
        .reason = TROUPE_EXIT_INIT_FAILED,
        .code = TROUPE_ERR_CLOSED,
        .text = "the process of its spawner died before it was started",
    };
    uint32_t index = 0;
    while (trp_reservation_end_any(executor->runtime->shared, spawner_id, executor->id, &index) !=
           0) {
        struct trp_actor *actor = start_claim(executor, index, 1);
        if (actor != NULL) {
            start_fail(executor, actor, index, &exit);
        }
    }
}

void trp_actor_drop_stash(struct troupe_executor *executor)
{
    const struct troupe_exit exit = {.reason = TROUPE_EXIT_SHUTDOWN};
    uint32_t row_count = atomic_load_explicit(executor->actors.row_count, memory_order_relaxed);
    for (uint32_t index = 0; executor->stash_count > 0 && index < row_count; index++) {
        struct trp_actor *actor = trp_actor_table_try_row(&executor->actors, index);
        if (actor != NULL && actor->stash != NULL) {
            struct trp_stash_entry *stash = actor->stash;
            actor->stash = NULL;
            start_deliver_stash(executor, stash, &exit);
        }
    }
}

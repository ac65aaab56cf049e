#include "actor/deadlock.h"

#include "actor/actor_name.h"
#include "actor/actor_table.h"
#include "actor/asks.h"
#include "actor/executor.h"
#include "actor/monitor_command.h"
#include "actor/send.h"
#include "actor/stash.h"
#include "actor/timer_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    HOPS_MAX = 32, // a longer circle ends at a deadline
    HOP_NAME_BYTES = 24,
};

/** An actor that a probe has passed. */
struct deadlock_hop {
    troupe_ref_t actor;
    char name[HOP_NAME_BYTES];
};

struct deadlock_probe {
    uint64_t first_ask; // of the first hop
    uint64_t last_ask;  // of the last hop to the receiver of the probe
    uint64_t hop_count;
    struct deadlock_hop hops[HOPS_MAX];
};

static size_t deadlock_probe_bytes(const struct deadlock_probe *probe)
{
    return offsetof(struct deadlock_probe, hops) + probe->hop_count * sizeof(probe->hops[0]);
}

/** @return the ask that an actor waits for; NULL: it does not wait. */
static struct trp_ask *deadlock_find(
    struct troupe_executor *executor, const struct trp_actor *actor)
{
    return actor->wait == 0 ? NULL : &executor->asks.entries[actor->wait - 1];
}

static bool deadlock_same(const struct troupe_reply_to *a, const struct troupe_reply_to *b)
{
    return a->ask == b->ask && troupe_ref_equal(a->ref, b->ref);
}

/** Send a probe on from an actor that waits. Without memory for it a deadline ends the circle, if there is one. */
static void deadlock_send_probe(
    struct troupe_executor *executor,
    const struct trp_actor *actor,
    uint32_t index,
    struct deadlock_probe *probe)
{
    const struct trp_ask *ask = deadlock_find(executor, actor);
    TRP_CHECK(ask != NULL);
    struct deadlock_hop *hop = &probe->hops[probe->hop_count++];
    hop->actor = trp_actor_ref(executor, index, actor->generation);
    (void)snprintf(hop->name, sizeof(hop->name), "%s", trp_actor_name(actor));
    probe->last_ask = (uint64_t)ask->generation << 32 | actor->wait;
    struct trp_outgoing outgoing = {
        .to = ask->to,
        .from_index = index,
        .from_generation = actor->generation,
        .type = TRP_MONITOR_PROBE,
        .kind = TRP_KIND_MONITOR,
        .flags = TRP_FLAG_UNMETERED,
        .body = probe,
        .body_bytes = deadlock_probe_bytes(probe),
    };
    (void)trp_send_message(executor, &outgoing);
}

void trp_deadlock_begin_wait(troupe_context_t *ctx, uint64_t number, troupe_ref_t to)
{
    struct troupe_executor *executor = trp_executor_of(ctx);
    struct trp_ask *ask = trp_asks_find(&executor->asks, number);
    TRP_CHECK(ask != NULL && ctx->actor != NULL);
    ask->is_exclusive = true;
    ask->to = to;
    ask->unanswered = ctx->unanswered;
    ctx->actor->wait = (uint32_t)number;
    ctx->actor->life = TRP_LIFE_WAITING;
    if (!troupe_ref_is_none(to)) { // else it awaits a name, which no actor owes it
        struct deadlock_probe probe = {.first_ask = number};
        deadlock_send_probe(executor, ctx->actor, trp_context_index(ctx), &probe);
    }
}

void trp_deadlock_end_wait(
    struct troupe_executor *executor, struct trp_actor *actor, const struct trp_ask *ask)
{
    if (TRP_LIKELY(!ask->is_exclusive)) {
        return;
    }
    actor->wait = 0;
    if (actor->life == TRP_LIFE_WAITING) {
        trp_actor_table_set_running(&executor->actors, actor);
    }
    executor->context.unanswered = ask->unanswered;
}

void trp_deadlock_note_reply(
    struct troupe_executor *executor, const struct troupe_reply_to *reply_to)
{
    struct troupe_context *ctx = &executor->context;
    if (deadlock_same(&ctx->unanswered, reply_to)) {
        ctx->unanswered.ask = 0;
    }
    struct trp_ask *ask = ctx->actor == NULL ? NULL : deadlock_find(executor, ctx->actor);
    if (ask != NULL && deadlock_same(&ask->unanswered, reply_to)) {
        ask->unanswered.ask = 0;
    }
}

/** Set the error detail to the circle: "a waits for b waits for a". */
static void deadlock_explain(const struct deadlock_probe *probe)
{
    char text[768] = "";
    size_t at = 0;
    for (uint64_t i = 0; i <= probe->hop_count && at < sizeof(text) - 1; i++) {
        const struct deadlock_hop *hop = &probe->hops[i % probe->hop_count];
        char ref[TROUPE_REF_TEXT_BYTES];
        at += (size_t)snprintf(
            text + at,
            sizeof(text) - at,
            "%s'%.*s' (%s)",
            i == 0 ? "" : " waits for ",
            HOP_NAME_BYTES - 1,
            hop->name,
            troupe_ref_print(hop->actor, ref));
    }
    (void)TRP_EXPLAIN(TROUPE_ERR_DEADLOCK, "%s", text);
}

/** A probe has returned to its first actor: remove the ask that fails. @return false: it has ended already. */
static bool deadlock_break(
    struct troupe_executor *executor, const struct deadlock_probe *probe, struct trp_ask *out_ask)
{
    if (!trp_asks_take(&executor->asks, probe->first_ask, out_ask)) {
        return false;
    }
    (void)trp_actor_timer_cancel(executor, out_ask->timer);
    deadlock_explain(probe);
    return true;
}

/** Copy a probe out of a frame. @return false: it is malformed. */
static bool deadlock_read_probe(const struct trp_item *item, struct deadlock_probe *out_probe)
{
    size_t least = offsetof(struct deadlock_probe, hops);
    if (item->body_bytes <= least || item->body_bytes > sizeof(*out_probe)) {
        return false;
    }
    memcpy(out_probe, item->body, item->body_bytes);
    return out_probe->hop_count > 0 && out_probe->hop_count <= HOPS_MAX &&
           deadlock_probe_bytes(out_probe) == item->body_bytes;
}

bool trp_deadlock_handle_probe(
    struct troupe_executor *executor, const struct trp_item *item, struct trp_ask *out_ask)
{
    struct deadlock_probe probe;
    uint32_t index = item->envelope->to_index;
    uint32_t generation = item->envelope->to_generation;
    struct trp_actor *actor = trp_actor_table_find(&executor->actors, index, generation);
    if (actor == NULL || actor->life != TRP_LIFE_WAITING || !deadlock_read_probe(item, &probe)) {
        return false;
    }
    // The last hop waits for this actor only if that has not replied yet: the ask is in progress, or in its stash.
    const struct troupe_reply_to reply_to = {
        .ref = probe.hops[probe.hop_count - 1].actor,
        .ask = probe.last_ask,
    };
    const struct trp_ask *ask = deadlock_find(executor, actor);
    if (ask == NULL ||
        (!deadlock_same(&ask->unanswered, &reply_to) && !trp_stash_has_ask(actor, &reply_to))) {
        return false;
    }
    troupe_ref_t self = trp_actor_ref(executor, index, generation);
    uint64_t number = (uint64_t)ask->generation << 32 | actor->wait;
    if (troupe_ref_equal(probe.hops[0].actor, self)) {
        return probe.first_ask == number && deadlock_break(executor, &probe, out_ask);
    }
    if (probe.hop_count < HOPS_MAX) {
        deadlock_send_probe(executor, actor, index, &probe);
    }
    return false;
}

#include "actor/executor.h"
#include "node/system.h"

#include <stdio.h>
#include <string.h>

/** @return in words what the end of an ask is because of that reason. */
static const char *dead_letter_verb(uint32_t reason)
{
    switch (reason) {
    case TROUPE_DEAD_EXPIRED:
        return "was not met in its time to live";
    case TROUPE_DEAD_PEER_DOWN:
        return "died with its receiver's process";
    default:
        return "found nobody";
    }
}

enum troupe_err trp_ask_explain(enum troupe_err err, const struct trp_ask_failure *failure)
{
    return TRP_EXPLAIN(
        err,
        "the ask of type %u %s: %s",
        failure->type,
        dead_letter_verb(failure->reason),
        troupe_dead_reason_text((enum troupe_dead_reason)failure->reason));
}

void trp_dead_letter_fail_ask(struct troupe_executor *executor, const struct trp_dead *dead)
{
    const struct trp_ask_failure failure = {.reason = dead->reason, .type = dead->type};
    const struct trp_outgoing outgoing = {
        .to = dead->from,
        .type = dead->reason == TROUPE_DEAD_EXPIRED ? TROUPE_ERR_TIMEDOUT : TROUPE_ERR_NOENT,
        .kind = TRP_KIND_NOTICE,
        .flags = TRP_FLAG_UNMETERED | TRP_FLAG_ASK | TRP_FLAG_FAILED,
        .body = &failure,
        .body_bytes = sizeof(failure),
        .ask = dead->ask,
    };
    (void)trp_send_message(executor, &outgoing); // without memory the ask ends at its deadline
}

static void dead_letter_notify(struct troupe_executor *executor, const struct trp_dead *dead)
{
    const struct troupe_dead_letter notice = {
        .to = dead->to,
        .from = dead->from.generation == 0 && dead->lost == 0 ? TROUPE_REF_NONE : dead->from,
        .type = dead->type,
        .reason = dead->reason,
        .body_bytes = dead->body_bytes,
        .count = trp_dead_count(dead),
    };
    troupe_ref_t subscribers[TRP_SUBSCRIBERS_MAX];
    uint32_t count = trp_subscribers_copy(executor->system->shared, subscribers);
    for (uint32_t i = 0; i < count; i++) {
        (void)trp_send_notice(
            executor, subscribers[i], TROUPE_MESSAGE_DEAD_LETTER, &notice, sizeof(notice));
    }
}

/** Print the name of an actor of this very executor. @return false: it is not known. */
static bool dead_letter_own_name(
    const struct troupe_executor *executor, troupe_ref_t ref, char name[TRP_DEAD_COUNTS_NAME_BYTES])
{
    bool may_be_here = ref.executor == executor->id && ref.generation != 0 &&
                       executor->mode != TRP_MODE_INBOX && ref.index < UINT32_MAX / 2;
    const struct trp_actor *row =
        may_be_here ? trp_actor_table_try_row(&executor->actors, ref.index) : NULL;
    // A row keeps the behaviour of its last tenant.
    if (row == NULL || row->generation != ref.generation || row->behaviour == NULL) {
        return false;
    }
    const char *known = row->name != NULL ? row->name : row->behaviour->name;
    (void)snprintf(name, TRP_DEAD_COUNTS_NAME_BYTES, " '%.48s'", known);
    return true;
}

void trp_dead_letter_name(
    struct troupe_executor *executor,
    troupe_ref_t ref,
    char name[static TRP_DEAD_COUNTS_NAME_BYTES])
{
    name[0] = '\0';
    if (dead_letter_own_name(executor, ref, name)) {
        return;
    }
    struct trp_shared *shared = executor->system->shared;
    trp_shared_lock(shared);
    const struct trp_slot *slot = trp_shared_find_slot(shared, ref.executor);
    if (slot != NULL && slot->node == ref.node) {
        (void)snprintf(name, TRP_DEAD_COUNTS_NAME_BYTES, " on '%s'", slot->name);
        const char *known = ref.generation == 0 ? NULL : trp_names_of(shared, slot, ref);
        if (known != NULL) {
            (void)snprintf(name, TRP_DEAD_COUNTS_NAME_BYTES, " '%.48s'", known);
        }
    }
    trp_shared_unlock(shared);
}

/** Add to the receiver's toll. @return the name it has there, or "". */
static const char *dead_letter_count(struct troupe_executor *executor, const struct trp_dead *dead)
{
    bool is_new = false;
    struct trp_dead_counts *dead_counts = &executor->system->shared->dead_counts;
    struct trp_dead_counts_entry *entry = trp_dead_counts_seek(dead_counts, dead->to, &is_new);
    if (is_new) {
        trp_dead_letter_name(executor, dead->to, entry->name);
        trp_dead_counts_publish(entry);
    }
    trp_dead_counts_add(dead_counts, entry, dead->reason, trp_dead_count(dead));
    return entry == NULL ? "" : entry->name;
}

void trp_dead_letters_lost(
    struct troupe_executor *executor,
    struct trp_ledger *ledger,
    enum troupe_dead_reason reason,
    uint64_t count)
{
    if (count == 0) {
        return;
    }
    struct trp_shared *shared = executor->system->shared;
    trp_shared_lock(shared);
    const struct trp_slot *from = trp_shared_find_slot(shared, ledger->from);
    const struct trp_slot *to = trp_shared_find_slot(shared, ledger->to);
    const struct trp_dead dead = {
        .ledger = ledger,
        .to = {.node = to == NULL ? 0 : to->node, .executor = ledger->to},
        .from = {.node = from == NULL ? 0 : from->node, .executor = ledger->from},
        .reason = reason,
        .lost = count,
    };
    trp_shared_unlock(shared);
    trp_dead_letter(executor, &dead);
}

void trp_dead_letter(struct troupe_executor *executor, const struct trp_dead *dead)
{
    trp_count(&dead->ledger->dead[dead->reason], trp_dead_count(dead));
    trp_dead_log_write(executor, dead, dead_letter_count(executor, dead));
    if (dead->ask != 0) {
        trp_dead_letter_fail_ask(executor, dead);
    }
    if (trp_subscribers_any(&executor->system->shared->subscribers)) {
        dead_letter_notify(executor, dead);
    }
}

enum troupe_err troupe_dead_letters_subscribe(troupe_context_t *ctx)
{
    struct troupe_executor *executor = trp_executor_of(ctx);
    struct trp_actor *actor = ctx->actor;
    if (actor == NULL) {
        return TRP_EXPLAIN(TROUPE_ERR_INVAL, "only an actor can subscribe to dead letters");
    }
    if ((actor->flags & TRP_ACTOR_SUBSCRIBED) != 0) {
        return TROUPE_OK;
    }
    enum troupe_err err = trp_subscribers_add(executor->system->shared, troupe_self(ctx));
    if (err == TROUPE_OK) {
        actor->flags |= TRP_ACTOR_SUBSCRIBED;
    }
    return err;
}

void troupe_dead_letters_unsubscribe(troupe_context_t *ctx)
{
    struct troupe_executor *executor = trp_executor_of(ctx);
    if (ctx->actor != NULL && (ctx->actor->flags & TRP_ACTOR_SUBSCRIBED) != 0) {
        ctx->actor->flags &= (uint8_t)~TRP_ACTOR_SUBSCRIBED;
        trp_subscribers_remove(executor->system->shared, troupe_self(ctx));
    }
}

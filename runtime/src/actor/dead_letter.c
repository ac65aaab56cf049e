/*
 * What happens to a message that no actor will handle.
 *
 *     dead letter --> counter of its channel --> counts of its receiver --> a line in the log
 *                 --> the ask fails, if it was one --> a notice to each subscriber
 *
 * Each message becomes a dead letter in one place only: where it was accepted last. What follows from it is sent with
 * notices, which are not counted, so that a dead letter never causes another one.
 */
#include "actor/dead_letter.h"

#include "actor/actor_name.h"
#include "actor/dead_letter_log.h"
#include "actor/executor.h"
#include "actor/send.h"
#include "base/counter.h"
#include "channel/channel.h"
#include "channel/events.h"
#include "channel/grant.h"
#include "shared/dead_counts.h"
#include "shared/subscribers.h"
#include "wire/format.h"
#include "wire/frame_read.h"

#include <stdio.h>
#include <string.h>

/** @return what happened to an ask that ended for that reason. */
static const char *dead_letter_verb(uint32_t reason)
{
    switch (reason) {
    case TROUPE_DEAD_EXPIRED:
        return "was not handled within its time to live";
    case TROUPE_DEAD_PEER_DOWN:
        return "was lost with its receiver's process";
    default:
        return "had no receiver";
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
    struct trp_outgoing outgoing = {
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
    uint32_t count = trp_subscribers_copy(executor->runtime->shared, subscribers);
    for (uint32_t i = 0; i < count; i++) {
        (void)trp_send_notice(
            executor, subscribers[i], TROUPE_MESSAGE_DEAD_LETTER, &notice, sizeof(notice));
    }
}

/** Count a dead letter of its receiver. @return the receiver's name, as trp_actor_name_print() prints it, or "". */
static const char *dead_letter_count(struct troupe_executor *executor, const struct trp_dead *dead)
{
    bool is_new = false;
    struct trp_dead_counts *dead_counts = &executor->runtime->shared->dead_counts;
    struct trp_dead_counts_entry *entry = trp_dead_counts_seek(dead_counts, dead->to, &is_new);
    if (is_new) {
        trp_actor_name_print(executor, dead->to, entry->name);
        trp_dead_counts_publish(entry);
    }
    trp_dead_counts_add(dead_counts, entry, dead->reason, trp_dead_count(dead));
    return entry == NULL ? "" : entry->name;
}

void trp_dead_letter(struct troupe_executor *executor, const struct trp_dead *dead)
{
    trp_count(&dead->ledger->dead[dead->reason], trp_dead_count(dead));
    trp_dead_log_write(executor, dead, dead_letter_count(executor, dead));
    if (dead->ask != 0) {
        trp_dead_letter_fail_ask(executor, dead);
    }
    if (trp_subscribers_any(&executor->runtime->shared->subscribers)) {
        dead_letter_notify(executor, dead);
    }
}

void trp_dead_letter_item(
    struct troupe_executor *executor,
    struct trp_channel *channel,
    const struct trp_item *item,
    uint32_t count,
    enum troupe_dead_reason reason)
{
    if (!trp_kind_is_counted(item->kind)) {
        return;
    }
    const struct trp_dead dead = {
        .ledger = channel->in_ledger,
        .to = trp_actor_ref(executor, item->envelope->to_index, item->envelope->to_generation),
        .from = trp_item_sender(item),
        .type = item->envelope->type,
        .reason = reason,
        .body_bytes = trp_item_bytes(item),
        .ask = item->kind == TRP_KIND_USER ? item->ask : 0,
    };
    for (uint32_t i = 0; i < count; i++) {
        trp_dead_letter(executor, &dead);
    }
    if (item->given != NULL && item->given->free != NULL) {
        item->given->free(item->given->data, item->given->free_data);
    }
    trp_channel_return_credit(&executor->channels, channel, item, count);
}

/*
 * Messages between the frame in which they arrived and the thread that receives them.
 *
 *     frame --deliver--> list of the inbox --troupe_inbox_receive()--> settle: credit returned, handled
 *                  \--> the pending ask, if it is its reply
 *                   \--> dead letter: wrong row, closing, late reply, no memory
 *
 * An inbox holds messages for an unknown time, in which the channel that brought one may end. So the ledger of the
 * inbox's channel to itself takes each message over on arrival, as it does with a stashed message.
 */
#include "actor/inbox_mail.h"

#include "actor/executor.h"
#include "actor/send.h"
#include "base/counter.h"
#include "base/idmap.h"
#include "base/memory.h"
#include "channel/channel.h"
#include "channel/grant.h"
#include "shared/credit_pool.h"
#include "troupe/inbox.h"
#include "wire/format.h"
#include "wire/frame_read.h"
#include "wire/frame_write.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

void trp_inbox_lock(troupe_inbox_t *inbox)
{
    (void)pthread_mutex_lock(&inbox->lock);
}

bool trp_inbox_try_lock(troupe_inbox_t *inbox)
{
    return pthread_mutex_trylock(&inbox->lock) == 0;
}

void trp_inbox_unlock(troupe_inbox_t *inbox)
{
    (void)pthread_mutex_unlock(&inbox->lock);
}

static struct trp_inbox_mail *inbox_mail_new(
    uint32_t type, troupe_ref_t sender, const void *body, size_t body_bytes)
{
    struct trp_inbox_mail *mail = calloc(1, sizeof(*mail) + body_bytes);
    if (mail == NULL) {
        return NULL;
    }
    mail->message = (struct troupe_message){
        .type = type,
        .owned = true,
        .sender = sender,
        .body = &mail->content,
    };
    mail->content.data = body_bytes != 0 ? mail->body : NULL;
    mail->content.bytes = body_bytes;
    mail->expires_ns = UINT64_MAX;
    if (body_bytes != 0) {
        memcpy(mail->body, body, body_bytes);
    }
    return mail;
}

/** @return mail with a copy of one message of an item; NULL: no memory. */
static struct trp_inbox_mail *inbox_mail_of(const struct trp_item *item, uint32_t which)
{
    const uint8_t *body = item->body + which * trp_pad8(item->body_bytes);
    struct trp_inbox_mail *mail = inbox_mail_new(
        item->envelope->type,
        trp_item_sender(item),
        body,
        item->given != NULL ? 0 : item->body_bytes);
    if (mail != NULL) {
        mail->message.ask = item->kind == TRP_KIND_USER ? item->ask : 0;
        mail->message.expires_ns = item->expires_ns;
        mail->counted = trp_kind_is_counted(item->kind);
        mail->provisional = (item->flags & TRP_FLAG_PROVISIONAL) != 0;
        mail->metered = item->kind == TRP_KIND_USER && (item->flags & TRP_FLAG_UNMETERED) == 0;
        if (item->given != NULL) {
            mail->content = trp_item_body(item, 0);
            mail->message.given = true;
        }
    }
    return mail;
}

static void inbox_append(troupe_inbox_t *inbox, struct trp_inbox_mail *mail)
{
    if (inbox->last != NULL) {
        inbox->last->next = mail;
    } else {
        inbox->first = mail;
    }
    inbox->last = mail;
}

void trp_inbox_settle(
    struct troupe_executor *executor, const struct trp_inbox_mail *mail, bool handled)
{
    if (!mail->counted) {
        return;
    }
    if (handled) {
        trp_count(&executor->channels.loop->ledger->handled, 1);
    }
    struct trp_channel *channel = mail->peer_id == executor->id
                                      ? executor->channels.loop
                                      : trp_idmap_find(&executor->channels.by_peer, mail->peer_id);
    if (mail->provisional) {
        atomic_fetch_add_explicit(&executor->slot->pool.reserve_messages, 1, memory_order_relaxed);
    }
    if (channel == NULL || (!channel->in_open && !channel->is_loop)) {
        if (mail->metered &&
            !mail->provisional) { // its channel has ended, and left its credit to be returned here
            trp_credit_pool_give(
                &executor->slot->pool, 1, (int64_t)troupe_message_body_bytes(&mail->message));
        }
        return;
    }
    if (mail->provisional) {
        atomic_fetch_sub_explicit(&channel->in_ledger->reserve_messages, 1, memory_order_relaxed);
    }
    if (mail->metered && !mail->provisional) {
        trp_channel_owe(
            &executor->channels, channel, 1, (int64_t)troupe_message_body_bytes(&mail->message));
    }
}

void trp_inbox_dead_letter(
    struct troupe_executor *executor, struct trp_inbox_mail *mail, enum troupe_dead_reason reason)
{
    if (mail->counted) {
        const struct trp_dead dead = {
            .ledger = executor->channels.loop->ledger,
            .to = trp_actor_ref(executor, 0, 1),
            .from = mail->message.sender,
            .type = mail->message.type,
            .reason = reason,
            .body_bytes = troupe_message_body_bytes(&mail->message),
            .ask = mail->message.ask,
        };
        executor->channels.events->dead(&executor->channels, &dead);
        trp_inbox_settle(executor, mail, false);
    }
    troupe_message_t *message = &mail->message;
    troupe_message_destroy(&message);
}

/** Take the reply to the pending ask, or its failure. @return false: it is for an earlier ask. */
static bool inbox_take_reply(
    troupe_inbox_t *inbox, const struct trp_item *item, struct trp_inbox_mail *mail)
{
    if (item->ask != inbox->ask || inbox->ask == 0) {
        return false;
    }
    inbox->ask = 0;
    if ((item->flags & TRP_FLAG_FAILED) != 0) {
        inbox->failure = (enum troupe_err)item->envelope->type;
        inbox->failed = trp_item_failure(item);
        troupe_message_t *message = &mail->message;
        troupe_message_destroy(&message);
    } else {
        trp_inbox_settle(inbox->executor, mail, true);
        inbox->reply = &mail->message;
    }
    return true;
}

/** Make a dead letter of a message for which there is no memory, without mail. */
static void inbox_lose(
    struct troupe_executor *executor, struct trp_channel *channel, const struct trp_item *item)
{
    struct troupe_body content = trp_item_body(item, 0);
    struct trp_inbox_mail lost = {
        .message = {.type = item->envelope->type, .body = &content},
        .peer_id = channel->peer_id,
        .counted = trp_kind_is_counted(item->kind),
        .metered = item->kind == TRP_KIND_USER && (item->flags & TRP_FLAG_UNMETERED) == 0,
        .provisional = (item->flags & TRP_FLAG_PROVISIONAL) != 0,
    };
    if (lost.counted) {
        const struct trp_dead dead = {
            .ledger = executor->channels.loop->ledger,
            .to = trp_actor_ref(executor, 0, 1),
            .from = trp_item_sender(item),
            .type = item->envelope->type,
            .reason = TROUPE_DEAD_UNDELIVERABLE,
            .body_bytes = content.bytes,
            .ask = item->kind == TRP_KIND_USER ? item->ask : 0,
        };
        executor->channels.events->dead(&executor->channels, &dead);
        trp_inbox_settle(executor, &lost, false);
    }
    if (item->given != NULL) {
        troupe_body_free(&content);
    }
}

/** Put mail where it belongs: to the pending ask, to the list, or among the dead letters. */
static void inbox_sort(
    struct troupe_executor *executor, const struct trp_item *item, struct trp_inbox_mail *mail)
{
    bool is_reply =
        item->kind == TRP_KIND_REPLY || (item->kind == TRP_KIND_NOTICE && item->ask != 0);
    if (is_reply) {
        if (!inbox_take_reply(executor->inbox, item, mail)) {
            trp_inbox_dead_letter(executor, mail, TROUPE_DEAD_LATE_REPLY);
        }
    } else if (item->envelope->to_index != 0 || item->envelope->to_generation != 1) {
        trp_inbox_dead_letter(executor, mail, TROUPE_DEAD_NO_SUCH_ACTOR);
    } else if (executor->channels.ending) {
        trp_inbox_dead_letter(executor, mail, TROUPE_DEAD_STOPPED);
    } else {
        inbox_append(executor->inbox, mail);
    }
}

void trp_inbox_deliver(
    struct troupe_executor *executor, struct trp_channel *channel, const struct trp_item *item)
{
    if (trp_kind_is_counted(item->kind)) {
        // From here on it is a message of the inbox to itself.
        trp_count(&executor->channels.loop->ledger->accepted, item->count);
        trp_count(&channel->in_ledger->moved, item->count);
    }
    for (uint32_t i = 0; i < item->count; i++) {
        struct trp_inbox_mail *mail = inbox_mail_of(item, i);
        uint64_t since_ns = 0;
        while (mail == NULL && item->kind == TRP_KIND_NOTICE) {
            trp_memory_wait(&since_ns); // a lost notice would appear in no counter
            mail = inbox_mail_of(item, i);
        }
        if (mail == NULL) {
            inbox_lose(executor, channel, item);
            continue;
        }
        mail->peer_id = channel->peer_id;
        mail->expires_ns = trp_item_expiry(executor, item);
        inbox_sort(executor, item, mail);
    }
}

bool trp_inbox_notice(
    struct troupe_executor *executor, uint32_t type, const void *body, size_t body_bytes)
{
    struct trp_inbox_mail *mail = inbox_mail_new(type, TROUPE_REF_NONE, body, body_bytes);
    if (mail != NULL) {
        inbox_append(executor->inbox, mail);
    }
    return mail != NULL;
}

#include "troupe/inbox.h"

#include "actor/executor.h"
#include "base/clock.h"
#include "base/descriptors.h"
#include "base/memory.h"
#include "channel/channel.h"
#include "node/system.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

/*
 * A inbox: an executor whose turns are taken by whoever receives.
 *
 * It has no loop that would meet a CLOSE_REQUEST, so an executor that ends closes the inbox's channel to it itself:
 * that, and nothing else, is what `lock` is for. It is held while channels or mail are touched, and never
 * while waiting.
 */

enum { AGAIN_NS = 1000000 }; // how soon is tried again what there was no memory for

/** A message that waits to be received. The message is first: freeing it frees all. */
struct inbox_mail {
    struct troupe_message message;
    struct troupe_body content;
    struct inbox_mail *next;
    uint32_t peer_id;
    bool counted;
    bool metered;
    bool provisional;
    uint64_t expires_ns; // see trp_item_expiry()
    _Alignas(8) uint8_t body[];
};

struct troupe_inbox {
    struct troupe_executor *executor;
    pthread_mutex_t lock;
    struct inbox_mail *first; // guarded by `lock`
    struct inbox_mail *last;  // guarded by `lock`
    uint64_t ask;             // the ask that waits; 0: none
    uint64_t ask_count;       // ever
    troupe_message_t *reply;
    enum troupe_err failure;       // of the ask that waits
    struct trp_ask_failure failed; // why
    _Atomic uint32_t pins;         // executors that are closing a channel of this inbox's
};

static bool inbox_is_mine(const troupe_inbox_t *inbox)
{
    return pthread_equal(inbox->executor->owner, pthread_self()) != 0;
}

static enum troupe_err inbox_check(const troupe_inbox_t *inbox)
{
    if (inbox_is_mine(inbox)) {
        return TROUPE_OK;
    }
    return TRP_EXPLAIN(
        TROUPE_ERR_THREAD, "an inbox is used on the thread that opened it; open another one here");
}

enum troupe_err troupe_inbox_new(troupe_system_t *system, troupe_inbox_t **out_inbox)
{
    if (atomic_load_explicit(&system->stop_asked, memory_order_acquire)) {
        return TRP_EXPLAIN(TROUPE_ERR_CLOSED, "the system is stopping and opens no inbox");
    }
    if (!trp_descriptors_are_free(0)) {
        return TRP_EXPLAIN(
            TROUPE_ERR_LIMIT,
            "fewer than %d descriptors are free: no inbox; close some, or raise the limit of open "
            "files",
            TRP_DESCRIPTORS_FREE_MIN);
    }
    troupe_inbox_t *inbox = calloc(1, sizeof(*inbox));
    if (inbox == NULL) {
        return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for an inbox");
    }
    pthread_mutexattr_t attributes;
    (void)pthread_mutexattr_init(&attributes);
    // A dead letter that is found under the lock is posted under it.
    (void)pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    (void)pthread_mutex_init(&inbox->lock, &attributes);
    (void)pthread_mutexattr_destroy(&attributes);
    enum troupe_err err = trp_system_add_inbox(system, inbox, &inbox->executor);
    if (err != TROUPE_OK) {
        (void)pthread_mutex_destroy(&inbox->lock);
        free(inbox);
        return err;
    }
    *out_inbox = inbox;
    return TROUPE_OK;
}

troupe_context_t *troupe_inbox_context(troupe_inbox_t *inbox)
{
    return inbox_check(inbox) == TROUPE_OK ? &inbox->executor->context : NULL;
}

void trp_inbox_lock(troupe_inbox_t *inbox)
{
    (void)pthread_mutex_lock(&inbox->lock);
}

void trp_inbox_unlock(troupe_inbox_t *inbox)
{
    (void)pthread_mutex_unlock(&inbox->lock);
}

/* Mail that comes. ------------------------------------------------------------------------------ */

static struct inbox_mail *inbox_mail_new(
    uint32_t type, troupe_ref_t sender, const void *body, size_t body_bytes)
{
    struct inbox_mail *mail = calloc(1, sizeof(*mail) + body_bytes);
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

/** Make mail of one message of an item. */
static struct inbox_mail *inbox_mail_of(const struct trp_item *item, uint32_t which)
{
    const uint8_t *body = item->body + which * trp_pad8(item->body_bytes);
    struct inbox_mail *mail = inbox_mail_new(
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

static void inbox_append(troupe_inbox_t *inbox, struct inbox_mail *mail)
{
    if (inbox->last != NULL) {
        inbox->last->next = mail;
    } else {
        inbox->first = mail;
    }
    inbox->last = mail;
}

/** Account for a message that is done with: on its channel, if that is still open, and on the inbox. */
static void inbox_settle(
    struct troupe_executor *executor, const struct inbox_mail *mail, bool handled)
{
    if (!mail->counted) {
        return;
    }
    if (handled) {
        trp_count(&executor->loop->ledger->handled, 1);
    }
    struct trp_channel *channel = mail->peer_id == executor->id
                                      ? executor->loop
                                      : trp_idmap_find(&executor->channels, mail->peer_id);
    if (mail->provisional) {
        atomic_fetch_add_explicit(&executor->slot->pool.reserve_messages, 1, memory_order_relaxed);
    }
    if (channel == NULL || (!channel->in_open && !channel->is_loop)) {
        if (mail->metered &&
            !mail->provisional) { // its channel is gone, its credit is still ours to free
            trp_credit_pool_give(
                &executor->slot->pool, 1, (int64_t)troupe_message_body_bytes(&mail->message));
        }
        return;
    }
    if (mail->provisional) {
        atomic_fetch_sub_explicit(&channel->in_ledger->reserve_messages, 1, memory_order_relaxed);
    }
    if (mail->metered && !mail->provisional) {
        trp_channel_owe(executor, channel, 1, (int64_t)troupe_message_body_bytes(&mail->message));
    }
}

/** Make a dead letter of mail, and free it. */
static void inbox_dead_letter(
    struct troupe_executor *executor, struct inbox_mail *mail, enum troupe_dead_reason reason)
{
    if (mail->counted) {
        const struct trp_dead dead = {
            .ledger = executor->loop->ledger,
            .to = trp_actor_ref(executor, 0, 1),
            .from = mail->message.sender,
            .type = mail->message.type,
            .reason = reason,
            .body_bytes = troupe_message_body_bytes(&mail->message),
            .ask = mail->message.ask,
        };
        trp_dead_letter(executor, &dead);
        inbox_settle(executor, mail, false);
    }
    troupe_message_t *message = &mail->message;
    troupe_message_destroy(&message);
}

/** Take what answers the ask that waits. @return false: it is no answer, or a late one. */
static bool inbox_take_reply(
    troupe_inbox_t *inbox, const struct trp_item *item, struct inbox_mail *mail)
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
        inbox_settle(inbox->executor, mail, true);
        inbox->reply = &mail->message;
    }
    return true;
}

/** There is no memory for a message: it is a dead letter, and its credit and body go back. */
static void inbox_lose(
    struct troupe_executor *executor, struct trp_channel *channel, const struct trp_item *item)
{
    struct troupe_body content = trp_item_body(item, 0);
    struct inbox_mail lost = {
        .message = {.type = item->envelope->type, .body = &content},
        .peer_id = channel->peer_id,
        .counted = trp_kind_is_counted(item->kind),
        .metered = item->kind == TRP_KIND_USER && (item->flags & TRP_FLAG_UNMETERED) == 0,
        .provisional = (item->flags & TRP_FLAG_PROVISIONAL) != 0,
    };
    if (lost.counted) {
        const struct trp_dead dead = {
            .ledger = executor->loop->ledger,
            .to = trp_actor_ref(executor, 0, 1),
            .from = trp_item_sender(item),
            .type = item->envelope->type,
            .reason = TROUPE_DEAD_UNDELIVERABLE,
            .body_bytes = content.bytes,
            .ask = item->kind == TRP_KIND_USER ? item->ask : 0,
        };
        trp_dead_letter(executor, &dead);
        inbox_settle(executor, &lost, false);
    }
    if (item->given != NULL) {
        troupe_body_free(&content);
    }
}

void trp_inbox_deliver(
    struct troupe_executor *executor, struct trp_channel *channel, const struct trp_item *item)
{
    troupe_inbox_t *inbox = executor->inbox;
    if (trp_kind_is_counted(item->kind)) {
        // The inbox sends it on to itself: it may be received after its channel has ended.
        trp_count(&executor->loop->ledger->accepted, item->count);
        trp_count(&channel->in_ledger->moved, item->count);
    }
    for (uint32_t i = 0; i < item->count; i++) {
        struct inbox_mail *mail = inbox_mail_of(item, i);
        uint64_t since_ns = 0;
        while (mail == NULL && item->kind == TRP_KIND_NOTICE) {
            trp_memory_wait(&since_ns); // nobody counts notices: one that is lost is never missed
            mail = inbox_mail_of(item, i);
        }
        if (mail == NULL) {
            inbox_lose(executor, channel, item);
            continue;
        }
        mail->peer_id = channel->peer_id;
        mail->expires_ns = trp_item_expiry(executor, item);
        bool is_reply =
            item->kind == TRP_KIND_REPLY || (item->kind == TRP_KIND_NOTICE && item->ask != 0);
        if (is_reply) {
            if (!inbox_take_reply(inbox, item, mail)) {
                inbox_dead_letter(executor, mail, TROUPE_DEAD_LATE_REPLY);
            }
        } else if (item->envelope->to_index != 0 || item->envelope->to_generation != 1) {
            inbox_dead_letter(executor, mail, TROUPE_DEAD_NO_SUCH_ACTOR);
        } else if (executor->ending) {
            inbox_dead_letter(executor, mail, TROUPE_DEAD_STOPPED);
        } else {
            inbox_append(inbox, mail);
        }
    }
}

bool trp_inbox_notice(
    struct troupe_executor *executor, uint32_t type, const void *body, size_t body_bytes)
{
    struct inbox_mail *mail = inbox_mail_new(type, TROUPE_REF_NONE, body, body_bytes);
    if (mail != NULL) {
        inbox_append(executor->inbox, mail);
    }
    return mail != NULL;
}

/* Receiving. ------------------------------------------------------------------------------------ */

/** Do what is at hand, or wait for something. */
static void inbox_step(troupe_inbox_t *inbox, uint64_t timeout_ns)
{
    struct troupe_executor *executor = inbox->executor;
    trp_inbox_lock(inbox);
    trp_executor_listen(executor);
    trp_channels_handle_flags(executor);
    bool worked = trp_executor_turn(executor);
    trp_channels_settle(executor, true); // there is no later for a inbox
    bool again = executor->rooms_late || executor->dirty != NULL;
    timeout_ns = again && timeout_ns > AGAIN_NS ? AGAIN_NS : timeout_ns;
    trp_inbox_unlock(inbox);
    if (worked || timeout_ns == 0 || trp_mailbox_spin(&executor->mailbox, timeout_ns) ||
        trp_mailbox_poll(&executor->mailbox)) {
        return;
    }
    trp_mailbox_sleep(&executor->mailbox, timeout_ns);
}

static uint64_t inbox_deadline_ns(uint64_t timeout_ns)
{
    uint64_t now_ns = trp_clock_monotonic(NULL);
    return timeout_ns < UINT64_MAX - now_ns ? now_ns + timeout_ns : UINT64_MAX;
}

/** @return whether the time to live has passed of mail that has one. */
static bool inbox_is_expired(const troupe_inbox_t *inbox, const struct inbox_mail *mail)
{
    return mail->expires_ns != UINT64_MAX && trp_executor_now(inbox->executor) >= mail->expires_ns;
}

static struct inbox_mail *inbox_take_first(troupe_inbox_t *inbox)
{
    trp_inbox_lock(inbox);
    struct inbox_mail *mail = NULL;
    while (mail == NULL && inbox->first != NULL) {
        mail = inbox->first;
        inbox->first = mail->next;
        inbox->last = inbox->first == NULL ? NULL : inbox->last;
        if (inbox_is_expired(inbox, mail)) {
            inbox_dead_letter(inbox->executor, mail, TROUPE_DEAD_EXPIRED);
            mail = NULL;
        } else {
            inbox_settle(inbox->executor, mail, true);
        }
    }
    trp_inbox_unlock(inbox);
    return mail;
}

enum troupe_err troupe_inbox_receive(
    troupe_inbox_t *inbox, uint64_t timeout_ns, troupe_message_t **out_message)
{
    enum troupe_err err = inbox_check(inbox);
    if (err != TROUPE_OK) {
        return err;
    }
    uint64_t deadline_ns = inbox_deadline_ns(timeout_ns);
    bool looked = false;
    for (;;) {
        struct inbox_mail *mail = inbox_take_first(inbox);
        if (mail != NULL) {
            *out_message = &mail->message;
            return TROUPE_OK;
        }
        uint64_t now_ns = trp_clock_monotonic(NULL);
        if (looked && now_ns >= deadline_ns) {
            return TRP_EXPLAIN(TROUPE_ERR_TIMEDOUT, "no message came to the inbox in time");
        }
        inbox_step(inbox, now_ns < deadline_ns ? deadline_ns - now_ns : 0);
        looked = true;
    }
}

enum troupe_err troupe_inbox_ask(
    troupe_inbox_t *inbox,
    const struct troupe_outgoing *outgoing,
    uint64_t timeout_ns,
    troupe_message_t **out_reply)
{
    enum troupe_err err = inbox_check(inbox);
    if (err == TROUPE_OK) {
        err = trp_inbox_send_ask(&inbox->executor->context, outgoing, ++inbox->ask_count);
    }
    if (err != TROUPE_OK) {
        return err;
    }
    inbox->ask = inbox->ask_count;
    inbox->failure = TROUPE_OK;
    inbox->reply = NULL;
    uint64_t deadline_ns =
        inbox_deadline_ns(timeout_ns == 0 ? TROUPE_ASK_TIMEOUT_DEFAULT_NS : timeout_ns);
    while (inbox->ask != 0) {
        uint64_t now_ns = trp_clock_monotonic(NULL);
        if (now_ns >= deadline_ns) {
            inbox->ask = 0;
            return TRP_EXPLAIN(TROUPE_ERR_TIMEDOUT, "no answer came to the inbox in time");
        }
        inbox_step(inbox, deadline_ns - now_ns);
    }
    if (inbox->failure != TROUPE_OK) {
        return trp_ask_explain(inbox->failure, &inbox->failed);
    }
    *out_reply = inbox->reply;
    return TROUPE_OK;
}

/* The end. -------------------------------------------------------------------------------------- */

/** Help the owner's world along, if this is its thread: it would not run while we wait here. */
static void inbox_run_caller(troupe_inbox_t *inbox)
{
    troupe_system_t *system = inbox->executor->system;
    struct troupe_executor *actors = system->executor;
    if (!system->stopped && pthread_equal(actors->owner, pthread_self()) && !actors->in_turn) {
        (void)trp_executor_turn(actors);
        (void)trp_mailbox_poll(&actors->mailbox);
    }
}

static void inbox_dead_letter_all(troupe_inbox_t *inbox)
{
    while (inbox->first != NULL) {
        struct inbox_mail *mail = inbox->first;
        inbox->first = mail->next;
        inbox_dead_letter(inbox->executor, mail, TROUPE_DEAD_STOPPED);
    }
    inbox->last = NULL;
}

static void inbox_close(troupe_inbox_t *inbox)
{
    const uint64_t step_ns = 1000000;
    struct troupe_executor *executor = inbox->executor;
    trp_inbox_lock(inbox);
    executor->ending = true;
    trp_executor_request_close(executor);
    trp_inbox_unlock(inbox);
    while (trp_executor_has_peers(executor)) {
        inbox_run_caller(inbox);
        trp_inbox_lock(inbox);
        trp_channels_handle_flags(executor);
        trp_inbox_unlock(inbox);
        inbox_step(inbox, step_ns);
    }
    trp_inbox_lock(inbox);
    inbox_dead_letter_all(inbox);
    trp_executor_finish(executor);
    inbox_dead_letter_all(inbox); // ROOMs that came of finishing
    trp_inbox_unlock(inbox);
    while (trp_channels_reap(executor)) { // what went by ipc or tcp is to arrive
        inbox_step(inbox, step_ns);
    }
}

enum troupe_err troupe_inbox_destroy(troupe_inbox_t **inbox_p)
{
    troupe_inbox_t *inbox = *inbox_p;
    if (inbox == NULL) {
        return TROUPE_OK;
    }
    enum troupe_err err = inbox_check(inbox);
    if (err != TROUPE_OK) {
        return err;
    }
    inbox_close(inbox);
    trp_system_remove_inbox(inbox->executor->system, inbox->executor);
    while (atomic_load_explicit(&inbox->pins, memory_order_acquire) != 0) {
        (void)sched_yield(); // an executor is between finding this inbox and leaving it
    }
    trp_executor_free(&inbox->executor);
    (void)pthread_mutex_destroy(&inbox->lock);
    free(inbox);
    *inbox_p = NULL;
    return TROUPE_OK;
}

bool trp_inbox_detach(troupe_system_t *system, uint32_t peer_id, uint32_t executor_id)
{
    troupe_inbox_t *inbox = NULL;
    (void)pthread_mutex_lock(&system->lock);
    struct troupe_executor *executor = trp_idmap_find(&system->executors, peer_id);
    if (executor != NULL && executor->inbox != NULL) {
        inbox = executor->inbox;
        atomic_fetch_add_explicit(&inbox->pins, 1, memory_order_acquire);
    }
    (void)pthread_mutex_unlock(&system->lock);
    if (inbox == NULL) {
        return false;
    }
    trp_inbox_lock(inbox);
    struct trp_channel *channel = trp_idmap_find(&inbox->executor->channels, executor_id);
    if (channel != NULL && channel->out_open) {
        trp_channel_finish(inbox->executor, channel);
    }
    trp_inbox_unlock(inbox);
    // Release: pairs with the acquire in troupe_inbox_destroy(): all that was done here was done.
    atomic_fetch_sub_explicit(&inbox->pins, 1, memory_order_release);
    return true;
}

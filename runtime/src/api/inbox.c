/*
 * Inboxes: executors without a loop, whose turns are taken by the thread that receives or asks.
 *
 *     receive    first message of the list --> return it;  else take turns until one comes, or the deadline
 *     ask        send --> take turns until the reply comes; other messages stay in the list
 *     attend     by any thread, while the owner does neither: receive what has arrived
 *
 * See inbox_mail.h for the lock. Opening and closing an inbox is node/inboxes.c.
 */
#include "api/inbox.h"

#include "actor/dead_letter.h"
#include "actor/executor.h"
#include "actor/inbox_mail.h"
#include "api/asking.h"
#include "base/clock.h"
#include "base/saturate.h"
#include "channel/grant.h"
#include "channel/mailbox.h"
#include "channel/mailbox_wait.h"
#include "channel/retained.h"
#include "loop/loop.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

enum {
    RETRY_NS = 1000000,  // until what failed for want of memory is tried again
    ATTEND_TURNS = 4096, // most turns that another thread takes at once
};

static bool inbox_is_mine(const troupe_inbox_t *inbox)
{
    return pthread_equal(inbox->executor->owner, pthread_self()) != 0;
}

enum troupe_err trp_inbox_check(const troupe_inbox_t *inbox)
{
    if (inbox->executor->runtime->pid != trp_forked_pid) {
        return trp_forked_explain();
    }
    if (inbox_is_mine(inbox)) {
        return TROUPE_OK;
    }
    return TRP_EXPLAIN(
        TROUPE_ERR_THREAD, "an inbox is used on the thread that opened it; open another one here");
}

troupe_context_t *troupe_inbox_context(troupe_inbox_t *inbox)
{
    return trp_inbox_check(inbox) == TROUPE_OK ? &inbox->executor->context : NULL;
}

void trp_inbox_step(troupe_inbox_t *inbox, uint64_t timeout_ns)
{
    struct troupe_executor *executor = inbox->executor;
    trp_inbox_lock(inbox);
    const struct trp_inbox_mail *last = inbox->last;
    uint64_t ask = inbox->ask;
    trp_executor_listen(executor);
    trp_executor_handle_flags(executor);
    bool worked = trp_executor_turn(executor);
    // To settle with a process that died is to receive what it has sent, which the turn does not find again.
    worked = worked || inbox->last != last || inbox->ask != ask;
    trp_channels_settle(&executor->channels, true); // no later turn is certain
    bool retries = executor->channels.rooms_delayed || executor->channels.dirty != NULL;
    timeout_ns = retries && timeout_ns > RETRY_NS ? RETRY_NS : timeout_ns;
    uint64_t retained_ns = trp_channels_release_retained(&executor->channels);
    timeout_ns = timeout_ns < retained_ns ? timeout_ns : retained_ns;
    trp_inbox_unlock(inbox);
    if (worked || timeout_ns == 0 || trp_mailbox_spin(&executor->mailbox, timeout_ns) ||
        trp_mailbox_poll(&executor->mailbox)) {
        return;
    }
    trp_mailbox_sleep(&executor->mailbox, timeout_ns);
}

void trp_inbox_begin(troupe_inbox_t *inbox)
{
    // A thread that attends has the lock, and has read `is_attended` under it: the first step waits for its end.
    atomic_store_explicit(&inbox->is_attended, true, memory_order_relaxed);
}

void trp_inbox_end(troupe_inbox_t *inbox)
{
    // Release: pairs with the acquire in trp_inbox_attend(). The mailbox was used without the lock.
    atomic_store_explicit(&inbox->is_attended, false, memory_order_release);
}

void trp_inbox_attend(troupe_inbox_t *inbox)
{
    struct troupe_executor *executor = inbox->executor;
    // A thread that attends may have another inbox's lock, so it does not wait for this one.
    if (!trp_inbox_try_lock(inbox)) {
        return;
    }
    if (!atomic_load_explicit(&inbox->is_attended, memory_order_acquire) && !executor->in_turn) {
        uint32_t count = 0;
        trp_executor_listen(executor);
        trp_executor_handle_flags(executor);
        while (count++ < ATTEND_TURNS &&
               (trp_executor_turn(executor) || trp_mailbox_poll(&executor->mailbox))) {
        }
        trp_channels_settle(&executor->channels, true);
    }
    trp_inbox_unlock(inbox);
}

static uint64_t inbox_deadline_ns(uint64_t timeout_ns)
{
    return trp_add_saturated(trp_clock_monotonic(NULL), timeout_ns);
}

/** @return whether mail has exceeded its time to live. */
static bool inbox_is_expired(const troupe_inbox_t *inbox, const struct trp_inbox_mail *mail)
{
    return mail->expires_ns != UINT64_MAX && trp_executor_now(inbox->executor) >= mail->expires_ns;
}

/** Take the first message that has not expired, and count it as handled. @return NULL: there is none. */
static struct trp_inbox_mail *inbox_take_first(troupe_inbox_t *inbox)
{
    trp_inbox_lock(inbox);
    struct trp_inbox_mail *mail = NULL;
    while (mail == NULL && inbox->first != NULL) {
        mail = inbox->first;
        inbox->first = mail->next;
        inbox->last = inbox->first == NULL ? NULL : inbox->last;
        if (inbox_is_expired(inbox, mail)) {
            trp_inbox_dead_letter(inbox->executor, mail, TROUPE_DEAD_EXPIRED);
            mail = NULL;
        } else {
            trp_inbox_settle(inbox->executor, mail, true);
        }
    }
    trp_inbox_unlock(inbox);
    return mail;
}

static enum troupe_err inbox_await_message(
    troupe_inbox_t *inbox, uint64_t timeout_ns, troupe_message_t **out_message)
{
    uint64_t deadline_ns = inbox_deadline_ns(timeout_ns);
    bool took_turn = false;
    for (;;) {
        struct trp_inbox_mail *mail = inbox_take_first(inbox);
        if (mail != NULL) {
            *out_message = &mail->message;
            return TROUPE_OK;
        }
        uint64_t now_ns = trp_clock_monotonic(NULL);
        if (took_turn && now_ns >= deadline_ns) {
            return TRP_EXPLAIN(TROUPE_ERR_TIMEDOUT, "no message came to the inbox in time");
        }
        trp_inbox_step(inbox, now_ns < deadline_ns ? deadline_ns - now_ns : 0);
        took_turn = true;
    }
}

enum troupe_err troupe_inbox_receive(
    troupe_inbox_t *inbox, uint64_t timeout_ns, troupe_message_t **out_message)
{
    enum troupe_err err = trp_inbox_check(inbox);
    if (err != TROUPE_OK) {
        return err;
    }
    trp_inbox_begin(inbox);
    err = inbox_await_message(inbox, timeout_ns, out_message);
    trp_inbox_end(inbox);
    return err;
}

/** As troupe_inbox_ask(), once the caller is known to be the owner. */
static enum troupe_err inbox_ask(
    troupe_inbox_t *inbox,
    const struct troupe_outgoing *outgoing,
    uint64_t timeout_ns,
    troupe_message_t **out_reply)
{
    enum troupe_err err =
        trp_inbox_send_ask(&inbox->executor->context, outgoing, ++inbox->ask_count);
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
            return TRP_EXPLAIN(
                TROUPE_ERR_TIMEDOUT,
                "no reply to the ask of type %u came to the inbox in time",
                outgoing->type);
        }
        trp_inbox_step(inbox, deadline_ns - now_ns);
    }
    if (inbox->failure != TROUPE_OK) {
        return trp_ask_explain(inbox->failure, &inbox->failed);
    }
    *out_reply = inbox->reply;
    return TROUPE_OK;
}

enum troupe_err troupe_inbox_ask(
    troupe_inbox_t *inbox,
    const struct troupe_outgoing *outgoing,
    uint64_t timeout_ns,
    troupe_message_t **out_reply)
{
    enum troupe_err err = trp_inbox_check(inbox);
    if (err != TROUPE_OK) {
        return err;
    }
    trp_inbox_begin(inbox);
    err = inbox_ask(inbox, outgoing, timeout_ns, out_reply);
    trp_inbox_end(inbox);
    return err;
}

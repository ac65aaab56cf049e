#include "node/inboxes.h"

#include "actor/executor.h"
#include "actor/forked.h"
#include "actor/inbox_mail.h"
#include "api/inbox.h"
#include "base/descriptors.h"
#include "base/idmap.h"
#include "channel/channel.h"
#include "channel/channel_close.h"
#include "channel/mailbox.h"
#include "loop/close.h"
#include "loop/executor_new.h"
#include "loop/loop.h"
#include "node/executors.h"
#include "node/system.h"
#include "troupe/inbox.h"

#include <sched.h>
#include <stdlib.h>

/*
 * Opening and closing inboxes. An inbox is an executor without a loop: the thread that receives from it takes its
 * turns.
 */

enum troupe_err troupe_inbox_new(troupe_system_t *system, troupe_inbox_t **out_inbox)
{
    if (atomic_load_explicit(&system->runtime.stop_asked, memory_order_acquire)) {
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
    // Recursive: a dead letter that is found under the lock is sent under it.
    (void)pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    (void)pthread_mutex_init(&inbox->lock, &attributes);
    (void)pthread_mutexattr_destroy(&attributes);
    enum troupe_err err = trp_executors_add_inbox(system, inbox, &inbox->executor);
    if (err != TROUPE_OK) {
        (void)pthread_mutex_destroy(&inbox->lock);
        free(inbox);
        return err;
    }
    *out_inbox = inbox;
    return TROUPE_OK;
}

/** Run a turn of executor 0, if this is its thread: it would not run while this thread waits here. */
static void inbox_run_caller(troupe_inbox_t *inbox)
{
    troupe_system_t *system = trp_system_of(inbox->executor);
    struct troupe_executor *caller = system->executor;
    if (!system->stopped && pthread_equal(caller->owner, pthread_self()) && !caller->in_turn) {
        (void)trp_executor_turn(caller);
        (void)trp_mailbox_poll(&caller->mailbox);
    }
}

static void inbox_dead_letter_all(troupe_inbox_t *inbox)
{
    while (inbox->first != NULL) {
        struct trp_inbox_mail *mail = inbox->first;
        inbox->first = mail->next;
        trp_inbox_dead_letter(inbox->executor, mail, TROUPE_DEAD_STOPPED);
    }
    inbox->last = NULL;
}

/** Where an actor's callback closes the inbox, finish the channel of its executor: that could not while this waits. */
static void inbox_finish_callers_channel(const troupe_inbox_t *inbox)
{
    struct troupe_executor *caller = trp_forked_current();
    if (caller == NULL || caller->runtime != inbox->executor->runtime ||
        caller->context.actor == NULL) {
        return;
    }
    struct trp_channel *channel = trp_idmap_find(&caller->channels.by_peer, inbox->executor->id);
    if (channel != NULL && channel->out_open) {
        trp_channel_finish(&caller->channels, channel);
    }
}

static void inbox_close(troupe_inbox_t *inbox)
{
    const uint64_t step_ns = 1000000;
    struct troupe_executor *executor = inbox->executor;
    inbox_finish_callers_channel(inbox);
    trp_inbox_begin(inbox); // for good
    trp_inbox_lock(inbox);
    executor->channels.ending = true;
    trp_inbox_unlock(inbox);
    trp_executor_request_close(executor);
    while (trp_executor_has_peers(executor)) {
        inbox_run_caller(inbox);
        trp_inbox_lock(inbox);
        trp_executor_handle_flags(executor);
        trp_inbox_unlock(inbox);
        trp_inbox_step(inbox, step_ns);
    }
    trp_inbox_lock(inbox);
    inbox_dead_letter_all(inbox);
    trp_executor_finish(executor);
    inbox_dead_letter_all(inbox); // ROOM notices that closing the channels brought
    trp_inbox_unlock(inbox);
    while (
        trp_channels_reap(&executor->channels)) { // until what was sent by ipc or tcp has arrived
        trp_inbox_step(inbox, step_ns);
    }
}

enum troupe_err troupe_inbox_destroy(troupe_inbox_t **inbox_p)
{
    troupe_inbox_t *inbox = *inbox_p;
    if (inbox == NULL) {
        return TROUPE_OK;
    }
    enum troupe_err err = trp_inbox_check(inbox);
    if (err != TROUPE_OK) {
        return err;
    }
    inbox_close(inbox);
    trp_executors_remove_inbox(trp_system_of(inbox->executor), inbox->executor);
    while (atomic_load_explicit(&inbox->pins, memory_order_acquire) != 0) {
        (void)sched_yield(); // another thread is in a function below, for this inbox
    }
    trp_executor_free(&inbox->executor);
    (void)pthread_mutex_destroy(&inbox->lock);
    free(inbox);
    *inbox_p = NULL;
    return TROUPE_OK;
}

/** @return the inbox of an executor, which is not freed until inboxes_unpin(); NULL: it is none of here. */
static troupe_inbox_t *inboxes_pin(troupe_system_t *system, uint32_t inbox_id)
{
    troupe_inbox_t *inbox = NULL;
    (void)pthread_mutex_lock(&system->runtime.lock);
    struct troupe_executor *executor = trp_idmap_find(&system->runtime.executors, inbox_id);
    if (executor != NULL && executor->inbox != NULL) {
        inbox = executor->inbox;
        atomic_fetch_add_explicit(&inbox->pins, 1, memory_order_acquire);
    }
    (void)pthread_mutex_unlock(&system->runtime.lock);
    return inbox;
}

static void inboxes_unpin(troupe_inbox_t *inbox)
{
    // Release: pairs with the acquire in troupe_inbox_destroy(), which frees what was used here.
    atomic_fetch_sub_explicit(&inbox->pins, 1, memory_order_release);
}

bool trp_inboxes_detach(troupe_system_t *system, uint32_t inbox_id, uint32_t peer_id)
{
    troupe_inbox_t *inbox = inboxes_pin(system, inbox_id);
    if (inbox == NULL) {
        return false;
    }
    trp_inbox_lock(inbox);
    struct trp_channel *channel = trp_idmap_find(&inbox->executor->channels.by_peer, peer_id);
    if (channel != NULL && channel->out_open) {
        trp_channel_finish(&inbox->executor->channels, channel);
    }
    trp_inbox_unlock(inbox);
    inboxes_unpin(inbox);
    return true;
}

void trp_inboxes_attend(troupe_system_t *system, uint32_t inbox_id)
{
    troupe_inbox_t *inbox = inboxes_pin(system, inbox_id);
    if (inbox != NULL) {
        trp_inbox_attend(inbox);
        inboxes_unpin(inbox);
    }
}

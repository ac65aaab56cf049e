/*
 * The end of an executor:
 *
 *     end its actors --> CLOSE_REQUEST to all that send here --> their FINs, behind messages that become dead letters
 *                    --> FIN to all that it sends to --> their acknowledgement, or the deadline
 *
 * A peer sends its FIN when it handles the CLOSE_REQUEST, so closing takes as long as its callbacks. A peer of another
 * process that closes at the same moment may leave only its flags in shared memory, so those are checked as well,
 * after 1 ms and then ever less often. So is whether an idle inbox has received its FIN: an inbox has no loop, and
 * whoever waits for it has its turn taken.
 */
#include "loop/close.h"

#include "actor/actor_table.h"
#include "actor/end.h"
#include "actor/executor.h"
#include "actor/inbox_mail.h"
#include "actor/monitor_notify.h"
#include "actor/start.h"
#include "base/clock.h"
#include "channel/channel.h"
#include "channel/channel_close.h"
#include "channel/channel_send.h"
#include "channel/mailbox.h"
#include "channel/mailbox_wait.h"
#include "loop/loop.h"
#include "shared/shared.h"
#include "shared/shared_table.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    CLOSE_STEP_NS = 1000000,      // until flags in shared memory are checked for the first time
    CLOSE_STEP_NS_MAX = 64000000, // between checks in the end
    SENDERS = 256,                // peers that are asked in one round
};

void trp_executor_stop_actors(struct troupe_executor *executor)
{
    const struct troupe_exit exit = {.reason = TROUPE_EXIT_SHUTDOWN};
    executor->channels.ending = true;
    executor->in_turn = true;
    while (executor->actors.last_row != 0) {
        uint32_t index = executor->actors.last_row - 1;
        trp_actor_end(executor, trp_actor_table_row(&executor->actors, index), index, &exit);
        trp_actor_run_stops(executor);
    }
    trp_monitor_notify_executor(executor);
    trp_channel_flush(&executor->channels, executor->channels.loop);
    trp_channels_flush(&executor->channels);
    executor->in_turn = false;
}

/** A peer that sends to an executor that ends. */
struct close_sender {
    uint32_t id;
    bool is_remote;
    bool is_inbox;
};

/** Accept no new channels. @return how many peers that were not asked before are in @p senders. */
static uint32_t close_find_senders(
    struct troupe_executor *executor, struct close_sender senders[static SENDERS])
{
    struct trp_shared *shared = executor->runtime->shared;
    struct trp_slot *slot = executor->slot;
    uint32_t count = 0;
    trp_shared_lock(shared);
    atomic_store_explicit(&slot->state, TRP_SLOT_CLOSING, memory_order_release);
    uint32_t steps = 0;
    uint32_t at = trp_shared_ledger_index(shared, slot->first_in);
    while (at != 0 && count < SENDERS) {
        struct trp_ledger *ledger = &shared->ledgers[at - 1];
        at = trp_shared_ledger_step(shared, ledger->next_in, &steps);
        if (!ledger->is_loop && !atomic_load_explicit(&ledger->gone, memory_order_relaxed) &&
            atomic_load_explicit(&ledger->state, memory_order_relaxed) == TRP_LEDGER_OPEN) {
            const struct trp_slot *from = trp_shared_find_slot(shared, ledger->from);
            atomic_store_explicit(&ledger->gone, true, memory_order_release);
            senders[count++] = (struct close_sender){
                .id = ledger->from,
                .is_remote = from != NULL && from->node != executor->node,
                .is_inbox = from != NULL && from->is_inbox,
            };
        }
    }
    trp_shared_unlock(shared);
    return count;
}

/** Have a peer receive what was sent to it, if it is an inbox: its thread may never receive. */
static void close_attend(struct troupe_executor *executor, uint32_t peer_id)
{
    struct trp_runtime *runtime = executor->runtime;
    uint32_t node = 0;
    trp_shared_lock(runtime->shared);
    const struct trp_slot *slot = trp_shared_find_slot(runtime->shared, peer_id);
    if (slot != NULL && slot->is_inbox) {
        node = slot->node;
    }
    trp_shared_unlock(runtime->shared);
    if (node == runtime->node) {
        runtime->ops->attend_inbox(runtime, peer_id);
    } else if (node != 0) {
        runtime->ops->refresh_process(runtime, node);
    }
}

/** Request one peer to close its channel to here. */
static void close_request(struct troupe_executor *executor, const struct close_sender *sender)
{
    struct troupe_inbox *inbox = executor->inbox;
    // An inbox's lock is not held while another's is taken: two that close at once would wait for each other.
    if (!executor->runtime->ops->detach_inbox(executor->runtime, sender->id, executor->id)) {
        if (inbox != NULL) {
            trp_inbox_lock(inbox);
        }
        trp_channel_request_close(&executor->channels, sender->id, sender->is_remote);
        if (inbox != NULL) {
            trp_inbox_unlock(inbox);
        }
    }
    if (sender->is_inbox) {
        close_attend(executor, sender->id); // its thread may never receive the request
    }
}

void trp_executor_request_close(struct troupe_executor *executor)
{
    struct close_sender senders[SENDERS];
    uint32_t count = 0;
    do {
        count = close_find_senders(executor, senders);
        for (uint32_t i = 0; i < count; i++) {
            close_request(executor, &senders[i]);
        }
    } while (count == SENDERS);
}

bool trp_executor_has_peers(struct troupe_executor *executor)
{
    return atomic_load_explicit(&executor->slot->in_open_count, memory_order_acquire) > 0;
}

/** As close_attend(), for each channel whose FIN was sent and not received yet. */
static void close_attend_finished(struct troupe_executor *executor)
{
    for (uint32_t i = 0; i < executor->channels.by_peer.slot_count; i++) {
        const struct trp_channel *channel = executor->channels.by_peer.slots[i].value;
        if (channel != NULL && channel->finished && channel->slot->is_inbox) {
            close_attend(executor, channel->peer_id);
        }
    }
}

/** Finish a channel, and have an inbox receive its end. */
static void close_finish_channel(struct troupe_executor *executor, struct trp_channel *channel)
{
    uint32_t inbox_id = channel->slot->is_inbox ? channel->peer_id : 0;
    trp_channel_finish(&executor->channels, channel); // this may free it
    if (inbox_id != 0) {                              // executor 0 is none
        close_attend(executor, inbox_id);
    }
}

static void close_finish_channels(struct troupe_executor *executor)
{
    // Finishing a channel may free it, and so change the table: begin again after each.
    bool found = true;
    while (found) {
        found = false;
        for (uint32_t i = 0; i < executor->channels.by_peer.slot_count && !found; i++) {
            struct trp_channel *channel = executor->channels.by_peer.slots[i].value;
            found = channel != NULL && channel->out_open && !channel->is_loop;
            if (found) {
                close_finish_channel(executor, channel);
            }
        }
    }
}

void trp_executor_finish(struct troupe_executor *executor)
{
    trp_actor_drop_stash(executor);
    trp_monitor_notify_again(executor);
    while (executor->mailbox.loop_count != 0 || executor->channels.loop->frame.used != 0) {
        (void)trp_executor_turn(executor);
    }
    executor->channels.closed_out = true;
    trp_channels_set_last(&executor->channels, NULL);
    close_finish_channels(executor);
}

/** While closing, take a turn; or wait for peers, if there is nothing to do. */
static void close_step(struct troupe_executor *executor, uint64_t left_ns, uint64_t *step_ns)
{
    trp_executor_handle_flags(executor);
    if (trp_executor_turn(executor) || trp_mailbox_poll(&executor->mailbox)) {
        return;
    }
    // A peer of another process may be closing as well, and then leaves only flags in shared memory.
    bool listens = executor->mailbox.listens;
    uint64_t wait_ns = listens && *step_ns < left_ns ? *step_ns : left_ns;
    if (trp_executor_has_peers(executor)) {
        trp_mailbox_sleep(&executor->mailbox, wait_ns);
    } else {
        close_attend_finished(executor);
        trp_channels_await_finished(&executor->channels, wait_ns);
    }
    if (listens) {
        *step_ns = *step_ns < CLOSE_STEP_NS_MAX ? *step_ns * 2 : CLOSE_STEP_NS_MAX;
        atomic_store_explicit(&executor->attention, true, memory_order_relaxed);
    }
}

bool trp_executor_close(struct troupe_executor *executor, uint64_t deadline_ns)
{
    trp_executor_request_close(executor);
    bool finished = false;
    uint64_t step_ns = CLOSE_STEP_NS;
    while (trp_executor_has_peers(executor) || !finished ||
           trp_channels_reap(&executor->channels)) {
        uint64_t now_ns = trp_clock_monotonic(NULL);
        if (now_ns >= deadline_ns) {
            return false;
        }
        if (!trp_executor_has_peers(executor) && !finished) {
            trp_executor_finish(executor);
            finished = true;
        } else {
            close_step(
                executor, deadline_ns == UINT64_MAX ? UINT64_MAX : deadline_ns - now_ns, &step_ns);
        }
    }
    return true;
}

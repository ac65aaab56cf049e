/*
 * What channels report to the executor that owns them:
 *
 *     dead          a message will not be handled      --> dead letter; or its ask fails, if it was in progress
 *     writable      there is room for a sender again   --> ROOM to the actor, or into the inbox
 *     peer_ended    a peer's process died              --> exits of its actors to those that monitor them here
 *     wake          a peer is to check its flags       --> its eventfd, or a message to its process
 */
#include "actor/channel_events.h"

#include "actor/actor_table.h"
#include "actor/dead_letter.h"
#include "actor/executor.h"
#include "actor/monitor_notify.h"
#include "actor/send.h"
#include "actor/start.h"
#include "base/idmap.h"
#include "shared/shared.h"

#include <stddef.h>

static struct troupe_executor *events_executor(struct trp_channels *channels)
{
    return (struct troupe_executor
                *)(void *)((char *)channels - offsetof(struct troupe_executor, channels));
}

static void events_dead(struct trp_channels *channels, const struct trp_dead *dead)
{
    struct troupe_executor *executor = events_executor(channels);
    if (dead->in_progress) {
        trp_dead_letter_fail_ask(executor, dead);
    } else {
        trp_dead_letter(executor, dead);
    }
}

static enum trp_writable events_writable(
    struct trp_channels *channels, const struct trp_blocked_sender *sender)
{
    struct troupe_executor *executor = events_executor(channels);
    if (!channels->is_inbox &&
        trp_actor_table_find(&executor->actors, sender->index, sender->generation) == NULL) {
        return TRP_WRITABLE_ENDED;
    }
    const struct troupe_room room = {.to = sender->to};
    troupe_ref_t to = trp_actor_ref(executor, sender->index, sender->generation);
    return trp_send_notice(executor, to, TROUPE_MESSAGE_ROOM, &room, sizeof(room))
               ? TRP_WRITABLE_SENT
               : TRP_WRITABLE_LATER;
}

static void events_peer_ended(
    struct trp_channels *channels, uint32_t peer_id, const struct troupe_exit *exit)
{
    struct troupe_executor *executor = events_executor(channels);
    trp_monitor_notify_process_exit(executor, peer_id, exit);
    if (!channels->is_inbox) {
        trp_actor_fail_reserved(executor, peer_id);
    }
}

/** Set the flag of an executor of this process, and end its sleep. */
static void events_wake_local(struct trp_runtime *runtime, uint32_t peer_id)
{
    (void)pthread_mutex_lock(&runtime->lock);
    struct troupe_executor *peer = trp_idmap_find(&runtime->executors, peer_id);
    if (peer != NULL) {
        atomic_store_explicit(&peer->attention, true, memory_order_release);
        trp_executor_wake(peer);
    }
    (void)pthread_mutex_unlock(&runtime->lock);
}

static void events_wake(struct trp_channels *channels, uint32_t peer_id, bool is_remote)
{
    struct trp_runtime *runtime = events_executor(channels)->runtime;
    if (!is_remote) {
        events_wake_local(runtime, peer_id);
        return;
    }
    trp_shared_lock(runtime->shared);
    const struct trp_slot *slot = trp_shared_find_slot(runtime->shared, peer_id);
    uint32_t node = slot == NULL ? runtime->node : slot->node;
    trp_shared_unlock(runtime->shared);
    runtime->ops->refresh_process(runtime, node);
}

const struct trp_channel_events trp_executor_events = {
    .dead = events_dead,
    .writable = events_writable,
    .peer_ended = events_peer_ended,
    .wake = events_wake,
};

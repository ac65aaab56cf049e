#include "actor/monitor_notify.h"

#include "actor/actor_table.h"
#include "actor/monitor_command.h"
#include "actor/monitor_table.h"

/** Handle one entry of an actor that has ended: report, or undo. An exit for which there is no memory stays UNSENT. */
static void monitor_notify_one(
    struct troupe_executor *executor,
    uint32_t *list,
    struct trp_monitor_entry *entry,
    troupe_ref_t ended,
    const struct troupe_exit *exit)
{
    uint64_t number = entry->number;
    troupe_ref_t peer = entry->peer;
    bool sent = true;
    if (entry->side == TRP_MONITORS) {
        const struct trp_monitor_body body = {.number = number};
        // If this cannot be sent, the peer will send an EXIT, which finds no actor here.
        if (!troupe_ref_is_none(peer)) {
            (void)trp_monitor_send(executor, ended, peer, TRP_MONITOR_UNDO, &body);
        }
    } else {
        sent = trp_monitor_send_exit(executor, ended, peer, number, exit) == TROUPE_OK;
    }
    if (sent) {
        trp_monitor_table_remove(&executor->monitors, list, entry);
        return;
    }
    if (list != &executor->monitors.unsent_first) {
        entry->side = TRP_MONITOR_UNSENT;
        entry->reason = (uint8_t)exit->reason;
        entry->code = exit->code;
        trp_monitor_table_move(&executor->monitors, list, entry, &executor->monitors.unsent_first);
    }
}

void trp_monitor_notify(
    struct troupe_executor *executor,
    struct trp_actor *actor,
    uint32_t index,
    const struct troupe_exit *exit)
{
    troupe_ref_t ended = trp_actor_ref(executor, index, actor->generation);
    struct trp_monitor_entry *entry = NULL;
    while ((entry = trp_monitor_table_first(&executor->monitors, actor->monitors)) != NULL) {
        monitor_notify_one(executor, &actor->monitors, entry, ended, exit);
    }
}

void trp_monitor_notify_executor(struct troupe_executor *executor)
{
    const struct troupe_exit exit = {.reason = TROUPE_EXIT_SHUTDOWN};
    uint32_t *list = &executor->monitors.of_executor;
    struct trp_monitor_entry *entry = NULL;
    while ((entry = trp_monitor_table_first(&executor->monitors, *list)) != NULL) {
        monitor_notify_one(executor, list, entry, trp_actor_ref(executor, 0, 0), &exit);
    }
}

void trp_monitor_notify_again(struct troupe_executor *executor)
{
    uint32_t *list = &executor->monitors.unsent_first;
    uint32_t before = 0;
    while (*list != 0 && *list != before) {
        before = *list;
        struct trp_monitor_entry *entry = trp_monitor_table_first(&executor->monitors, *list);
        const struct troupe_exit exit = {
            .reason = (enum troupe_exit_reason)entry->reason,
            .code = entry->code,
        };
        troupe_ref_t ended = trp_actor_ref(executor, entry->actor_index, entry->actor_generation);
        monitor_notify_one(executor, list, entry, ended, &exit);
    }
}

void trp_monitor_notify_process_exit(
    struct troupe_executor *executor, uint32_t peer_id, const struct troupe_exit *exit)
{
    for (uint32_t i = 0; i < executor->monitors.count; i++) {
        struct trp_monitor_entry *entry = &executor->monitors.entries[i];
        if (entry->side == TRP_MONITOR_FREE || entry->peer.executor != peer_id ||
            troupe_ref_is_none(entry->peer)) {
            continue;
        }
        uint32_t *list =
            entry->side == TRP_MONITOR_UNSENT
                ? &executor->monitors.unsent_first
                : trp_monitor_list(executor, entry->actor_index, entry->actor_generation);
        if (entry->side == TRP_MONITORED_BY || entry->side == TRP_MONITOR_UNSENT) {
            trp_monitor_table_remove(&executor->monitors, list, entry); // no receiver is left
            continue;
        }
        // To itself: behind all messages of the peer that were received.
        troupe_ref_t self = trp_actor_ref(executor, entry->actor_index, entry->actor_generation);
        trp_monitor_send_exit_surely(executor, entry->peer, self, entry->number, exit);
    }
}

/**
 * @file monitor.h
 * @brief Monitors and links: exits are reported by commands that travel behind the messages of the actor.
 *
 *     MONITOR, DEMONITOR, LINK, UNLINK    to the actor whose exit is to be reported
 *     EXIT                                to the actor that asked; its peer's last message
 *
 * An actor whose process dies sends none: its peers make up the EXIT once its last frame is handled. What is to
 * be done about an EXIT is returned as a decision, which receive.c carries out.
 */
#ifndef TRP_MONITOR_H
#define TRP_MONITOR_H

#include "actor/executor.h"

/** What is to be done about a command that was handled. */
struct trp_monitor_decision {
    enum trp_monitor_action {
        TRP_MONITOR_NOTHING,
        TRP_MONITOR_DELIVER, // deliver `down` as a notice of `type`
        TRP_MONITOR_END,     // end the actor as `down.exit` says: a link
    } action;
    uint32_t type;
    struct troupe_down down;
};

/** Handle a command about exits. @return what is to be done about the actor that it is for. */
struct trp_monitor_decision trp_monitor_handle(
    struct troupe_executor *executor, const struct trp_item *item);

/** Answer a command for an actor that could not start. */
void trp_monitor_refuse(
    struct troupe_executor *executor, const struct trp_item *item, const struct troupe_exit *exit);

/** Note a monitor or a link of the running actor, and request it of the peer; of none: a notice follows at once. */
enum troupe_err trp_monitor_request(
    troupe_context_t *ctx, troupe_ref_t peer, bool is_link, troupe_monitor_t *out_monitor);

/** Undo a monitor or a link of the running actor. */
enum troupe_err trp_monitor_undo(troupe_context_t *ctx, struct trp_monitor_entry *entry);

/** Report the exit of an actor to all who monitor it or are linked to it, and undo its own monitors. */
void trp_monitor_notify(
    struct troupe_executor *executor,
    struct trp_actor *actor,
    uint32_t index,
    const struct troupe_exit *exit);

/** Report the exit of an executor, whose actors have all ended. */
void trp_monitor_notify_executor(struct troupe_executor *executor);

/** Report again the exits for which there was no memory before. */
void trp_monitor_notify_again(struct troupe_executor *executor);

/** Executor @p peer_id has ended without reporting the exits of its actors: make up those that are monitored here. */
void trp_monitor_lose_process(
    struct troupe_executor *executor, uint32_t peer_id, const struct troupe_exit *exit);

#endif

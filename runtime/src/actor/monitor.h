/**
 * @file monitor.h
 * @brief Monitors and links: requesting and undoing them, and handling the commands that they consist of.
 *
 * An EXIT is the last that an actor sends to an actor that monitors it. If a process dies its actors send none, and
 * their peers report the exits to themselves once the last frame is handled. What is to be done about an EXIT is
 * returned as a decision, which receive.c carries out.
 */
#ifndef TRP_MONITOR_H
#define TRP_MONITOR_H

#include "actor/executor.h"

/** What is to be done about a command. */
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

/** Answer a command for an actor that could not start: a request gets its EXIT. */
void trp_monitor_refuse(
    struct troupe_executor *executor, const struct trp_item *item, const struct troupe_exit *exit);

/** Make the running actor monitor @p peer, or link to it. If that has ended, or is none, an EXIT follows at once. */
enum troupe_err trp_monitor_request(
    troupe_context_t *ctx, troupe_ref_t peer, bool is_link, troupe_monitor_t *out_monitor);

/** Undo a monitor or a link of the running actor. */
enum troupe_err trp_monitor_undo(troupe_context_t *ctx, struct trp_monitor_entry *entry);

#endif

/**
 * @file monitor_command.h
 * @brief The commands that monitors and links consist of, and how they are sent.
 */
#ifndef TRP_MONITOR_COMMAND_H
#define TRP_MONITOR_COMMAND_H

#include "actor/executor.h"

/** Type of a MONITOR command, in its envelope. */
enum trp_monitor_command {
    TRP_MONITOR_REQUEST = 1,
    TRP_MONITOR_UNDO = 2,
    TRP_MONITOR_LINK_REQUEST = 3,
    TRP_MONITOR_UNLINK = 4,
    TRP_MONITOR_EXIT = 5,
    TRP_MONITOR_PROBE = 6, // see deadlock.h
};

/** Body of an EXIT; the others have its first 8 bytes. */
struct trp_monitor_body {
    uint64_t number; // of the monitor, in the table of the monitoring executor; 0: a link
    troupe_ref_t actor;
    uint32_t reason;
    int32_t code;
    char text[TROUPE_EXIT_TEXT_BYTES];
};

/** @return the head of an actor's list of monitors, of the executor's own for generation 0; NULL: no such actor. */
uint32_t *trp_monitor_list(struct troupe_executor *executor, uint32_t index, uint32_t generation);

/** Send a command on behalf of the actor @p from, of this executor or ended. */
enum troupe_err trp_monitor_send(
    struct troupe_executor *executor,
    troupe_ref_t from,
    troupe_ref_t to,
    enum trp_monitor_command command,
    const struct trp_monitor_body *body);

/** Send an EXIT of the actor @p ended to the actor @p to. */
enum troupe_err trp_monitor_send_exit(
    struct troupe_executor *executor,
    troupe_ref_t ended,
    troupe_ref_t to,
    uint64_t number,
    const struct troupe_exit *exit);

/** As trp_monitor_send_exit(), but wait for memory where there is none, since it will not be sent again. */
void trp_monitor_send_exit_surely(
    struct troupe_executor *executor,
    troupe_ref_t ended,
    troupe_ref_t to,
    uint64_t number,
    const struct troupe_exit *exit);

/** Get how an actor ended whose executor is gone: as its slot says, else `unknown`. */
void trp_monitor_last_exit(
    struct trp_runtime *runtime, troupe_ref_t actor, struct troupe_exit *out_exit);

#endif

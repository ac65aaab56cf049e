/**
 * @file deaths.h
 * @brief What the first process settles when another has ended: in order, or by dying.
 */
#ifndef TRP_PROCESS_EXIT_H
#define TRP_PROCESS_EXIT_H

#include "shared/shared.h"
#include "troupe/behaviour.h"

struct troupe_system;

enum { TRP_NEIGHBOURS_MAX = 256 };

/** Who is to be told. */
struct trp_process_exit {
    bool died; // else it had ended in order
    uint32_t neighbour_count;
    uint32_t neighbours[TRP_NEIGHBOURS_MAX]; // processes that have mail on the way from or to it
};

/**
 * Settle the end of a process. Of one that died: its executors are DEAD, its names are free, mail among
 * the dead has its outcome. Mail between the dead and the living the living settle; see channel.c.
 *
 * @threads the process manager's of the first process
 */
void trp_process_exit_settle(
    struct troupe_system *system,
    const struct trp_process *node,
    const struct troupe_exit *exit,
    struct trp_process_exit *out_exits);

#endif

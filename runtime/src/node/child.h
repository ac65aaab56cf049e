/**
 * @file child.h
 * @brief A process that was started to carry actors: its ticket, and its course.
 */
#ifndef TRP_CHILD_H
#define TRP_CHILD_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct troupe_system;

enum { TRP_TICKET_BYTES = 96 };

/** What a child is told by its environment; the board tells the rest. */
struct trp_ticket {
    int board_fd;
    int listener_fd;
    int leash_fd;
    uint32_t node_index;
    uint64_t token; // shown once
};

/** Write a ticket as `NAME=VALUE`. */
void trp_ticket_write(const struct trp_ticket *ticket, char text[static TRP_TICKET_BYTES]);

/** Read the value of a ticket. @return false: it is none. */
bool trp_ticket_read(const char *text, struct trp_ticket *out_ticket);

/** Write on the board what children need to know of the system. @threads before the first is started */
enum troupe_err trp_child_describe(struct troupe_system *system);

#endif

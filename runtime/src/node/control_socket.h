/**
 * @file control_socket.h
 * @brief The socket pair between the first process and each child.
 *
 * Its messages say where to look; what there is to know is in shared memory. So a message may be lost when the socket
 * is full: the ones before it say the same. Only a spawn request brings something of its own, the descriptor on
 * which the new process listens.
 */
#ifndef TRP_CONTROL_SOCKET_H
#define TRP_CONTROL_SOCKET_H

#include "node/system.h"

#include <stdbool.h>
#include <stdint.h>

enum trp_control_kind {
    TRP_CONTROL_REFRESH = 1, // to the first: refresh process `number`; to a child: refresh yourself
    TRP_CONTROL_SPAWN = 2, // to the first: start process slot `number`; its listener comes with it
    TRP_CONTROL_KILL = 3,  // to the first: kill process `number`
};

struct trp_control_message {
    uint32_t kind; // an enum trp_control_kind
    uint32_t number;
};

/**
 * Send a message.
 *
 * @param listener_fd  A descriptor to send with it, which the caller keeps; -1: none.
 * @threads any; without a listener, safe in a signal handler
 * @blocks  with a listener, until the kernel can carry it; without, never
 */
void trp_control_send(int control_fd, enum trp_control_kind kind, uint32_t number, int listener_fd);

/**
 * Receive a message.
 *
 * @param out_listener_fd  Receives the descriptor that came with it, or -1.
 * @param out_closed       Receives whether the other end is closed, so that no message will come.
 * @return                 false when there is no message.
 * @blocks never
 */
bool trp_control_receive(
    int control_fd,
    struct trp_control_message *out_message,
    int *out_listener_fd,
    bool *out_closed);

/** Have the first process look at shared memory. Safe in a signal handler. @threads any, of a child */
void trp_control_notify_first(const troupe_system_t *system);

#endif

/**
 * @file reaped.h
 * @brief Waiting until ZeroMQ has really closed a socket.
 *
 * zmq_close() hands a socket to a thread of ZeroMQ's that closes it some time later. A program that opens and closes
 * them in a row would be faster than that thread: descriptors and memory of closed sockets would pile up, until there
 * are no descriptors left. The eventfd of a socket is closed last, and tells.
 */
#ifndef TRP_REAPED_H
#define TRP_REAPED_H

#include <stdint.h>

/** An eventfd, and which one it is: its number is used again at once when it is closed. */
struct trp_reaped {
    int fd;
    uint64_t id; // 0: the kernel does not say
};

/** @return what to wait for, of a socket that is open yet. */
struct trp_reaped trp_reaped_of(int fd);

/** Wait until it is closed, but not for long. */
void trp_reaped_wait(const struct trp_reaped *reaped);

#endif

/**
 * @file transport.h
 * @brief The transports by which frames reach an executor.
 */
#ifndef TRP_TRANSPORT_H
#define TRP_TRANSPORT_H

/** Ordered by distance: of two, the larger reaches farther. */
enum trp_transport {
    TRP_TRANSPORT_NEAREST = 0, // no transport was asked for: inproc within a process, else ipc
    TRP_TRANSPORT_INPROC,
    TRP_TRANSPORT_IPC,
    TRP_TRANSPORT_TCP,
};

#endif

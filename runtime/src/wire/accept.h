/**
 * @file accept.h
 * @brief Connections that come while no descriptor is free.
 *
 * libzmq 4.3.4 aborts the process when accept4() fails with EMFILE on a listener of ipc, so one connection of any program
 * of the same user is enough once descriptors are used up. This library has an accept4() of its own, which libzmq finds
 * before that of the C library: with a descriptor in reserve it takes such a connection and closes it, and the
 * peer tries again later. Listeners elsewhere in the program are not affected.
 */
#ifndef TRP_ACCEPT_H
#define TRP_ACCEPT_H

/** Open the descriptor in reserve, unless it is open. @threads any */
void trp_accept_reserve(void);

/** Note an ipc listener: those of all systems of a process have their directories side by side. @param path  Its path. */
void trp_accept_note_listener(const char *path);

#endif

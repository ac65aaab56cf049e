/**
 * @file descriptors.h
 * @brief How many file descriptors this process may still open.
 *
 * libzmq aborts the process when it cannot open a descriptor. So before a socket is made, the
 * runtime checks that a reserve of ::TRP_DESCRIPTORS_FREE_MIN descriptors is free, and returns
 * ::TROUPE_ERR_LIMIT if not.
 */
#ifndef TRP_DESCRIPTORS_H
#define TRP_DESCRIPTORS_H

#include <stdbool.h>
#include <stdint.h>

/** The reserve for libzmq and for the program itself. */
#define TRP_DESCRIPTORS_FREE_MIN 256

/**
 * What a spawn leaves free beyond the reserve, so that the actors that exist can still open
 * channels.
 */
#define TRP_DESCRIPTORS_FOR_CHANNELS 64

/** @return whether ::TRP_DESCRIPTORS_FREE_MIN descriptors and @p more are free. @threads any */
bool trp_descriptors_are_free(uint32_t more);

/**
 * Open /dev/null as each of the descriptors 0 to 2 that is closed: what is opened later would be taken for standard input,
 * output or error.
 */
void trp_descriptors_fill_standard(void);

/**
 * Promise descriptors that are opened later: from now on trp_descriptors_are_free() leaves them out.
 *
 * @return false: they are not free, and nothing was promised.
 * @threads any
 */
bool trp_descriptors_promise(uint32_t more, uint32_t count);

/** End a promise: the descriptors are open, or will not be. @threads any */
void trp_descriptors_keep_promise(uint32_t count);

/** Raise the limit of open files (RLIMIT_NOFILE) as far as this process may. */
void trp_descriptors_raise_limit(void);

/** @return how many ZeroMQ sockets the limit of open files allows, within libzmq's own limits. */
int trp_descriptors_socket_count_max(void);

#endif

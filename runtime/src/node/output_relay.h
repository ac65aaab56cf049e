/**
 * @file output_relay.h
 * @brief What children print, passed on by whole lines with the name of the child before each.
 *
 *     pipes of the children --> a thread for standard output, one for standard error --> those of this process
 *
 * A reader that is slow, or that has stopped, holds up its own thread and nothing else. A child that prints more than is
 * read waits in its own write(), as it would without the prefix.
 */
#ifndef TRP_OUTPUT_RELAY_H
#define TRP_OUTPUT_RELAY_H

#include "base/error.h"

#include <stdbool.h>

/** A thread that passes on lines to one descriptor. */
struct trp_output_relay;

/** Start a relay to @p target_fd. @retval TROUPE_ERR_LIMIT  no thread, no descriptor or no memory. */
enum troupe_err trp_output_relay_new(int target_fd, struct trp_output_relay **out_relay);

/**
 * Pass on a stream from here on, until all who write to it have closed it.
 *
 * @param fd    Our end of its pipe. Taken.
 * @param name  Of the child; copied.
 * @threads any
 */
void trp_output_relay_add(struct trp_output_relay *relay, int fd, const char *name);

/**
 * Pass on what is in the pipes by now, end the thread, and free the relay. Does nothing when it is NULL.
 *
 * @blocks  until that is written; as long as the reader takes nothing, 2 s at most
 */
void trp_output_relay_free(struct trp_output_relay **relay_p);

#endif

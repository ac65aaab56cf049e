/**
 * @file child_output.h
 * @brief What a child prints, passed on by whole lines with the name of the child before each.
 */
#ifndef TRP_CHILD_OUTPUT_H
#define TRP_CHILD_OUTPUT_H

#include "node/process_manager.h"

#include <stddef.h>

/** A longer line is passed on in pieces. */
enum { TRP_CHILD_LINE_BYTES = 4096 };

/** One stream of a child. */
struct trp_child_output {
    struct trp_event_source
        source; // our end of the pipe; descriptor -1: the stream is not captured
    troupe_system_t *system;
    const char *name; // of the child
    int target_fd;    // where its lines go
    size_t used;
    char line[TRP_CHILD_LINE_BYTES];
};

/**
 * Capture a stream from here on.
 *
 * @param fd    Taken; non-blocking. -1: the stream is not captured.
 * @param name  Kept, never copied.
 * @threads the manager's
 */
void trp_child_output_open(
    struct trp_child_output *output,
    troupe_system_t *system,
    int fd,
    int target_fd,
    const char *name);

/** Pass on what is left of a stream, and close it, if it is captured. @threads the manager's */
void trp_child_output_close(struct trp_child_output *output);

#endif

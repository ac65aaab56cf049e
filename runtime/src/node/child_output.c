#include "node/child_output.h"

#include "node/process_manager.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/** Write all of a text, unless its reader is gone. */
static void output_write(int fd, const char *text, size_t bytes)
{
    while (bytes > 0) {
        ssize_t written = write(fd, text, bytes);
        if (written < 0 && errno != EINTR) {
            return;
        }
        text += written > 0 ? written : 0;
        bytes -= written > 0 ? (size_t)written : 0;
    }
}

/** Write a line with its prefix by one call, so that lines of several children do not mix. */
static void output_write_line(const struct trp_child_output *output, size_t bytes)
{
    char text[TRP_CHILD_LINE_BYTES + TRP_PROCESS_NAME_BYTES + 8];
    int at = snprintf(text, sizeof(text), "[%s] ", output->name);
    memcpy(text + at, output->line, bytes);
    text[(size_t)at + bytes] = '\n';
    output_write(output->target_fd, text, (size_t)at + bytes + 1);
}

/** Write the lines that are complete. */
static void output_write_lines(struct trp_child_output *output)
{
    const char *end = NULL;
    while ((end = memchr(output->line, '\n', output->used)) != NULL ||
           output->used == TRP_CHILD_LINE_BYTES) {
        size_t bytes = end != NULL ? (size_t)(end - output->line) : output->used;
        output_write_line(output, bytes);
        bytes += end != NULL ? 1 : 0;
        output->used -= bytes;
        memmove(output->line, output->line + bytes, output->used);
    }
}

/** Read and pass on what there is. @return false: the child has closed the stream. */
static bool output_read(struct trp_child_output *output)
{
    ssize_t got = 0;
    do {
        got = read(
            output->source.fd, output->line + output->used, TRP_CHILD_LINE_BYTES - output->used);
        if (got > 0) {
            output->used += (size_t)got;
            output_write_lines(output);
        }
    } while (got > 0 || (got < 0 && errno == EINTR));
    return got != 0;
}

static void output_end(struct trp_child_output *output)
{
    if (output->used > 0) {
        output_write_line(output, output->used);
    }
    trp_process_manager_unwatch(output->system, &output->source);
    (void)close(output->source.fd);
    output->source.fd = -1;
}

static void output_ready(troupe_system_t *system, void *data)
{
    (void)system;
    struct trp_child_output *output = data;
    if (!output_read(output)) {
        output_end(output);
    }
}

void trp_child_output_open(
    struct trp_child_output *output,
    troupe_system_t *system,
    int fd,
    int target_fd,
    const char *name)
{
    output->source = (struct trp_event_source){.ready = output_ready, .data = output, .fd = fd};
    output->system = system;
    output->name = name;
    output->target_fd = target_fd;
    if (fd >= 0) {
        trp_process_manager_watch(system, &output->source);
    }
}

void trp_child_output_close(struct trp_child_output *output)
{
    if (output->source.fd >= 0) {
        (void)output_read(output);
        output_end(output);
    }
}

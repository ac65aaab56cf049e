/**
 * @file scribble.h
 * @brief Text put together in a signal handler, where printf must not be called.
 *
 * Everything here is safe in a signal handler. What does not fit is cut.
 */
#ifndef TRP_SCRIBBLE_H
#define TRP_SCRIBBLE_H

#include <stddef.h>
#include <stdint.h>

enum { TRP_SCRIBBLE_BYTES = 512 };

/** A text in the making. Zero-initialise. */
struct trp_scribble {
    size_t used;
    char text[TRP_SCRIBBLE_BYTES];
};

/** Add a text. */
void trp_scribble_text(struct trp_scribble *scribble, const char *text);

/** Add a number. */
void trp_scribble_number(struct trp_scribble *scribble, uint64_t number);

/** Add a number in hexadecimal digits. */
void trp_scribble_hex(struct trp_scribble *scribble, uint64_t number);

/** Copy it with a NUL, cut at @p bytes. */
void trp_scribble_copy(const struct trp_scribble *scribble, char *text, size_t bytes);

/** Write it to @p fd in one piece, ended by a newline. */
void trp_scribble_write(struct trp_scribble *scribble, int fd);

#endif

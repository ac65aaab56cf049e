/**
 * @file scribble.h
 * @brief Text put together in a signal handler, where printf must not be called.
 *
 * Everything here is safe in a signal handler. What does not fit is cut.
 */
#ifndef TRP_SIGSAFE_H
#define TRP_SIGSAFE_H

#include <stddef.h>
#include <stdint.h>

enum { TRP_SIGSAFE_BYTES = 512 };

/** A text in the making. Zero-initialise. */
struct trp_sigsafe {
    size_t used;
    char text[TRP_SIGSAFE_BYTES];
};

/** Add a text. */
void trp_sigsafe_text(struct trp_sigsafe *sigsafe, const char *text);

/** Add a number. */
void trp_sigsafe_number(struct trp_sigsafe *sigsafe, uint64_t number);

/** Add a number in hexadecimal digits. */
void trp_sigsafe_hex(struct trp_sigsafe *sigsafe, uint64_t number);

/** Copy it with a NUL, cut at @p bytes. */
void trp_sigsafe_copy(const struct trp_sigsafe *sigsafe, char *text, size_t bytes);

/** Write it to @p fd in one piece, ended by a newline. */
void trp_sigsafe_write(struct trp_sigsafe *sigsafe, int fd);

#endif

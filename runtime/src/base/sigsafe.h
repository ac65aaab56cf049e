/**
 * @file sigsafe.h
 * @brief Build text in a signal handler, where printf() must not be called.
 *
 * All functions are async-signal-safe. Text that does not fit is cut off.
 */
#ifndef TRP_SIGSAFE_H
#define TRP_SIGSAFE_H

#include <stddef.h>
#include <stdint.h>

enum { TRP_SIGSAFE_BYTES = 512 };

/** A line of text. Zero-initialise. */
struct trp_sigsafe {
    size_t used;
    char text[TRP_SIGSAFE_BYTES];
};

/** Append a text. */
void trp_sigsafe_text(struct trp_sigsafe *sigsafe, const char *text);

/** Append a number in decimal. */
void trp_sigsafe_number(struct trp_sigsafe *sigsafe, uint64_t number);

/** Append a number in hexadecimal. */
void trp_sigsafe_hex(struct trp_sigsafe *sigsafe, uint64_t number);

/** Copy the line with a NUL into @p bytes bytes at @p text. */
void trp_sigsafe_copy(const struct trp_sigsafe *sigsafe, char *text, size_t bytes);

/** Write the line and a newline to @p fd, with one call of write(). */
void trp_sigsafe_write(struct trp_sigsafe *sigsafe, int fd);

#endif

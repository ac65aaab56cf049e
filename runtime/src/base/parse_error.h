/**
 * @file flaw.h
 * @brief What is wrong with a text that came from outside, and at which character.
 *
 * Who parses says what and where in the text; who knows where the text comes from explains it.
 */
#ifndef TRP_PARSE_ERROR_H
#define TRP_PARSE_ERROR_H

#include "base/error.h"

#include <stddef.h>

struct trp_parse_error {
    enum troupe_err err;
    size_t offset; // of the character in the text, from 0
    char what[320];
};

/** Note a flaw, in printf's manner. */
__attribute__((format(printf, 4, 5))) void trp_parse_error_set(
    struct trp_parse_error *parse_error,
    enum troupe_err err,
    size_t offset,
    const char *format,
    ...);

/** Note a flaw; the value is @p err, so that a failing branch is one statement. */
#define TRP_PARSE_ERROR(parse_error, err, offset, ...) \
    (trp_parse_error_set((parse_error), (err), (offset), __VA_ARGS__), (err))

/**
 * Set the detail: a heading in printf's manner, what is wrong, and @p text with a caret under the
 * character. Of a long text, what is near it. @return the flaw's error.
 */
__attribute__((format(printf, 4, 5))) enum troupe_err trp_parse_error_explain(
    const struct trp_parse_error *parse_error,
    const char *text,
    size_t text_bytes,
    const char *format,
    ...);

#endif

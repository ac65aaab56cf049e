/**
 * @file parse_error.h
 * @brief What is wrong with a text from outside, and at which character.
 *
 * A parser reports what is wrong at which offset. Its caller, who knows where the text was written,
 * turns that into the detail of an error.
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

/** Set an error; @p format as of printf(). */
__attribute__((format(printf, 4, 5))) void trp_parse_error_set(
    struct trp_parse_error *parse_error,
    enum troupe_err err,
    size_t offset,
    const char *format,
    ...);

/** Set an error and yield @p err, so that a failing branch is one statement. */
#define TRP_PARSE_ERROR(parse_error, err, offset, ...) \
    (trp_parse_error_set((parse_error), (err), (offset), __VA_ARGS__), (err))

/**
 * Set the detail: a heading, with @p format as of printf(); what is wrong; and @p text with a caret
 * under the character. Of a long text only the part near it is shown.
 *
 * @return `err` of @p parse_error.
 */
__attribute__((format(printf, 4, 5))) enum troupe_err trp_parse_error_explain(
    const struct trp_parse_error *parse_error,
    const char *text,
    size_t text_bytes,
    const char *format,
    ...);

#endif

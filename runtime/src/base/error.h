/**
 * @file error.h
 * @brief Set the detail of an error, at the place where the error is found.
 */
#ifndef TRP_ERROR_H
#define TRP_ERROR_H

#include "troupe/error.h"

#include <stdbool.h>
#include <stdint.h>

/** Set what troupe_error_detail() returns on this thread; @p format as of printf(). */
__attribute__((format(printf, 1, 2))) void trp_error_set_detail(const char *format, ...);

/** Note which error the detail is of. */
void trp_error_note(enum troupe_err err);

/** Forget the detail: what failed before is not what fails next. */
void trp_error_clear(void);

/** @return the detail, if it is of @p err; else what that means in general. */
const char *trp_error_text(enum troupe_err err);

/**
 * Set the detail and yield @p err, so that a failing branch is one statement:
 *
 *     return TRP_EXPLAIN(TROUPE_ERR_INVAL, "the period must be greater than 0 ns");
 *
 * It is a macro so that static analysis sees that the result is not ::TROUPE_OK.
 */
#define TRP_EXPLAIN(err, ...) (trp_error_set_detail(__VA_ARGS__), trp_error_note(err), (err))

/**
 * Set the detail to "the mailbox of that executor is full" and return ::TROUPE_ERR_FULL. The text
 * is printed only when it is read: most callers just wait, and printing would cost five times what
 * the refusal does.
 *
 * @param is_notified  Who sends gets a ROOM: an actor or an inbox, not the main program.
 */
enum troupe_err trp_error_full(uint32_t executor_id, bool is_notified);

#endif

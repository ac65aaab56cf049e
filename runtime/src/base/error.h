/**
 * @file error.h
 * @brief Explaining an error at the place where it is found.
 */
#ifndef TRP_ERROR_H
#define TRP_ERROR_H

#include "troupe/error.h"

#include <stdint.h>

/** Set what troupe_error_detail() says on this thread, in printf's manner. */
__attribute__((format(printf, 1, 2))) void trp_error_set_detail(const char *format, ...);

/**
 * Explain an error, in printf's manner, where it is found; the value is @p err, so that a failing branch is
 * one statement. A macro, so that who reads the code for us sees that it is no ::TROUPE_OK.
 */
#define TRP_EXPLAIN(err, ...) (trp_error_set_detail(__VA_ARGS__), (err))

/**
 * Explain that a mailbox is full: in words only when somebody reads them. Most who are refused just wait,
 * and to print it costs five times what the refusal does.
 */
enum troupe_err trp_error_full(uint32_t executor_id);

#endif

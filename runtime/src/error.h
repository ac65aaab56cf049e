/**
 * @file error.h
 * @brief Explaining an error at the place where it is found.
 */
#ifndef TRP_ERROR_H
#define TRP_ERROR_H

#include "troupe/error.h"

/**
 * Set what troupe_error_detail() says on this thread, in printf's manner.
 *
 * @return @p err, so that a failing branch is one statement.
 */
__attribute__((format(printf, 2, 3))) enum troupe_err trp_explain(
    enum troupe_err err, const char *format, ...);

#endif

#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

enum { DETAIL_BYTES = 1024 };

static _Thread_local char error_detail[DETAIL_BYTES];
static _Thread_local uint32_t error_full; // whose mailbox is full, to be printed when read, + 1

const char *troupe_strerror(enum troupe_err err)
{
    switch (err) {
    case TROUPE_OK:
        return "it worked";
    case TROUPE_ERR_NOMEM:
        return "no memory";
    case TROUPE_ERR_INVAL:
        return "a value is out of range";
    case TROUPE_ERR_NOENT:
        return "nobody goes by that name or reference";
    case TROUPE_ERR_FULL:
        return "the mailbox is full";
    case TROUPE_ERR_TIMEDOUT:
        return "the deadline passed";
    case TROUPE_ERR_CLOSED:
        return "stopping, takes no new work";
    case TROUPE_ERR_LIMIT:
        return "a limit is reached";
    case TROUPE_ERR_UNSUPPORTED:
        return "not supported";
    case TROUPE_ERR_SYSTEM:
        return "the operating system refused";
    case TROUPE_ERR_TOOBIG:
        return "the body is too big";
    case TROUPE_ERR_THREAD:
        return "called from a thread that does not own it";
    case TROUPE_ERR_EXISTS:
        return "the name is taken";
    case TROUPE_ERR_DEADLOCK:
        return "actors wait for each other in a circle";
    }
    return "unknown error";
}

const char *troupe_error_detail(void)
{
    if (error_full != 0) {
        trp_error_set_detail(
            "the mailbox of executor %u is full; wait for the ROOM notice", error_full - 1);
    }
    return error_detail;
}

void trp_error_set_detail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(error_detail, sizeof(error_detail), format, arguments);
    va_end(arguments);
    error_full = 0;
}

enum troupe_err trp_error_full(uint32_t executor_id)
{
    error_full = executor_id + 1;
    return TROUPE_ERR_FULL;
}

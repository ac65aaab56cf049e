#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

enum { DETAIL_BYTES = 1024 };

static _Thread_local char error_detail[DETAIL_BYTES];
static _Thread_local bool error_full_notified;    // whoever sends gets a ROOM
static _Thread_local enum troupe_err error_noted; // that the detail is of
static _Thread_local uint32_t
    error_full; // executor + 1 whose full mailbox is to be explained; 0: none

const char *troupe_strerror(enum troupe_err err)
{
    switch (err) {
    case TROUPE_OK:
        return "success";
    case TROUPE_ERR_NOMEM:
        return "no memory";
    case TROUPE_ERR_INVAL:
        return "a value is invalid";
    case TROUPE_ERR_NOENT:
        return "nothing has that name or reference";
    case TROUPE_ERR_FULL:
        return "the mailbox is full";
    case TROUPE_ERR_TIMEDOUT:
        return "the deadline passed";
    case TROUPE_ERR_CLOSED:
        return "stopping; no new work is accepted";
    case TROUPE_ERR_LIMIT:
        return "a limit is reached";
    case TROUPE_ERR_UNSUPPORTED:
        return "not supported";
    case TROUPE_ERR_SYSTEM:
        return "a system call failed";
    case TROUPE_ERR_TOOBIG:
        return "the body is too large";
    case TROUPE_ERR_THREAD:
        return "called on a thread that does not own the context or inbox";
    case TROUPE_ERR_EXISTS:
        return "the name is registered already";
    case TROUPE_ERR_DEADLOCK:
        return "actors wait for each other in a circle";
    }
    return "unknown error";
}

const char *troupe_error_detail(void)
{
    if (error_full != 0) {
        trp_error_set_detail(
            "the mailbox of executor %u is full; %s",
            error_full - 1,
            error_full_notified
                ? "wait for the ROOM notice"
                : "run the system and try again: no actor sends this that could get "
                  "a ROOM notice");
        error_noted = TROUPE_ERR_FULL;
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

void trp_error_note(enum troupe_err err)
{
    error_noted = err;
}

void trp_error_clear(void)
{
    error_detail[0] = '\0';
    error_noted = TROUPE_OK;
    error_full = 0;
}

const char *trp_error_text(enum troupe_err err)
{
    const char *detail = troupe_error_detail();
    return error_noted == err && detail[0] != '\0' ? detail : troupe_strerror(err);
}

enum troupe_err trp_error_full(uint32_t executor_id, bool is_notified)
{
    error_full_notified = is_notified;
    error_full = executor_id + 1;
    error_noted = TROUPE_ERR_FULL;
    return TROUPE_ERR_FULL;
}

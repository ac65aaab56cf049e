#include "base/parse_error.h"

#include <stdarg.h>
#include <stdio.h>

enum { SHOWN_BYTES = 160, SHOWN_BEFORE_BYTES = 100, HEADING_BYTES = 384 };

void trp_flaw_set(
    struct trp_flaw *flaw, enum troupe_err err, size_t offset, const char *format, ...)
{
    flaw->err = err;
    flaw->offset = offset;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(flaw->what, sizeof(flaw->what), format, arguments);
    va_end(arguments);
}

enum troupe_err trp_flaw_explain(
    const struct trp_flaw *flaw, const char *text, size_t text_bytes, const char *format, ...)
{
    char heading[HEADING_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(heading, sizeof(heading), format, arguments);
    va_end(arguments);

    size_t first = flaw->offset > SHOWN_BYTES ? flaw->offset - SHOWN_BEFORE_BYTES : 0;
    size_t shown = text_bytes - first;
    trp_error_set_detail(
        "%s: %s\n    %.*s\n    %*s^",
        heading,
        flaw->what,
        (int)(shown < SHOWN_BYTES ? shown : SHOWN_BYTES),
        text + first,
        (int)(flaw->offset - first),
        "");
    return flaw->err;
}

#include "base/parse_error.h"

#include <stdarg.h>
#include <stdio.h>

enum { SHOWN_BYTES = 160, SHOWN_BEFORE_BYTES = 100, HEADING_BYTES = 384 };

void trp_parse_error_set(
    struct trp_parse_error *parse_error,
    enum troupe_err err,
    size_t offset,
    const char *format,
    ...)
{
    parse_error->err = err;
    parse_error->offset = offset;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(parse_error->what, sizeof(parse_error->what), format, arguments);
    va_end(arguments);
}

enum troupe_err trp_parse_error_explain(
    const struct trp_parse_error *parse_error,
    const char *text,
    size_t text_bytes,
    const char *format,
    ...)
{
    char heading[HEADING_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(heading, sizeof(heading), format, arguments);
    va_end(arguments);

    size_t first = parse_error->offset > SHOWN_BYTES ? parse_error->offset - SHOWN_BEFORE_BYTES : 0;
    size_t shown = text_bytes - first;
    trp_error_set_detail(
        "%s: %s\n    %.*s\n    %*s^",
        heading,
        parse_error->what,
        (int)(shown < SHOWN_BYTES ? shown : SHOWN_BYTES),
        text + first,
        (int)(parse_error->offset - first),
        "");
    return parse_error->err;
}

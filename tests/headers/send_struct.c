/*
 * TROUPE_SEND() with a pointer to POINTED. It compiles where that is a struct or a number, and is refused
 * where it is char or void, whose size says nothing of the body's; see integration/send_macro.sh.
 */
#include <troupe/troupe.h>

struct point {
    double x;
    double y;
};

enum troupe_err send_it(troupe_context_t *ctx, troupe_ref_t to, POINTED *body);

enum troupe_err send_it(troupe_context_t *ctx, troupe_ref_t to, POINTED *body)
{
    return TROUPE_SEND(ctx, to, 1, body);
}

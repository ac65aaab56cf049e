#include "troupe/ref.h"

#include "base/error.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

bool troupe_ref_is_none(troupe_ref_t ref)
{
    return ref.node == 0;
}

bool troupe_ref_equal(troupe_ref_t a, troupe_ref_t b)
{
    return a.node == b.node && a.executor == b.executor && a.index == b.index &&
           a.generation == b.generation;
}

static int ref_compare_part(uint32_t a, uint32_t b)
{
    return (a > b) - (a < b);
}

int troupe_ref_compare(troupe_ref_t a, troupe_ref_t b)
{
    int order = ref_compare_part(a.node, b.node);
    if (order == 0) {
        order = ref_compare_part(a.executor, b.executor);
    }
    if (order == 0) {
        order = ref_compare_part(a.index, b.index);
    }
    return order != 0 ? order : ref_compare_part(a.generation, b.generation);
}

const char *troupe_ref_print(troupe_ref_t ref, char text[TROUPE_REF_TEXT_BYTES])
{
    if (troupe_ref_is_none(ref)) {
        return memcpy(text, "-", sizeof("-"));
    }
    (void)snprintf(
        text,
        TROUPE_REF_TEXT_BYTES,
        "%u.%u.%u.%u",
        ref.node,
        ref.executor,
        ref.index,
        ref.generation);
    return text;
}

/**
 * Read a decimal number at *at_p, which advances over it.
 *
 * @return false: there is none, or it is too large.
 */
static bool ref_parse_part(const char **at_p, uint32_t *out_part)
{
    const char *at = *at_p;
    uint64_t part = 0;
    while (isdigit((unsigned char)*at) && part <= UINT32_MAX) {
        part = part * 10 + (uint64_t)(*at++ - '0');
    }
    bool parsed = at != *at_p && part <= UINT32_MAX;
    *out_part = (uint32_t)part;
    *at_p = at;
    return parsed;
}

enum troupe_err troupe_ref_parse(const char *text, troupe_ref_t *out_ref)
{
    if (strcmp(text, "-") == 0) {
        *out_ref = TROUPE_REF_NONE;
        return TROUPE_OK;
    }
    uint32_t parts[4] = {0};
    const char *at = text;
    for (int i = 0; i < 4; i++) {
        bool parsed = ref_parse_part(&at, &parts[i]);
        if (!parsed || *at != (i < 3 ? '.' : '\0')) {
            return TRP_EXPLAIN(
                TROUPE_ERR_INVAL,
                "'%s' is no reference at character %td: it should read "
                "node.executor.index.generation",
                text,
                at - text + 1);
        }
        at++;
    }
    if (parts[0] == 0) {
        return TRP_EXPLAIN(TROUPE_ERR_INVAL, "'%s' is no reference: node 0 does not exist", text);
    }
    *out_ref = (troupe_ref_t){parts[0], parts[1], parts[2], parts[3]};
    return TROUPE_OK;
}

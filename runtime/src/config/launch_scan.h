/**
 * @file launch_scan.h
 * @brief Where everything stands in a launch file.
 *
 * `zconfig` tells values, and neither where they stood nor, but on standard output, what is wrong with
 * a file. So a file is scanned before it is given to it: what passes here is ZPL, in the order in which
 * `zconfig` tells it.
 */
#ifndef TRP_LAUNCH_SCAN_H
#define TRP_LAUNCH_SCAN_H

#include "base/parse_error.h"

#include <stddef.h>
#include <stdint.h>

enum {
    TRP_LAUNCH_BYTES_MAX = 1 << 20,
    TRP_LAUNCH_LINE_BYTES_MAX = 1024, // some versions of zconfig cut a line there
    TRP_LAUNCH_ITEM_COUNT_MAX =
        4096, // zconfig needs stack for each, and time by the square of them
};

/** A line of a text, which ends at a newline or with the text. */
struct trp_launch_line {
    const char *text;
    uint32_t bytes;
    uint32_t number; // from 1
};

/** `NAME`, or `NAME = VALUE`. Offsets are in the line. */
struct trp_launch_item {
    struct trp_launch_line line;
    uint32_t level; // of indentation
    uint32_t name_offset;
    uint32_t name_bytes;
    uint32_t value_offset; // 0: it has none
};

struct trp_launch_scan {
    struct trp_launch_item *items;
    size_t count;
};

/**
 * Find all items of a text.
 *
 * @param name  Of the file, for the message.
 *
 * @retval TROUPE_ERR_INVAL  it is no ZPL; the detail says where.
 * @retval TROUPE_ERR_NOMEM  no memory.
 */
enum troupe_err trp_launch_scan(
    const char *text, size_t bytes, const char *name, struct trp_launch_scan *out_scan);

/** Set the detail: what *flaw says of a line, with its place and a caret. @return the flaw's error. */
enum troupe_err trp_launch_explain(
    const char *name,
    const struct trp_launch_line *line,
    const struct trp_parse_error *parse_error);

/** As trp_launch_explain(): @p what is wrong at @p offset of an item's line. @return ::TROUPE_ERR_INVAL */
enum troupe_err trp_launch_refuse(
    const char *name, const struct trp_launch_item *item, uint32_t offset, const char *what);

void trp_launch_scan_fini(struct trp_launch_scan *scan);

#endif

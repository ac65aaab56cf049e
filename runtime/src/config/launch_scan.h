/**
 * @file launch_scan.h
 * @brief Find the position of each item in a launch file, and check the file's syntax.
 *
 * `zconfig` yields values, but not where they stand, and prints errors to standard output. So a
 * file is scanned before zconfig reads it: a text that passes is ZPL, and its items are in the
 * order in which zconfig yields them.
 */
#ifndef TRP_LAUNCH_SCAN_H
#define TRP_LAUNCH_SCAN_H

#include "base/parse_error.h"

#include <stddef.h>
#include <stdint.h>

enum {
    TRP_LAUNCH_BYTES_MAX = 1 << 20,
    TRP_LAUNCH_LINE_BYTES_MAX = 1024, // some versions of zconfig cut longer lines
    // zconfig takes stack for each item, and time by the square of their number.
    TRP_LAUNCH_ITEM_COUNT_MAX = 4096,
};

/** A line of a text, which ends at a newline or with the text. */
struct trp_launch_line {
    const char *text;
    uint32_t bytes;
    uint32_t number; // from 1
};

/** `NAME` or `NAME = VALUE`. Offsets are within the line. */
struct trp_launch_item {
    struct trp_launch_line line;
    uint32_t level; // of indentation, from 0
    uint32_t name_offset;
    uint32_t name_bytes;
    uint32_t value_offset; // 0: it has no value
};

struct trp_launch_scan {
    struct trp_launch_item *items;
    size_t count;
};

/**
 * Find all items of a text.
 *
 * @param name  Of the file, for error texts.
 *
 * @retval TROUPE_OK         *out_scan is set.
 * @retval TROUPE_ERR_INVAL  the text is no ZPL; the detail says where.
 * @retval TROUPE_ERR_NOMEM  no memory.
 */
enum troupe_err trp_launch_scan(
    const char *text, size_t bytes, const char *name, struct trp_launch_scan *out_scan);

/**
 * Set the detail to an error in a line, with its position and a caret.
 *
 * @return the error's code.
 */
enum troupe_err trp_launch_explain(
    const char *name,
    const struct trp_launch_line *line,
    const struct trp_parse_error *parse_error);

/**
 * Set the detail to @p what, at @p offset of an item's line, likewise.
 *
 * @return ::TROUPE_ERR_INVAL
 */
enum troupe_err trp_launch_refuse(
    const char *name, const struct trp_launch_item *item, uint32_t offset, const char *what);

void trp_launch_scan_fini(struct trp_launch_scan *scan);

#endif

#include "config/launch_scan.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { INDENT_BYTES = 4 };

/** A position in a line. */
struct scan_reader {
    struct trp_launch_line line; // without blanks at its end
    uint32_t at;
    uint32_t level_max; // of the next entry: one more than that of the entry before
    struct trp_parse_error *parse_error;
};

static enum troupe_err scan_refuse(const struct scan_reader *reader, const char *what)
{
    return TRP_PARSE_ERROR(reader->parse_error, TROUPE_ERR_INVAL, reader->at, "%s", what);
}

/** @return the next character; at the end of the line, NUL. */
static char scan_peek(const struct scan_reader *reader)
{
    if (reader->at == reader->line.bytes) {
        return '\0';
    }
    return reader->line.text[reader->at];
}

static bool scan_is_blank(char character)
{
    return character == ' ' || character == '\t' || character == '\r';
}

static void scan_skip_blanks(struct scan_reader *reader)
{
    while (scan_is_blank(scan_peek(reader))) {
        reader->at++;
    }
}

/** Check length and characters of a line. */
static enum troupe_err scan_check_line(struct scan_reader *reader)
{
    if (reader->line.bytes > TRP_LAUNCH_LINE_BYTES_MAX) {
        return TRP_PARSE_ERROR(
            reader->parse_error,
            TROUPE_ERR_INVAL,
            TRP_LAUNCH_LINE_BYTES_MAX,
            "a line has at most %d bytes; this one is longer",
            TRP_LAUNCH_LINE_BYTES_MAX);
    }
    for (uint32_t at = 0; at < reader->line.bytes; at++) {
        unsigned char character = (unsigned char)reader->line.text[at];
        if ((character < ' ' && character != '\t') || character == 0x7f) {
            return TRP_PARSE_ERROR(
                reader->parse_error,
                TROUPE_ERR_INVAL,
                at,
                "control character 0x%02x; a launch file is text",
                character);
        }
    }
    return TROUPE_OK;
}

static enum troupe_err scan_read_indent(struct scan_reader *reader, struct trp_launch_item *item)
{
    while (scan_peek(reader) == ' ') {
        reader->at++;
    }
    if (scan_peek(reader) == '\t') {
        return scan_refuse(reader, "indent by blanks, four a level, and not by tabs");
    }
    if (reader->at % INDENT_BYTES != 0) {
        return scan_refuse(reader, "indent by four blanks a level");
    }
    item->level = reader->at / INDENT_BYTES;
    return TROUPE_OK;
}

static bool scan_is_of_name(char character)
{
    return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') ||
           (character >= '0' && character <= '9') ||
           (character != '\0' && strchr("$-_@.&+/", character) != NULL);
}

static enum troupe_err scan_read_name(struct scan_reader *reader, struct trp_launch_item *item)
{
    item->name_offset = reader->at;
    while (scan_is_of_name(scan_peek(reader))) {
        reader->at++;
    }
    item->name_bytes = reader->at - item->name_offset;
    if (item->name_bytes == 0) {
        return scan_refuse(reader, "expected a name of letters, digits and $-_@.&+/");
    }
    if (item->level > reader->level_max) {
        reader->at = item->name_offset;
        return scan_refuse(reader, "this is indented too far: no entry above it could contain it");
    }
    const char *name = reader->line.text + item->name_offset;
    if (name[0] == '/' || name[item->name_bytes - 1] == '/') {
        reader->at = item->name_offset;
        return scan_refuse(reader, "a name must neither begin nor end with '/'");
    }
    return TROUPE_OK;
}

/** Check that nothing but a comment follows. */
static enum troupe_err scan_read_end(struct scan_reader *reader, const char *what)
{
    scan_skip_blanks(reader);
    char character = scan_peek(reader);
    return character == '\0' || character == '#' ? TROUPE_OK : scan_refuse(reader, what);
}

static enum troupe_err scan_read_value(struct scan_reader *reader, struct trp_launch_item *item)
{
    scan_skip_blanks(reader);
    if (scan_peek(reader) != '=') {
        return scan_read_end(reader, "expected '=', or the end of the line");
    }
    reader->at++;
    scan_skip_blanks(reader);
    char first = scan_peek(reader);
    if (first == '\0' || first == '#') {
        return scan_refuse(reader, "expected a value");
    }
    item->value_offset = reader->at;
    if (first != '"' && first != '\'') {
        return TROUPE_OK;
    }
    item->value_offset++;
    const char *begin = reader->line.text + item->value_offset;
    const char *end = memchr(begin, first, reader->line.bytes - item->value_offset);
    if (end == NULL) {
        return scan_refuse(reader, "this quote is not closed on its line");
    }
    reader->at = (uint32_t)(end + 1 - reader->line.text);
    return scan_read_end(
        reader,
        "nothing may follow the closing quote; to write a quote, put the other kind around the "
        "value");
}

static enum troupe_err scan_read_line(struct scan_reader *reader, struct trp_launch_item *item)
{
    enum troupe_err err = scan_check_line(reader);
    if (err == TROUPE_OK && reader->line.bytes > 0) {
        err = scan_read_indent(reader, item);
    }
    if (err != TROUPE_OK || scan_peek(reader) == '\0' || scan_peek(reader) == '#') {
        return err;
    }
    item->line = reader->line;
    err = scan_read_name(reader, item);
    return err == TROUPE_OK ? scan_read_value(reader, item) : err;
}

/** Append an item. */
static enum troupe_err scan_add(
    struct trp_launch_scan *scan,
    const struct trp_launch_item *item,
    struct trp_parse_error *parse_error)
{
    if (scan->count == TRP_LAUNCH_ITEM_COUNT_MAX) {
        return TRP_PARSE_ERROR(
            parse_error,
            TROUPE_ERR_INVAL,
            item->name_offset,
            "a launch file has at most %d entries",
            TRP_LAUNCH_ITEM_COUNT_MAX);
    }
    if ((scan->count & (scan->count - 1)) == 0) { // it is full at each power of two
        size_t capacity = scan->count == 0 ? 1 : scan->count * 2;
        struct trp_launch_item *items = reallocarray(scan->items, capacity, sizeof(*items));
        if (items == NULL) {
            return TRP_PARSE_ERROR(
                parse_error, TROUPE_ERR_NOMEM, 0, "no memory for the entries of a launch file");
        }
        scan->items = items;
    }
    scan->items[scan->count++] = *item;
    return TROUPE_OK;
}

/**
 * @return the line at @p text without the blanks at its end; a line that is too long, unchanged.
 */
static struct trp_launch_line scan_cut_line(const char *text, size_t bytes, uint32_t number)
{
    size_t trimmed_bytes = bytes;
    while (bytes <= TRP_LAUNCH_LINE_BYTES_MAX && trimmed_bytes > 0 &&
           scan_is_blank(text[trimmed_bytes - 1])) {
        trimmed_bytes--;
    }
    return (struct trp_launch_line){
        .text = text, .bytes = (uint32_t)trimmed_bytes, .number = number};
}

enum troupe_err trp_launch_scan(
    const char *text, size_t bytes, const char *name, struct trp_launch_scan *out_scan)
{
    struct trp_launch_scan scan = {0};
    struct trp_parse_error parse_error = {0};
    struct scan_reader reader = {.parse_error = &parse_error};
    enum troupe_err err = TROUPE_OK;
    for (size_t at = 0; at < bytes && err == TROUPE_OK;) {
        const char *newline = memchr(text + at, '\n', bytes - at);
        size_t line_bytes = newline == NULL ? bytes - at : (size_t)(newline - (text + at));
        reader.line = scan_cut_line(text + at, line_bytes, reader.line.number + 1);
        reader.at = 0;
        struct trp_launch_item item = {0};
        err = scan_read_line(&reader, &item);
        if (err == TROUPE_OK && item.name_bytes > 0) {
            err = scan_add(&scan, &item, &parse_error);
            reader.level_max = item.level + 1;
        }
        at += line_bytes + 1;
    }
    if (err != TROUPE_OK) {
        trp_launch_scan_fini(&scan);
        return trp_launch_explain(name, &reader.line, &parse_error);
    }
    *out_scan = scan;
    return TROUPE_OK;
}

enum troupe_err trp_launch_explain(
    const char *name, const struct trp_launch_line *line, const struct trp_parse_error *parse_error)
{
    return trp_parse_error_explain(
        parse_error,
        line->text,
        line->bytes,
        "launch file %s, line %u, column %zu",
        name,
        line->number,
        parse_error->offset + 1);
}

enum troupe_err trp_launch_refuse(
    const char *name, const struct trp_launch_item *item, uint32_t offset, const char *what)
{
    struct trp_parse_error parse_error;
    trp_parse_error_set(&parse_error, TROUPE_ERR_INVAL, offset, "%s", what);
    return trp_launch_explain(name, &item->line, &parse_error);
}

void trp_launch_scan_fini(struct trp_launch_scan *scan)
{
    free(scan->items);
    *scan = (struct trp_launch_scan){0};
}

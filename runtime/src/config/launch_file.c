/*
 * Read a launch file: scan the text for where each item stands, let zconfig read the values, and
 * hand each value to the function of its key.
 *
 *     file --> text --+--> trp_launch_scan() --> items: where each stands --+
 *                     |                                                    +--> keys --> launch
 *                     +--> zconfig --> a tree of names and values ---------+
 *
 * The scan has the items in the order in which zconfig lists them, so the two are walked in step.
 * Of czmq only the functions that read a tree from memory are used: they make no socket, so czmq
 * installs no signal handler and changes no limit.
 */
#include "config/launch_file.h"

#include "config/launch_keys.h"
#include "config/launch_scan.h"
#include "config/limits.h"
#include "config/placement.h"

#include <czmq.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ACTOR_NAME_BYTES_MAX = 255, SECTION_COUNT = 4 };

struct file_reader {
    struct trp_launch *launch;
    struct trp_launch_scan scan;
    size_t next; // item of the scan
    struct trp_launch_target target;

    // The line of each key of a section; 0: not there yet. A file may have the same section twice.
    uint32_t lines[SECTION_COUNT][TRP_LAUNCH_KEY_COUNT_MAX];
};

static const struct file_section {
    const char *name;
    const struct trp_launch_key *keys; // NULL: a section of actors
    const struct trp_rule_kind *rule_kind;
} file_sections[SECTION_COUNT] = {
    {"options", trp_launch_option_keys, NULL},
    {"place", trp_launch_rule_keys, &trp_placement_kind},
    {"limit", trp_launch_rule_keys, &trp_limits_kind},
    {"actors", NULL, NULL},
};

/** Explain what is wrong with an item, at @p offset of its line. */
static enum troupe_err file_refuse(
    const struct file_reader *reader,
    const struct trp_launch_item *item,
    uint32_t offset,
    const char *what)
{
    return trp_launch_refuse(reader->launch->name, item, offset, what);
}

/** @return the item of @p config, the next one of the tree; NULL: the scan has another there. */
static const struct trp_launch_item *file_take(struct file_reader *reader, zconfig_t *config)
{
    const struct trp_launch_item *item =
        reader->next < reader->scan.count ? &reader->scan.items[reader->next] : NULL;
    const char *name = zconfig_name(config);
    if (item == NULL || strlen(name) != item->name_bytes ||
        memcmp(name, item->line.text + item->name_offset, item->name_bytes) != 0) {
        (void)TRP_EXPLAIN(
            TROUPE_ERR_INVAL,
            "launch file %s: zconfig reads an entry '%s' that is not written as one; quote the "
            "values near it",
            reader->launch->name,
            name);
        return NULL;
    }
    reader->next++;
    return item;
}

/** Explain that the name of an item is unknown, with the names that are known. */
static enum troupe_err file_refuse_name(
    const struct file_reader *reader,
    const struct trp_launch_item *item,
    const char *what,
    const char *known)
{
    struct trp_parse_error parse_error;
    trp_parse_error_set(
        &parse_error,
        TROUPE_ERR_INVAL,
        item->name_offset,
        "unknown %s '%.*s'; known here are %s",
        what,
        (int)(item->name_bytes < 64 ? item->name_bytes : 64),
        item->line.text + item->name_offset,
        known);
    return trp_launch_explain(reader->launch->name, &item->line, &parse_error);
}

static enum troupe_err file_refuse_key(
    const struct file_reader *reader,
    const struct trp_launch_item *item,
    const struct trp_launch_key *keys)
{
    char known[128] = "";
    size_t at = 0;
    for (size_t i = 0; keys[i].name != NULL && at < sizeof(known); i++) {
        const char *comma = i == 0 ? "" : ", ";
        at += (size_t)snprintf(known + at, sizeof(known) - at, "%s%s", comma, keys[i].name);
    }
    return file_refuse_name(reader, item, "key", known);
}

/** Check that a key has a value and is there once. @p line: where it stood before; 0: nowhere. */
static enum troupe_err file_check_key(
    const struct file_reader *reader,
    const struct trp_launch_item *item,
    const struct trp_launch_key *key,
    uint32_t *line)
{
    if (item->value_offset == 0) {
        return file_refuse(
            reader, item, item->name_offset + item->name_bytes, "expected '=' and a value");
    }
    if (*line != 0 && !key->is_repeatable) {
        char what[64];
        (void)snprintf(what, sizeof(what), "this key is given twice, first on line %u", *line);
        return file_refuse(reader, item, item->name_offset, what);
    }
    *line = item->line.number;
    return TROUPE_OK;
}

/** Read an entry `KEY = VALUE`. @p lines: where each key stood before. */
static enum troupe_err file_read_entry(
    struct file_reader *reader,
    zconfig_t *entry,
    const struct trp_launch_key *keys,
    uint32_t *lines)
{
    const struct trp_launch_item *item = file_take(reader, entry);
    if (item == NULL) {
        return TROUPE_ERR_INVAL;
    }
    size_t i = 0;
    while (keys[i].name != NULL && strcmp(keys[i].name, zconfig_name(entry)) != 0) {
        i++;
    }
    if (keys[i].name == NULL) {
        return file_refuse_key(reader, item, keys);
    }
    enum troupe_err err = file_check_key(reader, item, &keys[i], &lines[i]);
    if (err == TROUPE_OK) {
        err = keys[i].read(
            &reader->target,
            &(struct trp_launch_value){.text = zconfig_value(entry), .item = item});
    }
    if (err == TROUPE_OK && zconfig_child(entry) != NULL) {
        item = file_take(reader, zconfig_child(entry));
        err = item == NULL ? TROUPE_ERR_INVAL
                           : file_refuse(
                                 reader,
                                 item,
                                 item->name_offset,
                                 "this is indented too far: the entry above it has a value, and so "
                                 "no entries below it");
    }
    return err;
}

/** Read all entries below an item. */
static enum troupe_err file_read_entries(
    struct file_reader *reader,
    zconfig_t *above,
    const struct trp_launch_key *keys,
    uint32_t *lines)
{
    enum troupe_err err = TROUPE_OK;
    for (zconfig_t *entry = zconfig_child(above); entry != NULL && err == TROUPE_OK;
         entry = zconfig_next(entry)) {
        err = file_read_entry(reader, entry, keys, lines);
    }
    return err;
}

/** Check the line with the name of an actor. */
static enum troupe_err file_check_actor(
    const struct file_reader *reader, const struct trp_launch_item *item, const char *name)
{
    if (item->value_offset != 0) {
        return file_refuse(
            reader,
            item,
            item->value_offset,
            "the name of an actor has no value; its entries go below it, indented");
    }
    if (item->name_bytes > ACTOR_NAME_BYTES_MAX) {
        return file_refuse(
            reader, item, item->name_offset, "the name of an actor has at most 255 bytes");
    }
    for (size_t i = 0; i < reader->launch->actor_count; i++) {
        const struct trp_launch_text *other = &reader->launch->actors[i].name;
        if (strcmp(other->text, name) == 0) {
            char what[64];
            (void)snprintf(
                what, sizeof(what), "an actor of this name stands on line %u already", other->line);
            return file_refuse(reader, item, item->name_offset, what);
        }
    }
    return TROUPE_OK;
}

static enum troupe_err file_read_actor(struct file_reader *reader, zconfig_t *config)
{
    const struct trp_launch_item *item = file_take(reader, config);
    const char *name = zconfig_name(config);
    enum troupe_err err = item == NULL ? TROUPE_ERR_INVAL : file_check_actor(reader, item, name);
    if (err != TROUPE_OK) {
        return err;
    }
    struct trp_launch_actor *actor = trp_launch_add_actor(reader->launch);
    if (actor == NULL) {
        return TROUPE_ERR_NOMEM;
    }
    reader->target.actor = actor;
    err =
        trp_launch_keep(name, item->name_bytes, item->line.number, item->name_offset, &actor->name);
    uint32_t lines[TRP_LAUNCH_KEY_COUNT_MAX] = {0};
    if (err == TROUPE_OK) {
        err = file_read_entries(reader, config, trp_launch_actor_keys, lines);
    }
    if (err == TROUPE_OK && actor->behaviour.line == 0) {
        err = file_refuse(
            reader,
            item,
            item->name_offset,
            "this actor has no behaviour: add 'behaviour = NAME' below it, indented");
    }
    return err;
}

static enum troupe_err file_read_section(struct file_reader *reader, zconfig_t *config)
{
    const struct trp_launch_item *item = file_take(reader, config);
    if (item == NULL) {
        return TROUPE_ERR_INVAL;
    }
    size_t i = 0;
    while (i < SECTION_COUNT && strcmp(file_sections[i].name, zconfig_name(config)) != 0) {
        i++;
    }
    if (i == SECTION_COUNT) {
        return file_refuse_name(reader, item, "section", "options, place, limit, actors");
    }
    if (item->value_offset != 0) {
        return file_refuse(
            reader,
            item,
            item->value_offset,
            "a section has no value; its entries go below it, indented");
    }
    reader->target.rule_kind = file_sections[i].rule_kind;
    if (file_sections[i].keys != NULL) {
        return file_read_entries(reader, config, file_sections[i].keys, reader->lines[i]);
    }
    enum troupe_err err = TROUPE_OK;
    for (zconfig_t *actor = zconfig_child(config); actor != NULL && err == TROUPE_OK;
         actor = zconfig_next(actor)) {
        err = file_read_actor(reader, actor);
    }
    return err;
}

/** Read a scanned text. */
static enum troupe_err file_read(struct file_reader *reader, const char *text, size_t bytes)
{
    if (reader->scan.count == 0) {
        return TROUPE_OK;
    }
    zchunk_t *chunk = zchunk_new(text, bytes);
    zconfig_t *root = chunk == NULL ? NULL : zconfig_chunk_load(chunk);
    zchunk_destroy(&chunk);
    if (root == NULL) {
        return TRP_EXPLAIN(
            TROUPE_ERR_INVAL, "launch file %s: zconfig cannot read it", reader->launch->name);
    }
    enum troupe_err err = TROUPE_OK;
    for (zconfig_t *section = zconfig_child(root); section != NULL && err == TROUPE_OK;
         section = zconfig_next(section)) {
        err = file_read_section(reader, section);
    }
    zconfig_destroy(&root);
    return err;
}

/** Copy the name of a file so that it can be shown within a line: of a long one, its end. */
static void file_keep_name(const char *name, char shown[TRP_LAUNCH_NAME_BYTES])
{
    size_t bytes = strlen(name);
    bool is_cut = bytes >= TRP_LAUNCH_NAME_BYTES;
    (void)snprintf(
        shown,
        TRP_LAUNCH_NAME_BYTES,
        "%s%s",
        is_cut ? "..." : "",
        is_cut ? name + bytes + sizeof("...") - TRP_LAUNCH_NAME_BYTES : name);
    for (char *at = shown; *at != '\0'; at++) {
        if ((unsigned char)*at < ' ' || *at == 0x7f) {
            *at = '?';
        }
    }
}

enum troupe_err trp_launch_parse(
    const char *text, size_t bytes, const char *name, struct trp_launch *out_launch)
{
    struct trp_launch launch = {0};
    struct file_reader reader = {.launch = &launch, .target = {.launch = &launch}};
    file_keep_name(name, launch.name);
    enum troupe_err err = TROUPE_OK;
    if (bytes > TRP_LAUNCH_BYTES_MAX) {
        err = TRP_EXPLAIN(
            TROUPE_ERR_INVAL, "launch file %s: a launch file has at most 1 MiB", launch.name);
    }
    if (err == TROUPE_OK) {
        err = trp_launch_scan(text, bytes, launch.name, &reader.scan);
    }
    if (err == TROUPE_OK) {
        err = file_read(&reader, text, bytes);
    }
    trp_launch_scan_fini(&reader.scan);
    if (err != TROUPE_OK) {
        trp_launch_fini(&launch);
        return err;
    }
    *out_launch = launch;
    return TROUPE_OK;
}

/* Files. --------------------------------------------------------------------------------------- */

/** Read up to @p most bytes. @return how many; -1: an error, which errno has. */
static ssize_t file_read_all(int fd, char *bytes, size_t most)
{
    size_t count = 0;
    while (count < most) {
        ssize_t got = read(fd, bytes + count, most - count);
        if (got == 0) {
            break;
        }
        if (got < 0 && errno != EINTR) {
            return -1;
        }
        count += got > 0 ? (size_t)got : 0;
    }
    return (ssize_t)count;
}

static enum troupe_err file_cannot_read(const char *path)
{
    char name[TRP_LAUNCH_NAME_BYTES];
    const char *why = strerrordesc_np(errno);
    file_keep_name(path, name);
    return TRP_EXPLAIN(
        TROUPE_ERR_INVAL,
        "launch file %s cannot be read: %s",
        name,
        why != NULL ? why : "an unknown error");
}

enum troupe_err trp_launch_load(const char *path, struct trp_launch *out_launch)
{
    // One byte more than the maximum, so that a longer file is recognised.
    const size_t most = TRP_LAUNCH_BYTES_MAX + 1;
    char *text = malloc(most);
    if (text == NULL) {
        return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for a launch file");
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t bytes = fd < 0 ? -1 : file_read_all(fd, text, most);
    enum troupe_err err = bytes < 0 ? file_cannot_read(path)
                                    : trp_launch_parse(text, (size_t)bytes, path, out_launch);
    if (fd >= 0) {
        (void)close(fd);
    }
    free(text);
    return err;
}

/*
 * Launch files: what zconfig tells of one, put where it belongs.
 *
 *     file --> text --> trp_launch_scan() --> zconfig --> sections --> keys
 *                       where things stand    values
 *
 * The scan has the items in zconfig's order, so the two are walked side by side. Of czmq only what
 * reads a tree from memory is used: it makes no socket, so it installs no handler and changes no limit.
 */
#include "config/launch_file.h"

#include "base/units.h"
#include "config/launch_scan.h"
#include "config/limits.h"
#include "config/placement.h"
#include "config/watchdog_setting.h"

#include <czmq.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ACTOR_NAME_BYTES_MAX = 255, ARGS_BYTES_MAX = 32768 };
enum { SECTION_COUNT = 4, KEY_COUNT_MAX = 5 };

struct launch_reader {
    struct trp_launch *launch;
    struct trp_launch_scan scan;
    size_t next;                           // item of the scan
    const struct trp_rule_kind *rule_kind; // of the section at hand
    struct trp_launch_actor *actor;        // at hand

    // Where each key of a section stood before; 0: nowhere. The same section may be there twice.
    uint32_t lines[SECTION_COUNT][KEY_COUNT_MAX];
};

/** A value, and the item that it stands in. */
struct launch_value {
    const char *text;
    const struct trp_launch_item *item;
};

typedef enum troupe_err launch_read_fn(
    struct launch_reader *reader, const struct launch_value *value);

struct launch_key {
    const char *name; // NULL: no more
    launch_read_fn *read;
    bool is_repeatable;
};

/** Explain what is wrong with an item, at @p offset of its line. */
static enum troupe_err launch_refuse(
    const struct launch_reader *reader,
    const struct trp_launch_item *item,
    uint32_t offset,
    const char *what)
{
    struct trp_parse_error parse_error;
    trp_parse_error_set(&parse_error, TROUPE_ERR_INVAL, offset, "%s", what);
    return trp_launch_explain(reader->launch->name, &item->line, &parse_error);
}

/** Explain a flaw in a value. */
static enum troupe_err launch_refuse_value(
    const struct launch_reader *reader,
    const struct launch_value *value,
    struct trp_parse_error *parse_error)
{
    parse_error->offset += value->item->value_offset;
    return trp_launch_explain(reader->launch->name, &value->item->line, parse_error);
}

/** Have one more element in an array. @return it, zeroed; NULL: no memory. */
static void *launch_grow(void *array_p, size_t *count, size_t element_bytes)
{
    void *array = NULL;
    memcpy(&array, array_p, sizeof(array));
    if ((*count & (*count - 1)) == 0) { // full, at each power of two
        array = reallocarray(array, *count == 0 ? 1 : *count * 2, element_bytes);
        if (array == NULL) {
            (void)TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for a launch file");
            return NULL;
        }
        memcpy(array_p, &array, sizeof(array));
    }
    return memset((char *)array + (*count)++ * element_bytes, 0, element_bytes);
}

static enum troupe_err launch_keep(
    const char *text,
    size_t bytes,
    uint32_t line,
    uint32_t offset,
    struct trp_launch_text *out_text)
{
    char *copy = strndup(text, bytes);
    if (copy == NULL) {
        return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for a launch file");
    }
    *out_text = (struct trp_launch_text){.text = copy, .line = line, .column = offset + 1};
    return TROUPE_OK;
}

static enum troupe_err launch_keep_value(
    const struct launch_value *value, struct trp_launch_text *out_text)
{
    const struct trp_launch_item *item = value->item;
    return launch_keep(
        value->text, strlen(value->text), item->line.number, item->value_offset, out_text);
}

/* Options. -------------------------------------------------------------------------------------- */

typedef bool launch_number_fn(const char *text, size_t *at, uint64_t most, uint64_t *out_number);

static enum troupe_err launch_read_number(
    const struct launch_reader *reader,
    const struct launch_value *value,
    launch_number_fn *parse,
    uint64_t most,
    const char *what,
    struct trp_launch_number *out_number)
{
    size_t at = 0;
    uint64_t number = 0;
    if (!parse(value->text, &at, most, &number) || number == 0 || value->text[at] != '\0') {
        return launch_refuse(reader, value->item, value->item->value_offset, what);
    }
    *out_number = (struct trp_launch_number){.value = number, .line = value->item->line.number};
    return TROUPE_OK;
}

static enum troupe_err launch_read_seed(
    struct launch_reader *reader, const struct launch_value *value)
{
    return launch_read_number(
        reader,
        value,
        trp_number_parse,
        UINT64_MAX,
        "a whole number from 1 belongs here",
        &reader->launch->seed);
}

static enum troupe_err launch_read_mailbox(
    struct launch_reader *reader, const struct launch_value *value)
{
    return launch_read_number(
        reader,
        value,
        trp_number_parse,
        UINT32_MAX,
        "a number of messages, from 1 to 4294967295, belongs here",
        &reader->launch->mailbox_messages);
}

static enum troupe_err launch_read_mailbox_bytes(
    struct launch_reader *reader, const struct launch_value *value)
{
    return launch_read_number(
        reader,
        value,
        trp_size_parse,
        SIZE_MAX / 2,
        "a size from 1 byte belongs here, as in 64M",
        &reader->launch->mailbox_bytes);
}

static enum troupe_err launch_read_stop_timeout(
    struct launch_reader *reader, const struct launch_value *value)
{
    return launch_read_number(
        reader,
        value,
        trp_time_parse,
        INT64_MAX,
        "a time in m, s, ms, us or ns belongs here, as in 1500ms",
        &reader->launch->stop_timeout_ns);
}

static enum troupe_err launch_read_watchdog(
    struct launch_reader *reader, const struct launch_value *value)
{
    struct trp_launch *launch = reader->launch;
    uint64_t ns = 0;
    if (!trp_watchdog_parse(value->text, &ns, &launch->watchdog_kills)) {
        return launch_refuse(
            reader, value->item, value->item->value_offset, TRP_WATCHDOG_SYNTAX " belongs here");
    }
    launch->watchdog_ns = (struct trp_launch_number){.value = ns, .line = value->item->line.number};
    return TROUPE_OK;
}

static enum troupe_err launch_read_words(
    struct launch_reader *reader, const struct launch_value *value, struct trp_launch_words *args)
{
    struct trp_parse_error parse_error = {0};
    if (trp_shell_words_split(value->text, &parse_error, &args->words) != TROUPE_OK) {
        return launch_refuse_value(reader, value, &parse_error);
    }
    if (args->words.byte_count > ARGS_BYTES_MAX) {
        return launch_refuse(
            reader,
            value->item,
            value->item->value_offset,
            "an actor takes at most 32 KiB of words");
    }
    args->line = args->line != 0 ? args->line : value->item->line.number;
    return TROUPE_OK;
}

static enum troupe_err launch_read_first_args(
    struct launch_reader *reader, const struct launch_value *value)
{
    return launch_read_words(reader, value, &reader->launch->args);
}

/* Rules. ---------------------------------------------------------------------------------------- */

static enum troupe_err launch_add_rule(
    struct launch_reader *reader, const struct launch_value *value, bool is_default)
{
    struct trp_parse_error parse_error = {0};
    struct trp_launch *launch = reader->launch;
    if (trp_rule_check(reader->rule_kind, value->text, &parse_error) != TROUPE_OK) {
        return launch_refuse_value(reader, value, &parse_error);
    }
    struct trp_launch_rule *rule =
        launch_grow(&launch->rules, &launch->rule_count, sizeof(*launch->rules));
    if (rule == NULL) {
        return TROUPE_ERR_NOMEM;
    }
    rule->kind = reader->rule_kind;
    rule->is_default = is_default;
    return launch_keep_value(value, &rule->rule);
}

static enum troupe_err launch_read_rule(
    struct launch_reader *reader, const struct launch_value *value)
{
    return launch_add_rule(reader, value, false);
}

static enum troupe_err launch_read_default(
    struct launch_reader *reader, const struct launch_value *value)
{
    return launch_add_rule(reader, value, true);
}

/* Actors. --------------------------------------------------------------------------------------- */

static enum troupe_err launch_read_behaviour(
    struct launch_reader *reader, const struct launch_value *value)
{
    if (value->text[0] == '\0') {
        return launch_refuse(
            reader, value->item, value->item->value_offset, "the name of a behaviour belongs here");
    }
    return launch_keep_value(value, &reader->actor->behaviour);
}

static enum troupe_err launch_read_args(
    struct launch_reader *reader, const struct launch_value *value)
{
    return launch_read_words(reader, value, &reader->actor->args);
}

static enum troupe_err launch_read_place(
    struct launch_reader *reader, const struct launch_value *value)
{
    struct trp_parse_error parse_error = {0};
    struct trp_actor_key place;
    if (trp_place_check(value->text, 0, &parse_error, &place) != TROUPE_OK) {
        return launch_refuse_value(reader, value, &parse_error);
    }
    return launch_keep_value(value, &reader->actor->place);
}

static enum troupe_err launch_read_limits(
    struct launch_reader *reader, const struct launch_value *value)
{
    struct trp_parse_error parse_error = {0};
    struct troupe_limits limits;
    if (trp_limits_check(value->text, 0, &parse_error, &limits) != TROUPE_OK) {
        return launch_refuse_value(reader, value, &parse_error);
    }
    return launch_keep_value(value, &reader->actor->limits);
}

/* Items. ---------------------------------------------------------------------------------------- */

// clang-format off
static const struct launch_key launch_option_keys[] = {
    {"seed",          launch_read_seed,          false},
    {"mailbox",       launch_read_mailbox,       false},
    {"mailbox-bytes", launch_read_mailbox_bytes, false},
    {"stop-timeout",  launch_read_stop_timeout,  false},
    {"watchdog",      launch_read_watchdog,      false},
    {"args",          launch_read_first_args,    true},
    {NULL, NULL, false},
};
static const struct launch_key launch_rule_keys[] = {
    {"rule",    launch_read_rule,    true},
    {"default", launch_read_default, true},
    {NULL, NULL, false},
};
static const struct launch_key launch_actor_keys[] = {
    {"behaviour", launch_read_behaviour, false},
    {"args",      launch_read_args,      true},
    {"place",     launch_read_place,     false},
    {"limits",    launch_read_limits,    false},
    {NULL, NULL, false},
};
static const struct launch_section {
    const char *name;
    const struct launch_key *keys; // NULL: of actors
    const struct trp_rule_kind *rule_kind;
} launch_sections[SECTION_COUNT] = {
    {"options", launch_option_keys, NULL},
    {"place",   launch_rule_keys,   &trp_placement_kind},
    {"limit",   launch_rule_keys,   &trp_limits_kind},
    {"actors",  NULL,               NULL},
};
// clang-format on

/** @return where @p config, the next one that zconfig tells, stands; NULL: the scan has another. */
static const struct trp_launch_item *launch_take(struct launch_reader *reader, zconfig_t *config)
{
    const struct trp_launch_item *item =
        reader->next < reader->scan.count ? &reader->scan.items[reader->next] : NULL;
    const char *name = zconfig_name(config);
    if (item == NULL || strlen(name) != item->name_bytes ||
        memcmp(name, item->line.text + item->name_offset, item->name_bytes) != 0) {
        (void)TRP_EXPLAIN(
            TROUPE_ERR_INVAL,
            "launch file %s: zconfig takes '%s' for an entry; write it more plainly",
            reader->launch->name,
            name);
        return NULL;
    }
    reader->next++;
    return item;
}

/** Explain that nothing of that name may stand here, with those that may. */
static enum troupe_err launch_refuse_name(
    const struct launch_reader *reader,
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

static enum troupe_err launch_refuse_key(
    const struct launch_reader *reader,
    const struct trp_launch_item *item,
    const struct launch_key *keys)
{
    char known[128] = "";
    size_t at = 0;
    for (size_t i = 0; keys[i].name != NULL && at < sizeof(known); i++) {
        const char *comma = i == 0 ? "" : ", ";
        at += (size_t)snprintf(known + at, sizeof(known) - at, "%s%s", comma, keys[i].name);
    }
    return launch_refuse_name(reader, item, "key", known);
}

/** Check that a key may stand here, with a value, once. *line: where it stood before; 0: nowhere. */
static enum troupe_err launch_check_key(
    const struct launch_reader *reader,
    const struct trp_launch_item *item,
    const struct launch_key *key,
    uint32_t *line)
{
    if (item->value_offset == 0) {
        return launch_refuse(
            reader, item, item->name_offset + item->name_bytes, "'=' and a value belong here");
    }
    if (*line != 0 && !key->is_repeatable) {
        char what[64];
        (void)snprintf(what, sizeof(what), "it is given twice, first on line %u", *line);
        return launch_refuse(reader, item, item->name_offset, what);
    }
    *line = item->line.number;
    return TROUPE_OK;
}

/** Read an entry. @p lines has, for each key, where it stood before. */
static enum troupe_err launch_read_entry(
    struct launch_reader *reader, zconfig_t *entry, const struct launch_key *keys, uint32_t *lines)
{
    const struct trp_launch_item *item = launch_take(reader, entry);
    if (item == NULL) {
        return TROUPE_ERR_INVAL;
    }
    size_t i = 0;
    while (keys[i].name != NULL && strcmp(keys[i].name, zconfig_name(entry)) != 0) {
        i++;
    }
    if (keys[i].name == NULL) {
        return launch_refuse_key(reader, item, keys);
    }
    enum troupe_err err = launch_check_key(reader, item, &keys[i], &lines[i]);
    if (err == TROUPE_OK) {
        err = keys[i].read(
            reader, &(struct launch_value){.text = zconfig_value(entry), .item = item});
    }
    if (err == TROUPE_OK && zconfig_child(entry) != NULL) {
        item = launch_take(reader, zconfig_child(entry));
        err = item == NULL ? TROUPE_ERR_INVAL
                           : launch_refuse(
                                 reader,
                                 item,
                                 item->name_offset,
                                 "this is indented too far: what is above has its value");
    }
    return err;
}

/** Read all entries below an item. */
static enum troupe_err launch_read_entries(
    struct launch_reader *reader, zconfig_t *above, const struct launch_key *keys, uint32_t *lines)
{
    enum troupe_err err = TROUPE_OK;
    for (zconfig_t *entry = zconfig_child(above); entry != NULL && err == TROUPE_OK;
         entry = zconfig_next(entry)) {
        err = launch_read_entry(reader, entry, keys, lines);
    }
    return err;
}

/** Check the name of an actor. */
static enum troupe_err launch_check_actor(
    const struct launch_reader *reader, const struct trp_launch_item *item, const char *name)
{
    if (item->value_offset != 0) {
        return launch_refuse(
            reader,
            item,
            item->value_offset,
            "the name of an actor stands alone; what it is goes below, indented");
    }
    if (item->name_bytes > ACTOR_NAME_BYTES_MAX) {
        return launch_refuse(
            reader, item, item->name_offset, "the name of an actor has at most 255 bytes");
    }
    for (size_t i = 0; i < reader->launch->actor_count; i++) {
        const struct trp_launch_text *other = &reader->launch->actors[i].name;
        if (strcmp(other->text, name) == 0) {
            char what[64];
            (void)snprintf(what, sizeof(what), "an actor of this name is on line %u", other->line);
            return launch_refuse(reader, item, item->name_offset, what);
        }
    }
    return TROUPE_OK;
}

static enum troupe_err launch_read_actor(struct launch_reader *reader, zconfig_t *config)
{
    const struct trp_launch_item *item = launch_take(reader, config);
    const char *name = zconfig_name(config);
    enum troupe_err err = item == NULL ? TROUPE_ERR_INVAL : launch_check_actor(reader, item, name);
    if (err != TROUPE_OK) {
        return err;
    }
    struct trp_launch *launch = reader->launch;
    reader->actor = launch_grow(&launch->actors, &launch->actor_count, sizeof(*launch->actors));
    if (reader->actor == NULL) {
        return TROUPE_ERR_NOMEM;
    }
    err = launch_keep(
        name, item->name_bytes, item->line.number, item->name_offset, &reader->actor->name);
    uint32_t lines[KEY_COUNT_MAX] = {0};
    if (err == TROUPE_OK) {
        err = launch_read_entries(reader, config, launch_actor_keys, lines);
    }
    if (err == TROUPE_OK && reader->actor->behaviour.line == 0) {
        err = launch_refuse(
            reader,
            item,
            item->name_offset,
            "this actor has no behaviour: add 'behaviour = NAME' below it, indented");
    }
    return err;
}

static enum troupe_err launch_read_section(struct launch_reader *reader, zconfig_t *config)
{
    const struct trp_launch_item *item = launch_take(reader, config);
    if (item == NULL) {
        return TROUPE_ERR_INVAL;
    }
    size_t i = 0;
    while (i < SECTION_COUNT && strcmp(launch_sections[i].name, zconfig_name(config)) != 0) {
        i++;
    }
    if (i == SECTION_COUNT) {
        return launch_refuse_name(reader, item, "section", "options, place, limit, actors");
    }
    if (item->value_offset != 0) {
        return launch_refuse(
            reader,
            item,
            item->value_offset,
            "a section has no value; its entries go below it, indented");
    }
    reader->rule_kind = launch_sections[i].rule_kind;
    if (launch_sections[i].keys != NULL) {
        return launch_read_entries(reader, config, launch_sections[i].keys, reader->lines[i]);
    }
    enum troupe_err err = TROUPE_OK;
    for (zconfig_t *actor = zconfig_child(config); actor != NULL && err == TROUPE_OK;
         actor = zconfig_next(actor)) {
        err = launch_read_actor(reader, actor);
    }
    return err;
}

/** Read what zconfig makes of a scanned text. */
static enum troupe_err launch_read(struct launch_reader *reader, const char *text, size_t bytes)
{
    if (reader->scan.count == 0) {
        return TROUPE_OK;
    }
    zchunk_t *chunk = zchunk_new(text, bytes);
    zconfig_t *root = chunk == NULL ? NULL : zconfig_chunk_load(chunk);
    zchunk_destroy(&chunk);
    if (root == NULL) {
        return TRP_EXPLAIN(
            TROUPE_ERR_INVAL, "launch file %s: zconfig does not read it", reader->launch->name);
    }
    enum troupe_err err = TROUPE_OK;
    for (zconfig_t *section = zconfig_child(root); section != NULL && err == TROUPE_OK;
         section = zconfig_next(section)) {
        err = launch_read_section(reader, section);
    }
    zconfig_destroy(&root);
    return err;
}

/** Keep the name of a file so that it can be shown in a line: its end, where it is long. */
static void launch_keep_name(const char *name, char shown[TRP_LAUNCH_NAME_BYTES])
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
    struct launch_reader reader = {.launch = &launch};
    launch_keep_name(name, launch.name);
    enum troupe_err err = TROUPE_OK;
    if (bytes > TRP_LAUNCH_BYTES_MAX) {
        err = TRP_EXPLAIN(
            TROUPE_ERR_INVAL, "launch file %s: a launch file has at most 1 MiB", launch.name);
    }
    if (err == TROUPE_OK) {
        err = trp_launch_scan(text, bytes, launch.name, &reader.scan);
    }
    if (err == TROUPE_OK) {
        err = launch_read(&reader, text, bytes);
    }
    trp_launch_scan_fini(&reader.scan);
    if (err != TROUPE_OK) {
        trp_launch_fini(&launch);
        return err;
    }
    *out_launch = launch;
    return TROUPE_OK;
}

/* Files. ---------------------------------------------------------------------------------------- */

/** Read up to @p most bytes. @return how many; -1: errno says why not. */
static ssize_t launch_read_all(int fd, char *bytes, size_t most)
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

static enum troupe_err launch_cannot_read(const char *path)
{
    char name[TRP_LAUNCH_NAME_BYTES];
    const char *why = strerrordesc_np(errno);
    launch_keep_name(path, name);
    return TRP_EXPLAIN(
        TROUPE_ERR_INVAL,
        "launch file %s cannot be read: %s",
        name,
        why != NULL ? why : "an unknown error");
}

enum troupe_err trp_launch_load(const char *path, struct trp_launch *out_launch)
{
    // One byte more than may be, so that it shows.
    const size_t most = TRP_LAUNCH_BYTES_MAX + 1;
    char *text = malloc(most);
    if (text == NULL) {
        return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for a launch file");
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t bytes = fd < 0 ? -1 : launch_read_all(fd, text, most);
    enum troupe_err err = bytes < 0 ? launch_cannot_read(path)
                                    : trp_launch_parse(text, (size_t)bytes, path, out_launch);
    if (fd >= 0) {
        (void)close(fd);
    }
    free(text);
    return err;
}

/* Behaviours. ----------------------------------------------------------------------------------- */

const struct troupe_behaviour *trp_launch_find_behaviour(
    const struct troupe_behaviour *const *behaviours, const char *name)
{
    for (size_t i = 0; behaviours[i] != NULL; i++) {
        if (behaviours[i]->name != NULL && strcmp(behaviours[i]->name, name) == 0) {
            return behaviours[i];
        }
    }
    return NULL;
}

enum troupe_err trp_launch_check_behaviours(
    const struct trp_launch *launch, const struct troupe_behaviour *const *behaviours)
{
    for (size_t i = 0; i < launch->actor_count; i++) {
        const struct trp_launch_text *behaviour = &launch->actors[i].behaviour;
        if (trp_launch_find_behaviour(behaviours, behaviour->text) != NULL) {
            continue;
        }
        char known[512] = "";
        size_t at = 0;
        for (size_t j = 0; behaviours[j] != NULL && at < sizeof(known); j++) {
            const char *comma = j == 0 ? "" : ", ";
            const char *one = behaviours[j]->name != NULL ? behaviours[j]->name : "";
            at += (size_t)snprintf(known + at, sizeof(known) - at, "%s%s", comma, one);
        }
        return TRP_EXPLAIN(
            TROUPE_ERR_INVAL,
            "launch file %s, line %u, column %u: unknown behaviour '%.64s'; this program has %s",
            launch->name,
            behaviour->line,
            behaviour->column,
            behaviour->text,
            known);
    }
    return TROUPE_OK;
}

void trp_launch_fini(struct trp_launch *launch)
{
    for (size_t i = 0; i < launch->rule_count; i++) {
        free(launch->rules[i].rule.text);
    }
    for (size_t i = 0; i < launch->actor_count; i++) {
        struct trp_launch_actor *actor = &launch->actors[i];
        free(actor->name.text);
        free(actor->behaviour.text);
        free(actor->place.text);
        free(actor->limits.text);
        trp_shell_words_fini(&actor->args.words);
    }
    free(launch->rules);
    free(launch->actors);
    trp_shell_words_fini(&launch->args.words);
    *launch = (struct trp_launch){0};
}

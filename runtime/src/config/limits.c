#include "config/limits.h"

#include "base/units.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { CPU_COUNT_MAX = 64, NICE_MOST = 39, NICE_LEAST = -40 };

#define SIZE_MOST ((uint64_t)INT64_MAX)
#define SECOND_NS UINT64_C(1000000000)

/** A position in a text; what is read there goes into `limits`. */
struct limits_reader {
    const char *text;
    size_t at;
    struct trp_parse_error *parse_error;
    struct troupe_limits *limits;
};

static enum troupe_err limits_refuse(const struct limits_reader *reader, const char *what)
{
    return TRP_PARSE_ERROR(reader->parse_error, TROUPE_ERR_INVAL, reader->at, "%s", what);
}

static enum troupe_err limits_read_memory(struct limits_reader *reader)
{
    uint64_t bytes = 0;
    size_t next = reader->at;
    if (!trp_size_parse(reader->text, &next, SIZE_MOST, &bytes) || bytes == 0) {
        return limits_refuse(reader, "expected a size from 1 byte, as in mem:64M");
    }
    reader->at = next;
    reader->limits->memory_bytes = bytes;
    return TROUPE_OK;
}

static enum troupe_err limits_read_cpu(struct limits_reader *reader)
{
    static const char *const what = "expected a time in s or m, from 1s, as in cpu:10s";
    uint64_t number = 0;
    size_t next = reader->at;
    if (!trp_number_parse(reader->text, &next, UINT32_MAX, &number) || number == 0) {
        return limits_refuse(reader, what);
    }
    char unit = reader->text[next];
    uint64_t seconds = unit == 'm' ? number * 60 : number;
    if ((unit != 's' && unit != 'm') || seconds > UINT32_MAX) {
        return limits_refuse(reader, what);
    }
    reader->at = next + 1;
    reader->limits->cpu_seconds = (uint32_t)seconds;
    return TROUPE_OK;
}

static enum troupe_err limits_read_files(struct limits_reader *reader)
{
    uint64_t number = 0;
    size_t next = reader->at;
    if (!trp_number_parse(reader->text, &next, INT32_MAX, &number) || number == 0) {
        return limits_refuse(reader, "expected a count from 1, as in files:100");
    }
    reader->at = next;
    reader->limits->file_count = (uint32_t)number;
    return TROUPE_OK;
}

static enum troupe_err limits_read_core(struct limits_reader *reader)
{
    uint64_t bytes = 0;
    size_t next = reader->at;
    if (!trp_size_parse(reader->text, &next, SIZE_MOST, &bytes)) {
        return limits_refuse(reader, "expected a size, as in core:64M, or core:0 for none");
    }
    reader->at = next;
    reader->limits->core_bytes = bytes == 0 ? TROUPE_CORE_NONE : bytes;
    return TROUPE_OK;
}

static enum troupe_err limits_read_nice(struct limits_reader *reader)
{
    bool negative = reader->text[reader->at] == '-';
    uint64_t number = 0;
    size_t next = reader->at + (negative ? 1 : 0);
    uint64_t most = negative ? -NICE_LEAST : NICE_MOST;
    if (!trp_number_parse(reader->text, &next, most, &number)) {
        return limits_refuse(reader, "expected a number from -40 to 39, as in nice:5");
    }
    reader->at = next;
    reader->limits->nice = negative ? -(int32_t)number : (int32_t)number;
    return TROUPE_OK;
}

/** Read a CPU or a range: `4` or `0-3`. */
static enum troupe_err limits_read_cpu_range(struct limits_reader *reader)
{
    static const char *const what = "expected a CPU from 0 to 63, as in cpus:0-1,4";
    uint64_t first = 0;
    if (!trp_number_parse(reader->text, &reader->at, CPU_COUNT_MAX - 1, &first)) {
        return limits_refuse(reader, what);
    }
    uint64_t last = first;
    if (reader->text[reader->at] == '-') {
        reader->at++;
        size_t next = reader->at;
        if (!trp_number_parse(reader->text, &next, CPU_COUNT_MAX - 1, &last)) {
            return limits_refuse(reader, what);
        }
        if (last < first) {
            return limits_refuse(reader, "a range of CPUs must ascend, as in cpus:0-1,4");
        }
        reader->at = next;
    }
    for (uint64_t cpu = first; cpu <= last; cpu++) {
        reader->limits->cpu_mask |= UINT64_C(1) << cpu;
    }
    return TROUPE_OK;
}

static enum troupe_err limits_read_cpus(struct limits_reader *reader)
{
    enum troupe_err err = limits_read_cpu_range(reader);
    // After a comma, a digit continues the list; a letter begins the next limit.
    while (err == TROUPE_OK && reader->text[reader->at] == ',' &&
           reader->text[reader->at + 1] >= '0' && reader->text[reader->at + 1] <= '9') {
        reader->at++;
        err = limits_read_cpu_range(reader);
    }
    return err;
}

// Also the order in which limits are printed.
static const struct limits_key {
    const char *name;
    enum troupe_err (*read)(struct limits_reader *reader);
} limits_keys[] = {
    {"mem", limits_read_memory},
    {"cpu", limits_read_cpu},
    {"files", limits_read_files},
    {"core", limits_read_core},
    {"nice", limits_read_nice},
    {"cpus", limits_read_cpus},
};

enum { LIMITS_KEY_COUNT = sizeof(limits_keys) / sizeof(limits_keys[0]) };

/** Read `KEY:VALUE`. *seen has a bit for each key that was read. */
static enum troupe_err limits_read_one(struct limits_reader *reader, unsigned *seen)
{
    const char *name = reader->text + reader->at;
    size_t bytes = strcspn(name, ":,");
    size_t i = 0;
    while (i < LIMITS_KEY_COUNT && (strlen(limits_keys[i].name) != bytes ||
                                    memcmp(limits_keys[i].name, name, bytes) != 0)) {
        i++;
    }
    if (i == LIMITS_KEY_COUNT || name[bytes] != ':') {
        return TRP_PARSE_ERROR(
            reader->parse_error,
            TROUPE_ERR_INVAL,
            reader->at,
            "expected a limit: mem:SIZE, cpu:TIME, files:COUNT, core:SIZE, nice:NUMBER, "
            "cpus:LIST");
    }
    if ((*seen & 1U << i) != 0) {
        return TRP_PARSE_ERROR(
            reader->parse_error,
            TROUPE_ERR_INVAL,
            reader->at,
            "%s is given twice",
            limits_keys[i].name);
    }
    *seen |= 1U << i;
    reader->at += bytes + 1;
    return limits_keys[i].read(reader);
}

enum troupe_err trp_limits_check(
    const char *text,
    size_t offset,
    struct trp_parse_error *parse_error,
    struct troupe_limits *out_limits)
{
    struct troupe_limits limits = {0};
    struct limits_reader reader = {
        .text = text, .at = offset, .parse_error = parse_error, .limits = &limits};
    unsigned seen = 0;
    enum troupe_err err = TROUPE_OK;
    if (strcmp(text + offset, "none") != 0) {
        err = limits_read_one(&reader, &seen);
        while (err == TROUPE_OK && text[reader.at] == ',') {
            reader.at++;
            err = limits_read_one(&reader, &seen);
        }
        if (err == TROUPE_OK && text[reader.at] != '\0') {
            err = limits_refuse(&reader, "expected ',' and another limit, or the end");
        }
    }
    if (err == TROUPE_OK) {
        *out_limits = limits;
    }
    return err;
}

static enum troupe_err limits_parse_right(
    const char *text, size_t offset, struct trp_parse_error *parse_error, struct trp_rule *rule)
{
    return trp_limits_check(text, offset, parse_error, &rule->limits);
}

const struct trp_rule_kind trp_limits_kind = {
    .noun = "limit rule",
    .variable = "TROUPE_LIMIT",
    .right = "limits",
    .example = "*=mem:64M",
    .parse = limits_parse_right,
};

enum troupe_err trp_limits_parse(
    const char *text, size_t offset, const char *source, struct troupe_limits *out_limits)
{
    struct trp_parse_error parse_error;
    enum troupe_err err = trp_limits_check(text, offset, &parse_error, out_limits);
    return err == TROUPE_OK ? err : trp_rule_explain(&trp_limits_kind, text, &parse_error, source);
}

bool trp_limits_are_some(const struct troupe_limits *limits)
{
    return limits->memory_bytes != 0 || limits->core_bytes != 0 || limits->cpu_mask != 0 ||
           limits->cpu_seconds != 0 || limits->file_count != 0 || limits->nice != 0;
}

/** Print a list of CPUs; neighbours are printed as a range. */
static size_t limits_print_cpus(uint64_t mask, char *text, size_t bytes)
{
    size_t at = (size_t)snprintf(text, bytes, "cpus:");
    const char *comma = "";
    for (int first = 0; first < CPU_COUNT_MAX; first++) {
        if ((mask >> first & 1) == 0) {
            continue;
        }
        int last = first;
        while (last + 1 < CPU_COUNT_MAX && (mask >> (last + 1) & 1) != 0) {
            last++;
        }
        at += (size_t)snprintf(text + at, bytes - at, "%s%d", comma, first);
        if (last > first) {
            at += (size_t)snprintf(text + at, bytes - at, "-%d", last);
        }
        comma = ",";
        first = last;
    }
    return at;
}

/** @return a number that can be read again: what is more than any text may say is as good as no limit. */
static uint64_t limits_clamp(uint64_t value, uint64_t most)
{
    return value < most ? value : most;
}

/** Print the limit of @p key. @return its length; 0: that limit is not set. */
static size_t limits_print_one(
    const struct troupe_limits *limits, size_t key, char *text, size_t bytes)
{
    char quantity[TRP_UNITS_BYTES];
    switch (key) {
    case 0:
        trp_size_print(limits_clamp(limits->memory_bytes, SIZE_MOST), quantity);
        return limits->memory_bytes == 0 ? 0 : (size_t)snprintf(text, bytes, "mem:%s", quantity);
    case 1:
        trp_time_print(limits->cpu_seconds * SECOND_NS, quantity);
        return limits->cpu_seconds == 0 ? 0 : (size_t)snprintf(text, bytes, "cpu:%s", quantity);
    case 2:
        return limits->file_count == 0 ? 0
                                       : (size_t)snprintf(
                                             text,
                                             bytes,
                                             "files:%" PRIu64,
                                             limits_clamp(limits->file_count, INT32_MAX));
    case 3:
        trp_size_print(
            limits->core_bytes == TROUPE_CORE_NONE ? 0
                                                   : limits_clamp(limits->core_bytes, SIZE_MOST),
            quantity);
        return limits->core_bytes == 0 ? 0 : (size_t)snprintf(text, bytes, "core:%s", quantity);
    case 4:
        return limits->nice == 0 ? 0 : (size_t)snprintf(text, bytes, "nice:%" PRId32, limits->nice);
    default:
        return limits->cpu_mask == 0 ? 0 : limits_print_cpus(limits->cpu_mask, text, bytes);
    }
}

void trp_limits_print(const struct troupe_limits *limits, char text[TRP_LIMITS_BYTES])
{
    size_t at = 0;
    for (size_t key = 0; key < LIMITS_KEY_COUNT; key++) {
        // Printed behind the place for a comma, which is filled in only if there is such a limit.
        size_t comma = at == 0 ? 0 : 1;
        size_t bytes =
            limits_print_one(limits, key, text + at + comma, TRP_LIMITS_BYTES - at - comma);
        if (bytes > 0 && comma > 0) {
            text[at] = ',';
        }
        at += bytes > 0 ? bytes + comma : 0;
    }
    (void)snprintf(text + at, TRP_LIMITS_BYTES - at, "%s", at == 0 ? "none" : "");
}

enum troupe_err trp_limit_rules_add(
    struct trp_rule **rules, const char *text, enum trp_rule_source source, const char *origin)
{
    return trp_rules_add(rules, &trp_limits_kind, text, source, origin);
}

void trp_limit_rules_match(
    struct trp_rule *rules,
    const char *name,
    const char *behaviour_name,
    const struct troupe_limits *asked,
    struct troupe_limits *out_limits)
{
    const struct trp_rule *rule = trp_rules_match(rules, name, behaviour_name, true);
    bool asks = asked != NULL && trp_limits_are_some(asked);
    if (rule == NULL && !asks) {
        rule = trp_rules_match(rules, name, behaviour_name, false);
    }
    if (rule != NULL) {
        *out_limits = rule->limits;
    } else {
        *out_limits = asks ? *asked : (struct troupe_limits){0};
    }
}

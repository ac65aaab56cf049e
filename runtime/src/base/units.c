#include "base/units.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct units_unit {
    const char *name;
    uint64_t scale;
};

// Sizes: the largest first, for printing. Times: a unit stands before one that is its prefix, for
// reading.
static const struct units_unit units_sizes[] = {
    {"G", UINT64_C(1) << 30},
    {"M", UINT64_C(1) << 20},
    {"K", UINT64_C(1) << 10},
    {"", 1},
};
static const struct units_unit units_times[] = {
    {"ms", UINT64_C(1000000)},
    {"m", UINT64_C(60000000000)},
    {"s", UINT64_C(1000000000)},
    {"us", UINT64_C(1000)},
    {"ns", 1},
    {"", UINT64_C(1000000000)},
};

bool trp_number_parse(const char *text, size_t *at, uint64_t most, uint64_t *out_number)
{
    uint64_t number = 0;
    size_t next = *at;
    for (; text[next] >= '0' && text[next] <= '9'; next++) {
        uint64_t digit = (uint64_t)(text[next] - '0');
        if (number > (most - digit) / 10) {
            return false;
        }
        number = number * 10 + digit;
    }
    if (next == *at) {
        return false;
    }
    *at = next;
    *out_number = number;
    return true;
}

/** Read a number and the first of @p units that follows it; the last unit, "", always does. */
static bool units_parse(
    const char *text,
    size_t *at,
    uint64_t most,
    const struct units_unit *units,
    uint64_t *out_value)
{
    size_t next = *at;
    uint64_t number = 0;
    if (!trp_number_parse(text, &next, most, &number)) {
        return false;
    }
    const struct units_unit *unit = units;
    while (strncmp(text + next, unit->name, strlen(unit->name)) != 0) {
        unit++;
    }
    if (number > most / unit->scale) {
        return false;
    }
    *at = next + strlen(unit->name);
    *out_value = number * unit->scale;
    return true;
}

bool trp_size_parse(const char *text, size_t *at, uint64_t most, uint64_t *out_bytes)
{
    return units_parse(text, at, most, units_sizes, out_bytes);
}

bool trp_time_parse(const char *text, size_t *at, uint64_t most_ns, uint64_t *out_ns)
{
    return units_parse(text, at, most_ns, units_times, out_ns);
}

/** Print @p value with the largest of @p units that divides it. */
static void units_print(
    uint64_t value, const struct units_unit *units, size_t unit_count, char *text)
{
    const struct units_unit *best = NULL;
    for (size_t i = 0; i < unit_count; i++) {
        if (value % units[i].scale == 0 && (best == NULL || units[i].scale > best->scale) &&
            (value != 0 || units[i].scale == 1)) {
            best = &units[i];
        }
    }
    if (best != NULL) {
        (void)snprintf(text, TRP_UNITS_BYTES, "%" PRIu64 "%s", value / best->scale, best->name);
    }
}

void trp_size_print(uint64_t bytes, char text[TRP_UNITS_BYTES])
{
    units_print(bytes, units_sizes, sizeof(units_sizes) / sizeof(units_sizes[0]), text);
}

void trp_time_print(uint64_t ns, char text[TRP_UNITS_BYTES])
{
    // Without the last unit, "", which is for reading only.
    units_print(ns, units_times, sizeof(units_times) / sizeof(units_times[0]) - 1, text);
}

/**
 * @file launch_keys.h
 * @brief The keys that the sections of a launch file may have, and how their values are read.
 */
#ifndef TRP_LAUNCH_KEYS_H
#define TRP_LAUNCH_KEYS_H

#include "config/launch.h"
#include "config/launch_scan.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** A value, as zconfig reads it, and the item of the scan that has it. */
struct trp_launch_value {
    const char *text;
    const struct trp_launch_item *item;
};

/** Where values go: the file's content, and the part of it that the key belongs to. */
struct trp_launch_target {
    struct trp_launch *launch;
    const struct trp_rule_kind *rule_kind; // of a section of rules
    struct trp_launch_actor *actor;        // of a section of actors
};

/** Read a value into @p target. @return an error with its detail set. */
typedef enum troupe_err trp_launch_read_fn(
    const struct trp_launch_target *target, const struct trp_launch_value *value);

struct trp_launch_key {
    const char *name; // NULL: end of the table
    trp_launch_read_fn *read;
    bool is_repeatable;
};

/** Most keys of a table. */
enum { TRP_LAUNCH_KEY_COUNT_MAX = 6 };

extern const struct trp_launch_key trp_launch_option_keys[];
extern const struct trp_launch_key trp_launch_rule_keys[];
extern const struct trp_launch_key trp_launch_actor_keys[];

#endif

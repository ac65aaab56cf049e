/**
 * @file launch.h
 * @brief What a launch file says: options, rules and actors, each with the line it stands on.
 */
#ifndef TRP_LAUNCH_H
#define TRP_LAUNCH_H

#include "base/shell_words.h"
#include "config/rules.h"
#include "troupe/behaviour.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TRP_LAUNCH_NAME_BYTES = 256 };

/** A text and where it stands; line 0: the file does not have it. */
struct trp_launch_text {
    char *text;
    uint32_t line;
    uint32_t column;
};

struct trp_launch_number {
    uint64_t value;
    uint32_t line; // 0: the file does not have it
};

struct trp_launch_words {
    struct trp_shell_words words;
    uint32_t line; // of the first of them; 0: the file has none
};

struct trp_launch_rule {
    const struct trp_rule_kind *kind;
    struct trp_launch_text rule;
    bool is_default; // matched only after what a spawn asks for
};

struct trp_launch_actor {
    struct trp_launch_text name;
    struct trp_launch_text behaviour;
    struct trp_launch_text place;  // optional
    struct trp_launch_text limits; // optional
    struct trp_launch_words args;
};

/** The content of a launch file. Zeroed, that of an empty one. */
struct trp_launch {
    char name[TRP_LAUNCH_NAME_BYTES]; // of the file, as it is shown
    struct trp_launch_number seed;
    struct trp_launch_number mailbox_messages;
    struct trp_launch_number mailbox_bytes;
    struct trp_launch_number stop_timeout_ns;
    struct trp_launch_number watchdog_ns;
    bool watchdog_kills;
    struct trp_launch_words args; // of the first actor
    struct trp_launch_rule *rules;
    size_t rule_count;
    struct trp_launch_actor *actors;
    size_t actor_count;
};

/** Copy @p bytes of @p text, which stand in a line of the file at @p offset. */
enum troupe_err trp_launch_keep(
    const char *text,
    size_t bytes,
    uint32_t line,
    uint32_t offset,
    struct trp_launch_text *out_text);

/** Append a zeroed rule. @return NULL: no memory, as the detail says. */
struct trp_launch_rule *trp_launch_add_rule(struct trp_launch *launch);

/** Append a zeroed actor. @return NULL: no memory, as the detail says. */
struct trp_launch_actor *trp_launch_add_actor(struct trp_launch *launch);

/** @return the behaviour called @p name among @p behaviours, which end with NULL; NULL: none is. */
const struct troupe_behaviour *trp_launch_find_behaviour(
    const struct troupe_behaviour *const *behaviours, const char *name);

/**
 * Check that each actor of the file has a behaviour among @p behaviours, which end with NULL.
 *
 * @retval TROUPE_ERR_INVAL  one has not; the detail names its line and the known behaviours.
 */
enum troupe_err trp_launch_check_behaviours(
    const struct trp_launch *launch, const struct troupe_behaviour *const *behaviours);

/** Free what is in it, and zero it. */
void trp_launch_fini(struct trp_launch *launch);

#endif

/**
 * @file launch.h
 * @brief Launch files: options, rules and actors of a program, in ZPL.
 *
 *     options
 *         seed = 7                       # starts the random generators
 *         mailbox = 10000                # most messages that may wait in a mailbox
 *         mailbox-bytes = 64M            # most bytes of bodies
 *         stop-timeout = 1500ms          # how long the end may take
 *         watchdog = 2s,kill             # how long a callback may run
 *         args = --top 10 README.md      # of the first actor, where the command line has no words
 *     place
 *         rule = w*=thread:4             # first match wins; asked after command line and environment
 *         default = *=ecs                # asked last, after what the code asks for
 *     limit
 *         rule = plugin=mem:64M,cpu:10s  # the same for limits
 *     actors
 *         tally                          # its name; started with the system
 *             behaviour = counter
 *             args = --greet "dear world"
 *             place = process            # goes before the rules of this file, for this actor
 *             limits = mem:64M
 *
 * Names and values are ZPL's: four blanks a level, `#` begins a comment, a value with a `#` or with
 * blanks at its ends stands in quotes of either kind. `args` are words as a shell takes them, see
 * words.h; where it is there several times, so are words.
 *
 * @source rfc.zeromq.org/spec:4, "ZPL".
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

/** A value and where it stands; line 0: it is not there. */
struct trp_launch_text {
    char *text;
    uint32_t line;
    uint32_t column;
};

struct trp_launch_number {
    uint64_t value;
    uint32_t line;
};

struct trp_launch_words {
    struct trp_shell_words words;
    uint32_t line; // of the first of them
};

struct trp_launch_rule {
    const struct trp_rule_kind *kind;
    struct trp_launch_text rule;
    bool is_default; // asked after what the code asks for
};

struct trp_launch_actor {
    struct trp_launch_text name;
    struct trp_launch_text behaviour;
    struct trp_launch_text place;  // may not be there
    struct trp_launch_text limits; // may not be there
    struct trp_launch_words args;
};

/** What a launch file says. Zero: nothing. */
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

/**
 * Read a launch file.
 *
 * @retval TROUPE_ERR_INVAL        it cannot be read, or is wrong; the detail names line and column.
 * @retval TROUPE_ERR_UNSUPPORTED  a place in it cannot be had, likewise.
 * @retval TROUPE_ERR_NOMEM        no memory.
 *
 * @owns    The caller owns what is in *out_launch until trp_launch_fini().
 * @threads any
 * @blocks  until the file is read
 */
enum troupe_err trp_launch_load(const char *path, struct trp_launch *out_launch);

/** Read the text of a launch file, likewise. @p text need not end with a NUL. */
enum troupe_err trp_launch_parse(
    const char *text, size_t bytes, const char *name, struct trp_launch *out_launch);

/**
 * @return the behaviour of that name among @p behaviours, which end with NULL; or NULL.
 */
const struct troupe_behaviour *trp_launch_find_behaviour(
    const struct troupe_behaviour *const *behaviours, const char *name);

/** Check that @p behaviours, which end with NULL, have those of all actors of the file. */
enum troupe_err trp_launch_check_behaviours(
    const struct trp_launch *launch, const struct troupe_behaviour *const *behaviours);

/** Free what is in it. Does nothing to a zeroed one. */
void trp_launch_fini(struct trp_launch *launch);

#endif

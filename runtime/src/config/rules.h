/**
 * @file rules.h
 * @brief Rules `GLOB=VALUE` that assign something to actors by name: a placement, or limits.
 *
 * A list of rules is in the order in which they are matched, by source: command line, environment,
 * launch file, what a spawn asks for, program. The first rule whose glob matches the name of an
 * actor or of its behaviour decides.
 */
#ifndef TRP_RULES_H
#define TRP_RULES_H

#include "base/parse_error.h"
#include "base/transport.h"
#include "troupe/backend.h"
#include "troupe/limits.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The right side of a placement rule: BACKEND[:COUNT][+TRANSPORT]. */
struct trp_place {
    const struct troupe_backend_ops *ops;
    uint32_t count; // executors in the pool; 0: one executor for each actor
    enum trp_transport transport;
};

/** Where a rule was written, in the order in which rules are matched. */
enum trp_rule_source {
    TRP_RULE_COMMAND_LINE,
    TRP_RULE_ENVIRONMENT,
    TRP_RULE_LAUNCH,
    TRP_RULE_SPAWN, // the place that a spawn asked for: it has no glob, and is kept for its pool
    TRP_RULE_PROGRAM,
};

struct trp_rule {
    struct trp_rule *next; // in the order in which they are matched
    enum trp_rule_source source;
    char *origin; // of a rule of a launch file: its name and line; else NULL
    char *text;
    char *glob;      // the left side; NULL: of a place that a spawn asked for
    char *behaviour; // of a rule for one actor of a launch file, which `glob` names; else NULL
    struct trp_place place;      // of a placement rule
    struct troupe_limits limits; // of a limit rule
    _Atomic bool matched;
    _Atomic char *mark; // `matched`, in memory of all processes that have the rule; or NULL

    // The pool of a placement rule with a count.
    uint32_t *pool;     // guarded by the system's lock: ids of its executors; 0: not made yet
    uint32_t pool_turn; // guarded by the system's lock: index for the next actor without a name
};

/** What differs between placement rules and limit rules. */
struct trp_rule_kind {
    const char *noun;     // "placement rule"
    const char *variable; // of the environment
    const char *right;    // what the right side is, for error texts
    const char *example;  // of a whole rule

    /** Parse the right side, which begins at @p offset of @p text, into @p rule. */
    enum troupe_err (*parse)(
        const char *text,
        size_t offset,
        struct trp_parse_error *parse_error,
        struct trp_rule *rule);
};

/** Set the detail to an error in the rule @p text, with a caret. @return the error's code. */
enum troupe_err trp_rule_explain(
    const struct trp_rule_kind *kind,
    const char *text,
    const struct trp_parse_error *parse_error,
    const char *origin);

/** Check that a rule parses; *parse_error says what is wrong. */
enum troupe_err trp_rule_check(
    const struct trp_rule_kind *kind, const char *text, struct trp_parse_error *parse_error);

/**
 * Make a rule of @p text.
 *
 * @param offset  Where the right side begins; 0: there is no left side.
 * @param origin  For a rule of a launch file, its name and line; else NULL.
 *
 * @retval TROUPE_ERR_INVAL        it does not parse; the detail has a caret under the character.
 * @retval TROUPE_ERR_UNSUPPORTED  it asks for what does not exist, likewise.
 */
enum troupe_err trp_rule_make(
    const struct trp_rule_kind *kind,
    const char *text,
    size_t offset,
    enum trp_rule_source source,
    const char *origin,
    struct trp_rule **out_rule);

/** Parse a rule and append it. Parameters and errors as of trp_rule_make(). */
enum troupe_err trp_rules_add(
    struct trp_rule **rules,
    const struct trp_rule_kind *kind,
    const char *text,
    enum trp_rule_source source,
    const char *origin);

/** Parse rules and append them. @p texts ends with NULL, and may be NULL itself. */
enum troupe_err trp_rules_add_all(
    struct trp_rule **rules,
    const struct trp_rule_kind *kind,
    const char *const *texts,
    enum trp_rule_source source);

/** Parse rules separated by `;` and append them. @p text may be NULL. */
enum troupe_err trp_rules_add_text(
    struct trp_rule **rules,
    const struct trp_rule_kind *kind,
    const char *text,
    enum trp_rule_source source);

/**
 * Parse a value and append it as a rule of a launch file for the one actor of that name and
 * behaviour.
 */
enum troupe_err trp_rules_add_actor(
    struct trp_rule **rules,
    const struct trp_rule_kind *kind,
    const char *name,
    const char *behaviour_name,
    const char *text,
    const char *origin);

/**
 * Find the first rule whose glob matches either name, and mark it as matched.
 *
 * @param name          Of the actor; may be NULL.
 * @param before_spawn  Look among the rules that precede what a spawn asks for; else among the
 *                      program's.
 * @return              NULL: none matches.
 */
struct trp_rule *trp_rules_match(
    struct trp_rule *rules, const char *name, const char *behaviour_name, bool before_spawn);

/** @return where a rule was written, as text. */
const char *trp_rule_origin(const struct trp_rule_kind *kind, const struct trp_rule *rule);

/**
 * Write rules to *bytes, from *at on, for a child process to read; advances *at.
 *
 * @param bytes  Memory that both processes share while they have the rules: matches are marked
 *               there.
 *
 * @return false: there is no room for them.
 */
bool trp_rules_write(struct trp_rule *rules, char *bytes, size_t room, size_t *at);

/** Append to @p rules those that trp_rules_write() wrote at *at; advances *at. */
enum troupe_err trp_rules_read(
    struct trp_rule **rules, const struct trp_rule_kind *kind, char *bytes, size_t *at);

/** Warn on standard error of rules that matched no actor, in any process. */
void trp_rules_warn(const struct trp_rule *rules, const struct trp_rule_kind *kind);

/** Free all rules. */
void trp_rules_fini(struct trp_rule **rules);

#endif

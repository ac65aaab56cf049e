/**
 * @file rules.h
 * @brief Rules `GLOB=...` for actors, as placement and limits have them: where they were written, in
 * which order they are asked, and which one matches.
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

/** The right side of a placement rule. */
struct trp_actor_key {
    const struct troupe_backend_ops *ops;
    uint32_t count; // executors to share; 0: one for each actor
    enum trp_transport transport;
};

/** Where a rule was written; in the order in which they are asked. */
enum trp_rule_source {
    TRP_RULE_COMMAND_LINE,
    TRP_RULE_ENVIRONMENT,
    TRP_RULE_LAUNCH,
    TRP_RULE_SPAWN, // not a rule with a glob: what a spawn asked for, kept for its pool
    TRP_RULE_PROGRAM,
};

struct trp_rule {
    struct trp_rule *next; // in the order in which they are asked
    enum trp_rule_source source;
    char *origin; // of a launch file's: its name and line; else NULL
    char *text;
    char *glob;      // the left side; of a spawn's place, NULL
    char *behaviour; // of the rule of one actor of a launch file: this and `glob` are its names
    struct trp_actor_key place;  // of a placement rule
    struct troupe_limits limits; // of a limit rule
    _Atomic bool matched;
    _Atomic char *mark; // where the processes that share the rule say so to each other; or NULL

    // The pool of a placement rule with a count.
    uint32_t *pool;     // guarded by the system's lock: executors, made when first needed
    uint32_t pool_turn; // guarded by the system's lock: where the next nameless actor goes
};

/** What makes placement rules and limit rules different. */
struct trp_rule_kind {
    const char *noun;     // "placement rule"
    const char *variable; // of the environment
    const char *right;    // what stands on the right side, in words
    const char *example;  // of a whole rule

    /** Parse the right side, which begins at @p offset of @p text, into @p rule. */
    enum troupe_err (*parse)(
        const char *text,
        size_t offset,
        struct trp_parse_error *parse_error,
        struct trp_rule *rule);
};

/** Set the detail: what *flaw says of the rule @p text, with a caret. @return the flaw's error. */
enum troupe_err trp_rule_explain(
    const struct trp_rule_kind *kind,
    const char *text,
    const struct trp_parse_error *parse_error,
    const char *origin);

/** Parse a rule, keep nothing, and say in *flaw what is wrong with it. */
enum troupe_err trp_rule_check(
    const struct trp_rule_kind *kind, const char *text, struct trp_parse_error *parse_error);

/**
 * Make a rule of @p text, whose right side begins at @p offset; 0: it has no left side.
 *
 * @param origin  Of a launch file's, its name and line; else NULL.
 *
 * @retval TROUPE_ERR_INVAL        it does not parse; the detail has a caret under the character.
 * @retval TROUPE_ERR_UNSUPPORTED  what it asks for cannot be had, likewise.
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

/** Append a rule of a launch file for the one actor of that name and behaviour. */
enum troupe_err trp_rules_add_actor(
    struct trp_rule **rules,
    const struct trp_rule_kind *kind,
    const char *name,
    const char *behaviour_name,
    const char *text,
    const char *origin);

/** @return the first rule that matches either name, among those before or after a spawn's; or NULL. */
struct trp_rule *trp_rules_match(
    struct trp_rule *rules, const char *name, const char *behaviour_name, bool before_spawn);

/** @return where a rule was written, in words. */
const char *trp_rule_origin(const struct trp_rule_kind *kind, const struct trp_rule *rule);

/**
 * Append rules to *bytes, from *at on, for a process that shall have them, too; *at moves along.
 *
 * @param bytes  Shared by those processes while they have the rules: what matched is marked there.
 *
 * @return false: there is no room for them.
 */
bool trp_rules_write(struct trp_rule *rules, char *bytes, size_t room, size_t *at);

/** Append to @p rules those that trp_rules_write() wrote at *at, which moves along. */
enum troupe_err trp_rules_read(
    struct trp_rule **rules, const struct trp_rule_kind *kind, char *bytes, size_t *at);

/** Name on standard error the rules that matched nothing, in no process. */
void trp_rules_warn(const struct trp_rule *rules, const struct trp_rule_kind *kind);

/** Free all rules. */
void trp_rules_fini(struct trp_rule **rules);

#endif

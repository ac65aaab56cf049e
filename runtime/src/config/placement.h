/**
 * @file placement.h
 * @brief Placement rules: which actors run on which backend, `GLOB=BACKEND[:COUNT][+TRANSPORT]`.
 */
#ifndef TRP_PLACEMENT_H
#define TRP_PLACEMENT_H

#include "config/rules.h"

#include <stdbool.h>
#include <stddef.h>

/** Most executors of a pool. */
enum { TRP_POOL_COUNT_MAX = 1024 };

/** The kind of placement rules, for the functions of rules.h. */
extern const struct trp_rule_kind trp_placement_kind;

/** The placement rules of a system. */
struct trp_placement {
    struct trp_rule *rules;  // const once the system runs
    struct trp_rule *spawns; // what spawns asked for; guarded by the system's lock
};

/** Parse the right side of a rule, which begins at @p offset; *parse_error says what is wrong. */
enum troupe_err trp_place_check(
    const char *text,
    size_t offset,
    struct trp_parse_error *parse_error,
    struct trp_place *out_place);

/**
 * Parse the right side of a rule, likewise, and set the detail.
 *
 * @param text    The whole rule.
 * @param offset  Where its right side begins.
 * @param source  Where the rule was written, for the detail.
 *
 * @retval TROUPE_ERR_INVAL        it does not parse; the detail has a caret under the character.
 * @retval TROUPE_ERR_UNSUPPORTED  it asks for a transport that does not exist.
 */
enum troupe_err trp_place_parse(
    const char *text, size_t offset, const char *source, struct trp_place *out_place);

/** Parse rules and append them. @p rules ends with NULL, and may be NULL itself. */
enum troupe_err trp_placement_add(
    struct trp_placement *placement, const char *const *rules, enum trp_rule_source source);

/** Parse rules separated by `;` and append them. @p text may be NULL. */
enum troupe_err trp_placement_add_text(
    struct trp_placement *placement, const char *text, enum trp_rule_source source);

/** @return the first rule that matches, as trp_rules_match() says, or NULL. */
struct trp_rule *trp_placement_match(
    const struct trp_placement *placement,
    const char *name,
    const char *behaviour_name,
    bool before_spawn);

/**
 * Find or add the rule for the place that a spawn asked for. Spawns that ask for the same text
 * share its pool.
 *
 * @threads holding the system's lock
 */
enum troupe_err trp_placement_of_spawn(
    struct trp_placement *placement, const char *text, struct trp_rule **out_rule);

/** Warn on standard error of rules that matched no actor. */
void trp_placement_warn(const struct trp_placement *placement);

/** Free all rules. */
void trp_placement_fini(struct trp_placement *placement);

#endif

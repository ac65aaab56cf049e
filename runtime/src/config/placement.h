/**
 * @file placement.h
 * @brief Rules that say where actors live: `GLOB=BACKEND[:COUNT][+TRANSPORT]`.
 */
#ifndef TRP_PLACEMENT_H
#define TRP_PLACEMENT_H

#include "config/rules.h"

#include <stdbool.h>
#include <stddef.h>

enum { TRP_POOL_COUNT_MAX = 1024 };

/** What makes a rule a placement rule. */
extern const struct trp_rule_kind trp_placement_kind;

struct trp_placement {
    struct trp_rule *rules;  // const once the system runs
    struct trp_rule *spawns; // guarded by the system's lock
};

/** Parse the right side of a rule, which begins at @p offset; say in *flaw what is wrong with it. */
enum troupe_err trp_place_check(
    const char *text,
    size_t offset,
    struct trp_parse_error *parse_error,
    struct trp_place *out_place);

/**
 * Parse the right side of a rule.
 *
 * @param text    The whole rule, for the message.
 * @param offset  Where its right side begins.
 *
 * @retval TROUPE_ERR_INVAL        it does not parse; the detail has a caret under the character.
 * @retval TROUPE_ERR_UNSUPPORTED  no such transport yet.
 */
enum troupe_err trp_place_parse(
    const char *text, size_t offset, const char *source, struct trp_place *out_place);

/** Parse rules and append them. @p rules ends with NULL, and may be NULL itself. */
enum troupe_err trp_placement_add(
    struct trp_placement *placement, const char *const *rules, enum trp_rule_source source);

/** Parse rules separated by `;` and append them. @p text may be NULL. */
enum troupe_err trp_placement_add_text(
    struct trp_placement *placement, const char *text, enum trp_rule_source source);

/** @return the first rule that matches either name among those up to @p last_source, or NULL. */
struct trp_rule *trp_placement_match(
    const struct trp_placement *placement,
    const char *name,
    const char *behaviour_name,
    bool before_spawn);

/**
 * Find or keep what a spawn asked for, so that equal words share a pool.
 *
 * @threads holding the system's lock
 */
enum troupe_err trp_placement_of_spawn(
    struct trp_placement *placement, const char *text, struct trp_rule **out_rule);

/** Name on standard error the rules that matched nothing. */
void trp_placement_warn(const struct trp_placement *placement);

/** Free all rules. */
void trp_placement_fini(struct trp_placement *placement);

#endif

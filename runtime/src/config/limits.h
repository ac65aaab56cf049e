/**
 * @file limits.h
 * @brief Parse and print limits, and match the rules `GLOB=LIMITS` that assign them to actors.
 */
#ifndef TRP_CONFIG_LIMITS_H
#define TRP_CONFIG_LIMITS_H

#include "config/rules.h"
#include "troupe/limits.h"

#include <stdbool.h>
#include <stddef.h>

/** Room for any limits, as printed, and their NUL. */
enum { TRP_LIMITS_BYTES = 320 };

/** The kind of limit rules, for the functions of rules.h. */
extern const struct trp_rule_kind trp_limits_kind;

/** Parse the limits that begin at @p offset of @p text; *parse_error says what is wrong. */
enum troupe_err trp_limits_check(
    const char *text,
    size_t offset,
    struct trp_parse_error *parse_error,
    struct troupe_limits *out_limits);

/**
 * Parse limits, likewise, and set the detail.
 *
 * @retval TROUPE_ERR_INVAL  they do not parse; the detail names @p source, and has a caret.
 */
enum troupe_err trp_limits_parse(
    const char *text, size_t offset, const char *source, struct troupe_limits *out_limits);

/** Print limits so that trp_limits_parse() reads the same; "none" if none is set. */
void trp_limits_print(const struct troupe_limits *limits, char text[TRP_LIMITS_BYTES]);

/** @return whether any limit is set. */
bool trp_limits_are_some(const struct troupe_limits *limits);

/**
 * Parse a rule and append it.
 *
 * @param origin  For a rule of a launch file, its name and line; else NULL.
 *
 * @retval TROUPE_ERR_INVAL  it does not parse; the detail has a caret under the character.
 */
enum troupe_err trp_limit_rules_add(
    struct trp_rule **rules, const char *text, enum trp_rule_source source, const char *origin);

/**
 * Find the limits of an actor: those of the first rule that matches. What its spawn @p asked for
 * precedes the rules of the program, and follows all others. Without any, no limit is set.
 *
 * @param asked  May be NULL.
 */
void trp_limit_rules_match(
    struct trp_rule *rules,
    const char *name,
    const char *behaviour_name,
    const struct troupe_limits *asked,
    struct troupe_limits *out_limits);

#endif

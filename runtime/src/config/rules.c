#include "config/rules.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *rule_source_text(const struct trp_rule_kind *kind, enum trp_rule_source source)
{
    switch (source) {
    case TRP_RULE_COMMAND_LINE:
        return "command line";
    case TRP_RULE_ENVIRONMENT:
        return kind->variable;
    case TRP_RULE_LAUNCH:
        return "launch file";
    case TRP_RULE_SPAWN:
        return "spawn";
    case TRP_RULE_PROGRAM:
        return "program";
    }
    return "";
}

/** @return where a rule was written, as text. */
static const char *rule_origin(
    const struct trp_rule_kind *kind, enum trp_rule_source source, const char *origin)
{
    return origin != NULL ? origin : rule_source_text(kind, source);
}

const char *trp_rule_origin(const struct trp_rule_kind *kind, const struct trp_rule *rule)
{
    return rule_origin(kind, rule->source, rule->origin);
}

/** Find where the right side of a rule begins. */
static enum troupe_err rule_find_right(
    const struct trp_rule_kind *kind,
    const char *text,
    struct trp_parse_error *parse_error,
    size_t *out_offset)
{
    const char *equals = strrchr(text, '=');
    if (equals == NULL) {
        return TRP_PARSE_ERROR(
            parse_error,
            TROUPE_ERR_INVAL,
            strlen(text),
            "expected '=' and %s, as in '%s'",
            kind->right,
            kind->example);
    }
    if (equals == text) {
        return TRP_PARSE_ERROR(
            parse_error,
            TROUPE_ERR_INVAL,
            0,
            "expected a pattern of names, as in '%s'",
            kind->example);
    }
    *out_offset = (size_t)(equals + 1 - text);
    return TROUPE_OK;
}

enum troupe_err trp_rule_check(
    const struct trp_rule_kind *kind, const char *text, struct trp_parse_error *parse_error)
{
    struct trp_rule rule = {0};
    size_t offset = 0;
    enum troupe_err err = rule_find_right(kind, text, parse_error, &offset);
    return err != TROUPE_OK ? err : kind->parse(text, offset, parse_error, &rule);
}

enum troupe_err trp_rule_explain(
    const struct trp_rule_kind *kind,
    const char *text,
    const struct trp_parse_error *parse_error,
    const char *origin)
{
    return trp_parse_error_explain(
        parse_error,
        text,
        strlen(text),
        "%s (%s), character %zu",
        kind->noun,
        origin,
        parse_error->offset + 1);
}

static void rule_free(struct trp_rule *rule)
{
    if (rule != NULL) {
        free(rule->origin);
        free(rule->text);
        free(rule->glob);
        free(rule->behaviour);
        free(rule->pool);
        free(rule);
    }
}

/** Copy @p text; NULL is left out. @return false: no memory. */
static bool rule_copy(const char *text, char **out_copy)
{
    return text == NULL || (*out_copy = strdup(text)) != NULL;
}

/** Copy what was parsed into a new rule, with its texts and an empty pool. */
static enum troupe_err rule_keep(
    const struct trp_rule *parsed,
    const char *text,
    size_t offset,
    const char *origin,
    struct trp_rule **out_rule)
{
    struct trp_rule *rule = calloc(1, sizeof(*rule));
    bool made = rule != NULL && rule_copy(text, &rule->text) && rule_copy(origin, &rule->origin);
    if (made && offset > 0) {
        made = (rule->glob = strndup(text, offset - 1)) != NULL;
    }
    if (made && parsed->place.count > 0) {
        made = (rule->pool = calloc(parsed->place.count, sizeof(*rule->pool))) != NULL;
    }
    if (!made) {
        rule_free(rule);
        return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for rule %s", text);
    }
    rule->source = parsed->source;
    rule->place = parsed->place;
    rule->limits = parsed->limits;
    *out_rule = rule;
    return TROUPE_OK;
}

enum troupe_err trp_rule_make(
    const struct trp_rule_kind *kind,
    const char *text,
    size_t offset,
    enum trp_rule_source source,
    const char *origin,
    struct trp_rule **out_rule)
{
    struct trp_rule parsed = {.source = source};
    struct trp_parse_error parse_error;
    enum troupe_err err = kind->parse(text, offset, &parse_error, &parsed);
    if (err != TROUPE_OK) {
        (void)trp_rule_explain(kind, text, &parse_error, rule_origin(kind, source, origin));
        return err;
    }
    return rule_keep(&parsed, text, offset, origin, out_rule);
}

static void rule_append(struct trp_rule **rules, struct trp_rule *rule)
{
    while (*rules != NULL) {
        rules = &(*rules)->next;
    }
    *rules = rule;
}

enum troupe_err trp_rules_add(
    struct trp_rule **rules,
    const struct trp_rule_kind *kind,
    const char *text,
    enum trp_rule_source source,
    const char *origin)
{
    struct trp_parse_error parse_error;
    size_t offset = 0;
    if (rule_find_right(kind, text, &parse_error, &offset) != TROUPE_OK) {
        return trp_rule_explain(kind, text, &parse_error, rule_origin(kind, source, origin));
    }
    struct trp_rule *rule = NULL;
    enum troupe_err err = trp_rule_make(kind, text, offset, source, origin, &rule);
    if (err == TROUPE_OK) {
        rule_append(rules, rule);
    }
    return err;
}

enum troupe_err trp_rules_add_all(
    struct trp_rule **rules,
    const struct trp_rule_kind *kind,
    const char *const *texts,
    enum trp_rule_source source)
{
    enum troupe_err err = TROUPE_OK;
    for (size_t i = 0; texts != NULL && texts[i] != NULL && err == TROUPE_OK; i++) {
        err = trp_rules_add(rules, kind, texts[i], source, NULL);
    }
    return err;
}

enum troupe_err trp_rules_add_text(
    struct trp_rule **rules,
    const struct trp_rule_kind *kind,
    const char *text,
    enum trp_rule_source source)
{
    if (text == NULL) {
        return TROUPE_OK;
    }
    char *copy = strdup(text);
    if (copy == NULL) {
        return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for %ss", kind->noun);
    }
    enum troupe_err err = TROUPE_OK;
    char *rest = copy;
    for (char *rule = strtok_r(copy, ";", &rest); rule != NULL && err == TROUPE_OK;
         rule = strtok_r(NULL, ";", &rest)) {
        rule += strspn(rule, " \t\n");
        size_t bytes = strlen(rule);
        while (bytes > 0 && strchr(" \t\n", rule[bytes - 1]) != NULL) {
            rule[--bytes] = '\0';
        }
        if (*rule != '\0') {
            err = trp_rules_add(rules, kind, rule, source, NULL);
        }
    }
    free(copy);
    return err;
}

enum troupe_err trp_rules_add_actor(
    struct trp_rule **rules,
    const struct trp_rule_kind *kind,
    const char *name,
    const char *behaviour_name,
    const char *text,
    const char *origin)
{
    struct trp_rule *rule = NULL;
    enum troupe_err err = trp_rule_make(kind, text, 0, TRP_RULE_LAUNCH, origin, &rule);
    if (err != TROUPE_OK) {
        return err;
    }
    if (!rule_copy(name, &rule->glob) || !rule_copy(behaviour_name, &rule->behaviour)) {
        rule_free(rule);
        return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for rule %s", text);
    }
    rule_append(rules, rule);
    return TROUPE_OK;
}

static bool rule_matches(const struct trp_rule *rule, const char *name, const char *behaviour_name)
{
    if (rule->behaviour != NULL) {
        return name != NULL && strcmp(rule->glob, name) == 0 &&
               strcmp(rule->behaviour, behaviour_name) == 0;
    }
    return (name != NULL && fnmatch(rule->glob, name, 0) == 0) ||
           fnmatch(rule->glob, behaviour_name, 0) == 0;
}

#define MARK_NONE    '-'
#define MARK_MATCHED '+'

static void rule_set_matched(struct trp_rule *rule)
{
    atomic_store_explicit(&rule->matched, true, memory_order_relaxed);
    if (rule->mark != NULL) {
        atomic_store_explicit(rule->mark, MARK_MATCHED, memory_order_relaxed);
    }
}

static bool rule_is_matched(const struct trp_rule *rule)
{
    return atomic_load_explicit(&rule->matched, memory_order_relaxed) ||
           (rule->mark != NULL &&
            atomic_load_explicit(rule->mark, memory_order_relaxed) == MARK_MATCHED);
}

struct trp_rule *trp_rules_match(
    struct trp_rule *rules, const char *name, const char *behaviour_name, bool before_spawn)
{
    for (struct trp_rule *rule = rules; rule != NULL; rule = rule->next) {
        if (before_spawn == (rule->source < TRP_RULE_SPAWN) &&
            rule_matches(rule, name, behaviour_name)) {
            rule_set_matched(rule);
            return rule;
        }
    }
    return NULL;
}

/*
 * The written form of a list of rules:
 *
 *     rule          mark, source as a lower-case letter, text, NUL
 *     of one actor  mark, source as a capital letter, name, NUL, behaviour's name, NUL, text, NUL
 *     end           NUL in place of a mark
 *
 * The mark is MARK_MATCHED once the rule has matched in any process, and else MARK_NONE.
 */

/** Append a text and its NUL. @return false: no room. */
static bool rule_write_text(const char *text, char *bytes, size_t room, size_t *at)
{
    size_t text_bytes = strlen(text) + 1;
    if (room - *at < text_bytes) {
        return false;
    }
    memcpy(bytes + *at, text, text_bytes);
    *at += text_bytes;
    return true;
}

static bool rule_write(struct trp_rule *rule, char *bytes, size_t room, size_t *at)
{
    bool is_own = rule->behaviour != NULL;
    if (room - *at < 2) {
        return false;
    }
    rule->mark = (void *)(bytes + *at);
    bytes[(*at)++] = MARK_NONE;
    bytes[(*at)++] = (char)((is_own ? 'A' : 'a') + (int)rule->source);
    bool fits = !is_own || (rule_write_text(rule->glob, bytes, room, at) &&
                            rule_write_text(rule->behaviour, bytes, room, at));
    return fits && rule_write_text(rule->text, bytes, room, at);
}

bool trp_rules_write(struct trp_rule *rules, char *bytes, size_t room, size_t *at)
{
    bool fits = true;
    for (struct trp_rule *rule = rules; rule != NULL && fits; rule = rule->next) {
        fits = rule_write(rule, bytes, room, at);
    }
    return fits && rule_write_text("", bytes, room, at);
}

/** @return the text at *at; advances *at over its NUL. */
static const char *rule_read_text(const char *bytes, size_t *at)
{
    const char *text = bytes + *at;
    *at += strlen(text) + 1;
    return text;
}

enum troupe_err trp_rules_read(
    struct trp_rule **rules, const struct trp_rule_kind *kind, char *bytes, size_t *at)
{
    while (*rules != NULL) {
        rules = &(*rules)->next;
    }
    enum troupe_err err = TROUPE_OK;
    while (err == TROUPE_OK && bytes[*at] != '\0') {
        char *mark = bytes + *at;
        char source = mark[1];
        *at += 2;
        if (source >= 'A' && source <= 'Z') {
            const char *name = rule_read_text(bytes, at);
            const char *behaviour_name = rule_read_text(bytes, at);
            const char *text = rule_read_text(bytes, at);
            err = trp_rules_add_actor(rules, kind, name, behaviour_name, text, NULL);
        } else {
            enum trp_rule_source from = (enum trp_rule_source)(source - 'a');
            err = trp_rules_add(rules, kind, rule_read_text(bytes, at), from, NULL);
        }
        if (*rules != NULL) {
            (*rules)->mark = (void *)mark;
            rules = &(*rules)->next;
        }
    }
    *at += err == TROUPE_OK ? 1 : 0;
    return err;
}

void trp_rules_warn(const struct trp_rule *rules, const struct trp_rule_kind *kind)
{
    for (const struct trp_rule *rule = rules; rule != NULL; rule = rule->next) {
        // A rule for one actor of a launch file may be overruled on purpose: no warning.
        if (rule->behaviour == NULL && !rule_is_matched(rule)) {
            (void)fprintf(
                stderr,
                "troupe: warning: %s '%s' (%s) matched no actor\n",
                kind->noun,
                rule->text,
                trp_rule_origin(kind, rule));
        }
    }
}

void trp_rules_fini(struct trp_rule **rules)
{
    while (*rules != NULL) {
        struct trp_rule *next = (*rules)->next;
        rule_free(*rules);
        *rules = next;
    }
}

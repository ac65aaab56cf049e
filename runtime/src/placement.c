#include "placement.h"

#include <ctype.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *placement_source_text(enum trp_rule_source source)
{
    static const char *const texts[] = {
        [TRP_RULE_COMMAND_LINE] = "command line",
        [TRP_RULE_ENVIRONMENT] = "TROUPE_PLACE",
        [TRP_RULE_SPAWN] = "spawn",
        [TRP_RULE_PROGRAM] = "program",
    };
    return texts[source];
}

/** Explain what is wrong with a rule, with a caret under the character. */
static enum troupe_err placement_explain(
    enum troupe_err err, const char *text, size_t offset, const char *source, const char *what)
{
    return TRP_EXPLAIN(
        err,
        "placement rule (%s), character %zu: %s\n    %s\n    %*s^",
        source,
        offset + 1,
        what,
        text,
        (int)offset,
        "");
}

static const struct troupe_backend_ops *placement_find_backend(const char *name, size_t bytes)
{
    const struct troupe_backend_ops *ops = NULL;
    for (uint32_t i = 0; (ops = troupe_backend_get(i)) != NULL; i++) {
        if (strlen(ops->name) == bytes && memcmp(ops->name, name, bytes) == 0) {
            return ops;
        }
    }
    return NULL;
}

/** List the backends there are, for who named another. */
static enum troupe_err placement_unknown_backend(
    const char *text, size_t offset, const char *source, size_t bytes)
{
    char what[256];
    int at = snprintf(
        what, sizeof(what), "unknown backend '%.*s'; known are", (int)bytes, text + offset);
    const struct troupe_backend_ops *ops = NULL;
    for (uint32_t i = 0; (ops = troupe_backend_get(i)) != NULL && at < (int)sizeof(what); i++) {
        at += snprintf(what + at, sizeof(what) - (size_t)at, "%s %s", i == 0 ? "" : ",", ops->name);
    }
    return placement_explain(TROUPE_ERR_INVAL, text, offset, source, what);
}

static enum troupe_err placement_parse_count(
    const char *text, size_t *offset, const char *source, struct trp_place *place)
{
    size_t at = *offset;
    uint32_t count = 0;
    while (isdigit((unsigned char)text[at]) && count <= TRP_POOL_COUNT_MAX) {
        count = count * 10 + (uint32_t)(text[at++] - '0');
    }
    if (at == *offset || count == 0 || count > TRP_POOL_COUNT_MAX) {
        return placement_explain(
            TROUPE_ERR_INVAL, text, *offset, source, "a count from 1 to 1024 belongs here");
    }
    if ((place->ops->traits & TROUPE_TRAIT_PARALLEL) == 0) {
        return placement_explain(
            TROUPE_ERR_INVAL,
            text,
            *offset,
            source,
            "this backend has one executor and takes no count");
    }
    place->count = count;
    *offset = at;
    return TROUPE_OK;
}

static enum troupe_err placement_parse_transport(
    const char *text, size_t *offset, const char *source, struct trp_place *place)
{
    static const struct {
        const char *name;
        enum trp_transport transport;
    } transports[] = {
        {"inproc", TRP_TRANSPORT_INPROC},
        {"ipc", TRP_TRANSPORT_IPC},
        {"tcp", TRP_TRANSPORT_TCP},
    };
    for (size_t i = 0; i < sizeof(transports) / sizeof(transports[0]); i++) {
        if (strcmp(text + *offset, transports[i].name) == 0) {
            place->transport = transports[i].transport;
            *offset += strlen(transports[i].name);
            return TROUPE_OK;
        }
    }
    return placement_explain(
        TROUPE_ERR_INVAL, text, *offset, source, "unknown transport; known are inproc, ipc, tcp");
}

enum troupe_err trp_place_parse(
    const char *text, size_t offset, const char *source, struct trp_place *out_place)
{
    size_t bytes = strcspn(text + offset, ":+");
    if (bytes == 0) {
        return placement_explain(
            TROUPE_ERR_INVAL, text, offset, source, "the name of a backend belongs here");
    }
    struct trp_place place = {.ops = placement_find_backend(text + offset, bytes)};
    if (place.ops == NULL) {
        return placement_unknown_backend(text, offset, source, bytes);
    }
    size_t at = offset + bytes;
    enum troupe_err err = TROUPE_OK;
    if (text[at] == ':') {
        at++;
        err = placement_parse_count(text, &at, source, &place);
    }
    if (err == TROUPE_OK && text[at] == '+') {
        at++;
        err = placement_parse_transport(text, &at, source, &place);
    }
    if (err == TROUPE_OK && text[at] != '\0') {
        err = placement_explain(TROUPE_ERR_INVAL, text, at, source, "nothing may follow here");
    }
    if (err == TROUPE_OK) {
        *out_place = place;
    }
    return err;
}

static void placement_free_rule(struct trp_rule *rule)
{
    if (rule != NULL) {
        free(rule->text);
        free(rule->glob);
        free(rule->pool);
        free(rule);
    }
}

/** Make a rule of @p text, whose right side begins at @p offset. */
static enum troupe_err placement_make_rule(
    const char *text, size_t offset, enum trp_rule_source source, struct trp_rule **out_rule)
{
    struct trp_place place = {0};
    enum troupe_err err = trp_place_parse(text, offset, placement_source_text(source), &place);
    if (err != TROUPE_OK) {
        return err;
    }
    struct trp_rule *rule = calloc(1, sizeof(*rule));
    bool made = rule != NULL && (rule->text = strdup(text)) != NULL;
    if (made && offset > 0) {
        made = (rule->glob = strndup(text, offset - 1)) != NULL;
    }
    if (made && place.count > 0) {
        made = (rule->pool = calloc(place.count, sizeof(*rule->pool))) != NULL;
    }
    if (!made) {
        placement_free_rule(rule);
        return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for placement rule %s", text);
    }
    rule->source = source;
    rule->place = place;
    *out_rule = rule;
    return TROUPE_OK;
}

static enum troupe_err placement_add_rule(
    struct trp_placement *placement, const char *text, enum trp_rule_source source)
{
    const char *equals = strrchr(text, '=');
    if (equals == NULL || equals == text) {
        return placement_explain(
            TROUPE_ERR_INVAL,
            text,
            equals == NULL ? strlen(text) : 0,
            placement_source_text(source),
            equals == NULL ? "'=' and a backend belong here, as in '*=ecs'"
                           : "a pattern for names belongs here, as in '*=ecs'");
    }
    struct trp_rule *rule = NULL;
    enum troupe_err err = placement_make_rule(text, (size_t)(equals + 1 - text), source, &rule);
    if (err != TROUPE_OK) {
        return err;
    }
    struct trp_rule **at = &placement->rules;
    while (*at != NULL) {
        at = &(*at)->next;
    }
    *at = rule;
    return TROUPE_OK;
}

enum troupe_err trp_placement_add(
    struct trp_placement *placement, const char *const *rules, enum trp_rule_source source)
{
    enum troupe_err err = TROUPE_OK;
    for (size_t i = 0; rules != NULL && rules[i] != NULL && err == TROUPE_OK; i++) {
        err = placement_add_rule(placement, rules[i], source);
    }
    return err;
}

enum troupe_err trp_placement_add_text(
    struct trp_placement *placement, const char *text, enum trp_rule_source source)
{
    if (text == NULL) {
        return TROUPE_OK;
    }
    char *copy = strdup(text);
    if (copy == NULL) {
        return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for placement rules");
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
            err = placement_add_rule(placement, rule, source);
        }
    }
    free(copy);
    return err;
}

struct trp_rule *trp_placement_match(
    const struct trp_placement *placement,
    const char *name,
    const char *behaviour_name,
    bool before_spawn)
{
    for (struct trp_rule *rule = placement->rules; rule != NULL; rule = rule->next) {
        if (before_spawn != (rule->source < TRP_RULE_SPAWN)) {
            continue;
        }
        if ((name != NULL && fnmatch(rule->glob, name, 0) == 0) ||
            fnmatch(rule->glob, behaviour_name, 0) == 0) {
            atomic_store_explicit(&rule->matched, true, memory_order_relaxed);
            return rule;
        }
    }
    return NULL;
}

enum troupe_err trp_placement_of_spawn(
    struct trp_placement *placement, const char *text, struct trp_rule **out_rule)
{
    for (struct trp_rule *rule = placement->spawns; rule != NULL; rule = rule->next) {
        if (strcmp(rule->text, text) == 0) {
            *out_rule = rule;
            return TROUPE_OK;
        }
    }
    struct trp_rule *rule = NULL;
    enum troupe_err err = placement_make_rule(text, 0, TRP_RULE_SPAWN, &rule);
    if (err == TROUPE_OK) {
        rule->next = placement->spawns;
        placement->spawns = rule;
        *out_rule = rule;
    }
    return err;
}

void trp_placement_warn(const struct trp_placement *placement)
{
    for (const struct trp_rule *rule = placement->rules; rule != NULL; rule = rule->next) {
        if (!atomic_load_explicit(&rule->matched, memory_order_relaxed)) {
            (void)fprintf(
                stderr,
                "troupe: warning: placement rule '%s' (%s) matched no actor\n",
                rule->text,
                placement_source_text(rule->source));
        }
    }
}

static void placement_free_rules(struct trp_rule *rule)
{
    while (rule != NULL) {
        struct trp_rule *next = rule->next;
        placement_free_rule(rule);
        rule = next;
    }
}

void trp_placement_fini(struct trp_placement *placement)
{
    placement_free_rules(placement->rules);
    placement_free_rules(placement->spawns);
    *placement = (struct trp_placement){0};
}

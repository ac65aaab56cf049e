#include "config/placement.h"

#include "base/units.h"

#include <stdio.h>
#include <string.h>

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

/** Explain that a backend is unknown, with the backends that are known. */
static enum troupe_err placement_unknown_backend(
    const char *text, size_t offset, size_t bytes, struct trp_parse_error *parse_error)
{
    char known[128] = "";
    size_t at = 0;
    const struct troupe_backend_ops *ops = NULL;
    for (uint32_t i = 0; (ops = troupe_backend_get(i)) != NULL && at < sizeof(known); i++) {
        const char *comma = i == 0 ? "" : ", ";
        at += (size_t)snprintf(known + at, sizeof(known) - at, "%s%s", comma, ops->name);
    }
    return TRP_PARSE_ERROR(
        parse_error,
        TROUPE_ERR_INVAL,
        offset,
        "unknown backend '%.*s'; known are %s",
        (int)(bytes < 64 ? bytes : 64),
        text + offset,
        known);
}

static enum troupe_err placement_parse_count(
    const char *text, size_t *at, struct trp_parse_error *parse_error, struct trp_place *place)
{
    size_t offset = *at;
    uint64_t count = 0;
    if (!trp_number_parse(text, at, TRP_POOL_COUNT_MAX, &count) || count == 0) {
        return TRP_PARSE_ERROR(
            parse_error,
            TROUPE_ERR_INVAL,
            offset,
            "expected a count from 1 to %d",
            TRP_POOL_COUNT_MAX);
    }
    if ((place->ops->traits & TROUPE_TRAIT_PARALLEL) == 0) {
        return TRP_PARSE_ERROR(
            parse_error,
            TROUPE_ERR_INVAL,
            offset,
            "this backend has one executor; remove the count");
    }
    place->count = (uint32_t)count;
    return TROUPE_OK;
}

static enum troupe_err placement_parse_transport(
    const char *text, size_t *at, struct trp_parse_error *parse_error, struct trp_place *place)
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
        if (strcmp(text + *at, transports[i].name) == 0) {
            place->transport = transports[i].transport;
            *at += strlen(transports[i].name);
            return TROUPE_OK;
        }
    }
    return TRP_PARSE_ERROR(
        parse_error, TROUPE_ERR_INVAL, *at, "unknown transport; known are inproc, ipc, tcp");
}

enum troupe_err trp_place_check(
    const char *text,
    size_t offset,
    struct trp_parse_error *parse_error,
    struct trp_place *out_place)
{
    size_t bytes = strcspn(text + offset, ":+");
    if (bytes == 0) {
        return TRP_PARSE_ERROR(
            parse_error, TROUPE_ERR_INVAL, offset, "expected the name of a backend");
    }
    struct trp_place place = {.ops = placement_find_backend(text + offset, bytes)};
    if (place.ops == NULL) {
        return placement_unknown_backend(text, offset, bytes, parse_error);
    }
    size_t at = offset + bytes;
    enum troupe_err err = TROUPE_OK;
    if (text[at] == ':') {
        at++;
        err = placement_parse_count(text, &at, parse_error, &place);
    }
    if (err == TROUPE_OK && text[at] == '+') {
        at++;
        err = placement_parse_transport(text, &at, parse_error, &place);
    }
    if (err == TROUPE_OK && text[at] != '\0') {
        err =
            TRP_PARSE_ERROR(parse_error, TROUPE_ERR_INVAL, at, "nothing may follow the placement");
    }
    if (err == TROUPE_OK) {
        *out_place = place;
    }
    return err;
}

enum troupe_err trp_place_parse(
    const char *text, size_t offset, const char *source, struct trp_place *out_place)
{
    struct trp_parse_error parse_error;
    enum troupe_err err = trp_place_check(text, offset, &parse_error, out_place);
    return err == TROUPE_OK ? err
                            : trp_rule_explain(&trp_placement_kind, text, &parse_error, source);
}

static enum troupe_err placement_parse_right(
    const char *text, size_t offset, struct trp_parse_error *parse_error, struct trp_rule *rule)
{
    return trp_place_check(text, offset, parse_error, &rule->place);
}

const struct trp_rule_kind trp_placement_kind = {
    .noun = "placement rule",
    .variable = "TROUPE_PLACE",
    .right = "a backend",
    .example = "*=ecs",
    .parse = placement_parse_right,
};

enum troupe_err trp_placement_add(
    struct trp_placement *placement, const char *const *rules, enum trp_rule_source source)
{
    return trp_rules_add_all(&placement->rules, &trp_placement_kind, rules, source);
}

enum troupe_err trp_placement_add_text(
    struct trp_placement *placement, const char *text, enum trp_rule_source source)
{
    return trp_rules_add_text(&placement->rules, &trp_placement_kind, text, source);
}

struct trp_rule *trp_placement_match(
    const struct trp_placement *placement,
    const char *name,
    const char *behaviour_name,
    bool before_spawn)
{
    return trp_rules_match(placement->rules, name, behaviour_name, before_spawn);
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
    enum troupe_err err = trp_rule_make(&trp_placement_kind, text, 0, TRP_RULE_SPAWN, NULL, &rule);
    if (err == TROUPE_OK) {
        rule->next = placement->spawns;
        placement->spawns = rule;
        *out_rule = rule;
    }
    return err;
}

void trp_placement_warn(const struct trp_placement *placement)
{
    trp_rules_warn(placement->rules, &trp_placement_kind);
}

void trp_placement_fini(struct trp_placement *placement)
{
    trp_rules_fini(&placement->rules);
    trp_rules_fini(&placement->spawns);
}

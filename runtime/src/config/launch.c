#include "config/launch.h"

#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum troupe_err trp_launch_keep(
    const char *text,
    size_t bytes,
    uint32_t line,
    uint32_t offset,
    struct trp_launch_text *out_text)
{
    char *copy = strndup(text, bytes);
    if (copy == NULL) {
        return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for a launch file");
    }
    *out_text = (struct trp_launch_text){.text = copy, .line = line, .column = offset + 1};
    return TROUPE_OK;
}

/** Make room for one more element, as arrays grow at each power of two. @return NULL: no memory. */
static void *launch_grow(void *array, size_t count, size_t element_bytes)
{
    if ((count & (count - 1)) != 0) {
        return array;
    }
    void *grown = reallocarray(array, count == 0 ? 1 : count * 2, element_bytes);
    if (grown == NULL) {
        (void)TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for a launch file");
    }
    return grown;
}

struct trp_launch_rule *trp_launch_add_rule(struct trp_launch *launch)
{
    struct trp_launch_rule *rules =
        launch_grow(launch->rules, launch->rule_count, sizeof(*launch->rules));
    if (rules == NULL) {
        return NULL;
    }
    launch->rules = rules;
    rules[launch->rule_count] = (struct trp_launch_rule){0};
    return &rules[launch->rule_count++];
}

struct trp_launch_actor *trp_launch_add_actor(struct trp_launch *launch)
{
    struct trp_launch_actor *actors =
        launch_grow(launch->actors, launch->actor_count, sizeof(*launch->actors));
    if (actors == NULL) {
        return NULL;
    }
    launch->actors = actors;
    actors[launch->actor_count] = (struct trp_launch_actor){0};
    return &actors[launch->actor_count++];
}

const struct troupe_behaviour *trp_launch_find_behaviour(
    const struct troupe_behaviour *const *behaviours, const char *name)
{
    for (size_t i = 0; behaviours[i] != NULL; i++) {
        if (behaviours[i]->name != NULL && strcmp(behaviours[i]->name, name) == 0) {
            return behaviours[i];
        }
    }
    return NULL;
}

static enum troupe_err launch_unknown_behaviour(
    const struct trp_launch *launch,
    const struct trp_launch_text *behaviour,
    const struct troupe_behaviour *const *behaviours)
{
    char known[512] = "";
    size_t at = 0;
    for (size_t i = 0; behaviours[i] != NULL && at < sizeof(known); i++) {
        const char *comma = i == 0 ? "" : ", ";
        const char *name = behaviours[i]->name != NULL ? behaviours[i]->name : "";
        at += (size_t)snprintf(known + at, sizeof(known) - at, "%s%s", comma, name);
    }
    return TRP_EXPLAIN(
        TROUPE_ERR_INVAL,
        "launch file %s, line %u, column %u: unknown behaviour '%.64s'; this program has %s",
        launch->name,
        behaviour->line,
        behaviour->column,
        behaviour->text,
        known);
}

enum troupe_err trp_launch_check_behaviours(
    const struct trp_launch *launch, const struct troupe_behaviour *const *behaviours)
{
    for (size_t i = 0; i < launch->actor_count; i++) {
        const struct trp_launch_text *behaviour = &launch->actors[i].behaviour;
        if (trp_launch_find_behaviour(behaviours, behaviour->text) == NULL) {
            return launch_unknown_behaviour(launch, behaviour, behaviours);
        }
    }
    return TROUPE_OK;
}

void trp_launch_fini(struct trp_launch *launch)
{
    for (size_t i = 0; i < launch->rule_count; i++) {
        free(launch->rules[i].rule.text);
    }
    for (size_t i = 0; i < launch->actor_count; i++) {
        struct trp_launch_actor *actor = &launch->actors[i];
        free(actor->name.text);
        free(actor->behaviour.text);
        free(actor->place.text);
        free(actor->limits.text);
        trp_shell_words_fini(&actor->args.words);
    }
    free(launch->rules);
    free(launch->actors);
    trp_shell_words_fini(&launch->args.words);
    *launch = (struct trp_launch){0};
}

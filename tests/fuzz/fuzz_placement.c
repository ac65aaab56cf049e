// Placement rules: any text is accepted, or is refused with a detail that points into it.
//
// The input is read as the right side of a rule, as rules separated by ';' as in TROUPE_PLACE, and
// as the place that a spawn asks for; then the rules are matched with some names.
#include "base/error.h"
#include "config/placement.h"
#include "fuzz.h"

#include <stdbool.h>

/** Check that an error is one of the two that are allowed, and that its detail says where. */
static void placement_check_refusal(enum troupe_err err)
{
    const char *detail = troupe_error_detail();
    FUZZ_CHECK(err == TROUPE_ERR_INVAL || err == TROUPE_ERR_UNSUPPORTED);
    FUZZ_CHECK(strstr(detail, "placement rule (") != NULL);
}

static void placement_check_place(const struct trp_place *place)
{
    FUZZ_CHECK(place->ops != NULL);
    FUZZ_CHECK(place->count <= TRP_POOL_COUNT_MAX);
    FUZZ_CHECK(place->count == 0 || (place->ops->traits & TROUPE_TRAIT_PARALLEL) != 0);
    FUZZ_CHECK(place->transport >= TRP_TRANSPORT_NEAREST && place->transport <= TRP_TRANSPORT_TCP);
}

static void placement_read_place(const char *text)
{
    struct trp_place place = {0};
    enum troupe_err err = trp_place_parse(text, 0, "fuzz", &place);
    if (err == TROUPE_OK) {
        placement_check_place(&place);
    } else {
        FUZZ_CHECK(place.ops == NULL); // it is unchanged
        placement_check_refusal(err);
    }
}

/** Check that a rule that was kept is the same when its text is read again. */
static void placement_check_rule(const struct trp_rule *rule)
{
    placement_check_place(&rule->place);
    FUZZ_CHECK((rule->pool != NULL) == (rule->place.count > 0));
    size_t offset = rule->glob == NULL ? 0 : strlen(rule->glob) + 1;
    FUZZ_CHECK(rule->glob == NULL || (offset > 1 && rule->text[offset - 1] == '='));
    struct trp_place again;
    FUZZ_CHECK(trp_place_parse(rule->text, offset, "fuzz", &again) == TROUPE_OK);
    FUZZ_CHECK(again.ops == rule->place.ops);
    FUZZ_CHECK(again.count == rule->place.count);
    FUZZ_CHECK(again.transport == rule->place.transport);
}

/**
 * Match some names. They are short, as matching a pattern of many stars with a long name takes
 * long.
 */
static void placement_ask(const struct trp_placement *placement)
{
    static const char *const names[] = {"db", "worker-12", "", NULL};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const struct trp_rule *rule = trp_placement_match(placement, names[i], "counter", true);
        FUZZ_CHECK(rule == NULL || rule->source < TRP_RULE_SPAWN);
    }
}

static void placement_read_rules(const char *text)
{
    struct trp_placement placement = {0};
    enum troupe_err err = trp_placement_add_text(&placement, text, TRP_RULE_ENVIRONMENT);
    if (err != TROUPE_OK) {
        placement_check_refusal(err);
    }
    for (const struct trp_rule *rule = placement.rules; rule != NULL; rule = rule->next) {
        FUZZ_CHECK(rule->source == TRP_RULE_ENVIRONMENT && rule->glob != NULL);
        placement_check_rule(rule);
    }
    placement_ask(&placement);
    trp_placement_fini(&placement);
}

static void placement_read_spawn(const char *text)
{
    struct trp_placement placement = {0};
    struct trp_rule *rule = NULL;
    struct trp_rule *same = NULL;
    enum troupe_err err = trp_placement_of_spawn(&placement, text, &rule);
    if (err == TROUPE_OK) {
        placement_check_rule(rule);
        FUZZ_CHECK(trp_placement_of_spawn(&placement, text, &same) == TROUPE_OK);
        FUZZ_CHECK(rule == same);
    } else {
        FUZZ_CHECK(rule == NULL && placement.spawns == NULL);
        placement_check_refusal(err);
    }
    trp_placement_fini(&placement);
}

int LLVMFuzzerTestOneInput(
    const uint8_t *data, size_t size) // NOLINT(readability-identifier-naming)
{
    char *text = fuzz_copy_text(data, size);
    placement_read_place(text);
    placement_read_rules(text);
    placement_read_spawn(text);
    free(text);
    return 0;
}

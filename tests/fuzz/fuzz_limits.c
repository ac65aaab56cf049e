// Limits: any text is accepted, or is refused with a detail that points into it; and what was
// accepted is read back when it is printed.
//
// The input is read as limits, and as a rule, which is then matched with some names.
#include "base/error.h"
#include "config/limits.h"
#include "fuzz.h"

static void limits_check_sound(const struct troupe_limits *limits)
{
    FUZZ_CHECK(limits->memory_bytes <= INT64_MAX);
    FUZZ_CHECK(limits->core_bytes <= INT64_MAX || limits->core_bytes == TROUPE_CORE_NONE);
    FUZZ_CHECK(limits->file_count <= INT32_MAX);
    FUZZ_CHECK(limits->nice >= -40 && limits->nice <= 39);
}

static void limits_check_equal(const struct troupe_limits *one, const struct troupe_limits *other)
{
    FUZZ_CHECK(one->memory_bytes == other->memory_bytes);
    FUZZ_CHECK(one->core_bytes == other->core_bytes);
    FUZZ_CHECK(one->cpu_mask == other->cpu_mask);
    FUZZ_CHECK(one->cpu_seconds == other->cpu_seconds);
    FUZZ_CHECK(one->file_count == other->file_count);
    FUZZ_CHECK(one->nice == other->nice);
}

static void limits_check_refusal(enum troupe_err err)
{
    FUZZ_CHECK(err == TROUPE_ERR_INVAL);
    FUZZ_CHECK(strstr(troupe_error_detail(), "limit rule (") != NULL);
}

static void limits_read(const char *text)
{
    struct troupe_limits limits = {0};
    struct troupe_limits again = {0};
    enum troupe_err err = trp_limits_parse(text, 0, "fuzz", &limits);
    if (err != TROUPE_OK) {
        limits_check_refusal(err);
        FUZZ_CHECK(!trp_limits_are_some(&limits)); // they are unchanged
        return;
    }
    char *printed = fuzz_room(TRP_LIMITS_BYTES);
    limits_check_sound(&limits);
    trp_limits_print(&limits, printed);
    FUZZ_CHECK(strlen(printed) < TRP_LIMITS_BYTES);
    FUZZ_CHECK((strcmp(printed, "none") == 0) == !trp_limits_are_some(&limits));
    FUZZ_CHECK(trp_limits_parse(printed, 0, "fuzz", &again) == TROUPE_OK);
    limits_check_equal(&limits, &again);
    free(printed);
}

static void limits_read_rule(const char *text)
{
    static const char *const names[] = {"db", "worker-12", "", NULL};
    const struct troupe_limits asked = {.nice = 7};
    struct trp_rule *rules = NULL;
    enum troupe_err err = trp_limit_rules_add(&rules, text, TRP_RULE_COMMAND_LINE, NULL);
    if (err != TROUPE_OK) {
        FUZZ_CHECK(rules == NULL);
        limits_check_refusal(err);
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct troupe_limits limits;
        const struct trp_rule *rule = trp_rules_match(rules, names[i], "counter", true);
        trp_limit_rules_match(rules, names[i], "counter", &asked, &limits);
        limits_check_equal(&limits, rule != NULL ? &rule->limits : &asked);
    }
    trp_rules_fini(&rules);
    FUZZ_CHECK(rules == NULL);
}

int LLVMFuzzerTestOneInput(
    const uint8_t *data, size_t size) // NOLINT(readability-identifier-naming)
{
    char *text = fuzz_copy_text(data, size);
    limits_read(text);
    limits_read_rule(text);
    free(text);
    return 0;
}

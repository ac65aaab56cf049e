// Launch files: any bytes are accepted, or are refused with a detail that has line and column; and
// what was accepted is valid, so that later code need not check it.
#include "base/error.h"
#include "config/launch_file.h"
#include "config/limits.h"
#include "config/placement.h"
#include "fuzz.h"

static void launch_check_refusal(enum troupe_err err)
{
    FUZZ_CHECK(err == TROUPE_ERR_INVAL || err == TROUPE_ERR_UNSUPPORTED);
    FUZZ_CHECK(strncmp(troupe_error_detail(), "launch file fuzz", 16) == 0);
}

static void launch_check_text(const struct trp_launch_text *text)
{
    FUZZ_CHECK((text->text != NULL) == (text->line != 0));
    FUZZ_CHECK(text->line == 0 || text->column != 0);
}

/** Check that each word ends within the words, and that it is read back when it is printed. */
static void launch_check_words(const struct trp_shell_words *words)
{
    for (size_t at = 0; at < words->byte_count;) {
        const char *word = words->bytes + at;
        const char *nul = memchr(word, '\0', words->byte_count - at);
        FUZZ_CHECK(nul != NULL);
        size_t length = (size_t)(nul - word);
        char *printed = fuzz_room(length * TRP_WORD_STRETCH + 3);
        struct trp_shell_words again = {0};
        struct trp_parse_error flaw;
        FUZZ_CHECK(trp_shell_word_print(word, printed) == strlen(printed));
        FUZZ_CHECK(strchr(printed, '\'') == NULL);
        FUZZ_CHECK(trp_shell_words_split(printed, &flaw, &again) == TROUPE_OK);
        FUZZ_CHECK(again.byte_count == length + 1 && strcmp(again.bytes, word) == 0);
        trp_shell_words_fini(&again);
        free(printed);
        at += length + 1;
    }
}

static void launch_check_rule(const struct trp_launch_rule *rule)
{
    struct trp_parse_error flaw;
    launch_check_text(&rule->rule);
    FUZZ_CHECK(rule->kind == &trp_placement_kind || rule->kind == &trp_limits_kind);
    FUZZ_CHECK(trp_rule_check(rule->kind, rule->rule.text, &flaw) == TROUPE_OK);
}

static void launch_check_actor(const struct trp_launch_actor *actor)
{
    struct trp_parse_error flaw;
    struct trp_place place;
    struct troupe_limits limits;
    launch_check_text(&actor->name);
    launch_check_text(&actor->behaviour);
    launch_check_text(&actor->place);
    launch_check_text(&actor->limits);
    launch_check_words(&actor->args.words);
    FUZZ_CHECK(actor->name.line != 0 && actor->name.text[0] != '\0');
    FUZZ_CHECK(actor->behaviour.line > actor->name.line);
    if (actor->place.line != 0) {
        FUZZ_CHECK(trp_place_check(actor->place.text, 0, &flaw, &place) == TROUPE_OK);
    }
    if (actor->limits.line != 0) {
        FUZZ_CHECK(trp_limits_check(actor->limits.text, 0, &flaw, &limits) == TROUPE_OK);
    }
}

static void launch_check(const struct trp_launch *launch)
{
    FUZZ_CHECK(strcmp(launch->name, "fuzz") == 0);
    launch_check_words(&launch->args.words);
    for (size_t i = 0; i < launch->rule_count; i++) {
        launch_check_rule(&launch->rules[i]);
    }
    for (size_t i = 0; i < launch->actor_count; i++) {
        launch_check_actor(&launch->actors[i]);
    }
}

int LLVMFuzzerTestOneInput(
    const uint8_t *data, size_t size) // NOLINT(readability-identifier-naming)
{
    static const struct troupe_behaviour counter = {.name = "counter"};
    static const struct troupe_behaviour *const behaviours[] = {&counter, NULL};
    char *text = fuzz_copy(data, size);
    struct trp_launch launch = {0};
    enum troupe_err err = trp_launch_parse(text, size, "fuzz", &launch);
    free(text); // the launch has copies
    if (err == TROUPE_OK) {
        launch_check(&launch);
        err = trp_launch_check_behaviours(&launch, behaviours);
    }
    if (err != TROUPE_OK) {
        launch_check_refusal(err);
    }
    trp_launch_fini(&launch);
    return 0;
}

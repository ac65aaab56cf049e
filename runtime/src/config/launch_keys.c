/*
 * One function for each key of a launch file: it checks the value and keeps it in a struct
 * trp_launch.
 */
#include "config/launch_keys.h"

#include "base/units.h"
#include "config/limits.h"
#include "config/placement.h"
#include "config/watchdog_option.h"

#include <string.h>

enum { KEY_ARGS_BYTES_MAX = 32768 };

/** Explain what is wrong at an offset of a value. */
static enum troupe_err launch_key_refuse_value(
    const struct trp_launch_target *target,
    const struct trp_launch_value *value,
    struct trp_parse_error *parse_error)
{
    parse_error->offset += value->item->value_offset;
    return trp_launch_explain(target->launch->name, &value->item->line, parse_error);
}

static enum troupe_err launch_key_keep_value(
    const struct trp_launch_value *value, struct trp_launch_text *out_text)
{
    const struct trp_launch_item *item = value->item;
    return trp_launch_keep(
        value->text, strlen(value->text), item->line.number, item->value_offset, out_text);
}

static enum troupe_err launch_key_refuse(
    const struct trp_launch_target *target, const struct trp_launch_value *value, const char *what)
{
    const struct trp_launch_item *item = value->item;
    return trp_launch_refuse(target->launch->name, item, item->value_offset, what);
}

/* Options. ------------------------------------------------------------------------------------- */

/** Parse a number with its unit at *at, as trp_number_parse() does. */
typedef bool launch_key_number_fn(
    const char *text, size_t *at, uint64_t most, uint64_t *out_number);

static enum troupe_err launch_key_read_number(
    const struct trp_launch_target *target,
    const struct trp_launch_value *value,
    launch_key_number_fn *parse,
    uint64_t most,
    const char *what,
    struct trp_launch_number *out_number)
{
    size_t at = 0;
    uint64_t number = 0;
    if (!parse(value->text, &at, most, &number) || number == 0 || value->text[at] != '\0') {
        return launch_key_refuse(target, value, what);
    }
    *out_number = (struct trp_launch_number){.value = number, .line = value->item->line.number};
    return TROUPE_OK;
}

static enum troupe_err launch_key_read_seed(
    const struct trp_launch_target *target, const struct trp_launch_value *value)
{
    return launch_key_read_number(
        target,
        value,
        trp_number_parse,
        UINT64_MAX,
        "expected a whole number from 1",
        &target->launch->seed);
}

static enum troupe_err launch_key_read_mailbox(
    const struct trp_launch_target *target, const struct trp_launch_value *value)
{
    return launch_key_read_number(
        target,
        value,
        trp_number_parse,
        UINT32_MAX,
        "expected a number of messages, from 1 to 4294967295",
        &target->launch->mailbox_messages);
}

static enum troupe_err launch_key_read_mailbox_bytes(
    const struct trp_launch_target *target, const struct trp_launch_value *value)
{
    return launch_key_read_number(
        target,
        value,
        trp_size_parse,
        SIZE_MAX / 2,
        "expected a size from 1 byte, as in 64M",
        &target->launch->mailbox_bytes);
}

static enum troupe_err launch_key_read_stop_timeout(
    const struct trp_launch_target *target, const struct trp_launch_value *value)
{
    return launch_key_read_number(
        target,
        value,
        trp_time_parse,
        INT64_MAX,
        "expected a time in m, s, ms, us or ns, as in 1500ms",
        &target->launch->stop_timeout_ns);
}

static enum troupe_err launch_key_read_watchdog(
    const struct trp_launch_target *target, const struct trp_launch_value *value)
{
    struct trp_launch *launch = target->launch;
    uint64_t ns = 0;
    if (!trp_watchdog_parse(value->text, &ns, &launch->watchdog_kills)) {
        return launch_key_refuse(target, value, "expected " TRP_WATCHDOG_SYNTAX);
    }
    launch->watchdog_ns = (struct trp_launch_number){.value = ns, .line = value->item->line.number};
    return TROUPE_OK;
}

static enum troupe_err launch_key_read_words(
    const struct trp_launch_target *target,
    const struct trp_launch_value *value,
    struct trp_launch_words *args)
{
    struct trp_parse_error parse_error = {0};
    if (trp_shell_words_split(value->text, &parse_error, &args->words) != TROUPE_OK) {
        return launch_key_refuse_value(target, value, &parse_error);
    }
    if (args->words.byte_count > KEY_ARGS_BYTES_MAX) {
        return launch_key_refuse(target, value, "an actor has at most 32 KiB of args");
    }
    args->line = args->line != 0 ? args->line : value->item->line.number;
    return TROUPE_OK;
}

static enum troupe_err launch_key_read_first_args(
    const struct trp_launch_target *target, const struct trp_launch_value *value)
{
    return launch_key_read_words(target, value, &target->launch->args);
}

/* Rules. --------------------------------------------------------------------------------------- */

static enum troupe_err launch_key_add_rule(
    const struct trp_launch_target *target, const struct trp_launch_value *value, bool is_default)
{
    struct trp_parse_error parse_error = {0};
    if (trp_rule_check(target->rule_kind, value->text, &parse_error) != TROUPE_OK) {
        return launch_key_refuse_value(target, value, &parse_error);
    }
    struct trp_launch_rule *rule = trp_launch_add_rule(target->launch);
    if (rule == NULL) {
        return TROUPE_ERR_NOMEM;
    }
    rule->kind = target->rule_kind;
    rule->is_default = is_default;
    return launch_key_keep_value(value, &rule->rule);
}

static enum troupe_err launch_key_read_rule(
    const struct trp_launch_target *target, const struct trp_launch_value *value)
{
    return launch_key_add_rule(target, value, false);
}

static enum troupe_err launch_key_read_default(
    const struct trp_launch_target *target, const struct trp_launch_value *value)
{
    return launch_key_add_rule(target, value, true);
}

/* Actors. -------------------------------------------------------------------------------------- */

static enum troupe_err launch_key_read_behaviour(
    const struct trp_launch_target *target, const struct trp_launch_value *value)
{
    if (value->text[0] == '\0') {
        return launch_key_refuse(target, value, "expected the name of a behaviour");
    }
    return launch_key_keep_value(value, &target->actor->behaviour);
}

static enum troupe_err launch_key_read_args(
    const struct trp_launch_target *target, const struct trp_launch_value *value)
{
    return launch_key_read_words(target, value, &target->actor->args);
}

static enum troupe_err launch_key_read_place(
    const struct trp_launch_target *target, const struct trp_launch_value *value)
{
    struct trp_parse_error parse_error = {0};
    struct trp_place place;
    if (trp_place_check(value->text, 0, &parse_error, &place) != TROUPE_OK) {
        return launch_key_refuse_value(target, value, &parse_error);
    }
    return launch_key_keep_value(value, &target->actor->place);
}

static enum troupe_err launch_key_read_limits(
    const struct trp_launch_target *target, const struct trp_launch_value *value)
{
    struct trp_parse_error parse_error = {0};
    struct troupe_limits limits;
    if (trp_limits_check(value->text, 0, &parse_error, &limits) != TROUPE_OK) {
        return launch_key_refuse_value(target, value, &parse_error);
    }
    return launch_key_keep_value(value, &target->actor->limits);
}

/* Tables. -------------------------------------------------------------------------------------- */

// clang-format off
const struct trp_launch_key trp_launch_option_keys[] = {
    {"seed",          launch_key_read_seed,          false},
    {"mailbox",       launch_key_read_mailbox,       false},
    {"mailbox-bytes", launch_key_read_mailbox_bytes, false},
    {"stop-timeout",  launch_key_read_stop_timeout,  false},
    {"watchdog",      launch_key_read_watchdog,      false},
    {"args",          launch_key_read_first_args,    true},
    {NULL, NULL, false},
};
const struct trp_launch_key trp_launch_rule_keys[] = {
    {"rule",    launch_key_read_rule,    true},
    {"default", launch_key_read_default, true},
    {NULL, NULL, false},
};
const struct trp_launch_key trp_launch_actor_keys[] = {
    {"behaviour", launch_key_read_behaviour, false},
    {"args",      launch_key_read_args,      true},
    {"place",     launch_key_read_place,     false},
    {"limits",    launch_key_read_limits,    false},
    {NULL, NULL, false},
};
// clang-format on

_Static_assert(
    sizeof(trp_launch_option_keys) / sizeof(trp_launch_option_keys[0]) <=
        TRP_LAUNCH_KEY_COUNT_MAX + 1,
    "raise TRP_LAUNCH_KEY_COUNT_MAX");

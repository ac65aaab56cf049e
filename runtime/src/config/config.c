#include "config/config.h"

#include "config/launch_file.h"
#include "config/limits.h"

#include <stdlib.h>
#include <string.h>

enum { ORIGIN_BYTES = TRP_LAUNCH_NAME_BYTES + 16 };

/** Print the origin of a value of the launch file: name and line. */
static void config_print_origin(
    const struct trp_launch *launch, uint32_t line, char text[ORIGIN_BYTES])
{
    (void)snprintf(text, ORIGIN_BYTES, "%s:%u", launch->name, line);
}

/** Append the file's rule for one actor, where it has one. */
static enum troupe_err config_add_actor_rule(
    struct trp_config *config,
    const struct trp_launch_actor *actor,
    const struct trp_rule_kind *kind,
    const struct trp_launch_text *text,
    struct trp_rule **rules)
{
    if (text->line == 0) {
        return TROUPE_OK;
    }
    char origin[ORIGIN_BYTES];
    config_print_origin(&config->launch, text->line, origin);
    return trp_rules_add_actor(
        rules, kind, actor->name.text, actor->behaviour.text, text->text, origin);
}

/** Append the rules of the file: those of single actors, then the others; or its defaults. */
static enum troupe_err config_add_launch(
    struct trp_config *config,
    const struct trp_rule_kind *kind,
    bool is_default,
    struct trp_rule **rules)
{
    const struct trp_launch *launch = &config->launch;
    enum troupe_err err = TROUPE_OK;
    for (size_t i = 0; i < launch->actor_count && !is_default && err == TROUPE_OK; i++) {
        const struct trp_launch_actor *actor = &launch->actors[i];
        bool is_place = kind == &trp_placement_kind;
        err = config_add_actor_rule(
            config, actor, kind, is_place ? &actor->place : &actor->limits, rules);
    }
    for (size_t i = 0; i < launch->rule_count && err == TROUPE_OK; i++) {
        const struct trp_launch_rule *rule = &launch->rules[i];
        if (rule->kind == kind && rule->is_default == is_default) {
            char origin[ORIGIN_BYTES];
            config_print_origin(launch, rule->rule.line, origin);
            err = trp_rules_add(
                rules,
                kind,
                rule->rule.text,
                is_default ? TRP_RULE_PROGRAM : TRP_RULE_LAUNCH,
                origin);
        }
    }
    return err;
}

/** Append all rules of a kind, in the order in which they are matched. */
static enum troupe_err config_add_rules(
    struct trp_config *config,
    const struct trp_rule_kind *kind,
    const char *const *from_line,
    const char *const *from_program,
    struct trp_rule **rules)
{
    enum troupe_err err = trp_rules_add_all(rules, kind, from_line, TRP_RULE_COMMAND_LINE);
    if (err == TROUPE_OK) {
        const char *environment = getenv(kind->variable); // NOLINT(concurrency-mt-unsafe)
        err = trp_rules_add_text(rules, kind, environment, TRP_RULE_ENVIRONMENT);
    }
    if (err == TROUPE_OK) {
        err = config_add_launch(config, kind, false, rules);
    }
    if (err == TROUPE_OK) {
        err = config_add_launch(config, kind, true, rules);
    }
    if (err == TROUPE_OK) {
        err = trp_rules_add_all(rules, kind, from_program, TRP_RULE_PROGRAM);
    }
    return err;
}

/** Choose a number: that of the options, else that of the launch file, else the default. */
static struct trp_config_number config_choose(
    uint64_t option, const struct trp_launch_number *number, uint64_t otherwise)
{
    if (option != 0) {
        return (struct trp_config_number){.value = option};
    }
    if (number->line != 0) {
        return (struct trp_config_number){.value = number->value, .line = number->line};
    }
    return (struct trp_config_number){.value = otherwise, .is_default = true};
}

static void config_choose_numbers(
    struct trp_config *config, const struct troupe_system_options *options)
{
    const struct trp_launch *launch = &config->launch;
    config->seed = config_choose(options->seed, &launch->seed, 0);
    config->mailbox_messages = config_choose(
        options->mailbox_messages, &launch->mailbox_messages, TROUPE_MAILBOX_MESSAGES_DEFAULT);
    config->mailbox_bytes =
        config_choose(options->mailbox_bytes, &launch->mailbox_bytes, TROUPE_MAILBOX_BYTES_DEFAULT);
    config->stop_timeout_ns = config_choose(
        options->stop_timeout_ns, &launch->stop_timeout_ns, TROUPE_STOP_TIMEOUT_DEFAULT_NS);
    config->watchdog = config_choose(options->callback_timeout_ns, &launch->watchdog_ns, 0);
    config->watchdog_kills =
        config->watchdog.line != 0 ? launch->watchdog_kills : options->callback_timeout_kills;
}

enum troupe_err trp_config_make(
    const struct troupe_system_options *options, struct trp_config *out_config)
{
    struct trp_config config = {0};
    const char *path = options->launch_file;
    if (path == NULL) {
        path = getenv("TROUPE_LAUNCH"); // NOLINT(concurrency-mt-unsafe)
    }
    enum troupe_err err = TROUPE_OK;
    if (path != NULL && path[0] != '\0') {
        err = trp_launch_load(path, &config.launch);
    }
    if (err == TROUPE_OK) {
        err = trp_launch_check_behaviours(&config.launch, options->behaviours);
    }
    if (err == TROUPE_OK) {
        config_choose_numbers(&config, options);
        err = config_add_rules(
            &config,
            &trp_placement_kind,
            options->place,
            options->place_default,
            &config.placement.rules);
    }
    if (err == TROUPE_OK) {
        err = config_add_rules(
            &config, &trp_limits_kind, options->limit, options->limit_default, &config.limits);
    }
    if (err != TROUPE_OK) {
        trp_config_fini(&config);
        return err;
    }
    *out_config = config;
    return TROUPE_OK;
}

void trp_config_warn(const struct trp_config *config)
{
    trp_placement_warn(&config->placement);
    trp_rules_warn(config->limits, &trp_limits_kind);
}

void trp_config_fini(struct trp_config *config)
{
    trp_launch_fini(&config->launch);
    trp_placement_fini(&config->placement);
    trp_rules_fini(&config->limits);
}

#include "node/child_env.h"

#include "config/limits.h"
#include "config/placement.h"
#include "config/rules.h"

#include <inttypes.h>
#include <stdio.h>

void trp_child_env_write(const struct trp_child_env *env, char text[static TRP_CHILD_ENV_BYTES])
{
    (void)snprintf(
        text,
        TRP_CHILD_ENV_BYTES,
        TRP_CHILD_ENV_NAME "=%d,%d,%d,%" PRIu32 ",%" PRIx64,
        env->shared_fd,
        env->listener_fd,
        env->control_fd,
        env->process_index,
        env->token);
}

bool trp_child_env_read(const char *text, struct trp_child_env *out_env)
{
    int end = 0;
    struct trp_child_env env;
    // A value with a number out of range is not of ours, and then its token is not accepted either.
    int count = sscanf( // NOLINT(cert-err34-c)
        text,
        "%d,%d,%d,%" SCNu32 ",%" SCNx64 "%n",
        &env.shared_fd,
        &env.listener_fd,
        &env.control_fd,
        &env.process_index,
        &env.token,
        &end);
    if (count != 5 || text[end] != '\0' || env.shared_fd < 0 || env.listener_fd < 0 ||
        env.control_fd < 0 || env.process_index >= TRP_SHARED_PROCESSES) {
        return false;
    }
    *out_env = env;
    return true;
}

enum troupe_err trp_child_env_write_rules(struct troupe_system *system)
{
    size_t at = 0;
    struct trp_shared *shared = system->runtime.shared;
    const struct trp_config *config = &system->config;
    if (trp_rules_write(config->placement.rules, shared->rules, sizeof(shared->rules), &at) &&
        trp_rules_write(config->limits, shared->rules, sizeof(shared->rules), &at)) {
        return TROUPE_OK;
    }
    return TRP_EXPLAIN(
        TROUPE_ERR_LIMIT,
        "the rules of the system have more than %d bytes, too many for child processes to read; "
        "write "
        "fewer, with patterns",
        TRP_SHARED_RULES_BYTES);
}

enum troupe_err trp_child_env_read_rules(troupe_system_t *system)
{
    size_t at = 0;
    char *bytes = system->runtime.shared->rules;
    struct trp_config *config = &system->config;
    enum troupe_err err = trp_rules_read(&config->placement.rules, &trp_placement_kind, bytes, &at);
    return err == TROUPE_OK ? trp_rules_read(&config->limits, &trp_limits_kind, bytes, &at) : err;
}

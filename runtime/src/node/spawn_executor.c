#include "node/spawn_executor.h"

#include "actor/inbox_mail.h"
#include "base/descriptors.h"
#include "channel/channel.h"
#include "config/limits.h"
#include "node/backend_host.h"
#include "node/executors.h"
#include "node/system.h"

void trp_spawn_limits(
    const troupe_system_t *system,
    const struct troupe_spawn_options *options,
    struct troupe_limits *out_limits)
{
    trp_limit_rules_match(
        system->config.limits,
        options->name,
        options->behaviour->name,
        &options->limits,
        out_limits);
    out_limits->cpu_mask = out_limits->cpu_mask != 0 ? out_limits->cpu_mask : options->cpu_mask;
}

uint64_t trp_spawn_cpu_mask(
    const troupe_system_t *system, const struct troupe_spawn_options *options)
{
    struct troupe_limits limits;
    trp_spawn_limits(system, options, &limits);
    return limits.cpu_mask;
}

enum troupe_err trp_spawn_executor_new(
    troupe_system_t *system,
    const struct troupe_spawn_options *options,
    const struct trp_place *place,
    struct troupe_executor **out_executor)
{
    const struct troupe_backend_ops *ops = place->ops;
    const char *name = options->name != NULL ? options->name : options->behaviour->name;
    trp_executors_reap(system); // first: that frees the descriptors of those that have ended
    if (!trp_descriptors_are_free(TRP_DESCRIPTORS_FOR_CHANNELS)) {
        return TRP_EXPLAIN(
            TROUPE_ERR_LIMIT,
            "fewer than %d descriptors are free: no executor for '%s'; end some actors, pool them "
            "by %s:N, or raise the limit of open files",
            TRP_DESCRIPTORS_FREE_MIN + TRP_DESCRIPTORS_FOR_CHANNELS,
            name,
            ops->name);
    }
    (void)pthread_mutex_lock(&system->runtime.lock);
    void *self = NULL;
    enum troupe_err err = trp_backend_host_open(system, ops, &self);
    (void)pthread_mutex_unlock(&system->runtime.lock);
    if (err != TROUPE_OK) {
        return err;
    }
    struct troupe_executor *executor = NULL;
    err = trp_executors_add(system, TRP_MODE_LOOP, place->transport, name, &executor);
    if (err == TROUPE_OK) {
        executor->ops = ops;
        executor->backend_self = self;
        *out_executor = executor;
    }
    return err;
}

/** Start an executor once the channel to it is open: an executor that no other reaches could not be stopped. */
static enum troupe_err spawn_executor_connect(
    struct troupe_executor *spawner, struct troupe_executor *executor, uint64_t cpu_mask)
{
    struct trp_channel *channel = NULL;
    enum troupe_err err = trp_channel_open(&spawner->channels, executor->id, &channel);
    if (err != TROUPE_OK) {
        return err;
    }
    // The channel back as well, while this thread still owns the executor: a new thread takes three times as long
    // for it and would wake the spawner for nothing. If it fails, the first message back tries again.
    struct trp_channel *back = NULL;
    bool has_back = trp_channel_open(&executor->channels, spawner->id, &back) == TROUPE_OK;
    err = trp_executors_start(trp_system_of(spawner), executor, cpu_mask);
    if (err != TROUPE_OK) {
        if (has_back) {
            trp_channel_abandon(&executor->channels, back);
        }
        trp_channel_abandon(&spawner->channels, channel);
    }
    return err;
}

enum troupe_err trp_spawn_executor_start(
    struct troupe_executor *spawner, struct troupe_executor *executor, uint64_t cpu_mask)
{
    if (spawner->inbox != NULL) {
        trp_inbox_lock(spawner->inbox);
    }
    enum troupe_err err = spawn_executor_connect(spawner, executor, cpu_mask);
    if (err != TROUPE_OK) {
        trp_executors_discard(trp_system_of(spawner), executor);
    }
    if (spawner->inbox != NULL) {
        trp_inbox_unlock(spawner->inbox);
    }
    return err;
}

#include "node/launch_actors.h"

#include "base/error.h"
#include "config/launch.h"

#include <stdio.h>

static enum troupe_err launch_actors_explain(
    const struct trp_launch *launch, const struct trp_launch_actor *actor, enum troupe_err err)
{
    char why[512];
    (void)snprintf(why, sizeof(why), "%.500s", troupe_error_detail());
    return TRP_EXPLAIN(
        err,
        "launch file %s, line %u: cannot start actor '%s': %s",
        launch->name,
        actor->name.line,
        actor->name.text,
        why);
}

enum troupe_err trp_launch_start_actors(
    const struct trp_launch *launch,
    const struct troupe_behaviour *const *behaviours,
    troupe_context_t *ctx)
{
    for (size_t i = 0; i < launch->actor_count; i++) {
        const struct trp_launch_actor *actor = &launch->actors[i];
        const struct troupe_spawn_options options = {
            .behaviour = trp_launch_find_behaviour(behaviours, actor->behaviour.text),
            .name = actor->name.text,
            .args = actor->args.words.bytes,
            .args_bytes = actor->args.words.byte_count,
        };
        enum troupe_err err = troupe_spawn(ctx, &options, NULL);
        if (err != TROUPE_OK) {
            return launch_actors_explain(launch, actor, err);
        }
    }
    return TROUPE_OK;
}

#include "actor/executor.h"
#include "base/error.h"
#include "config/launch.h"
#include "node/owner.h"
#include "node/process_manager.h"
#include "node/shutdown.h"
#include "node/spawn.h"
#include "node/system_make.h"
#include "troupe/main.h"

#include <stdio.h>

/* The life of a system as its owner sees it: troupe_system_new() to troupe_system_destroy(). */

/** Destroy a system that started some of its actors only, and keep the detail that says why. */
static void system_new_undo(troupe_system_t *system)
{
    char why[1024];
    (void)snprintf(why, sizeof(why), "%s", troupe_error_detail());
    (void)troupe_system_destroy(
        &system); // it leaks when an actor does not return from its callback
    trp_error_set_detail("%s", why);
}

/** Start the actors of the launch file, in its order. */
static enum troupe_err system_new_start_actors(
    troupe_system_t *system, const struct troupe_behaviour *const *behaviours)
{
    const struct trp_launch *launch = &system->config.launch;
    enum troupe_err err = TROUPE_OK;
    for (size_t i = 0; i < launch->actor_count && err == TROUPE_OK; i++) {
        const struct trp_launch_actor *actor = &launch->actors[i];
        const struct troupe_spawn_options options = {
            .behaviour = trp_launch_find_behaviour(behaviours, actor->behaviour.text),
            .name = actor->name.text,
            .args = actor->args.words.bytes,
            .args_bytes = actor->args.words.byte_count,
        };
        err = trp_spawn(&system->executor->context, &options, false, NULL);
        if (err != TROUPE_OK) {
            char why[512];
            (void)snprintf(why, sizeof(why), "%.500s", troupe_error_detail());
            trp_error_set_detail(
                "launch file %s, line %u: actor '%s' does not start: %s",
                launch->name,
                actor->name.line,
                actor->name.text,
                why);
        }
    }
    return err;
}

enum troupe_err troupe_system_new(
    const struct troupe_system_options *options, troupe_system_t **out_system)
{
    troupe_run_if_child(options->behaviours);
    troupe_system_t *system = NULL;
    enum troupe_err err = trp_system_make(options, &system);
    if (err != TROUPE_OK) {
        return err;
    }
    if (system->callback_timeout_ns != 0) {
        err = trp_process_manager_start(system); // it runs the watchdog
    }
    if (err == TROUPE_OK) {
        err = system_new_start_actors(system, options->behaviours);
    }
    if (err != TROUPE_OK) {
        system_new_undo(system);
        return err;
    }
    *out_system = system;
    return TROUPE_OK;
}

troupe_context_t *troupe_system_context(troupe_system_t *system)
{
    return &system->executor->context;
}

enum troupe_err troupe_system_destroy(troupe_system_t **system_p)
{
    troupe_system_t *system = *system_p;
    if (system == NULL) {
        return TROUPE_OK;
    }
    enum troupe_err err = trp_owner_check(system, "troupe_system_destroy()");
    if (err != TROUPE_OK) {
        return err;
    }
    (void)pthread_mutex_lock(&system->runtime.lock);
    uint32_t inbox_count = system->inbox_count;
    (void)pthread_mutex_unlock(&system->runtime.lock);
    if (inbox_count != 0) {
        return TRP_EXPLAIN(
            TROUPE_ERR_TIMEDOUT,
            "inboxes still open: %u; destroy them before the system",
            inbox_count);
    }
    if (!trp_shutdown_run(system)) {
        return TROUPE_ERR_TIMEDOUT;
    }
    trp_process_manager_stop(system);
    trp_system_free(system);
    *system_p = NULL;
    return TROUPE_OK;
}

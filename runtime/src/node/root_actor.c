#include "node/root_actor.h"

#include "channel/channel.h"
#include "node/stop.h"

void trp_root_actor_ended(
    troupe_system_t *system, troupe_ref_t actor, const struct troupe_exit *exit)
{
    // Most actors are not the root: compare without the lock first. The acquire pairs with the release in
    // trp_root_actor_set().
    struct trp_shared *shared = system->runtime.shared;
    if (atomic_load_explicit(&shared->root_executor, memory_order_acquire) !=
            (uint64_t)actor.executor + 1 ||
        atomic_load_explicit(&shared->root_actor_key, memory_order_relaxed) !=
            trp_actor_key(actor.index, actor.generation)) {
        return;
    }
    trp_shared_lock(shared);
    bool is_root = troupe_ref_equal(shared->root, actor);
    if (is_root) {
        shared->root_exit = *exit;
        shared->root_ended = true;
    }
    trp_shared_unlock(shared);
    if (is_root) {
        troupe_system_stop(system);
    }
}

void trp_root_actor_set(troupe_system_t *system, troupe_ref_t actor)
{
    struct trp_shared *shared = system->runtime.shared;
    trp_shared_lock(shared);
    shared->root = actor;
    shared->root_ended = false;
    const struct trp_slot *slot = trp_shared_find_slot(shared, actor.executor);
    bool died = slot != NULL && trp_slot_state(slot) == TRP_SLOT_DEAD;
    bool failed = died && slot->failed;
    trp_shared_unlock(shared);
    atomic_store_explicit(
        &shared->root_actor_key,
        trp_actor_key(actor.index, actor.generation),
        memory_order_relaxed);
    atomic_store_explicit(
        &shared->root_executor, (uint64_t)actor.executor + 1, memory_order_release);
    if (died) { // its process exited before it became the root, and that is settled only once
        const struct troupe_exit exit = {
            .reason = failed ? TROUPE_EXIT_INIT_FAILED : TROUPE_EXIT_NORMAL,
            .text = "ended before it became the root actor",
        };
        trp_root_actor_ended(system, actor, &exit);
    }
}

void troupe_system_set_root(troupe_system_t *system, troupe_ref_t actor)
{
    trp_root_actor_set(system, actor);
    // It may have ended already. CHECK_ALIVE takes the way that its START took, so it arrives after it.
    struct troupe_executor *executor = system->executor;
    struct trp_channel *channel = NULL;
    const struct trp_outgoing check = {
        .to = actor,
        .kind = TRP_KIND_CHECK_ALIVE,
        .flags = TRP_FLAG_UNMETERED,
    };
    bool here = actor.executor == executor->id;
    if (!here &&
        trp_channel_open(&executor->channels, actor.executor, &channel) == TROUPE_ERR_NOENT) {
        const struct troupe_exit exit = {
            .reason = trp_shared_why_dead(system->runtime.shared, actor.executor) ==
                              TROUPE_DEAD_UNDELIVERABLE
                          ? TROUPE_EXIT_INIT_FAILED
                          : TROUPE_EXIT_NORMAL,
            .text = "ended before it became the root actor",
        };
        trp_root_actor_ended(system, actor, &exit);
    } else {
        (void)trp_send_message(executor, &check);
    }
}

enum troupe_err troupe_system_root_exit(troupe_system_t *system, struct troupe_exit *out_exit)
{
    trp_shared_lock(system->runtime.shared);
    bool ended = system->runtime.shared->root_ended;
    if (ended) {
        *out_exit = system->runtime.shared->root_exit;
    }
    trp_shared_unlock(system->runtime.shared);
    return ended ? TROUPE_OK
                 : TRP_EXPLAIN(TROUPE_ERR_NOENT, "there is no root actor, or it has not ended");
}

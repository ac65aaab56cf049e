#include "shared/root.h"

#include "shared/shared.h"
#include "wire/format.h"

/** @return whether an actor may be the root. Most are not, and need no lock to find that out. */
static bool root_is(const struct trp_root *root, troupe_ref_t actor)
{
    return atomic_load_explicit(&root->executor, memory_order_acquire) ==
               (uint64_t)actor.executor + 1 &&
           atomic_load_explicit(&root->actor_key, memory_order_relaxed) ==
               trp_actor_key(actor.index, actor.generation);
}

bool trp_root_note_exit(
    struct trp_shared *shared, troupe_ref_t actor, const struct troupe_exit *exit)
{
    struct trp_root *root = &shared->root;
    if (!root_is(root, actor)) {
        return false;
    }
    trp_shared_lock(shared);
    bool is_root = troupe_ref_equal(root->ref, actor);
    if (is_root) {
        root->exit = *exit;
        root->has_ended = true;
    }
    trp_shared_unlock(shared);
    return is_root;
}

bool trp_root_set(struct trp_shared *shared, troupe_ref_t actor)
{
    struct trp_root *root = &shared->root;
    trp_shared_lock(shared);
    root->ref = actor;
    root->has_ended = false;
    const struct trp_slot *slot = trp_shared_find_slot(shared, actor.executor);
    bool died = slot != NULL && trp_slot_state(slot) == TRP_SLOT_DEAD;
    bool failed = died && slot->failed;
    trp_shared_unlock(shared);
    uint64_t actor_key = trp_actor_key(actor.index, actor.generation);
    atomic_store_explicit(&root->actor_key, actor_key, memory_order_relaxed);
    // Release: pairs with the acquire in root_is(), so that the key belongs to it.
    atomic_store_explicit(&root->executor, (uint64_t)actor.executor + 1, memory_order_release);
    if (!died) {
        return false;
    }
    // A process exit is settled once, and this one was settled before.
    const struct troupe_exit exit = {
        .reason = failed ? TROUPE_EXIT_INIT_FAILED : TROUPE_EXIT_NORMAL,
        .text = "ended before it became the root actor",
    };
    return trp_root_note_exit(shared, actor, &exit);
}

bool trp_root_note_process_exit(
    struct trp_shared *shared, uint32_t node, const struct troupe_exit *exit)
{
    struct trp_root *root = &shared->root;
    if (root->ref.node != node || root->has_ended) {
        return false;
    }
    root->exit = *exit;
    root->has_ended = true;
    return true;
}

bool trp_root_exit(struct trp_shared *shared, struct troupe_exit *out_exit)
{
    trp_shared_lock(shared);
    bool has_ended = shared->root.has_ended;
    if (has_ended) {
        *out_exit = shared->root.exit;
    }
    trp_shared_unlock(shared);
    return has_ended;
}

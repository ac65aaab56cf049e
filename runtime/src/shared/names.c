#include "shared/names.h"

#include "shared/name_lists.h"
#include "shared/shared.h"
#include "shared/shared_table.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/** Take all waits off an entry. @return copies, but for those that there is no memory for. @threads as above */
static struct trp_name_waiter *name_take_waiters(struct trp_shared *shared, struct trp_name *entry)
{
    struct trp_name_waiter *waiters = NULL;
    uint32_t index = 0;
    while ((index = trp_shared_waiter_index(shared, entry->waits)) != 0) {
        const struct trp_name_wait *wait = &shared->waiters[index - 1];
        struct trp_name_waiter *waiter = malloc(sizeof(*waiter));
        if (waiter != NULL) {
            *waiter = (struct trp_name_waiter){.next = waiters, .ref = wait->ref, .ask = wait->ask};
            waiters = waiter;
        }
        trp_name_free_wait(shared, index);
    }
    return waiters;
}

enum troupe_err trp_names_add(
    struct trp_shared *shared,
    const char *name,
    troupe_ref_t owner,
    struct trp_name_waiter **out_waiters)
{
    enum troupe_err err = TROUPE_OK;
    *out_waiters = NULL;
    trp_shared_lock(shared);
    struct trp_name *entry = trp_name_make(shared, name);
    if (entry == NULL) {
        err = TRP_EXPLAIN(
            TROUPE_ERR_LIMIT,
            "all %d names of a system are taken; no room for '%s'",
            TRP_SHARED_NAMES,
            name);
    } else if (troupe_ref_is_none(entry->owner)) {
        entry->owner = owner;
        trp_name_enlist(shared, entry);
        *out_waiters = name_take_waiters(shared, entry);
    } else if (!troupe_ref_equal(entry->owner, owner)) {
        err = TRP_EXPLAIN(TROUPE_ERR_EXISTS, "another actor is registered as '%s'", name);
    }
    trp_shared_unlock(shared);
    return err;
}

troupe_ref_t trp_names_find(struct trp_shared *shared, const char *name)
{
    trp_shared_lock(shared);
    const struct trp_name *entry = trp_name_find(shared, name);
    troupe_ref_t owner = entry == NULL ? TROUPE_REF_NONE : entry->owner;
    trp_shared_unlock(shared);
    return owner;
}

const char *trp_names_of(const struct trp_shared *shared, troupe_ref_t actor)
{
    const char *first = NULL;
    uint32_t at = trp_shared_name_index(shared, shared->owner_buckets[trp_name_owner_hash(actor)]);
    for (; at != 0; at = trp_shared_name_index(shared, shared->names[at - 1].next_owned)) {
        const struct trp_name *entry = &shared->names[at - 1];
        first = troupe_ref_equal(entry->owner, actor) ? entry->text : first;
    }
    return first;
}

enum troupe_err trp_names_wait(
    struct trp_shared *shared,
    const char *name,
    troupe_ref_t reply_to,
    uint64_t ask,
    troupe_ref_t *out_owner,
    uint32_t *out_wait)
{
    enum troupe_err err = TROUPE_OK;
    *out_wait = 0;
    trp_shared_lock(shared);
    struct trp_name *entry = trp_name_make(shared, name);
    if (entry != NULL && !troupe_ref_is_none(entry->owner)) {
        *out_owner = entry->owner;
    } else {
        uint32_t index = entry == NULL ? 0 : trp_name_take_wait(shared);
        if (index != 0) {
            struct trp_name_wait *wait = &shared->waiters[index - 1];
            wait->name = trp_name_index(shared, entry) - 1;
            wait->ref = reply_to;
            atomic_signal_fence(memory_order_release);
            wait->ask = ask; // last: from here on it is taken
            trp_name_link_wait(shared, index);
            *out_wait = index;
        } else {
            err = TRP_EXPLAIN(
                TROUPE_ERR_LIMIT,
                "%d asks of a system wait for names already, or it has %d names; no room for '%s'",
                TRP_SHARED_WAITERS,
                TRP_SHARED_NAMES,
                name);
        }
        if (entry != NULL) {
            trp_name_tidy(shared, entry);
        }
    }
    trp_shared_unlock(shared);
    return err;
}

void trp_names_forget(struct trp_shared *shared, uint32_t wait, troupe_ref_t waiter, uint64_t ask)
{
    if (wait == 0) {
        return;
    }
    trp_shared_lock(shared);
    const struct trp_name_wait *at = &shared->waiters[wait - 1];
    if (at->ask == ask && troupe_ref_equal(at->ref, waiter)) { // not yet another's
        struct trp_name *entry = &shared->names[at->name % TRP_SHARED_NAMES];
        trp_name_free_wait(shared, wait);
        trp_name_tidy(shared, entry);
    }
    trp_shared_unlock(shared);
}

enum troupe_err trp_names_remove(struct trp_shared *shared, const char *name, troupe_ref_t owner)
{
    trp_shared_lock(shared);
    struct trp_name *entry = trp_name_find(shared, name);
    bool found = entry != NULL && troupe_ref_equal(entry->owner, owner);
    if (found) {
        trp_name_disown(shared, entry);
    }
    trp_shared_unlock(shared);
    return found ? TROUPE_OK
                 : TRP_EXPLAIN(TROUPE_ERR_NOENT, "this actor is not registered as '%s'", name);
}

void trp_names_remove_actor(struct trp_shared *shared, troupe_ref_t owner)
{
    trp_shared_lock(shared);
    uint32_t at = trp_shared_name_index(shared, shared->owner_buckets[trp_name_owner_hash(owner)]);
    while (at != 0) {
        struct trp_name *entry = &shared->names[at - 1];
        at = trp_shared_name_index(shared, entry->next_owned);
        if (troupe_ref_equal(entry->owner, owner)) {
            trp_name_disown(shared, entry);
        }
    }
    trp_shared_unlock(shared);
}

void trp_names_remove_process(struct trp_shared *shared, uint32_t node)
{
    uint32_t waits = trp_shared_waiter_index(shared, shared->waiter_high);
    uint32_t names = trp_shared_name_index(shared, shared->name_high);
    for (uint32_t i = 0; i < waits; i++) {
        const struct trp_name_wait *wait = &shared->waiters[i];
        if (wait->ask != 0 && wait->ref.node == node) {
            struct trp_name *entry = &shared->names[wait->name % TRP_SHARED_NAMES];
            trp_name_free_wait(shared, i + 1);
            trp_name_tidy(shared, entry);
        }
    }
    for (uint32_t i = 0; i < names; i++) {
        struct trp_name *entry = &shared->names[i];
        if (entry->text[0] != '\0' && entry->owner.node == node) {
            trp_name_disown(shared, entry);
        }
    }
}

#include "shared/names.h"

#include "shared/shared.h"

#include <stdlib.h>
#include <string.h>

/* Entries. -------------------------------------------------------------------------------------- */

/** @return the list of the entries with the hash of @p name. @source FNV-1a, isthe.com/chongo/tech/comp/fnv. */
static uint32_t *name_bucket(struct trp_shared *shared, const char *name)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (const char *at = name; *at != '\0'; at++) {
        hash = (hash ^ (unsigned char)*at) * UINT64_C(1099511628211);
    }
    return &shared->buckets[(hash ^ hash >> 32) % TRP_SHARED_BUCKETS];
}

/** @threads holding shared memory's lock */
static struct trp_name *name_find(struct trp_shared *shared, const char *name)
{
    for (uint32_t at = *name_bucket(shared, name); at != 0; at = shared->names[at - 1].next) {
        if (strcmp(shared->names[at - 1].text, name) == 0) {
            return &shared->names[at - 1];
        }
    }
    return NULL;
}

/** Find an entry, or make it. @return NULL: all are taken. @threads holding shared memory's lock */
static struct trp_name *name_make(struct trp_shared *shared, const char *name)
{
    struct trp_name *entry = name_find(shared, name);
    if (entry != NULL) {
        return entry;
    }
    uint32_t index = shared->name_free;
    if (index != 0) {
        shared->name_free = shared->names[index - 1].next;
    } else if (shared->name_high < TRP_SHARED_NAMES) {
        index = ++shared->name_high;
    } else {
        return NULL;
    }
    uint32_t *bucket = name_bucket(shared, name);
    entry = &shared->names[index - 1];
    *entry = (struct trp_name){.next = *bucket};
    memcpy(entry->text, name, strlen(name) + 1);
    *bucket = index;
    return entry;
}

/** Free an entry that has no owner, and that no ask waits for. @threads holding shared memory's lock */
static void name_tidy(struct trp_shared *shared, struct trp_name *entry)
{
    if (!troupe_ref_is_none(entry->owner) || entry->waits != 0) {
        return;
    }
    uint32_t index = (uint32_t)(entry - shared->names) + 1;
    uint32_t *at = name_bucket(shared, entry->text);
    while (*at != index) {
        at = &shared->names[*at - 1].next;
    }
    *at = entry->next;
    entry->next = shared->name_free;
    shared->name_free = index;
}

/* Owners. --------------------------------------------------------------------------------------- */

/** Put an entry on the list of its owner's executor. @threads holding shared memory's lock */
static void name_enlist(struct trp_shared *shared, struct trp_name *entry)
{
    struct trp_slot *slot = trp_shared_find_slot(shared, entry->owner.executor);
    if (slot != NULL) {
        entry->next_owned = slot->first_name;
        slot->first_name = (uint32_t)(entry - shared->names) + 1;
    }
}

/** Take an entry off that list. @threads holding shared memory's lock */
static void name_delist(struct trp_shared *shared, const struct trp_name *entry)
{
    uint32_t index = (uint32_t)(entry - shared->names) + 1;
    struct trp_slot *slot = trp_shared_find_slot(shared, entry->owner.executor);
    if (slot == NULL) {
        return;
    }
    uint32_t *at = &slot->first_name;
    while (*at != 0 && *at != index) {
        at = &shared->names[*at - 1].next_owned;
    }
    if (*at != 0) {
        *at = entry->next_owned;
    }
}

/** Unregister the owner of a name. @threads holding shared memory's lock */
static void name_disown(struct trp_shared *shared, struct trp_name *entry)
{
    name_delist(shared, entry);
    entry->owner = TROUPE_REF_NONE;
    name_tidy(shared, entry);
}

/* Waits. ---------------------------------------------------------------------------------------- */

/** @return a free wait's index + 1; 0: all are taken. @threads holding shared memory's lock */
static uint32_t name_take_wait(struct trp_shared *shared)
{
    uint32_t index = shared->waiter_free;
    if (index != 0) {
        shared->waiter_free = shared->waiters[index - 1].next;
    } else if (shared->waiter_high < TRP_SHARED_WAITERS) {
        index = ++shared->waiter_high;
    }
    return index;
}

/** Free the first wait of a list. @threads holding shared memory's lock */
static void name_free_wait(struct trp_shared *shared, uint32_t *list)
{
    uint32_t index = *list;
    struct trp_name_wait *wait = &shared->waiters[index - 1];
    *list = wait->next;
    wait->next = shared->waiter_free;
    shared->waiter_free = index;
}

/** Take all waits off an entry. @return copies, but for those that there is no memory for. @threads as above */
static struct trp_name_waiter *name_take_waiters(struct trp_shared *shared, struct trp_name *entry)
{
    struct trp_name_waiter *waiters = NULL;
    while (entry->waits != 0) {
        const struct trp_name_wait *wait = &shared->waiters[entry->waits - 1];
        struct trp_name_waiter *waiter = malloc(sizeof(*waiter));
        if (waiter != NULL) {
            *waiter = (struct trp_name_waiter){.next = waiters, .ref = wait->ref, .ask = wait->ask};
            waiters = waiter;
        }
        name_free_wait(shared, &entry->waits);
    }
    return waiters;
}

/* To be called. --------------------------------------------------------------------------------- */

enum troupe_err trp_names_add(
    struct trp_shared *shared,
    const char *name,
    troupe_ref_t owner,
    struct trp_name_waiter **out_waiters)
{
    enum troupe_err err = TROUPE_OK;
    *out_waiters = NULL;
    trp_shared_lock(shared);
    struct trp_name *entry = name_make(shared, name);
    if (entry == NULL) {
        err = TRP_EXPLAIN(
            TROUPE_ERR_LIMIT,
            "all %d names of a system are taken; no room for '%s'",
            TRP_SHARED_NAMES,
            name);
    } else if (troupe_ref_is_none(entry->owner)) {
        entry->owner = owner;
        name_enlist(shared, entry);
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
    const struct trp_name *entry = name_find(shared, name);
    troupe_ref_t owner = entry == NULL ? TROUPE_REF_NONE : entry->owner;
    trp_shared_unlock(shared);
    return owner;
}

const char *trp_names_of(
    const struct trp_shared *shared, const struct trp_slot *slot, troupe_ref_t actor)
{
    const char *first = NULL;
    for (uint32_t at = slot->first_name; at != 0; at = shared->names[at - 1].next_owned) {
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
    troupe_ref_t *out_owner)
{
    enum troupe_err err = TROUPE_OK;
    trp_shared_lock(shared);
    struct trp_name *entry = name_make(shared, name);
    if (entry != NULL && !troupe_ref_is_none(entry->owner)) {
        *out_owner = entry->owner;
    } else {
        uint32_t index = entry == NULL ? 0 : name_take_wait(shared);
        if (index != 0) {
            shared->waiters[index - 1] =
                (struct trp_name_wait){.next = entry->waits, .ref = reply_to, .ask = ask};
            entry->waits = index;
        } else {
            err = TRP_EXPLAIN(
                TROUPE_ERR_LIMIT, "too many names are waited for; no room for '%s'", name);
        }
    }
    trp_shared_unlock(shared);
    return err;
}

/** Free the wait of an ask, if it is one of an entry's. @return whether it was. @threads holding the lock */
static bool name_forget(
    struct trp_shared *shared, struct trp_name *entry, troupe_ref_t waiter, uint64_t ask)
{
    for (uint32_t *at = &entry->waits; *at != 0; at = &shared->waiters[*at - 1].next) {
        const struct trp_name_wait *wait = &shared->waiters[*at - 1];
        if (wait->ask == ask && troupe_ref_equal(wait->ref, waiter)) {
            name_free_wait(shared, at);
            name_tidy(shared, entry);
            return true;
        }
    }
    return false;
}

void trp_names_forget(struct trp_shared *shared, troupe_ref_t waiter, uint64_t ask)
{
    bool found = false;
    trp_shared_lock(shared);
    for (uint32_t i = 0; i < shared->name_high && !found; i++) {
        found = name_forget(shared, &shared->names[i], waiter, ask);
    }
    trp_shared_unlock(shared);
}

enum troupe_err trp_names_remove(struct trp_shared *shared, const char *name, troupe_ref_t owner)
{
    trp_shared_lock(shared);
    struct trp_name *entry = name_find(shared, name);
    bool found = entry != NULL && troupe_ref_equal(entry->owner, owner);
    if (found) {
        name_disown(shared, entry);
    }
    trp_shared_unlock(shared);
    return found ? TROUPE_OK
                 : TRP_EXPLAIN(TROUPE_ERR_NOENT, "this actor is not registered as '%s'", name);
}

void trp_names_remove_actor(struct trp_shared *shared, troupe_ref_t owner)
{
    trp_shared_lock(shared);
    const struct trp_slot *slot = trp_shared_find_slot(shared, owner.executor);
    for (uint32_t at = slot == NULL ? 0 : slot->first_name; at != 0;) {
        struct trp_name *entry = &shared->names[at - 1];
        at = entry->next_owned;
        if (troupe_ref_equal(entry->owner, owner)) {
            name_disown(shared, entry);
        }
    }
    trp_shared_unlock(shared);
}

void trp_names_remove_all(struct trp_shared *shared, const struct trp_slot *slot)
{
    while (slot->first_name != 0) {
        name_disown(shared, &shared->names[slot->first_name - 1]);
    }
}

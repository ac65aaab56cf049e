#include "shared/name_lists.h"

#include "shared/shared.h"
#include "shared/shared_table.h"

#include <stdatomic.h>
#include <stdbool.h>
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

uint32_t trp_name_index(const struct trp_shared *shared, const struct trp_name *entry)
{
    return (uint32_t)(entry - shared->names) + 1;
}

struct trp_name *trp_name_find(struct trp_shared *shared, const char *name)
{
    uint32_t at = trp_shared_name_index(shared, *name_bucket(shared, name));
    for (; at != 0; at = trp_shared_name_index(shared, shared->names[at - 1].next)) {
        if (strcmp(shared->names[at - 1].text, name) == 0) {
            return &shared->names[at - 1];
        }
    }
    return NULL;
}

/** Put an entry on the list of its hash. @threads holding shared memory's lock */
static void name_link(struct trp_shared *shared, struct trp_name *entry)
{
    uint32_t *bucket = name_bucket(shared, entry->text);
    entry->next = *bucket;
    *bucket = trp_name_index(shared, entry);
}

static void name_free(struct trp_shared *shared, struct trp_name *entry)
{
    entry->text[0] = '\0';
    entry->next = shared->name_free;
    shared->name_free = trp_name_index(shared, entry);
}

struct trp_name *trp_name_make(struct trp_shared *shared, const char *name)
{
    struct trp_name *entry = trp_name_find(shared, name);
    if (entry != NULL) {
        return entry;
    }
    uint32_t index = trp_shared_name_index(shared, shared->name_free);
    if (index != 0) {
        shared->name_free = shared->names[index - 1].next;
    } else if (shared->name_high < TRP_SHARED_NAMES) {
        index = ++shared->name_high;
    } else {
        return NULL;
    }
    entry = &shared->names[index - 1];
    *entry = (struct trp_name){0};
    memcpy(entry->text + 1, name + 1, strlen(name));
    atomic_signal_fence(memory_order_release);
    entry->text[0] = name[0]; // last: from here on it is taken
    name_link(shared, entry);
    return entry;
}

void trp_name_tidy(struct trp_shared *shared, struct trp_name *entry)
{
    if (!troupe_ref_is_none(entry->owner) || entry->waits != 0) {
        return;
    }
    uint32_t index = trp_name_index(shared, entry);
    uint32_t *at = name_bucket(shared, entry->text);
    while (*at != index) {
        uint32_t next = trp_shared_name_index(shared, *at);
        if (next == 0) {
            return; // the list is damaged
        }
        at = &shared->names[next - 1].next;
    }
    *at = entry->next;
    name_free(shared, entry);
}

/* Owners. --------------------------------------------------------------------------------------- */

uint32_t trp_name_owner_hash(troupe_ref_t owner)
{
    uint64_t key = (uint64_t)owner.executor << 32 | owner.index;
    key = (key ^ (uint64_t)owner.generation << 48) * UINT64_C(0x9E3779B97F4A7C15);
    return (uint32_t)(key >> 32) % TRP_SHARED_BUCKETS;
}

void trp_name_enlist(struct trp_shared *shared, struct trp_name *entry)
{
    uint32_t *list = &shared->owner_buckets[trp_name_owner_hash(entry->owner)];
    entry->previous_owned = 0;
    entry->next_owned = *list;
    uint32_t next = trp_shared_name_index(shared, *list);
    if (next != 0) {
        shared->names[next - 1].previous_owned = trp_name_index(shared, entry);
    }
    *list = trp_name_index(shared, entry);
}

void trp_name_disown(struct trp_shared *shared, struct trp_name *entry)
{
    uint32_t previous = trp_shared_name_index(shared, entry->previous_owned);
    uint32_t next = trp_shared_name_index(shared, entry->next_owned);
    if (previous != 0) {
        shared->names[previous - 1].next_owned = entry->next_owned;
    } else {
        shared->owner_buckets[trp_name_owner_hash(entry->owner)] = entry->next_owned;
    }
    if (next != 0) {
        shared->names[next - 1].previous_owned = entry->previous_owned;
    }
    entry->owner = TROUPE_REF_NONE;
    trp_name_tidy(shared, entry);
}

/* Waits. ---------------------------------------------------------------------------------------- */

uint32_t trp_name_take_wait(struct trp_shared *shared)
{
    uint32_t index = trp_shared_waiter_index(shared, shared->waiter_free);
    if (index != 0) {
        shared->waiter_free = shared->waiters[index - 1].next;
    } else if (shared->waiter_high < TRP_SHARED_WAITERS) {
        index = ++shared->waiter_high;
    }
    return index;
}

void trp_name_link_wait(struct trp_shared *shared, uint32_t index)
{
    struct trp_name_wait *wait = &shared->waiters[index - 1];
    struct trp_name *entry = &shared->names[wait->name];
    wait->previous = 0;
    wait->next = entry->waits;
    uint32_t next = trp_shared_waiter_index(shared, entry->waits);
    if (next != 0) {
        shared->waiters[next - 1].previous = index;
    }
    entry->waits = index;
}

void trp_name_free_wait(struct trp_shared *shared, uint32_t index)
{
    struct trp_name_wait *wait = &shared->waiters[index - 1];
    uint32_t previous = trp_shared_waiter_index(shared, wait->previous);
    uint32_t next = trp_shared_waiter_index(shared, wait->next);
    wait->ask = 0;
    if (previous != 0) {
        shared->waiters[previous - 1].next = wait->next;
    } else {
        shared->names[wait->name % TRP_SHARED_NAMES].waits = wait->next;
    }
    if (next != 0) {
        shared->waiters[next - 1].previous = wait->previous;
    }
    wait->next = shared->waiter_free;
    shared->waiter_free = index;
}

/* Repair. --------------------------------------------------------------------------------------- */

static void names_clear_lists(struct trp_shared *shared)
{
    memset(shared->buckets, 0, sizeof(shared->buckets));
    memset(shared->owner_buckets, 0, sizeof(shared->owner_buckets));
    shared->name_free = 0;
    shared->waiter_free = 0;
    uint32_t names = trp_shared_name_index(shared, shared->name_high);
    for (uint32_t i = 0; i < names; i++) {
        shared->names[i].waits = 0;
    }
}

void trp_names_repair(struct trp_shared *shared)
{
    names_clear_lists(shared);
    uint32_t names = trp_shared_name_index(shared, shared->name_high);
    for (uint32_t i = trp_shared_waiter_index(shared, shared->waiter_high); i > 0; i--) {
        struct trp_name_wait *wait = &shared->waiters[i - 1];
        bool is_taken =
            wait->ask != 0 && wait->name < names && shared->names[wait->name].text[0] != '\0';
        if (is_taken) {
            trp_name_link_wait(shared, i);
        } else {
            wait->ask = 0;
            wait->next = shared->waiter_free;
            shared->waiter_free = i;
        }
    }
    for (uint32_t i = names; i > 0; i--) {
        struct trp_name *entry = &shared->names[i - 1];
        bool has_owner = !troupe_ref_is_none(entry->owner);
        if (entry->text[0] == '\0' || (!has_owner && entry->waits == 0)) {
            name_free(shared, entry);
            continue;
        }
        name_link(shared, entry);
        if (has_owner) {
            trp_name_enlist(shared, entry);
        }
    }
}

/*
 * Names of actors, for all processes of a system: a hash table in shared memory, under its lock.
 *
 * An entry is there while somebody goes by the name, or waits for it. Who waits is answered like an
 * ask, by whoever registers the name. Each list changes by one store, so that it is whole even if a
 * process dies while it is at it.
 */
#include "actor/deadlock.h"
#include "actor/executor.h"
#include "actor/send.h"
#include "api/asking.h"
#include "shared/shared.h"

#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES_MAX = 255 };

/** Somebody who waited for a name, to be answered without the lock. */
struct name_waiter {
    struct name_waiter *next;
    troupe_ref_t ref;
    uint64_t ask;
};

static uint32_t *name_bucket(struct trp_shared *shared, const char *name)
{
    uint64_t hash = UINT64_C(14695981039346656037); // FNV-1a
    for (const char *at = name; *at != '\0'; at++) {
        hash = (hash ^ (unsigned char)*at) * UINT64_C(1099511628211);
    }
    return &shared->buckets[(hash ^ hash >> 32) % TRP_SHARED_BUCKETS];
}

/** @threads holding shared memory's lock */
static struct trp_shared_name *name_find(struct trp_shared *shared, const char *name)
{
    for (uint32_t at = *name_bucket(shared, name); at != 0; at = shared->names[at - 1].next) {
        if (strcmp(shared->names[at - 1].text, name) == 0) {
            return &shared->names[at - 1];
        }
    }
    return NULL;
}

/** @return the entry, which is made if it is not there; NULL: all are taken. @threads holding shared memory's lock */
static struct trp_shared_name *name_make(struct trp_shared *shared, const char *name)
{
    struct trp_shared_name *entry = name_find(shared, name);
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
    *entry = (struct trp_shared_name){.next = *bucket};
    memcpy(entry->text, name, strlen(name) + 1);
    *bucket = index;
    return entry;
}

/** Remove an entry that nobody needs any more. @threads holding shared memory's lock */
static void name_tidy(struct trp_shared *shared, struct trp_shared_name *entry)
{
    if (!troupe_ref_is_none(entry->owner) || entry->waiters != 0) {
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

/** Put an entry on the list of its owner's executor, or with @p owned false take it off. */
static void name_enlist(struct trp_shared *shared, struct trp_shared_name *entry, bool owned)
{
    uint32_t index = (uint32_t)(entry - shared->names) + 1;
    struct trp_slot *slot = trp_shared_find_slot(shared, entry->owner.executor);
    if (slot == NULL) {
        return;
    }
    if (owned) {
        entry->next_owned = slot->first_name;
        slot->first_name = index;
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

/** Take who waits for a name off its entry. Without memory for one his wait ends at its deadline. */
static struct name_waiter *name_take_waiters(
    struct trp_shared *shared, struct trp_shared_name *entry)
{
    struct name_waiter *waiters = NULL;
    while (entry->waiters != 0) {
        uint32_t index = entry->waiters;
        struct trp_shared_waiter *at = &shared->waiters[index - 1];
        struct name_waiter *waiter = malloc(sizeof(*waiter));
        if (waiter != NULL) {
            *waiter = (struct name_waiter){.next = waiters, .ref = at->ref, .ask = at->ask};
            waiters = waiter;
        }
        entry->waiters = at->next;
        at->next = shared->waiter_free;
        shared->waiter_free = index;
    }
    return waiters;
}

static enum troupe_err name_check(const char *name)
{
    size_t bytes = name == NULL ? 0 : strnlen(name, NAME_BYTES_MAX + 1);
    if (bytes == 0 || bytes > NAME_BYTES_MAX) {
        return TRP_EXPLAIN(
            TROUPE_ERR_INVAL,
            "a name has 1 to %d bytes; this one has %zu%s",
            NAME_BYTES_MAX,
            bytes,
            bytes > NAME_BYTES_MAX ? " or more" : "");
    }
    return TROUPE_OK;
}

/** Answer somebody who waited for a name. */
static void name_reply(
    struct troupe_executor *executor, troupe_ref_t waiter, uint64_t ask, troupe_ref_t owner)
{
    const struct trp_outgoing outgoing = {
        .to = waiter,
        .type = TROUPE_MESSAGE_NAME,
        .kind = TRP_KIND_NOTICE,
        .flags = TRP_FLAG_UNMETERED | TRP_FLAG_ASK,
        .body = &owner,
        .body_bytes = sizeof(owner),
        .ask = ask,
    };
    (void)trp_send_message(executor, &outgoing); // without memory the wait ends at its deadline
}

static void name_reply_all(
    struct troupe_executor *executor, struct name_waiter *waiter, troupe_ref_t owner)
{
    while (waiter != NULL) {
        struct name_waiter *next = waiter->next;
        name_reply(executor, waiter->ref, waiter->ask, owner);
        free(waiter);
        waiter = next;
    }
}

enum troupe_err troupe_register(troupe_context_t *ctx, const char *name)
{
    struct troupe_executor *executor = trp_executor_of(ctx);
    struct trp_runtime *runtime = executor->runtime;
    enum troupe_err err = trp_check_thread(ctx);
    if (err == TROUPE_OK) {
        err = name_check(name);
    }
    if (err == TROUPE_OK && ctx->actor == NULL) {
        err = TRP_EXPLAIN(TROUPE_ERR_INVAL, "no actor runs here that could go by '%s'", name);
    }
    if (err != TROUPE_OK) {
        return err;
    }
    troupe_ref_t self = troupe_self(ctx);
    struct name_waiter *waiters = NULL;
    struct trp_shared *shared = runtime->shared;
    trp_shared_lock(shared);
    struct trp_shared_name *entry = name_make(shared, name);
    if (entry == NULL) {
        err = TRP_EXPLAIN(
            TROUPE_ERR_LIMIT, "%d names are taken; no room for '%s'", TRP_SHARED_NAMES, name);
    } else if (!troupe_ref_is_none(entry->owner) && !troupe_ref_equal(entry->owner, self)) {
        err = TRP_EXPLAIN(TROUPE_ERR_EXISTS, "another actor goes by '%s' already", name);
    } else if (troupe_ref_is_none(entry->owner)) {
        entry->owner = self;
        name_enlist(shared, entry, true);
        waiters = name_take_waiters(shared, entry);
    }
    trp_shared_unlock(shared);
    if (err == TROUPE_OK) {
        ctx->actor->flags |= TRP_ACTOR_NAMED;
        name_reply_all(executor, waiters, self);
    }
    return err;
}

enum troupe_err troupe_unregister(troupe_context_t *ctx, const char *name)
{
    enum troupe_err err = trp_check_thread(ctx);
    if (err == TROUPE_OK) {
        err = name_check(name);
    }
    if (err != TROUPE_OK) {
        return err;
    }
    return trp_names_remove(trp_executor_of(ctx)->runtime->shared, name, troupe_self(ctx));
}

enum troupe_err troupe_lookup(troupe_context_t *ctx, const char *name, troupe_ref_t *out_ref)
{
    struct trp_shared *shared = trp_executor_of(ctx)->runtime->shared;
    enum troupe_err err = trp_check_thread(ctx);
    if (err == TROUPE_OK) {
        err = name_check(name);
    }
    if (err != TROUPE_OK) {
        return err;
    }
    trp_shared_lock(shared);
    const struct trp_shared_name *entry = name_find(shared, name);
    troupe_ref_t owner = entry == NULL ? TROUPE_REF_NONE : entry->owner;
    trp_shared_unlock(shared);
    if (troupe_ref_is_none(owner)) {
        return TRP_EXPLAIN(TROUPE_ERR_NOENT, "nobody goes by '%s'", name);
    }
    *out_ref = owner;
    return TROUPE_OK;
}

/** @return a free waiter's index + 1; 0: all are taken. @threads holding shared memory's lock */
static uint32_t name_take_waiter(struct trp_shared *shared)
{
    uint32_t index = shared->waiter_free;
    if (index != 0) {
        shared->waiter_free = shared->waiters[index - 1].next;
    } else if (shared->waiter_high < TRP_SHARED_WAITERS) {
        index = ++shared->waiter_high;
    }
    return index;
}

/** Put an ask on the list of a name, or learn who goes by it already. */
static enum troupe_err name_wait(
    struct trp_shared *shared,
    const char *name,
    troupe_ref_t reply_to,
    uint64_t ask,
    troupe_ref_t *out_owner)
{
    enum troupe_err err = TROUPE_OK;
    trp_shared_lock(shared);
    struct trp_shared_name *entry = name_make(shared, name);
    if (entry != NULL && !troupe_ref_is_none(entry->owner)) {
        *out_owner = entry->owner;
    } else {
        uint32_t index = entry == NULL ? 0 : name_take_waiter(shared);
        if (index != 0) {
            shared->waiters[index - 1] =
                (struct trp_shared_waiter){.next = entry->waiters, .ref = reply_to, .ask = ask};
            entry->waiters = index;
        } else {
            err = TRP_EXPLAIN(
                TROUPE_ERR_LIMIT, "too many names are waited for; no room for '%s'", name);
        }
    }
    trp_shared_unlock(shared);
    return err;
}

enum troupe_err troupe_await_name(
    troupe_context_t *ctx, const char *name, const struct troupe_ask_options *options)
{
    struct troupe_executor *executor = trp_executor_of(ctx);
    enum troupe_err err = trp_check_thread(ctx);
    if (err == TROUPE_OK) {
        err = name_check(name);
    }
    if (err != TROUPE_OK) {
        return err;
    }
    uint64_t ask = 0;
    err = trp_ask_begin(ctx, options, true, &ask);
    if (err != TROUPE_OK) {
        return err;
    }
    troupe_ref_t owner = TROUPE_REF_NONE;
    err = name_wait(executor->runtime->shared, name, troupe_self(ctx), ask, &owner);
    if (err != TROUPE_OK) {
        trp_ask_undo(ctx, ask);
        return err;
    }
    if (options->exclusive) {
        trp_deadlock_begin_wait(ctx, ask, TROUPE_REF_NONE);
    }
    if (!troupe_ref_is_none(owner)) {
        name_reply(executor, troupe_self(ctx), ask, owner);
    }
    return TROUPE_OK;
}

/** Nobody goes by a name any more. @threads holding shared memory's lock */
static void name_disown(struct trp_shared *shared, struct trp_shared_name *entry)
{
    name_enlist(shared, entry, false);
    entry->owner = TROUPE_REF_NONE;
    name_tidy(shared, entry);
}

enum troupe_err trp_names_remove(struct trp_shared *shared, const char *name, troupe_ref_t owner)
{
    enum troupe_err err = TROUPE_ERR_NOENT;
    trp_shared_lock(shared);
    if (name != NULL) {
        struct trp_shared_name *entry = name_find(shared, name);
        if (entry != NULL && troupe_ref_equal(entry->owner, owner)) {
            name_disown(shared, entry);
            err = TROUPE_OK;
        }
    } else {
        const struct trp_slot *slot = trp_shared_find_slot(shared, owner.executor);
        for (uint32_t at = slot == NULL ? 0 : slot->first_name; at != 0;) {
            struct trp_shared_name *entry = &shared->names[at - 1];
            at = entry->next_owned;
            if (troupe_ref_equal(entry->owner, owner)) {
                name_disown(shared, entry);
            }
        }
    }
    trp_shared_unlock(shared);
    return err == TROUPE_OK || name == NULL
               ? TROUPE_OK
               : TRP_EXPLAIN(err, "this actor does not go by '%s'", name);
}

void trp_names_remove_all(struct trp_shared *shared, const struct trp_slot *slot)
{
    while (slot->first_name != 0) {
        name_disown(shared, &shared->names[slot->first_name - 1]);
    }
}

void trp_names_forget(struct trp_shared *shared, troupe_ref_t waiter, uint64_t ask)
{
    trp_shared_lock(shared);
    for (uint32_t i = 0; i < shared->name_high; i++) {
        struct trp_shared_name *entry = &shared->names[i];
        for (uint32_t *at = &entry->waiters; *at != 0; at = &shared->waiters[*at - 1].next) {
            uint32_t index = *at;
            struct trp_shared_waiter *gone = &shared->waiters[index - 1];
            if (gone->ask == ask && troupe_ref_equal(gone->ref, waiter)) {
                *at = gone->next;
                gone->next = shared->waiter_free;
                shared->waiter_free = index;
                name_tidy(shared, entry);
                trp_shared_unlock(shared);
                return;
            }
        }
    }
    trp_shared_unlock(shared);
}

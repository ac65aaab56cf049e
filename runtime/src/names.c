/*
 * Names of actors, for the whole node: a tree of the C library's (tsearch), under its own lock.
 *
 * An entry is there while somebody goes by the name, or waits for it. Who waits is answered like an
 * ask, by whoever registers the name.
 */
#include "executor.h"
#include "system.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES_MAX = 255 };

struct name_waiter {
    struct name_waiter *next;
    troupe_ref_t ref;
    uint64_t ask;
};

struct name_entry {
    const char *name; // `text`, or what is looked for
    troupe_ref_t owner;
    struct name_waiter *waiters;
    char text[];
};

static int name_compare(const void *a, const void *b)
{
    return strcmp(((const struct name_entry *)a)->name, ((const struct name_entry *)b)->name);
}

/** @threads holding `names_lock` */
static struct name_entry *name_find(troupe_system_t *system, const char *name)
{
    const struct name_entry wanted = {.name = name};
    struct name_entry *const *found = tfind(&wanted, &system->names, name_compare);
    return found == NULL ? NULL : *found;
}

/** @return the entry, which is made if it is not there; NULL: no memory. @threads holding `names_lock` */
static struct name_entry *name_make(troupe_system_t *system, const char *name)
{
    struct name_entry *entry = name_find(system, name);
    if (entry != NULL) {
        return entry;
    }
    size_t bytes = strlen(name) + 1;
    entry = calloc(1, sizeof(*entry) + bytes);
    if (entry == NULL) {
        return NULL;
    }
    memcpy(entry->text, name, bytes);
    entry->name = entry->text;
    if (tsearch(entry, &system->names, name_compare) == NULL) {
        free(entry);
        return NULL;
    }
    return entry;
}

/** Remove an entry that nobody needs any more. @threads holding `names_lock` */
static void name_tidy(troupe_system_t *system, struct name_entry *entry)
{
    if (!troupe_ref_is_some(entry->owner) && entry->waiters == NULL) {
        (void)tdelete(entry, &system->names, name_compare);
        free(entry);
    }
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
static void name_answer(
    struct troupe_executor *executor, troupe_ref_t waiter, uint64_t ask, troupe_ref_t owner)
{
    const struct trp_letter letter = {
        .to = waiter,
        .type = TROUPE_MESSAGE_NAME,
        .kind = TRP_KIND_NOTICE,
        .flags = TRP_FLAG_UNMETERED | TRP_FLAG_ASK,
        .body = &owner,
        .body_bytes = sizeof(owner),
        .ask = ask,
    };
    (void)trp_post_letter(executor, &letter); // without memory the wait ends at its deadline
}

static void name_answer_all(
    struct troupe_executor *executor, struct name_waiter *waiter, troupe_ref_t owner)
{
    while (waiter != NULL) {
        struct name_waiter *next = waiter->next;
        name_answer(executor, waiter->ref, waiter->ask, owner);
        free(waiter);
        waiter = next;
    }
}

enum troupe_err troupe_register(troupe_context_t *ctx, const char *name)
{
    struct troupe_executor *executor = trp_executor_of(ctx);
    troupe_system_t *system = executor->system;
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
    (void)pthread_mutex_lock(&system->names_lock);
    struct name_entry *entry = name_make(system, name);
    if (entry == NULL) {
        err = TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for the name '%s'", name);
    } else if (troupe_ref_is_some(entry->owner) && !troupe_ref_equal(entry->owner, self)) {
        err = TRP_EXPLAIN(TROUPE_ERR_EXISTS, "another actor goes by '%s' already", name);
    } else {
        entry->owner = self;
        waiters = entry->waiters;
        entry->waiters = NULL;
    }
    (void)pthread_mutex_unlock(&system->names_lock);
    if (err == TROUPE_OK) {
        ctx->actor->flags |= TRP_ACTOR_NAMED;
        name_answer_all(executor, waiters, self);
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
    return trp_names_remove(trp_executor_of(ctx)->system, name, troupe_self(ctx));
}

enum troupe_err troupe_lookup(troupe_context_t *ctx, const char *name, troupe_ref_t *out_ref)
{
    troupe_system_t *system = trp_executor_of(ctx)->system;
    enum troupe_err err = trp_check_thread(ctx);
    if (err == TROUPE_OK) {
        err = name_check(name);
    }
    if (err != TROUPE_OK) {
        return err;
    }
    (void)pthread_mutex_lock(&system->names_lock);
    const struct name_entry *entry = name_find(system, name);
    troupe_ref_t owner = entry == NULL ? TROUPE_REF_NONE : entry->owner;
    (void)pthread_mutex_unlock(&system->names_lock);
    if (!troupe_ref_is_some(owner)) {
        return TRP_EXPLAIN(TROUPE_ERR_NOENT, "nobody goes by '%s'", name);
    }
    *out_ref = owner;
    return TROUPE_OK;
}

/** Put an ask on the list of a name, or learn who goes by it already. */
static enum troupe_err name_wait(
    troupe_system_t *system,
    const char *name,
    troupe_ref_t asker,
    uint64_t ask,
    troupe_ref_t *out_owner)
{
    enum troupe_err err = TROUPE_OK;
    (void)pthread_mutex_lock(&system->names_lock);
    struct name_entry *entry = name_make(system, name);
    if (entry != NULL && troupe_ref_is_some(entry->owner)) {
        *out_owner = entry->owner;
    } else {
        struct name_waiter *waiter = entry == NULL ? NULL : malloc(sizeof(*waiter));
        if (waiter != NULL) {
            *waiter = (struct name_waiter){.next = entry->waiters, .ref = asker, .ask = ask};
            entry->waiters = waiter;
        } else {
            err = TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for the name '%s'", name);
        }
    }
    (void)pthread_mutex_unlock(&system->names_lock);
    return err;
}

enum troupe_err troupe_await(
    troupe_context_t *ctx,
    const char *name,
    uint64_t timeout_ns,
    troupe_answer_fn *on_answer,
    uint64_t tag)
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
    err = trp_ask_begin(ctx, timeout_ns, on_answer, tag, true, &ask);
    if (err != TROUPE_OK) {
        return err;
    }
    troupe_ref_t owner = TROUPE_REF_NONE;
    err = name_wait(executor->system, name, troupe_self(ctx), ask, &owner);
    if (err != TROUPE_OK) {
        trp_ask_undo(ctx, ask);
    } else if (troupe_ref_is_some(owner)) {
        name_answer(executor, troupe_self(ctx), ask, owner);
    }
    return err;
}

/** What a walk over the tree looks for. */
struct name_walk {
    troupe_ref_t ref;
    uint64_t ask; // of a waiter; 0: an owner
    struct name_entry *found;
};

static void name_visit(const void *node, VISIT visit, void *data)
{
    struct name_walk *walk = data;
    struct name_entry *entry = *(struct name_entry *const *)node;
    if (visit == preorder || visit == endorder || walk->found != NULL) {
        return;
    }
    if (walk->ask == 0) {
        walk->found = troupe_ref_equal(entry->owner, walk->ref) ? entry : NULL;
        return;
    }
    for (struct name_waiter *waiter = entry->waiters; waiter != NULL; waiter = waiter->next) {
        if (waiter->ask == walk->ask && troupe_ref_equal(waiter->ref, walk->ref)) {
            walk->found = entry;
        }
    }
}

enum troupe_err trp_names_remove(troupe_system_t *system, const char *name, troupe_ref_t owner)
{
    enum troupe_err err = TROUPE_ERR_NOENT;
    (void)pthread_mutex_lock(&system->names_lock);
    for (;;) {
        struct name_walk walk = {.ref = owner};
        if (name == NULL) {
            twalk_r(system->names, name_visit, &walk);
        } else {
            struct name_entry *entry = name_find(system, name);
            walk.found = entry != NULL && troupe_ref_equal(entry->owner, owner) ? entry : NULL;
        }
        if (walk.found == NULL) {
            break;
        }
        walk.found->owner = TROUPE_REF_NONE;
        name_tidy(system, walk.found);
        err = TROUPE_OK;
    }
    (void)pthread_mutex_unlock(&system->names_lock);
    return err == TROUPE_OK || name == NULL
               ? TROUPE_OK
               : TRP_EXPLAIN(err, "this actor does not go by '%s'", name);
}

void trp_names_forget(troupe_system_t *system, troupe_ref_t waiter, uint64_t ask)
{
    (void)pthread_mutex_lock(&system->names_lock);
    struct name_walk walk = {.ref = waiter, .ask = ask};
    twalk_r(system->names, name_visit, &walk);
    if (walk.found != NULL) {
        struct name_waiter **at = &walk.found->waiters;
        while ((*at)->ask != ask || !troupe_ref_equal((*at)->ref, waiter)) {
            at = &(*at)->next;
        }
        struct name_waiter *gone = *at;
        *at = gone->next;
        free(gone);
        name_tidy(system, walk.found);
    }
    (void)pthread_mutex_unlock(&system->names_lock);
}

static void name_free(void *data)
{
    struct name_entry *entry = data;
    while (entry->waiters != NULL) {
        struct name_waiter *next = entry->waiters->next;
        free(entry->waiters);
        entry->waiters = next;
    }
    free(entry);
}

void trp_names_fini(troupe_system_t *system)
{
    tdestroy(system->names, name_free);
    system->names = NULL;
}

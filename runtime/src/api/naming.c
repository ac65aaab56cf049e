/*
 * Names of actors, for all processes of a system: a hash table on the board, under its lock.
 *
 * An entry is there while somebody goes by the name, or waits for it. Who waits is answered like an
 * ask, by whoever registers the name. Each list changes by one store, so that it is whole even if a
 * process dies while it is at it.
 */
#include "actor/executor.h"
#include "node/system.h"

#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES_MAX = 255 };

/** Somebody who waited for a name, to be answered without the lock. */
struct name_waiter {
    struct name_waiter *next;
    troupe_ref_t ref;
    uint64_t ask;
};

static uint32_t *name_bucket(struct trp_board *board, const char *name)
{
    uint64_t hash = UINT64_C(14695981039346656037); // FNV-1a
    for (const char *at = name; *at != '\0'; at++) {
        hash = (hash ^ (unsigned char)*at) * UINT64_C(1099511628211);
    }
    return &board->buckets[(hash ^ hash >> 32) % TRP_BOARD_BUCKETS];
}

/** @threads holding the board's lock */
static struct trp_board_name *name_find(struct trp_board *board, const char *name)
{
    for (uint32_t at = *name_bucket(board, name); at != 0; at = board->names[at - 1].next) {
        if (strcmp(board->names[at - 1].text, name) == 0) {
            return &board->names[at - 1];
        }
    }
    return NULL;
}

/** @return the entry, which is made if it is not there; NULL: all are taken. @threads holding the board's lock */
static struct trp_board_name *name_make(struct trp_board *board, const char *name)
{
    struct trp_board_name *entry = name_find(board, name);
    if (entry != NULL) {
        return entry;
    }
    uint32_t index = board->name_free;
    if (index != 0) {
        board->name_free = board->names[index - 1].next;
    } else if (board->name_high < TRP_BOARD_NAMES) {
        index = ++board->name_high;
    } else {
        return NULL;
    }
    uint32_t *bucket = name_bucket(board, name);
    entry = &board->names[index - 1];
    *entry = (struct trp_board_name){.next = *bucket};
    memcpy(entry->text, name, strlen(name) + 1);
    *bucket = index;
    return entry;
}

/** Remove an entry that nobody needs any more. @threads holding the board's lock */
static void name_tidy(struct trp_board *board, struct trp_board_name *entry)
{
    if (troupe_ref_is_some(entry->owner) || entry->waiters != 0) {
        return;
    }
    uint32_t index = (uint32_t)(entry - board->names) + 1;
    uint32_t *at = name_bucket(board, entry->text);
    while (*at != index) {
        at = &board->names[*at - 1].next;
    }
    *at = entry->next;
    entry->next = board->name_free;
    board->name_free = index;
}

/** Put an entry on the list of its owner's executor, or with @p owned false take it off. */
static void name_enlist(struct trp_board *board, struct trp_board_name *entry, bool owned)
{
    uint32_t index = (uint32_t)(entry - board->names) + 1;
    struct trp_seat *seat = trp_board_find_seat(board, entry->owner.executor);
    if (seat == NULL) {
        return;
    }
    if (owned) {
        entry->next_owned = seat->first_name;
        seat->first_name = index;
        return;
    }
    uint32_t *at = &seat->first_name;
    while (*at != 0 && *at != index) {
        at = &board->names[*at - 1].next_owned;
    }
    if (*at != 0) {
        *at = entry->next_owned;
    }
}

/** Take who waits for a name off its entry. Without memory for one his wait ends at its deadline. */
static struct name_waiter *name_take_waiters(struct trp_board *board, struct trp_board_name *entry)
{
    struct name_waiter *waiters = NULL;
    while (entry->waiters != 0) {
        uint32_t index = entry->waiters;
        struct trp_board_waiter *at = &board->waiters[index - 1];
        struct name_waiter *waiter = malloc(sizeof(*waiter));
        if (waiter != NULL) {
            *waiter = (struct name_waiter){.next = waiters, .ref = at->ref, .ask = at->ask};
            waiters = waiter;
        }
        entry->waiters = at->next;
        at->next = board->waiter_free;
        board->waiter_free = index;
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
    struct trp_board *board = system->board;
    trp_board_lock(board);
    struct trp_board_name *entry = name_make(board, name);
    if (entry == NULL) {
        err = TRP_EXPLAIN(
            TROUPE_ERR_LIMIT, "%d names are taken; no room for '%s'", TRP_BOARD_NAMES, name);
    } else if (troupe_ref_is_some(entry->owner) && !troupe_ref_equal(entry->owner, self)) {
        err = TRP_EXPLAIN(TROUPE_ERR_EXISTS, "another actor goes by '%s' already", name);
    } else if (!troupe_ref_is_some(entry->owner)) {
        entry->owner = self;
        name_enlist(board, entry, true);
        waiters = name_take_waiters(board, entry);
    }
    trp_board_unlock(board);
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
    return trp_names_remove(trp_executor_of(ctx)->system->board, name, troupe_self(ctx));
}

enum troupe_err troupe_lookup(troupe_context_t *ctx, const char *name, troupe_ref_t *out_ref)
{
    struct trp_board *board = trp_executor_of(ctx)->system->board;
    enum troupe_err err = trp_check_thread(ctx);
    if (err == TROUPE_OK) {
        err = name_check(name);
    }
    if (err != TROUPE_OK) {
        return err;
    }
    trp_board_lock(board);
    const struct trp_board_name *entry = name_find(board, name);
    troupe_ref_t owner = entry == NULL ? TROUPE_REF_NONE : entry->owner;
    trp_board_unlock(board);
    if (!troupe_ref_is_some(owner)) {
        return TRP_EXPLAIN(TROUPE_ERR_NOENT, "nobody goes by '%s'", name);
    }
    *out_ref = owner;
    return TROUPE_OK;
}

/** @return a free waiter's index + 1; 0: all are taken. @threads holding the board's lock */
static uint32_t name_take_waiter(struct trp_board *board)
{
    uint32_t index = board->waiter_free;
    if (index != 0) {
        board->waiter_free = board->waiters[index - 1].next;
    } else if (board->waiter_high < TRP_BOARD_WAITERS) {
        index = ++board->waiter_high;
    }
    return index;
}

/** Put an ask on the list of a name, or learn who goes by it already. */
static enum troupe_err name_wait(
    struct trp_board *board,
    const char *name,
    troupe_ref_t asker,
    uint64_t ask,
    troupe_ref_t *out_owner)
{
    enum troupe_err err = TROUPE_OK;
    trp_board_lock(board);
    struct trp_board_name *entry = name_make(board, name);
    if (entry != NULL && troupe_ref_is_some(entry->owner)) {
        *out_owner = entry->owner;
    } else {
        uint32_t index = entry == NULL ? 0 : name_take_waiter(board);
        if (index != 0) {
            board->waiters[index - 1] =
                (struct trp_board_waiter){.next = entry->waiters, .ref = asker, .ask = ask};
            entry->waiters = index;
        } else {
            err = TRP_EXPLAIN(
                TROUPE_ERR_LIMIT, "too many names are waited for; no room for '%s'", name);
        }
    }
    trp_board_unlock(board);
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
    err = name_wait(executor->system->board, name, troupe_self(ctx), ask, &owner);
    if (err != TROUPE_OK) {
        trp_ask_undo(ctx, ask);
    } else if (troupe_ref_is_some(owner)) {
        name_answer(executor, troupe_self(ctx), ask, owner);
    }
    return err;
}

/** Nobody goes by a name any more. @threads holding the board's lock */
static void name_disown(struct trp_board *board, struct trp_board_name *entry)
{
    name_enlist(board, entry, false);
    entry->owner = TROUPE_REF_NONE;
    name_tidy(board, entry);
}

enum troupe_err trp_names_remove(struct trp_board *board, const char *name, troupe_ref_t owner)
{
    enum troupe_err err = TROUPE_ERR_NOENT;
    trp_board_lock(board);
    if (name != NULL) {
        struct trp_board_name *entry = name_find(board, name);
        if (entry != NULL && troupe_ref_equal(entry->owner, owner)) {
            name_disown(board, entry);
            err = TROUPE_OK;
        }
    } else {
        const struct trp_seat *seat = trp_board_find_seat(board, owner.executor);
        for (uint32_t at = seat == NULL ? 0 : seat->first_name; at != 0;) {
            struct trp_board_name *entry = &board->names[at - 1];
            at = entry->next_owned;
            if (troupe_ref_equal(entry->owner, owner)) {
                name_disown(board, entry);
            }
        }
    }
    trp_board_unlock(board);
    return err == TROUPE_OK || name == NULL
               ? TROUPE_OK
               : TRP_EXPLAIN(err, "this actor does not go by '%s'", name);
}

void trp_names_remove_all(struct trp_board *board, const struct trp_seat *seat)
{
    while (seat->first_name != 0) {
        name_disown(board, &board->names[seat->first_name - 1]);
    }
}

void trp_names_forget(struct trp_board *board, troupe_ref_t waiter, uint64_t ask)
{
    trp_board_lock(board);
    for (uint32_t i = 0; i < board->name_high; i++) {
        struct trp_board_name *entry = &board->names[i];
        for (uint32_t *at = &entry->waiters; *at != 0; at = &board->waiters[*at - 1].next) {
            uint32_t index = *at;
            struct trp_board_waiter *gone = &board->waiters[index - 1];
            if (gone->ask == ask && troupe_ref_equal(gone->ref, waiter)) {
                *at = gone->next;
                gone->next = board->waiter_free;
                board->waiter_free = index;
                name_tidy(board, entry);
                trp_board_unlock(board);
                return;
            }
        }
    }
    trp_board_unlock(board);
}

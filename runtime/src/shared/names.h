/**
 * @file names.h
 * @brief Registered names of actors, for all processes of a system: a hash table in shared memory.
 *
 * A name has an entry while an actor is registered as it, or an actor waits for it. Waiting is an ask that the
 * actor which registers the name replies to. All of it is guarded by shared memory's lock; each list changes by
 * one store, so it is whole even if a process dies while it changes one.
 */
#ifndef TRP_NAMES_H
#define TRP_NAMES_H

#include "base/error.h"
#include "troupe/ref.h"

#include <stddef.h>
#include <stdint.h>

struct trp_shared;
struct trp_slot;

/** Longest name, in bytes without the NUL. */
#define TRP_NAME_BYTES_MAX 255

/** Entry of a name. */
struct trp_name {
    uint32_t next;       // of the same hash, or of the free entries, index + 1
    uint32_t next_owned; // of the same executor, index + 1
    uint32_t waits;      // asks that wait for it, index + 1
    troupe_ref_t owner;  // ::TROUPE_REF_NONE: no actor is registered
    char text[TRP_NAME_BYTES_MAX + 1];
};

/** An ask that waits for a name. */
struct trp_name_wait {
    uint32_t next; // of the same name, or of the free ones, index + 1
    troupe_ref_t ref;
    uint64_t ask;
};

/** A copy of one, to be replied to without the lock; the caller frees it. */
struct trp_name_waiter {
    struct trp_name_waiter *next;
    troupe_ref_t ref;
    uint64_t ask;
};

/**
 * Register @p owner as @p name, which has 1 to ::TRP_NAME_BYTES_MAX bytes. Does nothing if it is already.
 *
 * @param out_waiters  Receives the asks that waited for the name. An ask for which there is no memory is left
 *                     out, and ends at its deadline.
 *
 * @retval TROUPE_OK          the name is @p owner's.
 * @retval TROUPE_ERR_EXISTS  the name is another actor's.
 * @retval TROUPE_ERR_LIMIT   all entries are taken.
 */
enum troupe_err trp_names_add(
    struct trp_shared *shared,
    const char *name,
    troupe_ref_t owner,
    struct trp_name_waiter **out_waiters);

/** @return the actor that is registered as @p name, or ::TROUPE_REF_NONE. */
troupe_ref_t trp_names_find(struct trp_shared *shared, const char *name);

/** @return a name of an actor, the one it got first; NULL: it has none. @threads holding shared memory's lock */
const char *trp_names_of(
    const struct trp_shared *shared, const struct trp_slot *slot, troupe_ref_t actor);

/**
 * Have an ask wait for a name, unless an actor is registered as it.
 *
 * @param out_owner  Receives that actor; is left as it is when the ask waits.
 * @return           ::TROUPE_ERR_LIMIT, explained, when too many names are waited for.
 */
enum troupe_err trp_names_wait(
    struct trp_shared *shared,
    const char *name,
    troupe_ref_t reply_to,
    uint64_t ask,
    troupe_ref_t *out_owner);

/** Forget that an ask waits for a name, if it still does. */
void trp_names_forget(struct trp_shared *shared, troupe_ref_t waiter, uint64_t ask);

/** Unregister a name. @return ::TROUPE_ERR_NOENT, explained, when @p owner is not registered as it. */
enum troupe_err trp_names_remove(struct trp_shared *shared, const char *name, troupe_ref_t owner);

/** Unregister all names of an actor. */
void trp_names_remove_actor(struct trp_shared *shared, troupe_ref_t owner);

/** Unregister all names of an executor's actors. @threads holding shared memory's lock */
void trp_names_remove_all(struct trp_shared *shared, const struct trp_slot *slot);

#endif

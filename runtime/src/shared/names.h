/**
 * @file names.h
 * @brief Registered names of actors, for all processes of a system: a hash table in shared memory.
 *
 * A name has an entry while an actor is registered as it, or an actor waits for it. Waiting is an ask that the
 * actor which registers the name replies to. All of it is guarded by shared memory's lock.
 *
 * An entry says itself whether it is taken, by one store: the first character of a name, the number of an ask. The
 * lists (name_lists.h) are made again from the entries when a process has died with the lock.
 */
#ifndef TRP_NAMES_H
#define TRP_NAMES_H

#include "base/error.h"
#include "troupe/ref.h"

#include <stddef.h>
#include <stdint.h>

struct trp_shared;

/** Longest name, in bytes without the NUL. */
#define TRP_NAME_BYTES_MAX 255

/** Entry of a name. */
struct trp_name {
    uint32_t next;                     // of the same hash, or of the free entries, index + 1
    uint32_t next_owned;               // of owners with the same hash, index + 1
    uint32_t previous_owned;           // likewise
    uint32_t waits;                    // asks that wait for it, index + 1
    troupe_ref_t owner;                // ::TROUPE_REF_NONE: no actor is registered
    char text[TRP_NAME_BYTES_MAX + 1]; // "": it is free
};

/** An ask that waits for a name. */
struct trp_name_wait {
    uint32_t next;     // of the same name, or of the free ones, index + 1
    uint32_t previous; // of the same name, index + 1
    uint32_t name;     // index
    troupe_ref_t ref;
    uint64_t ask; // 0: it is free
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
const char *trp_names_of(const struct trp_shared *shared, troupe_ref_t actor);

/**
 * Have an ask wait for a name, unless an actor is registered as it.
 *
 * @param out_owner  Receives that actor; is left as it is when the ask waits.
 * @param out_wait   Receives the place of the wait, for trp_names_forget(); 0: the ask does not wait.
 * @return           ::TROUPE_ERR_LIMIT, explained, when too many names are waited for.
 */
enum troupe_err trp_names_wait(
    struct trp_shared *shared,
    const char *name,
    troupe_ref_t reply_to,
    uint64_t ask,
    troupe_ref_t *out_owner,
    uint32_t *out_wait);

/** Forget that an ask waits for a name, if it still does. @param wait  Its place; 0: it does not */
void trp_names_forget(struct trp_shared *shared, uint32_t wait, troupe_ref_t waiter, uint64_t ask);

/** Unregister a name. @return ::TROUPE_ERR_NOENT, explained, when @p owner is not registered as it. */
enum troupe_err trp_names_remove(struct trp_shared *shared, const char *name, troupe_ref_t owner);

/** Unregister all names of an actor. */
void trp_names_remove_actor(struct trp_shared *shared, troupe_ref_t owner);

/** Unregister all names of a process's actors, and forget what they wait for. @threads holding shared memory's lock */
void trp_names_remove_process(struct trp_shared *shared, uint32_t node);

#endif

/**
 * @file watches.h
 * @brief Who is to be told of whose end: a table of an executor, and in it a list for each actor.
 *
 *     HOLDS   the actor hears of the peer's end        the peer has it as HELD
 *     HELD    the peer hears of the actor's end        the peer has it as HOLDS
 *     LINK    each hears of the other's end            the peer has it as LINK
 *
 * One thread at a time; zeroed memory is an empty table.
 */
#ifndef TRP_WATCHES_H
#define TRP_WATCHES_H

#include "troupe/ref.h"

#include <stddef.h>
#include <stdint.h>

enum trp_watch_side {
    TRP_WATCH_FREE = 0,
    TRP_WATCH_HOLDS = 1,
    TRP_WATCH_HELD = 2,
    TRP_WATCH_LINK = 3,
    TRP_WATCH_UNTOLD = 4, // the actor has ended, and there was no memory yet to tell the peer
};

struct trp_watch {
    uint32_t generation;
    uint32_t next;     // of the same list, index + 1
    uint32_t previous; // likewise
    uint8_t side;      // an enum trp_watch_side
    uint8_t reason;    // UNTOLD: how the actor ended
    int32_t code;      // likewise
    uint32_t actor_index;
    uint32_t actor_generation; // 0: it is about the executor itself
    troupe_ref_t peer;
    uint64_t number; // at the one who holds it; 0: a link
};

struct trp_watches {
    struct trp_watch *entries;
    uint32_t count; // ever used
    uint32_t capacity;
    uint32_t free_head;    // index + 1
    uint32_t of_executor;  // HELD: who hears of the executor's end, index + 1
    uint32_t untold_first; // index + 1
};

/** Free the table. */
void trp_watches_fini(struct trp_watches *watches);

/**
 * Add an entry to the list that starts at @p head; one that HOLDS gets its own number.
 *
 * @return it, good until the next one is added; NULL: no memory.
 */
struct trp_watch *trp_watches_add(
    struct trp_watches *watches, uint32_t *head, const struct trp_watch *like);

/** @return the entry that HOLDS under that number, or NULL. */
struct trp_watch *trp_watches_find(struct trp_watches *watches, uint64_t number);

/** @return the entry of a list with that side, peer and number, or NULL. */
struct trp_watch *trp_watches_find_peer(
    struct trp_watches *watches,
    uint32_t head,
    enum trp_watch_side side,
    troupe_ref_t peer,
    uint64_t number);

/** Take an entry off its list and free it. */
void trp_watches_remove(struct trp_watches *watches, uint32_t *head, struct trp_watch *watch);

/** Move an entry to another list. */
void trp_watches_move(
    struct trp_watches *watches, uint32_t *head, struct trp_watch *watch, uint32_t *to_head);

/** @return the first entry of a list, or NULL. */
static inline struct trp_watch *trp_watches_first(const struct trp_watches *watches, uint32_t head)
{
    return head == 0 ? NULL : &watches->entries[head - 1];
}

#endif

/**
 * @file asks.h
 * @brief Asks that wait for their replies.
 *
 * The number of an ask travels with the message and comes back with the reply. A number is used once, so a late
 * reply never reaches the next ask. Only one thread at a time uses a table; zeroed memory is an empty one.
 */
#ifndef TRP_ASKS_H
#define TRP_ASKS_H

#include "troupe/context.h"

#include <stdbool.h>
#include <stdint.h>

struct trp_ask {
    uint32_t generation;
    uint32_t next_free; // index + 1
    bool is_pending;    // its reply is still to come
    bool awaits_name;   // for troupe_await_name(): no message was sent
    uint32_t name_wait; // likewise: its place in shared memory, for trp_names_forget()
    uint32_t next_like; // pending asks of actors and tags with the same hash, index + 1
    uint32_t previous_like;
    uint32_t actor_index;
    uint32_t actor_generation;
    uint64_t timer; // that ends it at its deadline
    troupe_reply_fn *on_reply;
    uint64_t tag;
    bool is_exclusive; // its actor handles nothing else until the reply comes
    troupe_ref_t to;   // the receiver of an exclusive ask; none for a name
    struct troupe_reply_to
        unanswered; // of an exclusive ask: what its actor was asked, and has not replied to
};

struct trp_asks {
    struct trp_ask *entries;
    uint32_t count; // entries that were ever used
    uint32_t capacity;
    uint32_t free_head; // index + 1
    uint32_t *buckets;  // `capacity` lists of pending asks, by the hash of actor and tag, index + 1
};

/** Free the table. */
void trp_asks_fini(struct trp_asks *asks);

/** Add an ask. @return its number; 0: no memory. */
uint64_t trp_asks_add(struct trp_asks *asks, const struct trp_ask *ask);

/** @return the ask with that number, valid until the next one is added; NULL: its reply came, or it was taken. */
struct trp_ask *trp_asks_find(struct trp_asks *asks, uint64_t number);

/** @return the number of a pending ask of that actor with that tag, or 0. */
uint64_t trp_asks_find_tag(
    const struct trp_asks *asks, uint32_t actor_index, uint32_t actor_generation, uint64_t tag);

/** Remove an ask from the table. @return false: none is pending with that number. */
bool trp_asks_take(struct trp_asks *asks, uint64_t number, struct trp_ask *out_ask);

#endif

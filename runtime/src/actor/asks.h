/**
 * @file asks.h
 * @brief Asks that wait for their answers.
 *
 * An ask's number goes with the message and comes back with the reply; a number is used once, so a
 * late reply never meets the next ask. One thread at a time; zeroed memory is an empty table.
 */
#ifndef TRP_ASKS_H
#define TRP_ASKS_H

#include "troupe/context.h"

#include <stdbool.h>
#include <stdint.h>

struct trp_ask {
    uint32_t generation;
    uint32_t next_free; // + 1
    bool is_pending;
    bool awaits_name;
    uint32_t actor_index;
    uint32_t actor_generation;
    uint64_t timer; // of its deadline
    troupe_reply_fn *on_reply;
    uint64_t tag;
    bool is_exclusive; // its actor handles nothing else until the reply comes
    troupe_ref_t to;   // the receiver of an exclusive ask; none for a name
    struct troupe_reply_to
        unanswered; // what its actor has not answered yet, and cannot while it waits
};

struct trp_asks {
    struct trp_ask *entries;
    uint32_t count; // ever used
    uint32_t capacity;
    uint32_t free_head; // + 1
};

/** Free the table. */
void trp_asks_fini(struct trp_asks *asks);

/** Add an ask that waits. @return its number, or 0 without memory. */
uint64_t trp_asks_add(struct trp_asks *asks, const struct trp_ask *ask);

/** @return the ask that waits under that number, good until the next call; or NULL. */
struct trp_ask *trp_asks_find(struct trp_asks *asks, uint64_t number);

/** @return the number of an ask of that actor with that tag that waits, or 0. */
uint64_t trp_asks_find_tag(
    const struct trp_asks *asks, uint32_t actor_index, uint32_t actor_generation, uint64_t tag);

/** Take an ask out. @return false: none waits under that number. */
bool trp_asks_take(struct trp_asks *asks, uint64_t number, struct trp_ask *out_ask);

#endif

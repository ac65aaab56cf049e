/**
 * @file monitor_table.h
 * @brief The monitors and links of an executor: one table, with a list in it for each actor.
 *
 *     MONITORS       the actor is notified of the peer's exit     the peer's executor has a MONITORED_BY
 *     MONITORED_BY   the peer is notified of the actor's exit     the peer's executor has a MONITORS
 *     LINK           each is notified of the other's exit         the peer's executor has a LINK
 *
 * Only one thread at a time uses a table; zeroed memory is an empty one.
 */
#ifndef TRP_MONITOR_TABLE_H
#define TRP_MONITOR_TABLE_H

#include "troupe/ref.h"

#include <stddef.h>
#include <stdint.h>

enum trp_monitor_side {
    TRP_MONITOR_FREE = 0,
    TRP_MONITORS = 1,
    TRP_MONITORED_BY = 2,
    TRP_MONITOR_LINK = 3,
    TRP_MONITOR_UNSENT = 4, // the actor has ended, and there was no memory to send its EXIT yet
};

struct trp_monitor_entry {
    uint32_t generation;
    uint32_t next;     // of the same list, index + 1
    uint32_t previous; // likewise
    uint8_t side;      // an enum trp_monitor_side
    uint8_t reason;    // UNSENT: how the actor ended
    int32_t code;      // likewise
    uint32_t actor_index;
    uint32_t actor_generation; // 0: the executor itself is monitored
    troupe_ref_t peer;
    uint64_t number;        // in the table of the executor with the MONITORS; 0: a link
    uint32_t next_like;     // entries with the same hash of actor, peer and number, index + 1
    uint32_t previous_like; // likewise
};

struct trp_monitor_table {
    struct trp_monitor_entry *entries;
    uint32_t count; // entries that were ever used
    uint32_t capacity;
    uint32_t free_head;    // index + 1
    uint32_t of_executor;  // its list of MONITORED_BY for the executor itself, index + 1
    uint32_t unsent_first; // the list of UNSENT, index + 1
    uint32_t *buckets;     // `capacity` lists of entries by that hash, index + 1
};

/** Free the table. */
void trp_monitor_table_fini(struct trp_monitor_table *monitors);

/**
 * Add an entry to the list that starts at @p head; a MONITORS gets a number of its own.
 *
 * @return it, valid until the next one is added; NULL: no memory.
 */
struct trp_monitor_entry *trp_monitor_table_add(
    struct trp_monitor_table *monitors, uint32_t *head, const struct trp_monitor_entry *like);

/** @return the MONITORS with that number, or NULL. */
struct trp_monitor_entry *trp_monitor_table_find(
    struct trp_monitor_table *monitors, uint64_t number);

/** @return the entry that is like @p wanted in its actor, side, peer and number, or NULL. */
struct trp_monitor_entry *trp_monitor_table_find_like(
    struct trp_monitor_table *monitors, const struct trp_monitor_entry *wanted);

/** Remove an entry from its list, and free it. */
void trp_monitor_table_remove(
    struct trp_monitor_table *monitors, uint32_t *head, struct trp_monitor_entry *entry);

/** Move an entry to another list. */
void trp_monitor_table_move(
    struct trp_monitor_table *monitors,
    uint32_t *head,
    struct trp_monitor_entry *entry,
    uint32_t *to_head);

/** @return the first entry of a list, or NULL. */
static inline struct trp_monitor_entry *trp_monitor_table_first(
    const struct trp_monitor_table *monitors, uint32_t head)
{
    return head == 0 ? NULL : &monitors->entries[head - 1];
}

#endif

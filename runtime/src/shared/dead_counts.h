/**
 * @file dead_counts.h
 * @brief How many dead letters each receiver had, by reason; for the audit and the log of dead letters.
 *
 *     FREE --seek: the first dead letter for a receiver--> TAKEN --its name is filled in: publish--> READY
 *
 * A hash table in shared memory, so that all processes count in one place. Only dead letters touch it. About the
 * first 1,024 receivers have an entry each; the rest are counted in sum. It takes no lock: an entry that a process
 * took, and died before it published, stays unused.
 */
#ifndef TRP_DEAD_COUNTS_H
#define TRP_DEAD_COUNTS_H

#include "troupe/message.h"
#include "troupe/ref.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { TRP_DEAD_COUNTS_ENTRIES = 1024, TRP_DEAD_COUNTS_NAME_BYTES = 64 };

/** The counts of one receiver. */
struct trp_dead_counts_entry {
    _Atomic uint32_t state;
    troupe_ref_t ref; // const once READY; index and generation 0: of an executor
    char name
        [TRP_DEAD_COUNTS_NAME_BYTES]; // const once READY; " 'its name'" with a blank in front, or ""
    _Atomic uint64_t dead[TROUPE_DEAD_REASON_COUNT];
};

struct trp_dead_counts {
    struct trp_dead_counts_entry entries[TRP_DEAD_COUNTS_ENTRIES];
    _Atomic uint64_t rest[TROUPE_DEAD_REASON_COUNT]; // of those without an entry
};

/**
 * Find the entry of @p ref, or take one.
 *
 * @param out_is_new  Set when it was taken: the caller fills in `name`, then calls trp_dead_counts_publish().
 * @return            NULL: the table has no room for it.
 */
struct trp_dead_counts_entry *trp_dead_counts_seek(
    struct trp_dead_counts *dead_counts, troupe_ref_t ref, bool *out_is_new);

/** Make an entry READY. */
void trp_dead_counts_publish(struct trp_dead_counts_entry *entry);

/** Count dead letters of the receiver with that entry; NULL: of the rest. */
void trp_dead_counts_add(
    struct trp_dead_counts *dead_counts,
    struct trp_dead_counts_entry *entry,
    enum troupe_dead_reason reason,
    uint64_t count);

/** @return the @p which-th entry if it is READY; else NULL. */
const struct trp_dead_counts_entry *trp_dead_counts_get(
    const struct trp_dead_counts *dead_counts, uint32_t which);

#endif

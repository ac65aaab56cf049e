/**
 * @file toll.h
 * @brief The toll: how many dead letters were for whom, by reason.
 *
 * It lies in shared memory, so that it says the same in all processes, and is touched by dead letters alone.
 * The first 1,024 receivers or so have an entry each; the rest are counted in sum. It takes no lock: an
 * entry that a process took and died before it filled stays empty.
 */
#ifndef TRP_DEAD_COUNTS_H
#define TRP_DEAD_COUNTS_H

#include "troupe/message.h"
#include "troupe/ref.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { TRP_DEAD_COUNTS_ENTRIES = 1024, TRP_DEAD_COUNTS_NAME_BYTES = 64 };

/** What is known of one receiver. */
struct trp_dead_counts_entry {
    _Atomic uint32_t state;
    troupe_ref_t ref; // const once it can be found; index and generation 0: an executor's
    char name
        [TRP_DEAD_COUNTS_NAME_BYTES]; // as above: how to say who it was, with a blank in front, or ""
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
 * @return            NULL: there is none, and none is free.
 */
struct trp_dead_counts_entry *trp_dead_counts_seek(
    struct trp_dead_counts *dead_counts, troupe_ref_t ref, bool *out_is_new);

/** Let others find an entry. */
void trp_dead_counts_publish(struct trp_dead_counts_entry *entry);

/** Count dead letters for who has that entry; NULL: for one of the rest. */
void trp_dead_counts_add(
    struct trp_dead_counts *dead_counts,
    struct trp_dead_counts_entry *entry,
    enum troupe_dead_reason reason,
    uint64_t count);

/** @return the @p which-th entry, if it can be found; else NULL. */
const struct trp_dead_counts_entry *trp_dead_counts_get(
    const struct trp_dead_counts *dead_counts, uint32_t which);

#endif

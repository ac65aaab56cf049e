/**
 * @file toll.h
 * @brief The toll: how many dead letters were for whom, by reason.
 *
 * It lies on the board, so that it says the same in all processes, and is touched by dead letters alone.
 * The first 1,024 receivers or so have an entry each; the rest are counted in sum. It takes no lock: an
 * entry that a process took and died before it filled stays empty.
 */
#ifndef TRP_TOLL_H
#define TRP_TOLL_H

#include "troupe/message.h"
#include "troupe/ref.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { TRP_TOLL_ENTRIES = 1024, TRP_TOLL_NAME_BYTES = 64 };

/** What is known of one receiver. */
struct trp_toll_entry {
    _Atomic uint32_t state;
    troupe_ref_t ref; // const once it can be found; index and generation 0: an executor's
    char name[TRP_TOLL_NAME_BYTES]; // as above: how to say who it was, with a blank in front, or ""
    _Atomic uint64_t dead[TROUPE_DEAD_REASON_COUNT];
};

struct trp_toll {
    struct trp_toll_entry entries[TRP_TOLL_ENTRIES];
    _Atomic uint64_t rest[TROUPE_DEAD_REASON_COUNT]; // of those without an entry
};

/**
 * Find the entry of @p ref, or take one.
 *
 * @param out_is_new  Set when it was taken: the caller fills in `name`, then calls trp_toll_publish().
 * @return            NULL: there is none, and none is free.
 */
struct trp_toll_entry *trp_toll_seek(struct trp_toll *toll, troupe_ref_t ref, bool *out_is_new);

/** Let others find an entry. */
void trp_toll_publish(struct trp_toll_entry *entry);

/** Count dead letters for who has that entry; NULL: for one of the rest. */
void trp_toll_count(
    struct trp_toll *toll,
    struct trp_toll_entry *entry,
    enum troupe_dead_reason reason,
    uint64_t count);

/** @return the @p which-th entry, if it can be found; else NULL. */
const struct trp_toll_entry *trp_toll_get(const struct trp_toll *toll, uint32_t which);

#endif

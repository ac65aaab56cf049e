/**
 * @file sums.h
 * @brief The counters of all ledgers and slots of a system, added up.
 */
#ifndef TRP_SUMS_H
#define TRP_SUMS_H

#include "shared/ledger.h"
#include "shared/slot.h"

#include <stdint.h>

struct trp_sums {
    uint64_t accepted;
    uint64_t handled;
    uint64_t dead_by_reason[TROUPE_DEAD_REASON_COUNT];
    uint64_t unknown;
    struct trp_counters counters; // of executors
    uint64_t executors_started;
    uint64_t executors_ended;
};

/** Add what a ledger counts. */
void trp_sums_add_ledger(struct trp_sums *sums, const struct trp_ledger *ledger);

/** Add what the executor of a slot counts. */
void trp_sums_add_slot(struct trp_sums *sums, const struct trp_slot *slot);

/** @return how many of the messages have an outcome. */
uint64_t trp_sums_done(const struct trp_sums *sums);

/** Add up what was freed and what is in use. @threads any, without the lock */
void trp_sums_total(struct trp_shared *shared, struct trp_sums *out_sums);

#endif

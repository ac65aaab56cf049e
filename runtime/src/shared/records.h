/**
 * @file records.h
 * @brief What became of the mail of channels that closed and of executors that ended, one by one, for the audit.
 *
 *     a ledger is CLOSED, a slot is ENDED or DEAD --sweep--> a record each; added to the sums; freed
 *
 * Only the first process keeps records, and only it frees ledgers and slots, at once what it closes and ends itself:
 * functions take NULL for the records of any other process. The first 256 records of a sort are kept one by one, the
 * rest as their sum.
 */
#ifndef TRP_RECORDS_H
#define TRP_RECORDS_H

#include "shared/slot.h"

#include <stdint.h>

struct trp_ledger;
struct trp_shared;

/** Records of one sort that are kept one by one. */
#define TRP_RECORD_COUNT_MAX 256

struct trp_record {
    uint32_t from;                  // of a channel: the sending executor
    uint32_t to;                    // the executor; of a channel, the receiving one
    char name[TRP_SLOT_NAME_BYTES]; // of the executor; "" for a channel
    uint64_t accepted;
    uint64_t handled;
    uint64_t dead;
    uint64_t unknown;
};

/** Records of one sort. */
struct trp_record_list {
    struct trp_record *entries; // NULL: none yet; the last one is the sum of the rest
    uint32_t count;             // of those that are kept one by one
};

/** All records of a system; guarded by shared memory's lock. Zero-initialise. */
struct trp_records {
    struct trp_record_list executors;
    struct trp_record_list channels;
    struct trp_record_list
        unbalanced; // of `channels`, those that accepted more or less than has an outcome
};

/** @return what a ledger counts now; never more outcomes than accepted. */
struct trp_record trp_record_of_ledger(const struct trp_ledger *ledger);

/** @return what the ledgers into an executor counted that were freed. @threads holding shared memory's lock */
struct trp_record trp_record_of_slot(const struct trp_slot *slot);

/** Close a ledger whose messages all have an outcome, and sweep it if this is the first process. @threads any */
void trp_records_close_ledger(
    struct trp_shared *shared, struct trp_records *records, struct trp_ledger *ledger);

/**
 * Note that an executor has ended, and sweep it if this is the first process. What refers to it yet, a channel that is
 * not closed at its other end, sweeps it when it closes. After this call its slot may be another's.
 *
 * @threads the executor's
 */
void trp_records_end_slot(
    struct trp_shared *shared, struct trp_records *records, struct trp_slot *slot);

/** Sweep whatever any process has closed or ended. Does nothing where @p records is NULL. @threads any */
void trp_records_sweep(struct trp_shared *shared, struct trp_records *records);

/** Free the records. */
void trp_records_fini(struct trp_records *records);

#endif

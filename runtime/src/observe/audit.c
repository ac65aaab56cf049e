/*
 * What the audit prints, in this order:
 *
 *     dead letters by receiver       the audit only
 *     channels                       closed ones from the records; the audit, open ones from their ledgers
 *     executors                      ended ones from the records, running ones from slot and ledgers
 *     the system, other counters
 *     NOT BALANCED: ...              the audit only: the channels with a wrong count
 */
#include "observe/audit.h"

#include "observe/stats.h"
#include "shared/dead_counts.h"
#include "shared/records.h"
#include "shared/shared.h"
#include "shared/shared_table.h"
#include "shared/slot.h"

#include <inttypes.h>

enum { LABEL_BYTES = 128, RECEIVERS_MAX = 20 };

/** An audit under way. */
struct audit {
    struct trp_shared *shared;
    struct trp_records *records;
    bool has_ended;
    FILE *file;
    uint64_t unbalanced_count;
};

/* Channels, executors, the system. -------------------------------------------------------------- */

static uint64_t audit_done(const struct trp_record *record)
{
    return record->handled + record->dead + record->unknown;
}

/** Print the counters of one record, and check them. Where it @p is_over, no message may wait. */
static void audit_print_line(
    struct audit *audit, const char *label, const struct trp_record *record, bool is_over)
{
    uint64_t done = audit_done(record);
    uint64_t waiting = record->accepted > done ? record->accepted - done : 0;
    bool balances = record->accepted >= done && (waiting == 0 || !is_over);
    (void)fprintf(
        audit->file,
        "%-28s accepted %" PRIu64 " = handled %" PRIu64 " + dead %" PRIu64 " + unknown %" PRIu64
        " + waiting %" PRIu64 "%s\n",
        label,
        record->accepted,
        record->handled,
        record->dead,
        record->unknown,
        waiting,
        balances ? "" : "   DOES NOT BALANCE");
    audit->unbalanced_count += balances ? 0 : 1;
}

static void audit_print_records(
    struct audit *audit, const struct trp_record_list *records, const char *rest)
{
    char label[LABEL_BYTES];
    for (uint32_t i = 0; i < records->count; i++) {
        const struct trp_record *record = &records->entries[i];
        if (record->name[0] != '\0') {
            (void)snprintf(label, sizeof(label), "executor %u (%s)", record->to, record->name);
        } else if (record->from == record->to) {
            (void)snprintf(label, sizeof(label), "channel %u to itself", record->to);
        } else {
            (void)snprintf(label, sizeof(label), "channel %u to %u", record->from, record->to);
        }
        audit_print_line(audit, label, record, true);
    }
    if (records->count == TRP_RECORD_COUNT_MAX) {
        audit_print_line(audit, rest, &records->entries[TRP_RECORD_COUNT_MAX], true);
    }
}

/** Print the counters of an executor that has not ended. @threads holding shared memory's lock */
static void audit_print_running(struct audit *audit, const struct trp_slot *slot)
{
    const struct trp_shared *shared = audit->shared;
    struct trp_record sum = trp_record_of_slot(slot);
    uint32_t steps = 0;
    for (uint32_t at = trp_shared_ledger_index(shared, slot->first_in); at != 0;
         at = trp_shared_ledger_step(shared, shared->ledgers[at - 1].next_in, &steps)) {
        struct trp_record record = trp_record_of_ledger(&shared->ledgers[at - 1]);
        sum.handled += record.handled;
        sum.dead += record.dead;
        sum.unknown += record.unknown;
        sum.accepted += record.accepted;
    }
    char label[LABEL_BYTES];
    (void)snprintf(label, sizeof(label), "executor %u (%s) runs", slot->id, slot->name);
    audit_print_line(audit, label, &sum, audit->has_ended);
}

/** @threads holding shared memory's lock */
static void audit_print_executors(struct audit *audit)
{
    const struct trp_shared *shared = audit->shared;
    audit_print_records(audit, &audit->records->executors, "other executors");
    uint32_t high = trp_shared_slot_count(shared);
    for (uint32_t i = 0; i < high; i++) {
        const struct trp_slot *slot = &shared->slots[i];
        if (trp_slot_is_there(slot)) {
            audit_print_running(audit, slot);
        }
    }
}

static void audit_print_reasons(struct audit *audit, const struct troupe_stats *stats)
{
    for (uint32_t i = 0; i < TROUPE_DEAD_REASON_COUNT; i++) {
        if (stats->dead_by_reason[i] != 0) {
            (void)fprintf(
                audit->file,
                "dead letters, %-14s %" PRIu64 "\n",
                troupe_dead_reason_text((enum troupe_dead_reason)i),
                stats->dead_by_reason[i]);
        }
    }
}

static void audit_print_totals(struct audit *audit, const struct troupe_stats *stats)
{
    const struct trp_record all = {
        .accepted = stats->accepted,
        .handled = stats->handled,
        .dead = stats->dead,
        .unknown = stats->unknown,
    };
    audit_print_line(audit, "system", &all, audit->has_ended);
    audit_print_reasons(audit, stats);
    (void)fprintf(
        audit->file,
        "refused sends %" PRIu64 ", ROOM notices %" PRIu64 "\n"
        "frames sent %" PRIu64 ", received %" PRIu64 ", undecodable %" PRIu64
        "; sequence gaps %" PRIu64 "\n"
        "actors started %" PRIu64 ", failed to start %" PRIu64 ", ended %" PRIu64
        "; executors started %" PRIu64 ", ended %" PRIu64 "\n",
        stats->refused,
        stats->rooms,
        stats->frames_sent,
        stats->frames_received,
        stats->frames_undecodable,
        stats->sequence_gaps,
        stats->actors_started,
        stats->actors_failed,
        stats->actors_ended,
        stats->executors_started,
        stats->executors_ended);
}

/* Channels with a wrong count. ------------------------------------------------------------------ */

/** @return the name of an executor, running or ended; "" when it is not known. */
static const char *audit_name(const struct audit *audit, uint32_t id)
{
    const struct trp_slot *slot = trp_shared_find_slot(audit->shared, id);
    if (slot != NULL) {
        return slot->name;
    }
    const struct trp_record_list *executors = &audit->records->executors;
    for (uint32_t i = 0; i < executors->count; i++) {
        if (executors->entries[i].to == id) {
            return executors->entries[i].name;
        }
    }
    return "";
}

/** Print how the counts of a channel differ. @param state  What its state is, such as "ended". */
static void audit_blame(struct audit *audit, const struct trp_record *record, const char *state)
{
    uint64_t done = audit_done(record);
    bool lacks = record->accepted > done;
    (void)fprintf(
        audit->file,
        "NOT BALANCED: the channel from executor %u (%s) to executor %u (%s) %s: it accepted "
        "%" PRIu64 " messages and has an outcome for %" PRIu64 ", %" PRIu64 " too %s\n",
        record->from,
        audit_name(audit, record->from),
        record->to,
        audit_name(audit, record->to),
        state,
        record->accepted,
        done,
        lacks ? record->accepted - done : done - record->accepted,
        lacks ? "few" : "many");
    audit->unbalanced_count++;
}

/** Print and check the ledgers that are in use still. @threads holding shared memory's lock */
static void audit_check_ledgers(struct audit *audit)
{
    const struct trp_shared *shared = audit->shared;
    uint32_t high = trp_shared_ledger_count(shared);
    for (uint32_t i = 0; i < high; i++) {
        const struct trp_ledger *ledger = &shared->ledgers[i];
        if (atomic_load_explicit(&ledger->state, memory_order_acquire) == TRP_LEDGER_FREE) {
            continue;
        }
        struct trp_record record = trp_record_of_ledger(ledger);
        char label[LABEL_BYTES];
        (void)snprintf(label, sizeof(label), "channel %u to %u, open", record.from, record.to);
        audit_print_line(audit, label, &record, false);
        if (audit->has_ended && record.accepted != audit_done(&record)) {
            audit_blame(audit, &record, "is open after the end");
        }
    }
}

/** Print what was wrong with channels that closed. @threads holding shared memory's lock */
static void audit_check_records(struct audit *audit, uint64_t gap_count)
{
    const struct trp_record_list *unbalanced = &audit->records->unbalanced;
    for (uint32_t i = 0; i < unbalanced->count; i++) {
        audit_blame(audit, &unbalanced->entries[i], "ended");
    }
    if (gap_count != 0) {
        (void)fprintf(
            audit->file,
            "NOT BALANCED: %" PRIu64 " sequence gaps: the two ends of a channel counted its "
            "messages differently\n",
            gap_count);
        audit->unbalanced_count++;
    }
}

/* Dead letters by receiver. --------------------------------------------------------------------- */

static uint64_t audit_entry_sum(const struct trp_dead_counts_entry *entry)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < TROUPE_DEAD_REASON_COUNT; i++) {
        sum += atomic_load_explicit(&entry->dead[i], memory_order_relaxed);
    }
    return sum;
}

static void audit_print_dead_counts_line(
    struct audit *audit,
    const char *receiver,
    const _Atomic uint64_t dead[TROUPE_DEAD_REASON_COUNT])
{
    (void)fprintf(audit->file, "dead letters for %s:", receiver);
    const char *comma = "";
    for (uint32_t i = 0; i < TROUPE_DEAD_REASON_COUNT; i++) {
        uint64_t count = atomic_load_explicit(&dead[i], memory_order_relaxed);
        if (count != 0) {
            const char *reason = troupe_dead_reason_text((enum troupe_dead_reason)i);
            (void)fprintf(audit->file, "%s %s %" PRIu64, comma, reason, count);
            comma = ",";
        }
    }
    (void)fputc('\n', audit->file);
}

/** @return the entry with the most dead letters of those not printed yet; NULL: there is none. */
static const struct trp_dead_counts_entry *audit_next_entry(
    const struct trp_dead_counts *dead_counts,
    const bool printed[TRP_DEAD_COUNTS_ENTRIES],
    uint32_t *out_which)
{
    const struct trp_dead_counts_entry *most = NULL;
    uint64_t most_count = 0;
    for (uint32_t i = 0; i < TRP_DEAD_COUNTS_ENTRIES; i++) {
        const struct trp_dead_counts_entry *entry =
            printed[i] ? NULL : trp_dead_counts_get(dead_counts, i);
        uint64_t count = entry == NULL ? 0 : audit_entry_sum(entry);
        if (count > most_count) {
            most = entry;
            most_count = count;
            *out_which = i;
        }
    }
    return most;
}

/** Sum up the dead letters of all receivers that were not printed. */
static void audit_sum_others(
    const struct trp_dead_counts *dead_counts,
    const bool printed[TRP_DEAD_COUNTS_ENTRIES],
    struct trp_dead_counts_entry *others)
{
    for (uint32_t reason = 0; reason < TROUPE_DEAD_REASON_COUNT; reason++) {
        uint64_t sum = atomic_load_explicit(&dead_counts->rest[reason], memory_order_relaxed);
        for (uint32_t i = 0; i < TRP_DEAD_COUNTS_ENTRIES; i++) {
            const struct trp_dead_counts_entry *entry =
                printed[i] ? NULL : trp_dead_counts_get(dead_counts, i);
            sum += entry == NULL ? 0
                                 : atomic_load_explicit(&entry->dead[reason], memory_order_relaxed);
        }
        atomic_init(&others->dead[reason], sum);
    }
}

/** Print the receivers with the most dead letters one by one, and the sum of the others'. */
static void audit_print_dead_counts(struct audit *audit)
{
    const struct trp_dead_counts *dead_counts = &audit->shared->dead_counts;
    bool printed[TRP_DEAD_COUNTS_ENTRIES] = {false};
    for (int i = 0; i < RECEIVERS_MAX; i++) {
        uint32_t which = 0;
        const struct trp_dead_counts_entry *entry = audit_next_entry(dead_counts, printed, &which);
        if (entry == NULL) {
            break;
        }
        char ref[TROUPE_REF_TEXT_BYTES];
        char label[LABEL_BYTES];
        (void)snprintf(
            label, sizeof(label), "%s%s", troupe_ref_print(entry->ref, ref), entry->name);
        audit_print_dead_counts_line(audit, label, entry->dead);
        printed[which] = true;
    }
    struct trp_dead_counts_entry others = {0};
    audit_sum_others(dead_counts, printed, &others);
    if (audit_entry_sum(&others) != 0) {
        audit_print_dead_counts_line(audit, "all others", others.dead);
    }
}

/* To be called. --------------------------------------------------------------------------------- */

static struct audit audit_begin(
    const struct trp_audit_subject *subject, FILE *file, struct troupe_stats *out_stats)
{
    trp_records_sweep(subject->shared, subject->records);
    trp_stats_take(subject->shared, out_stats);
    return (struct audit){
        .shared = subject->shared,
        .records = subject->records,
        .has_ended = subject->has_ended,
        .file = file,
    };
}

void trp_audit_print_stats(const struct trp_audit_subject *subject, FILE *file)
{
    struct troupe_stats stats;
    struct audit audit = audit_begin(subject, file, &stats);
    trp_shared_lock(audit.shared);
    audit_print_records(&audit, &audit.records->channels, "other channels");
    audit_print_executors(&audit);
    trp_shared_unlock(audit.shared);
    audit_print_totals(&audit, &stats);
}

bool trp_audit_check(const struct trp_audit_subject *subject, FILE *file)
{
    struct troupe_stats stats;
    struct audit audit = audit_begin(subject, file, &stats);
    audit_print_dead_counts(&audit);
    trp_shared_lock(audit.shared);
    audit_print_records(&audit, &audit.records->channels, "other channels");
    audit_check_ledgers(&audit);
    audit_print_executors(&audit);
    trp_shared_unlock(audit.shared);
    audit_print_totals(&audit, &stats);
    trp_shared_lock(audit.shared);
    audit_check_records(&audit, stats.sequence_gaps);
    trp_shared_unlock(audit.shared);
    bool balances = audit.unbalanced_count == 0;
    (void)fprintf(file, balances ? "the counters balance\n" : "the counters DO NOT BALANCE\n");
    return balances;
}

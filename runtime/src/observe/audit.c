/*
 * The counters, printed; and the law, audited: for each channel, each executor and the system
 *
 *     accepted = handled + dead + unknown + waiting
 *
 * and nothing waits once the system has ended.
 */
#include "node/system.h"
#include "shared/dead_counts.h"
#include "shared/shared.h"
#include "troupe/stats.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { WHO_BYTES = 128, AUDIT_ACTORS = 20 };

/** What is being printed. */
struct audit {
    troupe_system_t *system;
    FILE *file;
    uint64_t broken_count;
};

static uint64_t audit_done(const struct trp_record *record)
{
    return record->handled + record->dead + record->unknown;
}

/** Print the law of one record. Nothing waits for who @p is_over. */
static void audit_print_line(
    struct audit *audit, const char *who, const struct trp_record *record, bool is_over)
{
    uint64_t done = audit_done(record);
    uint64_t waiting = record->accepted > done ? record->accepted - done : 0;
    bool closes = record->accepted >= done && (waiting == 0 || !is_over);
    (void)fprintf(
        audit->file,
        "%-28s accepted %" PRIu64 " = handled %" PRIu64 " + dead %" PRIu64 " + unknown %" PRIu64
        " + waiting %" PRIu64 "%s\n",
        who,
        record->accepted,
        record->handled,
        record->dead,
        record->unknown,
        waiting,
        closes ? "" : "   DOES NOT CLOSE");
    audit->broken_count += closes ? 0 : 1;
}

static void audit_print_records(
    struct audit *audit, const struct trp_records *records, const char *rest)
{
    char who[WHO_BYTES];
    for (uint32_t i = 0; i < records->count; i++) {
        const struct trp_record *record = &records->entries[i];
        if (record->name[0] != '\0') {
            (void)snprintf(who, sizeof(who), "executor %u (%s)", record->to, record->name);
        } else if (record->from == record->to) {
            (void)snprintf(who, sizeof(who), "link %u to itself", record->to);
        } else {
            (void)snprintf(who, sizeof(who), "link %u to %u", record->from, record->to);
        }
        audit_print_line(audit, who, record, true);
    }
    if (records->count == TRP_RECORD_COUNT_MAX) {
        audit_print_line(audit, rest, &records->entries[TRP_RECORD_COUNT_MAX], true);
    }
}

/** @return what a ledger says; read so that it is never less accepted than done with. */
static struct trp_record audit_read_ledger(const struct trp_ledger *ledger)
{
    struct trp_record record = {
        .from = ledger->from,
        .to = ledger->to,
        .handled = trp_counted(&ledger->handled),
        .dead = trp_ledger_dead(ledger),
        .unknown = trp_counted(&ledger->unknown),
    };
    uint64_t moved = trp_counted(&ledger->moved);
    record.accepted = trp_counted(&ledger->accepted) - moved;
    return record;
}

/** What an executor that still runs has done, and what waits for it. @threads holding shared memory's lock */
static void audit_print_living(struct audit *audit, const struct trp_slot *slot)
{
    const struct trp_shared *shared = audit->system->runtime.shared;
    struct trp_record sum = {
        .to = slot->id,
        .accepted = slot->mail_accepted,
        .handled = slot->mail_handled,
        .dead = slot->mail_dead,
        .unknown = slot->mail_unknown,
    };
    for (uint32_t at = slot->first_in; at != 0; at = shared->ledgers[at - 1].next_in) {
        struct trp_record record = audit_read_ledger(&shared->ledgers[at - 1]);
        sum.handled += record.handled;
        sum.dead += record.dead;
        sum.unknown += record.unknown;
        sum.accepted += record.accepted;
    }
    char who[WHO_BYTES];
    (void)snprintf(who, sizeof(who), "executor %u (%s) runs", slot->id, slot->name);
    audit_print_line(audit, who, &sum, audit->system->stopped);
}

static void audit_print_executors(struct audit *audit)
{
    const struct trp_shared *shared = audit->system->runtime.shared;
    audit_print_records(audit, &audit->system->executor_records, "other executors");
    uint32_t high = atomic_load_explicit(&shared->slot_high, memory_order_acquire);
    for (uint32_t i = 0; i < high; i++) {
        const struct trp_slot *slot = &shared->slots[i];
        if (trp_slot_is_there(slot)) {
            audit_print_living(audit, slot);
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
    audit_print_line(audit, "system", &all, audit->system->stopped);
    for (uint32_t i = 0; i < TROUPE_DEAD_REASON_COUNT; i++) {
        if (stats->dead_by_reason[i] != 0) {
            (void)fprintf(
                audit->file,
                "dead letters, %-14s %" PRIu64 "\n",
                troupe_dead_reason_text((enum troupe_dead_reason)i),
                stats->dead_by_reason[i]);
        }
    }
    (void)fprintf(
        audit->file,
        "refused sends %" PRIu64 ", answered by rooms %" PRIu64 "\n"
        "frames sent %" PRIu64 ", received %" PRIu64 ", undecodable %" PRIu64
        "; links that did not close %" PRIu64 "\n"
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

/* Where it does not close. ---------------------------------------------------------------------- */

/** @return the name of an executor, whether it runs or not; "" when it is not known. */
static const char *audit_name(const struct audit *audit, uint32_t id)
{
    const struct trp_slot *slot = trp_shared_find_slot(audit->system->runtime.shared, id);
    if (slot != NULL) {
        return slot->name;
    }
    const struct trp_records *records = &audit->system->executor_records;
    for (uint32_t i = 0; i < records->count; i++) {
        if (records->entries[i].to == id) {
            return records->entries[i].name;
        }
    }
    return "";
}

/** Say of one channel what is wrong with it. */
static void audit_blame(struct audit *audit, const struct trp_record *record, const char *what)
{
    uint64_t done = audit_done(record);
    bool lacks = record->accepted > done;
    (void)fprintf(
        audit->file,
        "NOT CLOSED: the link from executor %u (%s) to executor %u (%s) %s: it accepted %" PRIu64
        " messages and has an outcome for %" PRIu64 ", %" PRIu64 " too %s\n",
        record->from,
        audit_name(audit, record->from),
        record->to,
        audit_name(audit, record->to),
        what,
        record->accepted,
        done,
        lacks ? record->accepted - done : done - record->accepted,
        lacks ? "few" : "many");
    audit->broken_count++;
}

/** Go through the ledgers that are in shared memory still. @threads holding shared memory's lock */
static void audit_check_ledgers(struct audit *audit)
{
    const struct trp_shared *shared = audit->system->runtime.shared;
    uint32_t high = atomic_load_explicit(&shared->ledger_high, memory_order_acquire);
    for (uint32_t i = 0; i < high; i++) {
        const struct trp_ledger *ledger = &shared->ledgers[i];
        if (atomic_load_explicit(&ledger->state, memory_order_acquire) == TRP_LEDGER_FREE) {
            continue;
        }
        struct trp_record record = audit_read_ledger(ledger);
        char who[WHO_BYTES];
        (void)snprintf(who, sizeof(who), "link %u to %u, open", record.from, record.to);
        audit_print_line(audit, who, &record, false);
        if (audit->system->stopped && record.accepted != audit_done(&record)) {
            audit_blame(audit, &record, "is open after the end");
        }
    }
}

static void audit_check_gaps(struct audit *audit, uint64_t gap_count)
{
    const struct trp_records *records = &audit->system->open_records;
    for (uint32_t i = 0; i < records->count; i++) {
        audit_blame(audit, &records->entries[i], "ended");
    }
    if (gap_count != 0) {
        (void)fprintf(
            audit->file,
            "NOT CLOSED: the two ends of %" PRIu64 " frames or links told different counts\n",
            gap_count);
        audit->broken_count++;
    }
}

/* Per actor. ------------------------------------------------------------------------------------ */

static uint64_t audit_entry_sum(const struct trp_dead_counts_entry *entry)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < TROUPE_DEAD_REASON_COUNT; i++) {
        sum += atomic_load_explicit(&entry->dead[i], memory_order_relaxed);
    }
    return sum;
}

static void audit_print_dead_counts_line(
    struct audit *audit, const char *who, const _Atomic uint64_t dead[TROUPE_DEAD_REASON_COUNT])
{
    (void)fprintf(audit->file, "dead letters for %s:", who);
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

/** Print whose mail died most, and in sum what of others did. */
static void audit_print_dead_counts(struct audit *audit)
{
    struct trp_dead_counts *dead_counts = &audit->system->runtime.shared->dead_counts;
    bool printed[TRP_DEAD_COUNTS_ENTRIES] = {false};
    uint32_t which = 0;
    const struct trp_dead_counts_entry *entry = NULL;
    for (int i = 0; i < AUDIT_ACTORS; i++) {
        entry = audit_next_entry(dead_counts, printed, &which);
        if (entry == NULL) {
            break;
        }
        char ref[TROUPE_REF_TEXT_BYTES];
        char who[WHO_BYTES];
        (void)snprintf(who, sizeof(who), "%s%s", troupe_ref_print(entry->ref, ref), entry->name);
        audit_print_dead_counts_line(audit, who, entry->dead);
        printed[which] = true;
    }
    struct trp_dead_counts_entry others = {0};
    for (uint32_t reason = 0; reason < TROUPE_DEAD_REASON_COUNT; reason++) {
        uint64_t sum = atomic_load_explicit(&dead_counts->rest[reason], memory_order_relaxed);
        for (uint32_t i = 0; i < TRP_DEAD_COUNTS_ENTRIES; i++) {
            entry = printed[i] ? NULL : trp_dead_counts_get(dead_counts, i);
            sum += entry == NULL ? 0
                                 : atomic_load_explicit(&entry->dead[reason], memory_order_relaxed);
        }
        atomic_init(&others.dead[reason], sum);
    }
    if (audit_entry_sum(&others) != 0) {
        audit_print_dead_counts_line(audit, "all others", others.dead);
    }
}

/* To be called. --------------------------------------------------------------------------------- */

void troupe_system_print_stats(troupe_system_t *system, FILE *file)
{
    struct audit audit = {.system = system, .file = file};
    struct troupe_stats stats;
    trp_system_sweep(system);
    troupe_system_stats(system, &stats);
    trp_shared_lock(system->runtime.shared);
    audit_print_records(&audit, &system->link_records, "other links");
    audit_print_executors(&audit);
    trp_shared_unlock(system->runtime.shared);
    audit_print_totals(&audit, &stats);
}

bool troupe_system_audit(troupe_system_t *system, FILE *file)
{
    struct audit audit = {.system = system, .file = file};
    struct troupe_stats stats;
    trp_system_sweep(system);
    troupe_system_stats(system, &stats);
    audit_print_dead_counts(&audit);
    trp_shared_lock(system->runtime.shared);
    audit_print_records(&audit, &system->link_records, "other links");
    audit_check_ledgers(&audit);
    audit_print_executors(&audit);
    trp_shared_unlock(system->runtime.shared);
    audit_print_totals(&audit, &stats);
    trp_shared_lock(system->runtime.shared);
    audit_check_gaps(&audit, stats.sequence_gaps);
    trp_shared_unlock(system->runtime.shared);
    bool closes = audit.broken_count == 0;
    (void)fprintf(file, closes ? "the law closes\n" : "the law DOES NOT CLOSE\n");
    return closes;
}

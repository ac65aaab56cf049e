#include "troupe/stats.h"

#include "executor.h"
#include "system.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t stats_read(const trp_counter_t *counter)
{
    // Acquire: pairs with the release in trp_count(), so that the order of two reads means something.
    return atomic_load_explicit(counter, memory_order_acquire);
}

uint64_t trp_counters_dead(const struct trp_counters *counters)
{
    uint64_t dead = 0;
    for (uint32_t i = 0; i < TROUPE_DEAD_REASON_COUNT; i++) {
        dead += stats_read(&counters->dead_by_reason[i]);
    }
    return dead;
}

void trp_counters_add(const struct trp_counters *counters, struct troupe_stats *stats)
{
    // What is done with before what was accepted: see shutdown_is_quiet().
    stats->handled += stats_read(&counters->handled);
    for (uint32_t i = 0; i < TROUPE_DEAD_REASON_COUNT; i++) {
        uint64_t dead = stats_read(&counters->dead_by_reason[i]);
        stats->dead_by_reason[i] += dead;
        stats->dead += dead;
    }
    stats->accepted += stats_read(&counters->accepted);
    stats->refused += stats_read(&counters->refused);
    stats->rooms += stats_read(&counters->rooms);
    stats->frames_sent += stats_read(&counters->frames_sent);
    stats->frames_received += stats_read(&counters->frames_received);
    stats->frames_undecodable += stats_read(&counters->frames_undecodable);
    stats->ledger_gaps += stats_read(&counters->ledger_gaps);
    stats->actors_started += stats_read(&counters->actors_started);
    stats->actors_failed += stats_read(&counters->actors_failed);
    stats->actors_ended += stats_read(&counters->actors_ended);
}

void trp_system_sum(troupe_system_t *system, struct troupe_stats *out_stats)
{
    (void)pthread_mutex_lock(&system->lock);
    *out_stats = system->retired;
    for (uint32_t i = 0; i < system->executors.slot_count; i++) {
        const struct troupe_executor *executor = system->executors.slots[i].value;
        if (executor != NULL) {
            trp_counters_add(&executor->counters, out_stats);
        }
    }
    out_stats->executors_started = system->executors_started;
    (void)pthread_mutex_unlock(&system->lock);
}

void troupe_system_stats(troupe_system_t *system, struct troupe_stats *out_stats)
{
    trp_system_sum(system, out_stats);
    uint64_t done = out_stats->handled + out_stats->dead + out_stats->unknown;
    out_stats->waiting = out_stats->accepted > done ? out_stats->accepted - done : 0;
}

static void stats_print_line(
    FILE *file, const char *who, uint64_t accepted, uint64_t handled, uint64_t dead)
{
    uint64_t waiting = accepted > handled + dead ? accepted - handled - dead : 0;
    bool closes = accepted == handled + dead + waiting;
    (void)fprintf(
        file,
        "%-28s accepted %" PRIu64 " = handled %" PRIu64 " + dead %" PRIu64
        " + unknown 0 + waiting %" PRIu64 "%s\n",
        who,
        accepted,
        handled,
        dead,
        waiting,
        closes ? "" : "   DOES NOT CLOSE");
}

void trp_records_add(struct trp_records *records, const struct trp_record *record)
{
    if (records->entries == NULL) {
        records->entries = calloc(TRP_RECORD_COUNT_MAX + 1, sizeof(*records->entries));
        if (records->entries == NULL) {
            return; // the sums of the system are right without it
        }
    }
    if (records->count < TRP_RECORD_COUNT_MAX) {
        records->entries[records->count++] = *record;
        return;
    }
    struct trp_record *rest = &records->entries[TRP_RECORD_COUNT_MAX];
    rest->accepted += record->accepted;
    rest->handled += record->handled;
    rest->dead += record->dead;
}

static void stats_print_records(FILE *file, const struct trp_records *records, const char *rest)
{
    char who[64];
    for (uint32_t i = 0; i < records->count; i++) {
        const struct trp_record *record = &records->entries[i];
        if (record->name[0] != '\0') {
            (void)snprintf(who, sizeof(who), "executor %u (%s)", record->to, record->name);
        } else if (record->from == record->to) {
            (void)snprintf(who, sizeof(who), "link %u to itself", record->to);
        } else {
            (void)snprintf(who, sizeof(who), "link %u to %u", record->from, record->to);
        }
        stats_print_line(file, who, record->accepted, record->handled, record->dead);
    }
    if (records->count == TRP_RECORD_COUNT_MAX) {
        const struct trp_record *sum = &records->entries[TRP_RECORD_COUNT_MAX];
        stats_print_line(file, rest, sum->accepted, sum->handled, sum->dead);
    }
}

/** What an executor that still runs has done. What waits for it, its senders know. */
static void stats_print_living(FILE *file, const struct troupe_executor *executor)
{
    (void)fprintf(
        file,
        "executor %u (%s) runs: handled %" PRIu64 ", dead %" PRIu64 ", sent %" PRIu64 "\n",
        executor->id,
        executor->name,
        stats_read(&executor->counters.handled),
        trp_counters_dead(&executor->counters),
        stats_read(&executor->counters.accepted));
}

static void stats_print_totals(FILE *file, const struct troupe_stats *stats)
{
    stats_print_line(file, "system", stats->accepted, stats->handled, stats->dead);
    for (uint32_t i = 0; i < TROUPE_DEAD_REASON_COUNT; i++) {
        if (stats->dead_by_reason[i] != 0) {
            (void)fprintf(
                file,
                "dead letters, %-14s %" PRIu64 "\n",
                troupe_dead_reason_text((enum troupe_dead_reason)i),
                stats->dead_by_reason[i]);
        }
    }
    (void)fprintf(
        file,
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
        stats->ledger_gaps,
        stats->actors_started,
        stats->actors_failed,
        stats->actors_ended,
        stats->executors_started,
        stats->executors_ended);
}

void troupe_system_print_stats(troupe_system_t *system, FILE *file)
{
    struct troupe_stats stats;
    troupe_system_stats(system, &stats);
    (void)pthread_mutex_lock(&system->lock);
    stats_print_records(file, &system->link_records, "other links");
    stats_print_records(file, &system->executor_records, "other executors");
    for (uint32_t i = 0; i < system->executors.slot_count; i++) {
        const struct troupe_executor *executor = system->executors.slots[i].value;
        if (executor != NULL) {
            stats_print_living(file, executor);
        }
    }
    (void)pthread_mutex_unlock(&system->lock);
    stats_print_totals(file, &stats);
}

#include "troupe/stats.h"

#include "channel/channels.h"
#include "node/system.h"
#include "shared/shared.h"

#include <stdio.h>
#include <stdlib.h>

/** Add what a ledger counts; what is done with first: see shutdown_is_quiet(). */
static void stats_add_ledger(const struct trp_ledger *ledger, struct trp_sums *sums)
{
    sums->handled += trp_counted(&ledger->handled);
    for (uint32_t i = 0; i < TROUPE_DEAD_REASON_COUNT; i++) {
        sums->dead_by_reason[i] += trp_counted(&ledger->dead[i]);
    }
    sums->unknown += trp_counted(&ledger->unknown);
    // What was moved is accepted a second time, by the receiver's own channel.
    uint64_t moved = trp_counted(&ledger->moved);
    sums->accepted += trp_counted(&ledger->accepted) - moved;
}

static void stats_add_counters(const struct trp_counters *counters, struct trp_counters *sums)
{
    sums->refused += trp_counted(&counters->refused);
    sums->rooms += trp_counted(&counters->rooms);
    sums->frames_sent += trp_counted(&counters->frames_sent);
    sums->frames_received += trp_counted(&counters->frames_received);
    sums->frames_undecodable += trp_counted(&counters->frames_undecodable);
    sums->sequence_gaps += trp_counted(&counters->sequence_gaps);
    sums->actors_started += trp_counted(&counters->actors_started);
    sums->actors_failed += trp_counted(&counters->actors_failed);
    sums->actors_ended += trp_counted(&counters->actors_ended);
}

/** Add a closed ledger to the sums, note what became of it, and free it. @threads holding shared memory's lock */
static void stats_fold_ledger(troupe_system_t *system, struct trp_ledger *ledger)
{
    struct trp_shared *shared = system->runtime.shared;
    const struct trp_record record = {
        .from = ledger->from,
        .to = ledger->to,
        .accepted = trp_counted(&ledger->accepted) - trp_counted(&ledger->moved),
        .handled = trp_counted(&ledger->handled),
        .dead = trp_ledger_dead(ledger),
        .unknown = trp_counted(&ledger->unknown),
    };
    trp_records_add(&system->link_records, &record);
    if (record.accepted != record.handled + record.dead + record.unknown) {
        trp_records_add(&system->open_records, &record);
    }
    struct trp_slot *to = trp_shared_find_slot(shared, ledger->to);
    if (to != NULL) {
        to->mail_accepted += record.accepted;
        to->mail_handled += record.handled;
        to->mail_dead += record.dead;
        to->mail_unknown += record.unknown;
    }
    stats_add_ledger(ledger, &shared->sums);
    trp_shared_free_ledger(shared, ledger);
}

/** Add the slot of an executor that is gone to the sums, and free it. @threads holding shared memory's lock */
static void stats_fold_slot(troupe_system_t *system, struct trp_slot *slot)
{
    struct trp_record record = {
        .to = slot->id,
        .accepted = slot->mail_accepted,
        .handled = slot->mail_handled,
        .dead = slot->mail_dead,
        .unknown = slot->mail_unknown,
    };
    (void)snprintf(record.name, sizeof(record.name), "%s", slot->name);
    trp_records_add(&system->executor_records, &record);
    stats_add_counters(&slot->counters, &system->runtime.shared->sums.counters);
    system->runtime.shared->sums.executors_ended++;
    trp_shared_free_slot(slot);
}

void trp_system_close_ledger(troupe_system_t *system, struct trp_ledger *ledger)
{
    trp_shared_close_ledger(system->runtime.shared, ledger);
    if (trp_system_is_first(system)) {
        trp_shared_lock(system->runtime.shared);
        // Unless the process manager came by and did it already.
        if (atomic_load_explicit(&ledger->state, memory_order_relaxed) == TRP_LEDGER_CLOSED) {
            stats_fold_ledger(system, ledger);
        }
        trp_shared_unlock(system->runtime.shared);
    }
}

void trp_system_sweep(troupe_system_t *system)
{
    struct trp_shared *shared = system->runtime.shared;
    trp_shared_lock(shared);
    uint32_t high = atomic_load_explicit(&shared->ledger_high, memory_order_acquire);
    for (uint32_t i = 0; i < high; i++) {
        struct trp_ledger *ledger = &shared->ledgers[i];
        if (atomic_load_explicit(&ledger->state, memory_order_acquire) == TRP_LEDGER_CLOSED) {
            stats_fold_ledger(system, ledger);
        }
    }
    high = atomic_load_explicit(&shared->slot_high, memory_order_acquire);
    for (uint32_t i = 0; i < high; i++) {
        struct trp_slot *slot = &shared->slots[i];
        enum trp_slot_state state = trp_slot_state(slot);
        if ((state == TRP_SLOT_ENDED || state == TRP_SLOT_DEAD) && slot->first_in == 0 &&
            atomic_load_explicit(&slot->out_open_count, memory_order_relaxed) == 0) {
            stats_fold_slot(system, slot);
        }
    }
    trp_shared_unlock(shared);
}

/** Copy sums into what users see. */
static void stats_fill(const struct trp_sums *sums, struct troupe_stats *out_stats)
{
    *out_stats = (struct troupe_stats){
        .accepted = sums->accepted,
        .handled = sums->handled,
        .unknown = sums->unknown,
        .refused = sums->counters.refused,
        .rooms = sums->counters.rooms,
        .frames_sent = sums->counters.frames_sent,
        .frames_received = sums->counters.frames_received,
        .frames_undecodable = sums->counters.frames_undecodable,
        .sequence_gaps = sums->counters.sequence_gaps,
        .actors_started = sums->counters.actors_started,
        .actors_failed = sums->counters.actors_failed,
        .actors_ended = sums->counters.actors_ended,
        .executors_started = sums->executors_started,
        .executors_ended = sums->executors_ended,
    };
    for (uint32_t i = 0; i < TROUPE_DEAD_REASON_COUNT; i++) {
        out_stats->dead_by_reason[i] = sums->dead_by_reason[i];
        out_stats->dead += sums->dead_by_reason[i];
    }
}

void trp_system_sum(troupe_system_t *system, struct troupe_stats *out_stats)
{
    struct trp_shared *shared = system->runtime.shared;
    trp_shared_lock(shared);
    struct trp_sums sums = shared->sums;
    uint32_t high = atomic_load_explicit(&shared->ledger_high, memory_order_acquire);
    for (uint32_t i = 0; i < high; i++) {
        const struct trp_ledger *ledger = &shared->ledgers[i];
        if (atomic_load_explicit(&ledger->state, memory_order_acquire) != TRP_LEDGER_FREE) {
            stats_add_ledger(ledger, &sums);
        }
    }
    high = atomic_load_explicit(&shared->slot_high, memory_order_acquire);
    for (uint32_t i = 0; i < high; i++) {
        const struct trp_slot *slot = &shared->slots[i];
        enum trp_slot_state state = trp_slot_state(slot);
        if (state != TRP_SLOT_FREE) {
            stats_add_counters(&slot->counters, &sums.counters);
            sums.executors_ended += state == TRP_SLOT_ENDED || state == TRP_SLOT_DEAD ? 1 : 0;
        }
    }
    trp_shared_unlock(shared);
    stats_fill(&sums, out_stats);
}

void troupe_system_stats(troupe_system_t *system, struct troupe_stats *out_stats)
{
    trp_system_sum(system, out_stats);
    uint64_t done = out_stats->handled + out_stats->dead + out_stats->unknown;
    out_stats->waiting = out_stats->accepted > done ? out_stats->accepted - done : 0;
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
    rest->unknown += record->unknown;
}

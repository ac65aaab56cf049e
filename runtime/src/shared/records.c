#include "shared/records.h"

#include "shared/shared.h"
#include "shared/shared_table.h"

#include <stdio.h>
#include <stdlib.h>

struct trp_record trp_record_of_ledger(const struct trp_ledger *ledger)
{
    struct trp_record record = {
        .from = ledger->from,
        .to = ledger->to,
        .handled = trp_counted(&ledger->handled),
        .dead = trp_ledger_dead(ledger),
        .unknown = trp_counted(&ledger->unknown),
    };
    // What was moved is accepted a second time, by the receiver's own channel.
    uint64_t moved = trp_counted(&ledger->moved);
    record.accepted = trp_counted(&ledger->accepted) - moved;
    return record;
}

struct trp_record trp_record_of_slot(const struct trp_slot *slot)
{
    struct trp_record record = {
        .to = slot->id,
        .accepted = slot->mail_accepted,
        .handled = slot->mail_handled,
        .dead = slot->mail_dead,
        .unknown = slot->mail_unknown,
    };
    (void)snprintf(record.name, sizeof(record.name), "%s", slot->name);
    return record;
}

/** Keep a record. @threads holding shared memory's lock */
static void records_add(struct trp_record_list *list, const struct trp_record *record)
{
    if (list->entries == NULL) {
        list->entries = calloc(TRP_RECORD_COUNT_MAX + 1, sizeof(*list->entries));
        if (list->entries == NULL) {
            return; // the sums of the system are right without it
        }
    }
    if (list->count < TRP_RECORD_COUNT_MAX) {
        list->entries[list->count++] = *record;
        return;
    }
    struct trp_record *rest = &list->entries[TRP_RECORD_COUNT_MAX];
    rest->accepted += record->accepted;
    rest->handled += record->handled;
    rest->dead += record->dead;
    rest->unknown += record->unknown;
}

/** Record a closed ledger, add it to the sums, and free it. @threads holding shared memory's lock */
static void records_sweep_ledger(
    struct trp_shared *shared, struct trp_records *records, struct trp_ledger *ledger)
{
    const struct trp_record record = trp_record_of_ledger(ledger);
    records_add(&records->channels, &record);
    if (record.accepted != record.handled + record.dead + record.unknown) {
        records_add(&records->unbalanced, &record);
    }
    struct trp_slot *to = trp_shared_find_slot(shared, ledger->to);
    if (to != NULL) {
        to->mail_accepted += record.accepted;
        to->mail_handled += record.handled;
        to->mail_dead += record.dead;
        to->mail_unknown += record.unknown;
    }
    trp_sums_add_ledger(&shared->sums, ledger);
    trp_ledger_free(shared, ledger);
}

/** Record an executor that has ended, add it to the sums, and free its slot. @threads as above */
static void records_sweep_slot(
    struct trp_shared *shared, struct trp_records *records, struct trp_slot *slot)
{
    const struct trp_record record = trp_record_of_slot(slot);
    records_add(&records->executors, &record);
    trp_sums_add_slot(&shared->sums, slot);
    shared->sums.executors_ended++;
    trp_slot_free(shared, slot);
}

/** @return whether an executor has ended, and no ledger refers to its slot. @threads holding shared memory's lock */
static bool records_is_over(const struct trp_slot *slot)
{
    enum trp_slot_state state = trp_slot_state(slot);
    return (state == TRP_SLOT_ENDED || state == TRP_SLOT_DEAD) && slot->first_in == 0 &&
           atomic_load_explicit(&slot->out_open_count, memory_order_relaxed) == 0;
}

/** Sweep an executor if it is over. @threads as above */
static void records_try_slot(
    struct trp_shared *shared, struct trp_records *records, struct trp_slot *slot)
{
    if (slot != NULL && records_is_over(slot)) {
        records_sweep_slot(shared, records, slot);
    }
}

void trp_records_close_ledger(
    struct trp_shared *shared, struct trp_records *records, struct trp_ledger *ledger)
{
    trp_ledger_close(shared, ledger);
    if (records == NULL) {
        return;
    }
    trp_shared_lock(shared);
    // Unless another thread has swept it meanwhile.
    if (atomic_load_explicit(&ledger->state, memory_order_relaxed) == TRP_LEDGER_CLOSED) {
        uint32_t from = ledger->from;
        uint32_t to = ledger->to;
        records_sweep_ledger(shared, records, ledger);
        // It may have been what kept the slot of one of them, which has ended already.
        records_try_slot(shared, records, trp_shared_find_slot(shared, from));
        records_try_slot(shared, records, trp_shared_find_slot(shared, to));
    }
    trp_shared_unlock(shared);
}

void trp_records_end_slot(
    struct trp_shared *shared, struct trp_records *records, struct trp_slot *slot)
{
    trp_shared_lock(shared);
    atomic_store_explicit(&slot->state, TRP_SLOT_ENDED, memory_order_release);
    if (records != NULL) {
        records_try_slot(shared, records, slot);
    }
    trp_shared_unlock(shared);
}

void trp_records_sweep(struct trp_shared *shared, struct trp_records *records)
{
    if (records == NULL) {
        return;
    }
    trp_shared_lock(shared);
    uint32_t high = trp_shared_ledger_count(shared);
    for (uint32_t i = 0; i < high; i++) {
        struct trp_ledger *ledger = &shared->ledgers[i];
        if (atomic_load_explicit(&ledger->state, memory_order_acquire) == TRP_LEDGER_CLOSED) {
            records_sweep_ledger(shared, records, ledger);
        }
    }
    high = trp_shared_slot_count(shared);
    for (uint32_t i = 0; i < high; i++) {
        records_try_slot(shared, records, &shared->slots[i]);
    }
    trp_shared_unlock(shared);
}

void trp_records_fini(struct trp_records *records)
{
    free(records->executors.entries);
    free(records->channels.entries);
    free(records->unbalanced.entries);
    *records = (struct trp_records){0};
}

#include "shared/sums.h"

#include "shared/shared.h"
#include "shared/shared_table.h"

void trp_sums_add_ledger(struct trp_sums *sums, const struct trp_ledger *ledger)
{
    // Outcomes are read before `accepted`, so that never more are done than accepted.
    sums->handled += trp_counted(&ledger->handled);
    for (uint32_t i = 0; i < TROUPE_DEAD_REASON_COUNT; i++) {
        sums->dead_by_reason[i] += trp_counted(&ledger->dead[i]);
    }
    sums->unknown += trp_counted(&ledger->unknown);
    // What was moved is accepted a second time, by the receiver's own channel.
    uint64_t moved = trp_counted(&ledger->moved);
    sums->accepted += trp_counted(&ledger->accepted) - moved;
}

void trp_sums_add_slot(struct trp_sums *sums, const struct trp_slot *slot)
{
    const struct trp_counters *more = &slot->counters;
    struct trp_counters *counters = &sums->counters;
    counters->refused += trp_counted(&more->refused);
    counters->rooms += trp_counted(&more->rooms);
    counters->frames_sent += trp_counted(&more->frames_sent);
    counters->frames_received += trp_counted(&more->frames_received);
    counters->frames_undecodable += trp_counted(&more->frames_undecodable);
    counters->sequence_gaps += trp_counted(&more->sequence_gaps);
    counters->actors_started += trp_counted(&more->actors_started);
    counters->actors_failed += trp_counted(&more->actors_failed);
    counters->actors_ended += trp_counted(&more->actors_ended);
}

uint64_t trp_sums_done(const struct trp_sums *sums)
{
    uint64_t done = sums->handled + sums->unknown;
    for (uint32_t i = 0; i < TROUPE_DEAD_REASON_COUNT; i++) {
        done += sums->dead_by_reason[i];
    }
    return done;
}

void trp_sums_total(struct trp_shared *shared, struct trp_sums *out_sums)
{
    trp_shared_lock(shared);
    *out_sums = shared->sums;
    uint32_t high = trp_shared_ledger_count(shared);
    for (uint32_t i = 0; i < high; i++) {
        const struct trp_ledger *ledger = &shared->ledgers[i];
        if (atomic_load_explicit(&ledger->state, memory_order_acquire) != TRP_LEDGER_FREE) {
            trp_sums_add_ledger(out_sums, ledger);
        }
    }
    high = trp_shared_slot_count(shared);
    for (uint32_t i = 0; i < high; i++) {
        const struct trp_slot *slot = &shared->slots[i];
        enum trp_slot_state state = trp_slot_state(slot);
        if (state != TRP_SLOT_FREE) {
            trp_sums_add_slot(out_sums, slot);
            out_sums->executors_ended += state == TRP_SLOT_ENDED || state == TRP_SLOT_DEAD ? 1 : 0;
        }
    }
    trp_shared_unlock(shared);
}

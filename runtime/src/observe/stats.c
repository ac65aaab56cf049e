#include "troupe/stats.h"

#include "actor/executor.h"
#include "node/system.h"

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
    // What was moved is accepted a second time, by the receiver's own link.
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
    sums->ledger_gaps += trp_counted(&counters->ledger_gaps);
    sums->actors_started += trp_counted(&counters->actors_started);
    sums->actors_failed += trp_counted(&counters->actors_failed);
    sums->actors_ended += trp_counted(&counters->actors_ended);
}

/** Add a closed ledger to the sums, note what became of it, and free it. @threads holding the board's lock */
static void stats_fold_ledger(troupe_system_t *system, struct trp_ledger *ledger)
{
    struct trp_board *board = system->board;
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
    struct trp_seat *to = trp_board_find_seat(board, ledger->to);
    if (to != NULL) {
        to->mail_accepted += record.accepted;
        to->mail_handled += record.handled;
        to->mail_dead += record.dead;
        to->mail_unknown += record.unknown;
    }
    stats_add_ledger(ledger, &board->sums);
    trp_board_free_ledger(board, ledger);
}

/** Add the seat of an executor that is gone to the sums, and free it. @threads holding the board's lock */
static void stats_fold_seat(troupe_system_t *system, struct trp_seat *seat)
{
    struct trp_record record = {
        .to = seat->id,
        .accepted = seat->mail_accepted,
        .handled = seat->mail_handled,
        .dead = seat->mail_dead,
        .unknown = seat->mail_unknown,
    };
    (void)snprintf(record.name, sizeof(record.name), "%s", seat->name);
    trp_records_add(&system->executor_records, &record);
    stats_add_counters(&seat->counters, &system->board->sums.counters);
    system->board->sums.executors_ended++;
    trp_board_free_seat(seat);
}

void trp_system_close_ledger(troupe_system_t *system, struct trp_ledger *ledger)
{
    trp_board_close_ledger(system->board, ledger);
    if (trp_system_is_first(system)) {
        trp_board_lock(system->board);
        // Unless the warden came by and did it already.
        if (atomic_load_explicit(&ledger->state, memory_order_relaxed) == TRP_LEDGER_CLOSED) {
            stats_fold_ledger(system, ledger);
        }
        trp_board_unlock(system->board);
    }
}

void trp_system_sweep(troupe_system_t *system)
{
    struct trp_board *board = system->board;
    trp_board_lock(board);
    uint32_t high = atomic_load_explicit(&board->ledger_high, memory_order_acquire);
    for (uint32_t i = 0; i < high; i++) {
        struct trp_ledger *ledger = &board->ledgers[i];
        if (atomic_load_explicit(&ledger->state, memory_order_acquire) == TRP_LEDGER_CLOSED) {
            stats_fold_ledger(system, ledger);
        }
    }
    high = atomic_load_explicit(&board->seat_high, memory_order_acquire);
    for (uint32_t i = 0; i < high; i++) {
        struct trp_seat *seat = &board->seats[i];
        enum trp_seat_state state = trp_seat_state(seat);
        if ((state == TRP_SEAT_ENDED || state == TRP_SEAT_DEAD) && seat->first_in == 0 &&
            atomic_load_explicit(&seat->out_open_count, memory_order_relaxed) == 0) {
            stats_fold_seat(system, seat);
        }
    }
    trp_board_unlock(board);
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
        .ledger_gaps = sums->counters.ledger_gaps,
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
    struct trp_board *board = system->board;
    trp_board_lock(board);
    struct trp_sums sums = board->sums;
    uint32_t high = atomic_load_explicit(&board->ledger_high, memory_order_acquire);
    for (uint32_t i = 0; i < high; i++) {
        const struct trp_ledger *ledger = &board->ledgers[i];
        if (atomic_load_explicit(&ledger->state, memory_order_acquire) != TRP_LEDGER_FREE) {
            stats_add_ledger(ledger, &sums);
        }
    }
    high = atomic_load_explicit(&board->seat_high, memory_order_acquire);
    for (uint32_t i = 0; i < high; i++) {
        const struct trp_seat *seat = &board->seats[i];
        enum trp_seat_state state = trp_seat_state(seat);
        if (state != TRP_SEAT_FREE) {
            stats_add_counters(&seat->counters, &sums.counters);
            sums.executors_ended += state == TRP_SEAT_ENDED || state == TRP_SEAT_DEAD ? 1 : 0;
        }
    }
    trp_board_unlock(board);
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

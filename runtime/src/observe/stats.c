#include "observe/stats.h"

#include "shared/shared.h"
#include "shared/sums.h"

void trp_stats_take(struct trp_shared *shared, struct troupe_stats *out_stats)
{
    struct trp_sums sums;
    trp_sums_total(shared, &sums);
    *out_stats = (struct troupe_stats){
        .accepted = sums.accepted,
        .handled = sums.handled,
        .unknown = sums.unknown,
        .refused = sums.counters.refused,
        .rooms = sums.counters.rooms,
        .frames_sent = sums.counters.frames_sent,
        .frames_received = sums.counters.frames_received,
        .frames_undecodable = sums.counters.frames_undecodable,
        .sequence_gaps = sums.counters.sequence_gaps,
        .actors_started = sums.counters.actors_started,
        .actors_failed = sums.counters.actors_failed,
        .actors_ended = sums.counters.actors_ended,
        .executors_started = sums.executors_started,
        .executors_ended = sums.executors_ended,
    };
    for (uint32_t i = 0; i < TROUPE_DEAD_REASON_COUNT; i++) {
        out_stats->dead_by_reason[i] = sums.dead_by_reason[i];
        out_stats->dead += sums.dead_by_reason[i];
    }
    uint64_t done = trp_sums_done(&sums);
    out_stats->waiting = sums.accepted > done ? sums.accepted - done : 0;
}

/**
 * @file stats.h
 * @brief The sums of a system, as users see them.
 */
#ifndef TRP_STATS_H
#define TRP_STATS_H

#include "troupe/stats.h"

struct trp_shared;

/** Take the counters of all processes, as troupe_system_stats(). @threads any */
void trp_stats_take(struct trp_shared *shared, struct troupe_stats *out_stats);

#endif

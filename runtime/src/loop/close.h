/**
 * @file close.h
 * @brief The end of an executor: its actors, its peers, its channels.
 */
#ifndef TRP_CLOSE_H
#define TRP_CLOSE_H

#include "actor/executor.h"

/** Stop the actors in reverse order of their start. */
void trp_executor_stop_actors(struct troupe_executor *executor);

/**
 * Close: take no new channels, have the peers finish theirs, make dead letters of what still comes, and finish the
 * own ones.
 *
 * @param deadline_ns  By the monotonic clock; UINT64_MAX: no deadline.
 * @return             false when peers did not finish in time.
 */
bool trp_executor_close(struct troupe_executor *executor, uint64_t deadline_ns);

/** Take no new channels, and ask every peer that has one to here to finish it. */
void trp_executor_request_close(struct troupe_executor *executor);

/** @return whether the FIN of some peer is still to come. */
bool trp_executor_has_peers(struct troupe_executor *executor);

/** Make dead letters of what is left, and finish the executor's channels. */
void trp_executor_finish(struct troupe_executor *executor);

#endif

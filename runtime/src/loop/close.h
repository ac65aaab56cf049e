/**
 * @file close.h
 * @brief The end of an executor: of its actors, and of the channels from and to its peers.
 */
#ifndef TRP_CLOSE_H
#define TRP_CLOSE_H

#include "actor/executor.h"

/** End the actors in reverse order of their start, and report the exit of the executor. */
void trp_executor_stop_actors(struct troupe_executor *executor);

/**
 * Close: accept no new channels, have the peers finish theirs, make dead letters of what still arrives, and finish the
 * channels of its own.
 *
 * @param deadline_ns  By the monotonic clock; UINT64_MAX: no deadline.
 * @return             false when peers did not finish in time.
 */
bool trp_executor_close(struct troupe_executor *executor, uint64_t deadline_ns);

/** Accept no new channels, and ask each peer that sends here to finish its channel. */
void trp_executor_request_close(struct troupe_executor *executor);

/** @return whether the FIN of some peer is still to come. */
bool trp_executor_has_peers(struct troupe_executor *executor);

/** Make dead letters of what is left, and send a FIN on each channel of the executor. */
void trp_executor_finish(struct troupe_executor *executor);

#endif

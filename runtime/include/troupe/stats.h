/**
 * @file troupe/stats.h
 * @brief Counters, and the law they obey.
 *
 *     accepted = handled + dead + unknown + waiting
 *
 * for each executor's mailbox and for the system. User messages, replies and messages of timers are
 * counted; notices and commands are not. While the system runs, the parts are read one after the
 * other, so `waiting` can be ahead by what moved meanwhile; once it stopped, they are exact.
 */
#ifndef TROUPE_STATS_H
#define TROUPE_STATS_H

#include "troupe/message.h"

#include <stdint.h>

/** What became of messages, and what else happened. All counts from the start. */
struct troupe_stats {
    uint64_t accepted; /**< Sends that returned ::TROUPE_OK, and timers that fired. */
    uint64_t handled;  /**< Met by a behaviour. */
    uint64_t dead;     /**< Dead letters of all reasons. */
    uint64_t unknown;  /**< In the hands of a peer that died. */
    uint64_t waiting;  /**< On their way. */
    uint64_t
        dead_by_reason[TROUPE_DEAD_REASON_COUNT]; /**< By ::troupe_dead_reason; sums to dead. */
    uint64_t refused;            /**< Sends that returned ::TROUPE_ERR_FULL; not accepted. */
    uint64_t rooms;              /**< ROOM notices that answered them. */
    uint64_t frames_sent;        /**< ZeroMQ messages that carried all this. */
    uint64_t frames_received;    /**< Of them, those that arrived. */
    uint64_t frames_undecodable; /**< Of them, those that were damaged or not for us. */
    uint64_t sequence_gaps;      /**< Links whose two ends disagreed at their end. Always 0. */
    uint64_t actors_started;     /**< Actors whose `init` succeeded. */
    uint64_t actors_failed;      /**< Actors whose `init` failed. */
    uint64_t actors_ended;       /**< Actors that ended after a start. */
    uint64_t executors_started;  /**< Executors, ports among them. */
    uint64_t executors_ended;    /**< Of them, those that are gone. */
};

#endif

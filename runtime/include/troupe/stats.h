/**
 * @file troupe/stats.h
 * @brief Counters of a system, and how they balance:
 *
 *     accepted = handled + dead + unknown + waiting
 *
 * This holds for each executor's mailbox and for the system. Messages, replies and messages of timers are counted;
 * notices and commands are not. While the system runs, the counters are read one after the other, so `waiting` may
 * include messages that were handled meanwhile; once it has ended, all of them are exact.
 */
#ifndef TROUPE_STATS_H
#define TROUPE_STATS_H

#include "troupe/message.h"

#include <stdint.h>

/** What became of messages, and what else happened, all from the start of the system on. */
struct troupe_stats {
    uint64_t accepted; /**< Sends that returned ::TROUPE_OK, and timers that fired. */
    uint64_t handled;  /**< Messages that a behaviour has received. */
    uint64_t dead;     /**< Dead letters of all reasons. */
    uint64_t unknown;  /**< Messages that a process was handling when it died. */
    uint64_t waiting; /**< Messages without an outcome yet: in a mailbox, or on their way to one. */
    uint64_t
        dead_by_reason[TROUPE_DEAD_REASON_COUNT]; /**< By ::troupe_dead_reason; sums to dead. */
    uint64_t refused;            /**< Sends that returned ::TROUPE_ERR_FULL; not accepted. */
    uint64_t rooms;              /**< ROOM notices that followed them. */
    uint64_t frames_sent;        /**< ZeroMQ messages that carried all of this. */
    uint64_t frames_received;    /**< Of them, those that arrived. */
    uint64_t frames_undecodable; /**< Of them, those that were damaged or of another system. */
    uint64_t sequence_gaps;      /**< Channels whose two ends counted differently. Always 0. */
    uint64_t actors_started;     /**< Actors whose `init` succeeded. */
    uint64_t actors_failed;      /**< Actors whose `init` failed. */
    uint64_t actors_ended;       /**< Actors that ended after a start. */
    uint64_t executors_started;  /**< Executors, inboxes among them. */
    uint64_t executors_ended;    /**< Of them, those that have ended. */
};

#endif

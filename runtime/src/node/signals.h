/**
 * @file signals.h
 * @brief Signals of the first process, sent as notices to the actors that subscribed to them.
 *
 *     kernel --signalfd--> process manager --queue--> executor 0 --notices--> subscribers
 *
 * A signalfd gets only what every thread blocks. So an actor can subscribe only to signals that the owner's
 * thread blocked when it made the system, which is before the runtime has threads.
 */
#ifndef TRP_SIGNALS_H
#define TRP_SIGNALS_H

#include "node/system.h"

struct trp_signals;

/**
 * Block the signals of a list, and note which ones the calling thread blocks.
 *
 * @param list  Ended by 0. May be NULL.
 * @retval TROUPE_ERR_INVAL  one of them cannot be a message.
 */
enum troupe_err trp_signals_begin(troupe_system_t *system, const int *list);

/** Read the signals that actors are subscribed to now. @threads any, of the first process */
void trp_signals_refresh(troupe_system_t *system);

/** Send the signals that were read to their subscribers, if this is executor 0 of the first process. */
void trp_signals_deliver(struct troupe_executor *executor);

/** Remove all subscriptions of an actor. @threads any */
void trp_signals_forget(troupe_system_t *system, troupe_ref_t subscriber);

/** Remove the subscriptions of the actors of a process. @threads holding shared memory's lock */
void trp_signals_remove_process(struct trp_shared *shared, uint32_t node);

/** Free what was made. Does nothing when it is NULL. */
void trp_signals_free(struct trp_signals *signals);

#endif

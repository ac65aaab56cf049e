/**
 * @file signals.h
 * @brief Signals of the process that made a system, as notices to the actors that asked for them.
 *
 *     kernel --signalfd--> process manager --queue--> executor 0 --notices--> subscribers
 *
 * A signalfd only gets what every thread blocks; so only those can be asked for that the owner's thread
 * blocked when it made the system, which is before there are others of ours.
 */
#ifndef TRP_SIGNALS_H
#define TRP_SIGNALS_H

#include "shared/shared.h"

#include <stdbool.h>

struct troupe_executor;
struct troupe_system;
struct trp_signals;

/**
 * Block the signals of a list that 0 ends, and note which the calling thread blocks.
 *
 * @param list  May be NULL.
 * @return      ::TROUPE_ERR_INVAL when one of them cannot be a message.
 */
enum troupe_err trp_signals_begin(struct troupe_system *system, const int *list);

/** Have those read that somebody asks for. @threads any, of the first process */
void trp_signals_refresh(struct troupe_system *system);

/** Read what came by @p fd. @return false: it is another's. @threads the process manager's */
bool trp_signals_read(struct troupe_system *system, int fd);

/** Tell the subscribers what was read, if this is executor 0 of the first process. */
void trp_signals_notify(struct troupe_executor *executor);

/** Take a subscriber off the list. @threads any */
void trp_signals_forget(struct troupe_system *system, troupe_ref_t subscriber);

/** Free what was made. Does nothing when it is NULL. */
void trp_signals_free(struct trp_signals *signals);

#endif

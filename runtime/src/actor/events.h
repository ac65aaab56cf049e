/**
 * @file events.h
 * @brief What channels report, carried out for the executor that owns them.
 */
#ifndef TRP_ACTOR_EVENTS_H
#define TRP_ACTOR_EVENTS_H

#include "channel/events.h"

extern const struct trp_channel_events trp_executor_events;

#endif

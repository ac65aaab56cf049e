/**
 * @file channel_events.h
 * @brief The table of struct trp_channel_events for the channels of an executor.
 */
#ifndef TRP_ACTOR_CHANNEL_EVENTS_H
#define TRP_ACTOR_CHANNEL_EVENTS_H

#include "channel/events.h"

/** Carries out what channels report. */
extern const struct trp_channel_events trp_executor_events;

#endif

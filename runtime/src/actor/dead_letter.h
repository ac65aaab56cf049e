/**
 * @file dead_letter.h
 * @brief Dead letters: messages that no actor will handle. Each is counted, logged, and reported to subscribers.
 */
#ifndef TRP_DEAD_LETTER_H
#define TRP_DEAD_LETTER_H

#include "actor/executor.h"
#include "channel/events.h"

/** Count a dead letter, log it, notify the subscribers, and fail its ask. */
void trp_dead_letter(struct troupe_executor *executor, const struct trp_dead *dead);

/** Make dead letters of the last @p count messages of an item, and return their credit. */
void trp_dead_letter_item(
    struct troupe_executor *executor,
    struct trp_channel *channel,
    const struct trp_item *item,
    uint32_t count,
    enum troupe_dead_reason reason);

/** Fail an ask: send the actor that asked a notice of why there will be no reply. */
void trp_dead_letter_fail_ask(struct troupe_executor *executor, const struct trp_dead *dead);

/** Set the error detail: why an ask failed. @return the error that it failed with. */
enum troupe_err trp_ask_explain(enum troupe_err err, const struct trp_ask_failure *failure);

#endif

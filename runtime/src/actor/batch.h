/**
 * @file batch.h
 * @brief Batches: messages that follow each other in a frame, handled in one call.
 *
 *     frame    [a1][a2][b1][ask a][a3] ...      a, b: actors of one behaviour that takes batches
 *     calls    receive_batch(a1 a2 b1), receive(ask), ...
 *
 * A batch looks ahead in its frame and not beyond it, and takes messages in order up to the first one that cannot be
 * part of it. So messages are handled in the order in which single calls would handle them.
 */
#ifndef TRP_BATCH_H
#define TRP_BATCH_H

#include "actor/executor.h"

/**
 * Deliver an item, and what follows it, in batches.
 *
 * @param cursor   Behind @p item; advances behind what was delivered.
 * @param item     Becomes the rest, which is to be delivered singly.
 * @param counted  Grows by the counted messages that were taken from @p cursor.
 * @return         whether there is no rest.
 */
bool trp_batch_deliver(
    struct troupe_executor *executor,
    struct trp_channel *channel,
    struct trp_cursor *cursor,
    struct trp_item *item,
    uint64_t *counted);

#endif

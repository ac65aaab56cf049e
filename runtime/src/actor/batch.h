/**
 * @file batch.h
 * @brief Messages that lie one behind the other in a frame, handed over in one call.
 *
 *     frame    [a1][a2][b1][ask a][a3] ...      a, b: actors of one behaviour that takes batches
 *     calls    receive_batch(a1 a2 b1), receive(ask), ...
 *
 * A batch looks ahead in its frame and not beyond, and holds nothing back: what cannot be in it is met
 * after it, as it lies. So the order is the one in which single messages would be met.
 */
#ifndef TRP_BATCH_H
#define TRP_BATCH_H

#include "actor/executor.h"

/**
 * Meet an item, and what follows it, in batches.
 *
 * @param cursor   Behind @p item; goes behind what was met as well.
 * @param item     Becomes what is left of it.
 * @param counted  Grows by the counted messages that were taken from @p cursor.
 * @return         whether nothing is left: else it is to be met singly.
 */
bool trp_batch_deliver(
    struct troupe_executor *executor,
    struct trp_channel *channel,
    struct trp_cursor *cursor,
    struct trp_item *item,
    uint64_t *counted);

#endif

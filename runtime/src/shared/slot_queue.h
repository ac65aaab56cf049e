/**
 * @file slot_queue.h
 * @brief The queue of free slots: which slot the next executor gets, and its id. All with shared memory's lock held.
 *
 *     id = place of the slot + 65,536 times how many executors had that slot before
 */
#ifndef TRP_SLOT_QUEUE_H
#define TRP_SLOT_QUEUE_H

#include <stdint.h>

struct trp_shared;
struct trp_slot;

/** Take a free slot, one that was never used if few are free. @return NULL: there is none */
struct trp_slot *trp_slot_dequeue(struct trp_shared *shared, uint32_t *out_id);

/** Append a slot that is free, unless no id is left for its next executor. */
void trp_slot_enqueue(struct trp_shared *shared, struct trp_slot *slot);

/** Put the queue together again, after a process died that may have been changing it. */
void trp_slot_repair_queue(struct trp_shared *shared);

#endif

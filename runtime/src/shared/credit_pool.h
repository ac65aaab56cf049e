/**
 * @file credit_pool.h
 * @brief The credit that an executor's mailbox has to give, in messages and in bytes of bodies.
 *
 *     pool --take--> channel --a message is sent and handled--> give --> pool
 *
 * A channel takes credit before it sends, and the receiver returns it once the message is handled. The credit
 * in the pool and with the channels adds up to the mailbox's bound, so never more messages wait than that.
 *
 * The pool lies in the executor's slot. Threads of its process take from it directly; an executor of another
 * process is granted credit by a command.
 */
#ifndef TRP_CREDIT_POOL_H
#define TRP_CREDIT_POOL_H

#include "base/cache_line.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/** Messages that a new channel may send, each on credit from the reserve, while the mailbox is full. */
#define TRP_PROVISIONAL_MESSAGES 16

/** The reserve, in messages. */
#define TRP_RESERVE_MESSAGES 256

/** Largest body that such a message may carry, in bytes. */
#define TRP_PROVISIONAL_BYTES_MAX 4096

/** Credit of one executor. Any thread may change what is atomic. */
struct trp_credit_pool {
    alignas(TRP_CACHE_LINE) _Atomic int64_t free_messages;
    _Atomic int64_t free_bytes;
    _Atomic int32_t reserve_messages;
    _Atomic int32_t
        waiting_count;      // channels that wait for credit; above 0, credit goes to them first
    int64_t bound_messages; // const after trp_credit_pool_init()
    int64_t bound_bytes;    // as above
};

/** Set up a pool with all its credit free. */
void trp_credit_pool_init(
    struct trp_credit_pool *pool, int64_t bound_messages, int64_t bound_bytes);

/**
 * Take up to @p wish of one sort of credit, and at least @p need, for a channel that has @p held already.
 *
 * Afterwards a channel may have at most twice what is still free (the dynamic threshold of A. Choudhury and
 * E. Hahne, "Dynamic Queue Length Thresholds for Shared-Memory Packet Switches", 1998): a lone sender gets
 * two thirds, n senders get 2/(2n+1) each. A channel that has none gets its need whenever that much is free.
 *
 * @param free  `free_messages` or `free_bytes` of a pool.
 * @return      how much was taken; 0: the need could not be met.
 */
int64_t trp_credit_pool_take(_Atomic int64_t *free, int64_t held, int64_t need, int64_t wish);

/** Take one message from the reserve. @return false: it is used up. */
bool trp_credit_pool_take_reserve(struct trp_credit_pool *pool);

/** Return credit. */
void trp_credit_pool_give(struct trp_credit_pool *pool, int64_t messages, int64_t bytes);

#endif

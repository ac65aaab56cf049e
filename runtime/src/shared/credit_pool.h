/**
 * @file gate.h
 * @brief What peers touch of an executor: its doorbell and its free credit.
 *
 * Credit is counted in messages and in bytes of bodies. What is free is here; what a channel took is the
 * channel's until the receiver has handled it and gives it back. So never more waits than the bound.
 */
#ifndef TRP_CREDIT_POOL_H
#define TRP_CREDIT_POOL_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/** New channels that meet a full mailbox may send this many messages each, from a reserve. */
#define TRP_PROVISIONAL_MESSAGES 16

/** The reserve, in messages. */
#define TRP_RESERVE_MESSAGES 256

/** Largest body that a provisional message may carry, in bytes. */
#define TRP_PROVISIONAL_BYTES_MAX 4096

enum { TRP_CACHE_LINE = 64 };

/** Who sleeps at a doorbell. */
enum trp_sleeper {
    TRP_SLEEPER_NONE = 0,
    TRP_SLEEPER_ASLEEP = 1,
    TRP_SLEEPER_CALLED = 2, // is to look around before it sleeps again
};

struct trp_gate {
    /** Frames sent to this executor. A hint: rung after the send, it carries nothing. */
    alignas(TRP_CACHE_LINE) _Atomic uint64_t bell;

    /** Of them, commands: they are met before any mail that is received after this was counted. */
    _Atomic uint64_t command_bell;

    /** Whether the executor sleeps at its doorbell, an enum trp_sleeper; a futex of its process. */
    _Atomic uint32_t sleeper;

    alignas(TRP_CACHE_LINE) _Atomic int64_t free_messages;
    _Atomic int64_t free_bytes;
    _Atomic int32_t reserve_messages;
    _Atomic int32_t waiting_count; // channels that wait for credit, so who gives some back rings
    int64_t bound_messages;        // const after trp_gate_init()
    int64_t bound_bytes;           // as above
};

/** Open the gate with all its credit free. */
void trp_gate_init(struct trp_gate *gate, int64_t bound_messages, int64_t bound_bytes);

/**
 * Take from @p free up to @p wish, at least @p need, for a channel that holds @p held.
 *
 * A channel may hold at most twice what is free after it took (the dynamic threshold of A. Choudhury and
 * E. Hahne, "Dynamic Queue Length Thresholds for Shared-Memory Packet Switches", 1998): a lone sender
 * gets two thirds, n senders get 2/(2n+1) each. One that holds nothing gets its need if it is free.
 *
 * @return how much was taken; 0: not even the need.
 */
int64_t trp_gate_take(_Atomic int64_t *free, int64_t stash, int64_t need, int64_t wish);

/** Take one message from the reserve. @return false: it is spent. */
bool trp_gate_take_reserve(struct trp_gate *gate);

/** Give credit back. */
void trp_gate_give(struct trp_gate *gate, int64_t messages, int64_t bytes);

/**
 * Sleep until the bell counts more than @p heard, the executor is called, or @p timeout_ns pass.
 *
 * @return  false: the time has passed.
 * @threads the executor's own
 */
bool trp_gate_sleep(struct trp_gate *gate, uint64_t heard, uint64_t timeout_ns);

/** Wake the executor if it sleeps at its doorbell. @threads any of its process */
void trp_gate_wake(struct trp_gate *gate);

/** Call the executor, which does not ring. @return false: it did not sleep here. @threads as above */
bool trp_gate_call(struct trp_gate *gate);

#endif

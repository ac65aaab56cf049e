/**
 * @file executor.h
 * @brief A serial executor: one thread of control, one mailbox, one world of actors.
 *
 *     turn:  receive --> timers --> run --> settle --> flush
 *
 * One loop for every backend. Everything here is the executor's own thread's, except where a field
 * says who else comes to it.
 */
#ifndef TRP_EXECUTOR_H
#define TRP_EXECUTOR_H

#include "actor/actor_table.h"
#include "actor/asks.h"
#include "actor/monitor_table.h"
#include "actor/runtime.h"
#include "base/idmap.h"
#include "base/memory.h"
#include "base/message.h"
#include "base/timer_heap.h"
#include "channel/channel.h"
#include "channel/channels.h"
#include "channel/mailbox.h"
#include "shared/credit_pool.h"
#include "shared/shared.h"
#include "troupe/backend.h"
#include "troupe/context.h"
#include "troupe/stats.h"
#include "troupe/system.h"
#include "wire/frame_pool.h"
#include "wire/frame_read.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/** What callbacks hold: the executor, and whose callback it is. */
struct troupe_context {
    struct trp_actor *actor; // NULL: none runs
    uint64_t actor_key;      // its row and generation, as trp_actor_key(); 0: none runs
    struct troupe_exit exit; // how the running actor asked to end
    struct troupe_reply_to
        unanswered; // the ask that the callback meets, and has not answered; ask 0: none
};

/** An actor that another of the same executor asked to stop. */
struct trp_stop {
    uint32_t index;
    uint32_t generation;
    enum troupe_exit_reason reason; // shutdown, or killed
};

/** Why an executor runs no loop, or how. */
enum trp_executor_mode {
    TRP_MODE_LOOP,   // a backend calls trp_executor_run()
    TRP_MODE_CALLER, // executor 0: turns on the owner's thread
    TRP_MODE_INBOX,  // no actors: a foreign thread sends and receives
};

struct troupe_executor {
    struct troupe_context context; // first: a context is its executor
    struct trp_runtime *runtime;
    uint32_t node; // this and the next as in a reference
    uint32_t id;
    enum trp_executor_mode mode;
    char *name;
    pthread_t owner; // whose thread it is, from the start of its loop
    uint64_t random_state;
    uint32_t spawned_behaviour; // which of the system's was spawned last from here

    struct trp_slot *slot; // in shared memory: what other executors and processes know of it
    struct trp_counters *counters; // its slot's
    int wake_fd; // an eventfd that ends its sleep; anyone writes to it, holding the system's lock
    struct trp_mailbox mailbox;
    struct trp_actor_table actors; // its reservations: any thread's
    struct trp_timer_heap timers;
    struct trp_asks asks;
    struct trp_monitor_table monitors;

    struct trp_channels channels;
    uint64_t swept_ns;      // when unspent credit was last looked for
    uint64_t timers_cycles; // when timers were last looked at
    uint32_t timers_stride; // turns from one look at the timers to the next, while busy
    uint32_t timers_turns;  // of them, those to come
    uint32_t turn_count;
    uint32_t activity_count; // callbacks, as `doing` on the slot numbers them
    uint32_t callback_count; // for looking at the cycle counter now and then

    uint64_t handled_limit; // a turn ends between frames when so many were handled; UINT64_MAX: no
    uint64_t turn_deadline_ns; // or at this time; 0: no

    bool is_looping; // trp_executor_run() runs it
    bool in_turn;    // else what is sent to others leaves at once
    bool dedicated;  // ends with its only actor

    _Atomic bool attention; // some receiver asked for its channel to be finished. Any thread's
    uint64_t handled_count; // messages, for the budget of a turn
    int listener_fd;        // where it is to listen from the next turn on; -1: nowhere

    uint32_t stash_count; // messages that wait for their actors' STARTs, or are deferred
    struct trp_stash_entry *replayed; // the deferred one that is met now
    struct trp_stop *stops;           // local actors to stop once the running callback returns
    uint32_t stop_count;
    uint32_t stop_capacity;

    struct troupe_inbox *inbox; // of a inbox; see inbox.c
    struct trp_batch *batch;    // that a callback meets; NULL: none. See batch.c

    const struct troupe_backend_ops *ops; // NULL: neither loop nor backend
    void *backend_self;
    void *handle;
    struct troupe_executor *next_finished; // guarded by the system's lock
};

/** @return the row of the running actor. */
static inline uint32_t trp_context_index(const troupe_context_t *ctx)
{
    return (uint32_t)ctx->actor_key;
}

/** @return the executor of a context. */
static inline struct troupe_executor *trp_executor_of(troupe_context_t *ctx)
{
    return (struct troupe_executor *)(void *)ctx;
}

/** Remember that the only actor of an executor could not start. @threads any */
void trp_executor_note_failed(struct troupe_executor *executor);

/** Remember how the only actor of an executor ended. @threads the executor's */
void trp_executor_note_exit(struct troupe_executor *executor, const struct troupe_exit *exit);

/** Wake an executor, now or from the sleep that it is about to begin. @threads any, holding the runtime's `lock` */
void trp_executor_wake(struct troupe_executor *executor);

/** @return the time in nanoseconds, by the system's clock. */
uint64_t trp_executor_now(const struct troupe_executor *executor);

/** @return when the messages of an item expire, by the system's clock; UINT64_MAX: never. */
uint64_t trp_item_expiry(const struct troupe_executor *executor, const struct trp_item *item);

/** Set the error detail: the context is used on a thread that does not own it. */
enum troupe_err trp_explain_thread(const struct troupe_executor *executor);

/** @return TROUPE_OK on the context's own thread; checked in debug builds only. */
static inline enum troupe_err trp_check_thread(const troupe_context_t *ctx)
{
#ifdef TROUPE_DCHECK_ENABLED
    const struct troupe_executor *executor = (const struct troupe_executor *)(const void *)ctx;
    if (!pthread_equal(executor->owner, pthread_self())) {
        return trp_explain_thread(executor);
    }
#else
    (void)ctx;
#endif
    return TROUPE_OK;
}

/** @return the reference of the actor in a row. */
static inline troupe_ref_t trp_actor_ref(
    const struct troupe_executor *executor, uint32_t index, uint32_t generation)
{
    return (troupe_ref_t){executor->node, executor->id, index, generation};
}

#endif

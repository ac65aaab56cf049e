/**
 * @file executor.h
 * @brief A serial executor: one thread of control, one mailbox, any number of actors.
 *
 * The struct is the state that all of actor/, loop/ and api/ share. Only the executor's own thread uses it, except
 * for fields that say otherwise.
 */
#ifndef TRP_EXECUTOR_H
#define TRP_EXECUTOR_H

#include "actor/actor_table.h"
#include "actor/asks.h"
#include "actor/forked.h"
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

/** Handle that callbacks get: the executor, and the actor whose callback runs. */
struct troupe_context {
    struct trp_actor *actor; // NULL: no callback runs
    uint64_t actor_key;      // its row and generation, as trp_actor_key(); 0: no callback runs
    struct troupe_exit exit; // how the actor asked to end, while it is STOPPING
    struct troupe_reply_to
        unanswered; // the ask that the callback handles and has not replied to; ask 0: none
};

/** An actor that a callback of the same executor asked to stop. */
struct trp_stop {
    uint32_t index;
    uint32_t generation;
    enum troupe_exit_reason reason; // `shutdown` or `killed`
};

/** How an executor runs. */
enum trp_executor_mode {
    TRP_MODE_LOOP,   // a backend runs its loop
    TRP_MODE_CALLER, // executor 0: troupe_system_run() or _progress(), on the owner's thread
    TRP_MODE_INBOX,  // it has no actors: a foreign thread sends and receives
    TRP_MODE_ENDED,  // executor 0 once the system has ended
};

struct troupe_executor {
    struct troupe_context context; // first, so that a context is also its executor
    struct trp_runtime *runtime;
    uint32_t node; // this and `id` as in a reference
    uint32_t id;
    enum trp_executor_mode mode;
    char *name;
    pthread_t owner; // its thread, from the start of its loop on
    uint64_t random_state;
    uint32_t spawned_behaviour; // index of the behaviour that was last spawned from here

    struct trp_slot *slot; // in shared memory: what other executors and processes know of it
    struct trp_counters *counters; // of its slot
    int wake_fd; // an eventfd that ends its sleep; any thread that holds the runtime's lock writes to it
    struct trp_mailbox mailbox;
    struct trp_actor_table actors; // any thread reserves rows in it
    struct trp_timer_heap timers;
    struct trp_actor_timer **timer_lists; // of each row's actor: see trp_actor_timers_drop()
    uint32_t timer_list_count;
    struct trp_asks asks;
    struct trp_monitor_table monitors;

    struct trp_channels channels;
    uint64_t swept_ns;      // when unspent credit was last returned
    uint64_t timers_cycles; // when timers were last checked
    uint32_t timers_stride; // turns from one check of the timers to the next, while busy
    uint32_t timers_turns;  // of those, the turns that are left
    uint32_t turn_count;
    uint32_t activity_count; // callbacks, as `callback` of the slot numbers them
    uint32_t callback_count; // callbacks, for reading the cycle counter at every 16th

    uint64_t
        handled_limit; // a turn ends behind the frame with which handled_count reaches it; UINT64_MAX: none
    uint64_t turn_deadline_ns; // a turn ends behind a frame at this time; 0: none

    bool is_looping; // a backend runs its loop
    bool in_turn;    // sends wait for the flush at its end; else they leave at once
    bool dedicated;  // it ends with its only actor

    _Atomic bool
        attention; // set by any thread: a flag in shared memory, or a signal, is to be handled
    uint64_t handled_count; // messages, for handled_limit
    int listener_fd; // guarded by the runtime's lock: to listen on from its next turn on; -1: none

    uint32_t stash_count; // entries in the stashes of all actors
    struct trp_stash_entry *
        replayed; // the entry that is being delivered from a stash, while it was deferred; else NULL
    struct trp_stop *stops; // actors to stop once the running callback has returned
    uint32_t stop_count;
    uint32_t stop_capacity;

    struct troupe_inbox *inbox; // of an inbox; else NULL
    struct trp_batch *batch;    // of the running receive_batch; else NULL

    const struct troupe_backend_ops *ops; // of its backend; NULL: it has none
    void *backend_self;
    void *handle;
    struct troupe_executor
        *next_finished; // guarded by the runtime's lock: executors that are to be joined
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

/** Record in the slot that the only actor of an executor could not start. @threads any */
void trp_executor_note_failed(struct troupe_executor *executor);

/** Record in the slot how the only actor of an executor ended. @threads the executor's */
void trp_executor_note_exit(struct troupe_executor *executor, const struct troupe_exit *exit);

/** Wake an executor, now or from the sleep that it is about to begin. @threads any, holding the runtime's `lock` */
void trp_executor_wake(struct troupe_executor *executor);

/** @return the time in nanoseconds, by the clock of the system. */
uint64_t trp_executor_now(const struct troupe_executor *executor);

/** @return when the messages of an item expire, by the clock of the system; UINT64_MAX: never. */
uint64_t trp_item_expiry(const struct troupe_executor *executor, const struct trp_item *item);

/** Set the error detail: the context is used on another thread. @return TROUPE_ERR_THREAD */
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

/** Set the error detail: the system has ended. @return TROUPE_ERR_CLOSED */
enum troupe_err trp_explain_ended(void);

/** @return TROUPE_OK on the context's own thread, as long as the system has not ended, and in no copy of its process. */
static inline enum troupe_err trp_check_context(const troupe_context_t *ctx)
{
    const struct troupe_executor *executor = (const struct troupe_executor *)(const void *)ctx;
    if (TRP_UNLIKELY(executor->mode == TRP_MODE_ENDED)) {
        return trp_explain_ended();
    }
    return TRP_UNLIKELY(executor->runtime->pid != trp_forked_pid) ? trp_forked_explain()
                                                                  : trp_check_thread(ctx);
}

/** @return the reference of the actor in a row. */
static inline troupe_ref_t trp_actor_ref(
    const struct troupe_executor *executor, uint32_t index, uint32_t generation)
{
    return (troupe_ref_t){executor->node, executor->id, index, generation};
}

#endif

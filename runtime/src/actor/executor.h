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
#include "wire/frame.h"
#include "wire/frame_pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/** What callbacks hold: the executor, and whose callback it is. */
struct troupe_context {
    struct trp_actor *actor; // NULL: none runs
    uint64_t place;          // its row and generation, as trp_actor_key(); 0: none runs
    struct troupe_exit exit; // how the running actor asked to end
    struct troupe_reply_to
        behalf; // the ask that the callback meets, and has not answered; ask 0: none
};

/** An actor that another of the same executor asked to stop. */
struct trp_stop {
    uint32_t index;
    uint32_t generation;
    enum troupe_exit_reason reason; // shutdown, or killed
};

/** Why an executor runs no loop, or how. */
enum trp_executor_mode {
    TRP_MODE_LOOP,   // a backend runs its loop
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

    bool is_looping; // a backend runs its loop
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
    return (uint32_t)ctx->place;
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

/** What channels report, carried out for the executor that owns them. */
extern const struct trp_channel_events trp_executor_events;

/**
 * Make an executor with its mailbox, known to nobody yet.
 *
 * @param name  Copied.
 */
enum troupe_err trp_executor_new(
    struct trp_runtime *runtime,
    struct trp_slot *slot,
    enum trp_executor_mode mode,
    const char *name,
    struct troupe_executor **out_executor);

/** End an executor of an actor's own when that has ended, and nothing else runs in its process. */
void trp_executor_end_if_done(struct troupe_executor *executor);

/** Listen where this process made it a listener; from then on others reach it. */
void trp_executor_listen(struct troupe_executor *executor);

/** Do what the flags of the executor ask for, and settle with peers whose processes have exited. */
void trp_executor_handle_flags(struct troupe_executor *executor);

/** Claim what was sent here by processes that died. */
void trp_executor_claim_all(struct troupe_executor *executor);

/** Free an executor that runs no more, or never ran, and set *executor_p to NULL. */
void trp_executor_free(struct troupe_executor **executor_p);

/** Do what is at hand. @return whether something was. */
bool trp_executor_turn(struct troupe_executor *executor);

/** @return whether there is something at hand. */
bool trp_executor_has_work(struct troupe_executor *executor);

/**
 * Get ready to be idle: feed the waiting, and give back credit that lay unspent for 10 ms.
 *
 * @return how long the executor may sleep before it does that again; UINT64_MAX: for ever.
 */
uint64_t trp_executor_prepare_idle(struct troupe_executor *executor);

/** End the sleep of an executor, or the one it is about to begin. @threads any, holding the system's lock */
void trp_executor_wake(struct troupe_executor *executor);

/** Wait until something is at hand, at most @p timeout_ns. */
void trp_executor_wait(struct troupe_executor *executor, uint64_t timeout_ns);

/** @return nanoseconds until the next timer, UINT64_MAX when none runs. */
uint64_t trp_executor_timeout_ns(const struct troupe_executor *executor);

/** Stop the actors in reverse order of their start. */
void trp_executor_stop_actors(struct troupe_executor *executor);

/**
 * Leave: take no new channels, have the peers finish theirs, make dead letters of what still comes,
 * finish the own ones.
 *
 * @param deadline_ns  By the monotonic clock; UINT64_MAX: as long as it takes.
 * @return             false when peers did not finish in time.
 */
bool trp_executor_close(struct troupe_executor *executor, uint64_t deadline_ns);

/** Take no new channels, and ask everybody who has one to here to finish it. */
void trp_executor_request_close(struct troupe_executor *executor);

/** @return whether some peer's FIN is still to come. */
bool trp_executor_has_peers(struct troupe_executor *executor);

/** Bury what is left, and finish the own channels. */
void trp_executor_finish(struct troupe_executor *executor);

/** Receive and meet one frame of a peer's. @return whether there was one. */
bool trp_executor_receive(struct troupe_executor *executor);

/** @return the time by the system's clock. */
uint64_t trp_executor_now(const struct troupe_executor *executor);

/* Posting (post.c). ---------------------------------------------------------------------------- */

/** What is to be sent, before it is known which frame it goes into. */
struct trp_outgoing {
    troupe_ref_t to;
    uint32_t from_index;
    uint32_t from_generation;
    uint32_t type;
    enum trp_kind kind;
    uint32_t flags;
    const void *body;
    size_t body_bytes;
    uint64_t ask;
    uint32_t from_node;        // 0: from here; else whose executor the sender is on
    uint32_t from_executor;    // likewise
    uint64_t expires_ns;       // with TRP_FLAG_EXPIRES: see trp_outgoing_set_ttl()
    struct troupe_body *given; // taken when posted; NULL: copy `body`
};

/** Have the way of an executor to itself, if there are descriptors for it. */
enum troupe_err trp_send_open_loop(struct troupe_executor *executor);

/** Give a letter @p ttl_ns to live from now on; 0: as long as it takes. */
void trp_outgoing_set_ttl(
    const struct troupe_executor *executor, uint64_t ttl_ns, struct trp_outgoing *outgoing);

/** Have a letter expire at @p expires_ns, by the system's clock; 0: never. */
void trp_outgoing_set_expiry(
    const struct troupe_executor *executor, uint64_t expires_ns, struct trp_outgoing *outgoing);

/** @return from when on an item is not to be met, by the system's clock; UINT64_MAX: no such time. */
uint64_t trp_item_expiry(const struct troupe_executor *executor, const struct trp_item *item);

/** Post a letter on its way, as troupe_send() says. */
enum troupe_err trp_send_message(
    struct troupe_executor *executor, const struct trp_outgoing *outgoing);

/** Post a notice for an actor. @return false: no memory; as notices are not counted, that is all. */
bool trp_send_notice(
    struct troupe_executor *executor,
    troupe_ref_t to,
    uint32_t type,
    const void *body,
    size_t body_bytes);

/* Verbs (context.c). --------------------------------------------------------------------------- */

/** Say that a context is used on a thread that does not own it. */
enum troupe_err trp_explain_thread(const struct troupe_executor *executor);

/** @return TROUPE_OK on the context's own thread; looked at in debug builds only. */
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

/** Note an ask of the running actor, with its deadline. */
enum troupe_err trp_ask_begin(
    troupe_context_t *ctx,
    uint64_t timeout_ns,
    troupe_reply_fn *on_reply,
    uint64_t tag,
    bool awaits_name,
    uint64_t *out_ask);

/** As troupe_ask(). @param out_ask  Receives its number. */
enum troupe_err trp_ask(
    troupe_context_t *ctx,
    const struct troupe_outgoing *wanted,
    uint64_t timeout_ns,
    troupe_reply_fn *on_reply,
    uint64_t tag,
    uint64_t *out_ask);

/** Send what a inbox asks, under its own number. */
enum troupe_err trp_inbox_send_ask(
    troupe_context_t *ctx, const struct troupe_outgoing *wanted, uint64_t ask);

/** Forget an ask that could not be sent. */
void trp_ask_undo(troupe_context_t *ctx, uint64_t number);

/* Dead letters (dead_letter.c). ---------------------------------------------------------------- */

/** What a NOTICE says that fails an ask. */
struct trp_ask_failure {
    uint32_t reason; // an enum troupe_dead_reason
    uint32_t type;   // of the message that asked
};

/** Count a dead letter, log it, tell the subscribers, and fail its ask. */
void trp_dead_letter(struct troupe_executor *executor, const struct trp_dead *dead);

/** Tell an asker that its ask found nobody, and why. */
void trp_dead_letter_fail_ask(struct troupe_executor *executor, const struct trp_dead *dead);

/**
 * Print who that is, with a blank in front: " 'ping'", or " on 'ecs'" where no more is known than whose
 * executor it is or was on; "" where not even that is.
 */
void trp_dead_letter_name(
    struct troupe_executor *executor,
    troupe_ref_t ref,
    char name[static TRP_DEAD_COUNTS_NAME_BYTES]);

/** Set the detail: why an ask failed. @return the error that it failed with. */
enum troupe_err trp_ask_explain(enum troupe_err err, const struct trp_ask_failure *failure);

/** @return what an item says that fails an ask. */
static inline struct trp_ask_failure trp_item_failure(const struct trp_item *item)
{
    struct trp_ask_failure failure = {.reason = TROUPE_DEAD_REASON_COUNT};
    if (item->body_bytes == sizeof(failure)) {
        memcpy(&failure, item->body, sizeof(failure));
    }
    return failure;
}

/* Actors (actor.c). ---------------------------------------------------------------------------- */

/** What a START says, in front of the actor's name, its behaviour's name, and arguments. */
struct trp_start {
    uint32_t behaviour_index;
    uint32_t name_bytes; // 0: it goes by its behaviour's name
    uint32_t args_bytes;
    uint32_t behaviour_bytes; // 0: its index says which, for it was written in this process
};

/** Start the actor of a START. */
void trp_actor_start(struct troupe_executor *executor, const struct trp_item *item);

/** @return the body of the @p which-th message of an item, as a callback sees it. */
static inline struct troupe_body trp_item_body(const struct trp_item *item, uint32_t which)
{
    if (TRP_UNLIKELY(item->given != NULL)) {
        return (struct troupe_body){
            item->given->data, item->given->bytes, item->given->free, item->given->free_data};
    }
    // A frame is only ever read through this: a body's bytes belong to who owns the frame.
    union {
        const uint8_t *read_only;
        void *data;
    } at = {.read_only = item->body + which * trp_pad8(item->body_bytes)};
    return (struct troupe_body){
        .data = item->body_bytes != 0 ? at.data : NULL,
        .bytes = item->body_bytes,
    };
}

/** Meet a message for an actor: a USER, REPLY or NOTICE. Mail that was held came by the loop. */
void trp_actor_deliver(
    struct troupe_executor *executor, struct trp_channel *channel, const struct trp_item *item);

/** Have an actor meet a notice that was made here. */
void trp_actor_notify(
    struct troupe_executor *executor,
    struct trp_actor *actor,
    uint32_t index,
    uint32_t type,
    const void *body,
    uint32_t body_bytes);

/** Tell an actor that an ask of its, which was taken out, failed. */
void trp_actor_fail_ask(
    struct troupe_executor *executor,
    struct trp_actor *actor,
    uint32_t index,
    const struct trp_ask *ask,
    enum troupe_err err);

/** Meet a signal about ends, or keep it for an actor whose START is on its way. */
void trp_actor_handle_monitor(struct troupe_executor *executor, const struct trp_item *item);

/** Stop the actors that running callbacks asked to stop. */
void trp_actor_run_stops(struct troupe_executor *executor);

/** Stop the actor of a STOP. */
void trp_actor_handle_stop(struct troupe_executor *executor, const struct trp_item *item);

/** Say that the actor of a CHECK_ALIVE has ended, if it has. */
void trp_actor_handle_check_alive(struct troupe_executor *executor, const struct trp_item *item);

/** Make dead letters of mail whose actors never came. */
void trp_actor_drop_stash(struct troupe_executor *executor);

/**
 * Meet the plain messages that come next in a frame of @p channel, as long as their actors run here and take no
 * batches: what most messages are. The channel counts them as received.
 */
void trp_actor_deliver_plain(
    struct troupe_executor *executor, struct trp_channel *channel, struct trp_cursor *cursor);

/** End an actor: fini, and nobody finds it any more. */
void trp_actor_end(
    struct troupe_executor *executor,
    struct trp_actor *actor,
    uint32_t index,
    const struct troupe_exit *exit);

/** @return the reference of the actor in that row. */
static inline troupe_ref_t trp_actor_ref(
    const struct troupe_executor *executor, uint32_t index, uint32_t generation)
{
    return (troupe_ref_t){executor->node, executor->id, index, generation};
}

#endif

/**
 * @file troupe/context.h
 * @brief What an actor can do: spawn, send, ask, use timers, change its behaviour, stop, monitor and register.
 *
 * Every function takes the context that was passed to the callback. Two more contexts exist for code that is no
 * actor: troupe_system_context() for the thread that made the system, and troupe_inbox_context() for any other
 * thread.
 *
 * Unless a function says otherwise: it is called on the thread that owns the context (debug builds check that
 * and return ::TROUPE_ERR_THREAD), it never blocks, it copies what it is given, and it works alike on every
 * backend and transport.
 */
#ifndef TROUPE_CONTEXT_H
#define TROUPE_CONTEXT_H

#include "troupe/behaviour.h"
#include "troupe/error.h"
#include "troupe/export.h"
#include "troupe/limits.h"
#include "troupe/message.h"
#include "troupe/ref.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Self, time and chance. ----------------------------------------------------------------------- */

/** @return the running actor; the reference of an inbox; ::TROUPE_REF_NONE in the main program. */
TROUPE_API troupe_ref_t troupe_self(const troupe_context_t *ctx);

/** @return the name that the actor was spawned with, or that of its behaviour. Valid until it ends. */
TROUPE_API const char *troupe_self_name(const troupe_context_t *ctx);

/**
 * @return the time in nanoseconds, which never goes back. It comes from the clock of the system and not from
 *         the operating system, so that a run can be replayed.
 */
TROUPE_API uint64_t troupe_now(const troupe_context_t *ctx);

/**
 * @return 64 random bits from the executor's generator, which starts from the seed of the system.
 * @source S. Vigna, "splitmix64", prng.di.unimi.it.
 */
TROUPE_API uint64_t troupe_random(troupe_context_t *ctx);

/* Spawn. --------------------------------------------------------------------------------------- */

/** How to spawn an actor. Zero-initialise, then set what you care about. */
struct troupe_spawn_options {
    /** The behaviour. Required, and one of those that the system was given. */
    const struct troupe_behaviour *behaviour;

    /**
     * The name for traces and placement rules; in a pool it chooses the executor. Need not be unique. NULL: the
     * name of the behaviour, and each executor of a pool in turn.
     */
    const char *name;

    /** Bytes for the behaviour's `init`, copied. May be NULL when @ref args_bytes is 0. */
    const void *args;

    /** Size of @ref args in bytes, 0 ..= 32 KiB. */
    size_t args_bytes;

    /**
     * Where the actor is to live, as the right side of a placement rule: "thread", "thread:4", "ecs". The command
     * line and the environment take precedence. NULL: as the system's rules say, else ecs.
     */
    const char *place;

    /** CPUs that its executor may run on, one bit each, if it gets one of its own; 0: any. */
    uint64_t cpu_mask;

    /** Limits of its process, if it gets one; the rules of troupe/limits.h take precedence. */
    struct troupe_limits limits;
};

/**
 * Start an actor. Its `init` runs on its own executor, before its first message.
 *
 * @param options  Read during this call only.
 * @param out_ref  Receives the reference, which may be used at once; may be NULL.
 *
 * @retval TROUPE_OK               The actor will start; if its `init` fails, that is its exit reason.
 * @retval TROUPE_ERR_NOENT        the behaviour is not one of the system's; add it to TROUPE_BEHAVIOURS().
 * @retval TROUPE_ERR_INVAL        `place` cannot be parsed (it is read only where the launch names no place for the
 *                                 actor), the arguments are too large, or no behaviour is set.
 * @retval TROUPE_ERR_UNSUPPORTED  the backend or transport of its placement cannot carry it.
 * @retval TROUPE_ERR_LIMIT        descriptors or threads would run out; nothing was started.
 * @retval TROUPE_ERR_NOMEM        no memory; nothing was started.
 * @retval TROUPE_ERR_CLOSED       the system is stopping.
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_spawn(
    troupe_context_t *ctx, const struct troupe_spawn_options *options, troupe_ref_t *out_ref);

/**
 * Spawn with the options written in the call; as troupe_spawn().
 *
 *     err = TROUPE_SPAWN(ctx, &ref, .behaviour = &pong, .name = "left");
 */
#define TROUPE_SPAWN(ctx, out_ref, ...) \
    troupe_spawn((ctx), &(const struct troupe_spawn_options){__VA_ARGS__}, (out_ref))

/* Send. ---------------------------------------------------------------------------------------- */

/**
 * Send a message.
 *
 * Messages from one sender to one receiver arrive in the order in which they were sent; between different senders
 * no order is promised. If the receiver has ended, the message becomes a dead letter and the send succeeds all
 * the same: the sender could not have known.
 *
 * @param to          The receiver.
 * @param type        What the body means; below ::TROUPE_MESSAGE_RESERVED.
 * @param body        The bytes, copied; may be NULL when @p body_bytes is 0.
 * @param body_bytes  Size of @p body in bytes, up to the byte bound of the mailbox.
 *
 * @retval TROUPE_OK          Accepted: the message will be handled, or become a dead letter.
 * @retval TROUPE_ERR_FULL    The mailbox is full. The actor gets one ::TROUPE_MESSAGE_ROOM for @p to when there
 *                            is room again.
 * @retval TROUPE_ERR_TOOBIG  The body is larger than the byte bound.
 * @retval TROUPE_ERR_INVAL   The type is reserved, or @p to is ::TROUPE_REF_NONE.
 * @retval TROUPE_ERR_LIMIT   No descriptor is free for a first message to that executor.
 * @retval TROUPE_ERR_NOMEM   No memory.
 *
 * @source  Erlang Reference Manual, "Processes: Signals", for the order that is promised.
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_send(
    troupe_context_t *ctx, troupe_ref_t to, uint32_t type, const void *body, size_t body_bytes);

// clang-format off
#ifdef __cplusplus
#    define TROUPE_SIZE_OF_STRUCT(pointer) sizeof(*(pointer))
#else
/** The size of the struct that @p pointer points to. A pointer to char or void does not compile: its size would be 1. */
#    define TROUPE_SIZE_OF_STRUCT(pointer) \
        (sizeof(*(pointer)) + \
         0 * sizeof(struct { \
             int pointer_to_char_or_void_has_no_size_use_troupe_send_instead \
                 : _Generic((pointer), \
                   char *: -1, \
                   const char *: -1, \
                   signed char *: -1, \
                   const signed char *: -1, \
                   unsigned char *: -1, \
                   const unsigned char *: -1, \
                   void *: -1, \
                   const void *: -1, \
                   default: 1); \
         }))
#endif
// clang-format on

/** Send the struct that @p body points to; as troupe_send(). A pointer to char or void is refused by the compiler. */
#define TROUPE_SEND(ctx, to, type, body) \
    troupe_send((ctx), (to), (type), (body), TROUPE_SIZE_OF_STRUCT(body))

/**
 * Send a body without copying it: its bytes change owner. Errors as troupe_send(); ::TROUPE_ERR_INVAL also when the
 * bytes do not start at a multiple of 8.
 *
 * Between processes the bytes are transmitted, and freed here afterwards.
 *
 * @owns    Takes what @p body holds and zeroes it, on ::TROUPE_OK only. Its free function is called once, by the
 *          receiver's executor or wherever the message ends.
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_send_body(
    troupe_context_t *ctx, troupe_ref_t to, uint32_t type, struct troupe_body *body);

/** A message to be sent. Zero-initialise, then set what you care about. Where it is NULL: ::TROUPE_ERR_INVAL. */
struct troupe_outgoing {
    troupe_ref_t to;   /**< The receiver. */
    uint32_t type;     /**< What the body means. */
    const void *body;  /**< The bytes, copied. */
    size_t body_bytes; /**< Size of @ref body in bytes. */

    /**
     * Time to live in nanoseconds, from the send on, or from the moment at which a timer fires; 0: no limit. A
     * message that is not handled by then becomes a dead letter `expired`, and its ask fails with
     * ::TROUPE_ERR_TIMEDOUT. Between processes the monotonic clock counts, which all processes of a host share. A
     * clock of the program's own (struct troupe_system_options) counts within its process alone, and messages
     * between processes do not expire then.
     */
    uint64_t ttl_ns;

    /**
     * The sender on whose behalf the message is sent, as troupe_message_reply_to() gives it: that sender gets the
     * reply, and the running actor replies to it no more. Zero: the running actor, which so gets the replies to
     * what it sends on behalf of a message without a sender; troupe_forward() keeps it without one. For
     * troupe_send_message() only.
     */
    struct troupe_reply_to on_behalf_of;
};

/**
 * Send a message with options: a time to live, or on behalf of another sender. Errors as troupe_send(), which costs
 * less.
 *
 * Messages with a time to live keep their place among the others. Between what a sender sends itself and what others
 * send on its behalf no order is promised.
 *
 * @param outgoing  Read during this call only.
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_send_message(
    troupe_context_t *ctx, const struct troupe_outgoing *outgoing);

/**
 * Send a message on to @p to as its sender sent it: the reply goes to that sender, whether it asked or not, and the
 * rest of its time to live counts on. Errors as troupe_send().
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_forward(
    troupe_context_t *ctx, const troupe_message_t *message, troupe_ref_t to);

/**
 * Transmit at once what was accepted so far. Seldom needed: it happens by itself when the turn ends, when a frame is
 * full, and when its oldest message is 100 µs old.
 */
TROUPE_API void troupe_flush(troupe_context_t *ctx);

/* Ask and reply. ------------------------------------------------------------------------------- */

/** How long an ask waits when its timeout is 0: 5 s, in nanoseconds. */
#define TROUPE_ASK_TIMEOUT_DEFAULT_NS UINT64_C(5000000000)

/**
 * Handle the reply to an ask, on the actor that asked. Called exactly once for each ask that was accepted, unless the
 * actor ends or cancels the ask first.
 *
 * @param tag    As in the options of the ask.
 * @param err    ::TROUPE_OK; ::TROUPE_ERR_TIMEDOUT; ::TROUPE_ERR_NOENT when the receiver has ended; or
 *               ::TROUPE_ERR_DEADLOCK, see struct troupe_ask_options. troupe_error_detail() says why, as in "the
 *               ask of type 7 had no receiver: stopped".
 * @param reply  The reply on ::TROUPE_OK, else NULL; kept by the runtime.
 */
typedef void troupe_reply_fn(
    troupe_context_t *ctx,
    void *state,
    uint64_t tag,
    enum troupe_err err,
    const troupe_message_t *reply);

/** How to wait for a reply. Zero-initialise, then set what you care about. */
struct troupe_ask_options {
    /** How long to wait, in nanoseconds; 0: ::TROUPE_ASK_TIMEOUT_DEFAULT_NS. */
    uint64_t timeout_ns;

    /** Handles the reply, or the failure. Required. */
    troupe_reply_fn *on_reply;

    /** Passed to @ref on_reply, to tell one ask from another; names it for troupe_ask_cancel(). */
    uint64_t tag;

    /**
     * Handle no other message until @ref on_reply has returned: what comes is stashed, in order, and keeps its room
     * in the mailbox. No thread blocks; other actors go on. Replies to other asks and ROOM notices are handled
     * meanwhile, and a stop or a kill ends the actor as usual.
     *
     * Where actors wait for each other in a circle, at least one of their asks fails with ::TROUPE_ERR_DEADLOCK, and
     * troupe_error_detail() names the circle within its `on_reply`. A circle is found where each of them waits while
     * it handles what it was asked, or has that in its stash; otherwise the timeout ends it.
     *
     * @source K. M. Chandy, J. Misra, L. M. Haas, "Distributed Deadlock Detection", 1983, for the probes.
     */
    bool exclusive;
};

/**
 * Send a message that wants a reply, which `on_reply` of the options handles.
 *
 * @param outgoing  What to ask; read during this call only.
 * @param options   How to wait; read during this call only.
 *
 * @retval TROUPE_OK               Accepted. Other errors as troupe_send(); then `on_reply` is not called.
 * @retval TROUPE_ERR_INVAL        no `on_reply`; or `on_behalf_of` is set; or the ask is exclusive and the actor has
 *                                 an exclusive ask already, or is about to end.
 * @retval TROUPE_ERR_DEADLOCK     an exclusive ask of the actor to itself.
 * @retval TROUPE_ERR_UNSUPPORTED  this context runs no callbacks: an inbox's (use troupe_inbox_ask()), or the main
 *                                 program's.
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_ask(
    troupe_context_t *ctx,
    const struct troupe_outgoing *outgoing,
    const struct troupe_ask_options *options);

/**
 * Forget the asks of the running actor with this @p tag: their `on_reply` is not called, and each late reply becomes a
 * dead letter `late_reply`.
 *
 * @retval TROUPE_OK         Forgotten.
 * @retval TROUPE_ERR_NOENT  no ask with that tag waits.
 */
TROUPE_API enum troupe_err troupe_ask_cancel(troupe_context_t *ctx, uint64_t tag);

/**
 * Reply to a message: to the ask of its sender, or with a plain send. A reply to an ask always has room, since the
 * ask reserved it; a plain send may be refused like any other.
 *
 * Errors as troupe_send(); ::TROUPE_ERR_NOENT when the message has no sender.
 */
TROUPE_API enum troupe_err troupe_reply(
    troupe_context_t *ctx,
    const troupe_message_t *message,
    uint32_t type,
    const void *body,
    size_t body_bytes);

/**
 * Reply after the callback that handled the ask has returned; as troupe_reply(). An ask has one reply.
 *
 * @param reply_to  As troupe_message_reply_to() gave it.
 */
TROUPE_API enum troupe_err troupe_reply_later(
    troupe_context_t *ctx,
    struct troupe_reply_to reply_to,
    uint32_t type,
    const void *body,
    size_t body_bytes);

/* Timers. -------------------------------------------------------------------------------------- */

/** A timer that runs. 0 is no timer. */
typedef uint64_t troupe_timer_t;

/**
 * Send a message once, @p delay_ns nanoseconds from now. The timer ends with the actor. Its message needs no room in
 * the mailbox, and counts as accepted at the moment the timer fires.
 *
 * @param outgoing   Copied.
 * @param out_timer  Receives the timer, for troupe_timer_cancel(); may be NULL.
 *
 * @retval TROUPE_OK               The timer runs.
 * @retval TROUPE_ERR_INVAL        as troupe_send(); or `on_behalf_of` is set.
 * @retval TROUPE_ERR_TOOBIG       as troupe_send().
 * @retval TROUPE_ERR_NOMEM        no memory.
 * @retval TROUPE_ERR_UNSUPPORTED  the context is an inbox's.
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_send_after(
    troupe_context_t *ctx,
    uint64_t delay_ns,
    const struct troupe_outgoing *outgoing,
    troupe_timer_t *out_timer);

/**
 * Send a message every @p period_ns nanoseconds, the first one period from now; as troupe_send_after(). An executor
 * that is late skips the messages that it missed rather than send them all at once.
 *
 * @param period_ns  Greater than 0, else ::TROUPE_ERR_INVAL.
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_send_every(
    troupe_context_t *ctx,
    uint64_t period_ns,
    const struct troupe_outgoing *outgoing,
    troupe_timer_t *out_timer);

/**
 * Cancel a timer of this executor.
 *
 * @retval TROUPE_OK         It will not fire again. What it sent before may still be on its way.
 * @retval TROUPE_ERR_NOENT  no such timer: it fired, or was cancelled before.
 */
TROUPE_API enum troupe_err troupe_timer_cancel(troupe_context_t *ctx, troupe_timer_t timer);

/* Change and stop. ----------------------------------------------------------------------------- */

/**
 * Handle messages with another behaviour, from the next one on and with the same state. Neither `fini` of the old nor
 * `init` of the new behaviour is called; at the end the `fini` of the latest is.
 *
 * @retval TROUPE_OK         From the next message on.
 * @retval TROUPE_ERR_NOENT  the behaviour is not one of the system's.
 * @retval TROUPE_ERR_INVAL  it needs a larger state than the actor was spawned with, or no actor runs here.
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_become(
    troupe_context_t *ctx, const struct troupe_behaviour *behaviour);

/** End the running actor after the callback, with reason `normal`. The first of several such calls counts. */
TROUPE_API void troupe_stop(troupe_context_t *ctx);

/**
 * End the running actor after the callback, with reason `error`.
 *
 * @param code  A number of the author's; if it is the first actor's, the exit status of the program.
 * @param text  Copied, and cut at ::TROUPE_EXIT_TEXT_BYTES; may be NULL.
 */
TROUPE_API void troupe_fail(troupe_context_t *ctx, int code, const char *text);

/**
 * Check the result of a call: unless it is ::TROUPE_OK, end the running actor as troupe_fail() does, with the code
 * @p err and the text of troupe_error_detail().
 *
 *     if (!troupe_check(ctx, TROUPE_SEND(ctx, to, PING, &ping))) {
 *         return;
 *     }
 *
 * @return whether @p err is ::TROUPE_OK. In a context without a running actor that is all it does.
 */
TROUPE_API bool troupe_check(troupe_context_t *ctx, enum troupe_err err);

/**
 * Ask an actor to stop, with reason `shutdown`. The request overtakes the messages that wait for the actor, except
 * those of the frame that is being handled (at most 1,024); what was overtaken, and what is sent to the actor from
 * here on, becomes dead letters `stopped`. Does nothing when the actor has ended already.
 *
 * @retval TROUPE_OK         Requested.
 * @retval TROUPE_ERR_INVAL  @p actor is ::TROUPE_REF_NONE.
 * @retval TROUPE_ERR_LIMIT  no descriptor is free for a first message to that executor.
 * @retval TROUPE_ERR_NOMEM  no memory.
 */
TROUPE_API enum troupe_err troupe_stop_actor(troupe_context_t *ctx, troupe_ref_t actor);

/**
 * End an actor by force, with reason `killed`: no `fini`, and what waits for it becomes dead letters.
 *
 * In a world or on a thread it ends when the callback that runs there returns, since nothing can interrupt one. An
 * actor with a process of its own ends at once, with its process. Does nothing when the actor has ended already.
 * Errors as troupe_stop_actor().
 */
TROUPE_API enum troupe_err troupe_kill(troupe_context_t *ctx, troupe_ref_t actor);

/**
 * Stop the whole system in order: messages are drained, then the actors of each executor stop in reverse order of
 * their start. troupe_system_run() returns.
 */
TROUPE_API void troupe_shutdown(troupe_context_t *ctx);

/* Monitors and links. -------------------------------------------------------------------------- */

/**
 * Monitor an actor: when it ends, the running actor gets one ::TROUPE_MESSAGE_DOWN.
 *
 * The notice comes exactly once, wherever the two live and however the actor ends: after the last message from it, and
 * no message from it comes later. For an actor that has ended already it comes at once; the reason is told as long
 * as it is known, else it is `unknown`. The notice needs no room in the mailbox.
 *
 * @param out_monitor  Receives the monitor, which the notice carries; may be NULL.
 *
 * @retval TROUPE_OK               The notice will come, unless troupe_demonitor() prevents it.
 * @retval TROUPE_ERR_INVAL        @p actor is ::TROUPE_REF_NONE or the running actor; or no actor runs here.
 * @retval TROUPE_ERR_UNSUPPORTED  @p actor is an inbox.
 * @retval TROUPE_ERR_LIMIT        no descriptor is free for a first message to that executor.
 * @retval TROUPE_ERR_NOMEM        no memory.
 *
 * @source Erlang Reference Manual, "Processes: Monitors".
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_monitor(
    troupe_context_t *ctx, troupe_ref_t actor, troupe_monitor_t *out_monitor);

/**
 * Monitor the actor that is registered as @p name at this moment; as troupe_monitor(). If there is none, the notice
 * comes at once, about ::TROUPE_REF_NONE with reason `unknown`.
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_monitor_name(
    troupe_context_t *ctx, const char *name, troupe_monitor_t *out_monitor);

/**
 * Monitor the executor on which @p actor lives: its process, thread or world; as troupe_monitor().
 * ::TROUPE_ERR_INVAL when the running actor lives there as well.
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_monitor_executor(
    troupe_context_t *ctx, troupe_ref_t actor, troupe_monitor_t *out_monitor);

/**
 * Undo a monitor of the running actor: its notice will not come any more.
 *
 * @retval TROUPE_OK         Undone.
 * @retval TROUPE_ERR_NOENT  no such monitor, or its notice has come.
 */
TROUPE_API enum troupe_err troupe_demonitor(troupe_context_t *ctx, troupe_monitor_t monitor);

/**
 * Link the running actor and @p actor: when one of them ends, the other is notified, once.
 *
 * When a linked actor exits with a reason other than `normal`, this actor exits with the same reason after its
 * current callback; `fini` runs. A `normal` exit is ignored. With troupe_trap_exit() the actor gets a
 * ::TROUPE_MESSAGE_EXIT instead, also for a `normal` exit. Linking twice is the same as once; linking to itself does
 * nothing.
 *
 * Errors as troupe_monitor(). If @p actor has ended already, that is reported at once.
 *
 * @source Erlang Reference Manual, "Processes: Links".
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_link(troupe_context_t *ctx, troupe_ref_t actor);

/** Undo troupe_link(), from either side. ::TROUPE_ERR_NOENT when there is no such link; else as troupe_monitor(). */
TROUPE_API enum troupe_err troupe_unlink(troupe_context_t *ctx, troupe_ref_t actor);

/** Turn exits of linked actors into ::TROUPE_MESSAGE_EXIT notices for the running actor, or not. */
TROUPE_API void troupe_trap_exit(troupe_context_t *ctx, bool on);

/* Batches. ------------------------------------------------------------------------------------- */

/**
 * In a `receive_batch`, turn to message @p index: the context is that of its receiver from here on, which sends, asks,
 * stops, fails and becomes.
 *
 * A stop takes effect as it does in `receive`: the actor ends when the callback returns, and its later messages become
 * dead letters. Likewise the later messages of an actor that waits for an exclusive reply are stashed, and those of
 * an actor that became another are handled by its new behaviour.
 *
 * @return whether this callback is to handle the message. false: its actor stopped, was stopped by another of the
 *         batch, waits, or became another; the context is as before. Also false outside of a batch, and from its
 *         `count` on.
 */
TROUPE_API TROUPE_MUST_USE bool troupe_batch_select(troupe_context_t *ctx, size_t index);

/* Names. --------------------------------------------------------------------------------------- */

/**
 * Register the running actor as @p name, until it ends or troupe_unregister() is called.
 *
 * @param name  1 ..= 255 bytes, copied.
 *
 * @retval TROUPE_OK          Registered.
 * @retval TROUPE_ERR_EXISTS  another actor is registered as that.
 * @retval TROUPE_ERR_INVAL   empty or too long, or no actor runs in this context.
 * @retval TROUPE_ERR_LIMIT   the system holds 131,072 names already.
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_register(troupe_context_t *ctx, const char *name);

/** Free a name of the running actor. ::TROUPE_ERR_NOENT when it is not registered as that; else as troupe_register(). */
TROUPE_API enum troupe_err troupe_unregister(troupe_context_t *ctx, const char *name);

/**
 * Find the actor that is registered as @p name.
 *
 * @retval TROUPE_OK         *out_ref is set; it may end at any moment, as any actor may.
 * @retval TROUPE_ERR_NOENT  none at the moment; troupe_await_name() waits for one.
 * @retval TROUPE_ERR_INVAL  empty or too long.
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_lookup(
    troupe_context_t *ctx, const char *name, troupe_ref_t *out_ref);

/**
 * Wait until an actor is registered as @p name: `on_reply` of the options handles a ::TROUPE_MESSAGE_NAME, in the next
 * turn at the earliest.
 *
 * @param options  As for troupe_ask(). Read during this call only.
 *
 * @retval TROUPE_OK               `on_reply` will be called.
 * @retval TROUPE_ERR_INVAL        the name is empty or too long; or as troupe_ask().
 * @retval TROUPE_ERR_LIMIT        the system holds 131,072 names, or asks for names, already.
 * @retval TROUPE_ERR_NOMEM        no memory.
 * @retval TROUPE_ERR_UNSUPPORTED  this context runs no callbacks.
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_await_name(
    troupe_context_t *ctx, const char *name, const struct troupe_ask_options *options);

/* Dead letters. -------------------------------------------------------------------------------- */

/**
 * Subscribe the running actor to dead letters, or unsubscribe it: it gets a ::TROUPE_MESSAGE_DEAD_LETTER for each
 * dead letter of the system, until it ends. Notices need no room, are not counted, and become no dead letters.
 *
 * @retval TROUPE_OK         Done. Subscribing twice is the same as once.
 * @retval TROUPE_ERR_INVAL  no actor runs in this context.
 * @retval TROUPE_ERR_LIMIT  256 actors are subscribed already.
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_dead_letters_subscribe(
    troupe_context_t *ctx, bool on);

#endif

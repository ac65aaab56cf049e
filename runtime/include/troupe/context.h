/**
 * @file troupe/context.h
 * @brief What an actor can do: look around, spawn, send, ask, wait for a time, change and stop.
 *
 * Everything here takes the context that a callback was given. Two more contexts exist for code that
 * is no actor: troupe_system_context() for the thread that made the system, and
 * troupe_inbox_context() for any other thread.
 *
 * Unless a function says otherwise: the thread that owns the context may call it (debug builds check
 * and return ::TROUPE_ERR_THREAD), it never blocks, what it is given is copied, and it works on any
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

/* Around. -------------------------------------------------------------------------------------- */

/** @return the running actor; a port's own reference; ::TROUPE_REF_NONE in the main program. */
TROUPE_API troupe_ref_t troupe_self(const troupe_context_t *ctx);

/** @return the name it was spawned with, or its behaviour's. Good until it ends. */
TROUPE_API const char *troupe_self_name(const troupe_context_t *ctx);

/**
 * @return the time in nanoseconds, never going back. From the system's clock, not the operating
 *         system's, so that a world can be replayed.
 */
TROUPE_API uint64_t troupe_now(const troupe_context_t *ctx);

/**
 * @return 64 random bits from the executor's generator, which the system's seed started.
 * @source S. Vigna, "splitmix64", prng.di.unimi.it.
 */
TROUPE_API uint64_t troupe_random(troupe_context_t *ctx);

/* Spawn. --------------------------------------------------------------------------------------- */

/** How to spawn an actor. Zero-initialise, then set what you care about. */
struct troupe_spawn_options {
    /** What it does. Required, and one of the behaviours the system was given. */
    const struct troupe_behaviour *behaviour;

    /**
     * What it is called, in traces and placement rules, and where in a pool it goes. Need not be
     * unique. NULL: it goes by its behaviour's name, and to each executor of a pool in turn.
     */
    const char *name;

    /** Bytes for the behaviour's `init`, copied. May be NULL when @ref args_bytes is 0. */
    const void *args;

    /** How many; up to 32 KiB. */
    size_t args_bytes;

    /**
     * Where it should live, as the right side of a placement rule: "thread", "thread:4", "ecs".
     * The command line and the environment go before it. NULL: as the system's rules say, else ecs.
     */
    const char *place;

    /** CPUs its executor may run on, a bit each, when it gets one of its own; 0: any. */
    uint64_t cpu_mask;

    /** What it may take, when it gets a process; the rules of troupe/limits.h go before. */
    struct troupe_limits limits;
};

/**
 * Start an actor and carry on; its `init` runs on its own executor, before its first message.
 *
 * @param options  How; read during this call only.
 * @param out_ref  Receives its reference, at once usable; may be NULL.
 *
 * @retval TROUPE_OK               It will start; a failing `init` is its exit reason.
 * @retval TROUPE_ERR_NOENT        the behaviour is not one of the system's.
 * @retval TROUPE_ERR_INVAL        `place` does not parse, or the arguments are over their limit.
 * @retval TROUPE_ERR_UNSUPPORTED  the backend or transport of its placement cannot.
 * @retval TROUPE_ERR_LIMIT        descriptors or threads would run out; nothing was started.
 * @retval TROUPE_ERR_NOMEM        no memory; nothing was started.
 * @retval TROUPE_ERR_CLOSED       the system is stopping.
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_spawn(
    troupe_context_t *ctx, const struct troupe_spawn_options *options, troupe_ref_t *out_ref);

/* Send. ---------------------------------------------------------------------------------------- */

/**
 * Send a message and carry on.
 *
 * Messages from one sender to one receiver arrive in the order they were sent. Nothing is promised
 * between different senders. A receiver that is gone makes the message a dead letter, and the send
 * still succeeds: the sender could not have known.
 *
 * @param to          Whom.
 * @param type        What the body means; below ::TROUPE_MESSAGE_RESERVED.
 * @param body        The bytes, copied; may be NULL when @p body_bytes is 0.
 * @param body_bytes  How many; up to the mailbox's bound in bytes.
 *
 * @retval TROUPE_OK          Accepted: it will be handled, or be a dead letter.
 * @retval TROUPE_ERR_FULL    The mailbox is full. The actor gets one ::TROUPE_MESSAGE_ROOM for @p to
 *                            when there is room again.
 * @retval TROUPE_ERR_TOOBIG  The body is over the bound.
 * @retval TROUPE_ERR_INVAL   The type is reserved, or @p to is nobody.
 * @retval TROUPE_ERR_LIMIT   No descriptor for a first message to that executor.
 * @retval TROUPE_ERR_NOMEM   No memory.
 *
 * @source  Erlang Reference Manual, "Processes: Signals", for the order promised.
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_send(
    troupe_context_t *ctx, troupe_ref_t to, uint32_t type, const void *body, size_t body_bytes);

/** Send the struct that @p body points to; as troupe_send(). */
#define TROUPE_SEND(ctx, to, type, body) troupe_send((ctx), (to), (type), (body), sizeof(*(body)))

/**
 * Send a body without a copy: its bytes change owner.
 *
 * Errors as troupe_send(). Between processes the bytes are sent, and freed here afterwards.
 *
 * @owns    Takes what @p body holds and zeroes it, on ::TROUPE_OK only. The receiver's executor, or
 *          whoever the message ends with, calls the body's free function.
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_send_body(
    troupe_context_t *ctx, troupe_ref_t to, uint32_t type, struct troupe_body *body);

/**
 * Send on at once what was accepted so far. Seldom needed: it happens by itself when the turn ends,
 * when a frame is full, and when its oldest message is 100 µs old.
 */
TROUPE_API void troupe_flush(troupe_context_t *ctx);

/* Ask and reply. ------------------------------------------------------------------------------- */

/** What to send to whom, where a call has more to say than that. Zero-initialise. */
struct troupe_outgoing {
    troupe_ref_t to;   /**< Whom. */
    uint32_t type;     /**< What the body means. */
    const void *body;  /**< The bytes, copied. */
    size_t body_bytes; /**< How many. */

    /**
     * Time to live, in nanoseconds from the send on, or from a timer's firing; 0: as long as it takes.
     * A message that is not met by then becomes a dead letter `expired`, and its ask fails with
     * ::TROUPE_ERR_TIMEDOUT. Between processes it is told by the monotonic clock, which all of one host
     * share; a clock of the system's own (struct troupe_system_options) counts within its process alone,
     * and messages from and to others then do not expire.
     */
    uint64_t ttl_ns;
};

/**
 * Send @p letter and carry on; as troupe_send(), which costs less where there is no time to live.
 *
 * Messages with a time to live keep their place among others: the order is as ever.
 *
 * @param letter  What to send to whom; read during this call only.
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_send_message(
    troupe_context_t *ctx, const struct troupe_outgoing *letter);

/** How long an ask waits when its timeout is 0: 5 s, in nanoseconds. */
#define TROUPE_ASK_TIMEOUT_DEFAULT_NS UINT64_C(5000000000)

/**
 * Meets the answer of an ask, on the actor that asked. Called exactly once for each ask accepted,
 * unless the actor ends first.
 *
 * @param tag     As it was given to troupe_ask().
 * @param err     ::TROUPE_OK; ::TROUPE_ERR_TIMEDOUT; ::TROUPE_ERR_NOENT when the receiver is gone; or
 *                ::TROUPE_ERR_DEADLOCK, see troupe_ask_and_wait().
 *                troupe_error_detail() says why, as in "the ask of type 7 found nobody: stopped".
 * @param answer  The answer on ::TROUPE_OK, else NULL; kept by the runtime.
 */
typedef void troupe_reply_fn(
    troupe_context_t *ctx,
    void *state,
    uint64_t tag,
    enum troupe_err err,
    const troupe_message_t *answer);

/**
 * Send a message that wants an answer, and carry on; @p on_reply meets the answer.
 *
 * @param letter      What to ask whom.
 * @param timeout_ns  How long to wait, in nanoseconds; 0: ::TROUPE_ASK_TIMEOUT_DEFAULT_NS.
 * @param on_reply   Meets the answer. Required.
 * @param tag         Handed to @p on_reply as it is, to tell one ask from another.
 *
 * @retval TROUPE_OK  On its way. Other errors as troupe_send(); then @p on_reply is not called.
 * @retval TROUPE_ERR_UNSUPPORTED  this context runs no callbacks (a port's, or the main program's).
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_ask(
    troupe_context_t *ctx,
    const struct troupe_outgoing *letter,
    uint64_t timeout_ns,
    troupe_reply_fn *on_reply,
    uint64_t tag);

/**
 * Ask as troupe_ask(), and meet no other mail until @p on_reply has met the answer: what comes is
 * deferred, in order, and keeps its room in the mailbox. No thread waits; other actors go on.
 *
 * Answers to other asks, and ROOM notices, are met meanwhile. A stop or a kill ends the actor as ever.
 *
 * Where actors wait for each other in a circle, at least one of their asks fails with
 * ::TROUPE_ERR_DEADLOCK, and troupe_error_detail() says the circle within @p on_reply. It is found where
 * each of them waits while it meets what it was asked, or has not met that yet; else the deadline ends it.
 *
 * @retval TROUPE_ERR_DEADLOCK  the actor would wait for itself.
 * @retval TROUPE_ERR_INVAL     it waits already, or is about to end. Others as troupe_ask().
 *
 * @source K. M. Chandy, J. Misra, L. M. Haas, "Distributed Deadlock Detection", 1983, for the probes.
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_ask_and_wait(
    troupe_context_t *ctx,
    const struct troupe_outgoing *letter,
    uint64_t timeout_ns,
    troupe_reply_fn *on_reply,
    uint64_t tag);

/**
 * Forget the asks of the running actor with that @p tag: their callbacks are not called, and what is
 * answered later becomes dead letters `late_reply`.
 *
 * @retval TROUPE_OK         Forgotten. ::TROUPE_ERR_NOENT: none waits.
 */
TROUPE_API enum troupe_err troupe_ask_cancel(troupe_context_t *ctx, uint64_t tag);

/**
 * Send @p message on to @p to as its sender sent it: @p to answers that one, ask or not, and what is left
 * of its time to live is all it has.
 *
 * Errors as troupe_send(). Order between what a sender sends itself and what others forward is not kept.
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_forward(
    troupe_context_t *ctx, const troupe_message_t *message, troupe_ref_t to);

/** Send @p letter on behalf of @p asker: whoever gets it answers @p asker. Errors as troupe_send(). */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_delegate(
    troupe_context_t *ctx, struct troupe_reply_to asker, const struct troupe_outgoing *letter);

/**
 * Answer @p message: its sender's ask if it was one, else a plain send back. A reply to an ask always
 * has room, for the ask reserved it; a plain send back can be refused like any.
 *
 * Errors as troupe_send(). A sender that is nobody gives ::TROUPE_ERR_NOENT.
 */
TROUPE_API enum troupe_err troupe_reply(
    troupe_context_t *ctx,
    const troupe_message_t *message,
    uint32_t type,
    const void *body,
    size_t body_bytes);

/** Answer later than in the callback that met the ask; as troupe_reply(). An ask has one answer. */
TROUPE_API enum troupe_err troupe_reply_later(
    troupe_context_t *ctx,
    struct troupe_reply_to asker,
    uint32_t type,
    const void *body,
    size_t body_bytes);

/* Time. ---------------------------------------------------------------------------------------- */

/** A timer that runs. 0 is no timer. */
typedef uint64_t troupe_timer_t;

/**
 * Send @p letter once, @p delay_ns nanoseconds from now. It ends with the actor. A timer's message
 * needs no room in the mailbox, and is accepted at the moment it fires.
 *
 * @param out_timer  Receives the timer, for troupe_timer_cancel(); may be NULL.
 *
 * @retval TROUPE_OK  It runs. ::TROUPE_ERR_INVAL, ::TROUPE_ERR_TOOBIG and ::TROUPE_ERR_NOMEM as
 *                    troupe_send(); ::TROUPE_ERR_UNSUPPORTED on a port.
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_send_after(
    troupe_context_t *ctx,
    uint64_t delay_ns,
    const struct troupe_outgoing *letter,
    troupe_timer_t *out_timer);

/**
 * Send @p letter every @p period_ns nanoseconds, first one period from now; as troupe_send_after().
 * A late world skips what it missed rather than send a flood.
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_send_every(
    troupe_context_t *ctx,
    uint64_t period_ns,
    const struct troupe_outgoing *letter,
    troupe_timer_t *out_timer);

/**
 * Stop a timer of this executor.
 *
 * @retval TROUPE_OK         It will not fire again. What it sent before may still be on its way.
 * @retval TROUPE_ERR_NOENT  no such timer: fired, or cancelled before.
 */
TROUPE_API enum troupe_err troupe_timer_cancel(troupe_context_t *ctx, troupe_timer_t timer);

/* Change and stop. ----------------------------------------------------------------------------- */

/**
 * Meet messages with another behaviour from the next one on, on the same state. Neither `fini` of the
 * old nor `init` of the new is called; at the end the `fini` of the latest is.
 *
 * @retval TROUPE_OK         From the next message on.
 * @retval TROUPE_ERR_NOENT  the behaviour is not one of the system's.
 * @retval TROUPE_ERR_INVAL  it needs a larger state than the actor was spawned with.
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_become(
    troupe_context_t *ctx, const struct troupe_behaviour *behaviour);

/** End this actor after the callback, with reason `normal`. The first of several such calls counts. */
TROUPE_API void troupe_stop(troupe_context_t *ctx);

/**
 * End this actor after the callback, with reason `error`.
 *
 * @param code  A number of the author's; as the first actor's, the program's exit status.
 * @param text  In words, copied and cut at ::TROUPE_EXIT_TEXT_BYTES; may be NULL.
 */
TROUPE_API void troupe_fail(troupe_context_t *ctx, int code, const char *text);

/**
 * Ask an actor to stop, with reason `shutdown`. Overtakes the mail that waits for it, but for the frame in
 * hand (1,024 messages at most); what was overtaken, and what is sent to it from here on, becomes dead
 * letters `stopped`. Does nothing when it is gone already.
 *
 * @retval TROUPE_OK  Asked. ::TROUPE_ERR_INVAL, ::TROUPE_ERR_LIMIT, ::TROUPE_ERR_NOMEM as troupe_send().
 */
TROUPE_API enum troupe_err troupe_stop_actor(troupe_context_t *ctx, troupe_ref_t actor);

/**
 * End the whole system in order: mail is drained, then the actors of each executor stop in reverse order
 * of their start. The program's troupe_system_run() returns.
 */
TROUPE_API void troupe_shutdown(troupe_context_t *ctx);

/* Ends. ---------------------------------------------------------------------------------------- */

/**
 * Have the running actor hear of the end of @p actor, by one ::TROUPE_MESSAGE_DOWN.
 *
 * It comes exactly once, wherever the two live and however the other ends: after the last message
 * from it, and no message from it comes later. About an actor that is gone it comes at once; how that
 * ended is told as long as it is known, else the reason is `unknown`. The notice needs no room.
 *
 * @param out_monitor  Receives the monitor, which the notice carries; may be NULL.
 *
 * @retval TROUPE_OK               The notice will come, unless troupe_demonitor() forbids it.
 * @retval TROUPE_ERR_INVAL        @p actor is nobody, or the running actor itself; or none runs here.
 * @retval TROUPE_ERR_UNSUPPORTED  @p actor is a port.
 * @retval TROUPE_ERR_LIMIT        No descriptor for a first message to that executor.
 * @retval TROUPE_ERR_NOMEM        No memory.
 *
 * @source Erlang Reference Manual, "Processes: Monitors".
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_monitor(
    troupe_context_t *ctx, troupe_ref_t actor, troupe_monitor_t *out_monitor);

/**
 * As troupe_monitor(), for who goes by @p name at this moment. If nobody does, the notice comes at once,
 * about ::TROUPE_REF_NONE with reason `unknown`.
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_monitor_name(
    troupe_context_t *ctx, const char *name, troupe_monitor_t *out_monitor);

/**
 * As troupe_monitor(), for the end of the executor on which @p actor lives: of its process, thread or
 * world. ::TROUPE_ERR_INVAL when the running actor lives there, too.
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_monitor_executor(
    troupe_context_t *ctx, troupe_ref_t actor, troupe_monitor_t *out_monitor);

/**
 * Forget a monitor of the running actor: its notice will not come any more.
 *
 * @retval TROUPE_OK         Forgotten. ::TROUPE_ERR_NOENT: no such, or its notice has come.
 */
TROUPE_API enum troupe_err troupe_demonitor(troupe_context_t *ctx, troupe_monitor_t monitor);

/**
 * Link the running actor and @p actor: when one ends, the other hears of it, once.
 *
 * Who hears of an end that was not `normal` ends for the same reason, after its callback and with
 * `fini`; of a `normal` one it takes no notice. With troupe_trap_exit() it lives on and gets a
 * ::TROUPE_MESSAGE_EXIT instead, also for a `normal` one. Linking twice is once.
 *
 * Errors as troupe_monitor(). A link to one who is gone is told at once, as its end would have been.
 *
 * @source Erlang Reference Manual, "Processes: Links".
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_link(troupe_context_t *ctx, troupe_ref_t actor);

/** Undo troupe_link(), from either side: neither hears of the other's end by it any more. */
TROUPE_API enum troupe_err troupe_unlink(troupe_context_t *ctx, troupe_ref_t actor);

/** Have the running actor get a ::TROUPE_MESSAGE_EXIT where it would end with one it is linked to. */
TROUPE_API void troupe_trap_exit(troupe_context_t *ctx, bool on);

/**
 * End an actor by force, with reason `killed`: no `fini`, and what waits for it becomes dead letters.
 *
 * On a world or a thread it ends when the callback that runs there returns, for nothing can be taken from
 * one that does not. An actor with a process of its own is ended in whatever it does, with its process.
 *
 * Does nothing when it is gone already. Errors as troupe_stop_actor().
 */
TROUPE_API enum troupe_err troupe_kill(troupe_context_t *ctx, troupe_ref_t actor);

/* Batches. ------------------------------------------------------------------------------------- */

/**
 * In a `receive_batch`, turn to the message @p index: the context is its actor's from here on, who sends,
 * asks, stops, fails and becomes.
 *
 * A stop takes effect as it does with `receive`: the actor ends when the callback returns, and meets none
 * of its later messages, which become dead letters then. In the same way those of an actor that waits
 * for an answer are deferred, and what is for an actor that became another is met by its new behaviour.
 *
 * @return whether the message is to be met. If not, its actor stopped, was stopped by another of the
 *         batch, waits, or became another; the context is as before, and the message is not for this
 *         callback. false outside of a batch, and from its `count` on.
 */
TROUPE_API TROUPE_MUST_USE bool troupe_batch_select(troupe_context_t *ctx, size_t index);

/* Names. --------------------------------------------------------------------------------------- */

/**
 * Let the running actor go by @p name until it ends or troupe_unregister() is called.
 *
 * @param name  1 to 255 bytes, copied.
 *
 * @retval TROUPE_OK          From now on.
 * @retval TROUPE_ERR_EXISTS  another actor goes by it.
 * @retval TROUPE_ERR_INVAL   empty or too long, or no actor runs in this context.
 * @retval TROUPE_ERR_NOMEM   no memory.
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_register(troupe_context_t *ctx, const char *name);

/** Free a name of the running actor. ::TROUPE_ERR_NOENT when it does not go by it. */
TROUPE_API enum troupe_err troupe_unregister(troupe_context_t *ctx, const char *name);

/**
 * Find who goes by @p name.
 *
 * @retval TROUPE_OK         *out_ref is set; it may end at any moment, as any actor may.
 * @retval TROUPE_ERR_NOENT  nobody, for now; troupe_await_name() waits.
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_lookup(
    troupe_context_t *ctx, const char *name, troupe_ref_t *out_ref);

/**
 * Wait until somebody goes by @p name; @p on_reply meets a ::TROUPE_MESSAGE_NAME, at the earliest in
 * the next turn. Timeout, tag and errors as troupe_ask().
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_await_name(
    troupe_context_t *ctx,
    const char *name,
    uint64_t timeout_ns,
    troupe_reply_fn *on_reply,
    uint64_t tag);

/* Dead letters. -------------------------------------------------------------------------------- */

/**
 * Send the running actor a ::TROUPE_MESSAGE_DEAD_LETTER for each dead letter of the system from now on,
 * until it ends or unsubscribes. Notices need no room, are not counted, and make no dead letters.
 *
 * @retval TROUPE_OK         Subscribed; twice is once.
 * @retval TROUPE_ERR_INVAL  no actor runs in this context.
 * @retval TROUPE_ERR_NOMEM  no memory.
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_dead_letters_subscribe(troupe_context_t *ctx);

/** Undo troupe_dead_letters_subscribe(). Does nothing when not subscribed. */
TROUPE_API void troupe_dead_letters_unsubscribe(troupe_context_t *ctx);

#endif

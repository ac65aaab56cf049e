/**
 * @file troupe/behaviour.h
 * @brief Behaviours: what an actor does, as one table of callbacks that its author writes.
 */
#ifndef TROUPE_BEHAVIOUR_H
#define TROUPE_BEHAVIOUR_H

#include "troupe/error.h"
#include "troupe/message.h"

#include <stddef.h>
#include <stdint.h>

/** Handle to the runtime, passed to every callback and valid until it returns. */
typedef struct troupe_context troupe_context_t;

/** Why an actor ended. The numbers are part of the wire format. */
enum troupe_exit_reason {
    TROUPE_EXIT_NORMAL = 0,        /**< It stopped itself with troupe_stop(). */
    TROUPE_EXIT_SHUTDOWN = 1,      /**< It was asked to stop, or the system stops. */
    TROUPE_EXIT_ERROR = 2,         /**< It stopped itself with troupe_fail(). */
    TROUPE_EXIT_KILLED = 3,        /**< By troupe_kill(), or its process by SIGKILL. */
    TROUPE_EXIT_CRASHED = 4,       /**< Its process crashed; the code is the signal. */
    TROUPE_EXIT_OUT_OF_MEMORY = 5, /**< No memory to start it, or for its process to go on. */
    TROUPE_EXIT_INIT_FAILED = 6,   /**< Its `init` returned an error; the code is that error. */
    TROUPE_EXIT_NODE_LOST = 7,     /**< Its host cannot be reached. Not used yet. */
    TROUPE_EXIT_UNKNOWN =
        8, /**< It ended, and how is not known: before it was monitored, or of a process for which
                                        another part of the program waited. */
};

/** @return a static name such as "normal"; "unknown" for a number that is no reason. @threads any */
TROUPE_API const char *troupe_exit_reason_text(enum troupe_exit_reason reason);

/** Size of the text of an exit, with its NUL, in bytes. A longer text is cut. */
#define TROUPE_EXIT_TEXT_BYTES 256

/** How an actor ended. */
struct troupe_exit {
    enum troupe_exit_reason reason;    /**< Why it ended. */
    int code;                          /**< What the reason says about it; else 0. */
    char text[TROUPE_EXIT_TEXT_BYTES]; /**< More about it; may be "". */
};

/** A monitor; see troupe_monitor(). 0 is no monitor. */
typedef uint64_t troupe_monitor_t;

/** Body of ::TROUPE_MESSAGE_DOWN and ::TROUPE_MESSAGE_EXIT. */
struct troupe_down {
    troupe_ref_t actor; /**< The actor that ended; of an executor, index and generation are 0. */
    troupe_monitor_t monitor; /**< As troupe_monitor() returned it; 0: a link. */
    struct troupe_exit exit;  /**< How it ended. */
};

/** Most messages in one call of a `receive_batch`. */
#define TROUPE_BATCH_MAX 64

/**
 * A behaviour: code that any number of actors run, each with a state of its own.
 *
 * Declare one `static const` for each behaviour, with designated initialisers. The runtime keeps the pointer and never
 * writes through it.
 *
 * Callbacks of one actor never overlap, on any backend. Callbacks of different actors may run at the same time, on
 * different executors, so actors must not share data: they send it.
 */
struct troupe_behaviour {
    /** Name of the behaviour in traces, placement rules and other processes. Required, and unique in a system. */
    const char *name;

    /**
     * The arguments that the behaviour takes on the command line when troupe_main() starts it first, for `--help`:
     * "[--top N] PATH...". NULL: none, and troupe_main() refuses any.
     */
    const char *usage;

    /** Size of an actor's state in bytes; 0: it has none. It is zeroed at the start, and never moves. */
    size_t state_bytes;

    /**
     * Initialise @p state. Optional; without it the state stays zeroed.
     *
     * @param state       The actor's state, aligned to 16; NULL when it has none.
     * @param args        A copy of the spawn's arguments, aligned to 8 and valid during this call only; NULL: none.
     * @param args_bytes  Size of @p args in bytes.
     * @return            ::TROUPE_OK; or an error, and the actor exits with reason `init_failed` and that code, without
     *                    a call of `fini`. The text of that exit is troupe_error_detail(), where a function of Troupe
     *                    failed with that same error.
     */
    enum troupe_err (*init)(
        troupe_context_t *ctx, void *state, const void *args, size_t args_bytes);

    /**
     * Handle one message. Required.
     *
     * @owns  The runtime keeps @p message, and frees it after the call.
     */
    void (*receive)(troupe_context_t *ctx, void *state, const troupe_message_t *message);

    /**
     * Free what @p state holds. Optional; it may still send. Called once for each actor whose `init` succeeded, unless
     * it was killed or its process crashed.
     */
    void (*fini)(troupe_context_t *ctx, void *state, const struct troupe_exit *exit);

    /**
     * Handle several messages in one call. Optional, for behaviours for which that is cheaper. The effect has to be that
     * of `receive`, which still handles single messages, asks, notices, bodies that were given away, and messages with
     * a time to live.
     *
     *     for (size_t i = 0; i < count; i++) {
     *         if (troupe_batch_select(ctx, i)) {
     *             handle(ctx, states[i], messages[i]);
     *         }
     *     }
     *
     * The messages are for one or more actors of this behaviour on one executor, and followed each other in this order.
     * The runtime does not wait for a batch to fill.
     *
     * The context is that of the first message's receiver until troupe_batch_select() changes it. A behaviour that only
     * changes states need not select. It has to where a message may end its actor, have it wait for a reply, or make it
     * become another.
     *
     * When the call returns, all messages count as handled except those that troupe_batch_select() refused. If the
     * process dies during the call, all of the batch has the outcome `unknown`.
     *
     * @param states    The state of each message's receiver; an actor with several messages appears several times.
     * @param messages  As `receive` gets them; valid during this call only.
     * @param count     2 ..= ::TROUPE_BATCH_MAX.
     *
     * @owns  The runtime keeps the messages, and frees them after the call.
     */
    void (*receive_batch)(
        troupe_context_t *ctx,
        void *const states[],
        const troupe_message_t *const messages[],
        size_t count);
};

/** The arguments of `init` as a `const struct_type *`; NULL when their size is another. */
#define TROUPE_ARGS(args, args_bytes, struct_type) \
    ((const struct_type *)((args_bytes) == sizeof(struct_type) ? (const void *)(args) : NULL))

/** A list of behaviours for troupe_main() and struct troupe_system_options. */
#define TROUPE_BEHAVIOURS(...) ((const struct troupe_behaviour *const[]){__VA_ARGS__, NULL})

#endif

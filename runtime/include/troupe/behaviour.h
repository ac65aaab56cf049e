/**
 * @file troupe/behaviour.h
 * @brief What an actor does: the one table that its author writes.
 */
#ifndef TROUPE_BEHAVIOUR_H
#define TROUPE_BEHAVIOUR_H

#include "troupe/error.h"
#include "troupe/message.h"

#include <stddef.h>
#include <stdint.h>

/** The running actor's hold on the runtime, handed to each callback and good only within it. */
typedef struct troupe_context troupe_context_t;

/** Why an actor ended. Numbers are part of the wire format. */
enum troupe_exit_reason {
    TROUPE_EXIT_NORMAL = 0,   /**< It stopped itself, done. */
    TROUPE_EXIT_SHUTDOWN = 1, /**< It was asked to stop, or the system ended. */
    TROUPE_EXIT_ERROR = 2,    /**< It stopped itself with troupe_fail(). */
    TROUPE_EXIT_KILLED = 3,   /**< It was killed: by troupe_kill(), or its process by SIGKILL. */
    TROUPE_EXIT_CRASHED = 4,  /**< Its process crashed; the code is the signal. */
    TROUPE_EXIT_OUT_OF_MEMORY = 5, /**< No memory to start it, or for its process to go on. */
    TROUPE_EXIT_INIT_FAILED = 6,   /**< Its `init` returned an error; the code is that error. */
    TROUPE_EXIT_NODE_LOST = 7,     /**< Its host is out of reach; none is so far. */
    TROUPE_EXIT_UNKNOWN = 8,       /**< It was gone before anybody asked, and nothing says how. */
};

/** @return a static name such as "normal"; "unknown" for a number that is no reason. Any thread. */
TROUPE_API const char *troupe_exit_reason_text(enum troupe_exit_reason reason);

/** Longest text of an exit, with its NUL, in bytes. A longer one is cut. */
#define TROUPE_EXIT_TEXT_BYTES 96

/** How an actor ended. */
struct troupe_exit {
    enum troupe_exit_reason reason;    /**< Why. */
    int code;                          /**< As the reason says; else 0. */
    char text[TROUPE_EXIT_TEXT_BYTES]; /**< In words; "" when there is no more to say. */
};

/** A monitor; see troupe_monitor(). 0 is none. */
typedef uint64_t troupe_monitor_t;

/** Body of ::TROUPE_MESSAGE_DOWN and ::TROUPE_MESSAGE_EXIT: who ended, and how. */
struct troupe_down {
    troupe_ref_t actor;       /**< Who; of an executor, index and generation are 0. */
    troupe_monitor_t monitor; /**< As troupe_monitor() gave it; 0 for a link. */
    struct troupe_exit exit;  /**< How. */
};

/** Most messages that are handed over in one call of a `receive_batch`. */
#define TROUPE_BATCH_MAX 64

/**
 * A behaviour: code that any number of actors run, each on a state of its own.
 *
 * Declare one `static const` per behaviour and fill it with designated initialisers. The runtime
 * keeps the pointer and never writes through it.
 *
 * Callbacks for one actor never overlap, on any backend; callbacks for different actors may run at
 * the same moment on other executors, so what two actors could both reach belongs in neither.
 */
struct troupe_behaviour {
    /** Names the behaviour in traces, in placement rules and across processes. Required, unique. */
    const char *name;

    /**
     * What may follow on the command line when troupe_main() starts this behaviour first, for
     * `--help`: "[--top N] PATH...". NULL: it takes no words, and troupe_main() refuses any.
     */
    const char *usage;

    /** Size of the actor's state in bytes. Zeroed at the start, never moved; 0 for no state. */
    size_t state_bytes;

    /**
     * Make @p state ready. Optional; without it the state stays zeroed.
     *
     * @param state       The actor's state, aligned to 16; NULL when it has none.
     * @param args        A copy of the spawner's bytes, aligned to 8, good during this call only.
     * @param args_bytes  How many.
     * @return ::TROUPE_OK, or the error that becomes the actor's exit reason `init_failed`, on every
     *         backend alike; then `fini` is not called.
     */
    enum troupe_err (*init)(
        troupe_context_t *ctx, void *state, const void *args, size_t args_bytes);

    /**
     * Meet one message. Required.
     *
     * @owns  The runtime keeps @p message, and frees it after the call.
     */
    void (*receive)(troupe_context_t *ctx, void *state, const troupe_message_t *message);

    /**
     * Let go of what @p state holds; may still send. Optional. Called once for each `init` that
     * returned ::TROUPE_OK, unless the actor was killed or crashed.
     */
    void (*fini)(troupe_context_t *ctx, void *state, const struct troupe_exit *exit);

    /**
     * Meet several messages in one call. Optional, for behaviours that are cheaper so; the results are to
     * be those of `receive`, which still meets what comes alone, asks, notices, bodies that were given
     * away and messages with a time to live.
     *
     *     for (size_t i = 0; i < count; i++) {
     *         if (troupe_batch_select(ctx, i)) {
     *             meet(ctx, states[i], messages[i]);
     *         }
     *     }
     *
     * The messages came one behind the other, for actors of this behaviour on one executor: for one
     * actor or for many, in the order in which they came. No more are waited for. The context is that of
     * the first message's actor, which sends, stops, fails and becomes, until troupe_batch_select()
     * turns to another's. A behaviour that only changes states need not select; it must where a message
     * of the batch may end its actor, have it wait or become another. What the call was handed counts
     * as handled when it returns, but what troupe_batch_select() said is not to be met. Should the
     * process die meanwhile, all of the batch is unknown, where it is one message otherwise.
     *
     * @param states    Of the receiver of each message; an actor with several is there several times.
     * @param messages  As `receive` meets them; good during this call only.
     * @param count     2 to ::TROUPE_BATCH_MAX.
     *
     * @owns  The runtime keeps the messages, and frees them after the call.
     */
    void (*receive_batch)(
        troupe_context_t *ctx,
        void *const states[],
        const troupe_message_t *const messages[],
        size_t count);
};

/** The arguments of `init` as a `const struct_type *`, or NULL when their size is another. */
#define TROUPE_ARGS(args, args_bytes, struct_type) \
    ((const struct_type *)((args_bytes) == sizeof(struct_type) ? (const void *)(args) : NULL))

/** A list of behaviours for troupe_main() and struct troupe_system_options. */
#define TROUPE_BEHAVIOURS(...) ((const struct troupe_behaviour *const[]){__VA_ARGS__, NULL})

#endif

/**
 * @file troupe/system.h
 * @brief The system: all actors of a program, in however many threads and processes.
 *
 *     troupe_system_new --> troupe_spawn ... --> troupe_system_run --> troupe_system_destroy
 *
 * troupe_main() does all of this for a program that is nothing but actors. A program with a loop of
 * its own calls troupe_system_progress() instead of troupe_system_run(), when troupe_system_fd() is readable. One that
 * cannot watch a descriptor waits for troupe_system_timeout_ns() at most.
 *
 * The thread that made a system owns it: unless a function says otherwise, only that thread may call
 * it. Executor 0 belongs to it: the `ecs` actors run there, inside troupe_system_run() and
 * troupe_system_progress().
 */
#ifndef TROUPE_SYSTEM_H
#define TROUPE_SYSTEM_H

#include "troupe/behaviour.h"
#include "troupe/context.h"
#include "troupe/error.h"
#include "troupe/export.h"
#include "troupe/stats.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/** The bound of a mailbox in messages, when the options say 0. */
#define TROUPE_MAILBOX_MESSAGES_DEFAULT 10000

/** The bound of a mailbox in bytes of bodies, when the options say 0: 64 MiB. */
#define TROUPE_MAILBOX_BYTES_DEFAULT ((size_t)64 << 20)

/** How long a system may take to stop, when the options say 0: 1.5 s, in nanoseconds. */
#define TROUPE_STOP_TIMEOUT_DEFAULT_NS UINT64_C(1500000000)

/** Where standard output and standard error of child processes go. */
enum troupe_output {
    TROUPE_OUTPUT_INHERIT = 0, /**< To those of this process. */
    TROUPE_OUTPUT_PREFIX = 1,  /**< The same, by whole lines, each with `[NAME] ` before it. */
};

/** Handle to a system. Opaque, and valid until troupe_system_destroy(). */
typedef struct troupe_system troupe_system_t;

/** @return the time in nanoseconds, which never goes back. Called by any thread; must not block. */
typedef uint64_t troupe_clock_fn(void *clock_data);

/**
 * Options of a system. Zero is the default of every field but @ref behaviours. The largest value of a type is no bound:
 * sums with it do not wrap.
 */
struct troupe_system_options {
    /** All behaviours that its actors may have: see TROUPE_BEHAVIOURS(). Required; the list is copied. */
    const struct troupe_behaviour *const *behaviours;

    /** Placement rules of the command line, each `GLOB=BACKEND[:COUNT][+TRANSPORT]`, ended by NULL. */
    const char *const *place;

    /**
     * Placement rules of the program, ended by NULL. They apply last: after @ref place, the environment, the launch
     * file and the `place` of the spawn.
     */
    const char *const *place_default;

    /** Limit rules of the command line, each `GLOB=LIMITS`, see troupe/limits.h; ended by NULL. */
    const char *const *limit;

    /** Limit rules of the program, ended by NULL. They apply last as well. */
    const char *const *limit_default;

    /**
     * Path of a launch file; NULL: the one that the environment variable `TROUPE_LAUNCH` names, if it is set. The
     * other options override what the file says, except @ref place_default and @ref limit_default.
     */
    const char *launch_file;

    /** How many messages may wait in a mailbox; 0: ::TROUPE_MAILBOX_MESSAGES_DEFAULT. */
    uint32_t mailbox_messages;

    /** How many bytes of bodies may wait in a mailbox; 0: ::TROUPE_MAILBOX_BYTES_DEFAULT. */
    size_t mailbox_bytes;

    /** The seed of troupe_random(); 0: a seed from the operating system. */
    uint64_t seed;

    /** The clock of troupe_now() and of timers. NULL: the monotonic one. */
    troupe_clock_fn *clock;

    /** The argument of @ref clock. */
    void *clock_data;

    /**
     * How long the system may take to stop, in nanoseconds; 0: ::TROUPE_STOP_TIMEOUT_DEFAULT_NS. The time starts when
     * the owner's thread begins to stop the system, between two callbacks. In its first half, actors still
     * handle messages that were sent before. In its last quarter, but at most half a second, the executors that
     * have not stopped are reported and processes are killed; settling their exits may take 50 ms more.
     */
    uint64_t stop_timeout_ns;

    /**
     * How long a callback may run, in nanoseconds; 0: for ever. A watchdog thread in each process reports one that
     * runs longer on standard error, once, with the message that it handles.
     */
    uint64_t callback_timeout_ns;

    /** Kill the process of such a callback, if it is a child: its actors exit with `killed`. */
    bool callback_timeout_kills;

    /**
     * Signals that actors may subscribe to with troupe_signals_subscribe(), ended by 0. They are blocked in the calling
     * thread, so the system must be made before the program starts threads of its own. NULL: only the
     * signals that this thread blocks already.
     */
    const int *signals;

    /**
     * Path of the program that carries process actors: one whose main() calls troupe_run_if_child() or troupe_main()
     * with the same behaviours. NULL: the program that runs now.
     */
    const char *child_program;

    /** Where standard output and standard error of child processes go. */
    enum troupe_output output;

    /**
     * Print a line on standard error for each dead letter, in the process that makes it: reason, type, size, sender
     * and receiver. At most ten lines a second are printed, then how many dead letters had none. Those with the
     * reasons `stopped` and `undeliverable` have no line while the system stops. troupe_main() sets this.
     */
    bool dead_letter_log;
};

/**
 * Make a system. Raises this process's soft limit of open files to the hard one.
 *
 * Placement: the first rule that matches the name of an actor or of its behaviour decides. Rules are tried in
 * this order: `options->place`, the environment variable `TROUPE_PLACE` (separated by `;`), the
 * launch file, the spawn's own `place`, `options->place_default`; without a match it is `ecs`. When the
 * system has stopped, a rule that matched nothing is reported on standard error. Limits are found in the same
 * way, with `TROUPE_LIMIT`, and are all those of the first match.
 *
 * The actors of the launch file are started last, in its order.
 *
 * Mailboxes: actors that share an executor (`ecs`, `thread:N`) share its mailbox and its bound; an
 * actor placed on `thread` has its own.
 *
 * In a process that was started for actors, this function runs them and does not return: see
 * troupe_run_if_child().
 *
 * @param options     The behaviours that are listed are kept, the rest is copied.
 * @param out_system  Receives the system.
 *
 * @retval TROUPE_OK               *out_system is set.
 * @retval TROUPE_ERR_INVAL        a rule does not parse, with a caret under the character; or the launch
 *                                 file is wrong, with its line and column, or cannot be read; or two
 *                                 behaviours share a name; or one has no name or no `receive`; or one of
 *                                 `signals` cannot be a message.
 * @retval TROUPE_ERR_UNSUPPORTED  a rule asks for a backend or transport that does not work here.
 * @retval TROUPE_ERR_LIMIT        fewer than 256 descriptors are free, or there are no more threads.
 * @retval TROUPE_ERR_NOMEM        no memory.
 * @retval TROUPE_ERR_SYSTEM       the operating system refused; the detail says what.
 * @return else what troupe_spawn() returned for an actor of the launch file, which the detail names; the actors
 *         before it are stopped.
 *
 * @owns    The caller owns *out_system until troupe_system_destroy().
 * @threads any; the caller becomes the owner
 * @blocks  until the launch file is read
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_system_new(
    const struct troupe_system_options *options, troupe_system_t **out_system);

/**
 * @return the context of the owner's thread outside of callbacks: for spawning, sending and looking
 *         up names before and between runs. Its messages have no sender. Once the system has ended, functions that
 *         get it refuse with ::TROUPE_ERR_CLOSED.
 *
 * @owns    The system keeps it.
 * @threads the owner's
 * @blocks  never
 */
TROUPE_API troupe_context_t *troupe_system_context(troupe_system_t *system);

/**
 * Run until the system is asked to stop (troupe_system_stop(), troupe_shutdown(), the end of the
 * actor named by troupe_system_set_root()) and has stopped: then every actor has ended.
 *
 * @retval TROUPE_OK            Every actor has ended.
 * @retval TROUPE_ERR_TIMEDOUT  an executor did not stop within `stop_timeout_ns`. The detail names those that are
 *                              left, and standard error has a line for each, as troupe_system_print_active()
 *                              prints it. Processes were killed; threads go on.
 * @retval TROUPE_ERR_THREAD    called from another thread than the owner's.
 * @retval TROUPE_ERR_INVAL     called within a callback that runs on the owner's thread; use troupe_shutdown() there.
 * @retval TROUPE_ERR_SYSTEM    it has ended, because the memory that its processes share was damaged; the detail says
 *                              what to look for, and standard error what was found.
 *
 * @threads the owner's
 * @blocks  until the system has ended
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_system_run(troupe_system_t *system);

/** How much one troupe_system_progress() may do; 0 is no bound, and so is the largest value. */
struct troupe_budget {
    uint64_t messages; /**< How many messages to handle, about: it is checked between frames. */

    /**
     * How long to go on, in nanoseconds, about: it is checked between frames. The ECS systems (troupe/ecs.h) come
     * first and are not cut short; messages have the rest, and an eighth at least.
     */
    uint64_t ns;
};

/**
 * Do what there is to do on the owner's thread, and return: run each ECS system (troupe/ecs.h) that is due, once;
 * then receive, run callbacks and due timers, flush.
 *
 * @param budget  How much to do; NULL: one turn, which is all messages that have arrived.
 *
 * @retval TROUPE_OK          Done; call again when troupe_system_fd() is readable, which it is for timers as well.
 * @retval TROUPE_ERR_CLOSED  the system was asked to stop, or has ended; call troupe_system_destroy().
 * @retval TROUPE_ERR_THREAD  called from another thread than the owner's.
 * @retval TROUPE_ERR_INVAL   called within a callback that runs on the owner's thread.
 *
 * @threads the owner's
 * @blocks  never, apart from callbacks
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_system_progress(
    troupe_system_t *system, const struct troupe_budget *budget);

/**
 * @return an epoll descriptor that is readable while there is something to do: messages, work left over
 *         by a budget, a due timer. It is level-triggered; add it to a poll, select or epoll of your own.
 *         -1 when the operating system refused one; the detail says why.
 *
 * @owns    The system keeps it.
 * @threads the owner's
 * @blocks  never
 */
TROUPE_API int troupe_system_fd(troupe_system_t *system);

/**
 * @return nanoseconds until the next timer of executor 0; 0 when there is something to do now; -1 when there is no
 *         timer.
 *
 * @threads the owner's
 * @blocks  never
 */
TROUPE_API int64_t troupe_system_timeout_ns(troupe_system_t *system);

/**
 * Ask the system to stop, and return at once. Safe in a signal handler.
 *
 * @threads any
 * @blocks  never
 */
TROUPE_API void troupe_system_stop(troupe_system_t *system);

/**
 * Make @p actor the root actor: when it ends, the system stops. There is one root actor; a later call replaces it.
 *
 * The exit of an actor is kept only from the moment it is the root. For one that ended before, the system stops
 * as well, and troupe_system_root_exit() gives `normal`, or `init_failed` where it never ran, with a text
 * that says so.
 *
 * @threads the owner's
 * @blocks  never
 */
TROUPE_API void troupe_system_set_root(troupe_system_t *system, troupe_ref_t actor);

/**
 * Get the exit of the root actor.
 *
 * @retval TROUPE_OK         *out_exit is set.
 * @retval TROUPE_ERR_NOENT  it has not ended, or there is no root actor.
 *
 * @threads the owner's
 * @blocks  never
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_system_root_exit(
    troupe_system_t *system, struct troupe_exit *out_exit);

/**
 * Get the counters of the whole system, summed up since it was made.
 *
 * @threads any
 * @blocks  never
 */
TROUPE_API void troupe_system_stats(troupe_system_t *system, struct troupe_stats *out_stats);

/**
 * Print the counters to @p file: a line for each channel that has closed and each executor, the sum, and dead
 * letters by reason.
 *
 * @threads the owner's
 * @blocks  never, apart from writing to @p file
 */
TROUPE_API void troupe_system_print_stats(troupe_system_t *system, FILE *file);

/**
 * Check that the counters balance: `accepted = handled + dead + unknown + waiting`, for each channel, each
 * executor and the system. Once the system has ended, nothing may wait either. Prints the counters to @p file as
 * troupe_system_print_stats() does, and before them the receivers with the most dead letters, with reasons. Where
 * they do not balance, a line names the channel, its two executors, and how many messages are missing.
 *
 * @return whether they balance; false is a mistake in Troupe, or memory of the system that was overwritten.
 *
 * @threads the owner's
 * @blocks  never, apart from writing to @p file
 */
TROUPE_API bool troupe_system_audit(troupe_system_t *system, FILE *file);

/**
 * Print to @p file what keeps the system alive: a line for each executor and inbox of all processes, with
 * its actors, its waiting messages, its timers, its current callback and for how long that has run at least,
 * and, where it is about to end, which executors it waits for. Names of actors in other processes are not
 * known here; timers are counted as of when the executor last had nothing to do.
 *
 * @threads any
 * @blocks  for 20 ms, to see which callbacks are still the same, and for writing to @p file
 */
TROUPE_API void troupe_system_print_active(troupe_system_t *system, FILE *file);

/**
 * Stop the system if it still runs, free it, and set *system_p to NULL. Does nothing when it is NULL.
 * Destroy its inboxes first.
 *
 * Messages that still wait for actors on this thread are handled during this call.
 *
 * @retval TROUPE_OK            Freed.
 * @retval TROUPE_ERR_TIMEDOUT  an executor did not stop in time, or an inbox is still open; the detail says which.
 *                              *system_p is as before: the call may be repeated.
 * @retval TROUPE_ERR_THREAD    called from another thread than the owner's.
 * @retval TROUPE_ERR_INVAL     called within a callback that runs on the owner's thread; use troupe_shutdown() there.
 *
 * @owns    Takes *system_p on ::TROUPE_OK only.
 * @threads the owner's
 * @blocks  up to the options' `stop_timeout_ns`
 */
TROUPE_API enum troupe_err troupe_system_destroy(troupe_system_t **system_p);

#endif

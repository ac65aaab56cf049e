/**
 * @file troupe/system.h
 * @brief The system: all actors of one node, and the thread that runs its world.
 *
 *     troupe_system_new --> troupe_spawn ... --> troupe_system_run --> troupe_system_destroy
 *
 * troupe_main() does all of this for a program that is nothing but actors. A program with a loop of
 * its own calls troupe_system_progress() instead of troupe_system_run(), when troupe_system_fd() is readable or
 * troupe_system_timeout_ns() has passed.
 *
 * The thread that made a system owns it: unless a function says otherwise, only that thread may call
 * it. The `ecs` actors run on that thread, inside troupe_system_run() and troupe_system_progress().
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

/** Most messages that may wait in a mailbox, when the options say 0. */
#define TROUPE_MAILBOX_MESSAGES_DEFAULT 10000

/** Most bytes of bodies that may wait in a mailbox, when the options say 0: 64 MiB. */
#define TROUPE_MAILBOX_BYTES_DEFAULT ((size_t)64 << 20)

/** How long the end of a system may take, when the options say 0: 1.5 s, in nanoseconds. */
#define TROUPE_STOP_TIMEOUT_DEFAULT_NS UINT64_C(1500000000)

/** What becomes of what process actors print. */
enum troupe_output {
    TROUPE_OUTPUT_INHERIT = 0, /**< It goes where this process's goes. */
    TROUPE_OUTPUT_PREFIX = 1,  /**< The same, by whole lines, each with `[NAME] ` before it. */
};

/** The system. */
typedef struct troupe_system troupe_system_t;

/** Tells the time in nanoseconds, never going back. Any thread calls it. */
typedef uint64_t troupe_clock_fn(void *clock_data);

/** How to make a system. Zero-initialise, then set what you care about. */
struct troupe_system_options {
    /** All behaviours its actors may have; see TROUPE_BEHAVIOURS(). Required; the list is copied. */
    const struct troupe_behaviour *const *behaviours;

    /** Placement rules of the command line, each `GLOB=BACKEND[:COUNT][+TRANSPORT]`, ended by NULL. */
    const char *const *place;

    /**
     * Placement rules of the program, ended by NULL; what @ref place, the environment, the launch file
     * and the spawn itself say goes before.
     */
    const char *const *place_default;

    /** Limit rules of the command line, each `GLOB=LIMITS`, see troupe/limits.h; ended by NULL. */
    const char *const *limit;

    /** Limit rules of the program, ended by NULL; likewise. */
    const char *const *limit_default;

    /**
     * Path of a launch file; NULL: what the environment variable `TROUPE_LAUNCH` names, if anything.
     * What the other options say goes before what it says, but for the program's rules.
     */
    const char *launch_file;

    /** Most messages that may wait in a mailbox; 0: ::TROUPE_MAILBOX_MESSAGES_DEFAULT. */
    uint32_t mailbox_messages;

    /** Most bytes of bodies that may wait in a mailbox; 0: ::TROUPE_MAILBOX_BYTES_DEFAULT. */
    size_t mailbox_bytes;

    /** Starts the generators of troupe_random(). 0: from the operating system. */
    uint64_t seed;

    /** The clock of troupe_now() and of timers. NULL: the monotonic one. */
    troupe_clock_fn *clock;

    /** Handed to @ref clock as it is. */
    void *clock_data;

    /**
     * How long the end may take in all, in nanoseconds; 0: ::TROUPE_STOP_TIMEOUT_DEFAULT_NS. It begins when the
     * owner's thread turns to it, between two callbacks. Up to the half of it, mail is met. In the last
     * quarter, half a second at most, it is said who is in the way, and processes are killed. Where processes
     * have to be killed it may take 50 ms more.
     */
    uint64_t stop_timeout_ns;

    /**
     * How long a callback may run, in nanoseconds; 0: as long as it takes. One that runs longer is named on
     * standard error, once, with what it meets. A thread of its own watches, in each process.
     */
    uint64_t callback_timeout_ns;

    /** Kill the process of such a callback, if it is one of actors: its end is then told as `killed`. */
    bool callback_timeout_kills;

    /**
     * Signals that actors may ask for with troupe_signals_subscribe(), ended by 0: they are blocked in the
     * calling thread, and so are to be named before the program starts threads of its own. NULL: only
     * those that it blocks already.
     */
    const int *signals;

    /**
     * The program that carries process actors: any whose main() calls troupe_run_if_child() or troupe_main()
     * with the same behaviours. NULL: the one that runs now.
     */
    const char *child_program;

    /** What becomes of what process actors print. */
    enum troupe_output output;

    /**
     * Whether each process prints a line on standard error for each dead letter it makes: reason, type,
     * size, sender and receiver; ten lines a second at most, then how many had none. What is `stopped` or
     * `refused` while the system stops has none. false: a library does not speak unasked; troupe_main()
     * asks.
     */
    bool dead_letter_log;
};

/**
 * Make a system. Raises this process's soft limit of open files to the hard one.
 *
 * Placement: the first rule that matches an actor's name or its behaviour's name wins, among the
 * rules of `options->place` first, then those of the environment variable `TROUPE_PLACE` (separated
 * by `;`), then the launch file's, then the spawn's own `place`, then those of
 * `options->place_default`; else `ecs`. At the end of the system a rule that matched nothing is named
 * on standard error. Limits are found alike, with `TROUPE_LIMIT`, and are those of the first match.
 *
 * The actors of the launch file are started last, in its order.
 *
 * Mailboxes: actors that share an executor (`ecs`, `thread:N`) share its mailbox and its bound; an
 * actor placed on `thread` has its own.
 *
 * @param options     How; what `behaviours` lists is kept, the rest is copied.
 * @param out_system  Receives the system.
 *
 * @retval TROUPE_OK               *out_system is set.
 * @retval TROUPE_ERR_INVAL        a rule does not parse, with a caret under the character; or the launch
 *                                 file is wrong, with its line and column, or cannot be read; or two
 *                                 behaviours share a name; or one has no name or no `receive`; or one of
 *                                 `signals` cannot be a message.
 * @retval TROUPE_ERR_UNSUPPORTED  a rule asks for a backend or transport that cannot.
 * @retval TROUPE_ERR_LIMIT        fewer than 256 descriptors are free.
 * @retval TROUPE_ERR_NOMEM        no memory.
 * @retval TROUPE_ERR_SYSTEM       the operating system refused.
 *
 * @owns    The caller owns *out_system until troupe_system_destroy().
 * @threads any; the caller becomes the owner
 * @blocks  until the launch file is read
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_system_new(
    const struct troupe_system_options *options, troupe_system_t **out_system);

/**
 * @return the context of the owner's thread outside of callbacks: for spawning, sending and looking
 *         up names before and between runs. Its messages come from nobody.
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
 * @retval TROUPE_OK            It ended in order.
 * @retval TROUPE_ERR_TIMEDOUT  an executor did not stop in time; the detail names its actors, and standard
 *                              error has a line for each, as troupe_system_print_active() prints them. Processes
 *                              were killed; threads go on.
 *
 * @threads the owner's
 * @blocks  until the system has ended
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_system_run(troupe_system_t *system);

/** How much one troupe_system_progress() may do. Zero-initialise; 0 is no bound. */
struct troupe_budget {
    uint64_t messages; /**< About how many messages to handle at most; checked between frames. */

    /**
     * About how long to go on, in nanoseconds; checked between frames. Systems (troupe/ecs.h) come first,
     * and are not cut short; messages have what they leave, and an eighth at least.
     */
    uint64_t ns;
};

/**
 * Do what is at hand for the owner's thread and return: the world's systems (troupe/ecs.h), each once if
 * it is due; then receive, timers, callbacks, flush.
 *
 * @param budget  How much; NULL: one turn, which is all the mail at hand.
 *
 * @retval TROUPE_OK          Done; call again when troupe_system_fd() is readable or
 *                            troupe_system_timeout_ns() has passed.
 * @retval TROUPE_ERR_CLOSED  the system was asked to stop; call troupe_system_destroy().
 *
 * @threads the owner's
 * @blocks  never, callbacks aside
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_system_progress(
    troupe_system_t *system, const struct troupe_budget *budget);

/**
 * @return an epoll descriptor that is readable while there is something to do: mail, work left over
 *         by a budget, a timer. Level-triggered; put it in a poll, select or epoll of your own.
 *         -1 when the operating system refused one; the detail says why.
 *
 * @owns    The system keeps it.
 * @threads the owner's
 * @blocks  never
 */
TROUPE_API int troupe_system_fd(troupe_system_t *system);

/**
 * @return nanoseconds until the next timer of the owner's world; 0 when something is to be done now;
 *         -1 when there is no timer.
 *
 * @threads the owner's
 * @blocks  never
 */
TROUPE_API int64_t troupe_system_timeout_ns(troupe_system_t *system);

/**
 * Ask the system to stop, and carry on. Safe in a signal handler.
 *
 * @threads any
 * @blocks  never
 */
TROUPE_API void troupe_system_stop(troupe_system_t *system);

/**
 * Stop the system when @p actor ends; at most one actor is watched, the latest.
 *
 * How an actor ended is kept from the moment it is watched: of one that ended before, all that
 * troupe_system_root_exit() tells is `normal`, or `init_failed`, and that it was too late.
 *
 * @threads the owner's
 * @blocks  never
 */
TROUPE_API void troupe_system_set_root(troupe_system_t *system, troupe_ref_t actor);

/**
 * Tell how the watched actor ended.
 *
 * @retval TROUPE_OK         *out_exit is set.
 * @retval TROUPE_ERR_NOENT  it has not, or none is watched.
 *
 * @threads the owner's
 * @blocks  never
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_system_root_exit(
    troupe_system_t *system, struct troupe_exit *out_exit);

/**
 * Count what happened so far.
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
 * @blocks  never, @p file aside
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
 * @blocks  never, @p file aside
 */
TROUPE_API bool troupe_system_audit(troupe_system_t *system, FILE *file);

/**
 * Print to @p file what keeps the system alive: a line for each executor and port, in whichever process,
 * with its actors, the mail that waits for it, its timers, the callback it is in and for how long at
 * least, and whom it waits for where it is about to end. Names of actors in other processes are not
 * known here; timers are those it had when it last had nothing to do.
 *
 * @threads any
 * @blocks  for 20 ms, to see which callbacks are still the same, and for @p file
 */
TROUPE_API void troupe_system_print_active(troupe_system_t *system, FILE *file);

/**
 * Stop the system if it still runs, free it, and set *system_p to NULL. Does nothing when it is NULL.
 * Ports are destroyed before it.
 *
 * Actors on this thread that still wait for mail get it during this call.
 *
 * @retval TROUPE_OK            Freed.
 * @retval TROUPE_ERR_TIMEDOUT  a callback on another thread did not return in time, or a port is
 *                              still open; the detail names it. *system_p is as before.
 *
 * @owns    Takes *system_p on ::TROUPE_OK only.
 * @threads the owner's
 * @blocks  up to the options' `stop_timeout_ns`
 */
TROUPE_API enum troupe_err troupe_system_destroy(troupe_system_t **system_p);

#endif

/**
 * @file troupe/backend.h
 * @brief Backends: where executors run. Two tables that point opposite ways.
 *
 *     runtime  -- struct troupe_backend_ops -->  backend     "start this executor somewhere"
 *     runtime  <--     struct troupe_host   --   backend     "run its loop", "it has exited"
 *
 * The runtime owns actors, mailboxes and the loop; a backend gives an executor a thread of control to run on.
 * Fill one `static const struct troupe_backend_ops`, register it before a system is made, and place
 * actors on it by its name. A backend is correct when it passes the conformance suite.
 *
 * Versions: `version` comes first, and fields are only ever added at the end.
 */
#ifndef TROUPE_BACKEND_H
#define TROUPE_BACKEND_H

#include "troupe/behaviour.h"
#include "troupe/error.h"
#include "troupe/export.h"
#include "troupe/ref.h"

#include <stdbool.h>
#include <stdint.h>

/** The version of both tables that this header describes. */
#define TROUPE_BACKEND_VERSION 1u

/** What a backend promises. Code asks for a trait, never for a name. */
enum troupe_backend_trait {
    /** A crash in one executor leaves the others alive: each has a process of its own. */
    TROUPE_TRAIT_ISOLATES_CRASHES = 1 << 0,
    TROUPE_TRAIT_PARALLEL = 1 << 1,       /**< Executors run at the same time; pools make sense. */
    TROUPE_TRAIT_DETERMINISTIC = 1 << 2,  /**< Same seed, clock and input: same run. */
    TROUPE_TRAIT_PREEMPTS = 1 << 3,       /**< A callback that never returns can be killed. */
    TROUPE_TRAIT_CALLERS_THREAD = 1 << 4, /**< It runs executor 0, on the owner's thread. */
};

/** Handle to an executor. Opaque, and valid until `exited` has been called for it. */
typedef struct troupe_executor troupe_executor_t;

/** What an executor is started with. Valid during `start` only. */
struct troupe_executor_spec {
    const char *name;  /**< The name of its first actor: the title of a thread or process. */
    uint32_t id;       /**< Its number in references. */
    uint64_t cpu_mask; /**< CPUs it may run on, a bit each; 0: any. */

    // The rest is for a backend that has ::TROUPE_TRAIT_ISOLATES_CRASHES.

    const char *program; /**< Path of the program to run; NULL: the one that runs now. */
    const char *env; /**< `NAME=VALUE` to add to its environment: troupe_run_if_child() reads it. */
    const int *fds;  /**< Descriptors that it inherits under the same numbers. */
    uint32_t fd_count; /**< Count of @ref fds. */
    int output_fd;     /**< Becomes its standard output; -1: it inherits this process's. */
    int error_fd;      /**< Becomes its standard error; -1: it inherits this process's. */
};

/** What a backend may ask of the runtime. Valid as long as the system. */
struct troupe_host {
    uint32_t version; /**< ::TROUPE_BACKEND_VERSION */

    /**
     * Run the executor's loop to its end. Call it once, on the thread of control that carries the executor; no other
     * thread may use the executor from then on.
     *
     * @threads the one that carries the executor
     * @blocks  until the executor has ended; after that only `exited` may be called for it
     */
    void (*run)(troupe_executor_t *executor);

    /**
     * Report that `run` has returned: the last use of the executor, whose handle is not valid any more.
     *
     * @threads any
     * @blocks  never
     */
    void (*exited)(troupe_executor_t *executor);

    /**
     * Run one turn of executor 0: the messages that have arrived, due timers, flush. For `run_once` only.
     *
     * @threads the owner's
     * @blocks  never, apart from callbacks
     */
    void (*run_turn)(troupe_executor_t *executor);

    /**
     * @return  the time in nanoseconds, by the system's clock.
     * @threads any
     * @blocks  never
     */
    uint64_t (*now)(troupe_executor_t *executor);

    /**
     * Set the text that troupe_error_detail() gives on this thread, before returning an error.
     *
     * @threads any
     * @blocks  never
     */
    void (*set_error_detail)(const char *text);

    /**
     * @return  the context of executor 0 for code that is not an actor's: its messages have no sender.
     * @threads the owner's
     * @blocks  never
     */
    troupe_context_t *(*context)(troupe_executor_t *executor);

    /**
     * @return  whether @p actor runs on that executor, or is about to start there.
     * @threads the owner's
     * @blocks  never
     */
    bool (*has_actor)(troupe_executor_t *executor, troupe_ref_t actor);
};

/** What the runtime asks of a backend. */
struct troupe_backend_ops {
    uint32_t version; /**< ::TROUPE_BACKEND_VERSION. Required. */
    uint32_t traits;  /**< Of ::troupe_backend_trait, or-ed. */

    /** Its name in placement rules: lower-case letters and digits. Required, unique, static. */
    const char *name;

    /** A line for people, as in "a pthread each". Required, static. */
    const char *description;

    /**
     * Prepare for one system. Optional. Called once for each system that has a rule for this backend or spawns an
     * actor on it, before its first `start`.
     *
     * @param host      Kept as long as the system.
     * @param out_self  Receives what the other functions get as `self`.
     *
     * @retval TROUPE_OK               Ready.
     * @retval TROUPE_ERR_UNSUPPORTED  this machine lacks what the backend needs.
     * @retval TROUPE_ERR_NOMEM        no memory.
     *
     * @threads the one that makes the system or spawns, one at a time
     * @blocks  never
     */
    enum troupe_err (*init)(const struct troupe_host *host, void **out_self);

    /**
     * Start an executor: have `host->run`, then `host->exited`, called for it on a thread of control of its own.
     * Required, except of a backend that has ::TROUPE_TRAIT_CALLERS_THREAD.
     *
     * A backend that has ::TROUPE_TRAIT_ISOLATES_CRASHES starts a program instead, which carries the executor in its
     * own call of troupe_run_if_child(). Then @p executor is NULL, and `exit_fd` and `reap` report the exit.
     *
     * @param out_handle  Receives what `stop`, `kill`, `join`, `exit_fd` and `reap` get. May be set to NULL, except
     *                    by a backend that isolates. Set it before the executor can call `exited`.
     *
     * @retval TROUPE_OK         It is started.
     * @retval TROUPE_ERR_LIMIT  there are no more threads or processes.
     * @return On an error, the executor is not started, `host->run` is never called for it, and the detail says why:
     *         see `set_error_detail`.
     *
     * @threads any, one at a time
     * @blocks  never
     */
    enum troupe_err (*start)(
        void *self,
        troupe_executor_t *executor,
        const struct troupe_executor_spec *spec,
        void **out_handle);

    /**
     * Run what executor 0 has to do, by `host->run_turn`, and return. Required of a backend that has
     * ::TROUPE_TRAIT_CALLERS_THREAD.
     *
     * @threads the owner's
     * @blocks  never, apart from callbacks
     */
    void (*run_once)(void *self, troupe_executor_t *executor);

    /**
     * Ask an executor to stop; the runtime sends it a command as well. Optional.
     *
     * @threads any
     * @blocks  never
     */
    void (*stop)(void *self, void *handle);

    /**
     * Kill what carries an executor. Optional, and only for a backend that has ::TROUPE_TRAIT_PREEMPTS. Never called
     * after `reap`.
     *
     * @threads any
     * @blocks  never
     */
    void (*kill)(void *self, void *handle);

    /**
     * Free what carried an executor, which has called `host->exited`. Required where `start` is, except of a backend
     * that isolates. Called once for each successful `start`.
     *
     * @owns    Takes @p handle.
     * @threads any
     * @blocks  until the thread of control has returned from `host->exited`
     */
    void (*join)(void *self, void *handle);

    /**
     * Undo `init`. Optional. Called once, after each executor was joined or reaped.
     *
     * @threads the owner's
     * @blocks  never
     */
    void (*fini)(void *self);

    /**
     * @return  a descriptor that becomes readable when the program of a `start` has exited. Required of a backend that
     *          has ::TROUPE_TRAIT_ISOLATES_CRASHES, as are the next two. It is the same until `reap`.
     * @owns    The backend keeps it.
     * @threads any
     * @blocks  never
     */
    int (*exit_fd)(void *self, void *handle);

    /**
     * Free the handle of a program that has exited, and report how it did. Called once for each successful `start`.
     *
     * @param out_exit  Receives the reason, with the exit status or the signal as text and code.
     *
     * @owns    Takes @p handle.
     * @threads the one that called `start`
     * @blocks  until the program has exited
     */
    void (*reap)(void *self, void *handle, struct troupe_exit *out_exit);

    /**
     * Set up a program that `start` started, before anything else runs in it: it must exit when its parent does.
     *
     * @param name        The title of the process.
     * @param parent_pid  The process that called `start`.
     *
     * @retval TROUPE_OK          Done.
     * @retval TROUPE_ERR_CLOSED  the parent has exited already; then the program exits.
     *
     * @threads the only one of the program
     * @blocks  never
     */
    enum troupe_err (*child_setup)(const char *name, int32_t parent_pid);

    // The rest is for a backend that has TROUPE_TRAIT_CALLERS_THREAD. All of it is optional, and called on
    // the owner's thread, for executor 0 only.

    /**
     * Do what the backend does besides turns, if it is due: once for each troupe_system_progress(), and between
     * turns in troupe_system_run(). What is sent meanwhile leaves with the next turn, which follows.
     *
     * @param now  Whether it is due whatever the clock says, as in troupe_system_progress().
     * @return     nanoseconds until it is due again; UINT64_MAX: not before something else happens.
     */
    uint64_t (*tick)(void *self, troupe_executor_t *executor, bool now);

    /** The actor in row @p index has ended and its `fini` has run, or it could not start. */
    void (*actor_ended)(void *self, troupe_executor_t *executor, uint32_t index);

    /** All actors of executor 0 have ended, and none will start; `fini` follows. */
    void (*stopped)(void *self, troupe_executor_t *executor);
};

/**
 * Register a backend for all systems made from now on. The built-in ones are registered already.
 *
 * @param ops  Kept, never copied.
 *
 * @retval TROUPE_OK               Registered; registering a table twice is as once.
 * @retval TROUPE_ERR_EXISTS       another table has that name.
 * @retval TROUPE_ERR_UNSUPPORTED  its version is newer than this library's.
 * @retval TROUPE_ERR_INVAL        a required field is missing; the detail names it.
 * @retval TROUPE_ERR_LIMIT        16 backends are registered already.
 *
 * @threads any
 * @blocks  never
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_backend_register(
    const struct troupe_backend_ops *ops);

/**
 * List the registered backends, the default one first.
 *
 * @param index  From 0.
 * @return       the table, or NULL after the last.
 *
 * @threads any
 * @blocks  never
 */
TROUPE_API const struct troupe_backend_ops *troupe_backend_get(uint32_t index);

/**
 * Find the state of a backend from a context: for functions that the backend offers its actors beyond this table.
 *
 * @param ctx           The context that an actor of this backend was called with, or the owner's.
 * @param ops           The backend.
 * @param out_executor  Receives the executor of the context.
 * @param out_self      Receives what the backend's `init` gave.
 *
 * @retval TROUPE_OK               Both are set.
 * @retval TROUPE_ERR_UNSUPPORTED  @p ops does not carry that executor.
 * @retval TROUPE_ERR_THREAD       called from another thread than the context's.
 *
 * @threads the one that owns @p ctx
 * @blocks  never
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_backend_self(
    troupe_context_t *ctx,
    const struct troupe_backend_ops *ops,
    troupe_executor_t **out_executor,
    void **out_self);

#endif

/**
 * @file troupe/backend.h
 * @brief What carries an executor: two tables that point opposite ways.
 *
 *     runtime  -- struct troupe_backend_ops -->  backend     "start this executor somewhere"
 *     runtime  <--     struct troupe_host   --   backend     "run its loop", "it is gone"
 *
 * The runtime owns actors, mailboxes and the loop; a backend only gives an executor somewhere to run.
 * Fill one `static const struct troupe_backend_ops`, register it before a system is made, and place
 * actors on it by its name. Passing the conformance suite is the definition of a backend.
 *
 * Versions: `version` comes first and fields are only ever added at the end.
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

/** What a backend promises. Ask for the trait, never for the name. */
enum troupe_backend_trait {
    /** A crash in one executor leaves the others alive: each has a process of its own. */
    TROUPE_TRAIT_ISOLATES_CRASHES = 1 << 0,
    TROUPE_TRAIT_PARALLEL = 1 << 1,       /**< Executors run at the same time; pools make sense. */
    TROUPE_TRAIT_DETERMINISTIC = 1 << 2,  /**< Same seed, clock and input: same course. */
    TROUPE_TRAIT_PREEMPTS = 1 << 3,       /**< A callback that never returns can be ended. */
    TROUPE_TRAIT_CALLERS_THREAD = 1 << 4, /**< Is executor 0, on the owner's thread. */
};

/** An executor, as a backend holds it: opaque, and good until it has reported the end. */
typedef struct troupe_executor troupe_executor_t;

/** What the runtime says about an executor it wants carried. Good during `start` only. */
struct troupe_executor_spec {
    const char *name;  /**< After its first actor or its pool; for a thread's or process's title. */
    uint32_t id;       /**< Its number in references. */
    uint64_t cpu_mask; /**< CPUs it may run on, a bit each; 0: any. */

    // The rest is for a backend that has ::TROUPE_TRAIT_ISOLATES_CRASHES.

    const char *program; /**< The program to run; NULL: the one that runs now. */
    const char *env;     /**< `NAME=VALUE` for its environment: what it is started for. */
    const int *fds;      /**< Descriptors that it inherits under the same numbers. */
    uint32_t fd_count;   /**< How many. */
    int output_fd;       /**< Becomes its standard output; -1: the one there is. */
    int error_fd;        /**< Becomes its standard error; -1: the one there is. */
};

/** What a backend may ask of the runtime. */
struct troupe_host {
    uint32_t version; /**< ::TROUPE_BACKEND_VERSION */

    /**
     * Run the executor's loop until its end. Called once, on the thread of control that carries it;
     * nobody else may touch the executor from then on.
     *
     * @blocks until the executor has ended; after that only `exited` may name it
     */
    void (*run)(troupe_executor_t *executor);

    /**
     * Report that nothing of the executor runs any more: the last call about it, after `run`.
     *
     * @threads any
     * @blocks  never
     */
    void (*exited)(troupe_executor_t *executor);

    /**
     * Run one turn of executor 0: all the mail at hand, timers, flush. For `run_once` only.
     *
     * @threads the owner's
     * @blocks  never, callbacks aside
     */
    void (*run_turn)(troupe_executor_t *executor);

    /** @return the time in nanoseconds, by the system's clock. Any thread; never blocks. */
    uint64_t (*now)(troupe_executor_t *executor);

    /**
     * Set the text that troupe_error_detail() gives on this thread, before returning an error.
     *
     * @threads any
     * @blocks  never
     */
    void (*set_error_detail)(const char *text);

    /**
     * @return the context of executor 0 for code that is no actor: what it sends is nobody's.
     *
     * @threads the owner's; blocks never
     */
    troupe_context_t *(*context)(troupe_executor_t *executor);

    /** @return whether @p actor lives on that executor, or is about to start. The owner's; never blocks. */
    bool (*has_actor)(troupe_executor_t *executor, troupe_ref_t actor);
};

/** What the runtime asks of a backend. */
struct troupe_backend_ops {
    uint32_t version; /**< ::TROUPE_BACKEND_VERSION. Required. */
    uint32_t traits;  /**< Of ::troupe_backend_trait, or-ed. */

    /** The word in placement rules: lower-case letters and digits. Required, unique, static. */
    const char *name;

    /** A line for people, as in "a pthread each". Required, static. */
    const char *description;

    /**
     * Make ready what a system needs. Optional. Called once for each system that places an actor
     * here, before `start`.
     *
     * @param out_self  Receives what the other functions get as `self`.
     * @return ::TROUPE_OK; ::TROUPE_ERR_UNSUPPORTED when this machine cannot; ::TROUPE_ERR_NOMEM.
     * @threads the one that spawns; blocks never
     */
    enum troupe_err (*init)(const struct troupe_host *host, void **out_self);

    /**
     * Start an executor: have `host->run` called for it on a thread of control of its own.
     * Required, but not of a backend that has ::TROUPE_TRAIT_CALLERS_THREAD.
     *
     * A backend that has ::TROUPE_TRAIT_ISOLATES_CRASHES starts a program instead, which takes over
     * in its own call of troupe_run_if_child(); then @p executor is NULL, and `exit_fd` and `reap` tell how
     * it ended.
     *
     * @param out_handle  Receives what `stop`, `kill` and `join` get; may be set to NULL.
     * @return ::TROUPE_OK; ::TROUPE_ERR_LIMIT when threads or processes run out. On an error
     *         `host->run` is never called for it.
     * @threads any, one at a time; blocks never
     */
    enum troupe_err (*start)(
        void *self,
        troupe_executor_t *executor,
        const struct troupe_executor_spec *spec,
        void **out_handle);

    /**
     * Run what the executor has at hand, by `host->run_turn`, and return. Required of a backend that has
     * ::TROUPE_TRAIT_CALLERS_THREAD, and called for executor 0 only.
     *
     * @threads the owner's; blocks never, callbacks aside
     */
    void (*run_once)(void *self, troupe_executor_t *executor);

    /** Ask it to stop, beside the runtime's own command. Optional; must not block. */
    void (*stop)(void *self, void *handle);

    /** End it by force. Optional, and only of a backend that ::TROUPE_TRAIT_PREEMPTS. */
    void (*kill)(void *self, void *handle);

    /**
     * Give back what carried an executor that has called, or is about to call, `host->exited`.
     * Required where `start` is, unless it isolates. Called once for each start.
     *
     * @blocks as long as the carrier takes to return after `host->exited`
     */
    void (*join)(void *self, void *handle);

    /** Undo `init`. Optional. Called once, after every executor was waited for. */
    void (*fini)(void *self);

    /**
     * @return a descriptor that turns readable when the carrier has ended. Required of a backend that
     *         has ::TROUPE_TRAIT_ISOLATES_CRASHES, like the next two.
     *
     * @owns   The carrier keeps it.
     */
    int (*exit_fd)(void *self, void *handle);

    /**
     * Give back a carrier that has ended, and tell how: reason, and code or signal.
     *
     * @blocks until it has ended
     */
    void (*reap)(void *self, void *handle, struct troupe_exit *out_exit);

    /**
     * In the program that `start` started, before anything else: be a child of @p parent_pid, called
     * @p name.
     *
     * @return ::TROUPE_OK; an error when the parent is gone already.
     */
    enum troupe_err (*child_setup)(const char *name, int32_t parent_pid);

    // The rest is for a backend that has TROUPE_TRAIT_CALLERS_THREAD. All of it is optional, and called on
    // the owner's thread, for executor 0 only.

    /**
     * Do what the backend does besides turns, if it is due: once for each troupe_system_progress(), and between
     * turns in troupe_system_run(). What is sent meanwhile leaves with the next turn, which follows.
     *
     * @param now  It is due, whatever the clock says: troupe_system_progress().
     * @return     nanoseconds until it is due again; UINT64_MAX: when something else happens.
     */
    uint64_t (*tick)(void *self, troupe_executor_t *executor, bool now);

    /** The actor in row @p index has ended, or could not start; its `fini` has run. */
    void (*actor_ended)(void *self, troupe_executor_t *executor, uint32_t index);

    /** All actors of executor 0 have ended, and nothing runs there any more; `fini` follows. */
    void (*stopped)(void *self, troupe_executor_t *executor);
};

/**
 * Make a backend known to all systems made from now on. The built-in ones are known already.
 *
 * @param ops  Kept, never copied.
 *
 * @retval TROUPE_OK               Known; the same table twice is once.
 * @retval TROUPE_ERR_EXISTS       another table has that name.
 * @retval TROUPE_ERR_UNSUPPORTED  its version is newer than this library's.
 * @retval TROUPE_ERR_INVAL        a required field is missing; the detail names it.
 * @retval TROUPE_ERR_LIMIT        16 backends are known already.
 *
 * @threads any
 * @blocks  never
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_backend_register(
    const struct troupe_backend_ops *ops);

/**
 * List the known backends, the default one first.
 *
 * @param index  From 0.
 * @return       the table, or NULL past the last.
 *
 * @threads any
 * @blocks  never
 */
TROUPE_API const struct troupe_backend_ops *troupe_backend_get(uint32_t index);

/**
 * Find what a backend keeps for the executor that runs a context: for what it offers its actors beyond
 * this table.
 *
 * @param ops           The backend.
 * @param out_executor  Receives the executor.
 * @param out_self      Receives what its `init` gave.
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

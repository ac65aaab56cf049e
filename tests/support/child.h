/**
 * @file child.h
 * @brief Programs in a process of their own: for tests that exhaust a process, end it, or signal it.
 *
 *     static int run(void *data) { return troupe_main(...); }
 *
 *     struct child *child = child_start(run, NULL);
 *     child_wait_for(child, "ready");
 *     child_signal(child, SIGINT);
 *     struct child_end end = child_end(&child);
 *     cr_expect(eq(int, end.status, 130), "%s", end.err);
 *
 * The test is the parent, which asserts. The child does not: it uses MUST() of fixture.h, which aborts with a text that
 * the parent prints. Every wait of the parent ends at ::CHILD_DEADLINE_NS, and a child that is left over is
 * killed with its parent.
 */
#ifndef TROUPE_TESTS_CHILD_H
#define TROUPE_TESTS_CHILD_H

#include <troupe/troupe.h>

#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

/** How long any wait for a child may take, in nanoseconds: 20 s. */
#define CHILD_DEADLINE_NS UINT64_C(20000000000)

/** How many bytes of each of its outputs are kept, with a NUL. */
#define CHILD_OUTPUT_BYTES 131072

/** What the child runs. @return its exit status */
typedef int child_fn(void *data);

/** Handle to a child, valid until child_end(). */
struct child;

/** How a child ended. Its texts are valid until the next child_end(). */
struct child_end {
    int status;        /**< Its exit status; 128 + the signal when one ended it. */
    int signal;        /**< The signal that ended it; 0: it exited. */
    uint64_t ns;       /**< From the latest child_signal(), or its start, until it had exited. */
    const char *out;   /**< What it printed on standard output. */
    const char *err;   /**< What it printed on standard error, without audits. */
    const char *audit; /**< Its audits; "" when it printed none. */
};

/** Start @p run in a child, with the default action of SIGINT and SIGTERM. */
struct child *child_start(child_fn *run, void *data);

/** Wait until it has printed @p text on standard output. */
void child_wait_for(struct child *child, const char *text);

/** @return what it has printed on standard output by now. */
const char *child_printed(const struct child *child);

/** Send it a signal. */
void child_signal(struct child *child, int number);

/** @return its process number, for what child_signal() cannot do. */
pid_t child_pid(const struct child *child);

/** Wait until a handler that is reset when its signal comes has handled that signal. */
void child_wait_until_handled(struct child *child, int number);

/**
 * Wait for its exit, free it, and set *child_p to NULL. The test fails if the counters of an audit do not balance,
 * unless the exit status says so already.
 */
struct child_end child_end(struct child **child_p);

/** Run it and wait for its exit. */
struct child_end child_run(child_fn *run, void *data);

/** Run it. The test fails, with what it printed, unless it exits with 0. */
void child_succeeds(child_fn *run, void *data);

/* For the child. ------------------------------------------------------------------------------- */

/** Print a text at once, for child_wait_for(). @threads any */
void child_say(const char *text);

/**
 * @return what troupe_main() returns for a command line, whose arguments are separated by single spaces, and
 *         `--audit`.
 */
int child_troupe_main(const char *line, const struct troupe_behaviour *const *behaviours);

/** The same, without `--audit`. */
int child_troupe_main_unaudited(const char *line, const struct troupe_behaviour *const *behaviours);

/** Lower the soft and the hard limit of @p resource to @p count, as far as that is allowed. */
void child_limit(__rlimit_resource_t resource, rlim_t count);

/** Set the soft limit alone. */
void child_limit_softly(__rlimit_resource_t resource, rlim_t count);

/** Drop the privileges of root, which is exempt from the limit of threads. */
void child_drop_root(void);

/** Descriptors that were opened until there were no more. */
struct child_hoard {
    int fds[4096];
    size_t count;
};

/** Open every descriptor that is left. */
void child_hoard_take(struct child_hoard *hoard);

/** Close all of them. */
void child_hoard_give(struct child_hoard *hoard);

#endif

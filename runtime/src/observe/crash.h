/**
 * @file crash.h
 * @brief Prints, from a signal handler, which callback a thread is in, and its stack.
 *
 *     fatal signal   prints actor, callback and stack; then the signal has its default effect
 *     trace signal   prints the same and continues; sent to a thread that delays a shutdown
 *     overdue        prints the same and exits: the owner's own thread delays its shutdown
 *
 * Only troupe_main() and child processes install the handlers: a program that embeds a system keeps its own.
 * Once installed, nothing here takes a lock or allocates.
 */
#ifndef TRP_CRASH_H
#define TRP_CRASH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct troupe_executor;
struct trp_shared;
struct trp_slot;

/**
 * Install the handlers, for this whole process.
 *
 * @param shared  Shared memory of the system.
 * @param owner   The executor of the calling thread, for trp_crash_set_overdue(); NULL: that has no effect.
 */
void trp_crash_install(const struct trp_shared *shared, const struct troupe_executor *owner);

/** Have the handlers note in @p out_words, a trp_process_signalled(), what ends this process. */
void trp_crash_note_in(_Atomic uint32_t *out_words);

/** Note that this thread runs @p executor from here on. Does nothing where no handlers are installed. */
void trp_crash_enter(struct troupe_executor *executor);

/** Undo trp_crash_enter(). */
void trp_crash_leave(void);

/** What came of having an executor print its stack. */
enum trp_crash_trace {
    TRP_TRACE_PRINTED,
    TRP_TRACE_SILENT,     // it did not print one in time
    TRP_TRACE_IMPOSSIBLE, // its thread has no handler, or is gone
};

/** Have the thread of an executor, in any process, print its stack. Safe in a signal handler. */
enum trp_crash_trace trp_crash_trace(const struct trp_slot *slot, uint64_t timeout_ns);

/**
 * Have the process print stacks and exit if @p executor is the owner's and is in one and the same callback @p ns
 * from now and 20 ms later; 0: undo that. Safe in a signal handler. @threads any
 */
void trp_crash_set_overdue(const struct troupe_executor *executor, uint64_t ns);

#endif

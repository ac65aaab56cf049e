/**
 * @file crash.h
 * @brief What a thread that runs an executor says of itself from a signal handler: who it is and where.
 *
 *     fatal signal   who was in which callback, and the stack; then the signal does what it always does
 *     trace signal   the same for who is stuck, sent by whoever ends the system; and it goes on
 *     overdue        the same when the owner's own thread is what holds up the end; and the process exits
 *
 * Only troupe_main() and processes of ours install handlers: a program that embeds a system keeps its
 * own. Nothing here takes a lock or memory once it is installed.
 */
#ifndef TRP_CRASH_H
#define TRP_CRASH_H

#include <stdbool.h>
#include <stdint.h>

struct troupe_executor;
struct trp_slot;

/**
 * Install the handlers, for this whole process.
 *
 * @param owner  The executor of this thread, whose callbacks are not to hold up the end; NULL: they may.
 */
void trp_crash_install(const struct troupe_executor *owner);

/** This thread runs @p executor from here on: have a stack for its handlers. Does nothing where none are. */
void trp_crash_enter(struct troupe_executor *executor);

/** It does so no more. */
void trp_crash_leave(void);

/** What came of asking an executor for its stack. */
enum trp_crash_trace {
    TRP_TRACE_TOLD,
    TRP_TRACE_SILENT,     // it did not answer in time
    TRP_TRACE_IMPOSSIBLE, // nobody there can be asked
};

/** Have the thread of an executor, in whichever process, say where it is. Safe in a signal handler. */
enum trp_crash_trace trp_crash_trace(const struct trp_slot *slot, uint64_t timeout_ns);

/**
 * Have the process exit if @p executor, when it is the owner's, is stuck in a callback @p ns from now and
 * later; 0: undo that. Safe in a signal handler. @threads any
 */
void trp_crash_set_overdue(const struct troupe_executor *executor, uint64_t ns);

#endif

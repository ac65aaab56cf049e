/**
 * @file troupe/error.h
 * @brief Error codes, and the text that explains the latest error.
 *
 * There are three kinds of failure, each with its own way of being reported:
 *
 *  - a mistake inside Troupe stops the process, with an assertion that names the line;
 *  - an operating error (no memory, mailbox full, invalid input) is returned as an ::troupe_err;
 *  - an actor's own failure is an exit reason, which is reported to the actors that monitor it or
 *    are linked to it.
 *
 * A function that can fail returns ::troupe_err and nothing else. Its result comes back through an
 * `out_` parameter, which is written on ::TROUPE_OK and left unchanged otherwise.
 */
#ifndef TROUPE_ERROR_H
#define TROUPE_ERROR_H

#include "troupe/export.h"

/**
 * Result of a call that can fail. Compare it with ::TROUPE_OK; a switch over it needs no default.
 *
 * Numbers are part of the ABI and of the wire format: a new code takes the next free number, and a
 * retired one leaves a gap.
 */
enum troupe_err {
    /** Success. */
    TROUPE_OK = 0,

    /** No memory. Nothing changed: free some memory, and call again. */
    TROUPE_ERR_NOMEM = 1,

    /** An argument or an input is invalid. Correct it; the same call fails again. */
    TROUPE_ERR_INVAL = 2,

    /**
     * What was named does not exist, or no longer: an actor, a name, a timer, a behaviour. For a name
     * that may be registered later, call troupe_await_name().
     */
    TROUPE_ERR_NOENT = 3,

    /** The mailbox is full. Send again at the ROOM notice, or discard the message. */
    TROUPE_ERR_FULL = 4,

    /**
     * The deadline passed. The work that was asked for may still be done: retry only if it may be done
     * twice.
     */
    TROUPE_ERR_TIMEDOUT = 5,

    /** The receiver or the system is stopping and accepts no new work. Do not retry. */
    TROUPE_ERR_CLOSED = 6,

    /** No descriptors, threads or rows are left. End some actors, or raise the limit. */
    TROUPE_ERR_LIMIT = 7,

    /** This backend or transport does not support it. Use another one. */
    TROUPE_ERR_UNSUPPORTED = 8,

    /** A system call failed. The detail says which one and why. */
    TROUPE_ERR_SYSTEM = 9,

    /** The body is over the byte bound. Split it, or send the name of a file. */
    TROUPE_ERR_TOOBIG = 10,

    /**
     * Called on a thread that does not own the context or inbox. Call it on the thread that does.
     */
    TROUPE_ERR_THREAD = 11,

    /** The name is registered by another actor. Choose another name, or look that actor up. */
    TROUPE_ERR_EXISTS = 12,

    /**
     * Actors wait for each other in a circle, which the detail lists. The ask failed to break it: reply
     * first, or ask without waiting.
     */
    TROUPE_ERR_DEADLOCK = 13,
};

/**
 * Get a short description of a code.
 *
 * @return a static text; "unknown error" for a number that is no code.
 *
 * @owns    The library keeps the text.
 * @threads any
 * @blocks  never
 */
TROUPE_API const char *troupe_strerror(enum troupe_err err);

/**
 * Get the explanation of the latest error on this thread: what is wrong, where, and what to do.
 *
 * The explanation of a placement rule that does not parse has the rule, with a caret under the
 * character.
 *
 * @return the text; "" if no call has failed on this thread.
 *
 * @owns    The library keeps the text, which is valid until the next call that fails on this
 *          thread.
 * @threads any
 * @blocks  never
 */
TROUPE_API const char *troupe_error_detail(void);

#endif

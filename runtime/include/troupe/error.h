/**
 * @file troupe/error.h
 * @brief What a call can report back to its caller.
 *
 * Three different things go wrong in an actor system, and each has one way out:
 *
 *  - a mistake inside Troupe stops the process: an assertion that names the line;
 *  - an operating error (no memory, mailbox full, bad input) is returned as an ::troupe_err;
 *  - an actor's own failure is an exit reason, told to those who wait for it.
 *
 * A function that can meet an operating error returns ::troupe_err and nothing else; what it makes
 * comes back through an `out_` parameter, which it writes on ::TROUPE_OK and leaves alone otherwise.
 */
#ifndef TROUPE_ERROR_H
#define TROUPE_ERROR_H

#include "troupe/export.h"

/**
 * Result of a fallible call. Compare with ::TROUPE_OK; switch over it without a default.
 *
 * Numbers are part of the ABI and of the wire format: a new code takes the next free number, and a
 * retired one leaves a gap.
 */
enum troupe_err {
    TROUPE_OK = 0,              /**< It worked. */
    TROUPE_ERR_NOMEM = 1,       /**< No memory. Nothing changed; free something and try again. */
    TROUPE_ERR_INVAL = 2,       /**< A value from outside is out of range; correct it. */
    TROUPE_ERR_NOENT = 3,       /**< Nobody goes by that name or reference. */
    TROUPE_ERR_FULL = 4,        /**< The mailbox is full. Wait for the ROOM notice, or shed load. */
    TROUPE_ERR_TIMEDOUT = 5,    /**< The deadline passed first. The work may still be going on. */
    TROUPE_ERR_CLOSED = 6,      /**< Stopping; takes no new work, now or later. */
    TROUPE_ERR_LIMIT = 7,       /**< Out of descriptors, threads or rows; end something first. */
    TROUPE_ERR_UNSUPPORTED = 8, /**< This backend or transport cannot, here or at all. */
    TROUPE_ERR_SYSTEM = 9,      /**< The operating system refused; the detail says why. */
    TROUPE_ERR_TOOBIG = 10,     /**< The body is over the byte bound; split it or name a file. */
    TROUPE_ERR_THREAD = 11,     /**< Called from a thread that does not own the context or port. */
    TROUPE_ERR_EXISTS = 12,     /**< Somebody else goes by that name already. */
    TROUPE_ERR_DEADLOCK = 13,   /**< Actors wait for each other's answers in a circle. */
};

/**
 * Say what a code means, in a few words.
 *
 * @return a static text; "unknown error" for a number that is no code.
 *
 * @owns    The library keeps the text.
 * @threads any
 * @blocks  never
 */
TROUPE_API const char *troupe_strerror(enum troupe_err err);

/**
 * Say what went wrong in the latest call of this thread that failed: the place and the remedy.
 *
 * Placement rules that do not parse come with the rule and a caret under the character.
 *
 * @return a text, "" when nothing failed on this thread yet.
 *
 * @owns    The library keeps the text, good until the next failing call on this thread.
 * @threads any
 * @blocks  never
 */
TROUPE_API const char *troupe_error_detail(void);

#endif

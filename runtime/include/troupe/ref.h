/**
 * @file troupe/ref.h
 * @brief References: values that identify actors.
 *
 * All functions here are pure: any thread may call them, they never block, and they keep nothing.
 */
#ifndef TROUPE_REF_H
#define TROUPE_REF_H

#include "troupe/error.h"
#include "troupe/export.h"

#include <stdbool.h>
#include <stdint.h>

/**
 * Identifies one actor, and never another one after that has ended.
 *
 * A reference is a value: copy it, store it, put it in a message. It keeps nothing alive. A
 * reference to an actor that has ended is safe to use: a message to it becomes a dead letter.
 *
 * Layout, 16 bytes:
 *
 *     +----------------+----------------+----------------+----------------+
 *     | node      u32  | executor  u32  | index     u32  | generation u32 |
 *     +----------------+----------------+----------------+----------------+
 *
 * `index` is the actor's row on its executor, and `generation` counts the actors that have used the
 * row, so that each has a different reference. Numbers of nodes and executors are never used twice;
 * a row whose generation would wrap is not used any more.
 *
 * It is a struct so that the compiler does not mix it up with a number.
 */
typedef struct troupe_ref {
    uint32_t node;       /**< The operating-system process; 0: none. */
    uint32_t executor;   /**< The executor within the node. */
    uint32_t index;      /**< The row within the executor. */
    uint32_t generation; /**< Which actor of the row, counted from 1. */
} troupe_ref_t;

/** No actor. It is the zero value, so zeroed memory identifies no actor by accident. */
#define TROUPE_REF_NONE ((troupe_ref_t){0, 0, 0, 0})

/** Room for any printed reference and its NUL, in bytes. */
#define TROUPE_REF_TEXT_BYTES 48

/** @return whether @p ref is ::TROUPE_REF_NONE; a reference to an ended actor is not. */
TROUPE_API bool troupe_ref_is_none(troupe_ref_t ref);

/** @return whether both identify the same actor. */
TROUPE_API bool troupe_ref_equal(troupe_ref_t a, troupe_ref_t b);

/**
 * @return less than, equal to or greater than 0 if @p a is before, equal to or after @p b; a total
 *         order.
 */
TROUPE_API int troupe_ref_compare(troupe_ref_t a, troupe_ref_t b);

/**
 * Print @p ref as `node.executor.index.generation` in decimal, or `-` for ::TROUPE_REF_NONE.
 *
 * @param text  Receives the text and its NUL.
 * @return      @p text.
 */
TROUPE_API const char *troupe_ref_print(troupe_ref_t ref, char text[TROUPE_REF_TEXT_BYTES]);

/**
 * Parse a text that troupe_ref_print() printed, with nothing behind it.
 *
 * @param out_ref  Receives the reference.
 *
 * @retval TROUPE_OK         *out_ref is set.
 * @retval TROUPE_ERR_INVAL  it is no such text; the detail names the character.
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_ref_parse(
    const char *text, troupe_ref_t *out_ref);

#endif

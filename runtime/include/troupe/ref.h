/**
 * @file troupe/ref.h
 * @brief References: the names of actors, as values.
 *
 * Every function here is pure: any thread may call it, it never blocks and it keeps nothing.
 */
#ifndef TROUPE_REF_H
#define TROUPE_REF_H

#include "troupe/error.h"
#include "troupe/export.h"

#include <stdbool.h>
#include <stdint.h>

/**
 * Names one actor for as long as it lives, and no other actor after that.
 *
 * A reference is a value: copy it, store it, put it in a message. It keeps nothing alive, and one
 * that outlives its actor is safe to use: what is sent to it becomes a dead letter.
 *
 * Shape, 16 bytes:
 *
 *     +----------------+----------------+----------------+----------------+
 *     | node      u32  | executor  u32  | index     u32  | generation u32 |
 *     +----------------+----------------+----------------+----------------+
 *
 * `index` is the actor's row on its executor, and `generation` counts that row's tenants, so that a
 * row used again yields a different reference. Nodes and executors are never numbered twice; a row
 * whose generation would wrap is retired.
 *
 * It is a struct so that the compiler tells a reference from a number.
 */
typedef struct troupe_ref {
    uint32_t node;       /**< The operating-system process; 0 is nobody's. */
    uint32_t executor;   /**< The executor within the node. */
    uint32_t index;      /**< The row within the executor. */
    uint32_t generation; /**< The row's tenant, counted from 1. */
} troupe_ref_t;

/** Names nobody. The zero value, so zeroed memory holds no accidental actor. */
#define TROUPE_REF_NONE ((troupe_ref_t){0, 0, 0, 0})

/** Room for any printed reference and its ending NUL, in bytes. */
#define TROUPE_REF_TEXT_BYTES 48

/** @return whether @p ref is ::TROUPE_REF_NONE, rather than an actor, alive or ended. */
TROUPE_API bool troupe_ref_is_none(troupe_ref_t ref);

/** @return whether both name the same actor. */
TROUPE_API bool troupe_ref_equal(troupe_ref_t a, troupe_ref_t b);

/** @return below, equal to or above 0, as @p a sorts before, with or after @p b; a total order. */
TROUPE_API int troupe_ref_compare(troupe_ref_t a, troupe_ref_t b);

/**
 * Print @p ref as `node.executor.index.generation` in decimal, or `-` for nobody.
 *
 * @param text  Receives the text and its NUL.
 * @return      @p text.
 */
TROUPE_API const char *troupe_ref_print(troupe_ref_t ref, char text[TROUPE_REF_TEXT_BYTES]);

/**
 * Parse what troupe_ref_print() prints; nothing may follow it.
 *
 * @param out_ref  Receives the reference.
 *
 * @retval TROUPE_OK         *out_ref is set.
 * @retval TROUPE_ERR_INVAL  not such a text; the detail names the character.
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_ref_parse(
    const char *text, troupe_ref_t *out_ref);

#endif
